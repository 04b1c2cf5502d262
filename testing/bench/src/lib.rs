//! A device on the test bench, for tests that run the real program.
//!
//! - [`rig`]: configured key by key, with a hub or a relay in front of it.
//! - [`device`]: with a license file that the test verifies itself, and a reload that leaves a mark.
//! - [`program`]: the program under test.

#![allow(clippy::must_use_candidate, clippy::return_self_not_must_use, reason = "tests use what they ask for")]
#![allow(clippy::missing_panics_doc, reason = "a failed step is a failed test")]

pub mod device;
pub mod rig;

use std::path::PathBuf;

/// The program under test, of the running test's profile.
pub fn program() -> PathBuf {
    test_support::built("netify-licensed", "netify-licensed").expect("the program is built")
}

/// Whether tests that have a short and a long form shall take the long one: `CAMPAIGN=full`, as `tests/run long` sets it.
pub fn is_full() -> bool {
    std::env::var_os("CAMPAIGN").is_some_and(|value| value == "full")
}

/// A test's name as the test runner knows it: `module` is the caller's `module_path!()`.
pub fn test_name(module: &str, test: &str) -> String {
    match module.split_once("::") {
        Some((_, below)) => format!("{below}::{test}"),
        None => test.to_owned(),
    }
}
