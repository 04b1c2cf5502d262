//! What the outside sees of the engine: the status document and the log, both only when something changed.

use super::advice::Findings;
use super::file::FileView;
use super::{Action, Engine, Level};
use crate::core::clock::trust;
use crate::core::config::HubKind;
use crate::core::device::duid;
use crate::core::license::verify::State;
use crate::core::report::configuration::ConfigurationStatus;
use crate::core::report::status::{
    AttemptStatus, ClockStatus, DeviceStatus, HubStatus, LicenseStatus, PendingChangeStatus, ReloadStatus,
    RenewalStatus, Rfc3339, SCHEMA, Status,
};
use crate::core::state::Told;
use crate::core::time::{DAY, MINUTE, Millis, SECOND, WallTime};

/// What was logged already: a failure is logged once, then counted, then again when its reason changes and daily.
#[derive(Debug, Default)]
pub(super) struct Notes {
    failures: Vec<Failure>,
    said: Vec<String>,
    state: Option<State>,
    trusted: Option<bool>,
    /// The next attempt as it was published: kept while it does not really move.
    next_attempt: Option<WallTime>,
    /// The clock's skew as it was published.
    skew: Option<(Millis, String)>,
}

#[derive(Debug)]
struct Failure {
    kind: &'static str,
    text: String,
    logged_at: WallTime,
    silent: u32,
}

impl Notes {
    /// Whether this was not said since the last success.
    pub(super) fn first_time(&mut self, what: &str) -> bool {
        let is_news = self.said.len() < 64 && !self.said.iter().any(|said| said == what);
        if is_news {
            self.said.push(what.to_owned());
        }
        is_news
    }

    pub(super) fn forget(&mut self) {
        self.failures.clear();
        self.said.clear();
    }

    /// An attempt that fails in another way is news, and so is the way back.
    pub(super) fn forget_attempts_but(&mut self, kind: &str) {
        self.failures.retain(|known| known.kind == kind || !ATTEMPTS.contains(&known.kind));
    }

    /// What is over is news when it happens again.
    pub(super) fn forget_failure(&mut self, kind: &str) {
        self.failures.retain(|known| known.kind != kind);
    }
}

/// Kinds of failures of which an attempt has one.
const ATTEMPTS: [&str; 6] = ["outage", "refused", "rate-limited", "not-ready", "candidate-refused", "not-found"];

/// The reason, without what is new in it each time: a supervised netifyd fails under another process id, and a hub counts
/// its answers. Short numbers, such as an HTTP status, are part of the reason.
fn reason_of(text: &str) -> String {
    const SHORT: usize = 5;
    let mut parts = text.split("(process ");
    let first = parts.next().unwrap_or_default().to_owned();
    let text = parts.fold(first, |text, part| text + part.trim_start_matches(|c: char| c.is_ascii_digit()));
    let is_id = |word: &str| word.len() > SHORT && word.bytes().any(|byte| byte.is_ascii_digit());
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
    words.filter(|word| !is_id(word)).collect::<Vec<_>>().join(" ")
}

impl Engine {
    pub(super) fn note_failure(&mut self, kind: &'static str, text: String) {
        self.note_failure_at(Level::Warn, kind, text);
    }

    pub(super) fn note_failure_at(&mut self, level: Level, kind: &'static str, text: String) {
        let now = self.moment.now.wall;
        let known = self.notes.failures.iter_mut().find(|known| known.kind == kind);
        if let Some(failure) = known.filter(|failure| {
            reason_of(&failure.text) == reason_of(&text) && (0..DAY).contains(&now.since(failure.logged_at))
        }) {
            failure.silent += 1;
            return self.note(Level::Debug, text);
        }
        let silent = self.notes.failures.iter().find(|known| known.kind == kind).map_or(0, |failure| failure.silent);
        self.notes.forget_failure(kind);
        self.notes.failures.push(Failure { kind, text: text.clone(), logged_at: now, silent: 0 });
        self.note(level, if silent > 0 { format!("{text} ({silent} more like the last one before)") } else { text });
    }

    /// Publishes the status if it changed, and logs what a person wants to know of the change.
    pub(super) fn publish(&mut self) {
        if self.file.is_unknown() {
            return;
        }
        let status = self.describe();
        if self.published.as_ref() == Some(&status) {
            return;
        }
        self.note_change(&status);
        // Remembered over restarts, which are no change.
        let told = Told {
            state: status.state,
            healthy: status.healthy,
            sha256: status.license.sha256.clone(),
            pending_change: self.durable.pending_change.as_ref().map(|pending| pending.offer.clone()),
        };
        let changed = self.volatile.told.as_ref() != Some(&told);
        if changed {
            self.volatile.told = Some(told);
            self.save_volatile();
        }
        self.published = Some(status);
        self.actions.push(Action::Publish);
        if changed {
            self.actions.push(Action::Hook);
        }
    }

