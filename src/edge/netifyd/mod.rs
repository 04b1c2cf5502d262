//! The Netify Agent: finding its process, having it reload.

#[cfg(feature = "systemd")]
mod bus;
mod command;
#[cfg(feature = "systemd")]
mod manager;
mod procd;
mod process;
pub mod reload;
mod signal;
mod socket;
mod systemctl;
mod systemd;
mod unit;
#[cfg(feature = "systemd")]
mod wire;
