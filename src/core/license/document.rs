//! The license document: which members mean what. Unknown members are kept and signed, never interpreted.

use serde_json::{Map, Value};

use crate::core::license::json::{self, JsonError};
use crate::core::time::WallTime;

/// Latest date that a license may carry: the end of the year 9999.
const MAX_UNIX: i64 = 253_402_300_799;

/// What a license says. Nothing in here has been verified: see [`crate::core::license::verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct License {
    /// Serial number, such as `2026-3638-61034042`.
    pub serial: String,
    /// Person or organization.
    pub issued_to: Option<String>,
    /// The first moment at which the license is no longer valid.
    pub expires_at: WallTime,
    /// Issue date; some hubs keep the first issue's date through renewals.
    pub created_at: Option<WallTime>,
    /// Device that the license is bound to.
    pub duid: Option<String>,
    /// Whether the hub may extend it; absent means not said.
    pub renewable: Option<bool>,
    /// Whether it may move to another device; absent means not said.
    pub transferable: Option<bool>,
    /// What the license entitles to, by name.
    pub entitlements: Vec<Entitlement>,
}

/// One plugin or service that the license pays for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entitlement {
    /// Such as `netify-proc-aggregator`.
    pub name: String,
    /// The careful reading of `not_valid_after`: 00:00 UTC of that day.
    pub not_valid_after: Option<WallTime>,
}

/// A well-formed license document with its members in reach for canonicalization.
#[derive(Debug, Clone)]
pub struct Document {
    /// The members that this program reads.
    pub license: License,
    /// The text of `signature`, if there is one.
    pub signature: Option<String>,
    /// All members except the top-level `signature`: what was signed.
    pub signed: Map<String, Value>,
}

/// Reads a license document. The error is one clause: what is wrong and where.
pub fn parse(bytes: &[u8]) -> Result<Document, JsonError> {
    let mut members = json::parse_object(bytes)?;
    let signature = match members.remove("signature") {
        None => None,
        Some(Value::String(text)) => Some(text),
        Some(_) => return Err(shape("`signature` is not a string")),
    };
    let license = read(&members).map_err(|reason| shape(&reason))?;
    Ok(Document { license, signature, signed: members })
}

fn shape(reason: &str) -> JsonError {
    JsonError { reason: reason.to_owned(), position: None }
}

fn read(members: &Map<String, Value>) -> Result<License, String> {
    let text = |name: &str| match members.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(format!("`{name}` is not a string")),
    };
    let flag = |name: &str| match members.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(*flag)),
        Some(_) => Err(format!("`{name}` is neither true nor false")),
    };
    let serial = text("serial")?.filter(|serial| !serial.is_empty()).ok_or_else(|| {
        if members.contains_key("data") {
            "no member `serial`; this looks like the hub's envelope, the license is its member `data`".to_owned()
        } else {
            "no member `serial`".to_owned()
        }
    })?;
    if !members.get("version").is_some_and(Value::is_number) {
        text("version")?;
    }
    Ok(License {
        serial,
        issued_to: text("issued_to")?,
        expires_at: date(members, "expire_at")?.ok_or("no member `expire_at`")?,
        created_at: date(members, "created_at")?,
        // Some hubs write an empty one for "no device".
        duid: text("duid")?.filter(|duid| !duid.is_empty()),
        renewable: flag("renewable")?,
        transferable: flag("transferable")?,
        entitlements: entitlements(members),
    })
}

