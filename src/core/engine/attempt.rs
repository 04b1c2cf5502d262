//! One attempt to get a later license: pull before push, confirm after push.
//!
//! Every attempt begins by looking at what the hub has. So a renewal whose response was lost is found by the next attempt
//! and never asked for twice.

use std::fmt;

use super::context::Due;
use super::find::{is_gone, is_past_renewing};
use super::outcome::Outcome;
use super::writer::Job;
use super::{Action, Engine, HubRequest, IoId};
use crate::core::hub::response::{self, RawAnswer, TransportError, Trouble};
use crate::core::license::document::Serial;
use crate::core::state::word::Word;
use crate::core::time::BootTime;

/// An attempt under way.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) purpose: Purpose,
    pub(super) by: By,
    /// The hub was asked for its list. That happens once in an attempt.
    pub(super) listed: bool,
    pub(super) phase: Phase,
}

/// What an attempt is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Get a later license.
    Renew,
    /// Ask, but change nothing.
    DryRun,
    /// Get one for this device, creating it if the hub has none.
    Provision,
    /// Delete this device's license.
    Retire { keep_file: bool },
}

/// Who began it, or joined it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Schedule,
    Person,
    /// A person who takes a changed license too.
    Accepting,
}

/// How far an attempt is.
#[derive(Debug)]
pub(super) enum Phase {
    /// The hub is asked.
    Asking { io: IoId, step: Step },
    /// The writer has the license that this step brought.
    Judging(Step),
    /// The license is gone at the hub, and the writer removes its file.
    Removing {
        serial: Serial,
        /// What became of it at the hub: one clause.
        how: &'static str,
    },
}

/// A request to the hub, and what its response is for.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// GET: what the relay has.
    Relay,
    /// GET: what the hub has.
    Pull { serial: Serial },
    /// The list: which license is this device's. After a creation, the one that was made.
    Find { made: Option<Made> },
    /// The list: whether there is a successor of a license that is not renewed.
    Successor { of: Serial, ended: bool, instead: NotRenewed },
    /// POST. `ended`: where the hub does not renew it, a new one may be created.
    Renew { serial: Serial, ended: bool },
    /// POST.
    Create { duid: String },
    /// GET: what a POST made.
    Confirm { made: Made, serial: Serial },
    /// DELETE.
    Delete { serial: Serial },
    /// The list: whether the hub really does not have the license that it did not find.
    ConfirmDeletion { serial: Serial, error: Trouble },
}

/// Why a license is not renewed.
#[derive(Debug, Clone)]
pub(super) enum NotRenewed {
    /// The hub says so.
    Refused(Trouble),
    /// It says so itself.
    NotRenewable,
}

/// What a POST made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Made {
    /// A renewal.
    Renewal,
    /// A new license.
    License,
}

/// Why the next attempt is when it is: the sentence of `renewal.reason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Due(Due),
    RecoverySpread,
    BackingOff { failures: u32, last: Word },
    After { due: Due, last: Word },
    OtherWriter,
}

impl fmt::Display for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Due(due) => due.fmt(f),
            Self::RecoverySpread => f.write_str("the hub is back after an outage, and the fleet takes turns"),
            Self::BackingOff { failures, last } => write!(f, "attempt {failures} failed ({last}), backing off"),
            Self::After { due, last } => write!(f, "{due}; the last attempt ended with {last}"),
            Self::OtherWriter => f.write_str("another process keeps changing the license file"),
        }
    }
}

impl NotRenewed {
    pub(super) fn outcome(self) -> Outcome {
        match self {
            Self::Refused(trouble) => Outcome::Hub(trouble),
            Self::NotRenewable => {
                Outcome::NotRenewable("the license is not renewable, and the hub has no later one".to_owned())
            }
        }
    }
}

impl Purpose {
    /// For `retire`, whether the file stays.
    pub(super) const fn keeps_file(self) -> Option<bool> {
        if let Self::Retire { keep_file } = self { Some(keep_file) } else { None }
    }
}

impl Attempt {
    pub(super) fn is_by_person(&self) -> bool {
        self.by != By::Schedule
    }

    /// The step that brought the license which is judged, or is waited for.
    const fn step(&self) -> Option<&Step> {
        match &self.phase {
            Phase::Asking { step, .. } | Phase::Judging(step) => Some(step),
            Phase::Removing { .. } => None,
        }
    }

