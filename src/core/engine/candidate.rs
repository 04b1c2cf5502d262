//! What the hub or relay has, judged: install it, or ask the hub to renew.

use std::cmp::Ordering;

use super::Engine;
use super::attempt::{Attempt, By, Made, NotRenewed, Purpose, Step};
use super::change::COMMAND;
use super::file::FileView;
use super::outcome::Outcome;
use super::writer::Origin;
use crate::core::accept::verdict::{Refused, Terms, Verdict, weigh};
use crate::core::license::document::Serial;
use crate::core::license::verify::{Authentic, State};
use crate::core::schedule::rate_limit::{self, Ending};
use crate::core::text::one_line;
use crate::core::time::{BootTime, DAY, HOUR, MINUTE, Millis};

/// A failure that is over sooner is no outage that a fleet would have to recover from.
const SHORT_OUTAGE: Millis = 2 * MINUTE;
/// After an outage a renewal waits for its part of the recovery spread, this close to the expiry no more.
const URGENT: Millis = 12 * HOUR;

/// No wait is chosen to take more than this of what is left of a license.
pub(super) const fn longest_wait(remaining: Millis) -> Millis {
    remaining / 20 * 7
}

impl Engine {
    /// The hub's license, judged as strictly as any other. The file was read a moment ago.
    pub(super) fn candidate(&mut self, attempt: Attempt, data: &[u8]) {
        let candidate = match self.cx.check(data) {
            Ok(candidate) => candidate,
            Err(rejection) => {
                let reason = format!("{}'s license is {}: {}", self.cx.source(), rejection.state, rejection.reason);
                return self.end(&attempt, Outcome::CandidateRefused(reason));
            }
        };
        self.cx.hear_of(&candidate);
        let cx = &self.cx;
        let was_new = cx.source_is_new();
        // What cannot be read may still be whole; then the last-known-good copy of it is the baseline.
        let unreadable = matches!(cx.file, FileView::Unreadable(_));
        let file_is_whole = cx.file.good().is_some() || (unreadable && cx.last_good.license.is_some());
        // After `retire --keep-file` the old file is no baseline: a new license may end sooner.
        let given_back = cx.durable.retired && attempt.purpose == Purpose::Provision;
        let installed = cx.baseline().filter(|_| file_is_whole && !given_back);
        let asked = attempt.serial().map(Serial::as_str);
        let verdict = weigh(&candidate, &Terms { asked, ..cx.terms(installed) });
        if attempt.purpose == Purpose::DryRun {
            return self.candidate_in_dry_run(&attempt, &candidate, verdict);
        }
        self.source_is_known();
        if !matches!(
            verdict,
            Verdict::Changed(_) | Verdict::Refused(Refused::Expired { .. } | Refused::NotYetValid { .. })
        ) {
            self.withdraw_offer(&candidate);
        }
        let origin = Origin::of(attempt.made());
        match verdict {
            Verdict::Better(difference) if file_is_whole || given_back => {
                self.install_candidate(attempt, candidate, difference.lost, origin);
            }
            // Nothing usable is in the license's place: what passes is taken, unless the last-known-good one is better.
            Verdict::Better(difference) => match self.better_last_good(&candidate) {
                Some(better) => self.install_candidate(attempt, better, Vec::new(), Origin::Restored),
                None => self.install_candidate(attempt, candidate, difference.lost, origin),
            },
            Verdict::Changed(difference) => {
                let is_due = self.offered(&candidate, &difference);
                if attempt.by == By::Accepting || was_new || is_due {
                    return self.install_candidate(attempt, candidate, difference.lost, origin);
                }
                // One that ends no later does not keep the installed license from being renewed.
                if difference.ends == Ordering::Greater || self.cx.is_relay() || attempt.made().is_some() {
                    return self.end_with_pending_change(&attempt);
                }
                self.nothing_newer(&attempt, &candidate, was_new);
            }
            Verdict::Same | Verdict::Worse(_) | Verdict::Refused(Refused::Expired { .. }) => {
                self.nothing_newer(&attempt, &candidate, was_new);
            }
            Verdict::Refused(refused) => {
                let text = format!("{}'s license is refused: {refused}", self.cx.source());
                self.end(&attempt, Outcome::CandidateRefused(text));
            }
        }
    }

    /// What would become of the candidate.
    fn candidate_in_dry_run(&mut self, attempt: &Attempt, candidate: &Authentic, verdict: Verdict) {
        let has = format!("{} has a license that ends {}", self.cx.source(), candidate.license().expires_at);
        let outcome = match verdict {
            Verdict::Better(_) => Outcome::DryRun(format!("{has}; it would be installed")),
            Verdict::Changed(difference) => {
                Outcome::DryRun(format!("{has}; {difference}, so it would wait, and {COMMAND} would install it"))
            }
            Verdict::Same | Verdict::Worse(_) | Verdict::Refused(Refused::Expired { .. }) => {
                return self.nothing_newer(attempt, candidate, false);
            }
            Verdict::Refused(refused) => {
                Outcome::CandidateRefused(format!("{}'s license is refused: {refused}", self.cx.source()))
            }
        };
        self.end(attempt, outcome);
    }

