//! What people and programs ask for.

use super::attempt::Goal;
use super::file::FileView;
use super::install::Looking;
use super::{Action, Engine, Request, RequestId};
use crate::core::time::relative;

impl Engine {
    pub(super) fn requested(&mut self, id: RequestId, request: Request) {
        if self.retiring.is_some() && request != Request::Reread {
            return self.reply(vec![id], 1, "the license is being given back right now; try again");
        }
        match request {
            Request::Reread => {
                self.read_license();
                self.actions.push(Action::ReadDevice);
                self.reply(vec![id], 0, "the license file is read again");
            }
            Request::Install { bytes, force } => {
                if self.installing.is_some() {
                    return self.reply(vec![id], 1, "another license is being installed right now; try again");
                }
                self.look_first(Looking::Given { id, bytes, force });
            }
            Request::Renew { if_due: true, .. } if !self.is_due_now() && !self.file.is_broken() => {
                if let FileView::Unreadable(reason) = &self.file {
                    let text = reason.clone();
                    return self.reply(vec![id], 3, &text);
                }
                let when = match self.due_at() {
                    Some(due) => format!("due {} ({due})", relative(due, self.moment.now.wall)),
                    None => "not due".to_owned(),
                };
                self.reply_after_reload(vec![id], 0, &format!("nothing to do: the license is {when}"));
            }
            Request::Renew { dry_run, accept_changes, .. } => {
                self.begin(id, if dry_run { Goal::DryRun } else { Goal::Renew }, accept_changes);
            }
            Request::Provision if self.is_relay() => {
                self.reply(vec![id], 2, "a relay cannot create licenses; provision needs hub.kind = \"api\"");
            }
            Request::Retire { .. } if self.is_relay() => {
                self.reply(vec![id], 2, "a relay cannot delete licenses; retire needs hub.kind = \"api\"");
            }
            Request::Provision if self.config.license.serial.is_some() => {
                let text = "license.serial names the license of this device, and provision would make another; `netify-licensed renew` fetches it, or remove license.serial";
                self.reply(vec![id], 78, text);
            }
            Request::Provision => {
                let wants = &self.config.provision;
                if wants.issued_to.is_none() || wants.entitlements.is_empty() {
                    return self.reply(
                        vec![id],
                        78,
                        "provision needs provision.issued-to and provision.entitlements in the configuration",
                    );
                }
                self.begin(id, Goal::Provision, false);
            }
            Request::Retire { keep_file } => self.begin(id, Goal::Retire { keep_file }, false),
        }
    }

    pub(super) fn is_due_now(&self) -> bool {
        self.reference().is_none_or(|license| {
            let due = self.plan(license).due;
            self.best_now().is_none_or(|now| now >= due)
        })
    }

    /// Starts an attempt, or joins the one that is under way if it does the same.
    fn begin(&mut self, id: RequestId, goal: Goal, accept_changes: bool) {
        if let Some(attempt) = &mut self.attempt {
            if attempt.goal == goal && self.retiring.is_none() {
                attempt.manual = true;
                attempt.accept_changes |= accept_changes;
                attempt.waiters.push(id);
                if let Some(installing) =
                    self.installing.as_mut().filter(|installing| installing.origin.is_of_attempt())
                {
                    installing.waiters.push(id);
                }
            } else {
                self.reply(vec![id], 1, "another attempt is under way; try again when it is done");
            }
            return;
        }
        if self.installing.is_some() {
            return self.reply(vec![id], 1, "a license is being installed right now; try again");
        }
        if self.wanted_nothing() {
            return self.reply(vec![id], 1, &super::duid::none_usable(&self.device));
        }
        self.start(goal, true, accept_changes, vec![id]);
    }

    /// Neither a serial nor a device id: there is nothing to ask the hub for.
    pub(super) fn wanted_nothing(&self) -> bool {
        let serial =
            self.config.license.serial.is_some() || self.reference().is_some() || self.remembered_serial().is_some();
        !serial && self.duid().is_none() && !self.is_relay()
    }
}
