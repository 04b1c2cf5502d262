//! One writer at a time: flock(2) in the runtime directory. The kernel drops it with the process, so none is ever stale.

use std::fs::File;
use std::io::{Error, ErrorKind, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, OFlags, flock};

use crate::core::text::one_line;
use crate::edge::file::open;
use crate::edge::{dirs, identity, process, reason};

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
    match (file.metadata(), std::fs::symlink_metadata(path)) {
        (Ok(meta), Ok(found)) => identity(&meta) == identity(&found),
        (_, Err(error)) => error.kind() != ErrorKind::NotFound,
        (Err(_), _) => true,
    }
}

/// Why the lock cannot be had.
#[derive(Debug)]
pub enum LockError {
    /// Another process holds it.
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
        dirs::create(directory, 0o755).map_err(LockError::Failed)?;
    }
    let failed = |error: Error| {
        let remedy = crate::edge::remedy(&error).or_else(|| (error.kind() == ErrorKind::Other).then_some("remove it"));
        let remedy = remedy.map_or_else(String::new, |remedy| format!("; {remedy}"));
        LockError::Failed(format!("{}: cannot lock it: {}{remedy}", path.display(), reason(&error)))
    };
    let mut file = open(path).map_err(failed)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => return Err(LockError::Held(read_holder(&mut file))),
        Err(error) => return Err(failed(error.into())),
    }
    // Who holds it is a courtesy to those who wait: a full or failing file system must not keep a license from renewal.
    let _ = file.set_len(0).and_then(|()| writeln!(file, "{role} {}", std::process::id()));
    Ok(Lock { path: path.to_path_buf(), file })
}

/// Opens the lock's file, or creates it. The directory belongs to the daemon's user, who may have put there whatever
/// would have root harm another file: so no link is followed, and what was there before has to be a file of the
/// directory's owner, who could do to it all that is done here.
fn open(path: &Path) -> std::io::Result<File> {
    let home = std::fs::metadata(path.parent().unwrap_or(Path::new("/")))?;
    let mut how = File::options();
    how.read(true).write(true).mode(0o600);
    match open::open_as(how.clone().create_new(true), path, OFlags::NOFOLLOW) {
        Ok((file, meta)) => {
            // A command that root runs first must leave a lock that the daemon's own user can take.
            if process::is_root() && meta.uid() != home.uid() {
                let _ = fchown(&file, Some(home.uid()), Some(home.gid()));
            }
            Ok(file)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let (file, meta) = open::open_as(&mut how, path, OFlags::NOFOLLOW)?;
            if process::is_root() && meta.uid() != home.uid() {
                return Err(Error::other("it belongs to another user than its directory"));
            }
            // Whoever can open the file can lock it too, and so keep the daemon from ever starting: nobody else may.
            // Failing to say so is the owner's business; the lock itself is had all the same.
            let _ = file.set_permissions(std::fs::Permissions::from_mode(0o600));
            Ok(file)
        }
        Err(error) => Err(error),
    }
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

/// Who holds the lock, as far as its file says.
#[must_use]
pub fn holder(path: &Path) -> Option<Holder> {
    read_holder(&mut open::open_own(path).ok()?.0)
}

fn read_holder(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.take(64).read_to_string(&mut text).ok()?;
    let (role, pid) = text.trim().split_once(' ')?;
    Some(Holder { role: one_line(role), pid: pid.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rustix::fs::{CWD, FileType, mknodat};

    use super::*;

    fn refusal(path: &Path) -> String {
        match take(path, "renew") {
            Err(LockError::Failed(sentence)) => sentence,
            other => unreachable!("{other:?}"),
        }
    }

    fn of(path: &Path) -> (u32, u32, u32, String) {
        let meta = fs::metadata(path).expect("a file");
        (meta.uid(), meta.gid(), meta.mode() & 0o7777, fs::read_to_string(path).expect("text"))
    }

    #[test]
    fn what_the_daemon_s_user_has_put_there_harms_no_other_file() {
        let directory = test_support::temp_dir().expect("a directory");
        let home = directory.path().join("run");
        let (lock, victim) = (home.join("lock"), directory.path().join("shadow"));
        fs::create_dir(&home).expect("a directory");
        fs::write(&victim, "secret").expect("written");
        fs::set_permissions(&victim, fs::Permissions::from_mode(0o640)).expect("chmod");
        let before = of(&victim);
        let refused = |words: &str| {
            let sentence = refusal(&lock);
            assert_eq!(sentence, format!("{}: cannot lock it: {words}; remove it", lock.display()));
            assert_eq!(of(&victim), before);
            fs::remove_file(&lock).expect("removed");
        };
        std::os::unix::fs::symlink(&victim, &lock).expect("a link");
        refused("it is not a regular file");
        std::os::unix::fs::symlink(directory.path().join("created"), &lock).expect("a link");
        refused("it is not a regular file");
        assert!(!directory.path().join("created").exists());
        mknodat(CWD, &lock, FileType::Fifo, 0o600.into(), 0).expect("a FIFO");
        refused("it is not a regular file");
        if !process::is_root() {
            return;
        }
        std::os::unix::fs::chown(&home, Some(4_242), Some(4_243)).expect("chown");
        fs::hard_link(&victim, &lock).expect("a link");
        refused("it belongs to another user than its directory");
        // What root leaves behind is the daemon's, and taken by either.
        for role in ["renew", "install"] {
            drop(take(&lock, role).expect("it is free"));
            assert_eq!(of(&lock), (4_242, 4_243, 0o600, format!("{role} {}\n", std::process::id())));
            fs::set_permissions(&lock, fs::Permissions::from_mode(0o666)).expect("chmod");
        }
    }

    #[test]
    fn a_holder_s_name_does_nothing_to_a_terminal() {
        let directory = test_support::temp_dir().expect("a directory");
        let path = directory.path().join("lock");
        let mut held = take(&path, "run").expect("it is free");
        held.file.rewind().and_then(|()| held.file.write_all(b"\x1b[2Jrun 17\n")).expect("written");
        let Err(LockError::Held(Some(holder))) = take(&path, "renew") else { unreachable!("it is held") };
        assert_eq!(holder, Holder { role: "[2Jrun".to_owned(), pid: 17 });
    }
}
