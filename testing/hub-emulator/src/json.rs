//! JSON objects that keep the order of their members, and the styles in which servers write them.
//!
//! The order and the white space matter: a client must install the very bytes it received, so the emulator must be able
//! to send bytes that no canonicalizer or re-serializer would produce.

use std::io::{self, Write};

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter};

/// How a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BodyStyle {
    /// No white space, UTF-8 as it is.
    #[default]
    Compact,
    /// Indented by four blanks, as in the vendor's examples.
    Pretty,
    /// Compact, with `\/` for slashes and `\uXXXX` for everything outside ASCII, as PHP's `json_encode` writes.
    Escaped,
    /// Both: indented and escaped.
    PrettyEscaped,
}

impl BodyStyle {
    /// Writes any value in this style.
    #[must_use]
    pub fn write<T: Serialize>(self, value: &T) -> String {
        let mut out = Vec::with_capacity(512);
        let indented = || PrettyFormatter::with_indent(b"    ");
        // Writing to memory a value without exotic map keys cannot fail.
        let _ = match self {
            Self::Compact => value.serialize(&mut serde_json::Serializer::new(&mut out)),
            Self::Pretty => value.serialize(&mut serde_json::Serializer::with_formatter(&mut out, indented())),
            Self::Escaped => {
                let style = Escaping { inner: CompactFormatter };
                value.serialize(&mut serde_json::Serializer::with_formatter(&mut out, style))
            }
            Self::PrettyEscaped => {
                let style = Escaping { inner: indented() };
                value.serialize(&mut serde_json::Serializer::with_formatter(&mut out, style))
            }
        };
        String::from_utf8(out).unwrap_or_default()
    }
}

/// Adds the escapes to another formatter.
struct Escaping<F> {
    inner: F,
}

impl<F: Formatter> Formatter for Escaping<F> {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut units = [0_u16; 2];
        for c in fragment.chars() {
            match c {
                '/' => writer.write_all(b"\\/")?,
                c if c.is_ascii() => writer.write_all(&[c as u8])?,
                c => {
                    for unit in c.encode_utf16(&mut units) {
                        write!(writer, "\\u{unit:04x}")?;
                    }
                }
            }
        }
        Ok(())
    }

    fn begin_array<W: ?Sized + Write>(&mut self, w: &mut W) -> io::Result<()> {
        self.inner.begin_array(w)
    }
    fn end_array<W: ?Sized + Write>(&mut self, w: &mut W) -> io::Result<()> {
        self.inner.end_array(w)
    }
    fn begin_array_value<W: ?Sized + Write>(&mut self, w: &mut W, first: bool) -> io::Result<()> {
        self.inner.begin_array_value(w, first)
    }
    fn end_array_value<W: ?Sized + Write>(&mut self, w: &mut W) -> io::Result<()> {
        self.inner.end_array_value(w)
    }
    fn begin_object<W: ?Sized + Write>(&mut self, w: &mut W) -> io::Result<()> {
        self.inner.begin_object(w)
    }
    fn end_object<W: ?Sized + Write>(&mut self, w: &mut W) -> io::Result<()> {
        self.inner.end_object(w)
    }
    fn begin_object_key<W: ?Sized + Write>(&mut self, w: &mut W, first: bool) -> io::Result<()> {
        self.inner.begin_object_key(w, first)
    }
    fn begin_object_value<W: ?Sized + Write>(&mut self, w: &mut W) -> io::Result<()> {
        self.inner.begin_object_value(w)
    }
    fn end_object_value<W: ?Sized + Write>(&mut self, w: &mut W) -> io::Result<()> {
        self.inner.end_object_value(w)
    }
}

/// A JSON object whose members stay in the order in which they were set.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Document {
    members: Vec<(String, Value)>,
}

impl Document {
    /// An object without members.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a member in place, or appends it.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        let value = value.into();
        match self.members.iter_mut().find(|(known, _)| known == name) {
            Some(member) => member.1 = value,
            None => self.members.push((name.to_owned(), value)),
        }
    }

    /// Takes a member out.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        let at = self.members.iter().position(|(known, _)| known == name)?;
        Some(self.members.remove(at).1)
    }

    /// A member's value.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.members.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// A copy without order, for comparing and canonicalizing.
    #[must_use]
    pub fn to_value(&self) -> Value {
        Value::Object(self.members.iter().cloned().collect())
    }

    /// The text in the given style.
    #[must_use]
    pub fn to_json(&self, style: BodyStyle) -> String {
        style.write(self)
    }
}

impl Serialize for Document {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.members.len()))?;
        for (name, value) in &self.members {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Document {
        let mut document = Document::new();
        document.set("z", "Café/\u{1F600}\n\"");
        document.set("a", serde_json::json!([1, {"b": null}]));
        document
    }

    #[test]
    fn order_is_kept_and_replacing_does_not_move() {
        let mut document = sample();
        document.set("z", 1);
        assert_eq!(document.to_json(BodyStyle::Compact), r#"{"z":1,"a":[1,{"b":null}]}"#);
        assert_eq!(document.remove("z"), Some(Value::from(1)));
        assert_eq!(document.get("z"), None);
    }

    #[test]
    fn every_style_reads_back_as_the_same_value() {
        for style in [BodyStyle::Compact, BodyStyle::Pretty, BodyStyle::Escaped, BodyStyle::PrettyEscaped] {
            let text = sample().to_json(style);
            let back: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(back, sample().to_value(), "{text}");
        }
    }

    #[test]
    fn escaping_leaves_only_ascii_and_no_bare_slash() {
        let text = sample().to_json(BodyStyle::Escaped);
        assert!(text.contains(r#""Caf\u00e9\/\ud83d\ude00\n\"""#), "{text}");
        let pretty = sample().to_json(BodyStyle::PrettyEscaped);
        assert!(pretty.contains("{\n    \"z\": \"Caf\\u00e9"), "{pretty}");
    }
}
