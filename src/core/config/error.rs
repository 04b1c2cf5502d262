//! What a parser says about a mistake, in our words: its key and what is wanted there, and never the value of a secret.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::core::config::{KEYS, Key, SECTIONS};

/// The line and the sentence about a value that does not fit the structure.
pub(super) fn explain(message: &str, text: &str, span: Option<Range<usize>>) -> (Option<usize>, String) {
    let line = line_of(text, span.clone());
    let first = message.lines().next().unwrap_or(message);
    let table = DeTable::parse(text).ok();
    let place = table.as_ref().zip(span).and_then(|(table, span)| place_of(table.get_ref(), span.start));
    let sentence = match place {
        Some(Place { section, member }) if first.starts_with("unknown field") => match member {
            Some((name, _)) => unknown(name, Some(section)),
            None => unknown(section, None),
        },
        Some(Place { section, member: Some((name, value)) }) => {
            let path = format!("{section}.{name}");
            let key = KEYS.iter().find(|key| key.section == section && key.name == name);
            match (key.and_then(|key| wanted(key, value)), first.split_once(", expected ")) {
                (Some(wanted), _) => format!("{path} wants {wanted}"),
                (None, Some((found, known))) => {
                    format!("{path} wants {known}, not {}", found.trim_start_matches("unknown variant "))
                }
                _ if first.contains(&path) => first.to_owned(),
                _ => format!("{path}: {first}"),
            }
        }
        _ => first.to_owned(),
    };
    (line, sentence)
}

/// A section that is written as something else. The parser would take a list for it, and read nothing or anything.
pub(super) fn no_section(text: &str) -> Option<(Option<usize>, String)> {
    let table = DeTable::parse(text).ok()?;
    let known = |name: &str| SECTIONS.iter().any(|(section, _)| *section == name);
    table.get_ref().iter().find_map(|(name, value)| {
        let word = name.get_ref();
        let wrong = known(word) && !matches!(value.get_ref(), DeValue::Table(_));
        let sentence =
            format!("`{word}` is a section: write [{word}] once, in a line of its own, and its keys below that");
        wrong.then(|| (line_of(text, Some(name.span())), sentence))
    })
}

/// Where in the document something stands.
struct Place<'t> {
    section: &'t str,
    member: Option<(&'t str, &'t DeValue<'t>)>,
}

fn place_of<'t>(table: &'t DeTable<'t>, at: usize) -> Option<Place<'t>> {
    table.iter().find_map(|(section, value)| {
        let member = match value.get_ref() {
            DeValue::Table(members) => members.iter().find(|(name, value)| covers(name, value, at)),
            _ => None,
        };
        let member = member.map(|(name, value)| (name.get_ref().as_ref(), value.get_ref()));
        (member.is_some() || covers(section, value, at)).then(|| Place { section: section.get_ref(), member })
    })
}

fn covers<K, V>(name: &Spanned<K>, value: &Spanned<V>, at: usize) -> bool {
    name.span().contains(&at) || value.span().contains(&at)
}

/// What a key wants when the value is of another type, or a number that does not fit.
fn wanted(key: &Key, value: &DeValue<'_>) -> Option<String> {
    let example = if matches!(key.default, "" | "[]") { key.example } else { key.default };
    let is_text = |value: &DeValue<'_>| matches!(value, DeValue::String(_));
    let (fits, what) = match (example.as_bytes().first(), value) {
        (Some(b'"'), value) => (is_text(value), "a text in quotes"),
        (Some(b'['), DeValue::Array(items)) => {
            (items.iter().all(|item| is_text(item.get_ref())), "a list of texts in quotes")
        }
        (Some(b'['), _) => (false, "a list of texts in quotes"),
        (Some(b't' | b'f'), value) => (matches!(value, DeValue::Boolean(_)), "true or false"),
        _ => (false, "a whole number from 1 to 65535"),
    };
    (!fits).then(|| format!("{what}, such as {example}"))
}

/// An unknown name, with the nearest known one.
fn unknown(unknown: &str, section: Option<&str>) -> String {
    let (place, candidates): (String, Vec<&str>) = match section {
        Some(section) => {
            (format!(" in [{section}]"), KEYS.iter().filter(|key| key.section == section).map(|key| key.name).collect())
        }
        None => (String::new(), SECTIONS.iter().map(|(name, _)| *name).collect()),
    };
    let nearest = nearest(unknown, &candidates);
    let elsewhere = KEYS.iter().find(|key| key.name == unknown);
    match (nearest, elsewhere) {
        (Some(known), _) => format!("unknown key `{unknown}`{place}; did you mean `{known}`?"),
        (None, Some(key)) => format!("unknown key `{unknown}`{place}; it belongs to [{}]", key.section),
        (None, None) => format!("unknown key `{unknown}`{place}; known are {}", candidates.join(", ")),
    }
}

/// The known name that is most like this one, if any is.
pub(in crate::core) fn nearest<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    let best = known.iter().map(|known| (distance(name, known), *known)).min();
    best.filter(|(distance, known)| *distance <= 1 + known.len() / 3).map(|(_, known)| known)
}

/// The line of `section.key`, else of the section.
pub(super) fn line_of_key(text: &str, path: &str) -> Option<usize> {
    let (section, key) = path.split_once('.')?;
    let table = DeTable::parse(text).ok()?;
    let (name, value) = table.get_ref().iter().find(|(name, _)| name.get_ref() == section)?;
    let member = match value.get_ref() {
        DeValue::Table(members) => members.keys().find(|name| name.get_ref() == key),
        _ => None,
    };
    line_of(text, Some(member.map_or_else(|| name.span(), Spanned::span)))
}

pub(super) fn line_of(text: &str, span: Option<Range<usize>>) -> Option<usize> {
    Some(text.get(..span?.start)?.matches('\n').count() + 1)
}

/// Levenshtein distance.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let replaced = corner + usize::from(x != y);
            corner = row[j + 1];
            row[j + 1] = replaced.min(corner + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::distance;

    #[test]
    fn distances() {
        let pairs =
            [("kitten", "sitting"), ("", "abc"), ("abc", ""), ("ab", "b"), ("b", "ab"), ("mdoe", "mode"), ("x", "x")];
        assert_eq!(pairs.map(|(a, b)| distance(a, b)), [3, 3, 3, 1, 1, 2, 0]);
    }
}
