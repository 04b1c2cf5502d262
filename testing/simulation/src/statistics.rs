//! What was seen in a life, for the report.

use netify_licensed::core::engine::HubRequest;

use crate::oracle::{Oracle, Spread};

/// Counts.
#[derive(Debug, Clone, Copy, Default)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Statistics {
    pub steps: u64,
    pub ticks: u64,
    pub looks: u64,
    pub renewals: u64,
    pub installs: u64,
    pub reloads: u64,
    pub saves: u64,
    pub crashes: u64,
    pub lapses: u64,
    pub busiest_requests: usize,
    pub busiest_renewals: usize,
    pub spread: Spread,
}

impl Statistics {
    pub(crate) const fn asked(&mut self, request: &HubRequest) {
        match request {
            HubRequest::Renew { .. } | HubRequest::Create { .. } => self.renewals += 1,
            _ => self.looks += 1,
        }
    }

    pub(crate) fn finish(&mut self, oracle: &Oracle) {
        self.lapses = oracle.lapses;
        (self.busiest_requests, self.busiest_renewals) = oracle.busiest;
        self.spread = oracle.spread;
    }

    /// Adds another device's.
    pub fn add(&mut self, other: &Self) {
        self.steps += other.steps;
        self.ticks += other.ticks;
        self.looks += other.looks;
        self.renewals += other.renewals;
        self.installs += other.installs;
        self.reloads += other.reloads;
        self.saves += other.saves;
        self.crashes += other.crashes;
        self.lapses += other.lapses;
        self.busiest_requests = self.busiest_requests.max(other.busiest_requests);
        self.busiest_renewals = self.busiest_renewals.max(other.busiest_renewals);
        self.spread.add(&other.spread);
    }
}