    /// What the hub was asked to make: what comes next is its result.
    pub(super) fn made(&self) -> Option<Made> {
        match self.step()? {
            Step::Renew { .. } => Some(Made::Renewal),
            Step::Create { .. } => Some(Made::License),
            Step::Confirm { made, .. } => Some(*made),
            Step::Find { made } => *made,
            Step::Relay
            | Step::Pull { .. }
            | Step::Successor { .. }
            | Step::Delete { .. }
            | Step::ConfirmDeletion { .. } => None,
        }
    }

    /// The serial that was asked for. A relay's clients cannot ask for one.
    pub(super) fn serial(&self) -> Option<&Serial> {
        match self.step()? {
            Step::Pull { serial } | Step::Confirm { serial, .. } => Some(serial),
            _ => None,
        }
    }
}

impl Engine {
    /// When the next automatic attempt is, and why; [`None`] while there is nothing to try.
    pub(super) fn next_attempt(&self) -> Option<(BootTime, Next)> {
        let cx = &self.cx;
        if cx.file.is_unknown() || cx.durable.retired {
            return None;
        }
        if cx.wanted_serial().is_none() && cx.duid().is_none() && !cx.is_relay() {
            return None;
        }
        let (mut at, due) = cx.due();
        let mut why = Next::Due(due);
        if let Some(not_before) = self.not_before.filter(|not_before| *not_before > at) {
            at = not_before;
            why = match cx.volatile.history.last() {
                _ if cx.volatile.recovering => Next::RecoverySpread,
                Some(last) if cx.volatile.failures > 0 => {
                    Next::BackingOff { failures: cx.volatile.failures, last: last.outcome }
                }
                Some(last) => Next::After { due, last: last.outcome },
                None => why,
            };
        }
        // The hub's license would be undone as the last-known-good one was.
        if let Some(refill) = self.restore.refill().filter(|refill| cx.file.is_broken() && *refill > at) {
            return Some((refill, Next::OtherWriter));
        }
        Some((at, why))
    }

    pub(super) fn start_if_due(&mut self) {
        if self.restore_instead_of_expired() {
            return;
        }
        if self.next_attempt().is_none_or(|(at, _)| at > self.cx.boot_now()) || self.restore_better() {
            return;
        }
        let wanted = self.cx.config.provision.enabled && self.cx.config.license.serial.is_none();
        let create = wanted && self.cx.active().is_none() && self.cx.may_create();
        self.start(if create { Purpose::Provision } else { Purpose::Renew }, By::Schedule);
    }

    pub(super) fn start(&mut self, purpose: Purpose, by: By) {
        let serial = self.cx.wanted_serial();
        let step = match (serial, purpose) {
            _ if self.cx.is_relay() => Step::Relay,
            (Some(serial), Purpose::Retire { .. }) => Step::Delete { serial },
            (Some(serial), Purpose::Renew | Purpose::DryRun) => Step::Pull { serial },
            _ => Step::Find { made: None },
        };
        if by == By::Schedule {
            // A daemon that dies of its attempts, and is started again each time, does not ask in a loop.
            self.wait_at_least(self.cx.shortest_wait());
            self.save_volatile();
        }
        let listed = matches!(step, Step::Find { .. });
        self.ask(purpose, by, listed, step);
    }

    /// Asks the hub.
    fn ask(&mut self, purpose: Purpose, by: By, listed: bool, step: Step) {
        self.last_io = IoId(self.last_io.0 + 1);
        let io = self.last_io;
        let request = match &step {
            Step::Relay => HubRequest::Relay,
            Step::Find { .. } | Step::Successor { .. } | Step::ConfirmDeletion { .. } => HubRequest::List,
            Step::Pull { serial } | Step::Confirm { serial, .. } => HubRequest::View(serial.clone()),
            Step::Renew { serial, .. } => {
                HubRequest::Renew { serial: serial.clone(), term_days: self.cx.config.renewal.term_days }
            }
            Step::Create { duid } => HubRequest::Create { duid: duid.clone() },
            Step::Delete { serial } => HubRequest::Delete(serial.clone()),
        };
        self.actions.push(Action::Ask(io, request));
        self.attempt = Some(Attempt { purpose, by, listed, phase: Phase::Asking { io, step } });
    }

    /// The attempt goes on with this request.
    pub(super) fn go_on(&mut self, attempt: &Attempt, step: Step) {
        let listed = attempt.listed || matches!(step, Step::Find { .. } | Step::Successor { .. });
        self.ask(attempt.purpose, attempt.by, listed, step);
    }

