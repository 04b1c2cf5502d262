//! The only way to the license file. Each job is judged against the file as it is at that moment: it is read anew before,
//! since another process may have changed it after the hub was asked.

use std::cmp::Ordering;

use super::attempt::{Attempt, Made, Phase};
use super::file::FileView;
use super::log::Kind;
use super::outcome::Outcome;
use super::requests::At;
use super::restore::Restore;
use super::{Action, Engine, Level, RequestId};
use crate::core::accept::verdict::{Difference, Refused, Terms, Verdict, weigh};
use crate::core::clock::trust::build_date;
use crate::core::license::verify::{Authentic, CLOCK_TOLERANCE, State};
use crate::core::text::one_line;
use crate::core::time::{WallTime, relative};

/// What changes the license file.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) now: Writing,
    /// What is judged once the file was read anew.
    pub(super) jobs: Vec<Job>,
}

/// The change under way.
#[derive(Debug)]
pub(super) enum Writing {
    Idle,
    Replacing(Replacing),
    Removing,
}

/// The file is being replaced.
#[derive(Debug)]
pub(super) struct Replacing {
    license: Authentic,
    origin: Origin,
    /// `install FILE`.
    request: Option<RequestId>,
    lost: Vec<String>,
    /// Keys, device id or configuration have changed since the license was judged.
    outdated: bool,
}

/// Where a license that is being installed comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// The hub had it already.
    Pulled,
    /// The hub extended it for us.
    Renewed,
    /// The hub made it for us.
    Created,
    /// The last-known-good copy.
    Healed,
    /// The same by an attempt: the hub has nothing better.
    Restored,
    /// `install FILE`.
    Given,
}

/// What waits for the file to be read anew.
#[derive(Debug)]
pub(super) enum Job {
    /// The hub's license, for the attempt under way.
    Candidate(Vec<u8>),
    /// `install FILE`.
    Manual { id: RequestId, bytes: Vec<u8>, force: bool },
    /// The license is gone at the hub: what lies there now may be another one.
    Remove,
}

impl Origin {
    /// Whether the attempt under way ends with the install.
    pub(super) const fn is_of_attempt(self) -> bool {
        matches!(self, Self::Pulled | Self::Renewed | Self::Created | Self::Restored)
    }

    pub(super) const fn of(made: Option<Made>) -> Self {
        match made {
            Some(Made::License) => Self::Created,
            Some(Made::Renewal) => Self::Renewed,
            None => Self::Pulled,
        }
    }

    const fn verb(self) -> &'static str {
        match self {
            Self::Pulled => "fetched and installed",
            Self::Renewed => "renewed and installed",
            Self::Created => "created and installed",
            Self::Healed | Self::Restored => "put back",
            Self::Given => "installed",
        }
    }
}

impl Writer {
    pub(super) const fn new() -> Self {
        Self { now: Writing::Idle, jobs: Vec::new() }
    }

    pub(super) const fn is_replacing(&self) -> bool {
        matches!(self.now, Writing::Replacing(_))
    }

    /// Keys, device id or configuration have changed.
    pub(super) const fn outdate(&mut self) {
        if let Writing::Replacing(replacing) = &mut self.now {
            replacing.outdated = true;
        }
    }
}

impl Engine {
    /// Has the file read before this is judged; not while another process writes it.
    pub(super) fn write(&mut self, job: Job) {
        self.writer.jobs.push(job);
        if !self.reader.is_settling() && !self.writer.is_replacing() {
            self.read_license();
        }
    }

    /// The file was read anew.
    pub(super) fn judge_jobs(&mut self) {
        for job in std::mem::take(&mut self.writer.jobs) {
            if self.writer.is_replacing() {
                // One after the other: this one is judged when the file has been read again.
                self.writer.jobs.push(job);
                continue;
            }
            match job {
                Job::Manual { id, bytes, force } => self.install_given(id, &bytes, force),
                Job::Remove => self.remove_deleted(),
                Job::Candidate(data) => {
                    if let Some(attempt) = self.attempt.take() {
                        self.candidate(attempt, &data);
                    }
                }
            }
        }
    }

