//! Who waits for what: the requests of people and programs that have no reply yet.

use super::attempt::{By, Phase, Purpose};
use super::file::FileView;
use super::timers::{Waiting, Why};
use super::writer::Job;
use super::{Action, Engine, Reply, Request, RequestId};
use crate::core::device::duid;
use crate::core::time::{BootTime, MINUTE, Millis, relative, span};

/// The requests that wait.
#[derive(Debug, Default)]
pub(super) struct Requests(Vec<Waiter>);

#[derive(Debug)]
struct Waiter {
    id: RequestId,
    since: BootTime,
    at: At,
}

/// So many requests may wait; one more is refused at once.
const AT_MOST: usize = 64;
/// So many files to install may wait until the license file was read.
const JOBS_AT_MOST: usize = 4;
/// No request waits longer, whatever the time limits of the configuration allow.
const LONGEST: Millis = 14 * MINUTE;

/// What a request waits for.
#[derive(Debug)]
pub(super) enum At {
    /// The license file is read for the first time.
    FirstRead(Request),
    /// Nothing: it is looked at in this step.
    Now,
    /// The attempt under way ends.
    Attempt,
    /// `install FILE`: the file is read anew, judged and written.
    Job,
    /// netifyd's reload ends.
    Reload {
        /// What was done before it: one sentence.
        done: String,
        /// The exit code, unless the reload's is worse.
        exit: u8,
    },
}

impl Requests {
    /// It waits for something else now, unless its client has left.
    pub(super) fn put(&mut self, id: RequestId, at: At) {
        if let Some(place) = self.0.iter().position(|waiter| waiter.id == id) {
            let waiter = self.0.remove(place);
            self.0.push(Waiter { at, ..waiter });
        }
    }

    /// Its client has left: what it asked for goes on, the waiting ends.
    pub(super) fn leave(&mut self, id: RequestId) {
        self.0.retain(|waiter| waiter.id != id || matches!(waiter.at, At::FirstRead(_)));
    }

    /// Whether it still waits. It does not any more.
    pub(super) fn remove(&mut self, id: RequestId) -> bool {
        let before = self.0.len();
        self.0.retain(|waiter| waiter.id != id);
        self.0.len() < before
    }

    /// Those that can be looked at now that the license file was read.
    fn first_reads(&mut self) -> Vec<(RequestId, Request)> {
        let take = |waiter: &mut Waiter| match std::mem::replace(&mut waiter.at, At::Now) {
            At::FirstRead(request) => Some((waiter.id, request)),
            other => {
                waiter.at = other;
                None
            }
        };
        self.0.iter_mut().filter_map(take).collect()
    }

    /// Those that wait for the attempt under way.
    pub(super) fn of_attempt(&self) -> Vec<RequestId> {
        self.0.iter().filter(|waiter| matches!(waiter.at, At::Attempt)).map(|waiter| waiter.id).collect()
    }

    /// Those that wait for the reload, with what was done before it and the exit code so far.
    pub(super) fn of_reload(&self) -> Vec<(RequestId, String, u8)> {
        let reload = |waiter: &Waiter| match &waiter.at {
            At::Reload { done, exit } => Some((waiter.id, done.clone(), *exit)),
            _ => None,
        };
        self.0.iter().filter_map(reload).collect()
    }

    pub(super) fn wait_for_reload(&self) -> bool {
        self.0.iter().any(|waiter| matches!(waiter.at, At::Reload { .. }))
    }
}

impl Engine {
    /// Something is asked for. It waits until the license file was read for the first time.
    pub(super) fn request_arrived(&mut self, id: RequestId, request: Request) {
        if self.requests.0.len() >= AT_MOST {
            let message = format!("{AT_MOST} requests wait already; try again when they are done");
            return self.actions.push(Action::Reply(id, Reply { exit: 1, message }));
        }
        self.requests.0.push(Waiter { id, since: self.cx.boot_now(), at: At::FirstRead(request) });
    }

    /// When the one that waits longest has waited for what a healthy daemon can need.
    pub(super) fn requests_waiting(&self) -> Option<Waiting> {
        let first = self.requests.0.iter().map(|waiter| waiter.since).min()?;
        Some(Waiting::Until(first.plus(self.longest_request()), Why::RequestExpires))
    }

    fn longest_request(&self) -> Millis {
        self.cx.config.longest_request().min(LONGEST)
    }

    /// What a request waits for goes on; its client is told so.
    pub(super) fn requests_on_time(&mut self) {
        let (now, longest) = (self.cx.boot_now(), self.longest_request());
        let late = |waiter: &&Waiter| now.since(waiter.since) >= longest;
        let sentence = |waiter: &Waiter| {
            let what = match &waiter.at {
                At::FirstRead(_) | At::Now => "the license file is being read".to_owned(),
                At::Attempt if self.writer.is_replacing() => "the license is being written".to_owned(),
                At::Attempt => format!("{} is being asked", self.cx.source()),
                At::Job => "the license is being written".to_owned(),
                At::Reload { done, .. } => format!("{done}; netifyd is being reloaded"),
            };
            let waited = span(now.since(waiter.since));
            (
                waiter.id,
                format!("still under way after {waited}: {what}; `netify-licensed status` tells what comes of it"),
            )
        };
        let late: Vec<_> = self.requests.0.iter().filter(late).map(sentence).collect();
        for (id, message) in late {
            self.reply(&[id], 1, &message);
        }
    }

