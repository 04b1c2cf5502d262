//! The Netify Agent: finding its process, having it reload, looking at it.

mod command;
mod evidence;
mod look;
mod procd;
mod process;
pub mod reload;
mod signal;
mod socket;
mod systemd;

pub use look::look;
