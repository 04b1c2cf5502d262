//! The API key and passwords: read for each use, never printed, wiped from memory.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;
use zeroize::Zeroizing;

use super::places::Places;
use super::reason;
use crate::core::config::AbsolutePath;

/// Longest secret in bytes.
const MAX: u64 = 4_096;

/// A secret that cannot be printed.
pub struct Secret(Zeroizing<Vec<u8>>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("REDACTED")
    }
}

impl Secret {
    /// The bytes: for a header of a request, nothing else.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

/// The API key: the systemd credential first, then the configured file.
pub fn api_key(places: &Places, file: Option<&AbsolutePath>) -> Result<Secret, String> {
    if let Some(path) =
        places.credentials.as_ref().map(|directory| directory.join("api-key")).filter(|path| path.exists())
    {
        // The service manager guards its credentials with its own rights.
        return read(&path, false);
    }
    match file {
        Some(path) => read(path.as_path(), true),
        None => Err("there is no API key: write it into a file that only root can read and set hub.api-key-file, or provide the systemd credential `api-key`".to_owned()),
    }
}

/// A password or token from its file.
pub fn from_file(path: &AbsolutePath) -> Result<Secret, String> {
    read(path.as_path(), true)
}

fn read(path: &Path, guarded: bool) -> Result<Secret, String> {
    let failed = |error: &std::io::Error| format!("{}: cannot read the secret: {}", path.display(), reason(error));
    #[allow(clippy::cast_possible_wrap)]
    let flags = (OFlags::NONBLOCK | OFlags::CLOEXEC).bits() as i32;
    let file = File::options().read(true).custom_flags(flags).open(path).map_err(|error| failed(&error))?;
    let meta = file.metadata().map_err(|error| failed(&error))?;
    if !meta.is_file() {
        return Err(format!("{}: the secret is not a regular file", path.display()));
    }
    let own = rustix::process::geteuid().as_raw();
    if guarded && meta.mode() & 0o077 != 0 {
        return Err(format!(
            "{}: others may read the secret (mode {:04o}); run: chmod 600 {}",
            path.display(),
            meta.mode() & 0o7777,
            path.display()
        ));
    }
    if guarded && meta.uid() != 0 && meta.uid() != own {
        return Err(format!(
            "{}: the secret belongs to another user; run: chown root {}",
            path.display(),
            path.display()
        ));
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(256));
    file.take(MAX + 1).read_to_end(&mut bytes).map_err(|error| failed(&error))?;
    while bytes.last().is_some_and(u8::is_ascii_whitespace) {
        bytes.pop();
    }
    if bytes.is_empty() || bytes.len() as u64 > MAX || !bytes.iter().all(u8::is_ascii_graphic) {
        return Err(format!("{}: the secret is not one line of 1 to {MAX} printable ASCII characters", path.display()));
    }
    Ok(Secret(bytes))
}
