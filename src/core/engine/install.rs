//! Installing: what was accepted replaces the file, once it is known what the file is at that moment.

use std::cmp::Ordering;

use super::file::FileView;
use super::{Action, Engine, Level, RequestId};
use crate::core::accept::verdict::{Refused, Terms, Verdict, weigh};
use crate::core::clock::trust::build_date;
use crate::core::license::verify::{Authentic, CLOCK_TOLERANCE, State};
use crate::core::text::one_line;
use crate::core::time::{Millis, SECOND, WallTime, relative};

/// A heal that failed (full disk, read-only file system) is tried again after this.
const HEAL_AGAIN: Millis = 30 * SECOND;

/// Where a license that is being installed comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// The hub had it already.
    Pulled,
    /// The hub extended it for us.
    Renewed,
    /// The hub made it for us.
    Created,
    /// The kept copy puts the file right.
    Healed,
    /// The same by an attempt: the hub has nothing better.
    Restored,
    /// `install FILE`.
    Given,
}

impl Origin {
    /// Whether the attempt under way ends with the install.
    pub(super) const fn is_of_attempt(self) -> bool {
        matches!(self, Self::Pulled | Self::Renewed | Self::Created | Self::Restored)
    }
}

/// What is judged once the file has been read anew: between the last look and now somebody may have changed it.
#[derive(Debug)]
pub(super) enum Looking {
    /// The hub's license, for the attempt under way.
    Candidate(Vec<u8>),
    /// `install FILE`.
    Given { id: RequestId, bytes: Vec<u8>, force: bool },
    /// The license is gone at the hub: what lies there now may be another one.
    Deleted,
}

/// An install under way.
#[derive(Debug)]
pub(super) struct Installing {
    pub(super) license: Authentic,
    pub(super) origin: Origin,
    pub(super) waiters: Vec<RequestId>,
    pub(super) lost: Vec<String>,
    /// Keys, device id or configuration have changed since it was judged.
    pub(super) outdated: bool,
}

impl Engine {
    /// Has the file read before this is judged; not while somebody writes it.
    pub(super) fn look_first(&mut self, looking: Looking) {
        self.looking.push(looking);
        if self.settle.is_none() && self.installing.is_none() {
            self.read_license();
        }
    }

    /// `install FILE`.
    pub(super) fn install_given(&mut self, id: RequestId, bytes: &[u8], force: bool) {
        let candidate = match self.check(bytes) {
            Ok(candidate) => candidate,
            Err(rejection) => {
                return self.reply(
                    vec![id],
                    3,
                    &format!("not installed, the license is {}: {}", rejection.state, rejection.reason),
                );
            }
        };
        // What cannot be read may still be good: then the kept copy of it is the measure.
        let installed = match &self.file {
            FileView::Unreadable(reason) if self.kept.is_none() && !force => {
                let text = format!("not installed: {reason}; --force replaces it unread");
                return self.reply(vec![id], 3, &text);
            }
            _ => self.measure(),
        };
        let state = candidate.state(self.trusted_now());
        let exit = if state == State::Expired { 4 } else { 3 };
        let hint = if state.is_usable() { "; --force installs it all the same" } else { "" };
        let verdict = weigh(&candidate, &Terms { force, ..self.terms(installed) });
        let refusal = match verdict {
            Verdict::Same if self.file.good().is_none_or(|file| file.sha256() != candidate.sha256()) => {
                return self.install(candidate, Origin::Given, vec![id], Vec::new());
            }
            Verdict::Same => {
                let text = "already installed, byte for byte; nothing was written";
                return self.reply_after_reload(vec![id], 0, text);
            }
            Verdict::Changed(difference) | Verdict::Worse(difference) if !force => {
                let ends = |license: &Authentic| license.license().expires_at;
                let (new, old) = (ends(&candidate), installed.map_or(ends(&candidate), ends));
                match (old.cmp(&new), difference.lost.is_empty() && difference.gained.is_empty()) {
                    (Ordering::Greater, _) => {
                        let text = format!("it ends {new}, earlier than the installed license ({old})");
                        if difference.lost.is_empty() { text } else { format!("{text}; {difference}") }
                    }
                    (Ordering::Equal, true) => format!("it ends when the installed license ends ({new})"),
                    _ => difference.to_string(),
                }
            }
            Verdict::Better(difference) | Verdict::Changed(difference) | Verdict::Worse(difference) => {
                self.durable.retired = false;
                return self.install(candidate, Origin::Given, vec![id], difference.lost);
            }
            Verdict::Refused(refused @ (Refused::Expired { .. } | Refused::NotYetValid { .. })) => {
                return self.reply(vec![id], exit, &format!("not installed: {refused}"));
            }
            Verdict::Refused(refused) => refused.to_string(),
        };
        self.reply(vec![id], exit, &format!("not installed: {refusal}{hint}"));
    }

