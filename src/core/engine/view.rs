//! What the outside sees of the engine: the status document and the log, both only when something changed.

use std::collections::BTreeMap;

use super::file::FileView;
use super::{Action, Engine, Level};
use crate::core::accept;
use crate::core::clock_trust;
use crate::core::config::{HubKind, TrustMode};
use crate::core::duid;
use crate::core::license::Entitlement;
use crate::core::report::{
    AttemptStatus, ClockStatus, DeviceStatus, HubStatus, LicenseStatus, ReloadStatus, RenewalStatus, SCHEMA, Status,
};
use crate::core::time::{DAY, SECOND, WallTime};
use crate::core::verify::State;

/// What was logged already: a failure is logged once, then counted, then again when its reason changes and daily.
#[derive(Debug, Default)]
pub(super) struct Notes {
    failures: BTreeMap<&'static str, Failure>,
    said: std::collections::BTreeSet<String>,
    state: Option<State>,
    trusted: Option<bool>,
    /// The next attempt as it was published: kept while it does not really move.
    next_attempt: Option<WallTime>,
}

#[derive(Debug)]
struct Failure {
    text: String,
    logged_at: WallTime,
    silent: u32,
}

impl Notes {
    /// Whether this was not said since the last success.
    pub(super) fn first_time(&mut self, what: &str) -> bool {
        self.said.len() < 64 && self.said.insert(what.to_owned())
    }

    pub(super) fn forget(&mut self) {
        self.failures.clear();
        self.said.clear();
    }
}

