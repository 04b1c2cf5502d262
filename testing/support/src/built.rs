//! Binaries of other workspace packages: Cargo names a test only the binaries of its own package.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};

use crate::fresh::is_fresh;

/// The workspace's directory.
const WORKSPACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// Packages that are named to Cargo together, whichever binary is wanted. Cargo unites the features of the dependencies
/// over all named packages: with other packages, `cargo run -p sandbox` and this would compile every dependency twice.
const TOGETHER: [&str; 4] = ["netify-licensed", "netifyd-standin", "hub-emulator", "sandbox"];

/// A program's path, once it is built.
type Known = Arc<Mutex<Option<PathBuf>>>;

/// The path of binary `bin` of workspace package `package`, built with the profile, the target directory and the
/// target triple of the running test.
///
/// A binary that is newer than its sources is taken as it is: `cargo test --workspace` has just built it. Otherwise
/// Cargo is run, once per process and binary; other threads that ask meanwhile wait for it. When nothing has changed,
/// Cargo leaves the binary alone, so that a process started from it keeps its name in `/proc`.
pub fn built(package: &str, bin: &str) -> io::Result<PathBuf> {
    find(package, bin, true)
}

/// The same for a program that a person has started: when Cargo runs, its own lines say so on standard error.
pub fn built_visibly(package: &str, bin: &str) -> io::Result<PathBuf> {
    find(package, bin, false)
}

fn find(package: &str, bin: &str, quiet: bool) -> io::Result<PathBuf> {
    static BUILT: OnceLock<Mutex<HashMap<(String, String), Known>>> = OnceLock::new();
    let key = (package.to_owned(), bin.to_owned());
    // A lock for each program: whoever waits for one to be built holds up nobody who uses another.
    let known = Arc::clone(crate::lock(BUILT.get_or_init(Mutex::default)).entry(key).or_default());
    let mut known = crate::lock(&known);
    if let Some(path) = &*known {
        return Ok(path.clone());
    }
    let place = Place::of(&std::env::current_exe()?)?;
    let path = place.profile_dir.join(bin);
    if !is_fresh(&path, &Path::new(WORKSPACE).canonicalize()?) {
        place.build(package, bin, quiet)?;
    }
    if !path.is_file() {
        return Err(io::Error::other(format!("{package} was built, but {} is not there", path.display())));
    }
    *known = Some(path.clone());
    Ok(path)
}

/// Where the running executable stands inside a Cargo target directory.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    target_dir: PathBuf,
    profile_dir: PathBuf,
    profile: OsString,
    triple: Option<OsString>,
}

impl Place {
    fn of(exe: &Path) -> io::Result<Self> {
        Self::find(exe)
            .ok_or_else(|| io::Error::other(format!("{} does not lie in a Cargo target directory", exe.display())))
    }

    fn find(exe: &Path) -> Option<Self> {
        let mut profile_dir = exe.parent()?;
        if matches!(profile_dir.file_name()?.to_str(), Some("deps" | "examples")) {
            profile_dir = profile_dir.parent()?;
        }
        let profile = match profile_dir.file_name()? {
            debug if debug == "debug" => "dev".into(),
            other => other.to_owned(),
        };
        let above = profile_dir.parent()?;
        // Cargo marks the target directory itself; a build for a named triple has one more level below it.
        let marked = |dir: &Path| dir.join("CACHEDIR.TAG").exists();
        let (target_dir, triple) = match above.parent() {
            Some(higher) if !marked(above) && marked(higher) => (higher, Some(above.file_name()?.to_owned())),
            _ => (above, None),
        };
        Some(Self { target_dir: target_dir.into(), profile_dir: profile_dir.into(), profile, triple })
    }

    fn build(&self, package: &str, bin: &str, quiet: bool) -> io::Result<()> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command.args(["build", "--bin", bin]);
        let others = TOGETHER.iter().copied().filter(|name| *name != package);
        command.args(std::iter::once(package).chain(others).flat_map(|name| ["-p", name]));
        command.arg("--manifest-path").arg(Path::new(WORKSPACE).join("Cargo.toml"));
        command.arg("--target-dir").arg(&self.target_dir).arg("--profile").arg(&self.profile);
        if let Some(triple) = &self.triple {
            command.arg("--target").arg(triple);
        }
        // The Cargo that runs this program tells it which package it is. Build scripts that watch these variables, such as
        // those of ring and of netify-licensed, would run again, and all that depends on them be compiled a second time.
        let told = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_", "CARGO_PRIMARY_"];
        for (name, _) in std::env::vars_os() {
            if told.iter().any(|start| name.as_encoded_bytes().starts_with(start.as_bytes())) {
                command.env_remove(name);
            }
        }
        if quiet {
            command.arg("-q");
        } else {
            command.stderr(Stdio::inherit());
        }
        let output = command.output()?;
        if output.status.success() {
            return Ok(());
        }
        let errors = String::from_utf8_lossy(&output.stderr);
        Err(io::Error::other(format!("building {bin} of {package} failed ({}): {errors}", output.status)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tagged() -> crate::TempDir {
        let dir = crate::temp_dir().unwrap();
        std::fs::write(dir.path().join("CACHEDIR.TAG"), "").unwrap();
        dir
    }

    #[test]
    fn a_test_binary_lies_in_deps() {
        let target = tagged();
        let place = Place::find(&target.path().join("debug/deps/x-1")).unwrap();
        assert_eq!(place.target_dir, target.path());
        assert_eq!(place.profile_dir, target.path().join("debug"));
        assert_eq!((place.profile, place.triple), ("dev".into(), None));
    }

    #[test]
    fn a_triple_is_one_level_more() {
        let target = tagged();
        let place = Place::find(&target.path().join("some-triple/release/examples/x")).unwrap();
        assert_eq!(place.target_dir, target.path());
        assert_eq!((place.profile, place.triple), ("release".into(), Some("some-triple".into())));
    }

    #[test]
    fn a_plain_binary_lies_in_the_profile_directory() {
        let target = tagged();
        let place = Place::find(&target.path().join("small/x")).unwrap();
        assert_eq!((place.profile_dir, place.profile), (target.path().join("small"), "small".into()));
    }
}
