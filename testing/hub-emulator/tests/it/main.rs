//! The emulator over real sockets.

mod api;
mod client;
mod control;
mod faults;
