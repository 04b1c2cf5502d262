//! The file of the last good configuration, in the state directory of whoever uses it.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::core::config::last_good::LastGood;
use crate::edge::file::{open, state};

/// Its name. Maintainer scripts look for it, too (packaging/scripts/postinst).
const NAME: &str = "last-good-config.json";
/// Its largest size in bytes: the text of a configuration, escaped, and the keys.
const MAX: usize = 8 * 1024 * 1024;

/// Where it is.
#[must_use]
pub fn file(directory: &Path) -> PathBuf {
    directory.join(NAME)
}

/// Whether there is one; it need not be readable for this user.
#[must_use]
pub fn exists(directory: &Path) -> bool {
    std::fs::symlink_metadata(file(directory)).is_ok()
}

/// The one that is kept for this file. Only what is root's or this user's own counts, and only where nobody else can
/// write to it: root at a shell takes no configuration from the daemon's user.
#[must_use]
pub fn read(directory: &Path, path: &str) -> Option<LastGood> {
    read_of(directory, path, rustix::process::geteuid().as_raw())
}

/// Whether the user whose directory it is can work with it.
#[must_use]
pub fn is_usable(directory: &Path, path: &str) -> bool {
    let owner = std::fs::metadata(directory).map(|meta| meta.uid());
    owner.is_ok_and(|owner| read_of(directory, path, owner).is_some_and(|kept| kept.config().is_ok()))
}

fn read_of(directory: &Path, path: &str, owner: u32) -> Option<LastGood> {
    let (file, meta) = open::open_own(&file(directory)).ok()?;
    if meta.mode() & 0o022 != 0 || ![0, owner].contains(&meta.uid()) {
        return None;
    }
    let kept: LastGood = serde_json::from_slice(&open::rest(file, MAX).ok()?).ok()?;
    (kept.path == path).then_some(kept)
}

/// Keeps one, unless the same is kept already. The error is one sentence.
pub fn keep(directory: &Path, new: &LastGood) -> Result<(), String> {
    if read(directory, &new.path).is_some_and(|kept| kept.says_the_same_as(new)) {
        return Ok(());
    }
    let text = serde_json::to_vec(new).map_err(|error| error.to_string())?;
    state::write(&file(directory), &text, 0o600, true)
}
