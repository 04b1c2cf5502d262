//! A list of any length in bounded memory: its answer is read entry by entry, and only the entries that are wanted stay.

use std::cell::Cell;
use std::fmt;
use std::io::{self, Read};

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::core::license::json::MAX_BYTES;

/// Members that may wrap the array of licenses once more, see [`crate::core::hub::list`].
pub(in crate::core::hub) const WRAPPERS: [&str; 3] = ["licenses", "data", "items"];
/// Longest entry, and longest rest of the answer, in bytes.
const LONGEST: usize = 2 * MAX_BYTES;

/// Decides whether an entry stays in the answer. It sees each one as received, in order.
pub type Keep<'k> = dyn FnMut(&str) -> bool + 'k;

/// What is left of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reduced {
    /// The answer as received, white space aside, with the entries that stay.
    pub body: Vec<u8>,
    /// How many entries there were.
    pub entries: usize,
}

/// Why an answer cannot be read as one with a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unread {
    /// It is no JSON object, or it ends too early.
    OtherThing,
    /// One entry, or what stands beside the list, is longer than any license.
    EntryTooLong,
    /// It has more entries than are looked at.
    TooMany,
    /// More was to be kept than there is room for.
    KeptTooMuch,
}

/// Reads an answer to its end. `most` bounds the entries, `room` the bytes of those that stay.
pub fn reduce(source: impl Read, most: usize, room: usize, keep: &mut Keep<'_>) -> Result<Reduced, Unread> {
    let (since, stop) = (Cell::new(0), Cell::new(None));
    let source = io::BufReader::with_capacity(16 * 1024, Bounded { source, since: &since, stop: &stop });
    let mut input = serde_json::Deserializer::from_reader(source);
    let mut state = State { out: String::new(), entries: 0, most, room, keep, since: &since, stop: &stop };
    let read = Value { state: &mut state, depth: 0 }.deserialize(&mut input).and_then(|()| input.end());
    let State { out, entries, .. } = state;
    match (read, stop.get()) {
        (Ok(()), _) => Ok(Reduced { body: out.into_bytes(), entries }),
        (Err(_), Some(why)) => Err(why),
        (Err(_), None) => Err(Unread::OtherThing),
    }
}

/// Ends where one part of the answer is longer than any may be: the JSON reader holds a part as a whole.
struct Bounded<'s, R> {
    source: R,
    since: &'s Cell<usize>,
    stop: &'s Cell<Option<Unread>>,
}

impl<R: Read> Read for Bounded<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.since.get() > LONGEST {
            self.stop.set(Some(Unread::EntryTooLong));
            return Err(io::ErrorKind::InvalidData.into());
        }
        let count = self.source.read(buffer)?;
        self.since.set(self.since.get() + count);
        Ok(count)
    }
}

struct State<'s, 'k> {
    out: String,
    entries: usize,
    most: usize,
    room: usize,
    keep: &'s mut Keep<'k>,
    since: &'s Cell<usize>,
    stop: &'s Cell<Option<Unread>>,
}

impl State<'_, '_> {
    fn stopped<E: serde::de::Error>(&self, why: Unread) -> E {
        self.stop.set(Some(why));
        E::custom("no further")
    }
}

/// A value: at depth 0 the answer, at depth 1 its `data`, at depth 2 what `data` may wrap.
struct Value<'v, 's, 'k> {
    state: &'v mut State<'s, 'k>,
    depth: u8,
}

