//! Whether a directory can take a file, found out without writing one.

use std::path::Path;

use crate::core::engine::Room;
use rustix::fs::{Access, AtFlags, CWD, StatVfsMountFlags, accessat, statvfs};

/// What one license with its temporary copy and the state files take, generously, in bytes.
const NEEDED: u64 = 256 * 1024;

/// Why a directory cannot take a file: one clause, and what to do.
#[must_use]
pub fn trouble(directory: &Path) -> Option<(String, String)> {
    lacks(directory, NEEDED)
}

/// Whether a license of so many bytes can be written beside the one that lies there, as far as that can be seen without
/// a write.
#[must_use]
pub fn room(license: &Path, bytes: u64) -> Room {
    match license.parent().filter(|directory| directory.exists()) {
        // A directory that is missing is made by the write.
        None => Room::Unknown,
        Some(directory) => lacks(directory, bytes).map_or(Room::Free, |(what, _)| Room::Blocked(what)),
    }
}

/// The same for a file of so many bytes.
fn lacks(directory: &Path, needed: u64) -> Option<(String, String)> {
    let name = directory.display();
    let space = match statvfs(directory) {
        Ok(space) => space,
        Err(error) => {
            let error = std::io::Error::from(error);
            return Some((format!("{name}: {}", crate::edge::reason(&error)), format!("create {name}, or mount it")));
        }
    };
    let available = space.f_bavail.saturating_mul(space.f_frsize);
    if space.f_flag.contains(StatVfsMountFlags::RDONLY) {
        return Some((format!("{name} is on a read-only file system"), "remount it writable".to_owned()));
    }
    // The file system counts in whole blocks, and the directory may need one more.
    if available < needed.next_multiple_of(space.f_frsize.max(1)) {
        let what = format!("{name} has {} KiB left", available / 1024);
        return Some((what, format!("free at least {} KiB there", needed.div_ceil(1024))));
    }
    // A file system without a fixed number of files says 0 of 0.
    if space.f_files > 0 && space.f_favail == 0 {
        return Some((format!("{name} has no file entry (inode) left"), "delete files there".to_owned()));
    }
    None
}

/// Whether this user may create files in a directory.
#[must_use]
pub fn may_write(directory: &Path) -> bool {
    accessat(CWD, directory, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS).is_ok()
}
