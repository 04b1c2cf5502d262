//! Whether two licenses are written in the same way: only then may the answer of a renew replace the installed one.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// Whether a candidate has the installed license's members, entitlements aside, and its form of `expire_at`. The hub
/// knows two formats and promises neither for the answer of a renew: netifyd reads only one of them.
#[must_use]
pub fn is_shared(installed: &[u8], candidate: &[u8]) -> bool {
    match (shape(installed), shape(candidate)) {
        (Some(installed), Some(candidate)) => installed == candidate,
        _ => false,
    }
}

/// The names of the members, and those of `expire_at`.
fn shape(document: &[u8]) -> Option<(BTreeSet<String>, BTreeSet<String>)> {
    let members: Map<String, Value> = serde_json::from_slice(document).ok()?;
    let dates = members.get("expire_at")?.as_object()?.keys().cloned().collect();
    let is_entitlement = |name: &str, value: &Value| name == "entitlements" || value.get("not_valid_after").is_some();
    let names = members.iter().filter(|(name, value)| !is_entitlement(name, value)).map(|(name, _)| name.clone());
    Some((names.collect(), dates))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_and_the_form_of_the_end_make_the_shape() {
        let installed = r#"{"serial":"S","expire_at":{"unix":1},"signature":"x","a":{"not_valid_after":"2026-01-01"}}"#;
        for (candidate, same) in [
            (r#"{"signature":"y","expire_at":{"unix":2},"serial":"T"}"#, true),
            (r#"{"signature":"y","expire_at":{"unix":2},"serial":"T","b":{"not_valid_after":"2027-01-01"}}"#, true),
            (r#"{"signature":"y","expire_at":{"unix":2},"serial":"T","entitlements":["a"]}"#, true),
            (r#"{"signature":"y","expire_at":{"unix_time":2},"serial":"T"}"#, false),
            (r#"{"signature":"y","expire_at":{"unix":2,"date":"x"},"serial":"T"}"#, false),
            (r#"{"signature":"y","expire_at":{"unix":2},"serial":"T","version":"1"}"#, false),
            (r#"{"expire_at":{"unix":2},"serial":"T"}"#, false),
            (r#"{"signature":"y","serial":"T"}"#, false),
            ("null", false),
            ("<html>", false),
        ] {
            assert_eq!(is_shared(installed.as_bytes(), candidate.as_bytes()), same, "{candidate}");
        }
    }
}
