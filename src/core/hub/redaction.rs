//! Secrets that no message may repeat: some servers quote in an error what they were sent, and from there it would reach
//! logs, status and terminals.

use std::fmt;

use zeroize::Zeroizing;

use crate::core::text::one_line;

/// Stands in a secret's place.
const MARK: &str = "REDACTED";
/// What is shorter is part of many words, and no secret.
const SHORTEST: usize = 4;

/// What was sent with a request and must not come back in its messages. It cannot be printed itself.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Redaction(Vec<Zeroizing<String>>);

impl fmt::Debug for Redaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MARK)
    }
}

impl Redaction {
    /// Hides this one, too. A secret that is no text is in no text.
    pub fn hide(&mut self, secret: &[u8]) {
        if let Ok(text) = str::from_utf8(secret)
            && text.len() >= SHORTEST
        {
            // The longest first: what is part of another one is hidden with it.
            let at = self.0.partition_point(|secret| secret.len() > text.len());
            self.0.insert(at, Zeroizing::new(text.to_owned()));
        }
    }

    /// The text without the secrets.
    #[must_use]
    pub fn applied(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), MARK))
    }

    /// Foreign text for a message: one line, without the secrets.
    #[must_use]
    pub fn one_line(&self, text: &str) -> String {
        // Both ways round: neither may a cut secret be left, nor one that only stands there once it is one line.
        self.applied(&one_line(&self.applied(text)))
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
        let redaction = hiding(&["secret", "top-secret", "short77", ""]);
        assert_eq!(redaction.applied("top-secret"), "REDACTED");
        assert_eq!(redaction.applied("a top-secrettop-secret b, short77"), "a REDACTEDREDACTED b, REDACTED");
        assert_eq!(redaction.applied("top-secre"), "top-secre");
        assert_eq!(redaction.applied(""), "");
        let other_order = hiding(&["short77", "top-secret", "secret"]);
        assert_eq!(other_order.applied("a top-secrettop-secret b, short77"), "a REDACTEDREDACTED b, REDACTED");
        assert_eq!(hiding(&["xyl"]).applied("a xylophone"), "a xylophone");
        assert_eq!(hiding(&[]).applied("nothing to hide"), "nothing to hide");
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
