//! Whether a binary is newer than all that Cargo made it from.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Whether `binary` is newer than its sources, their manifests and the lock file of `workspace`.
///
/// The sources are those of the workspace that `cargo build` lists beside the binary, in `NAME.d`. `cargo test` builds the
/// binary and writes no list: then all sources of programs count. An answer of `false` costs a call of Cargo, which may
/// compile the dependencies once more with other features.
pub(crate) fn is_fresh(binary: &Path, workspace: &Path) -> bool {
    newest_source(binary, workspace).is_ok_and(|newest| modified(binary).is_ok_and(|built| newest < built))
}

fn newest_source(binary: &Path, workspace: &Path) -> io::Result<SystemTime> {
    let sources = match fs::read_to_string(binary.with_extension("d")) {
        Ok(list) => list.lines().next().and_then(|line| line.split_once(": ")).map(|(_, sources)| paths(sources)),
        Err(_) => Some(["src", "testing"].iter().flat_map(|below| below_directory(&workspace.join(below))).collect()),
    };
    let sources = sources.filter(|sources| !sources.is_empty()).ok_or_else(|| io::Error::other("no sources listed"))?;
    let manifests = sources.iter().filter_map(|source| manifest(source, workspace));
    let mut inputs: BTreeSet<PathBuf> = manifests.collect();
    inputs.extend(["Cargo.toml", "Cargo.lock"].map(|name| workspace.join(name)));
    inputs.extend(sources);
    // A source that is gone is a change, too.
    let times: io::Result<Vec<SystemTime>> = inputs.iter().map(|path| modified(path)).collect();
    times?.into_iter().max().ok_or_else(|| io::Error::other("no sources"))
}

/// Every source below a directory.
fn below_directory(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
    let (directories, files): (Vec<PathBuf>, Vec<PathBuf>) = entries.partition(|path| path.is_dir());
    let sources = files.into_iter().filter(|path| path.extension().is_some_and(|end| end == "rs"));
    sources.chain(directories.iter().flat_map(|path| below_directory(path))).collect()
}

/// The manifest of the package that a source belongs to.
fn manifest(source: &Path, workspace: &Path) -> Option<PathBuf> {
    let inside = |dir: &&Path| dir.starts_with(workspace);
    source.ancestors().skip(1).take_while(inside).map(|dir| dir.join("Cargo.toml")).find(|path| path.is_file())
}

fn modified(path: &Path) -> io::Result<SystemTime> {
    fs::metadata(path)?.modified()
}

/// Splits at spaces that no backslash guards.
fn paths(list: &str) -> Vec<PathBuf> {
    const GUARDED: &str = "\0";
    let list = list.replace("\\ ", GUARDED);
    list.split(' ').filter(|path| !path.is_empty()).map(|path| PathBuf::from(path.replace(GUARDED, " "))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::time::Duration;

    /// A workspace with one source, all of it an hour older than the binary.
    fn workspace() -> crate::TempDir {
        let dir = crate::temp_dir().unwrap();
        let root = dir.path();
        fs::create_dir_all(root.join("my member/src")).unwrap();
        let source = root.join("my member/src/main.rs");
        for name in ["Cargo.toml", "Cargo.lock", "my member/Cargo.toml", "my member/src/main.rs"] {
            fs::write(root.join(name), "").unwrap();
            age(&root.join(name), 3600);
        }
        fs::write(root.join("x"), "").unwrap();
        let list = source.display().to_string().replace(' ', "\\ ");
        fs::write(root.join("x.d"), format!("/t/x: {list}\n")).unwrap();
        dir
    }

    fn age(path: &Path, seconds: u64) {
        let then = SystemTime::now() - Duration::from_secs(seconds);
        File::options().write(true).open(path).unwrap().set_modified(then).unwrap();
    }

    #[test]
    fn a_binary_younger_than_its_sources_is_fresh() {
        let dir = workspace();
        assert!(is_fresh(&dir.path().join("x"), dir.path()));
    }

    #[test]
    fn every_input_counts() {
        for name in ["Cargo.toml", "Cargo.lock", "my member/Cargo.toml", "my member/src/main.rs"] {
            let dir = workspace();
            age(&dir.path().join("x"), 60);
            assert!(is_fresh(&dir.path().join("x"), dir.path()), "{name}");
            age(&dir.path().join(name), 30);
            assert!(!is_fresh(&dir.path().join("x"), dir.path()), "{name}");
        }
    }

    #[test]
    fn without_a_list_all_sources_count() {
        let dir = workspace();
        fs::remove_file(dir.path().join("x.d")).unwrap();
        assert!(!is_fresh(&dir.path().join("x"), dir.path()), "there are no sources");
        let source = dir.path().join("testing/helper/src/main.rs");
        fs::create_dir_all(source.parent().unwrap()).unwrap();
        fs::write(&source, "").unwrap();
        age(&source, 3600);
        assert!(is_fresh(&dir.path().join("x"), dir.path()));
        age(&dir.path().join("x"), 60);
        age(&source, 30);
        assert!(!is_fresh(&dir.path().join("x"), dir.path()), "a source is newer");
    }

    #[test]
    fn what_cannot_be_told_is_not_fresh() {
        let dir = workspace();
        fs::remove_file(dir.path().join("my member/src/main.rs")).unwrap();
        assert!(!is_fresh(&dir.path().join("x"), dir.path()), "a source is gone");
        let dir = workspace();
        fs::write(dir.path().join("x.d"), "").unwrap();
        assert!(!is_fresh(&dir.path().join("x"), dir.path()), "nothing is listed");
        assert!(!is_fresh(&dir.path().join("y"), dir.path()), "there is no such binary");
    }
}
