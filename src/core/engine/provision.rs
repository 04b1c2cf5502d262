//! This device's license at the hub: found by its id, made when there is none, given back.

use serde_json::Value;

use super::attempt::{Attempt, Goal, Made, Stage};
use super::attempt_end::End;
use super::{Action, Engine, HubRequest};
use crate::core::answer::Trouble;
use crate::core::floor;
use crate::core::license::Serial;
use crate::core::time::DAY;

impl Engine {
    /// The hub's list: ours is the one that is bound to this device and ends last.
    pub(super) fn listed(&mut self, mut attempt: Attempt, items: &[Vec<u8>]) {
        let Some(duid) = self.duid().map(str::to_owned) else {
            return self.end_attempt(
                attempt,
                End::NotFound("this device's id is not known, so its license cannot be found".to_owned()),
            );
        };
        let ours = |item: &Vec<u8>| {
            let license = crate::core::license::parse(item).ok()?.license;
            (license.duid.as_deref() == Some(duid.as_str())).then_some((license.expires_at, license.serial))
        };
        let found = items.iter().filter_map(ours).max().and_then(|(_, serial)| serial.parse::<Serial>().ok());
        match (found, attempt.goal) {
            (Some(serial), Goal::Retire { .. }) => {
                attempt.serial = Some(serial.clone());
                self.ask(attempt, Stage::Delete, HubRequest::Delete(serial));
            }
            (Some(serial), _) => {
                attempt.serial = Some(serial.clone());
                let stage = if attempt.made == Some(Made::License) { Stage::Confirm } else { Stage::View };
                self.ask(attempt, stage, HubRequest::View(serial));
            }
            (None, Goal::Provision) if attempt.made != Some(Made::License) => self.create(attempt),
            (None, _) => {
                let text = format!("the hub lists no license for device {duid}");
                self.end_attempt(attempt, End::NotFound(text));
            }
        }
    }

    /// The hub does not know the serial any more.
    pub(super) fn serial_is_gone(&mut self, mut attempt: Attempt, trouble: Trouble) {
        let may_look = self.config.license.serial.is_none() && self.duid().is_some() && !attempt.listed;
        if !may_look {
            return match attempt.goal {
                Goal::Provision if attempt.made != Some(Made::License) => self.create(attempt),
                _ => self.end_attempt(attempt, End::Trouble(trouble)),
            };
        }
        attempt.listed = true;
        if attempt.goal == Goal::Renew && self.config.provision.enabled && (attempt.manual || self.may_provision()) {
            attempt.goal = Goal::Provision;
        }
        self.ask(attempt, Stage::List, HubRequest::List);
    }

    pub(super) fn may_provision(&self) -> bool {
        let Some(at) = self.durable.provision_tried_at else { return true };
        let since = self.best_now().unwrap_or(self.moment.now.wall).since(at);
        // A clock that boots in the past must not make a new day. A date far in the future, by a clock that is right
        // now, was written by one that was not.
        since >= DAY || (since < -DAY && self.trusted_now().is_some())
    }

    pub(super) fn create(&mut self, mut attempt: Attempt) {
        let Some(duid) = self.duid().map(str::to_owned) else {
            return self.end_attempt(
                attempt,
                End::NotFound("this device's id is not known, so no license can be made for it".to_owned()),
            );
        };
        if !attempt.manual && !self.may_provision() {
            return self.end_attempt(
                attempt,
                End::NotFound(format!("the hub has no license for device {duid}; one is created once a day at most")),
            );
        }
        if attempt.manual
            && let Err(wait) = self.volatile.manual.take(floor::MANUAL)
        {
            return self.end_attempt(attempt, End::Floor(wait));
        }
        self.durable.provision_tried_at = Some(self.best_now().unwrap_or(self.moment.now.wall));
        self.save_durable();
        attempt.made = Some(Made::License);
        self.ask(attempt, Stage::Create, HubRequest::Create { duid });
    }

    pub(super) fn created(&mut self, mut attempt: Attempt, data: &[u8]) {
        let serial =
            serde_json::from_slice::<Value>(data).ok().and_then(|v| v.get("serial")?.as_str()?.parse::<Serial>().ok());
        if let Some(serial) = serial {
            attempt.serial = Some(serial.clone());
            self.ask(attempt, Stage::Confirm, HubRequest::View(serial));
        } else {
            attempt.listed = true;
            self.ask(attempt, Stage::List, HubRequest::List);
        }
    }

    /// Deleted at the hub: only now the file goes.
    pub(super) fn deleted(&mut self, attempt: Attempt) {
        let Goal::Retire { keep_file } = attempt.goal else { return };
        self.durable.retired = true;
        self.durable.serial = None;
        self.save_durable();
        self.retiring = Some((attempt.waiters, keep_file));
        self.actions.push(Action::Remove { keep_file });
    }
}

/// The hub will not extend this license, whoever asks (and not: who is asking, or how).
pub(super) const fn is_past_renewing(trouble: &Trouble) -> bool {
    matches!(trouble.http_status, Some(403 | 404 | 405 | 409 | 422))
}

pub(super) const fn is_gone(trouble: &Trouble) -> bool {
    matches!(trouble.http_status, Some(404))
}
