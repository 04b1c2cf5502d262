//! The terminal, and the status file as readers see it.

use std::io::{IsTerminal, Write};
use std::path::Path;

use crate::core::report::screen::Paint;
use crate::core::report::status::Status;
use crate::core::text::clean_value;

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

/// What a daemon last published.
#[must_use]
pub fn read_status(path: &Path) -> Option<Status> {
    let text = crate::edge::file::open::read_own(path, MAX).ok()?;
    let mut document = serde_json::from_slice(&text).ok()?;
    // Whoever has taken the daemon over writes this file.
    clean_value(&mut document);
    serde_json::from_value(document).ok()
}