    /// One line for one change of the license's state or of the trust in the clock.
    fn note_change(&mut self, status: &Status) {
        let (state, clock) = (status.state, &status.clock);
        let before = self.notes.trusted.replace(clock.trusted);
        let clock_line = match (clock.trusted, before) {
            (false, None | Some(true)) => Some((Level::Warn, format!("the clock cannot be believed: {}", clock.why))),
            (true, Some(false)) => Some((Level::Info, format!("the clock can be believed: {}", clock.why))),
            _ => None,
        };
        let is_news = self.notes.state.replace(state) != Some(state);
        // A line about the license itself says as much.
        let is_told = |action: &Action| matches!(action, Action::Note(_, text) if text.starts_with("license "));
        let is_told = self.actions.iter().any(is_told);
        if let Some((level, text)) = clock_line
            && !(is_news && state == State::ClockUntrusted)
        {
            self.note(level, text);
        }
        match state {
            _ if !is_news => {}
            State::Valid if is_told => {}
            State::Valid => self.note(Level::Info, format!("license state is {state}")),
            State::Unchecked => {
                self.note(
                    Level::Info,
                    format!("license state is {state}: nobody checks its signature (trust.mode = \"transport\")"),
                );
            }
            _ => {
                let why = status.problems.first().map(|problem| format!(": {problem}")).unwrap_or_default();
                self.note(Level::Warn, format!("license state is {state}{why}"));
            }
        }
    }

    fn describe(&mut self) -> Status {
        let next = self.next_attempt().filter(|_| self.attempt.is_none());
        let next_at = next.as_ref().map(|(at, _)| self.moment.now.wall.plus(at.since(self.moment.now.boot)));
        // Two clocks never agree to the millisecond; a moment that did not move stays as it was published.
        if let (Some(new), Some(old)) = (next_at, self.notes.next_attempt) {
            if new.since(old).abs() >= 2 * SECOND {
                self.notes.next_attempt = next_at;
            }
        } else {
            self.notes.next_attempt = next_at;
        }
        let path = self.config.license.path.as_path().display().to_string();
        let license = match &self.file {
            FileView::Good(license) => LicenseStatus::of(&path, license),
            FileView::Bad(rejection, _) => rejection
                .claims
                .as_ref()
                .map_or_else(|| LicenseStatus::none(&path), |claims| LicenseStatus::claims(&path, claims)),
            _ => LicenseStatus::none(&path),
        };
        let winner = duid::winner(&self.device);
        let history: Vec<AttemptStatus> = self.volatile.history.iter().map(AttemptStatus::from).collect();
        let reload = self.volatile.reload.as_ref();
        let told = self.notes.skew.take();
        self.notes.skew = self.hub_now().and_then(|hub| trust::skew(self.moment.now.wall, hub)).map(|(skew, text)| {
            // Clocks that drift are no news at every step; one that goes elsewhere is.
            let is_close = |(told, _): &(Millis, String)| (skew - told).abs() <= (told / 10).abs().max(MINUTE);
            told.filter(is_close).unwrap_or((skew, text))
        });
        let skew = self.notes.skew.as_ref().map(|(_, text)| text.clone());
        let state = self.state();
        // A changing span in the text is no change of the state.
        let why = match &self.published {
            Some(before) if before.clock.trusted == self.trust.trusted && !self.trust.trusted => {
                before.clock.why.clone()
            }
            _ => self.trust.why.to_string(),
        };
        let Findings { problems, advice } = self.findings(state, (!self.trust.trusted).then_some(why.as_str()));
        let reload_in_trouble = reload.is_some_and(|last| last.outcome == "failed");
        Status {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: None,
            state,
            healthy: state.is_usable() && !reload_in_trouble && !self.is_failing_late(),
            problems,
            advice,
            license,
            device: DeviceStatus {
                duid: winner.map(|(duid, _)| duid.to_owned()),
                source: winner.map(|(_, source)| source.to_string()),
            },
            renewal: RenewalStatus {
                due_at: self.due_at().map(Rfc3339),
                next_attempt_at: self.notes.next_attempt.map(Rfc3339),
                reason: Some(match (&self.attempt, next) {
                    (Some(_), _) => "an attempt is under way".to_owned(),
                    (None, Some((_, why))) => why.into_owned(),
                    (None, None) if self.durable.retired => "the license was given back".to_owned(),
                    (None, None) => "there is neither a serial nor a device id to ask for".to_owned(),
                }),
                last_attempt: history.last().cloned(),
                history,
                last_success_at: self.durable.last_success_at.map(Rfc3339),
                consecutive_failures: self.volatile.failures,
                attempts: self.volatile.attempts.clone(),
            },
            reload: ReloadStatus {
                method: reload.map_or_else(|| self.method_word(), |last| last.method.clone()),
                pending: self.reload_is_owed(),
                last_at: reload.map(|last| Rfc3339(last.at)),
                last_outcome: reload.map(|last| last.outcome.clone()),
                last_detail: reload.and_then(|last| last.detail.clone()),
                reloads: self.volatile.reloads.clone(),
            },
            pending_change: self.durable.pending_change.as_ref().map(|pending| PendingChangeStatus {
                serial: pending.serial.clone(),
                lost: pending.lost.clone(),
                gained: pending.gained.clone(),
                expires_at: Rfc3339(pending.expires_at),
                offered_since: Rfc3339(pending.offered_since),
                accept_at: self.accept_at().map(Rfc3339),
            }),
            clock: ClockStatus { trusted: self.trust.trusted, why, skew },
            hub: HubStatus {
                kind: if self.config.hub.kind == HubKind::Relay { "relay" } else { "api" }.to_owned(),
                url: self.config.hub.url.text(),
            },
            // The driver's to say: it reads the file.
            configuration: ConfigurationStatus::default(),
        }
    }

    fn method_word(&self) -> String {
        format!("{:?}", self.config.reload.method).to_lowercase()
    }

    /// Failures while little time is left.
    fn is_failing_late(&self) -> bool {
        let (Some(license), Some(now)) = (self.file.good(), self.trusted_now()) else { return false };
        self.volatile.failures > 0 && now >= self.plan(license).emergency_from
    }
}
