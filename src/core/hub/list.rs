//! The hub's list of licenses.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::core::device::duid::is_spelled_alike;
use crate::core::hub::reader::WRAPPERS;

/// What the hub lists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct List {
    /// The licenses, each exactly as received.
    pub items: Vec<Vec<u8>>,
    /// It says itself that there is more than this. The vendor documents no way to ask for the rest.
    pub is_partial: bool,
}

impl List {
    /// The entries of a list; some servers wrap the array once more, and say beside it which page it is.
    #[must_use]
    pub fn read(data: &[u8]) -> Option<Self> {
        let array = |raw: &RawValue| -> Option<Vec<Vec<u8>>> {
            let items: Vec<&RawValue> = serde_json::from_str(raw.get()).ok()?;
            Some(items.into_iter().map(|item| item.get().as_bytes().to_vec()).collect())
        };
        let raw: &RawValue = serde_json::from_slice(data).ok()?;
        if raw.get() == "null" {
            return Some(Self::default());
        }
        if let Some(items) = array(raw) {
            return Some(Self { items, is_partial: false });
        }
        let object: std::collections::BTreeMap<String, &RawValue> = serde_json::from_str(raw.get()).ok()?;
        let number = |name: &str| object.get(name)?.get().parse::<u64>().ok();
        let is_first_of_several = number("last_page") > Some(number("current_page").unwrap_or(1));
        let has_next =
            ["next_page_url", "next"].iter().any(|name| object.get(*name).is_some_and(|next| next.get() != "null"));
        let items = WRAPPERS.iter().find_map(|name| array(object.get(*name)?))?;
        Some(Self { items, is_partial: is_first_of_several || has_next })
    }
}

/// Whose licenses are looked for in a list: all others need not be kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sought {
    /// This device, in any spelling.
    pub duid: Option<String>,
    /// A license by its serial.
    pub serial: Option<String>,
}

impl Sought {
    /// Whether an entry, as received, is one of them. What cannot be read stays: whoever judges the list shall see it.
    #[must_use]
    pub fn is_in(&self, entry: &str) -> bool {
        #[derive(Deserialize)]
        struct Named<'a> {
            #[serde(borrow, default)]
            duid: Option<std::borrow::Cow<'a, str>>,
            #[serde(borrow, default)]
            serial: Option<std::borrow::Cow<'a, str>>,
        }
        let Ok(named) = serde_json::from_str::<Named<'_>>(entry) else { return true };
        let is_duid = |duid: &str| named.duid.as_ref().is_some_and(|named| is_spelled_alike(named, duid));
        self.duid.as_deref().is_some_and(is_duid)
            || self.serial.as_deref().is_some_and(|serial| named.serial.as_deref() == Some(serial))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_wrapped_or_not() {
        for data in ["[{\"a\": 1},{}]", r#"{"licenses":[{"a": 1},{}]}"#, r#"{"data":[{"a": 1},{}],"page":1}"#] {
            assert_eq!(items(data.as_bytes()), Some(vec![b"{\"a\": 1}".to_vec(), b"{}".to_vec()]));
        }
        assert_eq!(items(b"null"), Some(vec![]));
        assert_eq!(items(b"5"), None);
    }

    fn items(data: &[u8]) -> Option<Vec<Vec<u8>>> {
        List::read(data).map(|list| list.items)
    }

    #[test]
    fn only_the_entries_of_this_device_are_sought() {
        let sought = Sought { duid: Some("Dev-1".to_owned()), serial: Some("S".to_owned()) };
        for (entry, expected) in [
            (r#"{"duid":"dev-1"}"#, true),
            (r#"{"duid":"D\u0065v-1","serial":"x"}"#, true),
            (r#"{"serial":"S","duid":null}"#, true),
            (r#"{"serial":"s"}"#, false),
            (r#"{"duid":"dev-2"}"#, false),
            ("{}", false),
            (r#"{"duid":7}"#, true),
            ("5", true),
        ] {
            assert_eq!(sought.is_in(entry), expected, "{entry}");
        }
        assert!(!Sought::default().is_in(r#"{"duid":"","serial":""}"#));
    }

    #[test]
    fn a_page_of_several_says_so() {
        let partial =
            |beside: &str| List::read(format!(r#"{{"data":[],{beside}}}"#).as_bytes()).map(|list| list.is_partial);
        for beside in [
            r#""current_page":1,"last_page":2"#,
            r#""last_page":7"#,
            r#""next_page_url":"https://hub.example/licenses?page=2""#,
            r#""next":"2""#,
        ] {
            assert_eq!(partial(beside), Some(true), "{beside}");
        }
        for beside in [
            r#""current_page":1,"last_page":1,"next_page_url":null"#,
            r#""current_page":3,"last_page":3,"next":null"#,
            r#""total":0"#,
        ] {
            assert_eq!(partial(beside), Some(false), "{beside}");
        }
    }
}
