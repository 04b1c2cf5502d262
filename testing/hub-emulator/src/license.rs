//! Licenses: what one says, in both formats, whole or with one thing wrong. Usable without any server.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::clock::{self, DAY, ceil_seconds, midnight_not_before};
use crate::json::{BodyStyle, Document};
use crate::signer::SigningKey;

/// Every entitlement that the vendor's page names, and those seen in the field.
pub const ENTITLEMENTS: [&str; 10] = [
    "netify-proc-aggregator",
    "netify-proc-flow-actions",
    "netify-proc-dev-discovery",
    "netify-proc-python",
    "netify-proc-lua",
    "netify-proc-intel",
    "netify-sink-mqtt",
    "netify-sink-ubus",
    "netify-sink-sqlite",
    "application-signatures",
];

/// The two formats of a license in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// What the Netify Agent reads: entitlements as top-level members.
    #[default]
    Netifyd,
    /// What the vendor's page shows: entitlements as an array.
    Object,
}

impl Format {
    /// Reads the `format` parameter.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "netifyd" => Some(Self::Netifyd),
            "object" => Some(Self::Object),
            _ => None,
        }
    }
}

/// One thing wrong with a license.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Defect {
    /// Properly signed, but bound to another device.
    OtherDevice,
    /// Properly signed, but with another serial.
    OtherSerial,
    /// The expiry was moved a year on after signing.
    Tampered,
    /// No member `signature`.
    Unsigned,
    /// Signed by a key that nobody trusts.
    OtherKey,
    /// Properly signed, but issued and expiring 30 days before the good one.
    Older,
    /// Properly signed, but it ended an hour ago.
    Expired,
    /// Properly signed, but it begins tomorrow.
    NotYetValid,
}

/// What a license says. Times are Unix seconds.
#[derive(Debug, Clone, PartialEq)]
pub struct LicenseSpec {
    /// `serial`, such as `2026-3638-61034042`.
    pub serial: String,
    /// `issued_to`.
    pub issued_to: String,
    /// `version` of the license format.
    pub version: String,
    /// `duid`: the device that it is bound to, if any.
    pub duid: Option<String>,
    /// `created_at`; `None` leaves the member out.
    pub created_at: Option<i64>,
    /// `expire_at`.
    pub expire_at: i64,
    /// The names of the entitlements.
    pub entitlements: Vec<String>,
    /// `renewable`; `None` leaves it out of the netifyd format and means `true` elsewhere.
    pub renewable: Option<bool>,
    /// `transferable`; `None` leaves it out of the netifyd format and means `false` elsewhere.
    pub transferable: Option<bool>,
    /// `description`, only if given.
    pub description: Option<String>,
    /// `notes`, only if given.
    pub notes: Option<String>,
    /// More members, signed like all others, in both formats.
    pub extra: Vec<(String, Value)>,
}

impl LicenseSpec {
    /// A license issued now, by the system clock, for seven days, bound to no device.
    #[must_use]
    pub fn new(serial: impl Into<String>) -> Self {
        let now = clock::system_now();
        Self {
            serial: serial.into(),
            issued_to: "Toronto Office".to_owned(),
            version: "1.0".to_owned(),
            duid: None,
            created_at: Some(now),
            expire_at: now.saturating_add(7 * DAY),
            entitlements: vec!["netify-proc-aggregator".to_owned(), "application-signatures".to_owned()],
            renewable: None,
            transferable: None,
            description: None,
            notes: None,
            extra: Vec::new(),
        }
    }

    /// Binds it to a device.
    #[must_use]
    pub fn duid(mut self, duid: impl Into<String>) -> Self {
        self.duid = Some(duid.into());
        self
    }

    /// Whom it was issued to.
    #[must_use]
    pub fn issued_to(mut self, name: impl Into<String>) -> Self {
        self.issued_to = name.into();
        self
    }

    /// When it was issued, Unix seconds.
    #[must_use]
    pub fn created_at(mut self, unix: i64) -> Self {
        self.created_at = Some(unix);
        self
    }

    /// Leaves `created_at` out.
    #[must_use]
    pub fn without_created_at(mut self) -> Self {
        self.created_at = None;
        self
    }

    /// When it ends, Unix seconds.
    #[must_use]
    pub fn expire_at(mut self, unix: i64) -> Self {
        self.expire_at = unix;
        self
    }

    /// Ends this long after now, by the system clock.
    #[must_use]
    pub fn expires_in(self, span: Duration) -> Self {
        let end = clock::system_now().saturating_add(ceil_seconds(span));
        self.expire_at(end)
    }

