//! The draw: inside the first half of the window, and uniform over all devices and renewals.

use std::sync::Arc;

use netify_licensed::core::time::{DAY, HOUR, Millis, SECOND, WallTime};

use super::Oracle;
use crate::license::Doc;
use crate::stage::Stage;

/// How many renewals fell due in each tenth of their spread.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spread {
    /// The tenths.
    pub tenths: [u64; 10],
}

impl Spread {
    /// Adds another device's.
    pub fn add(&mut self, other: &Self) {
        self.tenths.iter_mut().zip(other.tenths).for_each(|(mine, theirs)| *mine += theirs);
    }

    /// Whether every tenth has its share, give or take five standard deviations.
    #[must_use]
    #[allow(clippy::cast_precision_loss)]
    pub fn is_even(&self) -> bool {
        let expected = self.tenths.iter().sum::<u64>() as f64 / 10.0;
        self.tenths.iter().all(|&tenth| (tenth as f64 - expected).abs() <= 5.0 * expected.sqrt() + 1.0)
    }
}

/// The renewal window of a license that lives for `life`.
pub(super) fn window(stage: &Stage, life: Millis) -> Millis {
    match stage.device.renew_before {
        Some(hours) => (hours * HOUR).min(life / 3 * 2),
        None if life <= 10 * DAY => life / 2,
        None => life / 3,
    }
}

impl Oracle {
    pub(super) fn check_draw(&mut self, stage: &Stage, doc: &Arc<Doc>, due: WallTime) {
        let Some(created) = doc.created.filter(|_| !stage.device.keeps_created) else { return };
        let window = window(stage, doc.expires.since(created));
        let drawn = due.since(doc.expires.plus(-window));
        let range = window / 2;
        if stage.device.renew_before.is_some() {
            return; // Whose request made the license decides how the window is clamped.
        }
        self.require((-SECOND..range + SECOND).contains(&drawn), || {
            format!(
                "due {due} lies outside the first half of the window, which is {} h long and ends {}",
                window / HOUR,
                doc.expires
            )
        });
        let tenth = usize::try_from(drawn.clamp(0, range - 1) * 10 / range.max(1)).unwrap_or(0);
        self.spread.tenths[tenth.min(9)] += 1;
    }
}
