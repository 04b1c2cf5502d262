//! How long to wait after an attempt that did not succeed.

use crate::core::time::{DAY, HOUR, Millis, SECOND};

/// However close the expiry, attempts are at least this far apart (or `min-retry`, if that is shorter).
const CLOSEST: Millis = 10 * SECOND;
/// Attempts that must still fit before the expiry.
const ATTEMPTS_LEFT: Millis = 8;
/// A server that asks for more patience than this is not believed.
const LONGEST_RETRY_AFTER: Millis = DAY;
/// An expired or missing license is asked for at least this often.
const LONGEST_WITHOUT_LICENSE: Millis = HOUR;

/// `renewal.min-retry` and `renewal.max-retry`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Shortest wait after a first failure.
    pub min: Millis,
    /// Longest wait.
    pub max: Millis,
}

/// What the wait depends on.
#[derive(Debug, Clone, Copy)]
pub struct Situation {
    /// Failures in a row, this one included (at least 1).
    pub failures: u32,
    /// Time to the expiry; `None` when there is no usable license.
    pub remaining: Option<Millis>,
    /// What the server asked for (RFC 9110, Retry-After).
    pub retry_after: Option<Millis>,
    /// The server answered and will not change its mind soon: slow retries.
    pub refusal: bool,
    /// Uniform random number in `0.0..1.0`.
    pub random: f64,
}

impl Limits {
    /// The wait in milliseconds. Exponential with full jitter, shortened near the expiry, never zero.
    #[must_use]
    pub fn delay(&self, situation: &Situation) -> Millis {
        let closest = CLOSEST.min(self.min).max(1);
        let remaining = situation.remaining.filter(|&remaining| remaining > 0);
        let ceiling = match remaining {
            Some(remaining) => (remaining / ATTEMPTS_LEFT).max(closest),
            None => LONGEST_WITHOUT_LICENSE.max(self.min),
        };
        let doublings = if situation.refusal { 30 } else { situation.failures.min(30) };
        let cap = self.min.saturating_mul(1_i64 << doublings).min(self.max).max(self.min);
        let drawn = if situation.refusal {
            cap / 2 + scale(cap / 2, situation.random)
        } else {
            self.min + scale(cap - self.min, situation.random)
        };
        // The shortened wait keeps its jitter: half of it is drawn.
        let shortened = ceiling / 2 + scale(ceiling - ceiling / 2, situation.random);
        let wait = drawn.min(shortened).max(closest);
        let Some(asked) = situation.retry_after else { return wait };
        let limit = remaining.map_or(self.max.max(self.min), |remaining| (remaining / 4).max(closest));
        let asked = asked.clamp(closest, LONGEST_RETRY_AFTER).min(limit);
        // A fleet that was told the same number must not come back in the same minute: it is spread over one to two times
        // what was asked. And a hub that asks for the same short patience all day long is asked less and less often all the same.
        asked.saturating_add(scale(asked, situation.random)).max(wait)
    }
}

/// `random` of `range`.
#[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
fn scale(range: Millis, random: f64) -> Millis {
    // Spans stay far below 2^52 milliseconds.
    ((range.max(0) as f64) * random.clamp(0.0, 1.0)) as Millis
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::time::MINUTE;

    const LIMITS: Limits = Limits { min: MINUTE, max: 6 * HOUR };

    fn situation(failures: u32, remaining: Option<Millis>, random: f64) -> Situation {
        Situation { failures, remaining, retry_after: None, refusal: false, random }
    }

    #[test]
    fn grows_from_min_to_max_with_full_jitter() {
        let week = Some(7 * DAY);
        assert_eq!(LIMITS.delay(&situation(1, week, 0.0)), MINUTE);
        assert_eq!(LIMITS.delay(&situation(1, week, 1.0)), 2 * MINUTE);
        assert_eq!(LIMITS.delay(&situation(3, week, 1.0)), 8 * MINUTE);
        assert_eq!(LIMITS.delay(&situation(3, week, 0.0)), MINUTE);
        assert_eq!(LIMITS.delay(&situation(40, week, 1.0)), 6 * HOUR);
    }

    #[test]
    fn eight_attempts_fit_before_the_expiry() {
        for remaining in [20 * MINUTE, HOUR, 8 * HOUR, DAY, 7 * DAY] {
            for failures in 1..60 {
                assert!(LIMITS.delay(&situation(failures, Some(remaining), 0.999)) <= remaining / 8);
            }
        }
        assert_eq!(LIMITS.delay(&situation(9, Some(SECOND), 0.5)), 10 * SECOND, "but never a hot loop");
    }

    #[test]
    fn the_wait_is_drawn_from_its_whole_range() {
        assert_eq!(LIMITS.delay(&situation(3, Some(7 * DAY), 0.5)), 4 * MINUTE + 30 * SECOND);
        let slow = |remaining, random| LIMITS.delay(&Situation { refusal: true, ..situation(1, remaining, random) });
        for (random, minutes) in [(0.0, 30), (0.5, 45), (1.0, 60)] {
            assert_eq!(slow(Some(8 * HOUR), random), minutes * MINUTE, "an eighth of what is left, half of it drawn");
            assert_eq!(slow(Some(0), random), minutes * MINUTE, "a license that ends now has ended");
        }
    }

    #[test]
    fn without_a_license_it_is_asked_for_every_hour_at_least() {
        assert!(LIMITS.delay(&situation(40, None, 1.0)) <= HOUR);
        assert!(LIMITS.delay(&situation(40, Some(-5), 1.0)) <= HOUR);
        assert!(LIMITS.delay(&situation(40, None, 0.0)) >= MINUTE);
    }

    #[test]
    fn retry_after_is_honored_but_not_beyond_reason() {
        let asked = |seconds: i64, remaining, random| {
            LIMITS.delay(&Situation { retry_after: Some(seconds * SECOND), ..situation(1, remaining, random) })
        };
        assert_eq!(asked(300, Some(7 * DAY), 0.0), 300 * SECOND);
        assert!(asked(300, Some(7 * DAY), 0.9) > 300 * SECOND, "a fleet is spread");
        assert_eq!(asked(300, Some(7 * DAY), 1.0), 600 * SECOND);
        assert_eq!(asked(300, Some(7 * DAY), 0.5), 450 * SECOND);
        assert_eq!(asked(99_999_999, Some(4 * HOUR), 0.0), HOUR, "attempts remain before the expiry");
        assert_eq!(asked(99_999_999, Some(4 * HOUR), 1.0), 2 * HOUR);
        assert!(asked(0, Some(7 * DAY), 0.0) >= 10 * SECOND);
        assert!(asked(99_999_999, None, 1.0) <= 12 * HOUR);
    }

    #[test]
    fn refusals_are_retried_slowly() {
        let refused = |remaining, random| LIMITS.delay(&Situation { refusal: true, ..situation(1, remaining, random) });
        assert_eq!(refused(Some(7 * DAY), 0.0), 3 * HOUR);
        assert_eq!(refused(Some(7 * DAY), 1.0), 6 * HOUR);
        assert!(refused(Some(DAY), 1.0) <= 3 * HOUR);
        assert!(refused(None, 1.0) <= HOUR);
    }

    #[test]
    fn short_intervals_of_a_test_bench_are_possible() {
        let quick = Limits { min: 200, max: SECOND };
        assert!(quick.delay(&situation(1, Some(4 * SECOND), 0.5)) <= 500);
        assert!(quick.delay(&situation(1, Some(0), 0.0)) >= 200);
    }
}
