//! The rule of the house: the deciding floor imports nothing of the touching one. A rule that nobody checks is none.
#![allow(clippy::disallowed_methods, reason = "the test reads the sources")]

use std::path::{Path, PathBuf};

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).expect("the sources are there").flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
}

/// Crates and modules that touch the world.
const FORBIDDEN: [&str; 16] = [
    "crate::edge",
    "crate::daemon",
    "crate::cli",
    "tokio",
    "hyper",
    "hyper_util",
    "rustix",
    "notify::",
    "tracing",
    "std::fs",
    "std::net",
    "std::process",
    "std::env",
    "std::thread",
    "SystemTime",
    "Instant",
];

#[test]
fn the_core_touches_nothing() {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/core"), &mut files);
    assert!(files.len() > 15, "the core was found: {files:?}");
    for file in files {
        let text = std::fs::read_to_string(&file).expect("readable");
        for (number, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            for word in FORBIDDEN {
                assert!(!code.contains(word), "{}:{}: the core uses {word}: {line}", file.display(), number + 1);
            }
        }
    }
}
