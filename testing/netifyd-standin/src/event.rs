//! Reading events.

use serde_json::Value;

/// One event that the stand-in reported.
#[derive(Debug, Clone)]
pub struct Event {
    /// What happened, for example `loaded`.
    pub name: String,
    /// When, in milliseconds since 1970 by the system's clock.
    pub unix_ms: u64,
    /// The process that reported it.
    pub pid: i32,
    /// The whole JSON object.
    pub json: Value,
}

impl Event {
    /// Reads one line; `None` when it is not an event.
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        let json: Value = serde_json::from_str(line).ok()?;
        let name = json.get("event")?.as_str()?.to_owned();
        let unix_ms = json.get("unix_ms")?.as_u64()?;
        let pid = i32::try_from(json.get("pid")?.as_i64()?).ok()?;
        Some(Self { name, unix_ms, pid, json })
    }

    /// A text member; empty when it is absent or not a text.
    #[must_use]
    pub fn text(&self, member: &str) -> &str {
        self.json.get(member).and_then(Value::as_str).unwrap_or_default()
    }

    /// What was loaded, if this is a `loaded` event.
    #[must_use]
    pub fn load(&self) -> Option<Load> {
        if self.name != "loaded" {
            return None;
        }
        Some(Load {
            serial: self.json.get("serial").and_then(Value::as_str).map(str::to_owned),
            sha256: self.text("sha256").to_owned(),
            expires: self.json.get("expires").and_then(Value::as_i64),
            bytes: self.json.get("bytes").and_then(Value::as_u64).unwrap_or_default(),
            by: self.text("by").to_owned(),
            unix_ms: self.unix_ms,
            pid: self.pid,
        })
    }
}

/// A license that the stand-in loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Load {
    /// The member `serial`, if it has one.
    pub serial: Option<String>,
    /// SHA-256 of the file's bytes, lower-case hex.
    pub sha256: String,
    /// `expire_at.unix` or `.unix_time`, seconds since 1970.
    pub expires: Option<i64>,
    /// Size of the file.
    pub bytes: u64,
    /// Why it was loaded: `start`, `signal` or `socket`.
    pub by: String,
    /// When, in milliseconds since 1970.
    pub unix_ms: u64,
    /// The process that loaded it.
    pub pid: i32,
}
