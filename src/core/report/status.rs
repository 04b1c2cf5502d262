//! The status document, schema 1: what status.json holds and `status --json` prints. Members may be added, never renamed.

use serde::de::{Deserializer, Error as _};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

use crate::core::license::document::License;
use crate::core::license::verify::{Authentic, State};
use crate::core::report::configuration::ConfigurationStatus;
use crate::core::state::AttemptRecord;
use crate::core::state::word::{ReloadWord, Word};
use crate::core::text::clean;
use crate::core::time::WallTime;

/// Version of the document.
pub const SCHEMA: u32 = 1;

/// A moment, in the document as RFC 3339 text in UTC, whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rfc3339(pub WallTime);

impl Serialize for Rfc3339 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.rfc3339())
    }
}

impl<'de> Deserialize<'de> for Rfc3339 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        WallTime::parse(&text).map(Self).ok_or_else(|| D::Error::custom("not a time of RFC 3339"))
    }
}

/// The whole status.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Version of the program.
    pub version: String,
    /// Process id of the daemon; absent when none runs.
    #[serde(default)]
    pub pid: Option<u32>,
    /// State of the installed license.
    pub state: State,
    /// Whether the license is usable and nothing needs a person.
    pub healthy: bool,
    /// What a person should know, worst first.
    #[serde(default)]
    pub problems: Vec<String>,
    /// What a person can do about it.
    #[serde(default)]
    pub advice: Vec<String>,
    /// The installed license.
    pub license: LicenseStatus,
    /// This device.
    pub device: DeviceStatus,
    /// Renewal.
    pub renewal: RenewalStatus,
    /// Restore of the last-known-good license.
    #[serde(default)]
    pub restore: RestoreStatus,
    /// Reload of netifyd.
    pub reload: ReloadStatus,
    /// The clock.
    pub clock: ClockStatus,
    /// Where licenses come from.
    pub hub: HubStatus,
    /// The configuration.
    #[serde(default)]
    pub configuration: ConfigurationStatus,
    /// A changed license that was offered and waits.
    #[serde(default)]
    pub pending_change: Option<PendingChangeStatus>,
}

/// A changed license that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingChangeStatus {
    /// Its serial.
    pub serial: String,
    /// Entitlements that would be lost.
    pub lost: Vec<String>,
    /// Entitlements that would be gained.
    pub gained: Vec<String>,
    /// When it ends.
    pub expires_at: Rfc3339,
    /// When it was first offered.
    pub offered_since: Rfc3339,
    /// When it is installed by itself; null where only a person installs it.
    pub accept_at: Option<Rfc3339>,
}

/// The installed license; members are null where there is none.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LicenseStatus {
    /// The file.
    pub path: String,
    /// Serial number.
    pub serial: Option<String>,
    /// Person or organization.
    pub issued_to: Option<String>,
    /// RFC 3339, UTC.
    pub issued_at: Option<Rfc3339>,
    /// RFC 3339, UTC.
    pub expires_at: Option<Rfc3339>,
    /// Whether the hub may extend it.
    pub renewable: Option<bool>,
    /// Entitlements with their dates.
    pub entitlements: Vec<EntitlementStatus>,
    /// Device it is bound to.
    pub duid: Option<String>,
    /// Key that signed it.
    pub key_id: Option<String>,
    /// SHA-256 of the file.
    pub sha256: Option<String>,
}

/// One entitlement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntitlementStatus {
    /// Its name.
    pub name: String,
    /// RFC 3339, UTC.
    pub not_valid_after: Option<Rfc3339>,
}

/// This device.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DeviceStatus {
    /// Its id.
    pub duid: Option<String>,
    /// Where the id comes from.
    pub source: Option<String>,
}

/// Renewal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RenewalStatus {
    /// When the license falls due.
    pub due_at: Option<Rfc3339>,
    /// When the hub is asked next.
    pub next_attempt_at: Option<Rfc3339>,
    /// Why then.
    pub reason: Option<String>,
    /// The last attempt.
    pub last_attempt: Option<AttemptStatus>,
    /// The last attempts, newest last.
    pub history: Vec<AttemptStatus>,
    /// Last license that was fetched and installed.
    pub last_success_at: Option<Rfc3339>,
    /// Failed attempts in a row.
    pub consecutive_failures: u32,
    /// Attempts by outcome since boot.
    pub attempts: std::collections::BTreeMap<Word, u64>,
}

/// One attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptStatus {
    /// RFC 3339, UTC.
    pub at: Rfc3339,
    /// One word.
    pub outcome: Word,
    /// One sentence, unless it succeeded.
    pub error: Option<String>,
    /// HTTP status code of the deciding answer.
    pub http_status: Option<u16>,
}

impl From<&AttemptRecord> for AttemptStatus {
    fn from(record: &AttemptRecord) -> Self {
        Self {
            at: Rfc3339(record.at),
            outcome: record.outcome,
            error: record.error.clone(),
            http_status: record.http_status,
        }
    }
}

/// Restore of the last-known-good license where the file holds none that is genuine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RestoreStatus {
    /// Whether the file has yet to be restored.
    pub pending: bool,
    /// Why that waits: one clause.
    pub reason: Option<String>,
    /// When it is tried next.
    pub next_at: Option<Rfc3339>,
}

