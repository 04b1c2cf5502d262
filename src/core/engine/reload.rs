//! A reload is owed while the good license on disk is not the one that netifyd is known to have loaded.

use super::log::Kind;
use super::requests::At;
use super::timers::{Io, Waiting, Why};
use super::{Action, Engine, Level, ReloadOutcome, ReloadReport, RequestId};
use crate::core::state::word::ReloadWord;
use crate::core::state::{ReloadPause, ReloadRecord};
use crate::core::time::{BootTime, MINUTE, Millis, SECOND};

/// A failed reload is never repeated sooner.
const CLOSEST: Millis = 10 * SECOND;
/// Nor later than this.
const LONGEST: Millis = 10 * MINUTE;
/// How often to look for a netifyd that does not run.
const LOOK: Millis = MINUTE;

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
        self.actions.push(Action::Reload { serial });
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
        let now = self.cx.moment.now;
        let last = self.cx.volatile.reload.as_ref();
        // Absent after a failed reload: the reload ended it, so `failed`, not `not-running`.
        let has_died = last.is_some_and(|last| last.outcome == ReloadWord::Failed && !last.not_asked);
        let (word, detail) = match &report.outcome {
            ReloadOutcome::Confirmed => (ReloadWord::Confirmed, None),
            ReloadOutcome::Restarted(detail) => (ReloadWord::Restarted, Some(detail.clone())),
            ReloadOutcome::NotRunning(detail) if has_died => {
                (ReloadWord::Failed, Some(format!("netifyd has not come back since a reload failed ({detail})")))
            }
            ReloadOutcome::NotRunning(detail) => (ReloadWord::NotRunning, Some(detail.clone())),
            ReloadOutcome::Failed(detail) | ReloadOutcome::NotAsked(detail) => {
                (ReloadWord::Failed, Some(detail.clone()))
            }
            ReloadOutcome::Disabled => (ReloadWord::None, None),
        };
        // A netifyd that is off is looked for each minute: that it is still off is nothing to write down.
        let is_news = word != ReloadWord::NotRunning
            || self.cx.volatile.reload_failures == 0
            || last.is_none_or(|last| last.outcome != word || last.method != report.method || last.detail != detail);
        if is_news {
            self.cx.volatile.reload = Some(ReloadRecord {
                at: now.wall,
                method: report.method.clone(),
                outcome: word,
                detail: detail.clone(),
                not_asked: matches!(report.outcome, ReloadOutcome::NotAsked(_)),
            });
            *self.cx.volatile.reloads.entry(word).or_default() += 1;
        }
        let method = &report.method;
        let detail = detail.unwrap_or_default();
        let mut wait = 0;
        let (exit, text) = match word {
            ReloadWord::Confirmed => {
                self.note(Level::Info, format!("netifyd reloaded ({method}), confirmed"));
                (0, format!("netifyd reloaded ({method})"))
            }
            ReloadWord::Restarted => {
                self.note(Level::Warn, format!("netifyd reloaded ({method}), but {detail}"));
                (0, format!("netifyd reloaded ({method}), but {detail}"))
            }
            ReloadWord::None => (0, "reload.method is \"none\", so netifyd was not told".to_owned()),
            ReloadWord::NotRunning => {
                wait = if self.cx.volatile.reload_failures == 0 { CLOSEST } else { LOOK };
                let text = format!("netifyd was not reloaded: {detail}; it is told when it appears");
                self.note_failure(Level::Warn, Kind::Reload, text);
                (0, format!("{detail}; it reads the new license when it starts"))
            }
            ReloadWord::Failed | ReloadWord::Unknown => {
                let doubled = CLOSEST << self.cx.volatile.reload_failures.min(10);
                let gone = matches!(report.outcome, ReloadOutcome::NotRunning(_));
                wait = doubled.min(if gone { LOOK } else { LONGEST });
                let text = format!("netifyd's reload ({method}) is not confirmed: {detail}; it is tried again");
                self.note_failure(Level::Error, Kind::Reload, text);
                (6, format!("netifyd's reload is not confirmed: {detail}"))
            }
        };
        if wait > 0 {
            self.cx.volatile.reload_failures += u32::from(is_news);
            self.reload = Reload::Paused { failed_at: now.boot, until: now.boot.plus(wait) };
            self.pause_reloads(wait);
            if word == ReloadWord::NotRunning {
                // To look costs nobody anything: a restart of ours looks at once.
                self.cx.volatile.reload_pause = None;
            }
        } else {
            self.log.forget_failure(Kind::Reload);
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