    /// What was asked for, once the license file was read for the first time.
    pub(super) fn look_at_requests(&mut self) {
        if self.cx.file.is_unknown() {
            return;
        }
        for (id, request) in self.requests.first_reads() {
            self.requested(id, request);
        }
    }

    fn requested(&mut self, id: RequestId, request: Request) {
        let is_retiring = self.attempt.as_ref().is_some_and(|attempt| matches!(attempt.phase, Phase::Removing { .. }));
        if is_retiring && request != Request::Reread {
            return self.reply(&[id], 1, "the license is being given back right now; try again");
        }
        match request {
            Request::Reread => {
                self.read_license();
                self.actions.push(Action::ReadDevice);
                self.reply(&[id], 0, "the license file is read again");
            }
            Request::Install { bytes, force } => {
                if self.writer.is_replacing() || self.writer.jobs.len() >= JOBS_AT_MOST {
                    return self.reply(&[id], 1, "another license is being installed right now; try again");
                }
                self.requests.put(id, At::Job);
                self.write(Job::Manual { id, bytes, force });
            }
            Request::Renew { if_due: true, .. } if !self.cx.is_due_now() && !self.cx.file.is_broken() => {
                if let FileView::Unreadable(reason) = &self.cx.file {
                    let text = reason.clone();
                    return self.reply(&[id], 3, &text);
                }
                let when = match self.cx.due_at() {
                    Some(due) => format!("due {} ({due})", relative(due, self.cx.wall_now())),
                    None => "not due".to_owned(),
                };
                self.reply_after_reload(vec![id], 0, &format!("nothing to do: the license is {when}"));
            }
            // A timer may ask for this every minute: what the daemon waits for holds for it as well.
            Request::Renew { if_due: true, dry_run: false, .. }
                if self.attempt.is_none() && self.not_before.is_some_and(|at| at > self.cx.boot_now()) =>
            {
                let wait = self.not_before.map_or(0, |at| at.since(self.cx.boot_now()));
                let last =
                    self.cx.volatile.history.last().map(|last| format!(" ({})", last.outcome)).unwrap_or_default();
                let text = format!(
                    "the license is due; the next attempt is in {}, as the last one{last} was a moment ago; `netify-licensed renew` does not wait",
                    span(wait)
                );
                self.reply_after_reload(vec![id], u8::from(self.cx.volatile.failures > 0), &text);
            }
            Request::Renew { dry_run: true, .. } => self.begin(id, Purpose::DryRun, By::Person),
            Request::Renew { accept_changes, .. } => {
                self.begin(id, Purpose::Renew, if accept_changes { By::Accepting } else { By::Person });
            }
            Request::Provision if self.cx.is_relay() => {
                self.reply(&[id], 2, "a relay cannot create licenses; provision needs hub.kind = \"api\"");
            }
            Request::Retire { .. } if self.cx.is_relay() => {
                self.reply(&[id], 2, "a relay cannot delete licenses; retire needs hub.kind = \"api\"");
            }
            Request::Provision if self.cx.config.license.serial.is_some() => {
                let text = "license.serial names the license of this device, and provision would make another; `netify-licensed renew` fetches it, or remove license.serial";
                self.reply(&[id], 78, text);
            }
            Request::Provision => {
                let wants = &self.cx.config.provision;
                if wants.issued_to.is_none() || wants.entitlements.is_empty() {
                    let text = "provision needs provision.issued-to and provision.entitlements in the configuration";
                    return self.reply(&[id], 78, text);
                }
                self.begin(id, Purpose::Provision, By::Person);
            }
            Request::Retire { keep_file } => self.begin(id, Purpose::Retire { keep_file }, By::Person),
        }
    }

    /// Starts an attempt, or joins the one that is under way if it does the same.
    fn begin(&mut self, id: RequestId, purpose: Purpose, by: By) {
        if let Some(attempt) = &mut self.attempt {
            // A license that is being made for this device is what a renewal would look for.
            if attempt.purpose == purpose || (attempt.purpose, purpose) == (Purpose::Provision, Purpose::Renew) {
                if attempt.by != By::Accepting {
                    attempt.by = by;
                }
                self.requests.put(id, At::Attempt);
            } else {
                self.reply(&[id], 1, "another attempt is under way; try again when it is done");
            }
            return;
        }
        if self.writer.is_replacing() {
            return self.reply(&[id], 1, "a license is being installed right now; try again");
        }
        if self.cx.has_nothing_to_ask_for() {
            return self.reply(&[id], 1, &duid::none_usable(self.cx.device.sources()));
        }
        self.requests.put(id, At::Attempt);
        self.start(purpose, by);
    }

    /// Replies to those of them that still wait.
    pub(super) fn reply(&mut self, waiters: &[RequestId], exit: u8, message: &str) {
        for id in waiters {
            if self.requests.remove(*id) {
                self.actions.push(Action::Reply(*id, Reply { exit, message: message.to_owned() }));
            }
        }
    }
}
