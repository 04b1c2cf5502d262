//! The terminal, and the status file as readers see it.

use std::io::{IsTerminal, Write};
use std::path::Path;

use crate::core::report::screen::Paint;
use crate::core::report::status::Status;
use crate::core::text::clean_value;
use crate::core::time::{BootTime, SECOND};

/// Largest status file in bytes.
const MAX: usize = 1024 * 1024;

/// Colors on a terminal, unless `NO_COLOR` says otherwise (no-color.org).
#[must_use]
pub fn paint() -> Paint {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    Paint(std::io::stdout().is_terminal() && !refused)
}

/// Says on a terminal what a command waits for. Programs that read standard error are told of the outcome only.
pub fn say(words: &str) {
    let mut error = std::io::stderr();
    if error.is_terminal() {
        // The outcome is said again, with an exit code.
        let _ = writeln!(error, "netify-licensed: {words}");
    }
}

/// Says at once what a person should know before something is sent.
pub fn warn(words: &str) {
    // A closed standard error stops nothing.
    let _ = writeln!(std::io::stderr(), "netify-licensed: warning: {words}");
}

/// A count on a terminal, for what takes longer than a second.
#[derive(Debug, Default)]
pub struct Progress {
    /// When it began, and when it was last shown.
    times: Option<(BootTime, BootTime)>,
    is_shown: bool,
}

impl Progress {
    /// Shows how far it is, a few times a second.
    pub fn at(&mut self, words: impl FnOnce() -> String) {
        let now = crate::edge::clock::now().boot;
        let (begin, last) = *self.times.get_or_insert((now, now));
        let mut error = std::io::stderr();
        if now.since(begin) < SECOND || now.since(last) < SECOND / 4 || !error.is_terminal() {
            return;
        }
        self.times = Some((begin, now));
        self.is_shown = true;
        let _ = write!(error, "\r{}\u{1b}[K", words());
        let _ = error.flush();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.is_shown {
            let _ = write!(std::io::stderr(), "\r\u{1b}[K");
        }
    }
}

/// What a daemon last published.
#[must_use]
pub fn read_status(path: &Path) -> Option<Status> {
    let text = crate::edge::file::open::read_own(path, MAX).ok()?;
    let mut document = serde_json::from_slice(&text).ok()?;
    // Whoever has taken the daemon over writes this file.
    clean_value(&mut document);
    serde_json::from_value(document).ok()
}