    /// Was issued this long before now, by the system clock.
    #[must_use]
    pub fn issued_ago(self, span: Duration) -> Self {
        let start = clock::system_now().saturating_sub(ceil_seconds(span));
        self.created_at(start)
    }

    /// Ended this long before now; issued seven days before its end.
    #[must_use]
    pub fn expired_ago(self, span: Duration) -> Self {
        let end = clock::system_now().saturating_sub(ceil_seconds(span));
        self.created_at(end.saturating_sub(7 * DAY)).expire_at(end)
    }

    /// Replaces the entitlements.
    #[must_use]
    pub fn entitlements<I: IntoIterator<Item: Into<String>>>(mut self, names: I) -> Self {
        self.entitlements = names.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the flag `renewable`.
    #[must_use]
    pub fn renewable(mut self, renewable: bool) -> Self {
        self.renewable = Some(renewable);
        self
    }

    /// Sets the flag `transferable`.
    #[must_use]
    pub fn transferable(mut self, transferable: bool) -> Self {
        self.transferable = Some(transferable);
        self
    }

    /// Adds a member that no documentation knows.
    #[must_use]
    pub fn member(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.extra.push((name.into(), value.into()));
        self
    }

    /// The license without a signature.
    #[must_use]
    pub fn unsigned(&self, format: Format) -> Document {
        let mut doc = Document::new();
        doc.set("version", self.version.as_str());
        doc.set("serial", self.serial.as_str());
        doc.set("issued_to", self.issued_to.as_str());
        if let Some(duid) = &self.duid {
            doc.set("duid", duid.as_str());
        }
        if let Some(description) = &self.description {
            doc.set("description", description.as_str());
        }
        if let Some(notes) = &self.notes {
            doc.set("notes", notes.as_str());
        }
        let object = format == Format::Object;
        if object || self.renewable.is_some() {
            doc.set("renewable", self.renewable.unwrap_or(true));
        }
        if object || self.transferable.is_some() {
            doc.set("transferable", self.transferable.unwrap_or(false));
        }
        if object {
            doc.set("entitlements", self.entitlements.clone());
        } else {
            let until = clock::date(midnight_not_before(self.expire_at));
            for name in &self.entitlements {
                doc.set(name, json!({ "not_valid_after": until }));
            }
        }
        doc.set("expire_at", moment(self.expire_at, format));
        if let Some(created) = self.created_at {
            doc.set("created_at", moment(created, format));
        }
        for (name, value) in &self.extra {
            doc.set(name, value.clone());
        }
        doc
    }

    /// The license as the hub gives it out.
    #[must_use]
    pub fn signed(&self, key: &SigningKey, format: Format) -> Document {
        let mut doc = self.unsigned(format);
        key.sign(&mut doc);
        doc
    }

    /// The signed license as text: what a license file or a relay's body holds.
    #[must_use]
    pub fn to_json(&self, key: &SigningKey, format: Format, style: BodyStyle) -> String {
        self.signed(key, format).to_json(style)
    }

    /// The license with one thing wrong; `now` (Unix seconds) is what expired and not-yet-valid refer to.
    #[must_use]
    pub fn defective(&self, defect: Defect, key: &SigningKey, format: Format, now: i64) -> Document {
        let mut spec = self.clone();
        let mut shift = |to: i64| {
            let by = to.saturating_sub(spec.expire_at);
            spec.expire_at = to;
            spec.created_at = spec.created_at.map(|created| created.saturating_add(by));
        };
        match defect {
            Defect::OtherDevice => spec.duid = Some("another-device".to_owned()),
            Defect::OtherSerial => "2001-0001-00000001".clone_into(&mut spec.serial),
            Defect::Older => shift(self.expire_at.saturating_sub(30 * DAY)),
            Defect::Expired => shift(now.saturating_sub(3600)),
            Defect::NotYetValid => {
                spec.created_at = Some(now.saturating_add(DAY));
                spec.expire_at = self.expire_at.max(now.saturating_add(8 * DAY));
            }
            Defect::Unsigned => return self.unsigned(format),
            Defect::OtherKey => return self.signed(&SigningKey::generate(), format),
            Defect::Tampered => {
                let mut doc = self.signed(key, format);
                doc.set("expire_at", moment(self.expire_at.saturating_add(365 * DAY), format));
                return doc;
            }
        }
        spec.signed(key, format)
    }
}

/// A moment as the format writes it: `unix` for netifyd, `unix_time` in the object format.
fn moment(unix: i64, format: Format) -> Value {
    let name = match format {
        Format::Netifyd => "unix",
        Format::Object => "unix_time",
    };
    json!({ name: unix, "date": clock::date_time(unix) })
}

#[cfg(test)]
mod tests;
