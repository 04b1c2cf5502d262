//! What is used today: a cron job twice a day that sleeps up to five hours, then fetches a license that is renewed when
//! three days are left. It does not try again before its next run.

use netify_licensed::core::time::{DAY, HOUR, Millis, WallTime};

use super::hub::{FleetHub, Treatment};
use super::load::Load;
use super::{EXPIRES, ISSUED, Renewed};
use crate::random::Random;

/// Between two runs.
const PERIOD: Millis = 12 * HOUR;
/// Longest sleep.
const SLEEP: Millis = 5 * HOUR;
/// The license is renewed when no more than this is left.
const LEFT: Millis = 3 * DAY;

/// One device's cron job.
#[derive(Debug)]
pub struct CronDevice {
    random: Random,
    midnight: WallTime,
    next: WallTime,
    renewed: Renewed,
}

impl CronDevice {
    /// The device when its license is issued.
    #[must_use]
    pub fn new(number: u64) -> Self {
        let mut random = Random::new(number ^ 0xc407);
        let midnight = WallTime(ISSUED.0.div_euclid(PERIOD) * PERIOD + PERIOD);
        let next = midnight.plus(random.between(0, SLEEP));
        Self { random, midnight, next, renewed: None }
    }

    /// When it asks next; [`None`] when it is renewed, or a day after its license ended.
    #[must_use]
    pub fn next(&self) -> Option<WallTime> {
        (self.renewed.is_none() && self.next < EXPIRES.plus(DAY)).then_some(self.next)
    }

    /// When it got its next license.
    #[must_use]
    pub const fn renewed(&self) -> Renewed {
        self.renewed
    }

    /// One run.
    pub fn advance(&mut self, hub: &mut FleetHub, load: &mut Load) {
        let renews = EXPIRES.since(self.next) <= LEFT;
        let served = hub.treat(self.next, renews) == Treatment::Serves;
        load.count(self.next, renews && served);
        if renews && served {
            self.renewed = Some(self.next);
        }
        self.midnight = self.midnight.plus(PERIOD);
        self.next = self.midnight.plus(self.random.between(0, SLEEP));
    }
}
