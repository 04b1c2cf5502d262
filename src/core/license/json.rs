//! Strict JSON for signed documents.
//!
//! Two readers must never see two documents in the same signed bytes. The grammar is `serde_json`'s; what it lets
//! pass and other readers treat differently is refused here: duplicate members (after unescaping), numbers outside
//! I-JSON (RFC 7493), NUL, deep nesting, size.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::core::text::one_line;

/// Largest document, in bytes.
pub const MAX_BYTES: usize = 64 * 1024;
/// Deepest nesting; the outermost object is level 1.
pub const MAX_DEPTH: usize = 32;
/// Largest integer that every reader represents exactly: 2^53 - 1.
const MAX_INTEGER: u64 = 9_007_199_254_740_991;

/// Why a document is not acceptable JSON, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonError {
    /// What is wrong, in a few words.
    pub reason: String,
    /// Line and column (both from 1; the column counts bytes) where there is one.
    pub position: Option<(usize, usize)>,
}

impl JsonError {
    fn at(reason: impl Into<String>, bytes: &[u8], offset: usize) -> Self {
        let before = &bytes[..offset.min(bytes.len())];
        let line = before.split(|&b| b == b'\n').count();
        let column = before.iter().rev().take_while(|&&b| b != b'\n').count() + 1;
        Self { reason: reason.into(), position: Some((line, column)) }
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)?;
        if let Some((line, column)) = self.position {
            write!(f, " (line {line}, column {column})")?;
        }
        Ok(())
    }
}

impl std::error::Error for JsonError {}

/// Parses one JSON object under the rules above. Time and memory are bounded by [`MAX_BYTES`].
pub fn parse_object(bytes: &[u8]) -> Result<Map<String, Value>, JsonError> {
    if bytes.len() > MAX_BYTES {
        let reason = format!("larger than the {MAX_BYTES} bytes that a license may have");
        return Err(JsonError { reason, position: None });
    }
    if bytes.starts_with(b"\xef\xbb\xbf") {
        return Err(JsonError::at("starts with a byte order mark", bytes, 0));
    }
    if let Err(error) = std::str::from_utf8(bytes) {
        return Err(JsonError::at("not valid UTF-8", bytes, error.valid_up_to()));
    }
    check_tokens(bytes)?;
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Strict.deserialize(&mut reader).and_then(|value| reader.end().map(|()| value)).map_err(|error| {
        let text = error.to_string();
        // A member's name may look like a position, so only the end is one.
        let suffix = format!(" at line {} column {}", error.line(), error.column());
        let reason = text.strip_suffix(&suffix).unwrap_or(&text).to_owned();
        JsonError { reason, position: Some((error.line().max(1), error.column().max(1))) }
    })?;
    match value {
        Value::Object(members) => Ok(members),
        other => Err(JsonError::at(format!("a JSON {} instead of an object", kind(&other)), bytes, 0)),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// One pass over the bytes: nesting before any recursion, and numbers while their spelling can still be seen.
fn check_tokens(bytes: &[u8]) -> Result<(), JsonError> {
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => at = end_of_string(bytes, at),
            b'{' | b'[' => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Err(JsonError::at(format!("nested deeper than {MAX_DEPTH} levels"), bytes, at));
                }
                at += 1;
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                at += 1;
            }
            b'-' | b'0'..=b'9' => {
                let length = bytes[at..]
                    .iter()
                    .take_while(|b| matches!(b, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'))
                    .count();
                check_number(&bytes[at..at + length]).map_err(|reason| JsonError::at(reason, bytes, at))?;
                at += length;
            }
            _ => at += 1,
        }
    }
    Ok(())
}

/// The offset behind the closing quote, or the end of the input.
fn end_of_string(bytes: &[u8], open: usize) -> usize {
    let mut at = open + 1;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn check_number(token: &[u8]) -> Result<(), String> {
    // Numbers are ASCII by construction; the grammar itself is checked by the parser.
    let text = String::from_utf8_lossy(token);
    if text.contains(['.', 'e', 'E']) {
        return match text.parse::<f64>() {
            Ok(number) if !number.is_finite() => {
                Err(format!("the number {} is outside the range of a double", one_line(&text)))
            }
            _ => Ok(()),
        };
    }
    let digits = text.trim_start_matches('-');
    match digits.parse::<u64>() {
        Ok(number) if number <= MAX_INTEGER => Ok(()),
        _ if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) => Ok(()),
        _ => Err(format!("the integer {} is outside ±(2^53-1), so readers would disagree on it", one_line(&text))),
    }
}

