//! Why a request brought no data: one type for whatever goes wrong between here and the hub.

use serde_json::Value;

use crate::core::hub::redaction::Redaction;
use crate::core::text::clause;
use crate::core::time::Millis;

/// Why there is no HTTP answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransportError {
    /// One sentence: what failed, at which URL, what to do.
    pub message: String,
    /// The request never left because of this machine's setup (no key, bad certificate file): no hub was asked.
    pub local: bool,
}

/// How much a failure says about the next try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TroubleKind {
    /// Nobody with a say answered: try again.
    Outage,
    /// The hub is there and says no: slow retries.
    Refusal,
    /// The hub asks for patience.
    RateLimited,
    /// Our own side is not ready (no key, no certificate): nothing was sent.
    Local,
}

impl TroubleKind {
    /// The word in logs, status and metrics.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Outage => "outage",
            Self::Refusal => "refused",
            Self::RateLimited => "rate-limited",
            Self::Local => "not-ready",
        }
    }
}

/// Whose word a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaker {
    /// The API's own envelope: it may say that a license is gone.
    Api,
    /// The hub or the relay, or a program in its place that answers in JSON. It is taken for its text.
    Json,
    /// Whatever stands in front (a firewall, a load balancer, a portal), or nobody.
    Other,
}

/// A request that brought no data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What kind of failure.
    pub kind: TroubleKind,
    /// Whose word it is.
    pub speaker: Speaker,
    /// HTTP status code, if there was an answer.
    pub http_status: Option<u16>,
    /// One sentence with the hub's own words.
    pub message: String,
    /// The hub's validation errors, one per entry.
    pub fields: Vec<String>,
    /// What to do about it, where that is known.
    pub remedy: Option<String>,
    /// How long the server asked to wait.
    pub retry_after: Option<Millis>,
}

impl Trouble {
    pub(in crate::core) fn outage(message: impl Into<String>, http_status: Option<u16>) -> Self {
        let (kind, speaker) = (TroubleKind::Outage, Speaker::Other);
        Self {
            kind,
            speaker,
            http_status,
            message: message.into(),
            fields: Vec::new(),
            remedy: None,
            retry_after: None,
        }
    }

    /// The message with the field errors, and what to do.
    #[must_use]
    pub fn sentence(&self) -> String {
        let fields: Vec<_> = self.fields.iter().map(|field| clause(field)).collect();
        let fields = if fields.is_empty() { String::new() } else { format!(" ({})", fields.join("; ")) };
        match &self.remedy {
            Some(remedy) => format!("{}{fields}; {remedy}", clause(&self.message)),
            None => format!("{}{fields}", self.message),
        }
    }

    /// Exit code: 5 when the hub refused, else 1. A page of a server in front of the hub is no refusal of the hub.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        let refused = matches!(self.http_status, Some(400 | 401 | 403 | 404 | 409 | 422));
        if refused && matches!(self.kind, TroubleKind::Refusal) { 5 } else { 1 }
    }

    /// The API itself says with this status that there is no such license.
    #[must_use]
    pub const fn says_gone(&self) -> bool {
        matches!(self.http_status, Some(404)) && matches!(self.speaker, Speaker::Api)
    }

    /// Whether the same request may succeed later without anybody changing anything.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        matches!(self.kind, TroubleKind::Outage | TroubleKind::RateLimited)
    }
}

impl From<TransportError> for Trouble {
    fn from(error: TransportError) -> Self {
        let kind = if error.local { TroubleKind::Local } else { TroubleKind::Outage };
        Self { kind, ..Self::outage(error.message, None) }
    }
}

/// Field errors of any shape: strings, objects, lists, nested.
pub(in crate::core) fn field_errors(value: &Value, redaction: &Redaction) -> Vec<String> {
    fn walk(prefix: &str, value: &Value, redaction: &Redaction, found: &mut Vec<String>) {
        let one_line = |text: &str| redaction.one_line(text);
        if found.len() >= 16 {
            return;
        }
        let named =
            |text: &str| if prefix.is_empty() { one_line(text) } else { format!("{prefix}: {}", one_line(text)) };
        match value {
            Value::Null => {}
            Value::String(text) => found.push(named(text)),
            Value::Bool(_) | Value::Number(_) => found.push(named(&value.to_string())),
            Value::Array(items) => items.iter().for_each(|item| walk(prefix, item, redaction, found)),
            Value::Object(members) => {
                let field = ["field", "name"].iter().find_map(|key| members.get(*key)?.as_str());
                let message = ["message", "error", "description"].iter().find_map(|key| members.get(*key)?.as_str());
                if let (Some(field), Some(message)) = (field, message) {
                    found.push(format!("{}: {}", one_line(field), one_line(message)));
                } else {
                    members.iter().for_each(|(name, inner)| {
                        let name = one_line(name);
                        let name = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
                        walk(&name, inner, redaction, found);
                    });
                }
            }
        }
    }
    let mut found = Vec::new();
    walk("", value, redaction, &mut found);
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_never_left_this_machine_is_no_outage() {
        let error = |local| TransportError { message: "no key".to_owned(), local };
        for (local, kind, word, may_pass) in
            [(true, TroubleKind::Local, "not-ready", false), (false, TroubleKind::Outage, "outage", true)]
        {
            let trouble = Trouble::from(error(local));
            assert_eq!((trouble.kind, trouble.kind.word(), trouble.may_pass()), (kind, word, may_pass));
            assert_eq!((trouble.exit_code(), trouble.sentence().as_str()), (1, "no key"));
        }
    }

    #[test]
    fn field_errors_of_any_shape_are_told_and_not_without_end() {
        let value =
            json!({ "a": { "b": ["x", 7, true, null], "c": { "d": "y" } }, "e": { "field": "f", "error": "z" } });
        assert_eq!(field_errors(&value, &Redaction::default()), ["a.b: x", "a.b: 7", "a.b: true", "a.c.d: y", "f: z"]);
        let many: Vec<Value> = (0..100).map(|n| json!(format!("{n}"))).collect();
        let told = field_errors(&Value::Array(many), &Redaction::default());
        assert_eq!((told.len(), told[15].as_str()), (16, "15"));
    }
}
