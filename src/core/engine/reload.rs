//! A reload is owed while the good license on disk is not the one that netifyd is known to have loaded.

use super::log::Kind;
use super::netifyd::remedy_for_death;
use super::requests::At;
use super::timers::{Io, Waiting, Why};
use super::{Action, Engine, Level, ReloadOutcome, ReloadReport, RequestId};
use crate::core::license::verify::Authentic;
use crate::core::state::ReloadPause;
use crate::core::time::{BootTime, MINUTE, Millis, SECOND};

/// A failed reload is never repeated sooner.
const CLOSEST: Millis = 10 * SECOND;
/// Nor later than this.
const LONGEST: Millis = 10 * MINUTE;

/// The reload of netifyd.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum Reload {
    /// Nothing stands in the way of one.
    #[default]
    Ready,
    /// The last one failed, or nobody knows its end.
    Paused { failed_at: BootTime, until: BootTime },
    /// One is under way, for this license; [`None`] when that one is gone.
    Running { target: Option<String> },
}

impl Reload {
    /// After a restart of ours: netifyd is not asked again sooner than it would have been. A reload that was cut short
    /// counts as failed: whatever ends us again and again must not reload netifyd again and again.
    pub(super) fn resume(pause: Option<&ReloadPause>, boot_id: &str) -> Self {
        pause.filter(|pause| pause.boot_id == boot_id).map_or(Self::Ready, |pause| Self::Paused {
            failed_at: BootTime(pause.since),
            until: BootTime(pause.until),
        })
    }

    pub(super) const fn is_running(&self) -> bool {
        matches!(self, Self::Running { .. })
    }

    /// There is something new to load: a reload may start, unless the last one failed a moment ago.
    fn hurry(&mut self) {
        if let Self::Paused { failed_at, until } = self {
            *until = failed_at.plus(CLOSEST);
        }
    }

    /// Another license lies there: it is not known what a reload that is under way finds.
    pub(super) fn file_changed(&mut self, sha256: Option<&str>) {
        if let Self::Running { target } = self
            && target.as_deref() != sha256
        {
            *target = None;
        }
    }

    /// `is_wanted`: nothing but time stands in its way.
    pub(super) fn waiting(&self, is_wanted: bool) -> Option<Waiting> {
        match self {
            Self::Ready => None,
            Self::Paused { until, .. } => is_wanted.then_some(Waiting::Until(*until, Why::ReloadRetry)),
            Self::Running { .. } => Some(Waiting::ForIo(Io::Reload)),
        }
    }
}

impl Engine {
    /// Owed, and nothing but time stands in its way.
    pub(super) fn reload_may_start(&self) -> bool {
        let asked = self.cx.daemon || self.requests.wait_for_reload();
        asked && !self.reload.is_running() && !self.writer.is_replacing() && self.cx.reload_is_owed()
    }

    pub(super) fn reload_if_owed(&mut self) {
        if !self.reload.is_running() && !self.writer.is_replacing() && !self.cx.reload_is_owed() {
            // What was to be loaded is gone or good no more: nobody shall wait for it.
            for (id, done, exit) in self.requests.of_reload() {
                let exit = if exit == 0 { 6 } else { exit };
                self.reply(&[id], exit, &format!("{done}; the license has changed since, so netifyd was not told"));
            }
        }
        let is_due = !matches!(self.reload, Reload::Paused { until, .. } if until > self.cx.boot_now());
        if !is_due || !self.reload_may_start() {
            return;
        }
        self.pause_reloads(CLOSEST);
        self.reload = Reload::Running { target: self.cx.file.good().map(|license| license.sha256().to_owned()) };
        let serial = self.cx.file.good().map(|license| license.license().serial.clone());
        let is_asked = self.netifyd.unanswered.as_deref() == self.cx.file.good().map(Authentic::sha256);
        let is_asked = is_asked && self.netifyd.unanswered.is_some();
        self.actions.push(Action::Reload { serial, is_asked });
    }

    /// Puts down that netifyd is not asked again for so long, whatever becomes of this process.
    fn pause_reloads(&mut self, span: Millis) {
        let now = self.cx.boot_now();
        let boot_id = self.cx.boot_id.clone();
        self.cx.volatile.reload_pause = Some(ReloadPause { boot_id, since: now.0, until: now.plus(span).0 });
    }

