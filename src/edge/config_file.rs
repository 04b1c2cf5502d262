//! The configuration file.

use std::path::{Path, PathBuf};

use super::reason;
use super::secret::{self, Secret};
use crate::core::config;
use crate::core::config::{AbsolutePath, Config, ConfigError, DEFAULT_PATH, HubKind};
use crate::core::license::keys::KeyRing;
use crate::edge::dirs::Places;
use crate::edge::file::open;
use crate::edge::file::trusted::{self, Refused};
use crate::edge::hub::tls;
use crate::edge::{service_manager, trusted_keys};

/// Largest configuration in bytes.
const MAX: usize = 1024 * 1024;
/// Where the packaged unit's API key is put.
const STORE: &str = "/etc/credstore";
/// Where systemd looks for it (systemd.exec(5), `LoadCredential=`), and what it was itself given.
const STORES: [&str; 6] = [
    STORE,
    "/etc/credstore.encrypted",
    "/run/credstore",
    "/run/credstore.encrypted",
    "/usr/lib/credstore",
    "/run/credentials/@system",
];
/// Its name there.
const CREDENTIAL: &str = "netify-licensed.api-key";

type ReadSecret = fn(&Places, &AbsolutePath) -> Result<Secret, String>;

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
    let bytes = match trusted::read(&place, MAX) {
        Ok(bytes) => bytes,
        Err(refused) if path.is_none() && refused.is_missing() => Vec::new(),
        Err(refused) => {
            let message = match refused {
                Refused::Unreadable(error) => format!("cannot read the configuration: {}", reason(&error)),
                // It says which licenses are genuine and which programs run.
                Refused::Untrusted(why) => format!("the configuration is refused: {why}"),
            };
            return Err(ConfigError { path: name, line: None, message });
        }
    };
    let text = String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = Some(before.split(|&byte| byte == b'\n').count());
        let message = "not UTF-8; write the file in that encoding, or this letter in another way".to_owned();
        ConfigError { path: name.clone(), line, message }
    })?;
    let config = config::parse(&text, &name)?;
    let loaded = Loaded { config, path: name, text };
    match loaded.config.mixed_up_files(&Places::from_environment().runtime) {
        Some((key, message)) => Err(loaded.about(key, message)),
        None => Ok(loaded),
    }
}

/// The configuration to find the daemon by: the usual one for a user who may not read it. Whoever may ask the daemon need
/// not be able to read what it reads.
pub fn to_find_the_daemon(path: Option<&Path>, loaded: &Result<Loaded, ConfigError>) -> Result<Config, ConfigError> {
    match loaded {
        Ok(loaded) => Ok(loaded.config.clone()),
        Err(_) if is_forbidden(path) => Ok(Config::default()),
        Err(error) => Err(error.clone()),
    }
}

/// Whether there is a configuration that this user may not read.
fn is_forbidden(path: Option<&Path>) -> bool {
    open::is_forbidden(path.unwrap_or(Path::new(DEFAULT_PATH)))
}

/// Whether this process has the API key as a credential, or the packaged service will. A shell has none, and may not be
/// allowed to look.
fn has_credential(places: &Places) -> bool {
    places.credentials.as_ref().is_some_and(|directory| directory.join("api-key").exists())
        || STORES.iter().any(|store| !is_missing(&Path::new(store).join(CREDENTIAL)))
}

/// Whether nothing is there. What cannot be seen by this user may be.
fn is_missing(path: &Path) -> bool {
    use std::io::ErrorKind::{NotADirectory, NotFound};
    std::fs::metadata(path).is_err_and(|error| matches!(error.kind(), NotFound | NotADirectory))
}

impl Loaded {
    /// The trusted keys. A ring without a good key is a configuration error.
    pub fn keys(&self) -> Result<KeyRing, ConfigError> {
        trusted_keys::load(&self.config, &self.path, &self.text)
    }

    /// Checks what the configuration names: keys, certificate files.
    pub fn check_files(&self) -> Result<KeyRing, ConfigError> {
        let ring = self.keys()?;
        let hub = &self.config.hub;
        let files =
            [("hub.ca-file", &hub.ca_file), ("hub.client-cert", &hub.client_cert), ("hub.client-key", &hub.client_key)];
        for (key, file) in files {
            let Some(file) = file else { continue };
            if let Err(refused) = trusted::open(file.as_path()) {
                let message = format!("{key}: {}: {}", file.as_path().display(), refused.clause());
                return Err(self.about(key, message));
            }
        }
        if hub.ca_file.is_some() {
            tls::roots(hub).map_err(|message| self.about("hub.ca-file", message))?;
        }
        Ok(ring)
    }

    /// What only `config check` refuses, and what it warns of: a daemon that runs waits for files to appear.
    pub fn check_what_is_waited_for(&self, places: &Places) -> Result<Vec<String>, ConfigError> {
        let hub = &self.config.hub;
        let mut warnings = Vec::new();
        let mut secrets: Vec<(_, _, ReadSecret)> = vec![
            ("hub.password-file", &hub.password_file, secret::password),
            ("hub.bearer-token-file", &hub.bearer_token_file, secret::token),
            ("hub.client-key", &hub.client_key, secret::private_key),
        ];
        if hub.kind == HubKind::Api && !has_credential(places) {
            secrets.push(("hub.api-key-file", &hub.api_key_file, secret::token));
            if hub.api_key_file.is_none() {
                let message = format!(
                    "there is no API key: put it into {STORE}/{CREDENTIAL} (systemd), or into a file that only root can read and set hub.api-key-file"
                );
                // A unit can get the credential in ways that are not seen from here.
                if !service_manager::is_systemd() {
                    return Err(self.about("hub.api-key-file", message));
                }
                warnings.push(format!("warning: {message}"));
            }
        }
        for (key, file, read) in secrets {
            let Some(file) = file.as_ref().filter(|file| !secret::is_for_another(file.as_path())) else { continue };
            read(places, file).map_err(|message| self.about(key, format!("{key}: {message}")))?;
        }
        // It may come later, with the collector's package.
        let textfile = self.config.status.metrics_textfile.as_ref().map(AbsolutePath::as_path);
        if let Some(directory) = textfile.and_then(Path::parent).filter(|directory| is_missing(directory)) {
            let message = format!("there is no directory {}, so no metrics are written", directory.display());
            warnings.push(format!("warning: {}", self.about("status.metrics-textfile", message)));
        }
        Ok(warnings)
    }

    fn about(&self, key: &str, message: String) -> ConfigError {
        ConfigError::about(&self.path, &self.text, key, message)
    }
}
