//! The configuration file.

use std::path::{Path, PathBuf};

use super::{keys, reason, regular};
use crate::core::config::{self, Config, ConfigError, DEFAULT_PATH};
use crate::core::keyring::KeyRing;

/// Largest configuration in bytes.
const MAX: usize = 1024 * 1024;

/// A configuration with where it came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// Checked.
    pub config: Config,
    path: String,
    text: String,
}

/// Reads a configuration. Without a path the default one is read, and may be missing.
pub fn load(path: Option<&Path>) -> Result<Loaded, ConfigError> {
    let place = path.map_or_else(|| PathBuf::from(DEFAULT_PATH), Path::to_path_buf);
    let name = place.display().to_string();
    let read = regular::read(&place, MAX).and_then(|bytes| String::from_utf8(bytes).map_err(std::io::Error::other));
    let text = match read {
        Ok(text) => text,
        Err(error) if path.is_none() && error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => {
            let message = format!("cannot read the configuration: {}", reason(&error));
            return Err(ConfigError { path: name, line: None, message });
        }
    };
    let config = config::parse(&text, &name)?;
    Ok(Loaded { config, path: name, text })
}

/// Whether there is a configuration that this user may not read.
#[must_use]
pub fn is_forbidden(path: Option<&Path>) -> bool {
    let opened = regular::open(path.unwrap_or(Path::new(DEFAULT_PATH)));
    opened.is_err_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied)
}

impl Loaded {
    /// The trusted keys. A ring without a good key is a configuration error.
    pub fn keys(&self) -> Result<KeyRing, ConfigError> {
        keys::load(&self.config, &self.path, &self.text)
    }

    /// Checks what the configuration names: keys, certificate files.
    pub fn check_files(&self) -> Result<KeyRing, ConfigError> {
        let ring = self.keys()?;
        let hub = &self.config.hub;
        let files =
            [("hub.ca-file", &hub.ca_file), ("hub.client-cert", &hub.client_cert), ("hub.client-key", &hub.client_key)];
        for (key, file) in files {
            let Some(file) = file else { continue };
            if let Err(error) = regular::open(file.as_path()) {
                let message = format!("{key}: {}: {}", file.as_path().display(), reason(&error));
                return Err(ConfigError::about(&self.path, &self.text, key, message));
            }
        }
        Ok(ring)
    }
}