impl<'de> DeserializeSeed<'de> for Value<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        input.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an answer with a list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let state = self.state;
        let mut before = '{';
        while let Some(name) = members.next_key::<String>()? {
            state.out.push(before);
            before = ',';
            state.out.push_str(&serde_json::to_string(&name).map_err(A::Error::custom)?);
            state.out.push(':');
            let may_be_list =
                (self.depth == 0 && name == "data") || (self.depth == 1 && WRAPPERS.contains(&name.as_str()));
            if may_be_list {
                members.next_value_seed(Value { state, depth: self.depth + 1 })?;
            } else {
                state.out.push_str(members.next_value::<Box<RawValue>>()?.get());
            }
        }
        state.out.push_str(if before == '{' { "{}" } else { "}" });
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        if self.depth == 0 {
            return Err(A::Error::custom("no envelope"));
        }
        let state = self.state;
        state.out.push('[');
        let before = state.out.len();
        while let Some(entry) = entries.next_element::<Box<RawValue>>()? {
            state.since.set(0);
            state.entries += 1;
            if state.entries > state.most {
                return Err(state.stopped(Unread::TooMany));
            }
            if (state.keep)(entry.get()) {
                if state.out.len() + entry.get().len() > state.room {
                    return Err(state.stopped(Unread::KeptTooMuch));
                }
                if state.out.len() > before {
                    state.out.push(',');
                }
                state.out.push_str(entry.get());
            }
        }
        state.out.push(']');
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.state.out.push_str("null");
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.state.out.push_str(if value { "true" } else { "false" });
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.state.out.push_str(&value.to_string());
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.state.out.push_str(&value.to_string());
        Ok(())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<(), E> {
        self.state.out.push_str(&serde_json::to_string(&value).map_err(E::custom)?);
        Ok(())
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<(), E> {
        self.state.out.push_str(&serde_json::to_string(value).map_err(E::custom)?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(body: &str, keep: impl Fn(&str) -> bool) -> Result<(String, usize), Unread> {
        let mut keep = |entry: &str| keep(entry);
        let reduced = reduce(body.as_bytes(), 1_000, 100_000, &mut keep)?;
        Ok((String::from_utf8(reduced.body).expect("text"), reduced.entries))
    }

    #[test]
    fn only_the_entries_go() {
        for (body, expected) in [
            (r#"{"status_code":0,"data":[ {"a": 1.0},{"b":2} ,3]}"#, r#"{"status_code":0,"data":[{"b":2}]}"#),
            (
                r#"{"data":{"x":[1, 2],"licenses":[{"a":1},{"b":2}],"page":1},"meta":{"total":2}}"#,
                r#"{"data":{"x":[1, 2],"licenses":[{"b":2}],"page":1},"meta":{"total":2}}"#,
            ),
            (r#"{"data":null}"#, r#"{"data":null}"#),
            (r#"{"data":{"data":{}},"\u0064ata":"\u00e9"}"#, "{\"data\":{\"data\":{}},\"data\":\"é\"}"),
            (r#"{"data":-5,"a":1.50,"data":true}"#, r#"{"data":-5,"a":1.50,"data":true}"#),
            ("{}", "{}"),
        ] {
            let (body, entries) = kept(body, |entry| entry.contains("\"b\"")).expect("read");
            assert_eq!(body, expected);
            let listed = expected.contains("\"b\"");
            assert_eq!(entries > 0, listed, "{expected}");
        }
        assert_eq!(kept(r#"{"data":[1,2,3]}"#, |_| false), Ok((r#"{"data":[]}"#.to_owned(), 3)));
    }

    #[test]
    fn what_is_no_answer_with_a_list_is_none() {
        for body in ["", "<html>", "[1]", r#"{"data":[1,2"#, r#"{"data":[1 2]}"#, r#"{"data":[]}x"#] {
            assert_eq!(kept(body, |_| true), Err(Unread::OtherThing), "{body}");
        }
    }

    #[test]
    fn nothing_grows_without_end() {
        let entry = format!("{{\"a\":\"{}\"}}", "x".repeat(1_000));
        let many = |count: usize| format!("{{\"data\":[{}]}}", vec![entry.as_str(); count].join(","));
        assert_eq!(kept(&many(1_001), |_| false), Err(Unread::TooMany));
        assert_eq!(kept(&many(101), |_| true), Err(Unread::KeptTooMuch));
        assert_eq!(kept(&many(1_000), |_| false).map(|(_, entries)| entries), Ok(1_000));
        let long = format!("{{\"data\":[\"{}\"]}}", "x".repeat(LONGEST + 40_000));
        assert_eq!(kept(&long, |_| false), Err(Unread::EntryTooLong));
        let beside = format!("{{\"data\":[],\"x\":\"{}\"}}", "x".repeat(LONGEST + 40_000));
        assert_eq!(kept(&beside, |_| false), Err(Unread::EntryTooLong));
    }
}
