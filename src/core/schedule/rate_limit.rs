//! The floor under all renewals: a token bucket that holds whatever else goes wrong.
//!
//! Automatic renewals: 4 tokens, 8 more a day (or a life, if that is shorter), so no day sees more than 12. In a short
//! window two of them are kept for its end.
//! Manual ones: 10 tokens, one more every six minutes.

use serde::{Deserialize, Serialize};

use crate::core::time::{DAY, HOUR, MINUTE, Millis, WallTime};

/// Size and refill of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Tokens when full.
    pub capacity: u32,
    /// Milliseconds to one more token.
    pub interval: Millis,
}

/// Renewals that a person asked for.
pub const MANUAL: Rate = Rate { capacity: 10, interval: 6 * MINUTE };

/// Restores of the license file that another process undid.
pub const RESTORE: Rate = Rate { capacity: 3, interval: HOUR };

/// Reloads of the configuration that cut the wait after a failed attempt.
pub const HURRY: Rate = Rate { capacity: 2, interval: HOUR };

/// Renewals by schedule of a license that lives for `life` milliseconds.
#[must_use]
pub fn automatic(life: Millis) -> Rate {
    Rate { capacity: 4, interval: (life.clamp(1, DAY) / 8).max(1) }
}

impl Rate {
    const fn full(self) -> Millis {
        self.interval.saturating_mul(self.capacity as Millis)
    }
}

/// The license whose renewal is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ending {
    /// How long it lives.
    pub life: Millis,
    /// How long before its end its renewal window begins.
    pub window: Millis,
    /// How long until its end: zero when it has ended, or nobody knows the time.
    pub remaining: Millis,
}

/// A bucket. It is remembered over restarts, so it counts spent tokens: forgotten means full, not empty.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bucket {
    /// Time that must pass until the bucket is full again, in milliseconds, as of `at`.
    debt: Millis,
    /// When `debt` was true.
    at: WallTime,
}

impl Default for Bucket {
    fn default() -> Self {
        Self { debt: 0, at: WallTime(0) }
    }
}

