//! The journal's native protocol (<https://systemd.io/JOURNAL_NATIVE_PROTOCOL/>): one datagram an entry, one field a line.
//!
//! tracing-journald writes to its socket itself and waits while the journal is stuck, so the entry is encoded here and
//! written by the log's own thread.

use std::fmt::{Debug, Write as _};
use std::io::Write as _;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_appender::non_blocking::NonBlocking;
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// Where the journal listens.
pub(super) const SOCKET: &str = "/run/systemd/journal/socket";
/// The program's name in the journal.
const IDENTIFIER: &str = "netify-licensed";
/// Longest value in bytes. An entry is far below the limit of a datagram, which the system's administrator sets.
const LONGEST: usize = 16 * 1024;

/// Hands each event to the log's thread as an entry.
#[derive(Debug)]
pub(super) struct Journal(pub(super) NonBlocking);

impl<S: Subscriber> Layer<S> for Journal {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let meta = event.metadata();
        let mut entry = Entry::new(*meta.level());
        entry.field("TARGET", meta.target());
        event.record(&mut entry);
        // A full buffer counts what it drops.
        let _ = self.0.clone().write_all(&entry.bytes);
    }
}

/// An entry under construction.
#[derive(Debug)]
pub(super) struct Entry {
    bytes: Vec<u8>,
}

impl Entry {
    fn new(level: Level) -> Self {
        let mut entry = Self { bytes: Vec::with_capacity(512) };
        entry.field("PRIORITY", priority(level));
        entry.field("SYSLOG_IDENTIFIER", IDENTIFIER);
        entry
    }

    /// An entry of a message alone.
    pub(super) fn message(level: Level, text: &str) -> Vec<u8> {
        let mut entry = Self::new(level);
        entry.field("MESSAGE", text);
        entry.bytes
    }

    fn field(&mut self, name: &str, value: &str) {
        let mut end = value.len().min(LONGEST);
        while !value.is_char_boundary(end) {
            end -= 1;
        }
        let value = &value[..end];
        self.bytes.extend_from_slice(name.as_bytes());
        if value.contains('\n') {
            // A value of several lines has its length before it.
            self.bytes.push(b'\n');
            self.bytes.extend_from_slice(&(value.len() as u64).to_le_bytes());
        } else {
            self.bytes.push(b'=');
        }
        self.bytes.extend_from_slice(value.as_bytes());
        self.bytes.push(b'\n');
    }
}

impl Visit for Entry {
    fn record_str(&mut self, field: &Field, value: &str) {
        // Names in the journal have capital letters, digits and underscores.
        let name: String = field
            .name()
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' })
            .collect();
        self.field(&name, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let mut text = String::new();
        // Writing into a String cannot fail.
        let _ = write!(text, "{value:?}");
        self.record_str(field, &text);
    }
}

/// The priorities of syslog(3).
const fn priority(level: Level) -> &'static str {
    match level {
        Level::ERROR => "3",
        Level::WARN => "4",
        Level::INFO => "6",
        _ => "7",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_of_several_lines_has_its_length_before_it() {
        let entry = Entry::message(Level::WARN, "one\ntwo");
        let expected = b"PRIORITY=4\nSYSLOG_IDENTIFIER=netify-licensed\nMESSAGE\n\x07\0\0\0\0\0\0\0one\ntwo\n";
        assert_eq!(entry, expected);
        let long = Entry::message(Level::INFO, &"\u{e4}".repeat(LONGEST));
        assert!(long.len() < LONGEST + 100, "{}", long.len());
    }
}
