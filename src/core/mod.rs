//! The layer that decides and has no I/O: no file, socket, clock, randomness or log call.

pub mod accept;
pub mod clock;
pub mod config;
pub mod control;
pub mod device;
pub mod engine;
pub mod hub;
pub mod license;
pub mod netifyd;
pub mod report;
pub mod schedule;
pub mod state;
pub mod text;
pub mod time;
