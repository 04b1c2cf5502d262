//! Links the program for `OpenWrt` smaller: without tables for stack unwinding, and with one copy of functions that are alike.

#![allow(clippy::disallowed_methods)] // It is no part of the program, and the environment is how Cargo speaks to it.

use std::env::var;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=packaging/link");
    println!("cargo::rerun-if-env-changed=CARGO_MANIFEST_DIR"); // A checkout may move, with all that was built.
    let is = |name: &str, value: &str| var(name).is_ok_and(|found| found == value);
    // Flash is scarce on OpenWrt alone: its builds leave out the default features. Elsewhere a debugger can unwind.
    let for_openwrt = var("CARGO_FEATURE_WIDE_TABLES").is_err();
    if !is("PROFILE", "release") || !is("CARGO_CFG_TARGET_OS", "linux") || !for_openwrt {
        return;
    }
    // The tables are an eighth of the program, and with `panic = "abort"` nothing but a debugger would read them.
    let directory = var("CARGO_MANIFEST_DIR").unwrap_or_default();
    println!("cargo::rustc-link-arg-bins=-Wl,-T,{directory}/packaging/link/no-unwind-tables.ld");
    // Two functions may share an address then, which no code here minds.
    if links_with_lld() {
        println!("cargo::rustc-link-arg-bins=-Wl,--icf=all");
    }
}

/// Whether the compiler brings its own lld and uses it unasked, as it does for this one target since Rust 1.90. Other
/// linkers do not know the option.
fn links_with_lld() -> bool {
    let asked = |argument: &str| {
        let output = Command::new(var("RUSTC").unwrap_or_default()).args(["--print", argument]).output().ok()?;
        String::from_utf8(output.stdout).ok()
    };
    let own_lld = |libraries: String| Path::new(libraries.trim()).with_file_name("bin/gcc-ld/ld.lld").exists();
    let other_linker =
        var("RUSTC_LINKER").is_ok() || var("CARGO_ENCODED_RUSTFLAGS").is_ok_and(|flags| flags.contains("lld"));
    var("TARGET").is_ok_and(|target| target == "x86_64-unknown-linux-gnu")
        && !other_linker
        && asked("target-libdir").is_some_and(own_lld)
}
