//! What arrives at the hub, minute by minute.

use netify_licensed::core::time::{MINUTE, WallTime};

use super::{EXPIRES, ISSUED};

/// Minutes that are counted: from the issue to a day after the end.
const MINUTES: usize = 8 * 24 * 60;

/// Counts by minute.
#[derive(Debug, Clone)]
pub struct Load {
    /// Renewals that the hub carried out.
    pub renewals: Vec<u32>,
    /// Requests of any kind, refused ones included.
    pub requests: Vec<u32>,
    /// Devices renewed in time.
    pub in_time: u64,
    /// Devices that were without a license for a while.
    pub lapsed: u64,
}

impl Default for Load {
    fn default() -> Self {
        Self { renewals: vec![0; MINUTES], requests: vec![0; MINUTES], in_time: 0, lapsed: 0 }
    }
}

impl Load {
    /// Counts a request.
    pub fn count(&mut self, at: WallTime, renewed: bool) {
        let minute = minute(at);
        if let (Some(requests), Some(renewals)) = (self.requests.get_mut(minute), self.renewals.get_mut(minute)) {
            *requests += 1;
            *renewals += u32::from(renewed);
        }
    }

    /// Counts a device's fate.
    pub fn fate(&mut self, renewed: super::Renewed) {
        if renewed.is_some_and(|at| at < EXPIRES) { self.in_time += 1 } else { self.lapsed += 1 }
    }

    /// Adds what another processor counted.
    pub fn add(&mut self, other: &Self) {
        self.renewals.iter_mut().zip(&other.renewals).for_each(|(mine, theirs)| *mine += theirs);
        self.requests.iter_mut().zip(&other.requests).for_each(|(mine, theirs)| *mine += theirs);
        self.in_time += other.in_time;
        self.lapsed += other.lapsed;
    }

    /// Renewals in the busiest minute from a moment on.
    #[must_use]
    pub fn busiest_renewals(&self, from: WallTime) -> u32 {
        self.renewals.iter().skip(minute(from)).copied().max().unwrap_or(0)
    }

    /// Requests in the busiest minute from a moment on.
    #[must_use]
    pub fn busiest_requests(&self, from: WallTime) -> u32 {
        self.requests.iter().skip(minute(from)).copied().max().unwrap_or(0)
    }

    /// Renewals in the busiest half hour from a moment on, per minute: a measure that little chance is in.
    #[must_use]
    pub fn busiest_half_hour(&self, from: WallTime) -> f64 {
        let busiest = self.renewals[minute(from)..].windows(30).map(|minutes| minutes.iter().sum::<u32>()).max();
        f64::from(busiest.unwrap_or(0)) / 30.0
    }
}

/// The minute that a moment lies in; past the last one if it is not counted.
fn minute(at: WallTime) -> usize {
    usize::try_from(at.since(ISSUED) / MINUTE).unwrap_or(MINUTES).min(MINUTES)
}
