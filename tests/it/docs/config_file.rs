//! `config/config.toml` is what packages install: written from the one table of keys, loaded here line by line.
//!
//! `UPDATE=1 cargo test --test it config_file` writes it again.
#![allow(clippy::disallowed_methods, reason = "the test reads the file")]

use std::path::Path;

use netify_licensed::core::config::{Config, KEYS, parse, sample};

const PATH: &str = "config/config.toml";

fn committed() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PATH);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, sample()).expect("config.toml is written");
    }
    std::fs::read_to_string(path).expect("config.toml is read")
}

#[test]
fn it_is_current() {
    assert!(
        committed() == sample(),
        "{PATH} is not what the table of keys says; run: UPDATE=1 cargo test --test it config_file"
    );
}

#[test]
fn as_it_is_it_changes_nothing() {
    assert_eq!(parse(&committed(), PATH), Ok(Config::default()));
}

/// Uncommenting any one line must give a configuration that loads: by itself, or with its partner, which the error names.
#[test]
fn every_line_loads() {
    let (mut section, mut seen) = (String::new(), Vec::new());
    for line in committed().lines() {
        if line.starts_with('[') {
            line.clone_into(&mut section);
            continue;
        }
        let setting = line.strip_prefix("# ").unwrap_or(line);
        let Some(name) = setting.split_once(" = ").map(|(name, _)| name).filter(|name| !name.contains(' ')) else {
            assert!(line.is_empty() || line.starts_with("# "), "{line:?} is neither a setting nor a comment");
            continue;
        };
        seen.push(format!("{section} {name}"));
        if let Err(error) = parse(&format!("{section}\n{setting}\n"), PATH) {
            assert!(error.message.contains("belong together"), "{line}: {error}");
        }
    }
    let known: Vec<String> = KEYS.iter().map(|key| format!("[{}] {}", key.section, key.name)).collect();
    assert_eq!(seen, known);
}

/// The pairs that `every_line_loads` lets pass.
#[test]
fn partners_load_together() {
    for (section, names) in [("[hub]", ["username", "password-file"]), ("[hub]", ["client-cert", "client-key"])] {
        let text = committed();
        let lines: Vec<&str> = names
            .iter()
            .map(|name| {
                text.lines()
                    .find_map(|line| line.strip_prefix("# ").filter(|line| line.starts_with(&format!("{name} = "))))
            })
            .map(|line| line.expect("a commented setting"))
            .collect();
        assert_eq!(parse(&format!("{section}\n{}\n", lines.join("\n")), PATH).map(drop), Ok(()), "{lines:?}");
    }
}
