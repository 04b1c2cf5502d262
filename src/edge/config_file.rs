//! The configuration file.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::reason;
use super::secret::{self, Secret};
use crate::core::config;
use crate::core::config::last_good::LastGood;
use crate::core::config::{AbsolutePath, Config, ConfigError, DEFAULT_PATH, HubKind};
use crate::core::hub::granted;
use crate::core::license::keys::KeyRing;
use crate::core::text::hex;
use crate::core::time::WallTime;
use crate::edge::dirs::Places;
use crate::edge::file::open;
use crate::edge::file::trusted::{self, Refused};
use crate::edge::helper::{self, Item};
use crate::edge::hub::{roots, tls};
use crate::edge::{clock, credential, last_good, netifyd, service_manager, trusted_keys};

/// Largest configuration in bytes.
const MAX: usize = 1024 * 1024;
type ReadSecret = fn(&Places, &AbsolutePath) -> Result<Secret, String>;

/// A configuration with where it came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// Checked.
    pub config: Config,
    /// There is no file: the defaults apply.
    pub is_default: bool,
    path: String,
    text: String,
}

/// What is worked with: the configuration of the file, or the last good one while that is refused.
#[derive(Debug, Clone)]
pub struct InForce {
    /// Checked.
    pub config: Config,
    /// The trusted keys.
    pub keys: KeyRing,
    /// When it was read.
    pub loaded_at: WallTime,
    /// Why the file is refused; then all of the above is the last good configuration's.
    pub refused: Option<ConfigError>,
    /// There is no file: the defaults apply.
    pub is_default: bool,
    /// What is to be kept of it.
    pub to_keep: Option<LastGood>,
    /// Its text.
    pub text: String,
}

impl InForce {
    /// SHA-256 of its text, in hex.
    #[must_use]
    pub fn digest(&self) -> String {
        hex(&Sha256::digest(&self.text))
    }
}

/// The configuration of the file with all that it names checked; while that is refused, the last good one that
/// `directory` keeps for the same file.
pub fn in_force(path: Option<&Path>, directory: &Path) -> Result<InForce, ConfigError> {
    in_force_by(Loaded::check_files, path, directory)
}

/// The same by another check: whoever does not talk to the hub need not see its certificate files.
pub fn in_force_by(
    check: fn(&Loaded) -> Result<KeyRing, ConfigError>,
    path: Option<&Path>,
    directory: &Path,
) -> Result<InForce, ConfigError> {
    let refused = match load(path).and_then(|loaded| Ok((check(&loaded)?, loaded))) {
        Ok((keys, loaded)) => return Ok(loaded.in_force(keys)),
        Err(error) => error,
    };
    let Some(kept) = last_good::read(directory, &name_of(path)) else { return Err(refused) };
    let Ok((mut config, keys)) = kept.config() else { return Err(refused) };
    netifyd::follow(&mut config);
    let (loaded_at, text) = (kept.loaded_at, kept.text);
    Ok(InForce { config, keys, loaded_at, refused: Some(refused), is_default: false, to_keep: None, text })
}

/// Sees to it that whoever works with this directory has a configuration to start with, for maintainer scripts. One that
/// is refused for its owner or mode alone becomes the last good one, unless there is one: versions before 0.2.0 accepted
/// such files. The error says why there is none.
pub fn keep_despite_its_mode(path: Option<&Path>, directory: &Path) -> Result<(), ConfigError> {
    let Err(refused) = load(path).and_then(|loaded| loaded.check_files()) else { return Ok(()) };
    if last_good::is_usable(directory, &name_of(path)) {
        return Ok(());
    }
    let place = place_of(path);
    // Whoever could have written it; all that it says is checked as ever.
    let good = open::read(&place, MAX)
        .map(open::text)
        .map_err(|error| unreadable(&place, &error))
        .and_then(|bytes| interpret(&place, text_of(&place, bytes)?, false))
        .and_then(|loaded| Ok(loaded.to_keep(&loaded.keys()?)));
    match good {
        Ok(good) => last_good::keep(directory, &good).map_err(|message| ConfigError { message, ..refused }),
        Err(_) => Err(refused),
    }
}

/// The last good configuration that `directory` keeps for this file, where this user may read it.
#[must_use]
pub fn last_good(path: Option<&Path>, directory: &Path) -> Option<Config> {
    last_good::read(directory, &name_of(path)).and_then(|kept| kept.config().ok()).map(|(config, _)| config)
}

