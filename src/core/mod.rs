//! The floor that decides and touches nothing: no file, socket, clock, randomness or log call.

pub mod accept;
pub mod answer;
pub mod backoff;
pub mod clock_trust;
pub mod config;
pub mod duid;
pub mod floor;
pub mod json;
pub mod keyring;
pub mod license;
pub mod schedule;
pub mod time;
pub mod verify;
pub mod engine;
pub mod memory;
pub mod report;
pub mod protocol;
pub mod check;
pub mod metrics;
pub mod screen;
