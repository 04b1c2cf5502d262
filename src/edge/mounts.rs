//! How a place is mounted: a sandbox, or a mount of its own, makes read-only what can be written elsewhere.

use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

/// What to do about a failure to write to `path`; `drop_in` is the example that has the packaged service's sandbox allow it.
#[must_use]
pub fn remedy(path: &Path, error: &io::Error, drop_in: &str) -> Option<String> {
    let is_read_only = error.raw_os_error().map(Errno::from_raw_os_error) == Some(Errno::ROFS);
    // Set for every service (systemd.exec(5)). Elsewhere a read-only mount is an administrator's, who can remount it.
    if is_read_only && std::env::var_os("INVOCATION_ID").is_some() {
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        if is_only_this_mount(&mounts, &existing(path)) {
            return Some(format!(
                "the sandbox of this service makes it read-only, and the drop-in /usr/share/doc/netify-licensed/examples/{drop_in} allows it (systemctl edit)"
            ));
        }
    }
    super::remedy(error).map(str::to_owned)
}

/// The nearest directory above that is there, links resolved.
fn existing(path: &Path) -> PathBuf {
    path.ancestors().find_map(|place| place.canonicalize().ok()).unwrap_or_else(|| path.to_path_buf())
}

/// Whether the mount that a path lies on is read-only and its file system is not (proc(5), /proc/pid/mountinfo: the options
/// of the mount are the sixth field, those of the file system the last).
fn is_only_this_mount(mounts: &str, path: &Path) -> bool {
    let has = |options: &str, wanted: &str| options.split(',').any(|option| option == wanted);
    let entries = mounts.lines().filter_map(|line| {
        let (mount, system) = line.split_once(" - ")?;
        let fields: Vec<_> = mount.split(' ').collect();
        let place = unescaped(fields.get(4)?);
        let (options, system) = (*fields.get(5)?, system.split(' ').nth(2)?);
        path.starts_with(&place).then_some((place.len(), options, system))
    });
    // Of mounts on one place the last one counts.
    let lowest = entries.fold(None, |best: Option<(usize, &str, &str)>, entry| match best {
        Some(best) if best.0 > entry.0 => Some(best),
        _ => Some(entry),
    });
    lowest.is_some_and(|(_, mount, system)| has(mount, "ro") && !has(system, "ro"))
}

/// Spaces and the like are written in octal.
fn unescaped(text: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(text.to_owned(), |text, (code, letter)| text.replace(code, letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sandbox_is_told_from_a_read_only_file_system() {
        let mounts = "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n\
                      30 22 8:1 /etc /etc ro,nosuid - ext4 /dev/sda1 rw,errors=remount-ro\n\
                      31 22 8:2 / /media/a\\040b ro - vfat /dev/sdb ro\n\
                      32 30 8:1 /etc/netifyd /etc/netifyd rw - ext4 /dev/sda1 rw\n";
        let only = |path: &str| is_only_this_mount(mounts, Path::new(path));
        assert!(only("/etc/other/license.json"));
        for path in ["/etc/netifyd/license.json", "/media/a b/license.json", "/srv/license.json"] {
            assert!(!only(path), "{path}");
        }
        assert!(!is_only_this_mount("", Path::new("/")));
        let other = io::Error::from_raw_os_error(Errno::NOSPC.raw_os_error());
        assert_eq!(remedy(Path::new("/"), &other, "x.conf").as_deref(), super::super::remedy(&other));
    }
}
