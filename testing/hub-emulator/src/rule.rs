//! Which requests faults hit, and how often.
//!
//! A rule is also the JSON of `POST /_emulator/faults`:
//! `{"endpoint":"renew","count":2,"answer":{"status":{"code":503,"retry-after":30}}}`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::endpoint::Endpoint;
use crate::fault::{Delivery, Fault, FaultAnswer, Framing};

/// Which requests a fault hits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "RuleJson", into = "RuleJson")]
pub struct FaultRule {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// The HTTP method, if it matters.
    pub method: Option<String>,
    /// How many requests are let through first.
    pub skip: u32,
    /// How many requests are hit; `None`: all that follow.
    pub count: Option<u32>,
    /// What happens to them.
    pub fault: Fault,
}

impl FaultRule {
    /// Hits the next request for the endpoint.
    #[must_use]
    pub fn once(endpoint: Endpoint, fault: Fault) -> Self {
        Self::times(endpoint, 1, fault)
    }

    /// Hits the next `count` requests for the endpoint.
    #[must_use]
    pub fn times(endpoint: Endpoint, count: u32, fault: Fault) -> Self {
        Self { endpoint, method: None, skip: 0, count: Some(count), fault }
    }

    /// Hits every request for the endpoint until the faults are cleared.
    #[must_use]
    pub fn always(endpoint: Endpoint, fault: Fault) -> Self {
        Self { endpoint, method: None, skip: 0, count: None, fault }
    }

    /// Lets this many requests through first.
    #[must_use]
    pub fn after(mut self, skip: u32) -> Self {
        self.skip = skip;
        self
    }

    /// Hits only this HTTP method.
    #[must_use]
    pub fn method(mut self, method: impl Into<String>) -> Self {
        self.method = Some(method.into());
        self
    }
}

/// The flat form of a rule in JSON.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct RuleJson {
    #[serde(default = "any")]
    endpoint: Endpoint,
    #[serde(default)]
    method: Option<String>,
    #[serde(default)]
    skip: u32,
    /// Absent: once. `null`: always.
    #[serde(default = "once")]
    count: Option<u32>,
    #[serde(default)]
    answer: Option<FaultAnswer>,
    #[serde(default)]
    delivery: Delivery,
    #[serde(default)]
    framing: Framing,
    #[serde(default)]
    delay_ms: u64,
    #[serde(default)]
    carry_out: Option<bool>,
}

fn any() -> Endpoint {
    Endpoint::Any
}

#[expect(clippy::unnecessary_wraps, reason = "serde wants the member's type")]
fn once() -> Option<u32> {
    Some(1)
}

impl From<RuleJson> for FaultRule {
    fn from(json: RuleJson) -> Self {
        let RuleJson { endpoint, method, skip, count, answer, delivery, framing, delay_ms, carry_out } = json;
        let fault = Fault { answer, delivery, framing, delay: Duration::from_millis(delay_ms), carry_out };
        Self { endpoint, method, skip, count, fault }
    }
}

impl From<FaultRule> for RuleJson {
    fn from(rule: FaultRule) -> Self {
        let FaultRule { endpoint, method, skip, count, fault } = rule;
        let Fault { answer, delivery, framing, delay, carry_out } = fault;
        let delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        Self { endpoint, method, skip, count, answer, delivery, framing, delay_ms, carry_out }
    }
}

/// The rules in force, in the order in which they were given.
#[derive(Debug, Clone, Default)]
pub(crate) struct FaultQueue {
    rules: Vec<FaultRule>,
}

impl FaultQueue {
    pub(crate) fn push(&mut self, rule: FaultRule) {
        self.rules.push(rule);
    }

    pub(crate) fn clear(&mut self) {
        self.rules.clear();
    }

    pub(crate) fn rules(&self) -> &[FaultRule] {
        &self.rules
    }

    /// The fault for a request: that of the first rule that matches and has neither requests to skip nor none left.
    pub(crate) fn take(&mut self, endpoint: Endpoint, method: &str) -> Option<Fault> {
        self.rules.retain(|rule| rule.count != Some(0));
        for rule in &mut self.rules {
            if !rule.endpoint.covers(endpoint) || rule.method.as_ref().is_some_and(|m| !m.eq_ignore_ascii_case(method))
            {
                continue;
            }
            if rule.skip > 0 {
                rule.skip -= 1;
                continue;
            }
            rule.count = rule.count.map(|left| left.saturating_sub(1));
            let fault = rule.fault.clone();
            self.rules.retain(|rule| rule.count != Some(0));
            return Some(fault);
        }
        None
    }
}

#[cfg(test)]
mod tests;
