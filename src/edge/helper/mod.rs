//! The privileged helper: root's part of the packaged service. One order a connection, one JSON line as the answer; the
//! protocol stands in systemd/README.md.

pub mod client;
pub mod memory;
pub mod serve;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::core::device::pin::Machine;
use crate::core::engine::ReloadReport;
use crate::core::license::document::Serial;

/// Longest first line of an order, in bytes.
const MAX_LINE: usize = 256;

/// What root allows beside a hash: the removal of the license.
pub const REMOVE: &str = "remove";

/// What the helper is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Put this license in place.
    Install {
        /// The document.
        bytes: Vec<u8>,
        /// Modification time in seconds since 1970; now, otherwise.
        modified: Option<i64>,
    },
    /// Remove the license. For root, or for the daemon once where root allowed it.
    Remove,
    /// Have netifyd read its license again.
    Reload {
        /// For the environment of `reload.command`.
        serial: Option<Serial>,
        /// netifyd was asked for this license already and has not answered yet.
        is_asked: bool,
    },
    /// Read the sources of the device id.
    Identify,
    /// Say what tells this machine from one with a copy of its disk.
    Machine,
    /// Read a file that the helper's own configuration names.
    Read(Item),
    /// Say which configuration is in force.
    Ping,
    /// Do what the daemon is going to ask for: take the license with this SHA-256 even where it is worse than what is
    /// installed, or [`REMOVE`]. For root alone.
    Allow(String),
    /// Take the device id as it is read now for this device's. For root alone.
    Repin,
}

/// What can be read. Never a path of the caller's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item {
    /// `license.path`.
    License,
    /// The configuration itself.
    Configuration,
    /// All files of `trust.keys`.
    Keys,
    /// `hub.api-key-file`.
    ApiKey,
    /// `hub.password-file`.
    Password,
    /// `hub.bearer-token-file`.
    BearerToken,
    /// `hub.ca-file`.
    CaFile,
    /// `hub.client-cert`.
    ClientCert,
    /// `hub.client-key`.
    ClientKey,
}

impl Item {
    const ALL: [(Self, &str); 9] = [
        (Self::License, "license"),
        (Self::Configuration, "configuration"),
        (Self::Keys, "keys"),
        (Self::ApiKey, "api-key"),
        (Self::Password, "password"),
        (Self::BearerToken, "bearer-token"),
        (Self::CaFile, "ca-file"),
        (Self::ClientCert, "client-cert"),
        (Self::ClientKey, "client-key"),
    ];

    fn word(self) -> &'static str {
        Self::ALL.iter().find(|(item, _)| *item == self).map_or("", |(_, word)| word)
    }

    fn of(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == word).map(|(item, _)| *item)
    }
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// In place and durable, or gone, or noted.
    Done,
    /// One sentence: path and remedy.
    Failed {
        /// The sentence.
        error: String,
    },
    /// There is no such file.
    Missing,
    /// The license cannot be read: one sentence.
    Unreadable {
        /// The sentence.
        error: String,
    },
    /// A file's content in base64.
    Content {
        /// Its bytes.
        content: String,
    },
    /// The files of `trust.keys`: each with its path, and its bytes in base64 or why it is not read.
    Keys {
        /// The files.
        files: Vec<(String, Result<String, String>)>,
    },
    /// The sources of the device id: each with its name, and its bytes in base64 or why it cannot be read.
    Readings {
        /// The sources.
        sources: Vec<(String, Result<String, String>)>,
    },
    /// Hashes of the machine's own ids.
    Machine {
        /// The hashes.
        machine: Machine,
    },
    /// What came of the reload.
    Reloaded {
        /// As for a daemon that reloads by itself.
        report: ReloadReport,
    },
    /// The configuration that is in force here.
    Pong {
        /// SHA-256 of its text.
        configuration: String,
        /// Why the file as it is now is refused, if it is.
        refused: Option<String>,
    },
}

impl From<Result<(), String>> for Outcome {
    fn from(result: Result<(), String>) -> Self {
        result.map_or_else(|error| Self::Failed { error }, |()| Self::Done)
    }
}

impl Outcome {
    fn content(bytes: &[u8]) -> Self {
        Self::Content { content: STANDARD.encode(bytes) }
    }
}

