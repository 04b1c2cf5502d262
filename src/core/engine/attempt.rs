//! One attempt to get a later license: pull before push, confirm after push.
//!
//! Every attempt begins by looking at what the hub has. So a renewal whose answer was lost is found by the next attempt
//! and never asked for twice.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::attempt_end::End;
use super::change::COMMAND;
use super::file::FileView;
use super::install::{Looking, Origin};
use super::provision::{is_gone, is_past_renewing};
use super::{Action, Engine, HubRequest, Look, RequestId};
use crate::core::accept::verdict::{Refused, Terms, Verdict, weigh};
use crate::core::hub::response::{self, RawAnswer, TransportError, Trouble};
use crate::core::license::document::Serial;
use crate::core::license::verify::{Authentic, State};
use crate::core::schedule::rate_limit::{self, Ending};
use crate::core::text::one_line;
use crate::core::time::{BootTime, DAY, HOUR, MINUTE, Millis, WallTime};

/// A failure that is over sooner is no outage that a fleet would have to recover from.
const BLIP: Millis = 2 * MINUTE;
/// After an outage a renewal waits its turn, this close to the expiry no more.
const URGENT: Millis = 12 * HOUR;

/// No wait is chosen to take more than this of what is left of a license.
pub(super) const fn longest_wait(remaining: Millis) -> Millis {
    remaining / 20 * 7
}

/// What an attempt is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Goal {
    /// Get a later license.
    Renew,
    /// Ask, but change nothing.
    DryRun,
    /// Get one for this device, creating it if the hub has none.
    Provision,
    /// Give the license back.
    Retire { keep_file: bool },
}

/// Which answer is awaited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    List,
    View,
    Renew,
    Create,
    Delete,
    Relay,
}

/// An attempt under way.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) goal: Goal,
    pub(super) stage: Stage,
    /// The serial that is asked for; from the configuration, the license or the hub's list.
    pub(super) serial: Option<Serial>,
    /// Whether a person asked for it.
    pub(super) manual: bool,
    /// That person takes a changed license too.
    pub(super) accept_changes: bool,
    pub(super) waiters: Vec<RequestId>,
    /// What the hub was asked to make: what comes next is its result.
    pub(super) made: Option<Made>,
    /// The hub's list was looked at.
    pub(super) listed: bool,
    /// What the hub has for this device ended already.
    pub(super) ended: bool,
    /// The hub did not find the license that it was asked to delete.
    pub(super) not_found: Option<Trouble>,
}

/// See [`Attempt::made`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Made {
    /// A renewal.
    Renewal,
    /// A new license.
    License,
}

impl Engine {
    /// When the next automatic attempt is, and why; [`None`] while there is nothing to try.
    pub(super) fn next_attempt(&self) -> Option<(BootTime, Cow<'static, str>)> {
        let now = self.moment.now;
        if self.file.is_unknown() || self.durable.retired {
            return None;
        }
        if self.wanted_serial().is_none() && self.duid().is_none() && !self.is_relay() {
            return None;
        }
        let (mut at, due) = self.due();
        let mut why = Cow::Borrowed(due);
        if let Some(not_before) = self.not_before.filter(|not_before| *not_before > at) {
            at = not_before;
            why = match self.volatile.history.last() {
                _ if self.volatile.recovering => "the hub is back after an outage, and the fleet takes turns".into(),
                Some(last) if self.volatile.failures > 0 => {
                    format!("attempt {} failed ({}), backing off", self.volatile.failures, last.outcome).into()
                }
                Some(last) => format!("{due}; the last attempt ended with {}", last.outcome).into(),
                None => why,
            };
        }
        let broken = matches!(self.file, FileView::Missing | FileView::Bad(..));
        let wait = if broken && self.kept.is_some() { self.heals_wait() } else { 0 };
        if wait > 0 && now.boot.plus(wait) > at {
            return Some((now.boot.plus(wait), "somebody else keeps writing the license file".into()));
        }
        Some((at, why))
    }

