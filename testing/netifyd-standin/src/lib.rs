//! A stand-in for netifyd, for tests and the sandbox.
//!
//! The binary, named `netifyd` like the real one, does what the license daemon can see of netifyd: it writes a PID
//! file, reads its license under a shared lock at start and on reload (SIGHUP or control socket), answers on the
//! control socket, and tells what it loaded. On request it misbehaves; see [`behavior`].
//!
//! [`Standin`] starts it in a directory of its own and waits for what it reports.

pub mod behavior;
mod builder;
mod cli;
mod control;
mod daemon;
mod event;
mod event_log;
mod license;
mod privileges;
mod reload;
mod run_files;
mod standin;
mod supervisor;

pub use builder::Builder;
pub use cli::{Options, run};
pub use event::{Event, Load};
pub use standin::Standin;

/// A lock that outlives a panicking holder.
fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
