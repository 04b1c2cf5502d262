//! Writes what would otherwise be written twice by hand, each from its one definition:
//!
//! | written | from |
//! |---|---|
//! | `docs/man/netify-licensed.8` | the flag table (`command/args.rs`), the license states ([`states`]) |
//! | `docs/man/netify-licensed.toml.5` | the table of configuration keys (`core/config/keys.rs`) |
//! | `docs/completions/*` | the flag table |
//! | marked blocks of `docs/*.md` | screens in `docs/screens`, the license states, `Cargo.toml` ([`blocks`]) |

mod blocks;
mod command_page;
mod completions;
mod config_page;
mod dependencies;
mod roff;
pub mod states;

use std::path::{Path, PathBuf};

/// A file with what it should hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Absolute path.
    pub path: PathBuf,
    /// Wanted content.
    pub text: String,
}

impl Output {
    /// Whether the file holds what it should.
    #[must_use]
    pub fn is_current(&self) -> bool {
        std::fs::read_to_string(&self.path).is_ok_and(|text| text == self.text)
    }

    /// Writes the file.
    pub fn write(&self) -> std::io::Result<()> {
        if let Some(directory) = self.path.parent() {
            std::fs::create_dir_all(directory)?;
        }
        std::fs::write(&self.path, &self.text)
    }
}

/// Everything that is generated. The error is one sentence with the path.
pub fn outputs() -> Result<Vec<Output>, String> {
    let docs = docs();
    let mut outputs = vec![
        Output { path: docs.join("man/netify-licensed.8"), text: command_page::page()? },
        Output { path: docs.join("man/netify-licensed.toml.5"), text: config_page::page() },
    ];
    outputs.extend(
        completions::all().into_iter().map(|(name, text)| Output { path: docs.join("completions").join(name), text }),
    );
    for path in files(&docs, "md")? {
        let text = blocks::fill(&read(&path)?, &docs).map_err(|error| format!("{}: {error}", path.display()))?;
        outputs.push(Output { path, text });
    }
    Ok(outputs)
}

/// The directory `docs` of the repository.
#[must_use]
pub fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// The files of a directory with this extension, sorted by name.
fn files(directory: &Path, extension: &str) -> Result<Vec<PathBuf>, String> {
    let entries = std::fs::read_dir(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    let paths = entries.flatten().map(|entry| entry.path());
    let mut found: Vec<PathBuf> = paths.filter(|path| path.extension().is_some_and(|end| end == extension)).collect();
    found.sort();
    Ok(found)
}