    /// The file was changed: these wait until netifyd has loaded it.
    pub(super) fn wait_for_reload(&mut self, waiters: Vec<RequestId>, done: &str, exit: u8) {
        for id in waiters {
            self.requests.put(id, At::Reload { done: done.to_owned(), exit });
        }
        self.reload.hurry();
    }

    /// Answers those who wait, after the reload where one is owed: a reload that failed, or was cut short, is not
    /// forgotten because the next run finds nothing else to do.
    pub(super) fn reply_after_reload(&mut self, waiters: Vec<RequestId>, exit: u8, message: &str) {
        if waiters.is_empty() || !self.cx.reload_is_owed() {
            return self.reply(&waiters, exit, message);
        }
        self.wait_for_reload(waiters, message, exit);
    }

    pub(super) fn reloaded(&mut self, report: &ReloadReport) {
        let Reload::Running { target } = std::mem::take(&mut self.reload) else { return };
        self.netifyd.unanswered = target.clone().filter(|_| matches!(report.outcome, ReloadOutcome::StillRunning(_)));
        self.record_reload(report);
        let method = &report.method;
        let evidence = report.evidence.map_or_else(String::new, |evidence| format!(": {}", evidence.clause()));
        let mut is_owed = false;
        let (exit, text) = match &report.outcome {
            ReloadOutcome::Confirmed => {
                self.note(Level::Info, format!("netifyd reloaded ({method}), confirmed{evidence}"));
                (0, format!("netifyd reloaded ({method}){evidence}"))
            }
            ReloadOutcome::Restarted(detail) => {
                self.note(Level::Warn, format!("netifyd reloaded ({method}), but {detail}"));
                (0, format!("netifyd reloaded ({method}), but {detail}"))
            }
            ReloadOutcome::Disabled => (0, "reload.method is \"none\", so netifyd was not told".to_owned()),
            ReloadOutcome::NotRunning(detail) => {
                let text = format!("netifyd was not reloaded: {detail}; it reads the license when it starts");
                self.note(Level::Info, text);
                (0, format!("{detail}; it reads the new license when it starts"))
            }
            ReloadOutcome::Died(detail) => {
                let remedy = remedy_for_death(&self.cx.config.reload.service, method);
                self.note_failure(Level::Error, Kind::Reload, format!("{detail}; {remedy}"));
                (6, format!("netifyd's reload is not confirmed: {detail}; {remedy}"))
            }
            ReloadOutcome::Failed(detail) | ReloadOutcome::NotAsked(detail) => {
                is_owed = true;
                let text = format!("netifyd's reload ({method}) is not confirmed: {detail}; it is tried again");
                self.note_failure(Level::Error, Kind::Reload, text);
                (6, format!("netifyd's reload is not confirmed: {detail}"))
            }
            ReloadOutcome::StillRunning(detail) => {
                is_owed = true;
                let text = format!("netifyd's reload ({method}) is not confirmed: {detail}; its answer is waited for");
                self.note_failure(Level::Error, Kind::Reload, text);
                (6, format!("netifyd's reload is not confirmed: {detail}"))
            }
        };
        if is_owed {
            let now = self.cx.boot_now();
            let wait = (CLOSEST << self.cx.volatile.reload_failures.min(10)).min(LONGEST);
            self.cx.volatile.reload_failures += 1;
            self.reload = Reload::Paused { failed_at: now, until: now.plus(wait) };
            self.pause_reloads(wait);
        } else {
            if !matches!(report.outcome, ReloadOutcome::Died(_)) {
                self.log.forget_failure(Kind::Reload);
            }
            // One that does not run, or ended, reads the license when it starts.
            self.cx.durable.loaded = target;
            self.cx.volatile.unload = false;
            self.cx.volatile.reload_failures = 0;
            self.cx.volatile.reload_pause = None;
        }
        for (id, done, before) in self.requests.of_reload() {
            self.reply(&[id], if before == 0 { exit } else { before }, &format!("{done}; {text}"));
        }
    }
}
