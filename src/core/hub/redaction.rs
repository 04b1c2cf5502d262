//! Secrets that no message may repeat: some servers quote in an error what they were sent, and from there it would reach
//! logs, status and terminals. They quote it escaped, encoded or cut off, too.

use std::collections::HashSet;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use crate::core::text::one_line;

/// Stands in a secret's place.
const MARK: &str = "REDACTED";
/// What is shorter is part of many words, and no secret.
const SHORTEST: usize = 4;
/// So much of a secret is one: servers cut off what they quote.
const PART: usize = 8;
/// How often text may have been escaped: a percent-encoded value within JSON within HTML.
const ESCAPES: usize = 3;

/// What was sent with a request and must not come back in its messages. It cannot be printed itself.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Redaction(Vec<Zeroizing<Vec<u8>>>);

impl fmt::Debug for Redaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MARK)
    }
}

impl Redaction {
    /// Hides this one, too, as it is and in base64. A secret that is no text is in no text.
    pub fn hide(&mut self, secret: &[u8]) {
        if secret.len() < SHORTEST || str::from_utf8(secret).is_err() {
            return;
        }
        self.0.push(Zeroizing::new(secret.to_vec()));
        // Within longer text it is encoded from its first, second or third byte on; the characters at both ends depend on
        // what stands there.
        for shift in 0..3 {
            let before = Zeroizing::new([&[0; 2][..shift], secret].concat());
            let whole = before.len() / 3 * 3;
            let skip = if shift == 0 { 0 } else { 3 };
            let Some(middle) = before.get(skip..whole).filter(|middle| middle.len() >= PART) else { continue };
            for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
                self.0.push(Zeroizing::new(engine.encode(middle).into_bytes()));
            }
        }
    }

    /// The text without the secrets.
    #[must_use]
    pub fn applied(&self, text: &str) -> String {
        if self.0.is_empty() {
            return text.to_owned();
        }
        let parts: HashSet<&[u8]> = self.0.iter().flat_map(|secret| secret.windows(PART)).collect();
        let short = || self.0.iter().filter(|secret| secret.len() < PART);
        let mut hidden = vec![false; text.len()];
        let mut view = View::of(text);
        for _ in 0..=ESCAPES {
            for at in 0..view.bytes.len() {
                if view.bytes.get(at..at + PART).is_some_and(|part| parts.contains(part)) {
                    view.hide(at, PART, &mut hidden);
                }
                for secret in short().filter(|secret| view.bytes[at..].starts_with(secret)) {
                    view.hide(at, secret.len(), &mut hidden);
                }
            }
            let Some(inner) = view.unescaped() else { break };
            view = inner;
        }
        let mut shown = String::with_capacity(text.len());
        let mut before = false;
        for (at, c) in text.char_indices() {
            let is_hidden = hidden[at..at + c.len_utf8()].contains(&true);
            match (is_hidden, before) {
                (false, _) => shown.push(c),
                (true, false) => shown.push_str(MARK),
                (true, true) => {}
            }
            before = is_hidden;
        }
        shown
    }

    /// Foreign text for a message: one line, without the secrets.
    #[must_use]
    pub fn one_line(&self, text: &str) -> String {
        // Both ways round: neither may a cut secret be left, nor one that only stands there once it is one line.
        self.applied(&one_line(&self.applied(text)))
    }
}

/// Text with its escapes replaced, and where in the original each byte comes from.
struct View {
    bytes: Vec<u8>,
    /// Begin and end.
    from: Vec<(usize, usize)>,
}

impl View {
    fn of(text: &str) -> Self {
        Self { bytes: text.as_bytes().to_vec(), from: (0..text.len()).map(|at| (at, at + 1)).collect() }
    }

    fn hide(&self, at: usize, count: usize, hidden: &mut [bool]) {
        for &(begin, end) in &self.from[at..at + count] {
            hidden[begin..end].fill(true);
        }
    }

    /// The same with one layer of escapes replaced; [`None`] where there is none.
    fn unescaped(&self) -> Option<Self> {
        let mut inner = Self { bytes: Vec::new(), from: Vec::new() };
        let mut at = 0;
        while let Some(&byte) = self.bytes.get(at) {
            let (meaning, length) = escape(&self.bytes[at..]).unwrap_or((Meaning::Byte(byte), 1));
            let place = (self.from[at].0, self.from[at + length - 1].1);
            let mut buffer = [0; 4];
            let bytes = match meaning {
                Meaning::Byte(byte) => {
                    buffer[0] = byte;
                    &buffer[..1]
                }
                Meaning::Char(c) => c.encode_utf8(&mut buffer).as_bytes(),
            };
            for &byte in bytes {
                inner.bytes.push(byte);
                inner.from.push(place);
            }
            at += length;
        }
        (inner.bytes.len() < self.bytes.len()).then_some(inner)
    }
}

