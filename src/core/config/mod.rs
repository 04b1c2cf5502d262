//! The configuration, as the daemon uses it. Text goes in, a checked [`Config`] or a sentence with its line comes out.

mod error;
mod keys;
pub mod last_good;
mod render;
mod values;

use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub(in crate::core) use error::nearest;
pub use keys::{KEYS, Key, SECTIONS, sample};
pub use render::{ConfigError, parse, render};
pub use values::{AbsolutePath, Command, Delay, HubUrl, ProxyUrl, SourceName, Span};

use crate::core::license::document::Serial;
use crate::core::netifyd::Paths;
use crate::core::time::{Millis, SECOND};

/// `/etc/netify-licensed/config.toml`.
pub const DEFAULT_PATH: &str = "/etc/netify-licensed/config.toml";

/// Everything that can be configured, with its defaults.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "every key is documented once, in `KEYS`")]
pub struct Config {
    pub license: License,
    pub device: Device,
    pub trust: Trust,
    pub hub: Hub,
    pub renewal: Renewal,
    pub provision: Provision,
    pub netifyd: Netifyd,
    pub reload: Reload,
    pub clock: Clock,
    pub hooks: Hooks,
    pub status: Status,
    pub log: Log,
    /// What netifyd's own configuration says of its files.
    #[serde(skip)]
    pub netifyd_files: NetifydFiles,
}

/// Where netifyd's files are that have no key of their own, and what follows its configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetifydFiles {
    /// serial.uuid.
    pub serial: PathBuf,
    /// agent.uuid.
    pub agent: PathBuf,
    /// status.json.
    pub status: PathBuf,
    /// The license, where netifyd's configuration moves it.
    pub license: Option<PathBuf>,
    /// What comes from netifyd's configuration: keys, and the file names of the rest.
    pub followed: Vec<&'static str>,
    /// Why netifyd's configuration is not used: one clause.
    pub refused: Option<String>,
}

impl Default for NetifydFiles {
    fn default() -> Self {
        Self {
            serial: PathBuf::from("/etc/netifyd/serial.uuid"),
            agent: PathBuf::from("/etc/netifyd/agent.uuid"),
            status: PathBuf::from("/var/run/netifyd/status.json"),
            license: None,
            followed: Vec::new(),
            refused: None,
        }
    }
}

