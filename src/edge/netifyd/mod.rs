//! The Netify Agent: finding its process, having it reload, looking at it.

mod command;
mod conf;
mod evidence;
mod look;
mod procd;
mod process;
pub mod reload;
pub mod serial;
mod signal;
mod socket;
mod systemd;

pub use conf::follow;
pub use look::look;
