//! Regular files: opened without waiting for anybody, and read no further than agreed.

use std::ffi::OsStr;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{Error, ErrorKind, Read, Result};
use std::os::fd::BorrowedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::core::text::without_mark;

/// Opens a file to read it. A FIFO without a writer, a device and a directory are errors at once: one thread serves all
/// of the daemon. Files of procfs and sysfs are regular ones.
pub(in crate::edge) fn open(path: &Path) -> Result<(File, Metadata)> {
    open_as(File::options().read(true), path, OFlags::empty())
}

/// The same of a file of our own, which is never a link. Its directory belongs to the daemon's user, whom root must not
/// follow out of it.
pub(in crate::edge) fn open_own(path: &Path) -> Result<(File, Metadata)> {
    open_as(File::options().read(true), path, OFlags::NOFOLLOW)
}

/// Opens a file in whatever way.
pub(in crate::edge) fn open_as(how: &mut OpenOptions, path: &Path, more: OFlags) -> Result<(File, Metadata)> {
    #[allow(clippy::cast_possible_wrap)]
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC | more).bits() as i32;
    let file = how.custom_flags(flags).open(path).map_err(|error| {
        match error.raw_os_error().map(Errno::from_raw_os_error) {
            // open(2) of a socket, and of a link that is not followed.
            Some(Errno::NXIO) => other(),
            Some(Errno::LOOP) if more.contains(OFlags::NOFOLLOW) => other(),
            _ => error,
        }
    })?;
    regular(file)
}

/// Opens a file in a directory that is held open, to read it. A link is refused.
pub(in crate::edge) fn open_at(directory: BorrowedFd<'_>, name: &OsStr) -> Result<(File, Metadata)> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    match rustix::fs::openat(directory, name, flags, Mode::empty()) {
        Ok(file) => regular(File::from(file)),
        Err(Errno::NXIO | Errno::LOOP) => Err(other()),
        Err(error) => Err(error.into()),
    }
}

fn regular(file: File) -> Result<(File, Metadata)> {
    let meta = file.metadata()?;
    if meta.is_dir() {
        return Err(ErrorKind::IsADirectory.into());
    }
    if meta.is_file() { Ok((file, meta)) } else { Err(other()) }
}

/// Whether this user may not read it, and nothing else is known of it.
pub(in crate::edge) fn is_forbidden(path: &Path) -> bool {
    open(path).is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
}

/// All of a file that has at most `longest` bytes.
pub(in crate::edge) fn read(path: &Path, longest: usize) -> Result<Vec<u8>> {
    rest(open(path)?.0, longest)
}

/// A text that a person wrote, without a byte order mark.
pub(in crate::edge) fn text(bytes: Vec<u8>) -> Vec<u8> {
    let plain = without_mark(&bytes);
    if plain.len() == bytes.len() { bytes } else { plain.to_vec() }
}

/// All of a file of our own that has at most `longest` bytes.
pub(in crate::edge) fn read_own(path: &Path, longest: usize) -> Result<Vec<u8>> {
    rest(open_own(path)?.0, longest)
}

/// All of an opened file that has at most `longest` bytes.
pub(in crate::edge) fn rest(file: File, longest: usize) -> Result<Vec<u8>> {
    let bytes = bounded(file, longest + 1)?;
    if bytes.len() > longest {
        return Err(Error::other(format!("it is longer than {longest} bytes; is this the right file?")));
    }
    Ok(bytes)
}

/// The first bytes of an opened file, at most so many.
pub(in crate::edge) fn bounded(file: File, most: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(most as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn other() -> Error {
    Error::other("it is not a regular file")
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use rustix::fs::{CWD, FileType, mknodat};

    use super::*;

    #[test]
    fn nothing_but_a_regular_file_is_waited_for_or_read() {
        let directory = test_support::temp_dir().expect("a directory");
        let path = |name: &str| directory.path().join(name);
        mknodat(CWD, path("fifo"), FileType::Fifo, 0o600.into(), 0).expect("a FIFO");
        let _listener = UnixListener::bind(path("socket")).expect("a socket");
        std::os::unix::fs::symlink("/dev/zero", path("endless")).expect("a link");
        for name in ["fifo", "socket", "endless"] {
            let error = read(&path(name), 10).expect_err("refused");
            assert_eq!(crate::edge::reason(&error), "it is not a regular file", "{name}");
        }
        // A file of our own is no link, wherever that leads to.
        std::fs::write(path("file"), "x").expect("written");
        std::os::unix::fs::symlink("file", path("link")).expect("a link");
        assert_eq!(read(&path("link"), 10).expect("it is followed"), b"x");
        let error = read_own(&path("link"), 10).expect_err("refused");
        assert_eq!(crate::edge::reason(&error), "it is not a regular file");
        assert_eq!(read_own(&path("file"), 10).expect("a file"), b"x");
        assert_eq!(read(directory.path(), 10).map_err(|error| error.kind()), Err(ErrorKind::IsADirectory));
        assert_eq!(read(&path("none"), 10).map_err(|error| error.kind()), Err(ErrorKind::NotFound));
    }

    #[test]
    fn no_further_than_agreed() {
        let directory = test_support::temp_dir().expect("a directory");
        let path = directory.path().join("file");
        std::fs::write(&path, "0123456789").expect("written");
        assert_eq!(read(&path, 10).expect("it fits"), b"0123456789");
        assert!(read(&path, 9).is_err_and(|error| error.to_string().contains("longer than 9 bytes")));
        assert_eq!(bounded(open(&path).expect("opened").0, 4).expect("its start"), b"0123");
        // The kernel's own files say that they are empty.
        assert!(!read(Path::new("/proc/self/stat"), 4_096).expect("it is read").is_empty());
    }
}
