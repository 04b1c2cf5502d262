//! The floor that decides and touches nothing: no file, socket, clock, randomness or log call.

pub mod accept;
pub mod answer;
pub mod backoff;
pub mod check;
pub mod clock_trust;
pub mod config;
pub mod duid;
pub mod engine;
mod envelope;
pub mod floor;
pub mod foreign_text;
pub mod hub_list;
pub mod json;
pub mod keyring;
pub mod license;
pub mod licensing;
pub mod listing;
pub mod memory;
pub mod metrics;
pub mod protocol;
pub mod redaction;
pub mod report;
pub mod schedule;
pub mod screen;
pub mod time;
pub mod trouble;
pub mod verify;