impl Engine {
    pub(super) fn note_failure(&mut self, kind: &'static str, text: String) {
        let now = self.moment.now.wall;
        let known = self.notes.failures.get_mut(kind);
        if let Some(failure) =
            known.filter(|failure| failure.text == text && (0..DAY).contains(&now.since(failure.logged_at)))
        {
            failure.silent += 1;
            let text = failure.text.clone();
            return self.note(Level::Debug, text);
        }
        let silent = self.notes.failures.get(kind).map_or(0, |failure| failure.silent);
        self.notes.failures.insert(kind, Failure { text: text.clone(), logged_at: now, silent: 0 });
        self.note(
            Level::Warn,
            if silent > 0 { format!("{text} ({silent} more like the last one before)") } else { text },
        );
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
        if self.notes.trusted != Some(status.clock.trusted) {
            if !status.clock.trusted {
                self.note(Level::Warn, format!("the clock cannot be believed: {}", status.clock.why));
            } else if self.notes.trusted.is_some() {
                self.note(Level::Info, format!("the clock can be believed: {}", status.clock.why));
            }
            self.notes.trusted = Some(status.clock.trusted);
        }
        if self.notes.state != Some(status.state) {
            let level = if status.state.is_usable() { Level::Info } else { Level::Warn };
            let why = status.problems.first().map(|problem| format!(": {problem}")).unwrap_or_default();
            self.note(level, format!("license state is {}{why}", status.state));
            self.notes.state = Some(status.state);
        }
        let changed = self.published.as_ref().is_none_or(|before| {
            (before.state, before.healthy, &before.license.sha256)
                != (status.state, status.healthy, &status.license.sha256)
        });
        self.published = Some(status.clone());
        self.actions.push(Action::Publish(Box::new(status)));
        if changed {
            self.actions.push(Action::Hook);
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
        let skew = self.hub_clock.and_then(|(wall, boot)| {
            let hub = wall.plus(self.moment.now.boot.since(boot));
            let skew = clock_trust::skew(self.moment.now.wall, hub)?;
            Some(match self.published.as_ref().and_then(|before| before.clock.skew.clone()) {
                Some(before) => before,
                None => skew,
            })
        });
        let state = self.state();
        let (problems, advice) = self.problems(state);
        let reload_in_trouble =
            self.volatile.reload_failures > 0 && reload.is_some_and(|last| last.outcome == "failed");
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
                due_at: self.due_at().map(WallTime::rfc3339),
                next_attempt_at: self.notes.next_attempt.map(WallTime::rfc3339),
                reason: Some(match (&self.attempt, next) {
                    (Some(_), _) => "an attempt is under way".to_owned(),
                    (None, Some((_, why))) => why,
                    (None, None) if self.durable.retired => "the license was given back".to_owned(),
                    (None, None) => "there is neither a serial nor a device id to ask for".to_owned(),
                }),
                last_attempt: history.last().cloned(),
                history,
                last_success_at: self.durable.last_success_at.map(WallTime::rfc3339),
                consecutive_failures: self.volatile.failures,
                attempts: self.volatile.attempts.clone(),
            },
            reload: ReloadStatus {
                method: reload.map_or_else(|| self.method_word(), |last| last.method.clone()),
                pending: self.reload_is_owed(),
                last_at: reload.map(|last| last.at.rfc3339()),
                last_outcome: reload.map(|last| last.outcome.clone()),
                last_detail: reload.and_then(|last| last.detail.clone()),
                reloads: self.volatile.reloads.clone(),
            },
            clock: ClockStatus {
                trusted: self.trust.trusted,
                // A changing span in the text is no change of the state.
                why: match &self.published {
                    Some(before) if before.clock.trusted == self.trust.trusted && !self.trust.trusted => {
                        before.clock.why.clone()
                    }
                    _ => self.trust.why.clone(),
                },
                skew,
            },
            hub: HubStatus {
                kind: if self.config.hub.kind == HubKind::Relay { "relay" } else { "api" }.to_owned(),
                url: self.config.hub.url.text(),
            },
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

    /// What is wrong, and what to do about it.
    fn problems(&self, state: State) -> (Vec<String>, Vec<String>) {
        let (mut problems, mut advice) = (Vec::new(), Vec::new());
        let path = self.config.license.path.as_path().display();
        match &self.file {
            FileView::Missing | FileView::Unknown => problems.push(format!("{path}: there is no license")),
            FileView::Unreadable(reason) => problems.push(reason.clone()),
            FileView::Bad(rejection, _) => problems.push(format!("{path}: {}", rejection.reason)),
            FileView::Good(license) if state == State::Expired => {
                problems.push(format!("{path}: the license expired at {}", license.license().expires_at));
            }
            FileView::Good(license) if state == State::NotYetValid => {
                let from = license.license().created_at.unwrap_or(license.license().expires_at);
                problems.push(format!("{path}: the license was issued at {from}, which is in the future"));
            }
            FileView::Good(_) => {}
        }
        match state {
            State::Missing if self.wants_serial_or_device() => advice.push("set device.duid or license.serial, so that the license can be found".to_owned()),
            State::Missing => advice.push("run `netify-licensed renew` to fetch it now, `netify-licensed provision` to create one, or `netify-licensed install FILE`".to_owned()),
            State::Unreadable => advice.push("check owner and mode of the file and of its directory".to_owned()),
            State::BadSignature | State::Unsigned => advice.push("check trust.keys against the key that the vendor published; `netify-licensed verify` explains".to_owned()),
            State::WrongDevice => advice.push("`netify-licensed duid --all` shows this device's ids; a copied license has to be replaced by this device's own".to_owned()),
            State::ClockUntrusted => advice.push("set the clock, or set clock.trust = \"always\" if it is known to be right".to_owned()),
            State::Expired | State::NotYetValid | State::Malformed => advice.push("`netify-licensed renew` tries now and says what the hub answers".to_owned()),
            State::Valid | State::Unchecked => {}
        }
        if !self.trust.trusted {
            problems.push(format!("the clock cannot be believed: {}", self.trust.why));
        }
        if self.config.trust.mode == TrustMode::Transport {
            problems.push("the signature is not checked (trust.mode = \"transport\")".to_owned());
        }
        if let (Some(last), true) = (self.volatile.history.last(), self.volatile.failures > 0) {
            problems.push(format!(
                "{} attempts failed; the last: {}",
                self.volatile.failures,
                last.error.as_deref().unwrap_or(&last.outcome)
            ));
        }
        if let Some(last) =
            self.volatile.reload.as_ref().filter(|last| last.outcome == "failed" && self.reload_is_owed())
        {
            problems.push(format!(
                "netifyd has not loaded the installed license: {}",
                last.detail.as_deref().unwrap_or("no reason given")
            ));
            advice.push(format!("check the service {} and reload.method", self.config.reload.service));
        }
        if let Some(license) = self.file.good() {
            if license.license().renewable == Some(false) {
                problems.push(format!("the license is not renewable and ends {}", license.license().expires_at));
                advice.push("ask the issuer for a renewable license in time".to_owned());
            }
            let wanted: Vec<Entitlement> = self
                .config
                .provision
                .entitlements
                .iter()
                .map(|name| Entitlement { name: name.clone(), not_valid_after: None })
                .collect();
            let missing = accept::missing(&wanted, &license.license().entitlements);
            if !missing.is_empty() {
                problems
                    .push(format!("provision.entitlements asks for more than the license has: {}", missing.join(", ")));
            }
        }
        if self.reload.left_alone.is_some() {
            problems.push("somebody installed an older license than the one that is kept".to_owned());
        }
        if let Some(trouble) = &self.state_trouble {
            problems.push(trouble.clone());
        }
        if self.device.iter().all(|entry| entry.duid.is_err()) && !self.device.is_empty() {
            problems.push(duid::none_usable(&self.device));
        }
        problems.extend(self.keys.problems.iter().cloned());
        (problems, advice)
    }

    fn wants_serial_or_device(&self) -> bool {
        self.config.license.serial.is_none() && duid::winner(&self.device).is_none()
    }
}