fn place_of(path: Option<&Path>) -> PathBuf {
    path.map_or_else(|| PathBuf::from(DEFAULT_PATH), Path::to_path_buf)
}

fn name_of(path: Option<&Path>) -> String {
    place_of(path).display().to_string()
}

/// Reads a configuration. Without a path the default one is read, and may be missing, unless there was one before.
pub fn load(path: Option<&Path>) -> Result<Loaded, ConfigError> {
    let place = place_of(path);
    let bytes = match trusted::read(&place, MAX) {
        Ok(bytes) => bytes,
        // Also a link into nowhere: on OpenWrt the usual path is a link to what the init script has yet to write.
        Err(refused) if path.is_none() && refused.is_missing() => {
            let state = Places::from_environment().state;
            if !last_good::exists(&state) {
                return interpret(&place, String::new(), true);
            }
            let kept = last_good::file(&state);
            let message = format!(
                "there is no such file, and there was one; write it again, or remove {} if the defaults are to apply",
                kept.display()
            );
            return Err(mistake(&place, message));
        }
        Err(refused)
            if refused.is_forbidden()
                && let Some(socket) = Places::from_environment().helper =>
        {
            let text = helper::client::read(&socket, Item::Configuration);
            text.map_err(|why| mistake(&place, why))?.unwrap_or_default()
        }
        Err(Refused::Unreadable(error)) => return Err(unreadable(&place, &error)),
        // It says which licenses are genuine and which programs run.
        Err(Refused::Untrusted(why)) => return Err(mistake(&place, why)),
    };
    interpret(&place, text_of(&place, bytes)?, false)
}

fn mistake(place: &Path, message: String) -> ConfigError {
    ConfigError { path: place.display().to_string(), line: None, message }
}

fn unreadable(place: &Path, error: &std::io::Error) -> ConfigError {
    mistake(place, format!("cannot read the configuration: {}", reason(error)))
}

fn text_of(place: &Path, bytes: Vec<u8>) -> Result<String, ConfigError> {
    String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = Some(before.split(|&byte| byte == b'\n').count());
        let message = "not UTF-8; write the file in that encoding, or this letter in another way".to_owned();
        ConfigError { line, ..mistake(place, message) }
    })
}

fn interpret(place: &Path, text: String, is_default: bool) -> Result<Loaded, ConfigError> {
    let name = place.display().to_string();
    let mut config = config::parse(&text, &name)?;
    netifyd::follow(&mut config);
    let loaded = Loaded { config, is_default, path: name, text };
    match loaded.config.mixed_up_files(&Places::from_environment().runtime) {
        Some((key, message)) => Err(loaded.about(key, message)),
        None => Ok(loaded),
    }
}

/// The configuration to find the daemon by: the last good one while the file is refused, and the usual one for a user who
/// may read neither. Whoever may ask the daemon need not be able to read what it reads.
pub fn to_find_the_daemon(path: Option<&Path>, loaded: &Result<Loaded, ConfigError>) -> Result<Config, ConfigError> {
    let error = match loaded {
        Ok(loaded) => return Ok(loaded.config.clone()),
        Err(error) => error,
    };
    match last_good(path, &Places::from_environment().state) {
        Some(config) => Ok(config),
        // A configuration that was named on the command line belongs to another daemon than the usual one.
        None if is_forbidden(path) || path.is_none() => Ok(Config::default()),
        None => Err(error.clone()),
    }
}

/// Whether there is a configuration that this user may not read.
fn is_forbidden(path: Option<&Path>) -> bool {
    open::is_forbidden(path.unwrap_or(Path::new(DEFAULT_PATH)))
}

/// Whether a program can be started. What cannot be seen by this user may be one.
fn runnable(path: &Path) -> Result<(), String> {
    use std::io::ErrorKind::PermissionDenied;
    let name = path.display();
    match std::fs::metadata(path) {
        Err(error) if error.kind() == PermissionDenied => Ok(()),
        Err(error) => Err(format!("{name}: {}", reason(&error))),
        Ok(meta) if !meta.is_file() => Err(format!("{name}: it is not a program")),
        Ok(meta) if meta.mode() & 0o111 == 0 => Err(format!("{name}: it is not executable; run: chmod +x {name}")),
        Ok(_) => trusted::program(path).map_err(|why| format!("{name}: {why}")),
    }
}