    /// The last-known-good license, if the candidate is worse and ends sooner.
    fn better_last_good(&self, candidate: &Authentic) -> Option<Authentic> {
        let last_good = self.cx.last_good.license.as_ref()?;
        let is_better = last_good.state(self.cx.trusted_now()) != State::Expired
            && last_good.license().expires_at > candidate.license().expires_at
            && matches!(weigh(candidate, &self.cx.terms(Some(last_good))), Verdict::Worse(_));
        is_better.then(|| last_good.clone())
    }

    fn end_with_pending_change(&mut self, attempt: &Attempt) {
        let text = self.cx.pending_text().unwrap_or_default();
        let accept_in = self.cx.accept_due().map(|at| at.since(self.cx.boot_now()));
        self.end(attempt, Outcome::ChangePending { text, accept_in });
    }

    fn install_candidate(&mut self, attempt: Attempt, candidate: Authentic, lost: Vec<String>, origin: Origin) {
        if self.writer.is_replacing() {
            return self.end(&attempt, Outcome::Busy);
        }
        self.cx.durable.retired = false;
        self.attempt = Some(attempt);
        self.install(candidate, origin, None, lost);
    }

    /// The hub has nothing later than we: ask it to renew, if that is allowed now.
    fn nothing_newer(&mut self, attempt: &Attempt, theirs: &Authentic, source_was_new: bool) {
        let ends = theirs.license().expires_at;
        let due = self.cx.due().0 <= self.cx.boot_now();
        if let Some(made) = attempt.made() {
            let text = match made {
                Made::Renewal => format!("the hub renewed, but its license still ends {ends}"),
                Made::License => format!(
                    "the hub made license {}, but it ends {ends}, no later than the installed one, which stays",
                    one_line(&theirs.license().serial)
                ),
            };
            // Renewed by hand before its time, a license may already reach as far as the hub lets it.
            let early = attempt.is_by_person() && !due;
            let outcome = if early { Outcome::NothingNewer(text) } else { Outcome::CandidateRefused(text) };
            return self.end(attempt, outcome);
        }
        if source_was_new && !due && !attempt.is_by_person() {
            return self.end(attempt, Outcome::UpToDate);
        }
        if self.cx.is_relay() {
            let text = "the relay has no later license yet".to_owned();
            return self.end(attempt, Outcome::NothingNewer(text));
        }
        let fixed = theirs.license().renewable == Some(false);
        let ended = self.cx.best_now().unwrap_or(self.cx.wall_now()) >= ends;
        if attempt.purpose == Purpose::Provision {
            match (ended, due, fixed) {
                (false, false, _) | (false, _, true) => return self.end(attempt, Outcome::UpToDate),
                (true, _, true) => return self.create(attempt),
                _ => {}
            }
        }
        if fixed {
            return match theirs.license().serial.parse() {
                Ok(serial) => self.not_renewed(attempt, serial, ended, NotRenewed::NotRenewable),
                Err(_) => self.end(attempt, NotRenewed::NotRenewable.outcome()),
            };
        }
        if attempt.purpose == Purpose::DryRun {
            let text = format!("the hub has nothing later than {ends}; it would be asked to renew");
            return self.end(attempt, Outcome::DryRun(text));
        }
        if !attempt.is_by_person() {
            if self.cx.best_now().is_none() || !due {
                let text = "the hub has nothing later, and by its clock the license is not due";
                return self.end(attempt, Outcome::NothingNewer(text.to_owned()));
            }
            if let Some(wait) = self.recovery_wait() {
                return self.end(attempt, Outcome::Recovering(wait));
            }
        }
        self.renew(attempt, theirs, ended);
    }

    /// After an outage the whole fleet comes back at once: the wait that spreads it, at most once per outage. How long
    /// the outage was for others is not known here, so the wait does not depend on when this license fell due in it.
    fn recovery_wait(&self) -> Option<Millis> {
        let began = self.cx.volatile.outage.as_ref().filter(|began| began.boot_id == self.cx.boot_id)?;
        let outage = self.cx.boot_now().since(BootTime(began.boot));
        let remaining = self.cx.remaining()?;
        if outage < SHORT_OUTAGE || remaining <= URGENT || self.cx.volatile.recovering {
            return None;
        }
        let range = longest_wait(remaining).min(DAY.max(outage));
        #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
        let wait = (range as f64 * self.cx.moment.random) as Millis;
        Some(wait.max(MINUTE))
    }

    fn renew(&mut self, attempt: &Attempt, theirs: &Authentic, ended: bool) {
        let Ok(serial) = theirs.license().serial.parse::<Serial>() else {
            let text = "its serial number cannot be part of a URL".to_owned();
            return self.end(attempt, Outcome::CandidateRefused(text));
        };
        let taken = if attempt.is_by_person() {
            self.cx.volatile.manual.take(rate_limit::MANUAL)
        } else {
            let license = self.cx.active().unwrap_or(theirs);
            let (life, plan) = (self.cx.life(license), self.cx.plan(license));
            let remaining = self.cx.best_now().map_or(0, |now| plan.expires.since(now));
            let window = plan.expires.since(plan.window_from);
            self.cx.durable.automatic.take_automatic(Ending { life, window, remaining })
        };
        if let Err(wait) = taken {
            return self.end(attempt, Outcome::RenewalLimit(wait));
        }
        self.save_durable();
        self.go_on(attempt, Step::Renew { serial, ended });
    }
}
