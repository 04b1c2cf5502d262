//! How an attempt ends: what is remembered of it, when the next one may begin, what those who wait are told.

use super::attempt::{Attempt, Made, Purpose};
use super::candidate::longest_wait;
use super::file::FileView;
use super::log::Kind;
use super::outcome::{Outcome, Retry};
use super::{Engine, Level};
use crate::core::hub::response::TroubleKind;
use crate::core::schedule::backoff::{Limits, Situation};
use crate::core::schedule::rate_limit::HURRY;
use crate::core::state::word::Word;
use crate::core::state::{AttemptRecord, HISTORY, NotBefore};
use crate::core::time::{MINUTE, Millis, span};

const UP_TO_DATE: &str = "the installed license is the latest that the hub has; nothing was changed";

impl Engine {
    /// Every attempt ends here.
    pub(super) fn end(&mut self, attempt: &Attempt, outcome: Outcome) {
        if attempt.purpose == Purpose::DryRun {
            return self.end_dry_run(&outcome);
        }
        if let Outcome::Retired { text, level, exit, reloads } = outcome {
            self.note(level, text.clone());
            let waiters = self.requests.of_attempt();
            return if reloads { self.wait_for_reload(waiters, &text, 0) } else { self.reply(&waiters, exit, &text) };
        }
        let sentence = outcome.sentence(self.cx.wall_now());
        if attempt.made() == Some(Made::License)
            && !matches!(outcome, Outcome::Installed(_) | Outcome::InstallFailed(_))
        {
            self.cx.volatile.create_trouble = sentence.clone().filter(|_| outcome.failed());
        }
        self.count(&outcome);
        let delay = self.wait_after(attempt, &outcome);
        self.record(&outcome, sentence.clone());
        self.log_end(attempt, &outcome, sentence.as_deref());
        let waiters = self.requests.of_attempt();
        let message = match outcome {
            Outcome::Installed(message) => return self.wait_for_reload(waiters, &message, 0),
            Outcome::InstallFailed(reason) => {
                let again = self.cx.daemon && self.cx.is_due_now();
                let again = if again { format!("; it is tried again in {}", span(delay)) } else { String::new() };
                return self.reply(&waiters, 1, &format!("not installed: {reason}{again}"));
            }
            _ => match (attempt.purpose, sentence) {
                (Purpose::Retire { .. }, Some(sentence)) => format!("nothing was removed: {sentence}"),
                (_, Some(sentence)) => sentence,
                (_, None) => UP_TO_DATE.to_owned(),
            },
        };
        // What does not pass by itself needs whoever asked.
        let advice = match outcome.word() {
            Word::Refused | Word::NotFound | Word::CandidateRefused => {
                self.cx.last_failure().and_then(|last| self.cx.advice_on_attempt(last))
            }
            _ => None,
        };
        let message = advice.into_iter().fold(message, |message, advice| format!("{message}; {advice}"));
        let exit = outcome.exit_code(self.cx.is_due_now());
        // All that was compared is the last-known-good copy of what cannot be read.
        let (exit, message) = match &self.cx.file {
            FileView::Unreadable(reason) if exit == 0 => (3, format!("{message}; {reason}")),
            _ => (exit, message),
        };
        self.reply_after_reload(waiters, exit, &message);
    }

    /// It changes nothing, and what it found is nobody's failure. But the hub is not asked again at once, nor before it
    /// wants to be.
    fn end_dry_run(&mut self, outcome: &Outcome) {
        let wait = if let Outcome::Hub(trouble) = outcome { trouble.retry_after } else { None };
        self.wait_at_least(wait.unwrap_or(0).max(self.cx.shortest_wait()));
        let (exit, message) = match outcome {
            Outcome::DryRun(text) | Outcome::NothingNewer(text) | Outcome::NotRenewable(text) => {
                (0, format!("dry run: {text}"))
            }
            _ => {
                let sentence = outcome.sentence(self.cx.wall_now());
                (outcome.exit_code(self.cx.is_due_now()), sentence.unwrap_or_else(|| UP_TO_DATE.to_owned()))
            }
        };
        let waiters = self.requests.of_attempt();
        self.reply(&waiters, exit, &message);
    }

    /// What is counted: failures, waits, and an outage.
    fn count(&mut self, outcome: &Outcome) {
        let began = NotBefore { boot_id: self.cx.boot_id.clone(), boot: self.cx.boot_now().0 };
        let volatile = &mut self.cx.volatile;
        match outcome {
            _ if outcome.failed() => volatile.failures = volatile.failures.saturating_add(1),
            Outcome::UpToDate | Outcome::Installed(_) => (volatile.failures, volatile.waits) = (0, 0),
            Outcome::NothingNewer(_) | Outcome::NotRenewable(_) | Outcome::ChangePending { .. } => {
                volatile.failures = 0;
                volatile.waits = volatile.waits.saturating_add(1);
            }
            _ => {}
        }
        if matches!(outcome, Outcome::InstallFailed(_)) {
            return;
        }
        let recovering = matches!(outcome, Outcome::Recovering(_));
        let was_recovering = std::mem::replace(&mut volatile.recovering, recovering);
        match outcome {
            // Our own side was not ready: that tells nothing of the hub.
            Outcome::Hub(trouble) if trouble.kind == TroubleKind::Local => {}
            Outcome::Hub(trouble) if trouble.kind == TroubleKind::Outage => {
                if volatile.outage.is_none() && !was_recovering {
                    volatile.outage = Some(began);
                }
            }
            _ => volatile.outage = None,
        }
    }

