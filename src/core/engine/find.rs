//! This device's license at the hub: found by its id, made when there is none, deleted.

use serde_json::Value;

use super::Engine;
use super::attempt::{Attempt, Made, NotRenewed, Phase, Purpose, Step};
use super::outcome::Outcome;
use super::writer::Job;
use crate::core::hub::list::{List, Sought};
use crate::core::hub::response::{Speaker, Trouble};
use crate::core::license::document::{self, License, Serial};
use crate::core::schedule::rate_limit;
use crate::core::time::{DAY, WallTime};

impl Engine {
    /// Which entries of a list matter to the attempt under way.
    #[must_use]
    pub fn sought(&self) -> Sought {
        let serial = match self.attempt.as_ref().map(|attempt| &attempt.phase) {
            Some(Phase::Asking { step: Step::ConfirmDeletion { serial, .. }, .. }) => Some(serial.as_str().to_owned()),
            _ => None,
        };
        Sought { duid: self.cx.duid().map(str::to_owned), serial }
    }

    /// Whether an attempt is under way: its requests share a session.
    #[must_use]
    pub const fn has_attempt(&self) -> bool {
        self.attempt.is_some()
    }

    /// The hub's list: ours is the one that is bound to this device and ends last.
    pub(super) fn found(&mut self, attempt: &Attempt, made: Option<Made>, list: &List) {
        let Some(duid) = self.cx.duid().map(str::to_owned) else {
            let text = "this device's id is not known, so its license cannot be found";
            return self.end(attempt, Outcome::NotFound(text.to_owned()));
        };
        let ours = |item: &Vec<u8>| Listed::read(item).filter(|item| item.duid.as_deref() == Some(duid.as_str()));
        let found = list.items.iter().filter_map(ours).max_by_key(|item| item.expires_at).map(|item| item.serial);
        match (found, attempt.purpose) {
            (Some(serial), Purpose::Retire { .. }) => self.go_on(attempt, Step::Delete { serial }),
            (Some(serial), _) => {
                let confirm = |made| Step::Confirm { made, serial: serial.clone() };
                let step = made.map_or_else(|| Step::Pull { serial: serial.clone() }, confirm);
                self.go_on(attempt, step);
            }
            // A second license is not made because the first one is on another page.
            (None, _) if list.is_partial => {
                let text = format!(
                    "the hub lists a part of its licenses only, and none of them is for device {duid}; set license.serial"
                );
                self.end(attempt, Outcome::NotFound(text));
            }
            (None, Purpose::Provision) if made != Some(Made::License) => self.create(attempt),
            (None, _) => {
                let text = format!("the hub lists no license for device {duid}{}", self.why_none_is_created());
                self.end(attempt, Outcome::NotFound(text));
            }
        }
    }

    /// The hub does not know the serial any more.
    pub(super) fn serial_is_gone(&mut self, mut attempt: Attempt, trouble: Trouble) {
        let made = attempt.made();
        let may_look = self.cx.config.license.serial.is_none() && self.cx.duid().is_some() && !attempt.listed;
        if !may_look {
            return match attempt.purpose {
                Purpose::Provision if made != Some(Made::License) => self.create(&attempt),
                _ => self.end(&attempt, Outcome::Hub(trouble)),
            };
        }
        let may_create = self.cx.config.provision.enabled && (attempt.is_by_person() || self.cx.may_create());
        if attempt.purpose == Purpose::Renew && may_create {
            attempt.purpose = Purpose::Provision;
        }
        self.go_on(&attempt, Step::Find { made });
    }

    /// The hub does not extend this license. It may have another one for this device; and where this one has ended, one may
    /// be made.
    pub(super) fn not_renewed(&mut self, attempt: &Attempt, of: Serial, ended: bool, instead: NotRenewed) {
        let is_bound = self.cx.config.license.serial.is_some() || self.cx.duid().is_none();
        if attempt.purpose == Purpose::DryRun || is_bound {
            return self.end(attempt, instead.outcome());
        }
        if !attempt.listed {
            return self.go_on(attempt, Step::Successor { of, ended, instead });
        }
        self.replace_ended(attempt, ended, instead);
    }

