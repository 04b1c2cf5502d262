//! The JSON bodies of create and renew, checked field by field as the vendor's page describes them.

use serde_json::{Map, Value};

use crate::clock::{DAY, midnight, parse_date};
use crate::license::Format;
use crate::outcome::Outcome;
use crate::request::Request;

/// A request body, and the complaints about it so far.
pub(crate) struct Body {
    members: Map<String, Value>,
    complaints: Vec<(String, String)>,
}

impl Body {
    /// Reads the body; 400 if it is not an object in JSON, or not said to be JSON.
    pub(crate) fn read(request: &Request) -> Result<Self, Outcome> {
        let mut members = Map::new();
        if !request.body.is_empty() {
            let kind = request.header("content-type").unwrap_or_default();
            let kind = kind.split(';').next().unwrap_or_default().trim();
            if !kind.eq_ignore_ascii_case("application/json") {
                return Err(Outcome::error(400, "The content type must be application/json."));
            }
            match serde_json::from_slice(&request.body) {
                Ok(Value::Object(object)) => members = object,
                Ok(_) => return Err(Outcome::error(400, "The body must be a JSON object.")),
                Err(_) => return Err(Outcome::error(400, "The body is not valid JSON.")),
            }
        }
        // A null is as good as no member.
        members.retain(|_, value| !value.is_null());
        Ok(Self { members, complaints: Vec::new() })
    }

    pub(crate) fn complain(&mut self, field: &str, message: impl Into<String>) {
        self.complaints.push((field.to_owned(), message.into()));
    }

    /// 422 if there was any complaint.
    pub(crate) fn finish(self) -> Result<(), Outcome> {
        if self.complaints.is_empty() { Ok(()) } else { Err(Outcome::invalid(self.complaints)) }
    }

    pub(crate) fn text(&mut self, field: &str) -> Option<String> {
        match self.members.get(field)? {
            Value::String(text) if !text.trim().is_empty() && text.chars().count() <= 255 => Some(text.clone()),
            Value::String(_) => {
                self.complain(field, "Must have 1 to 255 characters.");
                None
            }
            _ => {
                self.complain(field, "Must be a string.");
                None
            }
        }
    }

    pub(crate) fn required_text(&mut self, field: &str) -> String {
        if !self.members.contains_key(field) {
            self.complain(field, "This field is required.");
        }
        self.text(field).unwrap_or_default()
    }

    pub(crate) fn flag(&mut self, field: &str) -> Option<bool> {
        let value = self.members.get(field)?.as_bool();
        if value.is_none() {
            self.complain(field, "Must be true or false.");
        }
        value
    }

    pub(crate) fn required_names(&mut self, field: &str) -> Vec<String> {
        let Some(value) = self.members.get(field) else {
            self.complain(field, "This field is required.");
            return Vec::new();
        };
        let names: Option<Vec<String>> =
            value.as_array().and_then(|list| list.iter().map(|name| name.as_str().map(str::to_owned)).collect());
        match names {
            Some(names) if !names.is_empty() && names.iter().all(|name| !name.is_empty()) => names,
            _ => {
                self.complain(field, "Must be a list of at least one name.");
                Vec::new()
            }
        }
    }

    /// The expiry asked for, Unix seconds; `None` if the request leaves it to the hub.
    pub(crate) fn term(&mut self, now: i64, max_days: u32) -> Option<i64> {
        let today = midnight(now);
        let last = today.saturating_add(i64::from(max_days).saturating_mul(DAY));
        let too_long = format!("The longest term of this key is {max_days} days.");
        match (self.members.get("expire_at").cloned(), self.members.get("duration_days").cloned()) {
            (None, None) => None,
            (Some(_), Some(_)) => {
                self.complain("expire_at", "Give expire_at or duration_days, not both.");
                self.complain("duration_days", "Give expire_at or duration_days, not both.");
                None
            }
            (Some(date), None) => match date.as_str().and_then(parse_date) {
                None => {
                    self.complain("expire_at", "Must be a date formatted as YYYY-MM-DD.");
                    None
                }
                Some(day) if day <= today => {
                    self.complain("expire_at", "Must be in the future.");
                    None
                }
                Some(day) if day > last => {
                    self.complain("expire_at", too_long);
                    None
                }
                day => day,
            },
            (None, Some(days)) => match days.as_i64() {
                Some(days) if days > i64::from(max_days) => {
                    self.complain("duration_days", too_long);
                    None
                }
                Some(days) if days >= 1 => Some(today.saturating_add(days.saturating_mul(DAY))),
                _ => {
                    self.complain("duration_days", "Must be an integer of at least 1.");
                    None
                }
            },
        }
    }

