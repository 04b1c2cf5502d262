//! The fleet's hub: it works, is down for a while, or lets only so many renewals through.

use netify_licensed::core::time::{MINUTE, Millis, WallTime};

/// What the hub does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Treatment {
    /// It answers.
    Serves,
    /// Nobody answers.
    Down,
    /// 429 with `Retry-After` in seconds.
    Limits(u32),
}

/// The hub of a scenario.
#[derive(Debug, Clone)]
pub struct FleetHub {
    /// Down from, to.
    pub outage: Option<(WallTime, WallTime)>,
    /// Renewals in a minute that it lets through.
    pub capacity: Option<u32>,
    minute: (Millis, u32),
}

impl FleetHub {
    /// A hub with these faults.
    #[must_use]
    pub const fn new(outage: Option<(WallTime, WallTime)>, capacity: Option<u32>) -> Self {
        Self { outage, capacity, minute: (0, 0) }
    }

    /// Treats a request; times of successive calls do not go back where there is a capacity.
    pub fn treat(&mut self, at: WallTime, renews: bool) -> Treatment {
        if self.outage.is_some_and(|(from, to)| (from..to).contains(&at)) {
            return Treatment::Down;
        }
        let Some(capacity) = self.capacity.filter(|_| renews) else { return Treatment::Serves };
        let minute = at.0 / MINUTE;
        if self.minute.0 != minute {
            self.minute = (minute, 0);
        }
        if self.minute.1 >= capacity {
            return Treatment::Limits(300);
        }
        self.minute.1 += 1;
        Treatment::Serves
    }
}
