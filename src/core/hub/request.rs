//! The requests of the Licensing API, with every parameter that the vendor documents. Built here, sent by the edge.

use serde::Serialize;
use serde_json::Value;

use crate::core::config::Provision;
use crate::core::text::one_line;
use crate::core::time::WallTime;

/// The format of licenses in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// What netifyd reads, and what is installed.
    #[default]
    Netifyd,
    /// Structured metadata.
    Object,
}

impl Format {
    /// The parameter's value.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Netifyd => "netifyd",
            Self::Object => "object",
        }
    }
}

/// How long a license is asked to live; without one, the longest that the API key allows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Term {
    /// Until this day, `YYYY-MM-DD`.
    #[serde(rename = "expire_at")]
    Until(String),
    /// This many days from today.
    #[serde(rename = "duration_days")]
    Days(u16),
}

impl Term {
    /// A day in the future. The error says what is wrong with it.
    pub fn until(date: &str, now: WallTime) -> Result<Self, String> {
        let day = Some(date).filter(|date| date.len() == 10).and_then(WallTime::from_date);
        match day {
            Some(day) if day <= now => Err(format!("{date}: this day is not in the future")),
            Some(day) => Ok(Self::Until(day.date())),
            None => Err(format!("{}: not a date; write YYYY-MM-DD", one_line(date))),
        }
    }
}

/// The body of `POST /licenses`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct NewLicense {
    /// Person or organization.
    pub issued_to: String,
    /// What it entitles to.
    pub entitlements: Vec<String>,
    /// Device to bind it to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duid: Option<String>,
    /// Description to store with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Note to store with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// Whether it may be renewed; the API key's own rule, otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renewable: Option<bool>,
    /// Whether the non-transferable clause is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transferable: Option<bool>,
    /// How long it lives.
    #[serde(flatten)]
    pub term: Option<Term>,
    /// Format of the answer; the vendor promises none for this request, so a GET confirms it.
    pub format: Format,
}

impl NewLicense {
    /// What `[provision]` asks for, bound to this device.
    #[must_use]
    pub fn for_device(wanted: &Provision, duid: &str) -> Self {
        Self {
            issued_to: wanted.issued_to.clone().unwrap_or_default(),
            entitlements: wanted.entitlements.clone(),
            duid: Some(duid.to_owned()),
            description: wanted.description.clone(),
            notes: wanted.notes.clone(),
            renewable: wanted.renewable,
            transferable: wanted.transferable,
            term: wanted.term_days.map(Term::Days),
            format: Format::Netifyd,
        }
    }

    /// As JSON.
    #[must_use]
    pub fn body(&self) -> Value {
        json(self)
    }
}

/// The body of `POST /licenses/{serial}/renew`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Renewal {
    /// How long it shall live on.
    #[serde(flatten)]
    pub term: Option<Term>,
    /// Format of the answer.
    pub format: Format,
}

impl Renewal {
    /// As JSON.
    #[must_use]
    pub fn body(&self) -> Value {
        json(self)
    }
}

fn json(body: &impl Serialize) -> Value {
    // Strings, numbers and flags always serialize.
    serde_json::to_value(body).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: WallTime = WallTime::from_unix(1_780_012_800 + 3_600); // 2026-05-29 01:00 UTC

    #[test]
    fn only_what_was_given_is_sent() {
        let least =
            NewLicense { issued_to: "A".to_owned(), entitlements: vec!["x".to_owned()], ..NewLicense::default() };
        assert_eq!(least.body(), json!({ "issued_to": "A", "entitlements": ["x"], "format": "netifyd" }));
        let most = NewLicense {
            duid: Some("D".to_owned()),
            description: Some("d".to_owned()),
            notes: Some("n".to_owned()),
            renewable: Some(false),
            transferable: Some(true),
            term: Some(Term::Days(30)),
            format: Format::Object,
            ..least
        };
        assert_eq!(
            most.body(),
            json!({ "issued_to": "A", "entitlements": ["x"], "duid": "D", "description": "d", "notes": "n",
                "renewable": false, "transferable": true, "duration_days": 30, "format": "object" })
        );
        assert_eq!(Renewal::default().body(), json!({ "format": "netifyd" }));
        let object = NewLicense { format: Format::Object, ..NewLicense::default() };
        assert_eq!(object.body()["format"], "object");
        assert_eq!([Format::Netifyd, Format::Object].map(Format::word), ["netifyd", "object"]);
        let until = Renewal { term: Some(Term::Until("2026-06-01".to_owned())), ..Renewal::default() };
        assert_eq!(until.body(), json!({ "expire_at": "2026-06-01", "format": "netifyd" }));
    }

    #[test]
    fn what_is_configured_is_asked_for() {
        let wanted = Provision {
            issued_to: Some("A".to_owned()),
            entitlements: vec!["x".to_owned()],
            description: Some("d".to_owned()),
            notes: Some("n".to_owned()),
            renewable: Some(true),
            transferable: Some(false),
            term_days: Some(30),
            ..Provision::default()
        };
        assert_eq!(
            NewLicense::for_device(&wanted, "D").body(),
            json!({ "issued_to": "A", "entitlements": ["x"], "duid": "D", "description": "d", "notes": "n",
                "renewable": true, "transferable": false, "duration_days": 30, "format": "netifyd" })
        );
    }

    #[test]
    fn days_are_checked_before_anything_is_sent() {
        assert_eq!(Term::until("2026-05-30", NOW), Ok(Term::Until("2026-05-30".to_owned())));
        for past in ["2026-05-29", "2026-05-28", "1970-01-01"] {
            assert_eq!(Term::until(past, NOW), Err(format!("{past}: this day is not in the future")));
        }
        for bad in [
            "",
            "soon",
            "2027",
            "2027-1-1",
            "2027-02-30",
            "2027-13-01",
            "01.06.2027",
            "2027-06-01T00:00:00Z",
            "20270601",
        ] {
            assert_eq!(Term::until(bad, NOW), Err(format!("{bad}: not a date; write YYYY-MM-DD")));
        }
    }
}
