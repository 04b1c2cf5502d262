//! Long tests of the real program. Without further words each runs a short form; `tests/run --list` names the steps that
//! run the long ones.

#![allow(clippy::panic, reason = "a test may end in a sentence")]

mod clock_steps;
mod concurrency;
mod crash;
mod differential;
mod flash;
mod soak;