    /// When the license is due, by its dates alone.
    fn due(&self) -> (BootTime, &'static str) {
        let now = self.moment.now;
        if self.source_is_new() {
            return (now.boot, "the source of licenses has changed");
        }
        let Some(license) = self.reference() else {
            return (now.boot, "there is no license");
        };
        let Some(wall) = self.best_now() else {
            return (now.boot, "the clock cannot be believed, so the hub is asked");
        };
        let plan = self.plan(license);
        if wall >= plan.expires {
            return (now.boot, "the license has expired");
        }
        let why = if wall >= plan.emergency_from {
            "the license is about to expire"
        } else {
            "the license is due for renewal"
        };
        let due = now.boot.plus(plan.due.since(wall));
        match self.accept_due().filter(|at| *at < due) {
            Some(at) => (at, "a changed license is installed"),
            None => (due, why),
        }
    }

    /// When the license is due, on the wall clock, for the status.
    pub(super) fn due_at(&self) -> Option<WallTime> {
        self.reference().map(|license| self.plan(license).due)
    }

    pub(super) fn wanted_serial(&self) -> Option<Serial> {
        let installed = || self.reference().and_then(|license| license.license().serial.parse().ok());
        self.config.license.serial.clone().or_else(installed).or_else(|| self.remembered_serial())
    }

    /// The serial of the license that this device last had.
    pub(super) fn remembered_serial(&self) -> Option<Serial> {
        self.durable.serial.clone().filter(|_| self.durable.duid.as_deref() == self.duid())
    }

    pub(super) fn start_if_due(&mut self) {
        // An older one that somebody put there has ended: the kept one, which still serves, waits for no hub.
        let now = self.trusted_now();
        let serves = self.kept.as_ref().is_some_and(|kept| kept.state(now).is_usable());
        if serves && self.file.state(now) == State::Expired && self.use_kept() {
            return;
        }
        let Some((at, _)) = self.next_attempt().filter(|(at, _)| *at <= self.moment.now.boot) else { return };
        debug_assert!(at <= self.moment.now.boot);
        if self.use_kept() {
            return;
        }
        let wanted = self.config.provision.enabled && self.config.license.serial.is_none();
        let create = wanted && self.reference().is_none() && self.may_provision();
        self.start(if create { Goal::Provision } else { Goal::Renew }, false, false, Vec::new());
    }

    /// An older license was put in place of a better one that is still kept: when it falls due, ours comes back.
    fn use_kept(&mut self) -> bool {
        let Some(kept) = self.kept.clone().filter(|_| self.file.good().is_some()) else { return false };
        let installed = self.file.good().filter(|file| !self.is_surely_premature(file));
        match weigh(&kept, &self.terms(installed)) {
            Verdict::Better(_) if self.look != Look::Fresh && self.may_heal() => {
                // Somebody may have put a better one there since the last look.
                self.read_license();
                true
            }
            Verdict::Better(difference) if self.may_heal() => {
                self.volatile.heals.push(self.moment.now.wall);
                self.install(kept, Origin::Healed, Vec::new(), difference.lost);
                true
            }
            _ => false,
        }
    }

    pub(super) fn start(&mut self, goal: Goal, manual: bool, accept_changes: bool, waiters: Vec<RequestId>) {
        let serial = self.wanted_serial();
        let (stage, request) = match (&serial, goal) {
            _ if self.is_relay() => (Stage::Relay, HubRequest::Relay),
            (Some(serial), Goal::Retire { .. }) => (Stage::Delete, HubRequest::Delete(serial.clone())),
            (Some(serial), Goal::Renew | Goal::DryRun) => (Stage::View, HubRequest::View(serial.clone())),
            _ => (Stage::List, HubRequest::List),
        };
        let listed = stage == Stage::List;
        if !manual {
            // A daemon that dies of its attempts, and is started again each time, does not ask in a loop.
            self.wait_at_least(self.shortest_wait());
            self.save_volatile();
        }
        self.attempt = Some(Attempt {
            goal,
            stage,
            serial,
            manual,
            accept_changes,
            waiters,
            made: None,
            listed,
            ended: false,
            not_found: None,
        });
        self.actions.push(Action::Ask(request));
    }

