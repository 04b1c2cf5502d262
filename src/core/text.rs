//! Text that others wrote, made fit for a message: licenses, hubs and relays choose names that end in logs and terminals.

use serde::Serialize;
use serde_json::Value;

/// What some editors put before a text (UTF-8).
pub const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A text file that a person wrote, without the byte order mark. CR LF needs nothing: all readers of lines here end them at
/// either.
#[must_use]
pub fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text)
}

/// Longest foreign text in a message, in characters.
const LONGEST: usize = 300;
/// Most entries of a foreign list in a message.
const MOST: usize = 16;

/// One line of bounded length, without control characters and without those that reorder the text around them.
#[must_use]
pub fn one_line(text: &str) -> String {
    let clean: String = text.chars().take(LONGEST).map(|c| if is_hostile(c) { ' ' } else { c }).collect();
    clean.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Text whose other characters all matter, without those that act on a terminal.
#[must_use]
pub fn clean(text: &str) -> String {
    text.chars().filter(|c| !is_hostile(*c)).collect()
}

/// The same of several lines.
#[must_use]
pub fn clean_lines(text: &str) -> String {
    text.chars().filter(|c| matches!(c, '\n' | '\t') || !is_hostile(*c)).collect()
}

/// A screen as it may go to a terminal: without what acts on one, except for these sequences, which are our own colors.
#[must_use]
pub fn clean_screen(text: &str, own: &[&str]) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if let Some(sequence) = own.iter().find(|sequence| rest.starts_with(**sequence)) {
            clean.push_str(sequence);
            rest = &rest[sequence.len()..];
            continue;
        }
        if matches!(first, '\n' | '\t') || !is_hostile(first) {
            clean.push(first);
        }
        rest = &rest[first.len_utf8()..];
    }
    clean
}

/// JSON text with those characters escaped that JSON (RFC 8259) allows in strings and that act on a terminal. The
/// document stays the same: other characters than ASCII stand in strings only.
#[must_use]
pub fn clean_json(text: &str) -> String {
    let escaped =
        |c: char| if c.is_ascii() || !is_hostile(c) { c.to_string() } else { format!("\\u{:04x}", u32::from(c)) };
    text.chars().map(escaped).collect()
}

/// A value as JSON text on several lines, safe for a terminal.
#[must_use]
pub fn pretty_json(value: &impl Serialize) -> String {
    // Plain structures of text and numbers always serialize.
    clean_json(&serde_json::to_string_pretty(value).unwrap_or_default())
}

/// The same on one line.
#[must_use]
pub fn json(value: &impl Serialize) -> String {
    clean_json(&serde_json::to_string(value).unwrap_or_default())
}

/// Cleans every text in a document that another process wrote, member names included.
pub fn clean_value(value: &mut Value) {
    match value {
        Value::String(text) => *text = clean(text),
        Value::Array(items) => items.iter_mut().for_each(clean_value),
        Value::Object(members) => {
            *members = std::mem::take(members)
                .into_iter()
                .map(|(name, mut value)| {
                    clean_value(&mut value);
                    (clean(&name), value)
                })
                .collect();
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Names in one line, separated by commas; very many are counted instead.
#[must_use]
pub fn list(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().take(MOST).map(|name| one_line(name)).collect();
    match names.len().saturating_sub(MOST) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// Control characters (C0 and C1), Unicode's line ends, and its controls of direction (UAX #9).
fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from(if value < 10 { b'0' + value } else { b'a' + value - 10 });
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// A sentence without its full stop, to be followed by more.
#[must_use]
pub fn clause(sentence: &str) -> &str {
    sentence.trim_end_matches(['.', ' '])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_it_acts_on_a_terminal() {
        assert_eq!(one_line(" a\u{1b}[31m\r\n\tb\u{9b}c\u{2028}d\u{202e}e "), "a [31m b c d e");
        let hostile = "a\u{1b}[31m\r\n\u{9b}b\u{2028}\u{2029}\u{202e}\u{2066}\u{61c}c";
        assert_eq!((clean(hostile).as_str(), clean_lines(hostile).as_str()), ("a[31mbc", "a[31m\nbc"));
        assert_eq!(one_line("Qu\u{e9}bec \u{1f600}"), "Qu\u{e9}bec \u{1f600}");
        assert_eq!(one_line(&"x".repeat(1_000)).len(), LONGEST);
    }

    #[test]
    fn a_screen_keeps_its_own_colors_and_no_other_sequence() {
        let own = ["\u{1b}[31m", "\u{1b}[0m"];
        let screen = "\u{1b}[31mbad\u{1b}[0m\u{1b}[8m\u{9b}2J\u{202e}\r\n\tok";
        assert_eq!(clean_screen(screen, &own), "\u{1b}[31mbad\u{1b}[0m[8m2J\n\tok");
        assert_eq!(clean_screen(screen, &[]), "[31mbad[0m[8m2J\n\tok");
    }

    #[test]
    fn json_stays_the_same_document_without_acting_on_a_terminal() {
        let text = "a\u{1b}\u{9b}2J\u{202e}\u{2028}\u{e9}\u{1f600}\"";
        let written = json(&text);
        assert_eq!(written, "\"a\\u001b\\u009b2J\\u202e\\u2028\u{e9}\u{1f600}\\\"\"");
        assert_eq!(serde_json::from_str::<String>(&written).expect("JSON"), text);
        assert_eq!(pretty_json(&[text]), format!("[\n  {written}\n]"));
    }

    #[test]
    fn every_text_of_a_document_is_cleaned() {
        let mut value = serde_json::json!({ "a\u{9b}": ["x\u{1b}y", { "b": "\n\u{202e}z" }], "n": 1 });
        clean_value(&mut value);
        assert_eq!(value, serde_json::json!({ "a": ["xy", { "b": "z" }], "n": 1 }));
    }

    #[test]
    fn long_lists_are_counted() {
        let names = |count: usize| vec!["a\n".to_owned(); count];
        assert_eq!(list(&names(2)), "a, a");
        assert!(list(&names(20)).ends_with("a and 4 more"));
    }
}
