//! The status document, made only when something changed.

use super::advice::Findings;
use super::file::FileView;
use super::{Action, Engine, StateFile};
use crate::core::clock::trust;
use crate::core::config::HubKind;
use crate::core::device::duid;
use crate::core::report::configuration::ConfigurationStatus;
use crate::core::report::status::{
    AttemptStatus, ClockStatus, DeviceStatus, HubStatus, LicenseStatus, PendingChangeStatus, ReloadStatus,
    RenewalStatus, RestoreStatus, Rfc3339, SCHEMA, Status,
};
use crate::core::state::Told;
use crate::core::state::word::ReloadWord;
use crate::core::time::{BootTime, MINUTE, Millis, SECOND, WallTime};

/// What was published last.
#[derive(Debug, Default)]
pub(super) struct Published {
    pub(super) status: Option<Status>,
    /// The next attempt as it was published: kept while it does not really move.
    next_attempt: Option<WallTime>,
    /// The next restore, likewise.
    next_restore: Option<WallTime>,
    /// The clock's skew as it was published.
    skew: Option<(Millis, String)>,
}

/// Two clocks never agree to the millisecond: a moment that did not move stays as it was published.
fn keep_steady(published: &mut Option<WallTime>, new: Option<WallTime>) {
    let is_close = |old: WallTime| new.is_some_and(|new| new.since(old).abs() < 2 * SECOND);
    if !published.is_some_and(is_close) {
        *published = new;
    }
}

impl Engine {
    /// Publishes the status if it changed, and logs what a person wants to know of the change.
    pub(super) fn publish(&mut self) {
        if self.cx.file.is_unknown() {
            return;
        }
        let status = self.describe();
        if self.published.status.as_ref() == Some(&status) {
            return;
        }
        self.note_change(&status);
        // Remembered over restarts, which are no change.
        let told = Told {
            state: status.state,
            healthy: status.healthy,
            sha256: status.license.sha256.clone(),
            pending_change: self.cx.durable.pending_change.as_ref().map(|pending| pending.offer.clone()),
        };
        let changed = self.cx.volatile.told.as_ref() != Some(&told);
        if changed {
            self.cx.volatile.told = Some(told);
            self.save_volatile();
        }
        self.published.status = Some(status);
        self.actions.push(Action::Publish);
        if changed {
            self.actions.push(Action::Hook);
        }
    }

    fn describe(&mut self) -> Status {
        let next = self.next_attempt().filter(|_| self.attempt.is_none());
        let restore_pending = self.restore_is_wanted() && !self.writer.is_replacing();
        let (cx, published, now) = (&self.cx, &mut self.published, self.cx.moment.now);
        let wall = |at: BootTime| now.wall.plus(at.since(now.boot));
        keep_steady(&mut published.next_attempt, next.as_ref().map(|(at, _)| wall(*at)));
        let restore_at = self.restore.refill().or_else(|| self.restore.failed()?.next_write());
        keep_steady(&mut published.next_restore, restore_at.filter(|_| restore_pending).map(wall));
        let path = cx.config.license.path.as_path().display().to_string();
        let license = match &cx.file {
            FileView::Good(license) => LicenseStatus::of(&path, license),
            FileView::Bad(rejection, _) => rejection
                .claims
                .as_ref()
                .map_or_else(|| LicenseStatus::none(&path), |claims| LicenseStatus::claims(&path, claims)),
            _ => LicenseStatus::none(&path),
        };
        let winner = duid::winner(cx.device.sources());
        let history: Vec<AttemptStatus> = cx.volatile.history.iter().map(AttemptStatus::from).collect();
        let reload = cx.volatile.reload.as_ref();
        let told = published.skew.take();
        published.skew = cx.hub_now().and_then(|hub| trust::skew(now.wall, hub)).map(|(skew, text)| {
            // Clocks that drift are no news at every step; one that goes elsewhere is.
            let is_close = |(told, _): &(Millis, String)| (skew - told).abs() <= (told / 10).abs().max(MINUTE);
            told.filter(is_close).unwrap_or((skew, text))
        });
        let skew = published.skew.as_ref().map(|(_, text)| text.clone());
        let state = cx.state();
        // A changing span in the text is no change of the state.
        let why = match &published.status {
            Some(before) if before.clock.trusted == cx.trust.trusted && !cx.trust.trusted => before.clock.why.clone(),
            _ => cx.trust.why.to_string(),
        };
        let troubles = [StateFile::Kept, StateFile::Memory].map(|file| self.unwritten.of(file));
        let doubt = (!cx.trust.trusted).then_some(why.as_str());
        let held_back = self.restore.reason().filter(|_| restore_pending);
        let Findings { problems, advice } = cx.findings(state, doubt, troubles, held_back.as_deref());
        let reload_in_trouble = reload.is_some_and(|last| last.outcome == ReloadWord::Failed);
        Status {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: None,
            state,
            healthy: state.is_usable() && !reload_in_trouble && !cx.is_failing_late(),
            problems,
            advice,
            license,
            device: DeviceStatus {
                duid: winner.map(|(duid, _)| duid.to_owned()),
                source: winner.map(|(_, source)| source.to_string()),
            },
            renewal: RenewalStatus {
                due_at: cx.due_at().map(Rfc3339),
                next_attempt_at: published.next_attempt.map(Rfc3339),
                reason: Some(match (&self.attempt, next) {
                    (Some(_), _) => "an attempt is under way".to_owned(),
                    (None, Some((_, why))) => why.to_string(),
                    (None, None) if cx.durable.retired => "the license was given back".to_owned(),
                    (None, None) => "there is neither a serial nor a device id to ask for".to_owned(),
                }),
                last_attempt: history.last().cloned(),
                history,
                last_success_at: cx.durable.last_success_at.map(Rfc3339),
                consecutive_failures: cx.volatile.failures,
                attempts: cx.volatile.attempts.clone(),
            },
            restore: RestoreStatus {
                pending: restore_pending,
                reason: self.restore.reason().filter(|_| restore_pending),
                next_at: published.next_restore.map(Rfc3339),
            },
            reload: ReloadStatus {
                method: reload.map_or_else(
                    || format!("{:?}", cx.config.reload.method).to_lowercase(),
                    |last| last.method.clone(),
                ),
                pending: cx.reload_is_owed(),
                last_at: reload.map(|last| Rfc3339(last.at)),
                last_outcome: reload.map(|last| last.outcome),
                last_detail: reload.and_then(|last| last.detail.clone()),
                reloads: cx.volatile.reloads.clone(),
            },
            pending_change: cx.durable.pending_change.as_ref().map(|pending| PendingChangeStatus {
                serial: pending.serial.clone(),
                lost: pending.lost.clone(),
                gained: pending.gained.clone(),
                expires_at: Rfc3339(pending.expires_at),
                offered_since: Rfc3339(pending.offered_since),
                accept_at: cx.accept_at().map(Rfc3339),
            }),
            clock: ClockStatus { trusted: cx.trust.trusted, why, skew },
            hub: HubStatus {
                kind: if cx.config.hub.kind == HubKind::Relay { "relay" } else { "api" }.to_owned(),
                url: cx.config.hub.url.text(),
            },
            // The driver's to say: it reads the file.
            configuration: ConfigurationStatus::default(),
        }
    }
}