    pub(super) fn ask(&mut self, mut attempt: Attempt, stage: Stage, request: HubRequest) {
        attempt.stage = stage;
        self.attempt = Some(attempt);
        self.actions.push(Action::Ask(request));
    }

    pub(super) fn answered(&mut self, answer: Result<RawAnswer, TransportError>) {
        let Some(attempt) = self.attempt.take() else { return };
        let wall = self.moment.now.wall;
        if let Ok(raw) = &answer
            && let Some(date) = raw.date.as_deref().and_then(WallTime::parse)
        {
            self.hub_clock = Some((date, self.moment.now.boot));
        }
        let answer = answer.map_err(Trouble::from);
        if attempt.stage == Stage::List {
            return match answer.and_then(|raw| response::api_list(&raw, wall)) {
                Ok(list) => self.listed(attempt, &list),
                Err(trouble) => self.end_attempt(attempt, End::Trouble(trouble)),
            };
        }
        let data = answer.and_then(|raw| match attempt.stage {
            Stage::Relay => response::relay_data(&raw, wall),
            Stage::View => response::api_license(&raw, wall),
            _ => response::api_data(&raw, wall),
        });
        match (attempt.stage, data) {
            (Stage::View, Err(trouble)) if is_gone(&trouble) => self.serial_is_gone(attempt, trouble),
            (Stage::Delete, Err(trouble)) if is_gone(&trouble) => self.deletion_finds_nothing(attempt, trouble),
            // A license that was found by its device may be past renewing: once it has ended, a new one is made.
            (Stage::Renew, Err(trouble))
                if attempt.goal == Goal::Provision && attempt.ended && is_past_renewing(&trouble) =>
            {
                self.create(attempt);
            }
            (_, Err(trouble)) => self.end_attempt(attempt, End::Trouble(trouble)),
            (Stage::View | Stage::Relay, Ok(data)) => {
                self.attempt = Some(attempt);
                self.look_first(Looking::Candidate(data));
            }
            (Stage::Renew, Ok(_)) => self.confirm(attempt),
            (Stage::Create, Ok(data)) => self.created(attempt, &data),
            (Stage::Delete, Ok(_)) => self.deleted(attempt, "the license was deleted at the hub"),
            (Stage::List, Ok(_)) => {}
        }
    }

    /// The hub's license, judged as strictly as any other.
    pub(super) fn candidate(&mut self, attempt: Attempt, data: &[u8]) {
        let candidate = match self.check(data) {
            Ok(candidate) => candidate,
            Err(rejection) => {
                let reason = format!("{}'s license is {}: {}", self.source(), rejection.state, rejection.reason);
                return self.end_attempt(attempt, End::CandidateRefused(reason));
            }
        };
        let was_new = self.source_is_new();
        // What cannot be read may still be whole; then the kept copy of it is the measure.
        let unreadable = matches!(self.file, FileView::Unreadable(_));
        let file_is_whole = self.file.good().is_some() || (unreadable && self.kept.is_some());
        // What was given back at the hub stands in nobody's way.
        let given_back = self.durable.retired && attempt.goal == Goal::Provision;
        let installed = self.measure().filter(|_| file_is_whole && !given_back);
        let asked = attempt.serial.as_ref().map(Serial::as_str).filter(|_| !self.is_relay());
        let verdict = weigh(&candidate, &Terms { asked, ..self.terms(installed) });
        if attempt.goal == Goal::DryRun {
            return self.candidate_in_dry_run(attempt, &candidate, verdict);
        }
        self.source_is_known();
        if !matches!(
            verdict,
            Verdict::Changed(_) | Verdict::Refused(Refused::Expired { .. } | Refused::NotYetValid { .. })
        ) {
            self.withdraw_offer(&candidate);
        }
        match verdict {
            Verdict::Better(difference) if file_is_whole || given_back => {
                self.install_candidate(attempt, candidate, difference.lost, None);
            }
            // Nothing usable is in the license's place: what passes is taken, unless the kept copy is better.
            Verdict::Better(difference) => {
                let ends = candidate.license().expires_at;
                let is_worse = |kept: &&Authentic| {
                    kept.state(self.trusted_now()) != State::Expired
                        && kept.license().expires_at > ends
                        && matches!(weigh(&candidate, &self.terms(Some(kept))), Verdict::Worse(_))
                };
                let better = self.kept.as_ref().filter(is_worse).cloned();
                let origin = better.is_some().then_some(Origin::Restored);
                self.install_candidate(attempt, better.unwrap_or(candidate), difference.lost, origin);
            }
            Verdict::Changed(difference) => {
                let is_due = self.offered(&candidate, &difference);
                if attempt.accept_changes || was_new || is_due {
                    return self.install_candidate(attempt, candidate, difference.lost, None);
                }
                // One that ends no later does not keep the installed license from being renewed.
                if difference.ends == Ordering::Greater || self.is_relay() || attempt.made.is_some() {
                    return self.end_attempt(attempt, End::ChangePending);
                }
                self.nothing_newer(attempt, &candidate, was_new);
            }
            Verdict::Same | Verdict::Worse(_) | Verdict::Refused(Refused::Expired { .. }) => {
                self.nothing_newer(attempt, &candidate, was_new);
            }
            Verdict::Refused(refused) => {
                let text = format!("{}'s license is refused: {refused}", self.source());
                self.end_attempt(attempt, End::CandidateRefused(text));
            }
        }
    }

