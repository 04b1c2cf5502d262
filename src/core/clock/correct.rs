//! Stored times that a wrong clock wrote, refuted by a right one.

use crate::core::license::verify::CLOCK_TOLERANCE;
use crate::core::time::{DAY, WallTime};

/// A time in the saved state, by what is known of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// Something that happened: the last time that was believed, the last success.
    Past(WallTime),
    /// When a license began to live, guessed by our own clock. `assumed`: what its end tells, as no hub gives less.
    GuessedIssue {
        /// As it was guessed.
        at: WallTime,
        /// As its end tells.
        assumed: WallTime,
    },
}

/// What is known of the present.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Present {
    /// What the hub's authenticated answer said, aged by the boot clock.
    pub hub: Option<WallTime>,
    /// This machine's clock, while it is believed.
    pub own: Option<WallTime>,
}

/// What the stored time becomes. Nothing that happened lies in the future.
#[must_use]
pub fn correct(stored: Stored, present: Present) -> WallTime {
    match stored {
        Stored::Past(at) => match present.hub.or(present.own) {
            Some(now) if at.since(now) > CLOCK_TOLERANCE => now,
            _ => at,
        },
        // A week looked like hours, and the window would open too late.
        Stored::GuessedIssue { at, assumed } => match present.own {
            Some(now) if at.since(now) > CLOCK_TOLERANCE && at.since(assumed) > DAY => assumed.min(now),
            _ => at,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::time::Millis;

    const NOW: WallTime = WallTime::from_unix(1_800_000_000);

    #[test]
    fn what_happened_does_not_lie_in_the_future() {
        let day = |days: Millis| NOW.plus(days * DAY);
        let (hub, own) = (Some(NOW), Some(day(2)));
        for (stored, present, corrected) in [
            (day(400), Present { hub, own: None }, NOW),
            (day(400), Present { hub, own }, NOW),
            (day(400), Present { hub: None, own }, day(2)),
            (day(400), Present::default(), day(400)),
            (day(-400), Present { hub, own }, day(-400)),
            (NOW.plus(CLOCK_TOLERANCE), Present { hub, own: None }, NOW.plus(CLOCK_TOLERANCE)),
            (NOW.plus(CLOCK_TOLERANCE + 1), Present { hub, own: None }, NOW),
        ] {
            assert_eq!(correct(Stored::Past(stored), present), corrected, "{stored} {present:?}");
        }
    }

    #[test]
    fn a_guessed_beginning_is_what_the_end_tells_once_the_clock_is_right() {
        let day = |days: Millis| NOW.plus(days * DAY);
        let own = |now| Present { hub: Some(day(-99)), own: Some(now) };
        for (at, assumed, present, corrected) in [
            (day(6), day(0), own(day(1)), day(0)),
            (day(6), day(3), own(day(1)), day(1)),
            (day(6), day(5), own(day(1)), day(6)),
            (day(6), day(0), own(day(6)), day(6)),
            (day(6), day(0), Present { hub: Some(day(1)), own: None }, day(6)),
        ] {
            assert_eq!(correct(Stored::GuessedIssue { at, assumed }, present), corrected, "{at} {assumed}");
        }
    }
}