/// Reload of netifyd.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReloadStatus {
    /// How netifyd is asked.
    pub method: String,
    /// Whether netifyd has yet to load the installed license.
    pub pending: bool,
    /// RFC 3339, UTC.
    pub last_at: Option<Rfc3339>,
    /// One word.
    pub last_outcome: Option<ReloadWord>,
    /// One sentence about anything but a plain success.
    pub last_detail: Option<String>,
    /// Reloads by outcome since boot.
    pub reloads: std::collections::BTreeMap<ReloadWord, u64>,
}

/// The clock.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClockStatus {
    /// Whether dates are judged.
    pub trusted: bool,
    /// Why, or why not.
    pub why: String,
    /// Difference to the hub's clock of over five minutes.
    pub skew: Option<String>,
}

/// Where licenses come from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HubStatus {
    /// `api` or `relay`.
    pub kind: String,
    /// Without secrets.
    pub url: String,
}

impl Status {
    /// Judges what somebody published earlier by the time that it is now.
    pub fn age(&mut self, now: WallTime) {
        let end = self.license.expires_at.filter(|end| end.0 <= now);
        if let Some(Rfc3339(end)) = end.filter(|_| self.state.is_usable()) {
            self.state = State::Expired;
            self.healthy = false;
            self.problems.insert(0, format!("{}: the license expired at {end}", self.license.path));
        }
    }

    /// Adds what there is to say when the daemon does not answer.
    pub fn with_stuck_daemon(&mut self, how: &str) {
        self.problems.insert(0, how.to_owned());
        self.advice.insert(
            0,
            "restart the service netify-licensed; a process that is stopped (state T of ps) goes on after `kill -CONT`"
                .to_owned(),
        );
    }

    /// Whether the license is unusable, or its renewal late by a quarter of the window.
    #[must_use]
    pub fn is_overdue(&self, now: WallTime) -> bool {
        let late = || {
            let (Rfc3339(due), Rfc3339(end)) = self.renewal.due_at.zip(self.license.expires_at)?;
            // The due moment lies in the first half of the window: what follows it is at least half of the window, and
            // a quarter of that at most a quarter of the window.
            Some(now.since(due) >= end.since(due) / 4)
        };
        !self.state.is_usable() || late().unwrap_or(false)
    }

    /// Adds what there is to say when no daemon runs.
    pub fn without_daemon(&mut self) {
        self.pid = None;
        self.problems.push("no daemon runs, so nothing is renewed by itself".to_owned());
        self.advice.push(
            "start the service netify-licensed; its log says why if it does not stay, `netify-licensed config check` finds mistakes in the configuration"
                .to_owned(),
        );
    }
}

impl LicenseStatus {
    /// What an authentic license says.
    #[must_use]
    pub fn of(path: &str, license: &Authentic) -> Self {
        Self {
            key_id: license.key_id().map(str::to_owned),
            sha256: Some(license.sha256().to_owned()),
            ..Self::claims(path, license.license())
        }
    }

    /// What a document claims that is not authentic.
    #[must_use]
    pub fn claims(path: &str, license: &License) -> Self {
        Self {
            path: path.to_owned(),
            serial: Some(clean(&license.serial)),
            issued_to: license.issued_to.as_deref().map(clean),
            issued_at: license.created_at.map(Rfc3339),
            expires_at: Some(Rfc3339(license.expires_at)),
            renewable: license.renewable,
            entitlements: license
                .entitlements
                .iter()
                .map(|e| EntitlementStatus { name: clean(&e.name), not_valid_after: e.not_valid_after.map(Rfc3339) })
                .collect(),
            duid: license.duid.as_deref().map(clean),
            key_id: None,
            sha256: None,
        }
    }

    /// No license.
    #[must_use]
    pub fn none(path: &str) -> Self {
        Self { path: path.to_owned(), ..Self::default() }
    }
}

/// What `verify` prints as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verification {
    /// The state.
    pub state: State,
    /// The license, as far as it could be read.
    pub license: LicenseStatus,
    /// This device.
    pub device: DeviceStatus,
    /// What does not hold, in the order of judgement.
    pub problems: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::license::verify::Verifier;

    #[test]
    fn what_is_authentic_is_told_with_its_hash_and_what_is_only_claimed_without() {
        let verifier = Verifier { keys: None, duid: Some("D-1".to_owned()), require_device_binding: false };
        let license = verifier.check(br#"{"serial":"S-1","expire_at":{"unix":5},"duid":"D-1"}"#).expect("a license");
        let told = LicenseStatus::of("/l", &license);
        assert_eq!((told.sha256.as_deref(), told.key_id.as_deref()), (Some(license.sha256()), None));
        let claimed = LicenseStatus::claims("/l", license.license());
        assert_eq!((claimed.sha256.as_deref(), claimed.serial.as_deref()), (None, Some("S-1")));
        assert_eq!(LicenseStatus::none("/l").path, "/l");
    }

    #[test]
    fn a_moment_is_written_in_whole_seconds_and_what_is_none_is_refused() {
        let moment = Rfc3339(WallTime(1_780_012_800_999));
        let text = serde_json::to_string(&moment).expect("JSON");
        assert_eq!(text, "\"2026-05-29T00:00:00Z\"", "whole seconds");
        assert_eq!(serde_json::from_str::<Rfc3339>(&text).expect("a moment").0, WallTime(1_780_012_800_000));
        for odd in ["\"soon\"", "\"\"", "1780012800", "null"] {
            assert!(serde_json::from_str::<Rfc3339>(odd).is_err(), "{odd}");
        }
    }
}
