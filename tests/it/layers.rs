//! Layers and subjects: the core imports nothing that touches the world, and its subjects import one way only.
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

/// The subjects of the core. Each imports those before it, and none after it: there are no circles.
const SUBJECTS: [&str; 13] = [
    "time", "text", "license", "device", "config", "clock", "schedule", "hub", "accept", "state", "report", "engine",
    "control",
];

/// The subjects that a line of code names. In `mod.rs` of a subject, `super` is the core.
fn imported(code: &str, is_root_of_subject: bool) -> Vec<usize> {
    let mut found = Vec::new();
    for prefix in ["crate::core::", "super::"] {
        if prefix == "super::" && !is_root_of_subject {
            continue;
        }
        for (at, _) in code.match_indices(prefix) {
            let name = &code[at + prefix.len()..];
            let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(name.len());
            found.extend(SUBJECTS.iter().position(|subject| *subject == &name[..end]));
        }
    }
    found
}

#[test]
fn subjects_of_the_core_import_one_way() {
    let core = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/core");
    let mut files = Vec::new();
    sources(&core, &mut files);
    let mut imports = 0;
    for file in files {
        let inside = file.strip_prefix(&core).expect("below the core");
        let first = inside.iter().next().and_then(|name| name.to_str()).expect("a name").trim_end_matches(".rs");
        let Some(own) = SUBJECTS.iter().position(|subject| *subject == first) else {
            assert_eq!(first, "mod", "{first} is no subject of the list");
            continue;
        };
        let is_root = inside.ends_with("mod.rs") || inside.iter().count() == 1;
        let text = std::fs::read_to_string(&file).expect("readable");
        // What only tests use makes no circle in the program.
        let program = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        for (number, line) in program.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            for other in imported(code, is_root) {
                imports += 1;
                let place = format!("{}:{}", file.display(), number + 1);
                let (importer, imported) = (SUBJECTS[own], SUBJECTS[other]);
                assert!(other <= own, "{place}: {importer} imports {imported}, which comes after it: {line}");
            }
        }
    }
    assert!(imports > 100, "imports were found: {imports}");
}

#[test]
fn an_import_of_a_later_subject_is_seen() {
    assert_eq!(imported("use crate::core::engine::Action;", false), [SUBJECTS.len() - 2]);
    assert_eq!(imported("use super::engine::Action;", true), [SUBJECTS.len() - 2]);
    assert_eq!(imported("use super::engine::Action;", false), []);
}