    /// Replaces the file. What is owed to netifyd is on disk before the file changes.
    pub(super) fn install(&mut self, license: Authentic, origin: Origin, waiters: Vec<RequestId>, lost: Vec<String>) {
        if self.durable.loaded.as_deref() == Some(license.sha256()) {
            // A reload that is under way may be for what lies there now, and be cut short.
            self.durable.loaded = None;
        }
        self.remember(&license, origin);
        self.save_durable();
        let modified = self.honest_date(&license);
        self.actions.push(Action::Install { license: Box::new(license.clone()), modified });
        self.installing = Some(Installing { license, origin, waiters, lost, outdated: false });
    }

    /// A date for the file that does not lie in the future, while the clock is in doubt or ahead of the hub's.
    fn honest_date(&self, license: &Authentic) -> Option<WallTime> {
        let now = self.moment.now.wall;
        match (self.trust.trusted, self.hub_now()) {
            (_, Some(hub)) if now.since(hub) > CLOCK_TOLERANCE => Some(hub),
            (true, _) => None,
            (false, _) => Some(license.license().created_at.unwrap_or_else(build_date).min(now)),
        }
    }

    pub(super) fn installed(&mut self, result: Result<(), String>) {
        let Some(Installing { license, origin, waiters, lost, outdated }) = self.installing.take() else { return };
        if !self.looking.is_empty() {
            self.read_license();
        }
        if let Err(reason) = result {
            self.note_failure(
                "install",
                format!("license {} could not be installed: {reason}", one_line(&license.license().serial)),
            );
            match origin {
                Origin::Pulled | Origin::Renewed | Origin::Created | Origin::Restored => {
                    self.end_attempt_install_failed(&reason, waiters);
                }
                Origin::Given => self.reply(waiters, 1, &format!("not installed: {reason}")),
                Origin::Healed => {
                    self.volatile.heals.pop();
                    self.wait_at_least(HEAL_AGAIN);
                    let again = self.moment.now.boot.plus(HEAL_AGAIN);
                    self.settle = Some((again, again));
                    return;
                }
            }
            self.read_license();
            return;
        }
        let fields = license.license();
        let (serial, expires) = (one_line(&fields.serial), fields.expires_at);
        let verb = match origin {
            Origin::Pulled => "fetched and installed",
            Origin::Renewed => "renewed and installed",
            Origin::Created => "created and installed",
            Origin::Healed | Origin::Restored => "put back",
            Origin::Given => "installed",
        };
        let mut message =
            format!("license {serial} {verb}, ends {expires} ({})", relative(expires, self.moment.now.wall));
        if !lost.is_empty() {
            message.push_str(&format!("; it no longer entitles to {}", lost.join(", ")));
        }
        self.note(if lost.is_empty() { Level::Info } else { Level::Warn }, message.clone());
        self.durable.pending_change = None;
        let previous = std::mem::replace(&mut self.file, FileView::Good(license.clone()));
        drop(previous);
        self.reload.left_alone = None;
        self.volatile.unload = false;
        self.remember_serial(&license);
        if !outdated || self.verifier().check(license.bytes()).is_ok() {
            self.keep(&license);
        }
        if origin.is_of_attempt() {
            self.end_attempt_installed();
        }
        if outdated {
            self.judge_again();
        }
        self.fit_wait();
        self.reload.expect(waiters, &message, self.moment.now.boot);
    }
}
