//! Everything that the engine waits for, in one table: what has no timer here ends with an event.

use std::fmt;

use super::attempt::Phase;
use super::file::FileView;
use super::writer::Writing;
use super::{Deadline, Engine};
use crate::core::license::verify::CLOCK_TOLERANCE;
use crate::core::time::BootTime;

/// Something that is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// The end of something slow, which arrives as an event.
    ForIo(Io),
    /// A time.
    Until(BootTime, Why),
}

/// Something slow. Each ends by itself: requests, commands and reloads have a time limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Io {
    /// The license file is being read.
    ReadLicense,
    /// The device id is being looked up.
    ReadDevice,
    /// The hub is being asked.
    Hub,
    /// The license file is being replaced.
    Install,
    /// The license file is being removed.
    Remove,
    /// It is looked whether a license can be written.
    Probe,
    /// netifyd is being reloaded.
    Reload,
}

/// Why the engine wants to be stepped at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The license file does not change any more.
    FileSettles,
    /// The clock is judged again.
    ClockReview,
    /// The next attempt begins.
    AttemptDue,
    /// The limit of restores has a token again.
    RestoreRefill,
    /// A restore that could not be written is tried again.
    RestoreRetry,
    /// netifyd's reload is tried again.
    ReloadRetry,
    /// A request has waited for as long as a healthy daemon can need.
    RequestExpires,
    /// The license changes its state.
    StateTurns,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FileSettles => "the license file settles",
            Self::ClockReview => "the clock is judged again",
            Self::AttemptDue => "the next attempt to renew",
            Self::RestoreRefill => "the limit of restores has a token again",
            Self::RestoreRetry => "the restore of the license is tried again",
            Self::ReloadRetry => "netifyd's reload is tried again",
            Self::RequestExpires => "a request has waited long enough",
            Self::StateTurns => "the license changes its state",
        })
    }
}

impl Engine {
    /// When to step again although nothing happens. Always in the future.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Deadline> {
        let now = self.cx.boot_now();
        let until = self.waiting().into_iter().filter_map(|waiting| match waiting {
            Waiting::Until(at, why) => Some(Deadline { after: at.since(now).max(1), why }),
            Waiting::ForIo(_) => None,
        });
        // The first of equals.
        until.reduce(|next, other| if other.after < next.after { other } else { next })
    }

    /// All that is waited for. There is no other table, so none can be forgotten.
    #[must_use]
    pub fn waiting(&self) -> Vec<Waiting> {
        let now = self.cx.moment.now;
        let mut all = self.reader.waiting();
        all.extend(self.cx.trust.review_in.map(|after| Waiting::Until(now.boot.plus(after), Why::ClockReview)));
        if self.cx.device.is_unread() {
            all.push(Waiting::ForIo(Io::ReadDevice));
        }
        match &self.writer.now {
            Writing::Idle => {}
            Writing::Replacing(_) => all.push(Waiting::ForIo(Io::Install)),
            Writing::Removing => all.push(Waiting::ForIo(Io::Remove)),
        }
        all.extend(self.restore.waiting());
        if self.attempt.as_ref().is_some_and(|attempt| matches!(attempt.phase, Phase::Asking { .. })) {
            all.push(Waiting::ForIo(Io::Hub));
        }
        all.extend(self.reload.waiting(self.reload_may_start()));
        all.extend(self.requests_waiting());
        if let (true, Some((at, _))) = (self.may_begin(), self.next_attempt()) {
            all.push(Waiting::Until(at, Why::AttemptDue));
        }
        if let (FileView::Good(license), true) = (&self.cx.file, self.cx.trust.trusted) {
            let created = license.license().created_at.map(|at| at.plus(-CLOCK_TOLERANCE));
            let plan = self.cx.plan(license);
            let [ends, emergency, overdue] = [plan.expires, plan.emergency_from, plan.overdue_from()].map(Some);
            let turns = [ends, created, emergency, overdue].into_iter().flatten();
            let turns = turns.filter(|at| *at > now.wall).map(|at| now.boot.plus(at.since(now.wall)));
            all.extend(turns.map(|at| Waiting::Until(at, Why::StateTurns)));
        }
        all
    }
}
