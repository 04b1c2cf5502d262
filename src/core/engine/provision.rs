//! This device's license at the hub: found by its id, made when there is none, given back.

use serde_json::Value;

use super::attempt::{Attempt, Goal, Made, Stage};
use super::attempt_end::End;
use super::install::Looking;
use super::{Action, Engine, HubRequest, Level, Retiring};
use crate::core::hub::list::List;
use crate::core::hub::response::Trouble;
use crate::core::license::document::{self, License, Serial};
use crate::core::schedule::rate_limit;
use crate::core::text::one_line;
use crate::core::time::{DAY, WallTime};

impl Engine {
    /// The hub's list: ours is the one that is bound to this device and ends last.
    pub(super) fn listed(&mut self, mut attempt: Attempt, list: &List) {
        if let Some(trouble) = attempt.not_found.take() {
            return self.deletion_confirmed(attempt, trouble, list);
        }
        let Some(duid) = self.duid().map(str::to_owned) else {
            return self.end_attempt(
                attempt,
                End::NotFound("this device's id is not known, so its license cannot be found".to_owned()),
            );
        };
        let ours = |item: &Vec<u8>| Listed::read(item).filter(|item| item.duid.as_deref() == Some(duid.as_str()));
        let found = list.items.iter().filter_map(ours).max_by_key(|item| item.expires_at).map(|item| item.serial);
        match (found, attempt.goal) {
            (Some(serial), Goal::Retire { .. }) => {
                attempt.serial = Some(serial.clone());
                self.ask(attempt, Stage::Delete, HubRequest::Delete(serial));
            }
            (Some(serial), _) => {
                attempt.serial = Some(serial.clone());
                self.ask(attempt, Stage::View, HubRequest::View(serial));
            }
            // A second license is not made because the first one is on another page.
            (None, _) if list.is_partial => {
                let text = format!(
                    "the hub lists a part of its licenses only, and none of them is for device {duid}; set license.serial"
                );
                self.end_attempt(attempt, End::NotFound(text));
            }
            (None, Goal::Provision) if attempt.made != Some(Made::License) => self.create(attempt),
            (None, _) => {
                let text = format!("the hub lists no license for device {duid}{}", self.why_none_is_created());
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

    /// Where the daemon may create a license and does not now: when it may again, and what became of the last try.
    fn why_none_is_created(&self) -> String {
        let Some(at) = self.durable.provision_tried_at.filter(|_| self.config.provision.enabled) else {
            return String::new();
        };
        let last = self.volatile.create_trouble.as_ref().map(|trouble| format!(": {trouble}")).unwrap_or_default();
        format!(
            "; one is created once a day at most, the next one from {} on; the last try came to nothing{last}",
            at.plus(DAY)
        )
    }

    pub(super) fn may_provision(&self) -> bool {
        let Some(at) = self.durable.provision_tried_at else { return true };
        let now = self.dating_now();
        let since = now.unwrap_or(self.moment.now.wall).since(at);
        // A clock that boots in the past must not make a new day. A date far in the future, by a clock that is right
        // now, was written by one that was not.
        since >= DAY || (since < -DAY && now.is_some())
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
                End::NotFound(format!("the hub has no license for device {duid}{}", self.why_none_is_created())),
            );
        }
        if attempt.manual
            && let Err(wait) = self.volatile.manual.take(rate_limit::MANUAL)
        {
            return self.end_attempt(attempt, End::Floor(wait));
        }
        self.durable.provision_tried_at = Some(self.dating_now().unwrap_or(self.moment.now.wall));
        self.save_durable();
        attempt.made = Some(Made::License);
        self.ask(attempt, Stage::Create, HubRequest::Create { duid });
    }

    pub(super) fn created(&mut self, mut attempt: Attempt, data: &[u8]) {
        let serial =
            serde_json::from_slice::<Value>(data).ok().and_then(|v| v.get("serial")?.as_str()?.parse::<Serial>().ok());
        if let Some(serial) = serial {
            attempt.serial = Some(serial.clone());
            self.ask(attempt, Stage::View, HubRequest::View(serial));
        } else {
            attempt.listed = true;
            self.ask(attempt, Stage::List, HubRequest::List);
        }
    }

    /// "Not found" is also what a wrong address answers, so the hub is asked what it has.
    pub(super) fn deletion_finds_nothing(&mut self, mut attempt: Attempt, trouble: Trouble) {
        attempt.not_found = Some(trouble);
        self.ask(attempt, Stage::List, HubRequest::List);
    }

    fn deletion_confirmed(&mut self, attempt: Attempt, trouble: Trouble, list: &List) {
        let is_ours =
            |item: &Vec<u8>| Listed::read(item).is_some_and(|item| Some(&item.serial) == attempt.serial.as_ref());
        if list.is_partial || list.items.iter().any(is_ours) {
            return self.end_attempt(attempt, End::Trouble(trouble));
        }
        self.deleted(attempt, "the hub did not know the license any more");
    }

    /// Gone at the hub: only now the file goes.
    pub(super) fn deleted(&mut self, attempt: Attempt, how: &'static str) {
        let Goal::Retire { keep_file } = attempt.goal else { return };
        self.durable.retired = true;
        self.durable.pending_change = None;
        self.durable.serial = None;
        self.durable.duid = None;
        self.save_durable();
        self.retiring = Some(Retiring { waiters: attempt.waiters, serial: attempt.serial, keep_file, how });
        self.look_first(Looking::Deleted);
    }

    /// The file that holds the deleted license goes, or one that is no license. Another license stays.
    pub(super) fn remove_deleted(&mut self) {
        let Some(retiring) = self.retiring.take() else { return };
        let gone = retiring.serial.as_ref().map(Serial::as_str);
        let other = self.file.good().filter(|file| Some(file.license().serial.as_str()) != gone).cloned();
        let Some(other) = other else {
            self.durable.retired = true;
            self.actions.push(Action::Remove { keep_file: retiring.keep_file });
            self.retiring = Some(retiring);
            return;
        };
        self.durable.retired = false;
        self.remember_serial(&other);
        let serial = one_line(&other.license().serial);
        let text = format!("{}; the file holds another one, {serial}, which stays", retiring.how);
        self.note(Level::Warn, text.clone());
        self.reply(retiring.waiters, 0, &text);
    }
}

/// What a list says of a license. Entries that are no licenses by themselves count by what can be read of them: they stand
/// for a license all the same.
struct Listed {
    serial: Serial,
    duid: Option<String>,
    expires_at: Option<WallTime>,
}

impl Listed {
    fn read(item: &[u8]) -> Option<Self> {
        if let Ok(document) = document::parse(item) {
            let License { serial, duid, expires_at, .. } = document.license;
            return Some(Self { serial: serial.parse().ok()?, duid, expires_at: Some(expires_at) });
        }
        let members: Value = serde_json::from_slice(item).ok()?;
        let text = |name: &str| members.get(name).and_then(Value::as_str);
        Some(Self { serial: text("serial")?.parse().ok()?, duid: text("duid").map(str::to_owned), expires_at: None })
    }
}

/// The hub will not extend this license, whoever asks (and not: who is asking, or how).
pub(super) const fn is_past_renewing(trouble: &Trouble) -> bool {
    matches!(trouble.http_status, Some(403 | 404 | 405 | 409 | 422))
}

pub(super) const fn is_gone(trouble: &Trouble) -> bool {
    matches!(trouble.http_status, Some(404))
}
