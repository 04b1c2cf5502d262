//! How an attempt ends: what is remembered of it, when the next one may begin, what those who wait are told.

use super::attempt::{Attempt, Goal, Made, longest_wait};
use super::file::FileView;
use super::{Engine, Level, RequestId, Retiring};
use crate::core::hub::response::{Trouble, TroubleKind};
use crate::core::schedule::backoff::{Limits, Situation};
use crate::core::state::{AttemptRecord, HISTORY, NotBefore};
use crate::core::time::{HOUR, MINUTE, Millis, relative, span};

/// A license that was fetched but could not be written is tried again at least this often: it costs a request each time.
const INSTALL_AGAIN: Millis = HOUR;
/// Our own side was not ready: a key or a certificate that is put in its place is found after this.
const LOCAL_AGAIN: Millis = 5 * MINUTE;
/// `nothing-newer` of a license that is not due by the hub's clock.
const UNTRUSTED_AGAIN: Millis = HOUR;

const UP_TO_DATE: &str = "the installed license is the latest that the hub has; nothing was changed";

/// The end of an attempt that installed nothing.
#[derive(Debug)]
pub(super) enum End {
    /// No data came.
    Trouble(Trouble),
    /// Data came, but no license that may be installed: one sentence.
    CandidateRefused(String),
    /// The hub has no later license, and none was asked for: one sentence.
    NothingNewer(String),
    /// The hub has no later license, and this one says that none may be asked for: one sentence.
    NotRenewable(String),
    /// There is no license for this device: one sentence.
    NotFound(String),
    /// The hub has a license that would take something away: it waits.
    ChangePending,
    /// What is installed is what the hub has.
    UpToDate,
    /// The floor under renewals holds for so long.
    Floor(Millis),
    /// The hub is back after an outage: the renewal takes its turn after this.
    Recovering(Millis),
    /// Another license is being written right now.
    Busy,
    /// What would have been done.
    DryRun(String),
}

impl Engine {
    pub(super) fn end_attempt(&mut self, attempt: Attempt, end: End) {
        let now = self.moment.now;
        let (word, sentence, status, failed, exit) = self.outcome(&end);
        if attempt.goal == Goal::DryRun {
            // It changes nothing, and what it found is nobody's failure. But the hub is not asked again in the same breath,
            // nor before it wants to be.
            let wait = if let End::Trouble(trouble) = &end { trouble.retry_after } else { None };
            self.wait_at_least(wait.unwrap_or(0).max(self.shortest_wait()));
            return match end {
                End::DryRun(text) | End::NothingNewer(text) | End::NotRenewable(text) => {
                    self.reply(attempt.waiters, 0, &format!("dry run: {text}"));
                }
                _ => self.reply(attempt.waiters, exit, &sentence.unwrap_or_else(|| UP_TO_DATE.to_owned())),
            };
        }
        if attempt.made == Some(Made::License) {
            self.volatile.create_trouble = sentence.clone().filter(|_| failed);
        }
        let reached = !matches!(&end, End::Trouble(t) if matches!(t.kind, TroubleKind::Outage | TroubleKind::Local));
        let recovering = matches!(end, End::Recovering(_));
        let was_recovering = std::mem::replace(&mut self.volatile.recovering, recovering);
        if reached {
            self.volatile.outage_since = None;
        } else if self.volatile.outage_since.is_none() && !was_recovering {
            self.volatile.outage_since = Some(now.wall);
        }
        if failed {
            self.volatile.failures = self.volatile.failures.saturating_add(1);
        } else if matches!(end, End::UpToDate) {
            self.volatile.failures = 0;
            self.volatile.waits = 0;
        } else if matches!(end, End::NothingNewer(_) | End::NotRenewable(_) | End::ChangePending) {
            self.volatile.failures = 0;
            self.volatile.waits = self.volatile.waits.saturating_add(1);
        }
        self.wait_after(&end);
        self.record(word, sentence.clone(), status);
        if let (Some(sentence), true) = (&sentence, failed) {
            self.notes.forget_attempts_but(word);
            self.note_failure(word, sentence.clone());
        } else if let Some(sentence) = &sentence
            // That a change is offered was logged when it was new.
            && !matches!(end, End::ChangePending)
            && (attempt.manual || self.notes.first_time(sentence))
        {
            let level = if matches!(end, End::NotRenewable(_)) { Level::Warn } else { Level::Info };
            self.note(level, sentence.clone());
        }
        let mut message = match (&attempt.goal, sentence) {
            (Goal::Retire { .. }, Some(sentence)) => format!("nothing was removed: {sentence}"),
            (_, Some(sentence)) => sentence,
            (_, None) => UP_TO_DATE.to_owned(),
        };
        // What does not pass by itself needs whoever asked.
        let advice = match word {
            "refused" | "not-found" | "candidate-refused" => {
                self.last_failure().and_then(|last| self.advice_on_attempt(last))
            }
            _ => None,
        };
        message.extend(advice.into_iter().flat_map(|advice| ["; ".to_owned(), advice]));
        // All that was compared is the kept copy of what cannot be read.
        let (exit, message) = match &self.file {
            FileView::Unreadable(reason) if exit == 0 => (3, format!("{message}; {reason}")),
            _ => (exit, message),
        };
        self.reply_after_reload(attempt.waiters, exit, &message);
    }

