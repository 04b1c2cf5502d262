//! Holds status documents against `docs/status.schema.json`.
//!
//! Readers must accept members that they do not know, so the schema does. This crate is stricter: a member that the
//! schema does not describe is a [violation](violations) too, so that nothing is published undocumented.
//!
//! ```
//! let broken = serde_json::json!({ "schema": 2 });
//! let violations = status_schema::violations(&broken);
//! assert!(violations.iter().any(|violation| violation.starts_with("/schema: ")), "{violations:?}");
//! ```

use std::sync::OnceLock;

use jsonschema::{Draft, Validator};
use serde_json::{Value, json};

/// The schema as it stands in the repository.
pub const SCHEMA: &str = include_str!("../../../docs/status.schema.json");

/// What is wrong with a status document, one sentence each, beginning with the place as a JSON Pointer.
///
/// # Panics
/// When the schema itself is broken.
#[must_use]
pub fn violations(status: &Value) -> Vec<String> {
    static STRICT: OnceLock<Validator> = OnceLock::new();
    let strict = STRICT.get_or_init(|| {
        let mut schema = schema();
        close(&mut schema);
        validator(&schema)
    });
    strict.iter_errors(status).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// [`violations`] of a document in text form; text that is no JSON is one violation.
#[must_use]
pub fn violations_in(text: &str) -> Vec<String> {
    serde_json::from_str(text).map_or_else(|error| vec![format!("not JSON: {error}")], |status| violations(&status))
}

/// Whether readers that hold a document against the published schema accept it.
#[must_use]
pub fn is_accepted_by_readers(status: &Value) -> bool {
    validator(&schema()).is_valid(status)
}

fn schema() -> Value {
    serde_json::from_str(SCHEMA).expect("docs/status.schema.json is JSON")
}

fn validator(schema: &Value) -> Validator {
    jsonschema::options()
        .with_draft(Draft::Draft202012)
        .should_validate_formats(true)
        .build(schema)
        .expect("docs/status.schema.json is a JSON Schema")
}

/// Forbids members that the schema does not describe.
fn close(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(close),
        Value::Object(members) => {
            members.values_mut().for_each(close);
            let describes = members.get("type") == Some(&json!("object")) && members.contains_key("properties");
            if describes && !members.contains_key("additionalProperties") {
                members.insert("additionalProperties".to_owned(), json!(false));
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Value {
        json!({
            "schema": 1, "version": "1.2.3", "pid": 812, "state": "valid", "healthy": true, "problems": [], "advice": [],
            "license": {
                "path": "/etc/netifyd/license.json", "serial": "S-1", "issued_to": null,
                "issued_at": "2026-11-01T00:00:00Z", "expires_at": "2026-11-08T00:00:00Z", "renewable": true,
                "entitlements": [{ "name": "netify-proc-aggregator", "not_valid_after": null }],
                "duid": null, "key_id": "0123456789abcdef", "sha256": null
            },
            "device": { "duid": null, "source": null },
            "renewal": {
                "due_at": null, "next_attempt_at": null, "reason": "because",
                "last_attempt": { "at": "2026-11-01T00:00:00Z", "outcome": "outage", "error": "x", "http_status": 503 },
                "history": [{ "at": "2026-11-01T00:00:00Z", "outcome": "outage", "error": "x", "http_status": 503 }],
                "last_success_at": null, "consecutive_failures": 1, "attempts": { "rate-limited": 2 }
            },
            "reload": {
                "method": "signal", "pending": false, "last_at": null, "last_outcome": null, "last_detail": null,
                "reloads": {}
            },
            "clock": { "trusted": true, "why": "because", "skew": null },
            "hub": { "kind": "api", "url": "https://hub.example/x" }
        })
    }

    /// The good document with another value at a place.
    fn with(pointer: &str, value: Value) -> Value {
        let mut document = good();
        *document.pointer_mut(pointer).expect("a place in the document") = value;
        document
    }

    #[test]
    fn a_good_document_is_good() {
        assert_eq!(violations(&good()), Vec::<String>::new());
        assert_eq!(violations_in(&good().to_string()), Vec::<String>::new());
    }

    #[test]
    fn every_mistake_is_found_where_it_is() {
        for (place, value) in [
            ("/schema", json!(2)),
            ("/pid", json!(0)),
            ("/state", json!("fine")),
            ("/healthy", json!("yes")),
            ("/problems", json!([""])),
            ("/license/path", json!("license.json")),
            ("/license/expires_at", json!("2026-11-31T00:00:00Z")),
            ("/license/expires_at", json!("2026-11-08 00:00:00 UTC")),
            ("/license/issued_at", json!("2026-11-01T00:00:00+01:00")),
            ("/license/entitlements/0/name", json!(null)),
            ("/license/key_id", json!("0123456789ABCDEF")),
            ("/renewal/last_attempt", json!("It failed")),
            ("/renewal/history/0/outcome", json!("It failed")),
            ("/renewal/history/0/http_status", json!(0)),
            ("/renewal/consecutive_failures", json!(-1)),
            ("/renewal/attempts", json!({ "outage": 0 })),
            ("/renewal/history", json!([{}])),
            ("/reload/method", json!("smoke")),
            ("/reload/last_outcome", json!("perhaps")),
            ("/clock/why", json!("")),
            ("/hub/url", json!("hub")),
        ] {
            let found = violations(&with(place, value.clone()));
            let here = found.iter().any(|violation| violation.starts_with(place));
            assert!(here, "{place} = {value}: {found:?}");
        }
        assert!(!violations_in("{").is_empty());
    }

    #[test]
    fn every_member_is_required() {
        fn check(whole: &Value, pointer: &str) {
            let Some(members) = whole.pointer(pointer).and_then(Value::as_object) else { return };
            for name in members.keys() {
                let mut without = whole.clone();
                let parent = without.pointer_mut(pointer).and_then(Value::as_object_mut);
                parent.expect("an object").remove(name);
                // Counters by outcome have no fixed members.
                if !pointer.ends_with("/attempts") {
                    assert!(!violations(&without).is_empty(), "{pointer}/{name} may be left out");
                }
                check(whole, &format!("{pointer}/{name}"));
            }
        }
        check(&good(), "");
    }

    #[test]
    fn readers_accept_what_they_do_not_know_but_nothing_is_published_undocumented() {
        let mut more = good();
        more["license"]["color"] = json!("blue");
        assert!(is_accepted_by_readers(&more));
        assert_eq!(violations(&more).len(), 1, "{:?}", violations(&more));
    }
}