macro_rules! section {
    ($name:ident { $($(#[$meta:meta])* $field:ident : $type:ty = $default:expr),* $(,)? }) => {
        /// One section of the configuration; its keys are documented in [`KEYS`].
        #[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
        #[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
        #[allow(missing_docs, reason = "every key is documented once, in `KEYS`")]
        pub struct $name { $($(#[$meta])* pub $field: $type,)* }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }
    };
}

macro_rules! choice {
    ($(#[$doc:meta])* $name:ident { $($variant:ident),* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
        #[serde(rename_all = "kebab-case")]
        #[allow(missing_docs, reason = "the words explain themselves, and `KEYS` does the rest")]
        pub enum $name { $($variant),* }
    };
}

choice!(/// `trust.mode`.
    TrustMode { Signature, Transport });
choice!(/// `hub.kind`.
    HubKind { Api, Relay });
choice!(/// `reload.method`.
    ReloadMethod { Auto, Systemd, Procd, Socket, Signal, Command, None });
choice!(/// `clock.trust`.
    ClockTrust { Auto, Always });
choice!(/// `log.level`.
    LogLevel { Error, Warn, Info, Debug, Trace });
choice!(/// `log.format`.
    LogFormat { Auto, Journald, Text, Json });

/// `trust.scheme`: how a license is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
pub enum Scheme {
    /// Ed25519 over RFC 8785 canonical JSON.
    #[serde(rename = "ed25519-jcs")]
    Ed25519Jcs,
}

section!(License {
    path: AbsolutePath = AbsolutePath::fixed("/etc/netifyd/license.json"),
    serial: Option<Serial> = None,
});

section!(Device {
    duid: Option<String> = None,
    duid_file: Option<AbsolutePath> = None,
    duid_command: Option<Command> = None,
    sources: Vec<SourceName> = SourceName::defaults(),
});

section!(Trust {
    mode: TrustMode = TrustMode::Signature,
    scheme: Scheme = Scheme::Ed25519Jcs,
    keys: Vec<AbsolutePath> = vec![AbsolutePath::fixed("/etc/netify-licensed/keys.d")],
    require_device_binding: bool = false,
});

section!(Hub {
    kind: HubKind = HubKind::Api,
    url: HubUrl = HubUrl::vendor(),
    api_key_file: Option<AbsolutePath> = None,
    username: Option<String> = None,
    password_file: Option<AbsolutePath> = None,
    bearer_token_file: Option<AbsolutePath> = None,
    ca_file: Option<AbsolutePath> = None,
    client_cert: Option<AbsolutePath> = None,
    client_key: Option<AbsolutePath> = None,
    proxy: Option<ProxyUrl> = None,
    connect_timeout: Span = Span::fixed("10s"),
    timeout: Span = Span::fixed("30s"),
});

section!(Renewal {
    renew_before: Option<Span> = None,
    term_days: Option<u16> = None,
    min_retry: Span = Span::fixed("1m"),
    max_retry: Span = Span::fixed("6h"),
    accept_changes_after: Delay = Delay::fixed("24h"),
    active_file: Option<AbsolutePath> = None,
});

section!(Provision {
    enabled: bool = false,
    issued_to: Option<String> = None,
    entitlements: Vec<String> = Vec::new(),
    term_days: Option<u16> = None,
    description: Option<String> = None,
    notes: Option<String> = None,
    renewable: Option<bool> = None,
    transferable: Option<bool> = None,
});

section!(Netifyd { config_file: AbsolutePath = AbsolutePath::fixed("/etc/netifyd/netifyd.conf") });

section!(Reload {
    method: ReloadMethod = ReloadMethod::Auto,
    service: String = "netifyd".to_owned(),
    pid_file: AbsolutePath = AbsolutePath::fixed("/var/run/netifyd/netifyd.pid"),
    socket: AbsolutePath = AbsolutePath::fixed("/var/run/netifyd/netifyd.sock"),
    command: Option<Command> = None,
    timeout: Span = Span::fixed("60s"),
});

section!(Clock { trust: ClockTrust = ClockTrust::Auto });

section!(Hooks {
    on_change: Option<Command> = None,
});

section!(Status {
    file: Option<AbsolutePath> = None,
    socket: Option<AbsolutePath> = None,
    metrics_textfile: Option<AbsolutePath> = None,
});

section!(Log { level: LogLevel = LogLevel::Info, format: LogFormat = LogFormat::Auto });

impl Hub {
    /// Whether something else than an API key proves who this device is: then a relay in front may add the key.
    #[must_use]
    pub const fn has_other_credential(&self) -> bool {
        self.username.is_some() || self.bearer_token_file.is_some() || self.client_cert.is_some()
    }
}

impl Device {
    /// A hash of the section: whoever changes it chooses this device's id anew.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let text = serde_json::to_vec(self).unwrap_or_default();
        crate::core::text::hex(&Sha256::digest(text)[..16])
    }
}

impl Config {
    /// Takes over what netifyd's configuration says of its files. A key that differs from its default was set by the
    /// operator, and stays; license.path never follows.
    pub fn follow_netifyd(&mut self, paths: &Paths, refused: Option<String>) {
        let built_in = Reload::default();
        let mut files = NetifydFiles { license: paths.license.clone(), refused, ..NetifydFiles::default() };
        let reload = &mut self.reload;
        for (key, own, default, theirs) in [
            ("reload.pid-file", &mut reload.pid_file, built_in.pid_file, &paths.pid_file),
            ("reload.socket", &mut reload.socket, built_in.socket, &paths.socket),
        ] {
            let theirs = theirs.as_ref().and_then(|path| AbsolutePath::try_from(path.display().to_string()).ok());
            if let Some(theirs) = theirs.filter(|_| *own == default) {
                *own = theirs;
                files.followed.push(key);
            }
        }
        for (name, own, theirs) in [
            ("serial.uuid", &mut files.serial, &paths.serial),
            ("agent.uuid", &mut files.agent, &paths.agent),
            ("status.json", &mut files.status, &paths.status),
        ] {
            if let Some(theirs) = theirs {
                own.clone_from(theirs);
                files.followed.push(name);
            }
        }
        self.netifyd_files = files;
    }

    /// Where netifyd reads its license, if that is not where this program writes it.
    #[must_use]
    pub fn other_license_of_netifyd(&self) -> Option<&Path> {
        self.netifyd_files.license.as_deref().filter(|path| plain(path) != plain(self.license.path.as_path()))
    }

    /// The status file, below the runtime directory unless configured.
    #[must_use]
    pub fn status_file(&self, runtime: &Path) -> PathBuf {
        self.status.file.as_ref().map_or_else(|| runtime.join("status.json"), AbsolutePath::to_path_buf)
    }

    /// The control socket, below the runtime directory unless configured.
    #[must_use]
    pub fn control_socket(&self, runtime: &Path) -> PathBuf {
        self.status.socket.as_ref().map_or_else(|| runtime.join("control.sock"), AbsolutePath::to_path_buf)
    }

    /// Longest time that a healthy daemon needs for a request of the control socket: four requests to the hub, the
    /// writing, the reload.
    #[must_use]
    pub fn longest_request(&self) -> Millis {
        let call = self.hub.connect_timeout.millis().saturating_add(self.hub.timeout.millis());
        call.saturating_mul(4).saturating_add(15 * SECOND).saturating_add(self.reload.timeout.millis())
    }

    /// The key of a file that cannot be, and a sentence: what is written to one of them must not replace another one.
    #[must_use]
    pub fn mixed_up_files(&self, runtime: &Path) -> Option<(&'static str, String)> {
        let metrics = self.status.metrics_textfile.as_ref().map(AbsolutePath::to_path_buf);
        let mut files = vec![
            ("license.path", self.license.path.to_path_buf()),
            ("status.file", self.status_file(runtime)),
            ("status.socket", self.control_socket(runtime)),
        ];
        files.extend(metrics.map(|file| ("status.metrics-textfile", file)));
        for (at, (key, file)) in files.iter().enumerate() {
            let place = plain(file);
            if let Some((other, _)) = files[..at].iter().find(|(_, other)| plain(other) == place) {
                let file = file.display();
                return Some((key, format!("{key} and {other} are the same file, {file}; give each its own")));
            }
            // `Path` does not see a slash at the end.
            let end = file.file_name().unwrap_or("/".as_ref());
            if end == "/" || !file.as_os_str().as_encoded_bytes().ends_with(end.as_encoded_bytes()) {
                return Some((key, format!("{key}: {} names a directory; write the path of a file", file.display())));
            }
        }
        None
    }
}

/// Without dots; links are not followed.
fn plain(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut place, part| {
        if part == Component::ParentDir {
            place.pop();
        } else {
            place.push(part);
        }
        place
    })
}
