//! What README.md and the other pages show is true: commands parse and run, links lead somewhere, configurations load,
//! outputs are those of today's program.
//!
//! `UPDATE=1 cargo test --test it docs` writes today's outputs into the pages.
#![allow(clippy::disallowed_methods, reason = "tests touch files, clocks and processes")]
#![allow(clippy::panic, clippy::format_collect, clippy::similar_names, reason = "tests may end in a sentence")]

mod config_file;
mod markdown;
mod names;
mod outputs;
mod scene;

use std::collections::BTreeSet;
use std::path::Path;

use clap::Parser;
use markdown::{page, pages};
use netify_licensed::cli::args::Cli;
use netify_licensed::core::config;
use netify_licensed::core::license::verify::State;

/// One sitting.
const LONGEST: usize = 220;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn every_command_of_ours_parses() {
    let mut seen = 0;
    for page in pages() {
        for words in page.commands().filter(|words| words[0] == "netify-licensed" && words.len() > 1) {
            seen += 1;
            if let Err(error) = Cli::try_parse_from(&words) {
                assert!(!error.use_stderr(), "{}: {}: {error}", page.name, words.join(" "));
            }
        }
    }
    assert!(seen > 20, "only {seen} commands were found");
}

#[test]
fn every_link_leads_somewhere() {
    let mut seen = 0;
    for page in pages() {
        for link in page.links().filter(|link| !link.contains("://")) {
            seen += 1;
            let (target, fragment) = page.target(link);
            assert!(target.exists(), "{}: {link} does not exist", page.name);
            if let Some(fragment) = fragment {
                let headings = markdown::page(&target).anchors();
                assert!(headings.iter().any(|anchor| anchor == fragment), "{}: {link}: {headings:?}", page.name);
            }
        }
    }
    assert!(seen > 20, "only {seen} links were found");
}

#[test]
fn every_page_is_reached_from_the_readme() {
    let mut reached = BTreeSet::new();
    let mut next = vec![root().join("README.md")];
    while let Some(path) = next.pop() {
        let Ok(path) = path.canonicalize() else { continue };
        if path.extension().is_none_or(|end| end != "md") || !reached.insert(path.clone()) {
            continue;
        }
        let page = page(&path);
        next.extend(page.links().filter(|link| !link.contains("://")).map(|link| page.target(link).0));
    }
    for page in pages().iter().filter(|page| page.name != "packaging/static-install.md") {
        let path = root().join(&page.name).canonicalize().expect("it was read");
        assert!(reached.contains(&path), "nothing leads to {}", page.name);
    }
}

#[test]
fn every_configuration_loads() {
    let mut seen = 0;
    for page in pages() {
        for block in page.blocks.iter().filter(|block| block.language == "toml") {
            seen += 1;
            let loaded = config::parse(&block.text, &format!("{}:{}", page.name, block.line));
            assert!(loaded.is_ok(), "{loaded:?}");
        }
    }
    assert!(seen >= 4, "only {seen} configurations were found");
}

#[test]
fn every_state_is_explained() {
    let readme = page(&root().join("README.md"));
    let rows = readme.prose.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`')).map(|(word, _)| word);
    let explained: Vec<&str> = rows.collect();
    for state in State::ALL {
        assert!(explained.contains(&state.word()), "{state} is not in the table: {explained:?}");
    }
}

#[test]
fn it_is_read_in_one_sitting() {
    let text = std::fs::read_to_string(root().join("README.md")).expect("README.md is read");
    assert!(text.lines().count() <= LONGEST, "{} lines", text.lines().count());
}
