//! What is published is what docs/status.schema.json describes, in every state.

use std::collections::HashSet;
use std::sync::{LazyLock, Mutex, PoisonError};

use netify_licensed::core::license::verify::State;
use netify_licensed::core::report::status::Status;

use super::Oracle;

/// What tells one kind of document from another; the rest is dates and numbers.
type Kind = ((State, usize, usize), [bool; 9], [Option<String>; 2]);

/// Kinds that were held against the schema, of all devices: a document costs as much as a hundred steps.
static SEEN: LazyLock<Mutex<HashSet<Kind>>> = LazyLock::new(Mutex::default);

impl Oracle {
    /// A status is published.
    pub fn publishes(&mut self, status: &Status) {
        let attempt = status.renewal.last_attempt.as_ref();
        let kind = (
            (status.state, status.problems.len(), status.advice.len()),
            [
                status.healthy,
                status.clock.trusted,
                status.clock.skew.is_some(),
                status.license.serial.is_some(),
                status.license.issued_at.is_some(),
                status.license.key_id.is_some(),
                status.renewal.next_attempt_at.is_some(),
                status.reload.pending,
                attempt.is_some_and(|attempt| attempt.http_status.is_some()),
            ],
            [
                attempt.map(|attempt| attempt.outcome.to_string()),
                status.reload.last_outcome.map(|word| word.to_string()),
            ],
        );
        if !SEEN.lock().unwrap_or_else(PoisonError::into_inner).insert(kind) {
            return;
        }
        let violations = match serde_json::to_value(status) {
            Ok(document) => status_schema::violations(&document),
            Err(error) => vec![error.to_string()],
        };
        self.require(violations.is_empty(), || format!("the published status breaks its schema: {violations:?}"));
    }
}
