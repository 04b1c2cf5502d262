//! When to renew: the due time, the pauses between attempts, the limit on renewals.

pub mod backoff;
pub mod plan;
pub mod rate_limit;