    pub(super) fn successor_listed(
        &mut self,
        attempt: &Attempt,
        of: &Serial,
        ended: bool,
        instead: NotRenewed,
        list: &List,
    ) {
        let other = |item: &Vec<u8>| {
            Listed::read(item).filter(|item| item.serial != *of && item.duid.as_deref() == self.cx.duid())
        };
        match list.items.iter().filter_map(other).max_by_key(|item| item.expires_at) {
            Some(Listed { serial, .. }) => self.go_on(attempt, Step::Pull { serial }),
            // It may be on another page.
            None if list.is_partial => self.end(attempt, instead.outcome()),
            None => self.replace_ended(attempt, ended, instead),
        }
    }

    /// A license that has ended and is not renewed is replaced by a new one, where that is configured or asked for.
    fn replace_ended(&mut self, attempt: &Attempt, ended: bool, instead: NotRenewed) {
        let automatic = self.cx.config.provision.enabled && self.cx.may_create();
        if ended && (attempt.purpose == Purpose::Provision || automatic) {
            return self.create(attempt);
        }
        self.end(attempt, instead.outcome());
    }

    /// Where the daemon may create a license and does not now: when it may again, and what became of the last try.
    fn why_none_is_created(&self) -> String {
        let Some(at) = self.cx.durable.provision_tried_at.filter(|_| self.cx.config.provision.enabled) else {
            return String::new();
        };
        let last = self.cx.volatile.create_trouble.as_ref().map(|trouble| format!(": {trouble}")).unwrap_or_default();
        format!(
            "; one is created once a day at most, the next one from {} on; the last try came to nothing{last}",
            at.plus(DAY)
        )
    }

    pub(super) fn create(&mut self, attempt: &Attempt) {
        let Some(duid) = self.cx.duid().map(str::to_owned) else {
            let text = "this device's id is not known, so no license can be made for it";
            return self.end(attempt, Outcome::NotFound(text.to_owned()));
        };
        if !attempt.is_by_person() && !self.cx.may_create() {
            let text = format!("the hub has no license for device {duid}{}", self.why_none_is_created());
            return self.end(attempt, Outcome::NotFound(text));
        }
        if attempt.is_by_person()
            && let Err(wait) = self.cx.volatile.manual.take(rate_limit::MANUAL)
        {
            return self.end(attempt, Outcome::RenewalLimit(wait));
        }
        self.cx.durable.provision_tried_at = Some(self.cx.dating_now().unwrap_or(self.cx.wall_now()));
        self.save_durable();
        self.go_on(attempt, Step::Create { duid });
    }

    pub(super) fn created(&mut self, attempt: &Attempt, data: &[u8]) {
        let made = Made::License;
        let serial =
            serde_json::from_slice::<Value>(data).ok().and_then(|v| v.get("serial")?.as_str()?.parse::<Serial>().ok());
        let step = match serial {
            Some(serial) => Step::Confirm { made, serial },
            None => Step::Find { made: Some(made) },
        };
        self.go_on(attempt, step);
    }

    pub(super) fn deletion_confirmed(&mut self, attempt: Attempt, serial: Serial, trouble: Trouble, list: &List) {
        let is_ours = |item: &Vec<u8>| Listed::read(item).is_some_and(|item| item.serial == serial);
        if list.is_partial || list.items.iter().any(is_ours) {
            return self.end(&attempt, Outcome::Hub(trouble));
        }
        self.deleted(attempt, serial, "the hub did not know the license any more");
    }

    /// Gone at the hub: only now the file goes.
    pub(super) fn deleted(&mut self, attempt: Attempt, serial: Serial, how: &'static str) {
        self.cx.durable.retired = true;
        self.cx.durable.pending_change = None;
        self.cx.durable.retired_file = self.cx.file.good().map(|license| license.sha256().to_owned());
        self.cx.durable.serial = None;
        self.cx.durable.duid = None;
        self.save_durable();
        self.attempt = Some(Attempt { phase: Phase::Removing { serial, how }, ..attempt });
        self.write(Job::Remove);
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
    matches!(trouble.http_status, Some(403 | 404 | 405 | 409 | 422)) && matches!(trouble.speaker, Speaker::Api)
}

pub(super) const fn is_gone(trouble: &Trouble) -> bool {
    trouble.says_gone()
}
