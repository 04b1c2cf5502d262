//! What README.md and its neighbors show is true: commands parse, links lead somewhere, configurations load, outputs are
//! those of today's program.
//!
//! `UPDATE=1 cargo test --test readme` writes today's outputs into README.md.
#![allow(clippy::disallowed_methods, reason = "tests touch files, clocks and processes")]
#![allow(clippy::panic, clippy::format_collect, clippy::similar_names, reason = "tests may end in a sentence")]

#[allow(dead_code, reason = "the operators' bench, of which this needs a part")]
#[path = "../operators/canon.rs"]
mod canon;
#[allow(dead_code, reason = "the operators' bench, of which this needs a part")]
#[path = "../operators/gateway.rs"]
mod gateway;
mod markdown;
mod outputs;

use std::path::Path;

use clap::Parser;
use markdown::{Page, page};
use netify_licensed::command::args::Cli;
use netify_licensed::core::config;
use netify_licensed::core::verify::State;

/// The pages that are checked.
const PAGES: [&str; 3] = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"];
/// One sitting.
const LONGEST: usize = 220;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn pages() -> Vec<Page> {
    PAGES.iter().map(|name| page(&root().join(name))).collect()
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
fn every_script_is_there() {
    let ours = |words: &Vec<String>| ["tests/", "packaging/", "fuzz/"].iter().any(|dir| words[0].starts_with(dir));
    let mut seen = 0;
    for page in pages() {
        // NAME stands for what a reader will add.
        for words in page.commands().filter(ours).filter(|words| !words[0].contains("NAME")) {
            seen += 1;
            assert!(root().join(&words[0]).exists(), "{}: {} does not exist", page.name, words[0]);
        }
    }
    assert!(seen > 3, "only {seen} scripts were found");
}

#[test]
fn every_link_leads_somewhere() {
    let mut seen = 0;
    for page in pages() {
        for link in page.links().filter(|link| !link.contains("://")) {
            seen += 1;
            let (file, fragment) = link.split_once('#').map_or((link, None), |(file, fragment)| (file, Some(fragment)));
            let target = if file.is_empty() { root().join(&page.name) } else { root().join(file) };
            assert!(target.exists(), "{}: {link} does not exist", page.name);
            if let Some(fragment) = fragment {
                let headings = markdown::page(&target).anchors();
                assert!(headings.iter().any(|anchor| anchor == fragment), "{}: {link}: {headings:?}", page.name);
            }
        }
    }
    assert!(seen > 5, "only {seen} links were found");
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