    /// Another source is configured while the hub is asked: what this one says is nothing to the other one, which has not
    /// been asked yet. A POST that got through is found by the next pull there.
    pub(super) fn source_changed(&mut self) {
        let asking = |attempt: &mut Attempt| matches!(attempt.phase, Phase::Asking { .. });
        let Some(attempt) = self.attempt.take_if(asking) else { return };
        if matches!(attempt.purpose, Purpose::Retire { .. }) {
            let text =
                "the source of licenses was changed while it was asked; `netify-licensed hub list` shows what it has";
            return self.end(&attempt, Outcome::NotFound(text.to_owned()));
        }
        self.actions.push(Action::CloseSession);
        self.start(attempt.purpose, attempt.by);
    }

    pub(super) fn answered(&mut self, id: IoId, answer: Result<RawAnswer, TransportError>) {
        let awaited = |attempt: &mut Attempt| matches!(attempt.phase, Phase::Asking { io, .. } if io == id);
        let Some(attempt) = self.attempt.take_if(awaited) else { return };
        let Phase::Asking { step, .. } = &attempt.phase else { return };
        let wall = self.cx.wall_now();
        if let Some(date) = answer.as_ref().ok().and_then(RawAnswer::clock) {
            self.cx.hub_clock = Some((date, self.cx.boot_now()));
            // What it refutes must not decide what becomes of this answer.
            self.correct_stored_times();
        }
        let answer = answer.map_err(Trouble::from);
        match step.clone() {
            Step::Find { made } => match answer.and_then(|raw| response::api_list(&raw, wall)) {
                Ok(list) => self.found(&attempt, made, &list),
                Err(trouble) => self.end(&attempt, Outcome::Hub(trouble)),
            },
            Step::ConfirmDeletion { serial, error } => match answer.and_then(|raw| response::api_list(&raw, wall)) {
                Ok(list) => self.deletion_confirmed(attempt, serial, error, &list),
                Err(trouble) => self.end(&attempt, Outcome::Hub(trouble)),
            },
            Step::Relay => match answer.and_then(|raw| response::relay_data(&raw, wall)) {
                Ok(data) => self.judge_candidate(attempt, data),
                Err(trouble) => self.end(&attempt, Outcome::Hub(trouble)),
            },
            Step::Pull { .. } | Step::Confirm { .. } => {
                match answer.and_then(|raw| response::api_license(&raw, wall)) {
                    Ok(data) => self.judge_candidate(attempt, data),
                    Err(trouble) if is_gone(&trouble) => self.serial_is_gone(attempt, trouble),
                    Err(trouble) => self.end(&attempt, Outcome::Hub(trouble)),
                }
            }
            Step::Successor { of, ended, instead } => match answer.and_then(|raw| response::api_list(&raw, wall)) {
                Ok(list) => self.successor_listed(&attempt, &of, ended, instead, &list),
                Err(_) => self.end(&attempt, instead.outcome()),
            },
            Step::Renew { serial, ended } => match answer.and_then(|raw| response::api_data(&raw, wall)) {
                Ok(_) => self.go_on(&attempt, Step::Confirm { made: Made::Renewal, serial }),
                Err(trouble) if is_past_renewing(&trouble) => {
                    self.not_renewed(&attempt, serial, ended, NotRenewed::Refused(trouble));
                }
                Err(trouble) => self.end(&attempt, Outcome::Hub(trouble)),
            },
            Step::Create { .. } => match answer.and_then(|raw| response::api_data(&raw, wall)) {
                Ok(data) => self.created(&attempt, &data),
                Err(trouble) => self.end(&attempt, Outcome::Hub(trouble)),
            },
            Step::Delete { serial } => match answer.and_then(|raw| response::api_data(&raw, wall)) {
                Ok(_) => self.deleted(attempt, serial, "the license was deleted at the hub"),
                // "Not found" is also what a wrong address answers, so the hub is asked what it has.
                Err(error) if is_gone(&error) => self.go_on(&attempt, Step::ConfirmDeletion { serial, error }),
                Err(trouble) => self.end(&attempt, Outcome::Hub(trouble)),
            },
        }
    }

    /// The writer reads the file anew and then judges the license.
    fn judge_candidate(&mut self, attempt: Attempt, data: Vec<u8>) {
        let Phase::Asking { step, .. } = attempt.phase else { return };
        self.attempt = Some(Attempt { phase: Phase::Judging(step), ..attempt });
        self.write(Job::Candidate(data));
    }
}
