//! The last-known-good license comes back where the file holds none that is genuine, or an older one that has ended.

use super::writer::Origin;
use super::{Engine, Level};
use crate::core::accept::verdict::{Verdict, weigh};
use crate::core::license::verify::{Authentic, State};
use crate::core::time::{HOUR, Millis, WallTime};

/// More restores than this within an hour mean that another process writes the file: then it is only reported.
const PER_HOUR: usize = 3;

impl Engine {
    /// Restores the last-known-good license where the file holds none that is genuine.
    pub(super) fn restore(&mut self) {
        if !self.cx.file.is_broken() || !self.cx.daemon || self.cx.durable.retired || self.writer.is_replacing() {
            return;
        }
        let Some(last_good) = self.cx.last_good.license.clone() else { return };
        let wanted = self.cx.config.license.serial.as_ref();
        if wanted.is_some_and(|wanted| wanted.as_str() != last_good.license().serial) {
            return;
        }
        if !self.may_restore() {
            if self.log.first_time("heals exhausted") {
                self.note(Level::Error, "the license file was put right three times within an hour and is broken again; somebody else writes it, so it is left alone for now");
            }
            return;
        }
        self.install_last_good(last_good, Vec::new());
    }

    /// An older license that another writer put there has ended: the last-known-good one, which still serves, waits for no
    /// hub.
    pub(super) fn restore_instead_of_expired(&mut self) -> bool {
        let now = self.cx.trusted_now();
        let serves = self.cx.last_good.license.as_ref().is_some_and(|license| license.state(now).is_usable());
        serves && self.cx.file.state(now) == State::Expired && self.restore_better()
    }

    /// An older license was put in place of a better one that is the last-known-good: when it falls due, ours comes back.
    pub(super) fn restore_better(&mut self) -> bool {
        let Some(last_good) = self.cx.last_good.license.clone().filter(|_| self.cx.file.good().is_some()) else {
            return false;
        };
        let installed = self.cx.file.good().filter(|file| !self.cx.is_surely_premature(file));
        match weigh(&last_good, &self.cx.terms(installed)) {
            Verdict::Better(_) if !self.cx.just_read && self.may_restore() => {
                // Another writer may have put a better one there since the file was last read.
                self.read_license();
                true
            }
            Verdict::Better(difference) if self.may_restore() => {
                self.install_last_good(last_good, difference.lost);
                true
            }
            _ => false,
        }
    }

    fn install_last_good(&mut self, license: Authentic, lost: Vec<String>) {
        self.count_restore();
        self.install(license, Origin::Healed, None, lost);
    }

    pub(super) fn count_restore(&mut self) {
        self.cx.volatile.heals.push(self.cx.wall_now());
    }

    fn may_restore(&mut self) -> bool {
        let now = self.cx.wall_now();
        self.cx.volatile.heals.retain(|at| (0..HOUR).contains(&now.since(*at)));
        self.cx.volatile.heals.len() < PER_HOUR
    }

    /// How long until a broken file may be restored again.
    pub(super) fn restore_wait(&self) -> Millis {
        let now = self.cx.wall_now();
        let age = |at: &WallTime| Some(now.since(*at)).filter(|age| (0..HOUR).contains(age));
        let recent: Vec<Millis> = self.cx.volatile.heals.iter().filter_map(age).collect();
        match recent.iter().max() {
            Some(oldest) if recent.len() >= PER_HOUR => HOUR - oldest,
            _ => 0,
        }
    }
}
