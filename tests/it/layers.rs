//! The core imports nothing of the other layers, and each subject of it only what stands before it.
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

/// Subjects of the core in their order: each imports those before it, and none beside it or after it.
const ORDER: [&[&str]; 9] = [
    &["time", "text"],
    &["device", "license", "netifyd"],
    &["config"],
    &["clock", "schedule", "hub"],
    &["accept"],
    &["state"],
    &["report"],
    &["engine"],
    &["control"],
];

fn rank(subject: &str) -> Option<usize> {
    ORDER.iter().position(|subjects| subjects.contains(&subject))
}

/// Names of subjects that a line of code reaches by `crate::core::`.
fn reached(line: &str) -> impl Iterator<Item = &str> {
    let code = line.split("//").next().unwrap_or_default();
    let after = code.split("crate::core::").skip(1);
    after.map(|rest| rest.split(|c: char| !c.is_ascii_lowercase() && c != '_').next().unwrap_or_default())
}

#[test]
fn subjects_of_the_core_import_one_way() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/core");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut seen = 0;
    for file in files {
        let below = file.strip_prefix(&root).expect("it was found there");
        let first = below.components().next().expect("a name").as_os_str().to_string_lossy().into_owned();
        let subject = first.trim_end_matches(".rs");
        if subject == "mod" {
            continue;
        }
        let own = rank(subject).unwrap_or_else(|| panic!("{subject} has no place in ORDER"));
        let text = std::fs::read_to_string(&file).expect("readable");
        // Tests may build what they need with whatever there is.
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (number, line) in code.lines().enumerate() {
            for other in reached(line).filter(|other| *other != subject) {
                let place = format!("{}:{}", below.display(), number + 1);
                let theirs = rank(other).unwrap_or_else(|| panic!("{place}: {other} has no place in ORDER"));
                assert!(theirs < own, "{place}: {subject} imports {other}, which does not stand before it: {line}");
                seen += 1;
            }
        }
    }
    assert!(seen > 100, "imports were found: {seen}");
}

#[test]
fn imports_are_recognized() {
    let names = |line| reached(line).collect::<Vec<_>>();
    assert_eq!(names("use crate::core::license::keys::KeyRing;"), ["license"]);
    assert_eq!(names("fn a(b: crate::core::time::WallTime) -> crate::core::text::X {"), ["time", "text"]);
    assert_eq!(names("// crate::core::time"), Vec::<&str>::new());
}
