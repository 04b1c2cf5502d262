//! A reload is owed while the good license on disk is not the one that netifyd is known to have loaded.

use super::{Action, Engine, Level, ReloadOutcome, ReloadReport, RequestId};
use crate::core::memory::ReloadRecord;
use crate::core::time::{BootTime, MINUTE, Millis, Now, SECOND};

/// A failed reload is never repeated sooner.
const CLOSEST: Millis = 10 * SECOND;
/// Nor later than this.
const LONGEST: Millis = 10 * MINUTE;
/// How often to look for a netifyd that does not run.
const LOOK: Millis = MINUTE;

/// State of the reload.
#[derive(Debug, Default)]
pub(super) struct Reload {
    pub(super) running: bool,
    /// No reload before this.
    pub(super) next_at: Option<BootTime>,
    /// When the last one failed.
    failed_at: Option<BootTime>,
    /// The license that the running reload is for.
    target: Option<String>,
    /// An older license that somebody installed and that netifyd is not told about.
    pub(super) left_alone: Option<String>,
    /// Who waits for the outcome, what was done for them, and the exit code unless the reload's is worse.
    waiters: Vec<(RequestId, String, u8)>,
}

impl Reload {
    /// After a restart of ours: netifyd is not asked again sooner than it would have been.
    pub(super) fn resume(&mut self, last: Option<&ReloadRecord>, now: Now) {
        let Some(last) = last.filter(|last| last.outcome == "failed") else { return };
        let since = now.wall.since(last.at);
        if (0..CLOSEST).contains(&since) {
            self.failed_at = Some(now.boot.plus(-since));
            self.next_at = Some(now.boot.plus(CLOSEST - since));
        }
    }

    /// A new license was installed: a reload may start, unless the last one failed a moment ago.
    pub(super) fn expect(&mut self, waiters: Vec<RequestId>, message: &str, now: BootTime) {
        self.expect_after(waiters, message, 0, now);
    }

    fn expect_after(&mut self, waiters: Vec<RequestId>, message: &str, exit: u8, now: BootTime) {
        self.waiters.extend(waiters.into_iter().map(|id| (id, message.to_owned(), exit)));
        self.next_at = self.failed_at.map(|failed| failed.plus(CLOSEST)).filter(|at| *at > now);
    }
}

impl Engine {
    /// Whether netifyd has yet to be told.
    pub(super) fn reload_is_owed(&self) -> bool {
        let untold = self.file.good().map(super::Authentic::sha256).filter(|sha256| {
            self.durable.loaded.as_deref() != Some(*sha256) && self.reload.left_alone.as_deref() != Some(*sha256)
        });
        self.volatile.unload || untold.is_some()
    }

    /// Owed and not even tried: nothing is written meanwhile.
    pub(super) fn reload_is_fresh(&self) -> bool {
        self.reload_is_owed() && self.volatile.reload_failures == 0 && self.reload.next_at.is_none()
    }

    /// Owed, and nothing but time stands in its way.
    pub(super) fn reload_may_start(&self) -> bool {
        let asked = self.daemon || !self.reload.waiters.is_empty();
        asked && !self.reload.running && self.installing.is_none() && self.reload_is_owed()
    }

    pub(super) fn reload_if_owed(&mut self) {
        let due = self.reload.next_at.is_none_or(|at| at <= self.moment.now.boot);
        if !due || !self.reload_may_start() {
            return;
        }
        self.reload.running = true;
        self.reload.target = self.file.good().map(|license| license.sha256().to_owned());
        let serial = self.file.good().map(|license| license.license().serial.clone());
        self.actions.push(Action::Reload { serial });
    }

    /// Answers those who wait, after the reload where one is owed: a reload that failed, or was cut short, is not
    /// forgotten because the next run finds nothing else to do.
    pub(super) fn reply_after_reload(&mut self, waiters: Vec<RequestId>, exit: u8, message: &str) {
        if waiters.is_empty() || !self.reload_is_owed() {
            return self.reply(waiters, exit, message);
        }
        self.reload.expect_after(waiters, message, exit, self.moment.now.boot);
    }

    pub(super) fn reloaded(&mut self, report: &ReloadReport) {
        self.reload.running = false;
        let now = self.moment.now;
        let (word, detail) = match &report.outcome {
            ReloadOutcome::Confirmed => ("confirmed", None),
            ReloadOutcome::Restarted(detail) => ("restarted", Some(detail.clone())),
            ReloadOutcome::NotRunning(detail) => ("not-running", Some(detail.clone())),
            ReloadOutcome::Failed(detail) => ("failed", Some(detail.clone())),
            ReloadOutcome::Disabled => ("none", None),
        };
        let repeated = self.volatile.reload.as_ref().is_some_and(|last| last.outcome == word && last.detail == detail);
        self.volatile.reload = Some(ReloadRecord {
            at: now.wall,
            method: report.method.clone(),
            outcome: word.to_owned(),
            detail: detail.clone(),
        });
        *self.volatile.reloads.entry(word.to_owned()).or_default() += 1;
        let done =
            matches!(report.outcome, ReloadOutcome::Confirmed | ReloadOutcome::Restarted(_) | ReloadOutcome::Disabled);
        if done {
            self.durable.loaded = self.reload.target.take();
            self.volatile.unload = false;
            self.volatile.reload_failures = 0;
            self.reload.next_at = None;
        }
        self.reload.failed_at = (!done).then_some(now.boot);
        let method = &report.method;
        let (exit, text) = match (&report.outcome, detail) {
            (ReloadOutcome::Confirmed, _) => {
                self.note(Level::Info, format!("netifyd reloaded ({method}), confirmed"));
                (0, format!("netifyd reloaded ({method})"))
            }
            (ReloadOutcome::Restarted(detail), _) => {
                self.note(Level::Warn, format!("netifyd reloaded ({method}), but {detail}"));
                (0, format!("netifyd reloaded ({method}), but {detail}"))
            }
            (ReloadOutcome::Disabled, _) => (0, "reload.method is \"none\", so netifyd was not told".to_owned()),
            (ReloadOutcome::NotRunning(detail), _) => {
                self.reload.next_at =
                    Some(now.boot.plus(if self.volatile.reload_failures == 0 { CLOSEST } else { LOOK }));
                self.volatile.reload_failures += 1;
                if !repeated {
                    self.note(Level::Warn, format!("netifyd was not reloaded: {detail}; it is told when it appears"));
                }
                (0, format!("{detail}; it reads the new license when it starts"))
            }
            (ReloadOutcome::Failed(detail), _) => {
                let doubled = CLOSEST << self.volatile.reload_failures.min(10);
                self.reload.next_at = Some(now.boot.plus(doubled.min(LONGEST)));
                self.volatile.reload_failures += 1;
                if !repeated {
                    self.note(
                        Level::Error,
                        format!("netifyd's reload ({method}) is not confirmed: {detail}; it is tried again"),
                    );
                }
                (6, format!("netifyd's reload is not confirmed: {detail}"))
            }
        };
        for (id, message, before) in std::mem::take(&mut self.reload.waiters) {
            self.reply(vec![id], if before == 0 { exit } else { before }, &format!("{message}; {text}"));
        }
    }
}