impl Bucket {
    /// Whether nothing is owed.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.debt <= 0
    }

    /// Lets time pass. `elapsed` comes from a clock that does not step; after a restart from the wall clock.
    pub fn pass(&mut self, elapsed: Millis, now: WallTime) {
        self.debt = self.debt.saturating_sub(elapsed.max(0)).max(0);
        self.at = now;
    }

    /// Catches up after a restart. A wall clock that went backwards gives no credit.
    pub fn resume(&mut self, now: WallTime) {
        self.pass(now.since(self.at), now);
    }

    /// Whether a later state of this bucket owes no more than time alone explains: nothing was taken since.
    #[must_use]
    pub fn covers(&self, later: &Self) -> bool {
        let mut aged = *self;
        aged.pass(later.at.since(self.at), later.at);
        aged.debt.saturating_add(crate::core::time::SECOND) >= later.debt
    }

    /// Takes a token for an automatic renewal. What is owed beyond this life's tokens was taken while a license lived
    /// longer, and is paid off as it was taken: else a shorter life would get none at all until all of it is paid.
    ///
    /// Where a token takes longer to come back than a tenth of the window, two are kept for the end, one for the last
    /// fifth of the window and one for the last tenth: a hub that spoiled all renewals before may be well then.
    pub fn take_automatic(&mut self, license: Ending) -> Result<(), Millis> {
        let own = automatic(license.life);
        let rate = if self.debt > own.full() { automatic(DAY) } else { own };
        let tenth = license.window / 10;
        let until = |share: Millis| (license.remaining - share).max(0);
        let unlocked = if rate == own && tenth < own.interval { [until(tenth), until(2 * tenth), 0] } else { [0; 3] };
        let wait = |(kept, from): (Millis, Millis)| from.max(self.wait_keeping(rate, kept));
        let wait = (0..).zip(unlocked).map(wait).min();
        self.pay(rate, wait.unwrap_or(0))
    }

    /// Takes a token, or says how long until there is one.
    pub fn take(&mut self, rate: Rate) -> Result<(), Millis> {
        self.pay(rate, self.wait(rate))
    }

    const fn pay(&mut self, rate: Rate, wait: Millis) -> Result<(), Millis> {
        if wait > 0 {
            return Err(wait);
        }
        self.debt = self.debt.saturating_add(rate.interval);
        Ok(())
    }

    /// How long until [`Bucket::take`] would succeed; zero means now.
    #[must_use]
    pub fn wait(&self, rate: Rate) -> Millis {
        self.wait_keeping(rate, 0)
    }

    /// The same, with so many tokens left over.
    fn wait_keeping(&self, rate: Rate, kept: Millis) -> Millis {
        let full = rate.full();
        // A file that says more must not punish beyond a full bucket.
        (self.debt.min(full) + rate.interval.saturating_mul(1 + kept) - full).max(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::time::{HOUR, SECOND};

    fn ended(life: Millis) -> Ending {
        Ending { life, window: life / 2, remaining: 0 }
    }

    #[test]
    fn never_more_than_twelve_in_any_day() {
        let rate = automatic(7 * DAY);
        let (mut bucket, mut taken) = (Bucket::default(), Vec::new());
        for minute in 0..(5 * 24 * 60) {
            if bucket.take(rate).is_ok() {
                taken.push(minute);
            }
            bucket.pass(MINUTE, WallTime(0));
        }
        let busiest =
            taken.iter().map(|&from| taken.iter().filter(|&&at| at >= from && at < from + 24 * 60).count()).max();
        assert!(busiest.is_some_and(|busiest| (11..=12).contains(&busiest)), "{busiest:?}");
        assert!(taken.len() >= 5 * 8, "evenly refilled: {}", taken.len());
    }

    #[test]
    fn never_more_than_twelve_in_a_short_life() {
        let rate = automatic(10 * SECOND);
        let (mut bucket, mut taken) = (Bucket::default(), 0);
        for _ in 0..100 {
            taken += u32::from(bucket.take(rate).is_ok());
            bucket.pass(100, WallTime(0));
        }
        assert!((11..=12).contains(&taken), "{taken}");
    }

    #[test]
    fn a_short_life_does_not_wait_for_all_that_a_long_one_took() {
        let (week, hours) = (ended(7 * DAY), ended(2 * HOUR));
        let mut bucket = Bucket::default();
        for _ in 0..4 {
            assert_eq!(bucket.take_automatic(week), Ok(()));
        }
        assert_eq!(bucket.take_automatic(hours), Err(3 * HOUR), "as if the week went on");
        bucket.pass(8 * HOUR, WallTime(0));
        assert_eq!([bucket.take_automatic(hours), bucket.take_automatic(hours)], [Ok(()), Ok(())]);
        assert_eq!(bucket.take_automatic(hours), Err(HOUR));
        // And once that is paid, it has its own.
        bucket.pass(9 * HOUR, WallTime(0));
        let mut taken = 0;
        while bucket.take_automatic(hours).is_ok() {
            taken += 1;
        }
        assert_eq!(taken, 0, "an hour is owed, which are the four of two hours");
        bucket.pass(HOUR / 2, WallTime(0));
        assert_eq!([(); 3].map(|()| bucket.take_automatic(hours)), [Ok(()), Ok(()), Err(15 * MINUTE)]);
    }

    #[test]
    fn the_last_two_are_kept_for_the_end() {
        // A day's license: its tenth is 72 minutes, and a token takes three hours.
        let at = |remaining: Millis| Ending { life: DAY, window: 12 * HOUR, remaining };
        let mut bucket = Bucket::default();
        let mut take = |remaining| bucket.take_automatic(at(remaining * MINUTE));
        assert_eq!([take(600), take(600)], [Ok(()); 2]);
        assert_eq!(take(600), Err(3 * HOUR), "as one comes back");
        assert_eq!(take(320), Err(176 * MINUTE), "or when the last fifth of the window begins");
        assert_eq!([take(145), take(144), take(144)], [Err(MINUTE), Ok(()), Err(72 * MINUTE)]);
        assert_eq!([take(73), take(72), take(72)], [Err(MINUTE), Ok(()), Err(3 * HOUR)]);
    }

    #[test]
    fn nothing_is_kept_where_tokens_come_back_soon_enough_or_nothing_is_left() {
        for license in [
            Ending { life: 7 * DAY, window: 30 * HOUR, remaining: 30 * HOUR },
            Ending { life: 7 * DAY, window: 29 * HOUR, remaining: 0 },
        ] {
            let mut bucket = Bucket::default();
            assert_eq!(
                [(); 5].map(|()| bucket.take_automatic(license)),
                [Ok(()), Ok(()), Ok(()), Ok(()), Err(3 * HOUR)]
            );
        }
    }

    #[test]
    fn manual_burst_then_one_every_six_minutes() {
        let mut bucket = Bucket::default();
        for _ in 0..10 {
            assert_eq!(bucket.take(MANUAL), Ok(()));
        }
        assert_eq!(bucket.take(MANUAL), Err(6 * MINUTE));
        bucket.pass(5 * MINUTE, WallTime(0));
        assert_eq!(bucket.take(MANUAL), Err(MINUTE));
        bucket.pass(MINUTE, WallTime(0));
        assert_eq!(bucket.take(MANUAL), Ok(()));
        assert!(bucket.take(MANUAL).is_err());
    }

    #[test]
    fn survives_restarts_and_clock_steps() {
        let mut bucket = Bucket::default();
        bucket.resume(WallTime::from_unix(1_000_000));
        while bucket.take(MANUAL).is_ok() {}
        let text = serde_json::to_string(&bucket).expect("serializes");
        let mut later: Bucket = serde_json::from_str(&text).expect("deserializes");
        later.resume(WallTime::from_unix(1_000_000 - 500_000));
        assert!(later.take(MANUAL).is_err(), "no credit for a step backwards");
        assert!(!later.is_full());
        let mut far: Bucket = serde_json::from_str(&text).expect("deserializes");
        far.resume(WallTime::from_unix(1_000_000 + 10 * 365 * 86_400));
        assert!(far.is_full(), "at most one full bucket");
        assert_eq!((0..20).filter(|_| far.take(MANUAL).is_ok()).count(), 10);
    }

    #[test]
    fn a_token_that_was_taken_shows() {
        let start = WallTime::from_unix(1_000_000);
        let mut before = Bucket::default();
        before.resume(start);
        assert_eq!(before.take(MANUAL), Ok(()));
        let mut later = before;
        later.resume(start.plus(MINUTE));
        assert!(before.covers(&before) && before.covers(&later), "time explains it");
        // The clocks of two moments differ by up to a second.
        let second = Rate { capacity: 1_000, interval: SECOND };
        assert_eq!(later.take(second), Ok(()));
        assert!(before.covers(&later));
        assert_eq!(later.take(Rate { capacity: 1_000_000, interval: 1 }), Ok(()));
        assert!(!before.covers(&later));
    }

    #[test]
    fn a_change_of_rate_does_not_lock_out() {
        let mut bucket = Bucket::default();
        while bucket.take(automatic(7 * DAY)).is_ok() {}
        assert!(bucket.wait(automatic(HOUR)) <= HOUR / 8);
    }
}
