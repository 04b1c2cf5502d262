//! A hub that worked for a tenth of the renewal window before the expiry means no lapse.
//!
//! More exactly, as the spread after long outages and the patience that a hub asks for need time as well: a stretch
//! without trouble of at least a tenth of the window, and of at least half of what was left when it began, inside the
//! second half of the window (before that the license may not be due). In the last fifth of the window the first
//! condition includes the second.

use std::collections::VecDeque;
use std::sync::Arc;

use netify_licensed::core::time::{MINUTE, Millis, WallTime};

use super::{Oracle, spread};
use crate::hub::Condition;
use crate::license::Doc;
use crate::stage::Stage;

/// Stretches without trouble, and what ended.
#[derive(Debug, Default)]
pub(super) struct Lapses {
    good_since: Option<Millis>,
    stretches: VecDeque<(Millis, Millis)>,
    first_seen: Option<(String, Millis)>,
    lapsed: Option<String>,
}

impl Lapses {
    pub(super) fn first_seen(&mut self, doc: &Doc, now: Millis) {
        if self.first_seen.as_ref().is_none_or(|(sha256, _)| *sha256 != doc.sha256) {
            self.first_seen = Some((doc.sha256.clone(), now));
        }
    }
}

impl Oracle {
    pub(super) fn check_lapse(&mut self, stage: &Stage) {
        let clock = stage.clocks();
        let told = stage.device.tells_date || self.clock_is_credible(stage, clock);
        let device = stage.powered && !stage.asleep && !stage.disk.full && !stage.fight && stage.clock.is_right();
        let good = device && told && stage.hub.condition == Condition::Good;
        match (good, self.lapse.good_since) {
            (true, None) => self.lapse.good_since = Some(stage.now),
            (false, Some(since)) => {
                self.lapse.good_since = None;
                self.lapse.stretches.push_back((since, stage.now));
                if self.lapse.stretches.len() > 64 {
                    self.lapse.stretches.pop_front();
                }
            }
            _ => {}
        }
        let Some(doc) = self.reference().filter(|_| stage.daemon && stage.clock.is_right()).cloned() else { return };
        if clock.wall < doc.expires || self.lapse.lapsed.as_ref() == Some(&doc.sha256) {
            return;
        }
        self.lapse.lapsed = Some(doc.sha256.clone());
        self.lapses += 1;
        if stage.device.renewable && doc.serial == stage.device.serial {
            self.had_its_chance(stage, &doc);
        }
    }

    fn had_its_chance(&mut self, stage: &Stage, doc: &Arc<Doc>) {
        let expires = doc.expires.0 - stage.clock.offset;
        let Some(seen) = self.lapse.first_seen.as_ref().filter(|(sha256, _)| *sha256 == doc.sha256).map(|(_, at)| *at)
        else {
            return;
        };
        let whole = doc.created.map_or(Millis::MAX, |created| spread::window(stage, doc.expires.since(created)));
        let window = spread::window(stage, expires - seen).min(whole);
        let current = self.lapse.good_since.map(|since| (since, stage.now));
        for (from, to) in self.lapse.stretches.iter().copied().chain(current) {
            let (from, to) = (from.max(expires - window / 2).max(seen), to.min(expires));
            let (left, length) = (expires - from, to - from);
            if length >= (window / 10).max(left / 2).max(20 * MINUTE) {
                let message = format!(
                    "the license ended {} although the hub worked from {} to {}",
                    doc.expires,
                    WallTime(from),
                    WallTime(to)
                );
                return self.fail(message);
            }
        }
    }
}
