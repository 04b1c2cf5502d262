//! What the fuzz targets do with their input. It stands in a library so that `cargo test` runs it on any toolchain.
//!
//! A new target is a module with `pub fn run(data: &[u8])`, three lines in `fuzz_targets/`, a `[[bin]]` in Cargo.toml and
//! its name in `run`.

pub mod configuration;
pub mod control_line;
pub mod engine;
pub mod hub_answer;
pub mod license;
pub mod uci;

mod cursor;
mod forge;
mod uci_shell;
mod world;

#[cfg(test)]
mod tests;