    /// The end in one word, one sentence, the HTTP status behind it, whether it is a failure, and the exit code.
    fn outcome(&self, end: &End) -> (&'static str, Option<String>, Option<u16>, bool, u8) {
        let now = self.moment.now.wall;
        match end {
            End::Trouble(trouble) => {
                (trouble.kind.word(), Some(trouble.sentence()), trouble.http_status, true, trouble.exit_code())
            }
            End::CandidateRefused(reason) => ("candidate-refused", Some(reason.clone()), None, true, 3),
            End::NotFound(reason) => ("not-found", Some(reason.clone()), None, true, 1),
            End::NothingNewer(reason) | End::NotRenewable(reason) => {
                ("nothing-newer", Some(reason.clone()), None, false, u8::from(self.is_due_now()))
            }
            End::ChangePending => ("change-pending", self.pending_text(), None, false, 1),
            End::UpToDate => ("up-to-date", None, None, false, 0),
            End::Floor(wait) => {
                let at = now.plus(*wait);
                let text = format!("too many renewals in a row; the next one may go {} ({at})", relative(at, now));
                ("floor", Some(text), None, false, 1)
            }
            End::Recovering(_) => ("recovering", None, None, false, 0),
            End::Busy => {
                let text = "another license is being installed right now; the hub's is fetched again in a moment";
                ("busy", Some(text.to_owned()), None, false, 1)
            }
            End::DryRun(_) => ("dry-run", None, None, false, 0),
        }
    }

    fn limits(&self) -> Limits {
        Limits { min: self.config.renewal.min_retry.millis(), max: self.config.renewal.max_retry.millis() }
    }

    /// Time to the expiry, as far as it is known.
    fn remaining(&self) -> Option<Millis> {
        self.reference().and_then(|license| Some(license.license().expires_at.since(self.best_now()?)))
    }

    /// `min-retry`, and less close to the expiry: a long one must not cost the license.
    pub(super) fn shortest_wait(&self) -> Millis {
        let remaining = self.remaining();
        self.limits().delay(&Situation { failures: 1, remaining, retry_after: None, refusal: false, random: 0.0 })
    }

    /// Sets the time before which no automatic attempt begins.
    fn wait_after(&mut self, end: &End) {
        let limits = self.limits();
        let situation = Situation {
            failures: self.volatile.failures.max(self.volatile.waits).max(1),
            remaining: self.remaining(),
            retry_after: None,
            refusal: false,
            random: self.moment.random,
        };
        let delay = match end {
            // Nothing was sent, so nobody is spared by waiting longer.
            End::Trouble(trouble) if trouble.kind == TroubleKind::Local => limits.delay(&situation).min(LOCAL_AGAIN),
            End::Trouble(trouble) => limits.delay(&Situation {
                retry_after: trouble.retry_after,
                refusal: trouble.kind == TroubleKind::Refusal,
                ..situation
            }),
            End::CandidateRefused(_) => limits.delay(&Situation { refusal: true, ..situation }),
            End::NothingNewer(_) | End::NotRenewable(_) if self.trusted_now().is_none() => {
                limits.delay(&situation).min(UNTRUSTED_AGAIN)
            }
            End::NotFound(_) | End::NothingNewer(_) | End::NotRenewable(_) => limits.delay(&situation),
            // The attempt that takes it comes when its time has come, and no earlier than any other.
            End::ChangePending => {
                let due = self.accept_due().map_or(Millis::MAX, |at| at.since(self.moment.now.boot));
                limits.delay(&situation).min(due).max(self.shortest_wait())
            }
            // The floor's own time says when; the shortest wait keeps a drained bucket from being asked at every step.
            End::Floor(wait) => (*wait).max(limits.min.min(MINUTE)),
            End::Recovering(wait) => *wait,
            End::Busy | End::UpToDate | End::DryRun(_) => self.shortest_wait(),
        };
        self.wait(delay);
    }

    /// No automatic attempt for so long, unless none was allowed for longer.
    pub(super) fn wait_at_least(&mut self, delay: Millis) {
        let until = self.moment.now.boot.plus(delay);
        if self.not_before.is_none_or(|not_before| not_before < until) {
            self.wait(delay);
        }
    }

