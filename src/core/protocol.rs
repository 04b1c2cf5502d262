//! The control socket's language: JSON lines, version 1. One request a connection, one answer.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::engine::{Reply, Request};
use super::report::Status;

/// Version of the protocol.
pub const VERSION: u32 = 1;
/// Longest request line in bytes: a license of the greatest size fits.
pub const MAX_LINE: usize = 96 * 1024;

/// A request line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    v: u32,
    #[serde(flatten)]
    command: Command,
}

/// What can be asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case")]
pub enum Command {
    /// The status document.
    Status,
    /// The status as `OpenMetrics` text.
    Metrics,
    /// Read the configuration again.
    ReloadConfig,
    /// Read the license file again.
    ReRead,
    /// Renew.
    Renew {
        /// Only when due.
        #[serde(default)]
        if_due: bool,
        /// Change nothing.
        #[serde(default)]
        dry_run: bool,
    },
    /// Install a license.
    Install {
        /// The document in base64, so that its bytes stay what they are.
        license: String,
        /// Allow an older or different serial.
        #[serde(default)]
        force: bool,
    },
    /// Create a license for this device.
    Provision,
    /// Give the license back.
    Retire {
        /// Leave the file.
        #[serde(default)]
        keep_file: bool,
    },
}

impl Command {
    /// The request for the engine; the rest is answered by the daemon itself.
    pub fn request(self) -> Result<Option<Request>, String> {
        Ok(Some(match self {
            Self::Status | Self::Metrics | Self::ReloadConfig => return Ok(None),
            Self::ReRead => Request::Reread,
            Self::Renew { if_due, dry_run } => Request::Renew { if_due, dry_run },
            Self::Install { license, force } => {
                let bytes = STANDARD.decode(&license).map_err(|_| "`license` is not standard base64".to_owned())?;
                Request::Install { bytes, force }
            }
            Self::Provision => Request::Provision,
            Self::Retire { keep_file } => Request::Retire { keep_file },
        }))
    }

    /// The command for a request.
    #[must_use]
    pub fn of(request: &Request) -> Self {
        match request {
            Request::Reread => Self::ReRead,
            Request::Renew { if_due, dry_run } => Self::Renew { if_due: *if_due, dry_run: *dry_run },
            Request::Install { bytes, force } => Self::Install { license: STANDARD.encode(bytes), force: *force },
            Request::Provision => Self::Provision,
            Request::Retire { keep_file } => Self::Retire { keep_file: *keep_file },
        }
    }

    /// The request line, without its newline.
    #[must_use]
    pub fn line(self) -> String {
        serde_json::to_string(&Line { v: VERSION, command: self }).unwrap_or_default()
    }
}

/// Reads a request line.
pub fn parse(line: &[u8]) -> Result<Command, String> {
    #[derive(Deserialize)]
    struct Version {
        v: u32,
    }
    let version: Version = serde_json::from_slice(line).map_err(|_| {
        format!("not a request; write one line of JSON such as {{\"v\":{VERSION},\"command\":\"status\"}}")
    })?;
    if version.v != VERSION {
        return Err(format!("version {} of the protocol is not spoken here, only {VERSION}", version.v));
    }
    let mut value: serde_json::Value = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    if let Some(members) = value.as_object_mut() {
        members.remove("v");
    }
    serde_json::from_value(value).map_err(|error| format!("not a request: {error}"))
}

/// An answer line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// [`VERSION`].
    pub v: u32,
    /// Exit code for the command that asked.
    pub exit: u8,
    /// One or two sentences.
    pub message: String,
    /// For [`Command::Status`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Box<Status>>,
    /// For [`Command::Metrics`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<String>,
}

impl Answer {
    /// An answer in words.
    #[must_use]
    pub fn words(exit: u8, message: impl Into<String>) -> Self {
        Self { v: VERSION, exit, message: message.into(), status: None, metrics: None }
    }

    /// The answer line, with its newline.
    #[must_use]
    pub fn line(&self) -> String {
        let mut line = serde_json::to_string(self).unwrap_or_default();
        line.push('\n');
        line
    }
}

impl From<Reply> for Answer {
    fn from(reply: Reply) -> Self {
        Self::words(reply.exit, reply.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_survive_the_wire() {
        for request in [
            Request::Reread,
            Request::Renew { if_due: true, dry_run: false },
            Request::Install { bytes: b"{\"a\": 1}\n\xff".to_vec(), force: true },
            Request::Provision,
            Request::Retire { keep_file: true },
        ] {
            let line = Command::of(&request).line();
            assert_eq!(parse(line.as_bytes()).and_then(Command::request), Ok(Some(request)), "{line}");
        }
        assert_eq!(parse(br#"{"v":1,"command":"status"}"#), Ok(Command::Status));
        assert_eq!(
            parse(br#"{"v":1,"command":"renew","if_due":true}"#),
            Ok(Command::Renew { if_due: true, dry_run: false })
        );
    }

    #[test]
    fn nonsense_is_refused_in_words() {
        for (line, expected) in [
            (&b""[..], "one line of JSON"),
            (b"[]", "one line of JSON"),
            (b"[1]", "not a request"),
            (br#"{"v":2,"command":"status"}"#, "version 2"),
            (br#"{"v":1}"#, "not a request"),
            (br#"{"v":1,"command":"rm"}"#, "not a request"),
            (b"\xff\xfe", "one line of JSON"),
        ] {
            let refusal = parse(line).expect_err("refused");
            assert!(refusal.contains(expected), "{refusal}");
        }
        let bad = Command::Install { license: "!".to_owned(), force: false };
        assert!(bad.request().is_err());
    }

    #[test]
    fn the_largest_license_fits() {
        let bytes = vec![b'x'; crate::core::json::MAX_BYTES];
        assert!(Command::of(&Request::Install { bytes, force: true }).line().len() < MAX_LINE);
    }
}
