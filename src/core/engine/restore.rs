//! The last-known-good license comes back where the file holds none that is genuine, or an older one that has ended.
//!
//! A token bucket limits it: another process that writes the file is not fought without end. A token goes when a restore
//! that got onto the disk is undone, so a full disk costs none. Whatever holds a restore back has a time at which it ends.

use super::event::Room;
use super::log::Kind;
use super::timers::{Io, Waiting, Why};
use super::writer::Origin;
use super::{Action, Engine, Level};
use crate::core::accept::verdict::{Verdict, weigh};
use crate::core::license::verify::{Authentic, State};
use crate::core::schedule::rate_limit::RESTORE;
use crate::core::text::one_line;
use crate::core::time::{BootTime, HOUR, Millis, SECOND};

/// How often it is looked whether the license can be written again.
const PROBE: Millis = 30 * SECOND;
/// Where only a write can tell that, the longest time between two of them.
const LONGEST: Millis = HOUR;

/// The restore of the last-known-good license.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Restore {
    /// Nothing holds one back. So many writes failed before.
    Free { failures: u32 },
    /// Not before this time.
    Waiting { until: BootTime, why: HeldBack },
    /// It is looked whether the file system takes a license.
    Probing(Failed),
}

/// Why a restore waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum HeldBack {
    /// Restores were undone, one after the other.
    Limit,
    /// The license could not be written.
    Failed(Failed),
}

/// A restore that could not be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failed {
    /// One sentence.
    pub(super) reason: String,
    /// In a row.
    failures: u32,
    /// It can be seen without a write that none would succeed.
    blocked: bool,
    /// The next write.
    next: BootTime,
}

impl Failed {
    /// The next write; [`None`] where the file system is looked at every 30 seconds until it takes one.
    pub(super) fn next_write(&self) -> Option<BootTime> {
        (!self.blocked).then_some(self.next)
    }
}

impl Restore {
    pub(super) const FREE: Self = Self::Free { failures: 0 };

    pub(super) fn waiting(&self) -> Option<Waiting> {
        match self {
            Self::Free { .. } => None,
            Self::Probing(_) => Some(Waiting::ForIo(Io::Probe)),
            Self::Waiting { until, why: HeldBack::Limit } => Some(Waiting::Until(*until, Why::RestoreRefill)),
            Self::Waiting { until, why: HeldBack::Failed(_) } => Some(Waiting::Until(*until, Why::RestoreRetry)),
        }
    }

    /// Why it waits: one clause.
    pub(super) fn reason(&self) -> Option<String> {
        let limit = || self.refill().map(|_| "another process keeps changing the license file".to_owned());
        self.failed().map(|failed| failed.reason.clone()).or_else(limit)
    }

    /// When the limit has a token again, where it holds.
    pub(super) const fn refill(&self) -> Option<BootTime> {
        match self {
            Self::Waiting { until, why: HeldBack::Limit } => Some(*until),
            _ => None,
        }
    }

    /// Why the last one failed, and when it is tried again.
    pub(super) const fn failed(&self) -> Option<&Failed> {
        match self {
            Self::Waiting { why: HeldBack::Failed(failed), .. } | Self::Probing(failed) => Some(failed),
            _ => None,
        }
    }
}

impl Engine {
    /// Whether the file is to be what the last-known-good copy is.
    pub(super) fn restore_is_wanted(&self) -> bool {
        let wanted = self.cx.config.license.serial.as_ref();
        let fits = |license: &Authentic| wanted.is_none_or(|wanted| wanted.as_str() == license.license().serial);
        let has_copy = self.cx.last_good.license.as_ref().is_some_and(fits);
        has_copy && self.cx.file.is_broken() && self.cx.daemon && !self.cx.durable.retired
    }

