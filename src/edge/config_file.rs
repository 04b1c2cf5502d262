//! The configuration file.

use std::path::{Path, PathBuf};

use super::{keys, reason};
use crate::core::config::{self, Config, ConfigError, DEFAULT_PATH};
use crate::core::keyring::KeyRing;

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
    let bytes = match std::fs::read(&place) {
        Ok(bytes) => bytes,
        Err(error) if path.is_none() && error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => {
            let message = format!("cannot read the configuration: {}", reason(&error));
            return Err(ConfigError { path: name, line: None, message });
        }
    };
    let text = String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = Some(before.iter().filter(|&&byte| byte == b'\n').count() + 1);
        let message = "not UTF-8; write the file in that encoding, or this letter in another way".to_owned();
        ConfigError { path: name.clone(), line, message }
    })?;
    let config = config::parse(&text, &name)?;
    Ok(Loaded { config, path: name, text })
}

/// Whether there is a configuration that this user may not read.
#[must_use]
pub fn is_forbidden(path: Option<&Path>) -> bool {
    let opened = std::fs::File::open(path.unwrap_or(Path::new(DEFAULT_PATH)));
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
            if let Err(error) = std::fs::File::open(file.as_path()) {
                let message = format!("{key}: {}: {}", file.as_path().display(), reason(&error));
                return Err(ConfigError::about(&self.path, &self.text, key, message));
            }
        }
        Ok(ring)
    }
}