    /// Somebody mended what was wrong, or believes so: what is left of a wait after a failure is cut to `min-retry` after
    /// the last attempt. A wait that the hub asked for is not ours to cut.
    pub(super) fn try_again_soon(&mut self) {
        let waits = self.volatile.failures > 0 || self.durable.pending_change.is_some();
        let Some(last) = self.volatile.history.last().filter(|_| waits) else { return };
        if last.outcome == "rate-limited" {
            return;
        }
        let shortest = self.config.renewal.min_retry.millis();
        let left = (shortest - self.moment.now.wall.since(last.at)).clamp(0, shortest);
        let soon = self.moment.now.boot.plus(left);
        if self.not_before.is_some_and(|not_before| not_before > soon) {
            self.wait(left);
        }
    }

    /// Another license lies there: a wait that was chosen while more time was left must not cost it.
    pub(super) fn fit_wait(&mut self) {
        let (Some(not_before), Some(remaining)) = (self.not_before, self.remaining()) else { return };
        let left = not_before.since(self.moment.now.boot);
        // Of what has ended nothing is left to be saved.
        if remaining > 0 && left > longest_wait(remaining) {
            // The hub may have asked for it: then it has as much patience as that license allows.
            let (remaining, retry_after, random) = (Some(remaining), Some(left), self.moment.random);
            let situation = Situation { failures: 1, remaining, retry_after, refusal: false, random };
            let delay = self.limits().delay(&situation);
            if delay < left {
                self.wait(delay);
            }
        }
    }

    fn wait(&mut self, delay: Millis) {
        let at = self.moment.now.boot.plus(delay);
        self.not_before = Some(at);
        self.volatile.not_before = Some(NotBefore { boot_id: self.boot_id.clone(), boot: at.0 });
    }

    fn record(&mut self, word: &str, error: Option<String>, http_status: Option<u16>) {
        *self.volatile.attempts.entry(word.to_owned()).or_default() += 1;
        self.volatile.history.push(AttemptRecord {
            at: self.moment.now.wall,
            outcome: word.to_owned(),
            error,
            http_status,
        });
        let extra = self.volatile.history.len().saturating_sub(HISTORY);
        self.volatile.history.drain(..extra);
    }

    /// The attempt's license is on disk.
    pub(super) fn end_attempt_installed(&mut self) {
        let manual = self.attempt.take().is_some_and(|attempt| attempt.manual);
        self.volatile.failures = 0;
        self.volatile.waits = 0;
        self.volatile.outage_since = None;
        self.volatile.recovering = false;
        // Even a hub whose new licenses are due at once is not asked in a loop.
        let shortest = self.shortest_wait();
        if manual && self.volatile.history.last().is_some_and(|last| last.outcome == "rate-limited") {
            // A person did not wait, but the hub still asks for patience.
            self.wait_at_least(shortest);
        } else {
            self.wait(shortest);
        }
        self.durable.last_success_at = Some(self.moment.now.wall);
        self.notes.forget();
        self.record("installed", None, Some(200));
    }

    /// The attempt's license could not be written.
    pub(super) fn end_attempt_install_failed(&mut self, reason: &str, waiters: Vec<RequestId>) {
        self.attempt = None;
        self.volatile.failures = self.volatile.failures.saturating_add(1);
        let limits = Limits {
            min: self.config.renewal.min_retry.millis(),
            max: INSTALL_AGAIN.min(self.config.renewal.max_retry.millis()).max(self.config.renewal.min_retry.millis()),
        };
        let delay = limits.delay(&Situation {
            failures: self.volatile.failures,
            remaining: self.remaining(),
            retry_after: None,
            refusal: false,
            random: self.moment.random,
        });
        self.wait(delay);
        self.record("install-failed", Some(reason.to_owned()), None);
        let again = self.daemon && self.is_due_now();
        let again = if again { format!("; it is tried again in {}", span(delay)) } else { String::new() };
        self.reply(waiters, 1, &format!("not installed: {reason}{again}"));
    }

    /// The file is gone after a `retire`.
    pub(super) fn removed(&mut self, result: Result<(), String>) {
        let Some(Retiring { waiters, keep_file, how, .. }) = self.retiring.take() else { return };
        match result {
            Ok(()) => {
                self.kept = None;
                self.kept_bytes = None;
                let text = if keep_file {
                    format!("{how}; its file was left in place")
                } else {
                    format!("{how}; its file was removed")
                };
                self.note(Level::Info, text.clone());
                if keep_file {
                    return self.reply(waiters, 0, &text);
                }
                self.file = FileView::Missing;
                self.volatile.unload = true;
                self.reload.expect(waiters, &text, self.moment.now.boot);
            }
            Err(reason) => {
                let text = format!("{how}, but its file could not be removed: {reason}");
                self.note(Level::Error, text.clone());
                self.reply(waiters, 1, &text);
                self.read_license();
            }
        }
    }
}