/// Builds a value and refuses duplicate members and NUL.
struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

fn no_nul<E: serde::de::Error>(text: &str) -> Result<(), E> {
    if text.contains('\0') { Err(E::custom("a string holds NUL, where some readers would stop")) } else { Ok(()) }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number outside the range of a double"))
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Value, E> {
        no_nul(value)?;
        Ok(Value::String(value.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = seq.next_element_seed(Strict)? {
            elements.push(element);
        }
        Ok(Value::Array(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut seen = BTreeSet::new();
        let mut members = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            no_nul(&name)?;
            if !seen.insert(name.clone()) {
                return Err(serde::de::Error::custom(format!("the member `{}` appears twice", one_line(&name))));
            }
            members.insert(name, map.next_value_seed(Strict)?);
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &[u8], expected: &str) {
        match parse_object(text) {
            Ok(_) => unreachable!("{:?} was accepted", String::from_utf8_lossy(text)),
            Err(error) => assert!(error.to_string().contains(expected), "{error}"),
        }
    }

    #[test]
    fn duplicates_at_any_depth_and_through_escapes() {
        refused(br#"{"a":1,"a":2}"#, "`a` appears twice (line 1, column");
        refused(br#"{"serial":"x","seri\u0061l":"y"}"#, "`serial` appears twice");
        refused(br#"{"a":[{"b":{"c":1,"c":1}}]}"#, "`c` appears twice");
    }

    #[test]
    fn encodings() {
        refused(b"\xef\xbb\xbf{}", "byte order mark (line 1, column 1)");
        refused(b"{\"a\":\"\xff\"}", "not valid UTF-8 (line 1, column 7)");
        refused(br#"{"a":"\ud800"}"#, "hex escape");
        refused(br#"{"a":"\ud800\u0041"}"#, "surrogate");
        refused(br#"{"a":"\udc00\ud800"}"#, "(line 1, column");
        refused(b"{\"a\":\"\0\"}", "control character");
        refused(b"{}\0", "trailing characters");
        refused(br#"{"a":"\u0000"}"#, "NUL");
        refused(br#"{"\u0000":1}"#, "NUL");
        refused(b"{}{}", "trailing characters");
        refused(b"", "EOF");
        refused(b"[]", "a JSON array instead of an object");
        refused(b"<html>", "expected value (line 1, column 1)");
        refused(b"{\n  \"a\": 1,\n}", "(line 3, column 1)");
    }

    #[test]
    fn numbers() {
        for good in ["0", "-0", "1.5", "1e21", "9007199254740991", "-9007199254740991", "1e308", "5e-324", "0.1e-400"] {
            assert!(parse_object(format!("{{\"n\":{good}}}").as_bytes()).is_ok(), "{good}");
        }
        for bad in [
            "9007199254740992",
            "-9007199254740992",
            "18446744073709551616",
            "1e309",
            "-1e999",
            "123456789012345678901234567890",
        ] {
            assert!(parse_object(format!("{{\"n\":{bad}}}").as_bytes()).is_err(), "{bad}");
        }
        for grammar in ["01", "+1", "1.", ".5", "1e", "--1", "-", "NaN", "Infinity", "0x10"] {
            assert!(parse_object(format!("{{\"n\":{grammar}}}").as_bytes()).is_err(), "{grammar}");
        }
        assert!(parse_object(br#"{"s":"9007199254740992 and 1e999"}"#).is_ok(), "digits in strings are text");
        assert!(parse_object(br#"{"s":"\"9007199254740992"}"#).is_ok());
    }

    #[test]
    fn bounds() {
        let nested = |depth: usize| format!("{}{{}}{}", "{\"a\":".repeat(depth - 1), "}".repeat(depth - 1));
        assert!(parse_object(nested(32).as_bytes()).is_ok());
        refused(nested(33).as_bytes(), "nested deeper than 32 levels");
        refused(&vec![b'['; 60_000], "nested deeper");
        // Brackets in strings do not count, and an escape hides one character.
        let name = r#"{"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[":1,"a":"#;
        assert!(parse_object(format!("{name}1}}").as_bytes()).is_ok());
        refused(format!("{name}{}}}", nested(32)).as_bytes(), "nested deeper");
        refused(&vec![b' '; 10 * 1024 * 1024], "larger than");
        let mut full = b"{}".to_vec();
        full.resize(MAX_BYTES, b' ');
        assert!(parse_object(&full).is_ok());
        full.push(b' ');
        refused(&full, "larger than");
    }
}
