//! What is remembered: the state directory (durable, rarely written) and the runtime directory (gone after a reboot).

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::core::config::Config;
use crate::core::device::pin::Pin;
use crate::core::state::{Durable, Volatile};
use crate::core::text::clean_value;
use crate::edge::dirs::{self, Places};
use crate::edge::file::atomic::{self, Options, Ownership, WriteError};
use crate::edge::file::open;
use crate::edge::{mounts, reason};

/// Largest file of ours in bytes.
const MAX: usize = 1024 * 1024;

/// The files of both directories.
#[derive(Debug, Clone)]
pub struct Store {
    durable: PathBuf,
    kept: PathBuf,
    volatile: PathBuf,
}

impl Store {
    /// The files in these places.
    #[must_use]
    pub fn new(places: &Places) -> Self {
        Self {
            durable: places.state.join("state.json"),
            kept: places.state.join("previous-license.json"),
            volatile: places.runtime.join("session.json"),
        }
    }

    /// Removes what a killed writer left. Only for those who hold the lock.
    pub fn sweep(&self) {
        for path in [&self.durable, &self.kept, &self.volatile] {
            atomic::sweep(path);
        }
    }

    /// Whether this user may read what is remembered; also when there is nothing.
    #[must_use]
    pub fn is_readable(&self) -> bool {
        let denied =
            |path: &Path| open::open_own(path).is_err_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied);
        !denied(&self.durable) && !denied(&self.volatile)
    }

    /// Reads the durable memory; a broken or missing file is an empty memory, and why.
    #[must_use]
    pub fn durable(&self) -> (Durable, Option<String>) {
        load(&self.durable)
    }

    /// The pinned id of this device, if it can be read and was made under this section `[device]`.
    #[must_use]
    pub fn pin(&self, config: &Config) -> Option<Pin> {
        let identity = self.durable().0.identity;
        identity.pin.filter(|_| identity.section == Some(config.device.fingerprint()))
    }

    /// Reads the volatile memory.
    #[must_use]
    pub fn volatile(&self) -> (Volatile, Option<String>) {
        load(&self.volatile)
    }

    /// The kept license.
    #[must_use]
    pub fn kept(&self) -> Option<Vec<u8>> {
        open::read_own(&self.kept, MAX).ok()
    }

    /// Writes the durable memory to disk.
    pub fn save_durable(&self, durable: &Durable) -> Result<(), String> {
        save(&self.durable, &json(durable), true)
    }

    /// Writes the volatile memory.
    pub fn save_volatile(&self, volatile: &Volatile) -> Result<(), String> {
        save(&self.volatile, &json(volatile), false)
    }

    /// Keeps a license.
    pub fn keep(&self, bytes: &[u8]) -> Result<(), String> {
        save(&self.kept, bytes, true)
    }

    /// Forgets the kept license.
    pub fn forget_kept(&self) -> Result<(), String> {
        remove(&self.kept)
    }
}

fn json(value: &impl Serialize) -> Vec<u8> {
    // Plain structures of numbers and strings always serialize; an empty object reads back as the defaults.
    let mut text = serde_json::to_vec(value).unwrap_or_else(|_| b"{}".to_vec());
    text.push(b'\n');
    text
}

fn load<T: DeserializeOwned + Default>(path: &Path) -> (T, Option<String>) {
    match open::read_own(path, MAX) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => (T::default(), None),
        Err(error) => (T::default(), Some(format!("{}: cannot read the state: {}", path.display(), reason(&error)))),
        Ok(bytes) => match serde_json::from_slice(&bytes).and_then(|mut document| {
            // Commands of root's read what the daemon wrote.
            clean_value(&mut document);
            serde_json::from_value(document)
        }) {
            Ok(value) => (value, None),
            Err(error) => {
                (T::default(), Some(format!("{}: the state is damaged and starts anew: {error}", path.display())))
            }
        },
    }
}

fn save(path: &Path, bytes: &[u8], sync: bool) -> Result<(), String> {
    write(path, bytes, 0o600, sync)
}

/// Removes a file of ours that may be gone already.
pub fn remove(path: &Path) -> Result<(), String> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(format!("{}: cannot be removed: {}", path.display(), reason(&error)))
        }
        _ => Ok(()),
    }
}

/// Replaces a small file of ours, creating its directory where that is missing.
pub fn write(path: &Path, bytes: &[u8], mode: u32, sync: bool) -> Result<(), String> {
    if let Some(directory) = path.parent().filter(|directory| !directory.exists()) {
        dirs::create(directory, 0o755)?;
    }
    replace(path, bytes, mode, sync)
}

/// Replaces a small file of ours in a directory that is there: one that is missing may be a mistyped one.
pub fn replace(path: &Path, bytes: &[u8], mode: u32, sync: bool) -> Result<(), String> {
    // What root writes at a shell must stay the daemon's own: files belong to whom their directory belongs to.
    let own = (rustix::process::geteuid(), rustix::process::getegid());
    let (uid, gid) = match path.parent().and_then(|directory| std::fs::metadata(directory).ok()) {
        Some(meta) if own.0.is_root() => (meta.uid(), meta.gid()),
        _ => (own.0.as_raw(), own.1.as_raw()),
    };
    let ownership = Ownership { uid, gid, mode };
    let options = Options { ownership: Some(ownership), sync, ..Options::default() };
    atomic::replace(path, bytes, &options).map_err(|WriteError { step, error }| {
        let remedy = mounts::remedy(path, &error, "metrics-textfile.conf");
        let remedy = remedy.map_or_else(String::new, |remedy| format!("; {remedy}"));
        format!("cannot {step} {}: {}{remedy}", path.display(), reason(&error))
    })
}
