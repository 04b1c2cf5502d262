//! The `heartbeat` file in the runtime directory: written by the event loop, read by `check` and `status --alive`.

use std::path::{Path, PathBuf};

use crate::core::report::heartbeat::Heartbeat;
use crate::edge::clock;
use crate::edge::file::{open, state};

/// Largest file in bytes.
const MAX: usize = 128;

/// Its path.
#[must_use]
pub fn path(runtime: &Path) -> PathBuf {
    runtime.join("heartbeat")
}

/// The heartbeat of this moment.
#[must_use]
pub fn now() -> Heartbeat {
    Heartbeat { boot_id: clock::boot_id(), monotonic: clock::monotonic_seconds() }
}

/// Writes it for all to read. The error is one sentence.
pub fn write(runtime: &Path) -> Result<(), String> {
    state::write(&path(runtime), now().text().as_bytes(), 0o644, false)
}

/// Removes it: the event loop has ended as it should.
pub fn remove(runtime: &Path) {
    // The file goes stale where the directory cannot be written.
    let _ = state::remove(&path(runtime));
}

/// Whether the event loop turns; [`None`] where there is no file that could tell.
#[must_use]
pub fn is_fresh(runtime: &Path) -> Option<bool> {
    let text = String::from_utf8(open::read_own(&path(runtime), MAX).ok()?).ok()?;
    Some(!Heartbeat::parse(&text)?.is_stale(&now()))
}
