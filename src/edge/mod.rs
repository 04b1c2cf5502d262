//! The floor that touches and decides nothing: one small file for each thing touched.
#![allow(clippy::disallowed_methods, reason = "files, clocks and processes are touched here and nowhere else")]

pub mod atomic;
pub mod clock;
pub mod config_file;
pub mod control;
pub mod device;
mod http;
pub mod hub;
pub mod installer;
pub mod keys;
pub mod license_file;
pub mod lock;
pub mod log;
mod no_answer;
pub mod places;
pub mod process;
pub mod reload;
pub mod secret;
pub mod service;
pub mod state;
pub mod terminal;
pub mod watch;

/// An error of the operating system, without its number.
#[must_use]
pub fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    let plain = text.split(" (os error").next().unwrap_or(&text);
    let mut letters = plain.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

/// A descriptor that the event loop waits on.
#[expect(deprecated, reason = "its successor is unsafe for types that may change their descriptor; an OwnedFd cannot")]
fn readable(fd: std::os::fd::OwnedFd) -> std::io::Result<tokio::io::unix::AsyncFd<std::os::fd::OwnedFd>> {
    tokio::io::unix::AsyncFd::with_interest(fd, tokio::io::Interest::READABLE)
}
