//! Every new license is loaded by netifyd in the end, and netifyd is not bothered without one.

use netify_licensed::core::engine::{ReloadOutcome, ReloadReport};
use netify_licensed::core::license::verify::State;
use netify_licensed::core::time::{BootTime, MINUTE, Millis, SECOND, WallTime};

use super::Oracle;
use crate::license::Doc;
use crate::netifyd::Mood;
use crate::stage::Stage;

/// With a netifyd that is well, this is enough to have it load what is on disk.
const ENOUGH: Millis = 12 * MINUTE;

/// What netifyd is owed.
#[derive(Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "independent facts")]
pub(super) struct Reloads {
    owed: bool,
    running: bool,
    /// The last reload is confirmed, and that is not yet on disk.
    unsaved: bool,
    failed_at: Option<BootTime>,
    /// Since when netifyd is well and lacks what is on disk.
    late_since: Option<Millis>,
    disturbed: bool,
    /// What netifyd has loaded could not be written down before a crash.
    excused: bool,
}

impl Reloads {
    pub(super) const fn owe(&mut self) {
        self.owed = true;
    }

    pub(super) const fn saved(&mut self) {
        self.unsaved = false;
    }

    pub(super) const fn wait_for_calm(&mut self) {
        self.disturbed = true;
        self.owed = true;
    }

    pub(super) const fn daemon_is_gone(&mut self, saved: bool) {
        self.excused |= !saved;
        self.owed |= self.running || self.unsaved;
        self.running = false;
        self.failed_at = None;
        self.disturbed = true;
    }

    pub(super) const fn switched_off(&mut self) {
        self.unsaved = false;
    }
}

impl Oracle {
    /// netifyd is asked to reload.
    pub fn reloads(&mut self, stage: &Stage) {
        let boot = stage.clocks().boot;
        self.require(!self.reload.running, || "two reloads are under way".to_owned());
        self.require(self.reload.owed, || "a reload without anything new to load".to_owned());
        let gap = self.reload.failed_at.map(|failed| boot.since(failed));
        self.require(gap.is_none_or(|gap| gap >= 10 * SECOND), || {
            format!("a reload {} ms after one that failed", gap.unwrap_or(0))
        });
        self.reload.running = true;
        self.reload.owed = false;
    }

    pub(super) fn reload_report(&mut self, stage: &Stage, report: &ReloadReport) {
        self.reload.running = false;
        self.reload.excused = false;
        match report.outcome {
            // One that does not run reads the license when it starts.
            ReloadOutcome::Confirmed
            | ReloadOutcome::Restarted(_)
            | ReloadOutcome::NotRunning(_)
            | ReloadOutcome::Died(_)
            | ReloadOutcome::Disabled => {
                self.reload.unsaved = true;
                self.reload.failed_at = None;
            }
            ReloadOutcome::StillRunning(_) | ReloadOutcome::Failed(_) | ReloadOutcome::NotAsked(_) => {
                self.reload.owed = true;
                self.reload.failed_at = Some(stage.clocks().boot);
            }
        }
    }

    /// Enough time with everything well: netifyd must have loaded what is on disk.
    pub(super) fn check_reload(&mut self, stage: &Stage) {
        let well = stage.daemon && !stage.asleep && !stage.fight && stage.unnoticed == 0 && stage.netifyd.running;
        let calm = well
            && matches!(stage.netifyd.mood, Mood::Well | Mood::Dying)
            && !std::mem::take(&mut self.reload.disturbed);
        let file = stage.disk.file.as_ref().filter(|doc| doc.is_genuine());
        // An older license that somebody put there, and one whose time has not come, is reported and not loaded.
        let early = self.state.published == Some(State::NotYetValid);
        let left_alone = |file: &Doc| early || self.kept.as_ref().is_some_and(|kept| kept.expires > file.expires);
        let loaded = |file: &Doc| stage.netifyd.loaded.as_ref().is_some_and(|loaded| loaded.sha256 == file.sha256);
        if !calm || self.reload.excused || file.is_none_or(|file| loaded(file) || left_alone(file)) {
            self.reload.late_since = None;
            return;
        }
        let since = *self.reload.late_since.get_or_insert(stage.now);
        self.require(stage.now - since < ENOUGH, || {
            format!("netifyd has not loaded the license on disk, and all is well since {}", WallTime(since))
        });
    }
}
