//! One writer at a time: flock(2) in the runtime directory. The kernel drops it with the process, so none is ever stale.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};

use super::{identity, places, reason};

/// How often the lock is taken again when its file is deleted at that very moment.
const TRIES: u8 = 8;

/// Who holds the lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// `run` for the daemon, else the name of the command.
    pub role: String,
    /// Its process id.
    pub pid: u32,
}

/// Held until dropped.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    file: File,
}

impl Lock {
    /// Whether others meet it: a lock on a file that was deleted keeps nobody out.
    #[must_use]
    pub fn is_met(&self) -> bool {
        is_at(&self.file, &self.path)
    }

    /// Takes it again when its file was deleted or replaced. True when that was so.
    pub fn renew(&mut self, role: &str) -> Result<bool, LockError> {
        if self.is_met() {
            return Ok(false);
        }
        match take(&self.path, role) {
            // A file system that numbers its files anew.
            Err(LockError::Held(Some(holder))) if holder.pid == std::process::id() => Ok(false),
            Err(error) => Err(error),
            Ok(lock) => {
                *self = lock;
                Ok(true)
            }
        }
    }
}

/// Whether the path still leads to this file. What cannot be looked at counts as unchanged.
fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(meta), Ok(found)) => identity(&meta) == identity(&found),
        (_, Err(error)) => error.kind() != ErrorKind::NotFound,
        (Err(_), _) => true,
    }
}

/// Why the lock cannot be had.
#[derive(Debug)]
pub enum LockError {
    /// Somebody else holds it.
    Held(Option<Holder>),
    /// One sentence.
    Failed(String),
}

/// Tries to take the lock for `role`.
pub fn take(path: &Path, role: &str) -> Result<Lock, LockError> {
    let mut lock = take_once(path, role)?;
    for _ in 0..TRIES {
        // Its file may have been deleted between open(2) and flock(2).
        if lock.is_met() {
            break;
        }
        lock = take_once(path, role)?;
    }
    Ok(lock)
}

fn take_once(path: &Path, role: &str) -> Result<Lock, LockError> {
    if let Some(directory) = path.parent().filter(|directory| !directory.exists()) {
        places::create(directory, 0o755).map_err(LockError::Failed)?;
    }
    let failed = |error: std::io::Error| {
        let remedy = super::remedy(&error).map_or_else(String::new, |remedy| format!("; {remedy}"));
        LockError::Failed(format!("{}: cannot lock it: {}{remedy}", path.display(), reason(&error)))
    };
    let mut file = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(failed)?;
    // Whoever can open the file can lock it too, and so keep the daemon from ever starting: nobody else may.
    // Failing to say so is the owner's business; the lock itself is had all the same.
    let _ = file.set_permissions(std::fs::Permissions::from_mode(0o600));
    // A command that root runs first must leave a lock that the daemon's own user can take.
    if let Some(meta) = path.parent().and_then(|directory| std::fs::metadata(directory).ok())
        && rustix::process::geteuid().is_root()
        && meta.uid() != 0
    {
        let _ = std::os::unix::fs::fchown(&file, Some(meta.uid()), Some(meta.gid()));
    }
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => return Err(LockError::Held(read_holder(&mut file))),
        Err(error) => return Err(failed(error.into())),
    }
    // Who holds it is a courtesy to those who wait: a full or failing file system must not keep a license from renewal.
    let _ = file.set_len(0).and_then(|()| writeln!(file, "{role} {}", std::process::id()));
    Ok(Lock { path: path.to_path_buf(), file })
}

/// Takes the lock, waiting while another command (not the daemon) holds it.
pub async fn take_waiting(path: &Path, role: &str, longest: Duration) -> Result<Lock, LockError> {
    let deadline = tokio::time::Instant::now() + longest;
    loop {
        match take(path, role) {
            Err(LockError::Held(holder)) if holder.as_ref().is_none_or(|holder| holder.role != "run") => {
                if tokio::time::Instant::now() >= deadline {
                    return Err(LockError::Held(holder));
                }
                // flock(2) has no asynchronous form; commands are short.
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            other => return other,
        }
    }
}

fn read_holder(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.take(64).read_to_string(&mut text).ok()?;
    let (role, pid) = text.trim().split_once(' ')?;
    Some(Holder { role: role.to_owned(), pid: pid.parse().ok()? })
}
