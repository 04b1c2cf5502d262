//! What the tests of this workspace share.
//!
//! - [`built`]: the path of another package's binary, built on first use.
//! - [`make_executable`]: for programs that a test writes.
//! - [`Proc`]: a child process whose output and exit can be waited for without sleeping.
//! - [`RawServer`]: a loopback HTTP server whose answers are written by hand, byte by byte.
//! - [`temp_dir`]: a directory that vanishes with its test.
//! - [`wait_until`]: polling, for the few things that announce nothing.
//!
//! Failures are [`std::io::Error`]s with a sentence that says what was waited for and what was seen, so that a
//! test can return `std::io::Result<()>` and use `?`.

mod built;
mod executable;
mod fresh;
mod line_reader;
mod proc;
mod raw_http;
mod raw_message;
mod wait;

pub use built::{built, built_visibly};
pub use executable::make_executable;
pub use proc::{Line, Proc, Stream};
pub use raw_http::RawServer;
pub use raw_message::{RawAnswer, RawRequest};
pub use rustix::process::{Pid, Signal};
pub use tempfile::TempDir;
pub use wait::wait_until;

/// A fresh directory under the system's temporary directory, mode 0700, removed on drop.
pub fn temp_dir() -> std::io::Result<TempDir> {
    tempfile::Builder::new().prefix("netify-test-").tempdir()
}

/// A lock that outlives a panicking holder: one failed test thread must not hide its cause behind poison errors.
pub(crate) fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
