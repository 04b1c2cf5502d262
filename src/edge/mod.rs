//! The I/O layer, without decisions: one small file for each thing touched.
#![allow(clippy::disallowed_methods, reason = "files, clocks and processes are touched here and nowhere else")]

pub mod clock;
pub mod config_file;
pub mod control;
pub mod credential;
pub mod device;
pub mod dirs;
pub mod file;
pub mod heartbeat;
pub mod helper;
pub mod hub;
pub mod last_good;
pub mod log;
pub mod mounts;
pub mod netifyd;
pub mod process;
pub mod sandbox;
pub mod secret;
pub mod service_manager;
pub mod signals;
pub mod terminal;
pub mod trusted_keys;

use std::os::fd::OwnedFd;

use rustix::fs::OFlags;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// An error of the operating system, without its number.
#[must_use]
pub fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    let plain = text.split(" (os error").next().unwrap_or(&text);
    let mut letters = plain.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

/// The names in a directory. Unlike `std::fs::read_dir`, a failing close(2) does not end the program.
fn entries(directory: &std::path::Path) -> std::io::Result<Vec<std::ffi::OsString>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    entries_of(rustix::fs::open(directory, flags, rustix::fs::Mode::empty())?)
}

/// The names in an opened directory.
fn entries_of(directory: OwnedFd) -> std::io::Result<Vec<std::ffi::OsString>> {
    use std::os::unix::ffi::OsStrExt;
    let mut names = Vec::new();
    for entry in rustix::fs::Dir::new(directory)? {
        let entry = entry?;
        let name = std::ffi::OsStr::from_bytes(entry.file_name().to_bytes());
        if name != "." && name != ".." {
            names.push(name.to_os_string());
        }
    }
    Ok(names)
}

/// Which file it is, whatever it is called: device and inode.
fn identity(meta: &std::fs::Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    (meta.dev(), meta.ino())
}

/// What an operator has to do about a failure to write, where that is known.
#[must_use]
pub fn remedy(error: &std::io::Error) -> Option<&'static str> {
    use rustix::io::Errno;
    Some(match error.raw_os_error().map(Errno::from_raw_os_error)? {
        Errno::BUSY => "the file itself is a mount point and cannot be replaced; mount its directory instead",
        // The system's own words say what it is.
        Errno::ROFS => "remount it writable",
        Errno::NOSPC | Errno::DQUOT => "free some space",
        Errno::ACCESS | Errno::PERM => {
            "run as root, or give this user the rights to the directory and the owner of the file"
        }
        Errno::IO => "the device reports errors; check the storage",
        _ => return None,
    })
}

/// A descriptor that the event loop waits on, to be read.
fn readable(fd: OwnedFd) -> std::io::Result<AsyncFd<OwnedFd>> {
    watched(fd, Interest::READABLE)
}

/// A descriptor that the event loop waits on.
#[expect(deprecated, reason = "its successor is unsafe for types that may change their descriptor; an OwnedFd cannot")]
fn watched(fd: OwnedFd, interest: Interest) -> std::io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(fd, interest)
}
