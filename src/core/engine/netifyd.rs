//! netifyd itself: whether it runs, and one that ended on a reload.

use super::log::Kind;
use super::timers::{Waiting, Why};
use super::{Action, Engine, Level, ReloadOutcome, ReloadReport};
use crate::core::netifyd::NetifydStatus;
use crate::core::state::word::ReloadWord;
use crate::core::state::{ReloadRecord, Volatile};
use crate::core::time::{BootTime, Millis, SECOND};

/// How often to look for a netifyd that ended on a reload.
const LOOK: Millis = 10 * SECOND;

/// What is to be remembered of netifyd between reloads.
#[derive(Debug, Default)]
pub(super) struct Netifyd {
    /// When to look for one that ended on a reload.
    look_at: Option<BootTime>,
    /// It was asked to load this license, and has not answered in time: it is not asked for it again.
    pub(super) unanswered: Option<String>,
}

impl Netifyd {
    /// After a restart of ours: one that ended on a reload is looked for at once.
    pub(super) fn resume(volatile: &Volatile) -> Self {
        let died = volatile.reload.as_ref().is_some_and(|last| last.died);
        Self { look_at: died.then_some(BootTime(0)), unanswered: None }
    }

    pub(super) fn waiting(&self, is_daemon: bool) -> Option<Waiting> {
        self.look_at.filter(|_| is_daemon).map(|at| Waiting::Until(at, Why::NetifydLook))
    }
}

impl Engine {
    /// Remembers how the last reload ended.
    pub(super) fn record_reload(&mut self, report: &ReloadReport) {
        let has_died = self.cx.volatile.reload.as_ref().is_some_and(|last| last.died);
        let died = match report.outcome {
            ReloadOutcome::Died(_) => true,
            // None of these tells that it runs again.
            ReloadOutcome::NotRunning(_) | ReloadOutcome::NotAsked(_) | ReloadOutcome::Failed(_) => has_died,
            _ => false,
        };
        let (word, detail) = match &report.outcome {
            ReloadOutcome::Confirmed => (ReloadWord::Confirmed, None),
            ReloadOutcome::Disabled => (ReloadWord::None, None),
            ReloadOutcome::Restarted(detail) => (ReloadWord::Restarted, Some(detail.clone())),
            ReloadOutcome::NotRunning(detail) if died => {
                (ReloadWord::Failed, Some(format!("netifyd has not come back since a reload ended it ({detail})")))
            }
            ReloadOutcome::NotRunning(detail) => (ReloadWord::NotRunning, Some(detail.clone())),
            ReloadOutcome::Died(detail)
            | ReloadOutcome::StillRunning(detail)
            | ReloadOutcome::Failed(detail)
            | ReloadOutcome::NotAsked(detail) => (ReloadWord::Failed, Some(detail.clone())),
        };
        match report.outcome {
            ReloadOutcome::Confirmed | ReloadOutcome::Restarted(_) | ReloadOutcome::StillRunning(_) => {
                self.cx.netifyd.running = Some(true);
            }
            ReloadOutcome::NotRunning(_) | ReloadOutcome::Died(_) => self.cx.netifyd.running = Some(false),
            ReloadOutcome::Failed(_) | ReloadOutcome::NotAsked(_) | ReloadOutcome::Disabled => {}
        }
        self.cx.volatile.reload = Some(ReloadRecord {
            at: self.cx.wall_now(),
            method: report.method.clone(),
            outcome: word,
            detail,
            not_asked: matches!(report.outcome, ReloadOutcome::NotAsked(_)),
            evidence: report.evidence.map(|evidence| evidence.word().to_owned()),
            died,
        });
        *self.cx.volatile.reloads.entry(word).or_default() += 1;
        self.netifyd.look_at = died.then(|| self.cx.boot_now().plus(LOOK));
        self.actions.push(Action::LookAtNetifyd);
    }

    /// netifyd ended after its reload was confirmed. Answers that were given stay; the status tells.
    pub(super) fn ended_later(&mut self, report: &ReloadReport) {
        // What a newer reload finds is newer.
        if self.reload.is_running() {
            return;
        }
        match &report.outcome {
            ReloadOutcome::Died(detail) => {
                let remedy = remedy_for_death(&self.cx.config.reload.service, &report.method);
                self.note_failure(Level::Error, Kind::Reload, format!("{detail}; {remedy}"));
            }
            ReloadOutcome::Restarted(detail) => {
                self.note(Level::Warn, format!("after netifyd's reload ({}), {detail}", report.method));
            }
            _ => return,
        }
        self.record_reload(report);
    }

    /// What is seen of netifyd. One that ended on a reload has read the license if it runs again.
    pub(super) fn netifyd_seen(&mut self, seen: NetifydStatus) {
        let last = self.cx.volatile.reload.as_mut();
        if let Some(last) = last.filter(|last| last.died && seen.running == Some(true)) {
            last.died = false;
            last.outcome = ReloadWord::Restarted;
            last.detail = Some("netifyd ended on the reload and runs again".to_owned());
            self.netifyd.look_at = None;
            self.log.forget_failure(Kind::Reload);
            self.note(Level::Info, "netifyd runs again");
        }
        self.cx.netifyd = seen;
    }

    /// Looks for a netifyd that ended on a reload until it runs again.
    pub(super) fn look_for_netifyd(&mut self) {
        let now = self.cx.boot_now();
        if self.cx.daemon && self.netifyd.look_at.is_some_and(|at| at <= now) {
            self.netifyd.look_at = Some(now.plus(LOOK));
            self.actions.push(Action::LookAtNetifyd);
        }
    }
}

/// netifyd exits with 0 when a reload fails, so most service managers leave it down.
pub(super) fn remedy_for_death(service: &str, method: &str) -> String {
    if method.ends_with("procd") {
        return format!("start it (`/etc/init.d/{service} start`); its log says why it ended");
    }
    format!(
        "start it (`systemctl start {service}`); it exits with 0 when a reload fails, so that Restart=on-failure leaves it down: a drop-in with Restart=always (see the example netifyd-restart.conf) has it started again"
    )
}