    /// The format asked for in body or query; the vendor promises none here, the object format is ours.
    pub(crate) fn format(&mut self, request: &Request) -> Format {
        let asked = match self.members.get("format") {
            Some(value) => value.as_str().map_or_else(|| value.to_string(), str::to_owned),
            None => match request.parameter("format") {
                Some(name) => name,
                None => return Format::Object,
            },
        };
        Format::from_name(&asked).unwrap_or_else(|| {
            self.complain("format", "Must be object or netifyd.");
            Format::Object
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: i64 = 1_780_012_800 + 3600;

    fn body(value: &Value) -> Body {
        let request = Request {
            headers: vec![("Content-Type".to_owned(), "application/json; charset=utf-8".to_owned())],
            body: value.to_string().into_bytes(),
            ..Request::default()
        };
        Body::read(&request).ok().unwrap()
    }

    fn refused(value: &Value) -> Vec<String> {
        let mut body = body(value);
        let term = body.term(NOW, 30);
        let complaints: Vec<String> = body.complaints.into_iter().map(|(field, _)| field).collect();
        assert!(complaints.is_empty() || term.is_none());
        complaints
    }

    #[test]
    fn terms_are_whole_days_from_today() {
        assert_eq!(body(&json!({})).term(NOW, 30), None);
        assert_eq!(body(&json!({"duration_days": 30})).term(NOW, 30), Some(1_780_012_800 + 30 * DAY));
        assert_eq!(body(&json!({"expire_at": "2026-05-30"})).term(NOW, 30), Some(1_780_012_800 + DAY));
        assert_eq!(body(&json!({"expire_at": null, "duration_days": 1})).term(NOW, 30), Some(1_780_012_800 + DAY));
    }

    #[test]
    fn wrong_terms_name_their_field() {
        assert_eq!(refused(&json!({"duration_days": 31})), ["duration_days"]);
        assert_eq!(refused(&json!({"duration_days": 0})), ["duration_days"]);
        assert_eq!(refused(&json!({"duration_days": "30"})), ["duration_days"]);
        assert_eq!(refused(&json!({"duration_days": 1.5})), ["duration_days"]);
        assert_eq!(refused(&json!({"expire_at": "2026-05-29"})), ["expire_at"]);
        assert_eq!(refused(&json!({"expire_at": "2027-05-29"})), ["expire_at"]);
        assert_eq!(refused(&json!({"expire_at": "29.05.2027"})), ["expire_at"]);
        assert_eq!(refused(&json!({"expire_at": "2026-06-01", "duration_days": 3})), ["expire_at", "duration_days"]);
    }

    #[test]
    fn not_json_is_a_bad_request() {
        let json_type = || vec![("content-type".to_owned(), "application/json".to_owned())];
        let status = |headers, body: &[u8]| {
            let request = Request { headers, body: body.to_vec(), ..Request::default() };
            Body::read(&request).err().map(|outcome| outcome.status)
        };
        assert_eq!(status(json_type(), b"{"), Some(400));
        assert_eq!(status(json_type(), b"[]"), Some(400));
        assert_eq!(status(Vec::new(), b"{}"), Some(400));
        assert_eq!(status(Vec::new(), b""), None);
    }
}
