//! Whether a candidate may replace what is installed. Promise 1 lives here.

pub mod pending;
pub mod shape;
pub mod source;
pub mod verdict;

use crate::core::license::document::Entitlement;

/// The names in `wanted` that are not in `given`.
#[must_use]
pub fn missing(wanted: &[Entitlement], given: &[Entitlement]) -> Vec<String> {
    wanted.iter().filter(|e| !given.iter().any(|g| g.name == e.name)).map(|e| e.name.clone()).collect()
}