/// Whether nothing is there. What cannot be seen by this user may be.
fn is_missing(path: &Path) -> bool {
    use std::io::ErrorKind::{NotADirectory, NotFound};
    std::fs::metadata(path).is_err_and(|error| matches!(error.kind(), NotFound | NotADirectory))
}

impl Loaded {
    fn to_keep(&self, keys: &KeyRing) -> LastGood {
        LastGood::of(&self.path, &self.text, keys, clock::now().wall)
    }

    /// To work with it.
    #[must_use]
    pub fn in_force(self, keys: KeyRing) -> InForce {
        // Defaults are not worth keeping: a file that appears is the first good one.
        let to_keep = (!self.is_default).then(|| self.to_keep(&keys));
        InForce {
            loaded_at: clock::now().wall,
            refused: None,
            is_default: self.is_default,
            to_keep,
            config: self.config,
            keys,
            text: self.text,
        }
    }

    /// The trusted keys. A ring without a good key is a configuration error.
    pub fn keys(&self) -> Result<KeyRing, ConfigError> {
        trusted_keys::load(&self.config, &self.path, &self.text)
    }

    /// Checks what the configuration names: keys, certificate files.
    pub fn check_files(&self) -> Result<KeyRing, ConfigError> {
        let mut ring = self.keys()?;
        let hub = &self.config.hub;
        let files =
            [("hub.ca-file", &hub.ca_file), ("hub.client-cert", &hub.client_cert), ("hub.client-key", &hub.client_key)];
        for (key, file) in files {
            let Some(file) = file else { continue };
            // The helper reads what the daemon's own user may not.
            let is_helped = |refused: &Refused| refused.is_forbidden() && Places::from_environment().helper.is_some();
            if let Some(refused) = trusted::open(file.as_path()).err().filter(|refused| !is_helped(refused)) {
                let message = format!("{key}: {}: {}", file.as_path().display(), refused.clause());
                return Err(self.about(key, message));
            }
        }
        let broken = roots::check(hub).map_err(|message| self.about("hub.ca-file", message))?;
        ring.problems.extend(broken);
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
        if hub.kind == HubKind::Api && !credential::may_be_there(places) {
            secrets.push(("hub.api-key-file", &hub.api_key_file, secret::token));
            if hub.api_key_file.is_none() && !hub.has_other_credential() {
                let message = format!("there is no API key: {}", credential::how_to_give_one());
                // A unit can get the credential in ways that are not seen from here.
                if !service_manager::is_systemd() {
                    return Err(self.about("hub.api-key-file", message));
                }
                warnings.push(format!("warning: {message}"));
            }
        }
        // What a start would hand over, as far as this user may look.
        if hub.kind == HubKind::Api && credential::at_a_shell(places).is_some() {
            secret::api_key(places, hub).map_err(|message| self.about("hub.api-key-file", message))?;
        }
        for (key, file, read) in secrets {
            let Some(file) = file.as_ref().filter(|file| !secret::is_for_another(file.as_path())) else { continue };
            read(places, file).map_err(|message| self.about(key, format!("{key}: {message}")))?;
        }
        if hub.client_key.as_ref().is_some_and(|key| !secret::is_for_another(key.as_path())) {
            tls::check_client_identity(hub, places).map_err(|message| self.about("hub.client-cert", message))?;
        }
        let programs = [
            ("reload.command", &self.config.reload.command),
            ("device.duid-command", &self.config.device.duid_command),
            ("hooks.on-change", &self.config.hooks.on_change),
        ];
        for (key, command) in programs {
            let Some(command) = command else { continue };
            runnable(Path::new(command.program())).map_err(|why| self.about(key, format!("{key}: {why}")))?;
        }
        for odd in granted::odd_names(&self.config.provision.entitlements) {
            warnings.push(format!(
                "warning: {}",
                self.about("provision.entitlements", format!("provision.entitlements: {odd}"))
            ));
        }
        // It may come later, with the collector's package.
        let textfile = self.config.status.metrics_textfile.as_ref().map(AbsolutePath::as_path);
        if let Some(directory) = textfile.and_then(Path::parent).filter(|directory| is_missing(directory)) {
            let message = format!("there is no directory {}, so no metrics are written", directory.display());
            warnings.push(format!("warning: {}", self.about("status.metrics-textfile", message)));
        }
        Ok(warnings)
    }

    /// A mistake found later, about a key of this configuration.
    #[must_use]
    pub fn about(&self, key: &str, message: String) -> ConfigError {
        ConfigError::about(&self.path, &self.text, key, message)
    }
}