    /// What would become of the candidate.
    fn candidate_in_dry_run(&mut self, attempt: Attempt, candidate: &Authentic, verdict: Verdict) {
        let has = format!("{} has a license that ends {}", self.source(), candidate.license().expires_at);
        match verdict {
            Verdict::Better(_) => {
                self.end_attempt(attempt, End::DryRun(format!("{has}; it would be installed")));
            }
            Verdict::Changed(difference) => {
                let text = format!("{has}; {difference}, so it would wait, and {COMMAND} would install it");
                self.end_attempt(attempt, End::DryRun(text));
            }
            Verdict::Same | Verdict::Worse(_) | Verdict::Refused(Refused::Expired { .. }) => {
                self.nothing_newer(attempt, candidate, false);
            }
            Verdict::Refused(refused) => {
                let text = format!("{}'s license is refused: {refused}", self.source());
                self.end_attempt(attempt, End::CandidateRefused(text));
            }
        }
    }

    pub(super) const fn source(&self) -> &'static str {
        if self.is_relay() { "the relay" } else { "the hub" }
    }

    fn install_candidate(&mut self, attempt: Attempt, candidate: Authentic, lost: Vec<String>, origin: Option<Origin>) {
        if self.installing.is_some() {
            return self.end_attempt(attempt, End::Busy);
        }
        let origin = origin.unwrap_or(match attempt.made {
            Some(Made::License) => Origin::Created,
            Some(Made::Renewal) => Origin::Renewed,
            None => Origin::Pulled,
        });
        if self.file.good().is_none() && self.kept.is_some() {
            self.volatile.heals.push(self.moment.now.wall);
        }
        let waiters = attempt.waiters.clone();
        self.durable.retired = false;
        self.attempt = Some(attempt);
        self.install(candidate, origin, waiters, lost);
    }

    /// The hub has nothing later than we: ask it to renew, if that is allowed now.
    fn nothing_newer(&mut self, mut attempt: Attempt, theirs: &Authentic, source_was_new: bool) {
        let ends = theirs.license().expires_at;
        if let Some(made) = attempt.made {
            let text = match made {
                Made::Renewal => format!("the hub renewed, but its license still ends {ends}"),
                Made::License => format!(
                    "the hub made license {}, but it ends {ends}, no later than the installed one, which stays",
                    one_line(&theirs.license().serial)
                ),
            };
            // Renewed by hand before its time, a license may already reach as far as the hub lets it.
            let early = attempt.manual && self.due().0 > self.moment.now.boot;
            return self
                .end_attempt(attempt, if early { End::NothingNewer(text) } else { End::CandidateRefused(text) });
        }
        let due = self.due().0 <= self.moment.now.boot;
        if source_was_new && !due && !attempt.manual {
            return self.end_attempt(attempt, End::UpToDate);
        }
        if self.is_relay() {
            let end = End::NothingNewer("the relay has no later license yet".to_owned());
            return self.end_attempt(attempt, end);
        }
        let fixed = theirs.license().renewable == Some(false);
        attempt.ended = self.best_now().unwrap_or(self.moment.now.wall) >= ends;
        if attempt.goal == Goal::Provision {
            match (attempt.ended, due, fixed) {
                (false, false, _) | (false, _, true) => return self.end_attempt(attempt, End::UpToDate),
                (true, _, true) => return self.create(attempt),
                _ => {}
            }
        }
        if fixed {
            let text = "the license is not renewable, and the hub has no later one";
            return self.end_attempt(attempt, End::NotRenewable(text.to_owned()));
        }
        if attempt.goal == Goal::DryRun {
            let text = format!("the hub has nothing later than {ends}; it would be asked to renew");
            return self.end_attempt(attempt, End::DryRun(text));
        }
        if !attempt.manual {
            if self.best_now().is_none() || !due {
                return self.end_attempt(
                    attempt,
                    End::NothingNewer("the hub has nothing later, and by its clock the license is not due".to_owned()),
                );
            }
            if let Some(wait) = self.turn() {
                return self.end_attempt(attempt, End::Recovering(wait));
            }
        }
        self.renew(attempt, theirs);
    }

    /// After an outage the whole fleet comes back at once: the wait that spreads it, at most once per outage. How long
    /// the outage was for others is not known here, so the wait does not depend on when this license fell due in it.
    fn turn(&self) -> Option<Millis> {
        let outage = self.moment.now.wall.since(self.volatile.outage_since?);
        let remaining = self.reference()?.license().expires_at.since(self.best_now()?);
        if outage < BLIP || remaining <= URGENT || self.volatile.recovering {
            return None;
        }
        let range = longest_wait(remaining).min(DAY.max(outage));
        #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
        let wait = (range as f64 * self.moment.random) as Millis;
        Some(wait.max(MINUTE))
    }

    fn renew(&mut self, mut attempt: Attempt, theirs: &Authentic) {
        let Ok(serial) = theirs.license().serial.parse::<Serial>() else {
            return self
                .end_attempt(attempt, End::CandidateRefused("its serial number cannot be part of a URL".to_owned()));
        };
        let taken = if attempt.manual {
            self.volatile.manual.take(rate_limit::MANUAL)
        } else {
            let license = self.reference().unwrap_or(theirs);
            let (life, plan) = (self.life(license), self.plan(license));
            let remaining = self.best_now().map_or(0, |now| plan.expires.since(now));
            let window = plan.expires.since(plan.window_from);
            self.durable.automatic.take_automatic(Ending { life, window, remaining })
        };
        if let Err(wait) = taken {
            return self.end_attempt(attempt, End::Floor(wait));
        }
        self.save_durable();
        attempt.made = Some(Made::Renewal);
        attempt.serial = Some(serial.clone());
        let term_days = self.config.renewal.term_days;
        self.ask(attempt, Stage::Renew, HubRequest::Renew { serial, term_days });
    }

    /// How long the license lives, for the floor. Our clock alone may be days ahead and believed, so it makes no life
    /// shorter than a day: the license or the hub has to say so.
    fn life(&self, license: &Authentic) -> Millis {
        let fields = license.license();
        let begin = self.durable.issue_of(license.sha256()).map(|issue| issue.at).or(fields.created_at);
        let told = begin.map_or(0, |begin| fields.expires_at.since(begin));
        match self.hub_now() {
            Some(now) => told.max(fields.expires_at.since(now)),
            None if begin.is_some() && begin == fields.created_at => told,
            None => told.max(DAY),
        }
    }

    fn confirm(&mut self, attempt: Attempt) {
        match attempt.serial.clone() {
            Some(serial) => self.ask(attempt, Stage::View, HubRequest::View(serial)),
            None => self.end_attempt(attempt, End::CandidateRefused("the renewed license has no serial".to_owned())),
        }
    }
}
