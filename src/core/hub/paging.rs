//! Whether a list is whole: it is, unless something beside it or in it says otherwise. A list that is not whole tells what
//! is there and never what is not.

use serde_json::{Map, Value};

use crate::core::hub::reader::WRAPPERS;

/// Members that hold hints of their own, beside the list or inside its wrapper.
const HOLDERS: [&str; 5] = ["meta", "links", "pagination", "paging", "page_info"];

/// What an answer says of its list. `entries` is how many the list has.
#[must_use]
pub fn is_part(body: &[u8], link: Option<&str>, entries: usize) -> bool {
    if link.is_some_and(has_next_link) {
        return true;
    }
    let Ok(Value::Object(answer)) = serde_json::from_slice::<Value>(body) else { return false };
    let inside = answer
        .get("data")
        .and_then(Value::as_object)
        .filter(|data| WRAPPERS.iter().any(|name| data.contains_key(*name)));
    let objects: Vec<&Map<String, Value>> = [Some(&answer), inside]
        .into_iter()
        .flatten()
        .flat_map(|object| {
            let held = HOLDERS.iter().filter_map(|name| object.get(*name)?.as_object());
            std::iter::once(object).chain(held)
        })
        .collect();
    let number = |name: &'static str| objects.iter().find_map(|object| object.get(name).and_then(as_number));
    let entries = u64::try_from(entries).unwrap_or(u64::MAX);
    let says = |name: &'static str| objects.iter().filter_map(move |object| object.get(name));
    if ["next", "next_page_url", "next_cursor", "next_page"].into_iter().flat_map(says).any(is_something)
        || ["has_more", "has_next", "has_more_pages"]
            .iter()
            .flat_map(|name| says(name))
            .any(|value| *value == Value::Bool(true))
        || number("total").is_some_and(|total| total > entries)
        || number("last_page").is_some_and(|last| last > number("current_page").unwrap_or(1))
        || number("current_page").is_some_and(|current| current > 1)
    {
        return true;
    }
    // A full page that does not say how many there are, nor that it is the last one.
    let says_the_end = number("total").or_else(|| number("last_page")).is_some()
        || ["next", "next_page_url", "next_cursor", "has_more"].into_iter().any(|name| says(name).next().is_some());
    !says_the_end && number("per_page").is_some_and(|size| size > 0 && entries >= size)
}

/// Some hubs write numbers as text.
fn as_number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// Neither null, nor empty, nor false.
fn is_something(value: &Value) -> bool {
    !matches!(value, Value::Null | Value::Bool(false)) && value.as_str() != Some("")
}

/// RFC 8288: a link whose relation types hold `next`.
fn has_next_link(header: &str) -> bool {
    header.split([',', ';']).filter_map(|part| part.trim().split_once('=')).any(|(name, value)| {
        let mut relations = value.trim().trim_matches('"').split_ascii_whitespace();
        name.trim().eq_ignore_ascii_case("rel") && relations.any(|relation| relation.eq_ignore_ascii_case("next"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_hint_is_seen_beside_and_inside_the_list() {
        for hint in [
            r#""next":"2""#,
            r#""next":2"#,
            r#""next_page_url":"https://hub.example/licenses?page=2""#,
            r#""next_cursor":"abc""#,
            r#""has_more":true"#,
            r#""total":3"#,
            r#""total":"3""#,
            r#""links":{"next":"https://hub.example/licenses?page=2"}"#,
            r#""meta":{"current_page":1,"last_page":2}"#,
            r#""meta":{"total":31,"per_page":2}"#,
            r#""pagination":{"next_cursor":"x"}"#,
            r#""last_page":7"#,
            r#""current_page":2,"last_page":2"#,
            r#""per_page":2"#,
            r#""meta":{"per_page":2}"#,
        ] {
            assert!(is_part(format!(r#"{{"data":[],{hint}}}"#).as_bytes(), None, 2), "beside: {hint}");
            assert!(is_part(format!(r#"{{"data":{{"licenses":[],{hint}}}}}"#).as_bytes(), None, 2), "inside: {hint}");
        }
        for link in
            ["<https://h/?page=2>; rel=\"next\"", "<a>; rel=prev, <b>; rel=next", "<a>; title=x; REL=\"last Next\""]
        {
            assert!(is_part(br#"{"data":[]}"#, Some(link), 0), "{link}");
        }
    }

    #[test]
    fn what_says_nothing_or_the_end_is_whole() {
        for hint in [
            r#""status_code":0"#,
            r#""total":2"#,
            r#""total":0,"per_page":2"#,
            r#""next":null,"per_page":2"#,
            r#""next_page_url":null,"next_cursor":"","has_more":false"#,
            r#""links":{"first":"a","last":"a","prev":null,"next":null}"#,
            r#""meta":{"current_page":1,"last_page":1,"per_page":2,"total":2}"#,
            r#""per_page":15"#,
        ] {
            assert!(!is_part(format!(r#"{{"data":[],{hint}}}"#).as_bytes(), None, 2), "{hint}");
        }
        assert!(!is_part(br#"{"data":[]}"#, Some("<https://h/?page=1>; rel=\"prev\""), 0));
        assert!(!is_part(br#"{"data":null}"#, None, 0) && !is_part(b"[]", None, 0));
    }
}