/// `{"unix": seconds}` or `{"unix_time": seconds}`; both may be there if they agree.
fn date(members: &Map<String, Value>, name: &str) -> Result<Option<WallTime>, String> {
    let object = match members.get(name) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Object(object)) => object,
        Some(_) => return Err(format!("`{name}` is not an object with `unix` or `unix_time`")),
    };
    let mut found = None;
    for member in ["unix", "unix_time"] {
        let Some(value) = object.get(member) else { continue };
        let seconds =
            value.as_i64().filter(|seconds| (0..=MAX_UNIX).contains(seconds)).ok_or_else(|| match value.as_f64() {
                // `1e2` and `100.0` are 100 to one reader and no integer to another.
                Some(number) if value.is_f64() && number.fract() == 0.0 => {
                    format!(
                        "`{name}.{member}` is written with a fraction or an exponent, so readers would disagree on it"
                    )
                }
                _ => format!("`{name}.{member}` is not a number of seconds since 1970"),
            })?;
        if found.is_some_and(|other| other != seconds) {
            return Err(format!("`{name}.unix` and `{name}.unix_time` disagree"));
        }
        found = Some(seconds);
    }
    found
        .map(|seconds| Some(WallTime::from_unix(seconds)))
        .ok_or_else(|| format!("`{name}` has neither `unix` nor `unix_time`"))
}

/// From the array (or object) `entitlements` and from every top-level object with `not_valid_after`; sorted by name.
fn entitlements(members: &Map<String, Value>) -> Vec<Entitlement> {
    let until = |value: &Value| value.get("not_valid_after").and_then(Value::as_str).and_then(WallTime::from_date);
    let listed = match members.get("entitlements") {
        Some(Value::Array(names)) => names
            .iter()
            .filter_map(|entry| Some((entry.as_str().or_else(|| entry.get("name")?.as_str())?, until(entry))))
            .collect(),
        Some(Value::Object(by_name)) => by_name.iter().map(|(name, entry)| (name.as_str(), until(entry))).collect(),
        _ => Vec::new(),
    };
    let top_level = members.iter().filter(|(_, value)| value.get("not_valid_after").is_some());
    let mut all: Vec<Entitlement> = Vec::new();
    for (name, date) in listed.into_iter().chain(top_level.map(|(name, value)| (name.as_str(), until(value)))) {
        // Named twice: the entry with the earlier date stands, one without a date yields to one with.
        match all.binary_search_by(|known| known.name.as_str().cmp(name)) {
            Ok(at) => all[at].not_valid_after = [all[at].not_valid_after, date].into_iter().flatten().min(),
            Err(at) => all.insert(at, Entitlement { name: name.to_owned(), not_valid_after: date }),
        }
    }
    all
}

/// A serial number that may become part of a URL path: 1 to 64 letters, digits, `-`, `_` or `.`, not starting with a dot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Serial(String);

impl Serial {
    /// The serial as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Serial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Serial> for String {
    fn from(serial: Serial) -> Self {
        serial.0
    }
}

impl TryFrom<String> for Serial {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        if text.is_empty() || text.len() > 64 || text.starts_with('.') || !text.bytes().all(allowed) {
            return Err(format!(
                "{text:?} is not a serial number; write 1 to 64 letters, digits, `-`, `_` or `.`, such as 2026-3638-61034042"
            ));
        }
        Ok(Self(text))
    }
}

