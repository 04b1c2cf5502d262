//! The `heartbeat` file: how those who may not open the control socket see whether the event loop still turns.

use crate::core::time::{MINUTE, Millis};

/// How often the event loop writes it.
pub const INTERVAL: Millis = 5 * MINUTE;
/// Older than this, it is stale: two missed writes and a minute.
pub const STALE_AFTER: Millis = 11 * MINUTE;

/// When the event loop last wrote the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heartbeat {
    /// The boot, as the kernel names it, without dashes.
    pub boot_id: String,
    /// `CLOCK_MONOTONIC` in seconds: it stands still while the machine is suspended, as the event loop does.
    pub monotonic: i64,
}

impl Heartbeat {
    /// The file's content.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{} {}\n", self.boot_id, self.monotonic)
    }

    /// Reads the file's content.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (boot_id, seconds) = text.trim_end().split_once(' ')?;
        Some(Self { boot_id: boot_id.to_owned(), monotonic: seconds.parse().ok()? })
    }

    /// Whether the event loop that wrote it has stopped turning, `now` being of the reader's own clock.
    #[must_use]
    pub fn is_stale(&self, now: &Self) -> bool {
        self.boot_id != now.boot_id || (now.monotonic - self.monotonic).saturating_mul(1_000) > STALE_AFTER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(boot_id: &str, monotonic: i64) -> Heartbeat {
        Heartbeat { boot_id: boot_id.to_owned(), monotonic }
    }

    #[test]
    fn it_is_read_as_it_was_written() {
        assert_eq!(at("0a1b", 17).text(), "0a1b 17\n");
        assert_eq!(Heartbeat::parse("0a1b 17\n"), Some(at("0a1b", 17)));
        for odd in ["", "0a1b", "0a1b x\n", "0a1b 1 2"] {
            assert_eq!(Heartbeat::parse(odd), None, "{odd}");
        }
    }

    #[test]
    fn eleven_minutes_and_another_boot_make_it_stale() {
        let written = at("a", 1_000);
        assert!(!written.is_stale(&at("a", 1_000 + 660)));
        assert!(written.is_stale(&at("a", 1_000 + 661)));
        assert!(written.is_stale(&at("b", 1_001)));
    }
}
