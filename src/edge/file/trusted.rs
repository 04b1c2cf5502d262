//! Files that decide what this program believes and does: configuration, keys, certificates, secrets, programs. One that
//! other users could have written, or could replace, is not read.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::edge::file::{open, path};

/// Why such a file is not read.
#[derive(Debug)]
pub(in crate::edge) enum Refused {
    /// The operating system's reason.
    Unreadable(io::Error),
    /// Others could have written it: one clause with a remedy.
    Untrusted(String),
}

impl Refused {
    /// One clause.
    pub(in crate::edge) fn clause(&self) -> String {
        match self {
            Self::Unreadable(error) => crate::edge::reason(error),
            Self::Untrusted(why) => why.clone(),
        }
    }

    /// Whether nothing is there.
    pub(in crate::edge) fn is_missing(&self) -> bool {
        matches!(self, Self::Unreadable(error) if error.kind() == io::ErrorKind::NotFound)
    }

    /// Whether this user may not read it.
    pub(in crate::edge) fn is_forbidden(&self) -> bool {
        matches!(self, Self::Unreadable(error) if error.kind() == io::ErrorKind::PermissionDenied)
    }
}

/// Opens a file that nobody but root and the own user may write, replace, or put another link in the place of.
pub(in crate::edge) fn open(path: &Path) -> Result<(File, Metadata), Refused> {
    let (file, meta, way) = path::open_and_judge(path).map_err(Refused::Unreadable)?;
    guarded(path, &meta).and(way).map_err(Refused::Untrusted)?;
    Ok((file, meta))
}

/// All of such a file that has at most `longest` bytes, without a byte order mark: people write them.
pub(in crate::edge) fn read(path: &Path, longest: usize) -> Result<Vec<u8>, Refused> {
    open::rest(open(path)?.0, longest).map(open::text).map_err(Refused::Unreadable)
}

/// A directory whose entries are such files.
///
/// Kubernetes mounts Secrets and ConfigMaps as directories of root's where all may write, sticky or read-only. What nobody
/// but root can put there, and others cannot move, is root's word; each entry is judged by itself.
pub(in crate::edge) fn directory(path: &Path, meta: &Metadata) -> Result<(), String> {
    let is_sticky = meta.mode() & 0o1000 != 0;
    let is_roots_mount = meta.uid() == 0 && (is_sticky || is_on_read_only_mount(path));
    let own = if is_roots_mount { Ok(()) } else { guarded(path, meta) };
    own.and_then(|()| path::trusted(path, "trust.keys"))
}

/// Whether nobody can write there by this path.
pub(in crate::edge) fn is_on_read_only_mount(path: &Path) -> bool {
    rustix::fs::statvfs(path).is_ok_and(|at| at.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY))
}

/// Whether a program may be run: the file that is going to be executed, not its interpreter or what it reads. What is not
/// there, or cannot be looked at, fails by itself when it is started.
pub(in crate::edge) fn program(path: &Path) -> Result<(), String> {
    let Ok(meta) = std::fs::metadata(path) else { return Ok(()) };
    guarded(path, &meta).and_then(|()| path::trusted(path, "the command"))
}

/// Only root and the own user may be able to write; not even the own group, whose members may have licenses installed
/// through the control socket, and so must not decide which ones are genuine.
fn guarded(path: &Path, meta: &Metadata) -> Result<(), String> {
    let name = path.display();
    if meta.mode() & 0o022 != 0 {
        let mode = meta.mode() & 0o7777;
        return Err(format!("others may write to it (mode {mode:04o}), so it is not trusted; run: chmod go-w {name}"));
    }
    if meta.uid() != 0 && meta.uid() != rustix::process::geteuid().as_raw() {
        return Err(format!("it belongs to another user, so it is not trusted; run: chown root {name}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_others_can_write_own_or_replace_is_not_trusted() {
        let directory = test_support::temp_dir().expect("a directory");
        let home = directory.path().join("home");
        std::fs::create_dir(&home).expect("a directory");
        let file = home.join("file");
        std::fs::write(&file, "x").expect("written");
        let chmod = |path: &Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("chmod");
        };
        let refused = || match (read(&file, 10), program(&file)) {
            (Ok(_), Ok(())) => String::new(),
            (Err(Refused::Untrusted(why)), Err(same)) if why == same => why,
            other => unreachable!("{other:?}"),
        };
        chmod(&home, 0o755);
        chmod(&file, 0o644);
        assert_eq!(refused(), "");
        chmod(&file, 0o664);
        assert!(refused().ends_with(&format!("(mode 0664), so it is not trusted; run: chmod go-w {}", file.display())));
        chmod(&file, 0o644);
        chmod(&home, 0o775);
        assert!(refused().ends_with(&format!("remove that right (chmod go-w {})", home.display())));
        chmod(&home, 0o755);
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(&file, Some(4_241), None).expect("chown");
            assert!(refused().ends_with(&format!("run: chown root {}", file.display())));
        }
        let missing = read(&home.join("none"), 10).expect_err("nothing is there");
        assert!(missing.is_missing() && missing.clause() == "no such file or directory");
    }
}