impl Order {
    /// As it goes over the socket: a line, and the license.
    fn line(&self) -> String {
        match self {
            Self::Install { modified: Some(seconds), .. } => format!("install {seconds}\n"),
            Self::Install { modified: None, .. } => "install\n".to_owned(),
            Self::Remove => "remove\n".to_owned(),
            Self::Reload { serial, is_asked } => {
                let verb = if *is_asked { "reload-asked" } else { "reload" };
                serial.as_ref().map_or_else(|| format!("{verb}\n"), |serial| format!("{verb} {serial}\n"))
            }
            Self::Identify => "identify\n".to_owned(),
            Self::Machine => "machine\n".to_owned(),
            Self::Read(item) => format!("read {}\n", item.word()),
            Self::Ping => "ping\n".to_owned(),
            Self::Allow(sha256) => format!("allow {sha256}\n"),
            Self::Repin => "repin\n".to_owned(),
        }
    }
}

/// Reads an order. The caller may be taken over: nothing but these words is taken, and of a file no name.
fn parse(text: &[u8]) -> Result<Order, String> {
    let unknown =
        || "not an order; the first line says install, remove, reload, identify, read, ping, allow or repin".to_owned();
    let end = text.iter().take(MAX_LINE).position(|&byte| byte == b'\n').ok_or_else(unknown)?;
    let (line, rest) = (std::str::from_utf8(&text[..end]).map_err(|_| unknown())?, &text[end + 1..]);
    let mut words = line.split(' ');
    let order = match (words.next(), words.next(), words.next()) {
        (Some("install"), seconds, None) => {
            let modified = seconds.map(str::parse).transpose().map_err(|_| unknown())?;
            return Ok(Order::Install { bytes: rest.to_vec(), modified });
        }
        (Some("remove"), None, None) => Order::Remove,
        (Some(verb @ ("reload" | "reload-asked")), serial, None) => {
            let serial = serial.map(str::parse).transpose().map_err(|_| unknown())?;
            Order::Reload { serial, is_asked: verb == "reload-asked" }
        }
        (Some("identify"), None, None) => Order::Identify,
        (Some("machine"), None, None) => Order::Machine,
        (Some("read"), Some(word), None) => Order::Read(Item::of(word).ok_or_else(unknown)?),
        (Some("ping"), None, None) => Order::Ping,
        (Some("allow"), Some(what), None) if what == REMOVE || is_hash(what) => Order::Allow(what.to_owned()),
        (Some("repin"), None, None) => Order::Repin,
        _ => return Err(unknown()),
    };
    if rest.is_empty() { Ok(order) } else { Err(unknown()) }
}

fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_survive_the_wire() {
        let serial = || "2026-3638-61034042".parse().ok();
        for order in [
            Order::Remove,
            Order::Reload { serial: serial(), is_asked: false },
            Order::Reload { serial: serial(), is_asked: true },
            Order::Reload { serial: None, is_asked: true },
            Order::Reload { serial: None, is_asked: false },
            Order::Identify,
            Order::Machine,
            Order::Ping,
            Order::Allow("0".repeat(64)),
            Order::Allow(REMOVE.to_owned()),
            Order::Repin,
        ] {
            assert_eq!(parse(order.line().as_bytes()), Ok(order));
        }
        for (item, _) in Item::ALL {
            assert_eq!(parse(Order::Read(item).line().as_bytes()), Ok(Order::Read(item)));
        }
        let install = |modified| Ok(Order::Install { bytes: b"{\n}".to_vec(), modified });
        assert_eq!(parse(b"install\n{\n}"), install(None));
        assert_eq!(parse(b"install 17\n{\n}"), install(Some(17)));
    }

    #[test]
    fn nothing_else_is_an_order() {
        let long = format!("install {}\n{{}}", " ".repeat(MAX_LINE));
        for bad in [
            &b""[..],
            b"install",
            b"install x\n",
            b"install 1 2\n",
            b"delete\n",
            b"\xff\n",
            b"remove\nx",
            b"remove now\n",
            b"read /etc/shadow\n",
            b"read ../api-key\n",
            b"read\n",
            b"reload $(id)\n",
            b"reload a b\n",
            b"allow 00\n",
            b"Ping\n",
            b" ping\n",
            long.as_bytes(),
        ] {
            assert!(parse(bad).is_err(), "{:?}", String::from_utf8_lossy(bad));
        }
    }
}
