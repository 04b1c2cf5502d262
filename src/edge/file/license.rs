//! The license file: read it, replace it, never tear it.

use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::FileType;

use crate::core::engine::FileContent;
use crate::core::license::json::MAX_BYTES;
use crate::core::license::verify::Authentic;
use crate::edge::file::atomic::{self, Options, Ownership, WriteError};
use crate::edge::file::{open, path};
use crate::edge::{mounts, reason};

/// Its path in the configuration.
const SETTING: &str = "license.path";

/// What a stat(2) tells about a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    identity: (u64, u64),
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
    mode: u32,
}

impl Stamp {
    /// Only which file it is, for directories: their other values change with their content.
    #[must_use]
    pub const fn identity_only(self) -> Self {
        Self { identity: self.identity, size: 0, modified: (0, 0), changed: (0, 0), mode: 0 }
    }
}

/// The file's stamp; [`None`] when there is no file.
#[must_use]
pub fn stamp(path: &Path) -> Option<Stamp> {
    let meta = std::fs::metadata(path).ok()?;
    Some(Stamp {
        identity: (meta.dev(), meta.ino()),
        size: meta.size(),
        modified: (meta.mtime(), meta.mtime_nsec()),
        changed: (meta.ctime(), meta.ctime_nsec()),
        mode: meta.mode(),
    })
}

/// Reads the file, at most one byte more than a license may have.
#[must_use]
pub fn read(path: &Path) -> FileContent {
    match path::open_through_own_links(path).and_then(|(file, _)| open::bounded(file, MAX_BYTES + 1)) {
        Ok(bytes) => FileContent::Bytes(bytes),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => FileContent::Missing,
        Err(error) => {
            FileContent::Unreadable(format!("{}: cannot read the license: {}", path.display(), reason(&error)))
        }
    }
}

/// Whether it is this user's rights that keep it from reading the file.
#[must_use]
pub fn is_forbidden(path: &Path) -> bool {
    open::is_forbidden(path)
}

/// Whether this user may not even look at it, for its directory is closed.
#[must_use]
pub fn is_hidden(path: &Path) -> bool {
    std::fs::metadata(path).is_err_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied)
}

/// Reads a document from standard input, at most one byte more than a license may have.
pub fn read_stdin() -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::io::stdin().lock().take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Replaces the file by a verified license. The error is one sentence with the path and a remedy; then the old file is
/// as it was.
pub fn install(path: &Path, license: &Authentic, modified: Option<i64>) -> Result<(), String> {
    let mut place = path::resolve(path, SETTING)?;
    let target = place.path().to_path_buf();
    let failed = |step| move |error| WriteError { step, error };
    let explained = |error: WriteError| explain(&target, &error);
    let old = place.look().map_err(failed("look at")).map_err(explained)?;
    let ownership = match &old {
        Some(stat) => Ownership { uid: stat.st_uid, gid: stat.st_gid, mode: stat.st_mode & 0o777 },
        None => Ownership {
            uid: rustix::process::geteuid().as_raw(),
            gid: netifyd_group()
                .map_err(failed("find netifyd's group in /etc/group for"))
                .map_err(explained)?
                .unwrap_or_else(|| rustix::process::getegid().as_raw()),
            mode: 0o640,
        },
    };
    if old.is_none() {
        place.create_directories().map_err(failed("create the directory of")).map_err(explained)?;
    }
    let is_file = old.is_some_and(|stat| FileType::from_raw_mode(stat.st_mode).is_file());
    let old = is_file.then(|| place.open()).transpose().map_err(failed("keep the attributes of")).map_err(explained)?;
    let options =
        Options { ownership: Some(ownership), attributes_of: old.as_ref().map(|(file, _)| file), sync: true, modified };
    let directory = place.directory().map_err(failed("open the directory of")).map_err(explained)?;
    atomic::replace_at(directory, &target, place.name(), license.bytes(), &options).map_err(explained)
}

/// Removes the file.
pub fn remove(path: &Path) -> Result<(), String> {
    let place = path::resolve(path, SETTING)?;
    place.remove().map(drop).map_err(|error| explain(place.path(), &WriteError { step: "remove", error }))
}

/// Removes what a killed writer left beside the file. Only for those who hold the lock.
pub fn sweep(path: &Path) {
    if let Ok(place) = path::resolve(path, SETTING)
        && let Ok(directory) = place.directory()
    {
        atomic::sweep_at(directory, place.name());
    }
}

fn explain(path: &Path, error: &WriteError) -> String {
    let remedy = mounts::remedy(path, &error.error, "other-license-path.conf");
    let remedy = remedy.unwrap_or_else(|| "the license there is unchanged".to_owned());
    format!("cannot {} {}: {}; {remedy}", error.step, path.display(), reason(&error.error))
}

/// The group that netifyd runs in, if it has one of its own.
fn netifyd_group() -> std::io::Result<Option<u32>> {
    let groups = match std::fs::read_to_string("/etc/group") {
        Ok(groups) => groups,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let id = |name: &str| {
        groups.lines().find_map(|line| {
            let mut fields = line.split(':');
            (fields.next() == Some(name)).then(|| fields.nth(1)?.parse().ok())?
        })
    };
    Ok(id("netify").or_else(|| id("netifyd")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_byte_more_than_a_license_may_have_is_read_and_no_more() {
        let directory = test_support::temp_dir().expect("a directory");
        let path = directory.path().join("license.json");
        assert_eq!(read(&path), FileContent::Missing);
        for (has, read_of_it) in
            [(MAX_BYTES, MAX_BYTES), (MAX_BYTES + 1, MAX_BYTES + 1), (MAX_BYTES * 2, MAX_BYTES + 1)]
        {
            std::fs::write(&path, vec![b'x'; has]).expect("written");
            assert_eq!(read(&path), FileContent::Bytes(vec![b'x'; read_of_it]));
        }
        let FileContent::Unreadable(sentence) = read(directory.path()) else { unreachable!("a directory") };
        assert!(sentence.ends_with(": cannot read the license: is a directory"), "{sentence}");
    }

    #[test]
    fn a_file_is_told_from_the_one_that_was_there_before() {
        let directory = test_support::temp_dir().expect("a directory");
        let path = directory.path().join("license.json");
        assert_eq!(stamp(&path), None);
        let place = || stamp(directory.path()).map(Stamp::identity_only);
        let empty = place();
        std::fs::write(&path, "1").expect("written");
        let first = stamp(&path);
        assert_eq!((first.is_some(), stamp(&path)), (true, first));
        std::fs::write(&path, "22").expect("written");
        assert_ne!(stamp(&path), first, "another size");
        assert_eq!(place(), empty, "the directory is the same one, whatever is in it");
        assert_ne!(stamp(&path).map(Stamp::identity_only), empty);
    }

    #[test]
    fn what_is_not_there_need_not_be_removed() {
        let directory = test_support::temp_dir().expect("a directory");
        let path = directory.path().join("license.json");
        let leftover = directory.path().join(".license.json.netify-licensed-4711-0");
        for file in [&path, &leftover] {
            std::fs::write(file, "x").expect("written");
        }
        sweep(&path);
        assert_eq!((path.exists(), leftover.exists()), (true, false));
        assert_eq!((remove(&path), path.exists()), (Ok(()), false));
        assert_eq!(remove(&path), Ok(()));
        let refused = remove(directory.path()).expect_err("a directory");
        assert!(
            refused.starts_with(&format!("cannot remove {}: is a directory", directory.path().display())),
            "{refused}"
        );
    }
}