    /// Restores the last-known-good license where the file holds none that is genuine.
    pub(super) fn restore(&mut self) {
        if self.writer.is_replacing() {
            return;
        }
        if !self.restore_is_wanted() {
            if self.cx.file.good().is_some() && self.cx.not_adopted.is_none() {
                self.restore = Restore::FREE;
            }
            return;
        }
        let Some(last_good) = self.cx.last_good.license.clone() else { return };
        if self.may_restore() {
            self.install(last_good, Origin::Healed, None, Vec::new());
        }
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
            Verdict::Better(_) if !self.may_restore() => false,
            Verdict::Better(_) if !self.cx.just_read => {
                // Another writer may have put a better one there since the file was last read.
                self.read_license();
                true
            }
            Verdict::Better(difference) => {
                self.install(last_good, Origin::Healed, None, difference.lost);
                true
            }
            _ => false,
        }
    }

    /// Whether nothing holds a restore back. Where the limit does, it is put down until when.
    fn may_restore(&mut self) -> bool {
        if !matches!(self.restore, Restore::Free { .. }) {
            return false;
        }
        let wait = self.cx.volatile.restores.wait(RESTORE);
        if wait > 0 {
            self.restore = Restore::Waiting { until: self.cx.boot_now().plus(wait), why: HeldBack::Limit };
            let text = "another process keeps changing the license file: it was restored three times and is broken again; it is restored once an hour while that lasts";
            self.note_failure(Level::Error, Kind::Restore, text.to_owned());
        }
        wait <= 0
    }

    /// What was written in place of a broken file. When another process undoes it, a token goes.
    pub(super) fn restored(&mut self, license: &Authentic) {
        self.cx.volatile.restored = Some(license.sha256().to_owned());
        self.restore = Restore::FREE;
    }

    /// The file is not what a restore wrote any more.
    pub(super) fn restore_was_undone(&mut self) {
        if self.cx.volatile.restored.take().is_some() {
            // There was a token, else nothing would have been restored.
            let _spent = self.cx.volatile.restores.take(RESTORE);
        }
    }

    /// The license could not be written.
    pub(super) fn restore_failed(&mut self, reason: &str) {
        let failures = if let Restore::Free { failures } = self.restore { failures.saturating_add(1) } else { 1 };
        let now = self.cx.boot_now();
        let pause = (PROBE << failures.saturating_sub(1).min(10)).min(LONGEST);
        let failed = Failed { reason: one_line(reason), failures, blocked: false, next: now.plus(pause) };
        self.restore = Restore::Waiting { until: now.plus(PROBE), why: HeldBack::Failed(failed) };
    }

    /// What was waited for is over: the limit has a token, or it is time to look at the file system.
    pub(super) fn restore_on_time(&mut self) {
        if !matches!(self.restore, Restore::Waiting { until, .. } if until <= self.cx.boot_now()) {
            return;
        }
        match std::mem::replace(&mut self.restore, Restore::FREE) {
            Restore::Waiting { why: HeldBack::Failed(failed), .. } => {
                self.restore = Restore::Probing(failed);
                let bytes = self.cx.last_good.bytes.as_ref().map_or(0, Vec::len);
                self.actions.push(Action::ProbeLicense { bytes });
            }
            // The file may be whole by now.
            _ => self.read_license(),
        }
    }

    /// Whether the file system takes a license, as far as that can be seen without a write.
    pub(super) fn probed(&mut self, room: Room) {
        let failed = match std::mem::replace(&mut self.restore, Restore::FREE) {
            Restore::Probing(failed) => failed,
            other => return self.restore = other,
        };
        let now = self.cx.boot_now();
        let until = now.plus(PROBE);
        let (failed, writes) = match room {
            Room::Blocked(reason) => (Failed { reason, blocked: true, next: until, ..failed }, false),
            Room::Free => {
                let writes = failed.blocked || failed.next <= now;
                (Failed { blocked: false, ..failed }, writes)
            }
            Room::Unknown => {
                let writes = failed.next <= now;
                (failed, writes)
            }
        };
        if writes {
            // The file may be whole by now.
            self.restore = Restore::Free { failures: failed.failures };
            self.read_license();
        } else {
            self.restore = Restore::Waiting { until, why: HeldBack::Failed(failed) };
        }
    }
}