impl std::str::FromStr for Serial {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::try_from(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(text: &str) -> String {
        parse(text.as_bytes()).map_or_else(|error| error.to_string(), |_| String::new())
    }

    #[test]
    fn reads_both_formats() {
        let object = parse(
            br#"{"version":"1.0","serial":"S-1","issued_to":"Caf\u00e9","renewable":true,"transferable":false,
            "signature":"x","entitlements":["b","a"],"expire_at":{"unix_time":1780012800,"date":"2026-05-29 00:00:00"},
            "created_at":{"unix_time":1774830914}}"#,
        )
        .map(|d| d.license);
        let object = object.expect("a license");
        assert_eq!((object.serial.as_str(), object.issued_to.as_deref()), ("S-1", Some("Café")));
        assert_eq!(object.expires_at, WallTime::from_unix(1_780_012_800));
        assert_eq!((object.renewable, object.transferable), (Some(true), Some(false)));
        assert_eq!(object.entitlements.iter().map(|e| e.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);

        let netifyd = parse(br#"{"serial":"S-1","expire_at":{"unix":5},"duid":"D","netify-proc-aggregator":{"not_valid_after":"2026-03-19"},
            "note":{"any":1}}"#).expect("a license");
        assert_eq!(netifyd.license.entitlements.len(), 1);
        assert_eq!(netifyd.license.entitlements[0].not_valid_after, WallTime::from_date("2026-03-19"));
        assert_eq!(netifyd.signature, None);
        assert!(netifyd.signed.contains_key("note"));
    }

    #[test]
    fn an_entitlement_named_twice_keeps_its_earliest_date() {
        let license = parse(br#"{"serial":"S","expire_at":{"unix":5},"entitlements":["x",{"name":"y"}],"x":{"not_valid_after":"2026-03-19"}}"#)
            .expect("a license").license;
        assert_eq!(license.entitlements.len(), 2);
        assert_eq!(license.entitlements[0].not_valid_after, WallTime::from_date("2026-03-19"));
        let by_name = parse(
            br#"{"serial":"S","expire_at":{"unix":5},"entitlements":{"b":{"not_valid_after":"2026-03-20"},"a":{}}}"#,
        )
        .expect("a license")
        .license;
        let of = |name: &str, date| Entitlement { name: name.to_owned(), not_valid_after: WallTime::from_date(date) };
        assert_eq!(by_name.entitlements, [of("a", ""), of("b", "2026-03-20")]);
    }

    #[test]
    fn says_what_is_missing() {
        assert_eq!(reason("{}"), "no member `serial`");
        assert!(reason(r#"{"status_code":0,"data":{}}"#).contains("envelope"));
        assert_eq!(reason(r#"{"serial":5}"#), "`serial` is not a string");
        assert_eq!(reason(r#"{"serial":"s"}"#), "no member `expire_at`");
        assert!(reason(r#"{"serial":"s","expire_at":"2026"}"#).contains("not an object"));
        assert!(reason(r#"{"serial":"s","expire_at":{}}"#).contains("neither"));
        assert!(reason(r#"{"serial":"s","expire_at":{"unix":1.5}}"#).contains("seconds since 1970"));
        assert!(reason(r#"{"serial":"s","expire_at":{"unix":-1}}"#).contains("seconds since 1970"));
        assert!(reason(r#"{"serial":"s","expire_at":{"unix":253402300800}}"#).contains("seconds since 1970"));
        assert!(reason(r#"{"serial":"s","expire_at":{"unix":1,"unix_time":2}}"#).contains("disagree"));
        assert!(
            reason(r#"{"serial":"s","expire_at":{"unix":1},"renewable":"yes"}"#).contains("neither true nor false")
        );
        assert!(reason(r#"{"serial":"s","expire_at":{"unix":1},"signature":7}"#).contains("not a string"));
        assert_eq!(reason(r#"{"serial":"s","expire_at":{"unix":1,"unix_time":1}}"#), "");
        for (member, spelled) in
            [("unix", "1e2"), ("unix_time", "1780012800.0"), ("unix", "1.7800128E9"), ("unix", "100E0")]
        {
            let expected = format!("`expire_at.{member}` is written with a fraction or an exponent");
            let text = reason(&format!(r#"{{"serial":"s","expire_at":{{"{member}":{spelled}}}}}"#));
            assert!(text.contains(&expected), "{spelled}: {text}");
            let text =
                reason(&format!(r#"{{"serial":"s","expire_at":{{"unix":1}},"created_at":{{"{member}":{spelled}}}}}"#));
            assert!(text.contains("fraction or an exponent"), "{spelled}: {text}");
        }
        // In a member that is not read as a time, every reader may keep its own spelling.
        assert_eq!(reason(r#"{"serial":"s","expire_at":{"unix":1,"more":1e2},"unix":1.0}"#), "");
    }

    #[test]
    fn serials_are_safe_in_a_url_path() {
        for good in ["2026-3638-61034042", "A", "a_b.c", &"x".repeat(64)] {
            let serial = good.parse::<Serial>().expect(good);
            assert_eq!((serial.to_string(), String::from(serial)), (good.to_owned(), good.to_owned()));
        }
        for bad in ["", ".", "..", "a/b", "a?b", "a b", "ä", "a%2f", "a#", &"x".repeat(65)] {
            assert!(bad.parse::<Serial>().is_err(), "{bad}");
        }
    }
}
