//! The license file: read it, replace it, never tear it.

use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::atomic::{self, Options, Ownership, WriteError};
use super::{places, reason};
use crate::core::engine::FileContent;
use crate::core::json::MAX_BYTES;
use crate::core::verify::Authentic;

/// Symbolic links that are followed at most.
const MAX_LINKS: usize = 8;

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
    match read_bounded(path) {
        Ok(bytes) => FileContent::Bytes(bytes),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => FileContent::Missing,
        Err(error) => {
            FileContent::Unreadable(format!("{}: cannot read the license: {}", path.display(), reason(&error)))
        }
    }
}

/// Reads a document from standard input, at most one byte more than a license may have.
pub fn read_stdin() -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::io::stdin().lock().take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn read_bounded(path: &Path) -> std::io::Result<Vec<u8>> {
    // O_NONBLOCK: a FIFO in the license's place must not stop the daemon.
    let flags = (OFlags::NONBLOCK | OFlags::CLOEXEC).bits();
    #[allow(clippy::cast_possible_wrap)]
    let file = std::fs::OpenOptions::new().read(true).custom_flags(flags as i32).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(std::io::Error::other("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Replaces the file by a verified license. The error is one sentence with the path and a remedy; then the old file is
/// as it was.
pub fn install(path: &Path, license: &Authentic, modified: Option<i64>) -> Result<(), String> {
    let target = resolve(path)?;
    let directory = target.parent().unwrap_or(Path::new("/"));
    let group = netifyd_group();
    if !directory.exists() {
        places::create(directory, 0o755)?;
    }
    let old = std::fs::symlink_metadata(&target).ok();
    let ownership = match &old {
        Some(meta) => Ownership { uid: meta.uid(), gid: meta.gid(), mode: meta.mode() & 0o777 },
        None => Ownership {
            uid: rustix::process::geteuid().as_raw(),
            gid: group.unwrap_or_else(|| rustix::process::getegid().as_raw()),
            mode: 0o640,
        },
    };
    let options = Options {
        ownership: Some(ownership),
        attributes_of: old.is_some().then_some(target.as_path()),
        sync: true,
        modified,
    };
    atomic::replace(&target, license.bytes(), &options).map_err(|error| explain(&target, &error))
}

/// Removes the file.
pub fn remove(path: &Path) -> Result<(), String> {
    let target = resolve(path)?;
    match std::fs::remove_file(&target) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(format!("{}: cannot remove it: {}", target.display(), reason(&error))),
    }
}

fn explain(path: &Path, error: &WriteError) -> String {
    use rustix::io::Errno;
    let remedy = match error.error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::BUSY) => "the file itself is a mount point and cannot be replaced; mount its directory instead",
        Some(Errno::ROFS) => "the file system is read-only; remount it writable",
        Some(Errno::NOSPC) => "the file system is full; free some space",
        Some(Errno::DQUOT) => "the quota is used up; free some space",
        Some(Errno::ACCESS | Errno::PERM) => {
            "run as root, or give this user the rights to the directory and the owner of the file"
        }
        Some(Errno::IO) => "the device reports errors; check the storage",
        _ => "the license there is unchanged",
    };
    format!("cannot {} {}: {}; {remedy}", error.step, path.display(), reason(&error.error))
}

/// Follows symbolic links on purpose: the file at their end is replaced, not the link. Nobody else may be able to bend
/// the way there.
fn resolve(path: &Path) -> Result<PathBuf, String> {
    let mut current = path.to_path_buf();
    for _ in 0..MAX_LINKS {
        let parent = current.parent().unwrap_or(Path::new("/")).to_path_buf();
        let Ok(real) = std::fs::canonicalize(&parent) else {
            return Ok(current); // A directory that is missing is created under this name.
        };
        let place = real.join(current.file_name().unwrap_or_default());
        if place != path {
            check_way(path, &real)?;
        }
        let Ok(link) = std::fs::read_link(&place) else { return Ok(place) };
        check_way(path, &real)?;
        current = real.join(link);
    }
    Err(format!("{}: more than {MAX_LINKS} symbolic links; set license.path to the file itself", path.display()))
}

fn check_way(path: &Path, directory: &Path) -> Result<(), String> {
    for element in directory.ancestors() {
        let Ok(meta) = std::fs::metadata(element) else { continue };
        let (others, sticky) = (meta.mode() & 0o002 != 0, meta.mode() & 0o1000 != 0);
        if others && !sticky {
            return Err(format!(
                "{} leads through {}, which everybody can write to; remove that right (chmod o-w) or set license.path to the file itself",
                path.display(),
                element.display()
            ));
        }
    }
    Ok(())
}

/// The group that netifyd runs in, if it has one of its own.
fn netifyd_group() -> Option<u32> {
    let groups = std::fs::read_to_string("/etc/group").ok()?;
    let id = |name: &str| {
        groups.lines().find_map(|line| {
            let mut fields = line.split(':');
            (fields.next() == Some(name)).then(|| fields.nth(1)?.parse().ok())?
        })
    };
    id("netify").or_else(|| id("netifyd"))
}