enum Meaning {
    Byte(u8),
    Char(char),
}

/// What an escape at the start of these bytes stands for, and how long it is: percent-encoding, JSON's, and HTML's.
fn escape(bytes: &[u8]) -> Option<(Meaning, usize)> {
    let number = |digits: &[u8], radix| {
        let text = str::from_utf8(digits).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_alphanumeric()))?;
        u32::from_str_radix(text, radix).ok()
    };
    match *bytes {
        [b'%', high, low, ..] => Some((Meaning::Byte(u8::try_from(number(&[high, low], 16)?).ok()?), 3)),
        [b'\\', b'u', a, b, c, d, ..] => Some((Meaning::Char(char::from_u32(number(&[a, b, c, d], 16)?)?), 6)),
        [b'\\', c @ (b'"' | b'\'' | b'\\' | b'/'), ..] => Some((Meaning::Byte(c), 2)),
        [b'&', ..] => {
            let end = bytes.iter().take(10).position(|&byte| byte == b';')?;
            let meaning = match &bytes[1..end] {
                b"amp" => '&',
                b"lt" => '<',
                b"gt" => '>',
                b"quot" => '"',
                b"apos" => '\'',
                [b'#', b'x' | b'X', digits @ ..] => char::from_u32(number(digits, 16)?)?,
                [b'#', digits @ ..] => char::from_u32(number(digits, 10)?)?,
                _ => return None,
            };
            Some((Meaning::Char(meaning), end + 1))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hiding(secrets: &[&str]) -> Redaction {
        let mut redaction = Redaction::default();
        for secret in secrets {
            redaction.hide(secret.as_bytes());
        }
        redaction
    }

    #[test]
    fn secrets_are_cut_out_wherever_they_stand() {
        for secrets in [["secret", "top-secret", "short77", ""], ["short77", "", "top-secret", "secret"]] {
            let redaction = hiding(&secrets);
            assert_eq!(redaction.applied("top-secret"), "REDACTED");
            assert_eq!(redaction.applied("a top-secret, top-secret b, short77"), "a REDACTED, REDACTED b, REDACTED");
            assert_eq!(redaction.applied("top-secre"), "REDACTED");
            assert_eq!(redaction.applied("top-sec"), "top-sec");
            assert_eq!(redaction.applied(""), "");
        }
        assert_eq!(hiding(&["xyl"]).applied("a xylophone"), "a xylophone");
        assert_eq!(hiding(&[]).applied("nothing to hide"), "nothing to hide");
    }

    #[test]
    fn no_escape_hides_a_secret() {
        let secret = "p\u{e4}ss/w\"or<d>&'1";
        let redaction = hiding(&[secret]);
        for quoted in [
            "p%C3%A4ss%2Fw%22or%3Cd%3E%26%271",
            "p%c3%a4ss/w%22or<d>%26'1",
            r#"p\u00e4ss\/w\"or<d>&'1"#,
            "p\u{e4}ss/w&quot;or&lt;d&gt;&amp;&#39;1",
            "p&#228;ss/w&#34;or&#x3c;d&#x3E;&amp;&apos;1",
            "p%25C3%25A4ss%252Fw%2522or%253Cd%253E%2526%25271",
            r#"p\u00e4ss\/w\\\"or\u003cd\u003e\u0026'1"#,
            "w\"or<d>&'1",
            "p\u{e4}ss/w\"",
        ] {
            assert_eq!(redaction.applied(&format!("You sent {quoted}.")), "You sent REDACTED.", "{quoted}");
        }
        assert_eq!(redaction.applied("100 % of & and \\x; &#; %zz &amp;"), "100 % of & and \\x; &#; %zz &amp;");
    }

    #[test]
    fn nor_does_base64_at_whatever_offset() {
        let secret = "0123456789abcdef-KEY?>";
        let redaction = hiding(&[secret]);
        for before in ["", "u", "us", "user:", "a longer name:"] {
            let text = format!("{before}{secret}");
            for encoded in [STANDARD_NO_PAD.encode(&text), URL_SAFE_NO_PAD.encode(&text)] {
                let shown = redaction.applied(&encoded);
                assert!(shown.contains(MARK), "{encoded}");
                let left: usize = shown.split(MARK).map(str::len).sum();
                assert!(left <= before.len() * 4 / 3 + 8, "{encoded}: {shown}");
            }
        }
    }

    #[test]
    fn no_part_of_a_long_one_is_left_by_the_cut() {
        let secret = "s".repeat(40);
        let text = format!("{}{secret}", "x".repeat(280));
        assert!(!hiding(&[&secret]).one_line(&text).contains("ss"));
        assert_eq!(hiding(&["top secret"]).one_line("a top\nsecret"), "a REDACTED");
    }

    #[test]
    fn it_cannot_be_printed() {
        assert_eq!(format!("{:?}", hiding(&["top-secret"])), "REDACTED");
    }
}