    /// Sets the time before which no automatic attempt begins, and returns the wait.
    fn wait_after(&mut self, attempt: &Attempt, outcome: &Outcome) -> Millis {
        let delay = self.delay(outcome.retry(!self.cx.trust.trusted));
        let last = self.cx.volatile.history.last().map(|last| last.outcome);
        let hub_asked = matches!(outcome, Outcome::Installed(_)) && last == Some(Word::RateLimited);
        if attempt.is_by_person() && hub_asked {
            // A person did not wait, but the hub still asks for time.
            self.wait_at_least(delay);
        } else {
            self.wait(delay);
        }
        delay
    }

    fn delay(&self, retry: Retry) -> Millis {
        let (limits, volatile) = (self.cx.limits(), &self.cx.volatile);
        let situation = Situation {
            failures: volatile.failures.max(volatile.waits).max(1),
            remaining: self.cx.remaining(),
            retry_after: None,
            refusal: false,
            random: self.cx.moment.random,
        };
        match retry {
            Retry::Backoff { hub_asked, at_most } => {
                let delay = limits.delay(&Situation { retry_after: hub_asked, ..situation });
                at_most.map_or(delay, |at_most| delay.min(at_most.max(self.cx.shortest_wait())))
            }
            Retry::BackoffUpTo(longest) => {
                let limits = Limits { min: limits.min, max: longest.min(limits.max).max(limits.min) };
                limits.delay(&Situation { failures: volatile.failures, ..situation })
            }
            Retry::Slow { hub_asked } => {
                limits.delay(&Situation { retry_after: hub_asked, refusal: true, ..situation })
            }
            Retry::After(wait) => wait,
            // The shortest wait keeps a drained bucket from being asked at every step.
            Retry::Token(wait) => wait.max(limits.min.min(MINUTE)),
            Retry::Shortest => self.cx.shortest_wait(),
        }
    }

    /// No automatic attempt for so long, unless none was allowed for longer.
    pub(super) fn wait_at_least(&mut self, delay: Millis) {
        let until = self.cx.boot_now().plus(delay);
        if self.not_before.is_none_or(|not_before| not_before < until) {
            self.wait(delay);
        }
    }

    /// What was wrong may have been mended: what is left of a wait after a failure is cut to `min-retry` after the last
    /// attempt. A wait that the hub asked for is not ours to cut.
    pub(super) fn try_again_soon(&mut self) {
        let pending = || self.cx.volatile.history.last().filter(|_| self.cx.durable.pending_change.is_some());
        let last = self.cx.last_failure().or_else(pending);
        let Some(last) = last.filter(|last| last.outcome != Word::RateLimited) else { return };
        let shortest = self.cx.limits().min;
        let left = (shortest - self.cx.wall_now().since(last.at)).clamp(0, shortest);
        let soon = self.cx.boot_now().plus(left);
        // A reload every minute must not make an attempt every minute.
        if self.not_before.is_some_and(|not_before| not_before > soon) && self.cx.volatile.hurries.take(HURRY).is_ok() {
            self.wait(left);
        }
    }

    /// Another license lies there: a wait that was chosen while more time was left must not cost it.
    pub(super) fn fit_wait(&mut self) {
        let (Some(not_before), Some(remaining)) = (self.not_before, self.cx.remaining()) else { return };
        let left = not_before.since(self.cx.boot_now());
        // Of what has ended nothing is left to be saved.
        if remaining > 0 && left > longest_wait(remaining) {
            // The hub may have asked for it: then it waits as long as that license allows.
            let (remaining, retry_after, random) = (Some(remaining), Some(left), self.cx.moment.random);
            let situation = Situation { failures: 1, remaining, retry_after, refusal: false, random };
            let delay = self.cx.limits().delay(&situation);
            if delay < left {
                self.wait(delay);
            }
        }
    }

    fn wait(&mut self, delay: Millis) {
        let at = self.cx.boot_now().plus(delay);
        self.not_before = Some(at);
        self.cx.volatile.not_before = Some(NotBefore { boot_id: self.cx.boot_id.clone(), boot: at.0 });
    }

    fn record(&mut self, outcome: &Outcome, error: Option<String>) {
        let (at, volatile) = (self.cx.wall_now(), &mut self.cx.volatile);
        let (outcome, http_status) = (outcome.word(), outcome.http_status());
        *volatile.attempts.entry(outcome).or_default() += 1;
        volatile.history.push(AttemptRecord { at, outcome, error, http_status });
        let extra = volatile.history.len().saturating_sub(HISTORY);
        volatile.history.drain(..extra);
        if outcome == Word::Installed {
            self.cx.durable.last_success_at = Some(at);
        }
    }

    /// The writer says itself what became of a license that was accepted.
    fn log_end(&mut self, attempt: &Attempt, outcome: &Outcome, sentence: Option<&str>) {
        match (outcome, sentence) {
            (Outcome::Installed(_), _) => self.log.forget(),
            // That a change is offered was logged when it was new.
            (Outcome::InstallFailed(_) | Outcome::ChangePending { .. }, _) | (_, None) => {}
            (_, Some(sentence)) if outcome.failed() => {
                self.log.forget_attempts_but(outcome.word());
                self.note_failure(Level::Warn, Kind::Attempt(outcome.word()), sentence.to_owned());
            }
            (_, Some(sentence)) if attempt.is_by_person() || self.log.first_time(sentence, self.cx.wall_now()) => {
                let level = if matches!(outcome, Outcome::NotRenewable(_)) { Level::Warn } else { Level::Info };
                self.note(level, sentence);
            }
            _ => {}
        }
    }
}
