//! Whether a binary is newer than all that Cargo made it from.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Whether `binary` is newer than its sources, their manifests and the lock file of `workspace`.
///
/// The sources are those of the workspace that Cargo lists beside the binary, in `NAME.d`. An answer of `false` costs a
/// call of Cargo, nothing else.
pub(crate) fn is_fresh(binary: &Path, workspace: &Path) -> bool {
    newest_source(binary, workspace).is_ok_and(|newest| modified(binary).is_ok_and(|built| newest < built))
}

fn newest_source(binary: &Path, workspace: &Path) -> io::Result<SystemTime> {
    let list = fs::read_to_string(binary.with_extension("d"))?;
    let sources = list.lines().next().and_then(|line| line.split_once(": ")).map(|(_, sources)| paths(sources));
    let sources = sources.filter(|sources| !sources.is_empty()).ok_or_else(|| io::Error::other("no sources listed"))?;
    let manifests = sources.iter().filter_map(|source| manifest(source, workspace));
    let mut inputs: BTreeSet<PathBuf> = manifests.collect();
    inputs.extend(["Cargo.toml", "Cargo.lock"].map(|name| workspace.join(name)));
    inputs.extend(sources);
    // A source that is gone is a change, too.
    let times: io::Result<Vec<SystemTime>> = inputs.iter().map(|path| modified(path)).collect();
    times?.into_iter().max().ok_or_else(|| io::Error::other("no sources"))
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
