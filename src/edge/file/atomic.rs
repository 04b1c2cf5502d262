//! Replacing a file so that every reader sees the old or the new one, whole.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Gid, Mode, OFlags, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;
use rustix::time::Timespec;

/// Owner, group and mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ownership {
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Permission bits.
    pub mode: u32,
}

/// How to write.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options<'a> {
    /// Ownership to give; the writer's own, 0600, otherwise.
    pub ownership: Option<Ownership>,
    /// A file whose extended attributes (`SELinux` label, ACL) are taken over.
    pub attributes_of: Option<&'a File>,
    /// Whether to wait until it is on the disk.
    pub sync: bool,
    /// Modification time in seconds since 1970; now, otherwise.
    pub modified: Option<i64>,
}

/// Which step failed, with the operating system's reason.
#[derive(Debug)]
pub struct WriteError {
    /// A verb phrase: `create a temporary file`.
    pub step: &'static str,
    /// The reason.
    pub error: io::Error,
}

fn step(step: &'static str) -> impl FnOnce(Errno) -> WriteError {
    move |error| WriteError { step, error: error.into() }
}

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Middle of the names of temporary files: `.NAME.netify-licensed-PID-N`.
const MARK: &str = ".netify-licensed-";

/// Writes `bytes` to a temporary file beside `path` and renames it into place.
pub fn replace(path: &Path, bytes: &[u8], options: &Options<'_>) -> Result<(), WriteError> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(WriteError { step: "find the directory of", error: io::ErrorKind::InvalidInput.into() });
    };
    let directory = rustix::fs::open(parent, DIRECTORY, Mode::empty()).map_err(step("open the directory of"))?;
    replace_at(directory.as_fd(), path, name, bytes, options)
}

/// The same of a file in a directory that is held open, also with `O_PATH`. The path is for messages.
pub(in crate::edge) fn replace_at(
    directory: BorrowedFd<'_>,
    path: &Path,
    name: &OsStr,
    bytes: &[u8],
    options: &Options<'_>,
) -> Result<(), WriteError> {
    // One that can be listed and written to disk.
    let directory =
        rustix::fs::openat(directory, ".", DIRECTORY, Mode::empty()).map_err(step("open the directory of"))?;
    sweep_at(directory.as_fd(), name);
    let temporary = temporary_name(name);
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::openat(&directory, &temporary, flags, Mode::from_raw_mode(0o600))
        .map_err(step("create a temporary file beside"))?;
    let done = fill(file, bytes, options).and_then(|()| {
        rustix::fs::renameat(&directory, &temporary, &directory, name).map_err(step("rename the new file to"))
    });
    if let Err(error) = done {
        // Best effort: what stays behind is removed by the next write.
        let _ = rustix::fs::unlinkat(&directory, &temporary, AtFlags::empty());
        return Err(error);
    }
    if options.sync
        && let Err(error) = rustix::fs::fsync(&directory)
        && error != Errno::INVAL
    {
        // The new file is in its place, so this is no failure to replace it. After a loss of power the old one may be
        // back. Some file systems cannot do it at all (EINVAL, fsync(2)).
        let reason = crate::edge::reason(&error.into());
        let parent = path.parent().unwrap_or(path).display();
        tracing::warn!("{parent}: the directory cannot be written to disk: {reason}");
    }
    Ok(())
}

fn fill(file: OwnedFd, bytes: &[u8], options: &Options<'_>) -> Result<(), WriteError> {
    if let Some(ownership) = options.ownership {
        let current = rustix::fs::fstat(&file).map_err(step("look at the new"))?;
        if (current.st_uid, current.st_gid) != (ownership.uid, ownership.gid) {
            let (uid, gid) = (Uid::from_raw(ownership.uid), Gid::from_raw(ownership.gid));
            rustix::fs::fchown(&file, Some(uid), Some(gid)).map_err(step("keep the owner of"))?;
        }
        rustix::fs::fchmod(&file, Mode::from_raw_mode(ownership.mode & 0o777)).map_err(step("keep the mode of"))?;
    }
    if let Some(old) = options.attributes_of {
        copy_attributes(old, &file)?;
    }
    let mut file = File::from(file);
    file.write_all(bytes).map_err(|error| WriteError { step: "write", error })?;
    if let Some(seconds) = options.modified {
        let time = Timespec { tv_sec: seconds, tv_nsec: 0 };
        rustix::fs::futimens(&file, &Timestamps { last_access: time, last_modification: time })
            .map_err(step("date"))?;
    }
    if options.sync {
        file.sync_all().map_err(|error| WriteError { step: "write to disk", error })?;
    }
    Ok(())
}

/// Attributes that belong to the old content: the kernel or its tools make new ones.
const OF_THE_CONTENT: [&[u8]; 3] = [b"security.ima", b"security.evm", b"security.capability"];

/// Largest list of names and largest value of an attribute in bytes (xattr(7)).
const ATTRIBUTE_BYTES: usize = 65_536;

/// `SELinux` label, ACL and the like. A file system that has none is fine.
fn copy_attributes(old: &File, new: &OwnedFd) -> Result<(), WriteError> {
    let failed = || step("keep the attributes of");
    let names = match sized(|room| rustix::fs::flistxattr(old, room)) {
        Ok(names) => names,
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => return Ok(()),
        Err(error) => return Err(failed()(error)),
    };
    for name in names.split(|&byte| byte == 0).filter(|name| !name.is_empty() && !OF_THE_CONTENT.contains(name)) {
        let value = sized(|room| rustix::fs::fgetxattr(old, name, room));
        match value.and_then(|value| rustix::fs::fsetxattr(new, name, &value, XattrFlags::empty())) {
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NODATA) => {}
            // A label that only the security module may set: the directory's default applies.
            Err(Errno::PERM | Errno::ACCESS) if name.starts_with(b"security.") => {}
            Err(error) => return Err(failed()(error)),
        }
    }
    Ok(())
}

/// A value of unknown size.
fn sized(get: impl Fn(&mut [u8]) -> rustix::io::Result<usize>) -> rustix::io::Result<Vec<u8>> {
    let mut value = vec![0; ATTRIBUTE_BYTES];
    let length = get(&mut value)?;
    value.truncate(length);
    Ok(value)
}

fn temporary_name(name: &OsStr) -> PathBuf {
    use std::sync::atomic::{AtomicU32, Ordering};
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    format!(".{}{MARK}{}-{number}", name.to_string_lossy(), std::process::id()).into()
}

/// Removes what a killed writer left beside `path`. Writers hold the lock, so nobody else's temporary file is in use.
pub fn sweep(path: &Path) {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return };
    // A directory that is missing or cannot be read has nothing that could be removed.
    if let Ok(directory) = rustix::fs::open(parent, DIRECTORY, Mode::empty()) {
        sweep_at(directory.as_fd(), name);
    }
}

/// The same in a directory that is held open, also with `O_PATH`.
pub(in crate::edge) fn sweep_at(directory: BorrowedFd<'_>, name: &OsStr) {
    let prefix = format!(".{}{MARK}", name.to_string_lossy());
    let Ok(listed) = rustix::fs::openat(directory, ".", DIRECTORY, Mode::empty()) else { return };
    for found in crate::edge::entries_of(listed).unwrap_or_default() {
        if found.to_string_lossy().starts_with(&prefix) {
            let _ = rustix::fs::unlinkat(directory, found, AtFlags::empty());
        }
    }
}