    /// `install FILE`.
    fn install_given(&mut self, id: RequestId, bytes: &[u8], force: bool) {
        let candidate = match self.cx.check(bytes) {
            Ok(candidate) => candidate,
            Err(rejection) => {
                let text = format!("not installed, the license is {}: {}", rejection.state, rejection.reason);
                return self.reply(&[id], 3, &text);
            }
        };
        self.cx.hear_of(&candidate);
        // What cannot be read may still be good: then the last-known-good copy of it is the baseline.
        let installed = match &self.cx.file {
            FileView::Unreadable(reason) if self.cx.last_good.license.is_none() && !force => {
                let text = format!("not installed: {reason}; --force replaces it unread");
                return self.reply(&[id], 3, &text);
            }
            _ => self.cx.baseline(),
        };
        let state = candidate.state(self.cx.trusted_now());
        let exit = if state == State::Expired { 4 } else { 3 };
        let hint = if state.is_usable() { "; --force installs it all the same" } else { "" };
        let verdict = weigh(&candidate, &Terms { force, ..self.cx.terms(installed) });
        let refusal = match verdict {
            Verdict::Same if self.cx.file.good().is_none_or(|file| file.sha256() != candidate.sha256()) => {
                return self.install(candidate, Origin::Given, Some(id), Vec::new());
            }
            Verdict::Same => {
                let text = "already installed, byte for byte; nothing was written";
                return self.reply_after_reload(vec![id], 0, text);
            }
            Verdict::Changed(difference) | Verdict::Worse(difference) if !force => {
                why_not_better(&candidate, installed, &difference)
            }
            Verdict::Better(difference) | Verdict::Changed(difference) | Verdict::Worse(difference) => {
                self.cx.durable.retired = false;
                return self.install(candidate, Origin::Given, Some(id), difference.lost);
            }
            Verdict::Refused(refused @ (Refused::Expired { .. } | Refused::NotYetValid { .. })) => {
                return self.reply(&[id], exit, &format!("not installed: {refused}"));
            }
            Verdict::Refused(refused) => refused.to_string(),
        };
        self.reply(&[id], exit, &format!("not installed: {refusal}{hint}"));
    }

    /// Replaces the file. What is owed to netifyd is on disk before the file changes.
    pub(super) fn install(
        &mut self,
        license: Authentic,
        origin: Origin,
        request: Option<RequestId>,
        lost: Vec<String>,
    ) {
        if self.cx.durable.loaded.as_deref() == Some(license.sha256()) {
            // A reload that is under way may be for what lies there now, and be cut short.
            self.cx.durable.loaded = None;
        }
        self.remember_issue(&license, origin);
        self.save_durable();
        let modified = self.honest_date(&license);
        self.actions.push(Action::Install { license: Box::new(license.clone()), modified });
        if let Some(id) = request {
            self.requests.put(id, At::Job);
        }
        self.writer.now = Writing::Replacing(Replacing { license, origin, request, lost, outdated: false });
    }

    /// A date for the file that does not lie in the future, while the clock is in doubt or ahead of the hub's.
    fn honest_date(&self, license: &Authentic) -> Option<WallTime> {
        let now = self.cx.wall_now();
        match (self.cx.trust.trusted, self.cx.hub_now()) {
            (_, Some(hub)) if now.since(hub) > CLOCK_TOLERANCE => Some(hub),
            (true, _) => None,
            (false, _) => Some(license.license().created_at.unwrap_or_else(build_date).min(now)),
        }
    }

    pub(super) fn installed(&mut self, result: Result<(), String>) {
        let replacing = match std::mem::replace(&mut self.writer.now, Writing::Idle) {
            Writing::Replacing(replacing) => replacing,
            other => return self.writer.now = other,
        };
        if !self.writer.jobs.is_empty() {
            self.read_license();
        }
        match result {
            Ok(()) => self.replaced(replacing),
            Err(reason) => self.not_replaced(&replacing, &reason),
        }
    }

    fn not_replaced(&mut self, Replacing { license, origin, request, .. }: &Replacing, reason: &str) {
        let text = format!("license {} could not be installed: {reason}", one_line(&license.license().serial));
        self.note_failure(Level::Warn, Kind::Install, text);
        self.log.license_was_named = true;
        match origin {
            Origin::Pulled | Origin::Renewed | Origin::Created | Origin::Restored => {
                if let Some(attempt) = self.attempt.take() {
                    self.end(&attempt, Outcome::InstallFailed(reason.to_owned()));
                }
            }
            Origin::Given => self.reply(request.as_slice(), 1, &format!("not installed: {reason}")),
            Origin::Healed => return self.restore_failed(reason),
        }
        self.read_license();
    }

