//! Links the shipped program without tables for stack unwinding. They are an eighth of it, and with `panic = "abort"`
//! nothing but a debugger would read them.

#![allow(clippy::disallowed_methods)] // It is no part of the program, and the environment is how Cargo speaks to it.

use std::env::var;

fn main() {
    println!("cargo::rerun-if-changed=packaging/link");
    let is = |name: &str, value: &str| var(name).is_ok_and(|found| found == value);
    if is("PROFILE", "release") && is("CARGO_CFG_TARGET_OS", "linux") {
        let directory = var("CARGO_MANIFEST_DIR").unwrap_or_default();
        println!("cargo::rustc-link-arg-bins=-Wl,-T,{directory}/packaging/link/no-unwind-tables.ld");
    }
}
