//! What the hub or relay has, judged: install it, or ask the hub to renew.

use super::Engine;
use super::attempt::{Attempt, Made, Purpose, Step};
use super::file::FileView;
use super::outcome::Outcome;
use super::writer::Origin;
use crate::core::accept::{self, Acceptance, Refusal, Standing};
use crate::core::license::document::Serial;
use crate::core::license::verify::Authentic;
use crate::core::schedule::rate_limit::{self, Ending};
use crate::core::text::one_line;
use crate::core::time::{DAY, HOUR, MINUTE, Millis};

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
        let cx = &self.cx;
        let candidate = match cx.check(data) {
            Ok(candidate) => candidate,
            Err(rejection) => {
                let reason = format!("{}'s license is {}: {}", cx.source(), rejection.state, rejection.reason);
                return self.end(&attempt, Outcome::CandidateRefused(reason));
            }
        };
        let standing = Standing {
            // After `retire --keep-file` the old file is no baseline: a new license may end sooner.
            installed: cx.baseline().filter(|_| !(cx.durable.retired && attempt.purpose == Purpose::Provision)),
            serial: if cx.follows_relay() {
                Some(candidate.license().serial.as_str())
            } else {
                attempt.serial().map(Serial::as_str)
            },
            now: cx.trusted_now(),
            force: false,
        };
        let verdict = accept::judge(&candidate, &standing);
        // What cannot be read may still be whole; then the last-known-good copy of it is the baseline.
        let unreadable = matches!(cx.file, FileView::Unreadable(_));
        let file_is_whole = cx.file.good().is_some() || (unreadable && cx.last_good.license.is_some());
        let as_good_as_new = matches!(verdict, Ok(Acceptance::Same) | Err(Refusal::NotLater { .. })) && !file_is_whole;
        let wanted = as_good_as_new || matches!(verdict, Ok(Acceptance::Install { .. }));
        match verdict {
            _ if wanted && attempt.purpose == Purpose::DryRun => {
                let ends = candidate.license().expires_at;
                let text = format!("{} has a license that ends {ends}; it would be installed", cx.source());
                self.end(&attempt, Outcome::DryRun(text));
            }
            Ok(Acceptance::Install { lost }) => {
                let origin = Origin::of(attempt.made());
                self.install_candidate(attempt, candidate, lost, origin);
            }
            // The file is broken, and the hub has what we once had: that is as good as new. Unless ours was better.
            _ if as_good_as_new => {
                let ends = candidate.license().expires_at;
                let better = cx.last_good.license.clone().filter(|last_good| last_good.license().expires_at > ends);
                let origin = if better.is_some() { Origin::Restored } else { Origin::of(attempt.made()) };
                self.install_candidate(attempt, better.unwrap_or(candidate), Vec::new(), origin);
            }
            Ok(Acceptance::Same) | Err(Refusal::NotLater { .. } | Refusal::Expired { .. }) => {
                self.nothing_newer(&attempt, &candidate);
            }
            Err(refusal) => {
                let text = format!("{}'s license is refused: {refusal}", cx.source());
                self.end(&attempt, Outcome::CandidateRefused(text));
            }
        }
    }

    fn install_candidate(&mut self, attempt: Attempt, candidate: Authentic, lost: Vec<String>, origin: Origin) {
        if self.writer.is_replacing() {
            return self.end(&attempt, Outcome::Busy);
        }
        if self.cx.file.good().is_none() && self.cx.last_good.license.is_some() {
            self.count_restore();
        }
        self.cx.durable.retired = false;
        self.attempt = Some(attempt);
        self.install(candidate, origin, None, lost);
    }

    /// The hub has nothing later than we: ask it to renew, if that is allowed now.
    fn nothing_newer(&mut self, attempt: &Attempt, theirs: &Authentic) {
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
            let text = "the license is not renewable, and the hub has no later one";
            return self.end(attempt, Outcome::NotRenewable(text.to_owned()));
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
        let or_create = ended && attempt.purpose == Purpose::Provision;
        self.renew(attempt, theirs, or_create);
    }

    /// After an outage the whole fleet comes back at once: the wait that spreads it, at most once per outage. How long
    /// the outage was for others is not known here, so the wait does not depend on when this license fell due in it.
    fn recovery_wait(&self) -> Option<Millis> {
        let outage = self.cx.wall_now().since(self.cx.volatile.outage_since?);
        let remaining = self.cx.remaining()?;
        if outage < SHORT_OUTAGE || remaining <= URGENT || self.cx.volatile.recovering {
            return None;
        }
        let range = longest_wait(remaining).min(DAY.max(outage));
        #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
        let wait = (range as f64 * self.cx.moment.random) as Millis;
        Some(wait.max(MINUTE))
    }

    fn renew(&mut self, attempt: &Attempt, theirs: &Authentic, or_create: bool) {
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
        self.go_on(attempt, Step::Renew { serial, or_create });
    }
}
