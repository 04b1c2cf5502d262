//! The client of the Licensing API: every endpoint, every code, both formats, and answers that no hub should send.
#![allow(clippy::disallowed_methods, reason = "tests touch files and start processes")]

mod codes;
mod formats;
mod list;
mod raw;
mod renewal;
mod usage;
