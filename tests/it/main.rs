//! All integration tests, in one program: a module for each subject.
//!
//! `cargo test --test it` runs them, `cargo test --test it reload::` those of one subject.
#![allow(clippy::disallowed_methods, reason = "tests touch files, clocks and processes")]
#![allow(clippy::panic, reason = "a test may end in a sentence")]

mod control;
mod docs;
mod doctor;
mod files;
mod hub;
mod layers;
mod license;
mod operators;
mod process;
mod provision;
mod relay;
mod reload;
mod restore;
mod secrets;
mod transport;