    fn replaced(&mut self, Replacing { license, origin, request, lost, outdated }: Replacing) {
        let fields = license.license();
        let (serial, expires) = (one_line(&fields.serial), fields.expires_at);
        let when = relative(expires, self.cx.wall_now());
        let mut message = format!("license {serial} {}, ends {expires} ({when})", origin.verb());
        if !lost.is_empty() {
            message.push_str(&format!("; it no longer entitles to {}", lost.join(", ")));
        }
        self.note_license(if lost.is_empty() { Level::Info } else { Level::Warn }, message.clone());
        self.cx.durable.pending_change = None;
        let was_restored = origin == Origin::Healed
            || (origin.is_of_attempt() && self.cx.file.is_broken() && self.cx.last_good.license.is_some());
        if was_restored {
            self.restored(&license);
        } else {
            self.cx.volatile.restored = None;
            self.restore = Restore::FREE;
        }
        self.cx.file = FileView::Good(license.clone());
        self.cx.not_adopted = None;
        self.cx.volatile.unload = false;
        self.remember_serial(&license);
        if !outdated || self.cx.verifier().check(license.bytes()).is_ok() {
            self.keep(&license);
        }
        let attempt = if origin.is_of_attempt() { self.attempt.take() } else { None };
        if let Some(attempt) = attempt {
            self.end(&attempt, Outcome::Installed(message));
        } else {
            if origin == Origin::Given {
                // What could not be fetched is there.
                (self.cx.volatile.failures, self.cx.volatile.waits) = (0, 0);
                self.log.forget();
            }
            self.wait_for_reload(request.into_iter().collect(), &message, 0);
        }
        if outdated {
            self.judge_again();
        }
        self.fit_wait();
    }

    /// The file that holds the deleted license goes, or one that is no license. Another license stays.
    fn remove_deleted(&mut self) {
        let Some(attempt) = self.attempt.take() else { return };
        let (Phase::Removing { serial, how }, Some(keep_file)) = (&attempt.phase, attempt.purpose.keeps_file()) else {
            return self.attempt = Some(attempt);
        };
        let other = self.cx.file.good().filter(|file| file.license().serial != serial.as_str()).cloned();
        let Some(other) = other else {
            self.cx.durable.retired = true;
            self.actions.push(Action::Remove { keep_file });
            self.writer.now = Writing::Removing;
            self.attempt = Some(attempt);
            return;
        };
        self.cx.durable.retired = false;
        self.remember_serial(&other);
        let serial = one_line(&other.license().serial);
        let text = format!("{how}; the file holds another one, {serial}, which stays");
        self.end(&attempt, Outcome::Retired { text, level: Level::Warn, exit: 0, reloads: false });
    }

    /// The file is gone after a `retire`.
    pub(super) fn removed(&mut self, result: Result<(), String>) {
        if !matches!(self.writer.now, Writing::Removing) {
            return;
        }
        self.writer.now = Writing::Idle;
        let Some(attempt @ Attempt { phase: Phase::Removing { how, .. }, .. }) = &self.attempt.take() else { return };
        let keep_file = attempt.purpose.keeps_file().unwrap_or_default();
        let outcome = match result {
            Ok(()) => {
                self.cx.last_good.bytes = None;
                self.cx.last_good.license = None;
                let place = if keep_file { "its file was left in place" } else { "its file was removed" };
                if !keep_file {
                    self.cx.file = FileView::Missing;
                    self.cx.volatile.unload = true;
                }
                let text = format!("{how}; {place}");
                Outcome::Retired { text, level: Level::Info, exit: 0, reloads: !keep_file }
            }
            Err(reason) => {
                self.read_license();
                let text = format!("{how}, but its file could not be removed: {reason}");
                Outcome::Retired { text, level: Level::Error, exit: 1, reloads: false }
            }
        };
        self.end(attempt, outcome);
    }
}

/// Why a license is not taken without `--force`: one clause.
fn why_not_better(candidate: &Authentic, installed: Option<&Authentic>, difference: &Difference) -> String {
    let ends = |license: &Authentic| license.license().expires_at;
    let (new, old) = (ends(candidate), installed.map_or(ends(candidate), ends));
    match difference.ends {
        Ordering::Less if difference.lost.is_empty() => {
            format!("it ends {new}, earlier than the installed license ({old})")
        }
        Ordering::Less => format!("it ends {new}, earlier than the installed license ({old}); {difference}"),
        Ordering::Equal if difference.lost.is_empty() && difference.gained.is_empty() => {
            format!("it ends when the installed license ends ({new})")
        }
        _ => difference.to_string(),
    }
}
