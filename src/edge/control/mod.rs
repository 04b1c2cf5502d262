//! The control socket: how commands reach the running daemon.

pub mod client;
pub mod server;
