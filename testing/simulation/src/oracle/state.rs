//! Published state is true: an own reading of the contract's rules, compared after every step.

use netify_licensed::core::clock::trust::build_date;
use netify_licensed::core::license::verify::State;
use netify_licensed::core::report::status::{Rfc3339, Status};
use netify_licensed::core::time::{BootTime, DAY, MINUTE, Millis, Now, WallTime};

use super::{Oracle, View};
use crate::stage::Stage;

/// Steps that a busy day may have.
const STEPS_PER_DAY: u32 = 12_000;

/// What was published, and when the engine was stepped last.
#[derive(Debug, Default)]
pub(super) struct States {
    pub(super) published: Option<State>,
    stepped_at: Option<Millis>,
    /// The installed license, and when it is said to be due.
    due: Option<(String, WallTime)>,
    /// What the engine remembered of the license's issue may be lost.
    excused: bool,
    /// The license whose guessed date was corrected.
    corrected: Option<String>,
    day: (Millis, u32),
    instant: (Millis, u32),
}

impl States {
    pub(super) const fn forget_steps(&mut self) {
        self.stepped_at = None;
    }

    pub(super) fn forget(&mut self, saved: bool) {
        self.published = None;
        self.stepped_at = None;
        self.excused |= !saved;
    }
}

impl Oracle {
    /// Whether the wall clock may be believed, by the contract.
    pub(super) fn clock_is_credible(&self, stage: &Stage, now: Now) -> bool {
        if stage.device.always_trusts {
            return true;
        }
        if now.wall < build_date() {
            return false;
        }
        let evidence = stage.evidence();
        if evidence.kernel_synchronized == Some(true) || evidence.timesync_marker {
            return true;
        }
        let issued =
            [self.view.genuine(), self.kept.as_ref()].into_iter().flatten().filter_map(|doc| doc.created).max();
        let behind = [self.last_good, issued].into_iter().flatten().any(|known| now.wall.plus(DAY) < known);
        !behind && (evidence.has_rtc || now.boot >= BootTime(10 * MINUTE))
    }

    fn true_state(&self, stage: &Stage, now: Now) -> Option<State> {
        let file = match &self.view {
            View::Unknown => return None,
            View::Seen(file) => file,
        };
        let Some(doc) = file else { return Some(State::Missing) };
        if let Some(flaw) = doc.flaw {
            return Some(flaw);
        }
        Some(if !self.clock_is_credible(stage, now) {
            State::ClockUntrusted
        } else if now.wall >= doc.expires {
            State::Expired
        } else if doc.created.is_some_and(|created| created > now.wall.plus(5 * MINUTE)) {
            State::NotYetValid
        } else if stage.device.signed {
            State::Valid
        } else {
            State::Unchecked
        })
    }

    pub(super) fn check_published(&mut self, stage: &Stage, status: &Status) {
        let now = stage.clocks();
        let truth = self.true_state(stage, now);
        self.require(truth.is_none_or(|truth| truth == status.state), || {
            format!("published is {}, true is {}", status.state, truth.map_or("unknown", State::word))
        });
        let credible = self.clock_is_credible(stage, now);
        self.require(truth.is_none() || status.clock.trusted == credible, || {
            format!(
                "the clock is said to be {}trusted ({})",
                if status.clock.trusted { "" } else { "un" },
                status.clock.why
            )
        });
        self.require(!status.healthy || status.state.is_usable(), || format!("healthy while {}", status.state));
        self.state.published = truth.map(|_| status.state);
        self.state.stepped_at = Some(stage.now);
        self.check_due(stage, status);
    }

    /// The moment of renewal is drawn once: it does not move while the license is the same.
    fn check_due(&mut self, stage: &Stage, status: &Status) {
        let (Some(sha256), Some(Rfc3339(due))) = (&status.license.sha256, status.renewal.due_at) else { return };
        // One whose time has not come is left alone; what is due then is the kept one.
        if status.state == State::NotYetValid && self.kept.as_ref().is_some_and(|kept| kept.sha256 != *sha256) {
            self.state.due = None;
            return;
        }
        if let Some((known, before)) = &self.state.due {
            if known == sha256 && before.unix() == due.unix() {
                return;
            }
            // A date that nobody but our clock told is corrected when it turns out to lie in the future: once.
            let undated = self.view.genuine().is_none_or(|doc| doc.created.is_none() || stage.device.keeps_created);
            let may_correct = undated && self.state.corrected.as_ref() != Some(sha256);
            if known == sha256 && !self.state.excused && may_correct {
                self.state.corrected = Some(sha256.clone());
            } else if known == sha256 && !self.state.excused {
                return self.fail(format!("the license fell due at {before} and now at {due}"));
            }
        }
        self.state.excused = false;
        self.state.due = Some((sha256.clone(), due));
        if let Some(doc) = self.view.genuine().cloned() {
            self.check_draw(stage, &doc, due);
        }
    }

    /// What was published a minute ago was still true then.
    pub(super) fn check_published_until_now(&mut self, stage: &Stage) {
        let (Some(published), Some(stepped_at)) = (self.state.published, self.state.stepped_at) else { return };
        if stage.now - stepped_at <= MINUTE {
            return;
        }
        let now = stage.clocks();
        let then = Now { wall: now.wall.plus(-MINUTE), boot: now.boot.plus(-MINUTE) };
        let truth = self.true_state(stage, then);
        self.require(truth.is_none_or(|truth| truth == published), || {
            format!(
                "{published} stood published for over a minute while {} was true",
                truth.map_or("unknown", State::word)
            )
        });
    }

    /// No hot loop: steps in an instant and in a day are few.
    pub(super) fn count_step(&mut self, stage: &Stage) {
        let states = &mut self.state;
        let today = stage.now / DAY;
        states.day = if states.day.0 == today { (today, states.day.1 + 1) } else { (today, 1) };
        states.instant = if states.instant.0 == stage.now { (stage.now, states.instant.1 + 1) } else { (stage.now, 1) };
        let (in_day, in_instant) = (states.day.1, states.instant.1);
        self.require(in_day <= STEPS_PER_DAY, || format!("{in_day} steps in a day"));
        self.require(in_instant <= 20, || format!("{in_instant} steps in one millisecond"));
    }
}
