//! A reload is owed while the good license on disk is not the one that netifyd is known to have loaded.

use super::{Action, Engine, Level, ReloadOutcome, ReloadReport, RequestId};
use crate::core::state::{ReloadPause, ReloadRecord};
use crate::core::time::{BootTime, MINUTE, Millis, SECOND};

/// A failed reload is never repeated sooner.
const CLOSEST: Millis = 10 * SECOND;
/// Nor later than this.
const LONGEST: Millis = 10 * MINUTE;
/// Failures are logged once, then counted, under this name.
const NOTE: &str = "reload";
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
    pub(super) target: Option<String>,
    /// An older license that somebody installed and that netifyd is not told about.
    pub(super) left_alone: Option<String>,
    /// Who waits for the outcome, what was done for them, and the exit code unless the reload's is worse.
    waiters: Vec<(RequestId, String, u8)>,
}

impl Reload {
    /// After a restart of ours: netifyd is not asked again sooner than it would have been. A reload that was cut short
    /// counts as failed: whatever ends us again and again must not reload netifyd again and again.
    pub(super) fn resume(&mut self, pause: Option<&ReloadPause>, boot_id: &str, now: BootTime) {
        let Some(pause) = pause.filter(|pause| pause.boot_id == boot_id) else { return };
        self.failed_at = Some(BootTime(pause.since));
        self.next_at = Some(BootTime(pause.until)).filter(|at| *at > now);
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

    /// Owed, and nothing but time stands in its way.
    pub(super) fn reload_may_start(&self) -> bool {
        let asked = self.daemon || !self.reload.waiters.is_empty();
        asked && !self.reload.running && self.installing.is_none() && self.reload_is_owed()
    }

    pub(super) fn reload_if_owed(&mut self) {
        if !self.reload.running && self.installing.is_none() && !self.reload_is_owed() {
            // What was to be loaded is gone or good no more: nobody shall wait for it.
            for (id, message, exit) in std::mem::take(&mut self.reload.waiters) {
                let exit = if exit == 0 { 6 } else { exit };
                self.reply(
                    vec![id],
                    exit,
                    &format!("{message}; the license has changed since, so netifyd was not told"),
                );
            }
        }
        let due = self.reload.next_at.is_none_or(|at| at <= self.moment.now.boot);
        if !due || !self.reload_may_start() {
            return;
        }
        self.reload.running = true;
        self.pause_reloads(CLOSEST);
        self.reload.target = self.file.good().map(|license| license.sha256().to_owned());
        let serial = self.file.good().map(|license| license.license().serial.clone());
        self.actions.push(Action::Reload { serial });
    }

    /// Puts down that netifyd is not asked again for so long, whatever becomes of this process.
    fn pause_reloads(&mut self, span: Millis) {
        let now = self.moment.now.boot;
        let boot_id = self.boot_id.clone();
        self.volatile.reload_pause = Some(ReloadPause { boot_id, since: now.0, until: now.plus(span).0 });
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
        let last = self.volatile.reload.as_ref();
        // One that ended on a reload and stays away is no netifyd that somebody stopped.
        let has_died = last.is_some_and(|last| last.outcome == "failed" && !last.not_asked);
        let (word, detail) = match &report.outcome {
            ReloadOutcome::Confirmed => ("confirmed", None),
            ReloadOutcome::Restarted(detail) => ("restarted", Some(detail.clone())),
            ReloadOutcome::NotRunning(detail) if has_died => {
                ("failed", Some(format!("netifyd has not come back since a reload failed ({detail})")))
            }
            ReloadOutcome::NotRunning(detail) => ("not-running", Some(detail.clone())),
            ReloadOutcome::Failed(detail) | ReloadOutcome::NotAsked(detail) => ("failed", Some(detail.clone())),
            ReloadOutcome::Disabled => ("none", None),
        };
        // A netifyd that is off is looked for each minute: that it is still off is nothing to write down.
        let is_news = word != "not-running"
            || self.volatile.reload_failures == 0
            || last.is_none_or(|last| last.outcome != word || last.method != report.method || last.detail != detail);
        if is_news {
            self.volatile.reload = Some(ReloadRecord {
                at: now.wall,
                method: report.method.clone(),
                outcome: word.to_owned(),
                detail: detail.clone(),
                not_asked: matches!(report.outcome, ReloadOutcome::NotAsked(_)),
            });
            *self.volatile.reloads.entry(word.to_owned()).or_default() += 1;
        }
        let method = &report.method;
        let detail = detail.unwrap_or_default();
        let mut wait = 0;
        let (exit, text) = match word {
            "confirmed" => {
                self.note(Level::Info, format!("netifyd reloaded ({method}), confirmed"));
                (0, format!("netifyd reloaded ({method})"))
            }
            "restarted" => {
                self.note(Level::Warn, format!("netifyd reloaded ({method}), but {detail}"));
                (0, format!("netifyd reloaded ({method}), but {detail}"))
            }
            "none" => (0, "reload.method is \"none\", so netifyd was not told".to_owned()),
            "not-running" => {
                wait = if self.volatile.reload_failures == 0 { CLOSEST } else { LOOK };
                self.note_failure(NOTE, format!("netifyd was not reloaded: {detail}; it is told when it appears"));
                (0, format!("{detail}; it reads the new license when it starts"))
            }
            _ => {
                let doubled = CLOSEST << self.volatile.reload_failures.min(10);
                let gone = matches!(report.outcome, ReloadOutcome::NotRunning(_));
                wait = doubled.min(if gone { LOOK } else { LONGEST });
                let text = format!("netifyd's reload ({method}) is not confirmed: {detail}; it is tried again");
                self.note_failure_at(Level::Error, NOTE, text);
                (6, format!("netifyd's reload is not confirmed: {detail}"))
            }
        };
        if wait > 0 {
            self.volatile.reload_failures += u32::from(is_news);
            self.reload.failed_at = Some(now.boot);
            self.reload.next_at = Some(now.boot.plus(wait));
            self.pause_reloads(wait);
            if word == "not-running" {
                // To look costs nobody anything: a restart of ours looks at once.
                self.volatile.reload_pause = None;
            }
        } else {
            self.notes.forget_failure(NOTE);
            self.durable.loaded = self.reload.target.take();
            self.volatile.unload = false;
            self.volatile.reload_failures = 0;
            self.volatile.reload_pause = None;
            self.reload.failed_at = None;
            self.reload.next_at = None;
        }
        for (id, message, before) in std::mem::take(&mut self.reload.waiters) {
            self.reply(vec![id], if before == 0 { exit } else { before }, &format!("{message}; {text}"));
        }
    }
}
