//! What is wrong, and what a person can do about it: one sentence each, the worst first.

use super::context::Context;
use super::file::FileView;
use crate::core::accept;
use crate::core::config::TrustMode;
use crate::core::device::duid;
use crate::core::license::document::{Entitlement, Serial};
use crate::core::license::verify::{Authentic, State};
use crate::core::state::AttemptRecord;
use crate::core::state::word::{ReloadWord, Word};
use crate::core::time::DAY;

const AGAIN: &str = "the daemon tries again by itself; `netify-licensed renew` does so at once";

/// Sentences for people.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) problems: Vec<String>,
    pub(super) advice: Vec<String>,
}

impl Findings {
    fn problem(&mut self, sentence: impl Into<String>) {
        self.problems.push(sentence.into());
    }

    fn advise(&mut self, sentence: impl Into<String>) {
        self.advice.push(sentence.into());
    }
}

impl Context {
    /// What is wrong. `doubt` says why the clock cannot be believed.
    /// `troubles`: why the files of the state directory cannot be written. `held_back`: why a restore waits.
    pub(super) fn findings(
        &self,
        state: State,
        doubt: Option<&str>,
        troubles: [Option<&str>; 2],
        held_back: Option<&str>,
    ) -> Findings {
        let mut found = Findings::default();
        self.find_file_trouble(state, &mut found);
        if let Some(reason) = held_back {
            found.problem(format!("the last-known-good license waits to be restored: {reason}"));
            found.advise(
                "mend that; then it is restored by itself, and `netify-licensed renew` asks the hub for it at once",
            );
        }
        if let Some(why) = doubt {
            found.problem(format!("the clock cannot be believed: {why}"));
            found.advise(
                "set the clock, or start a time service; `date -u` shows what it says (clock.trust = \"always\" if it is right)",
            );
        }
        self.find_device_trouble(&mut found);
        self.find_failed_attempts(state, &mut found);
        found.problems.extend(self.pending_text());
        self.find_reload_trouble(&mut found);
        if let Some(license) = self.file.good() {
            if self.durable.retired {
                found.problem("the license was given back with `retire`, and is not renewed");
                found.advise("`netify-licensed provision` gets a new one");
            }
            self.find_what_the_license_lacks(license, &mut found);
        }
        if self.not_adopted.is_some() {
            found.problem("somebody installed an older license than the one that is kept");
            found.advise("`netify-licensed install --force FILE` makes it the one to keep; otherwise the later one comes back when this one falls due");
        }
        for trouble in troubles.into_iter().flatten() {
            found.problem(trouble.to_owned());
        }
        if troubles != [None; 2] {
            found.advise("make the daemon's state writable again; until then a restart forgets what is not written: the copy of the license, or which one netifyd has loaded and the last time that was right");
        }
        if self.config.trust.mode == TrustMode::Transport {
            found.problem("the signature is not checked (trust.mode = \"transport\")");
        }
        found.problems.extend(self.keys.problems.iter().cloned());
        found
    }

    fn find_file_trouble(&self, state: State, found: &mut Findings) {
        let path = self.config.license.path.as_path().display();
        match &self.file {
            FileView::Missing | FileView::Unknown => found.problem(format!("{path}: there is no license")),
            FileView::Unreadable(reason) => found.problem(reason.clone()),
            FileView::Bad(rejection, _) => found.problem(format!("{path}: {}", rejection.reason)),
            FileView::Good(license) if state == State::Expired => {
                found.problem(format!("{path}: the license expired at {}", license.license().expires_at));
            }
            FileView::Good(license) if state == State::NotYetValid => {
                let from = license.license().created_at.unwrap_or(license.license().expires_at);
                found.problem(format!("{path}: the license was issued at {from}, which is in the future"));
            }
            FileView::Good(_) => {}
        }
        match state {
            State::Missing if self.durable.retired => {
                found.advise("the license was given back with `retire`; `netify-licensed provision` gets a new one");
            }
            State::Missing if self.has_nothing_to_ask_for() => {
                found.advise("set device.duid or license.serial, so that the license can be found, and reload netify-licensed");
            }
            // What to do about that stands below.
            State::Missing if self.last_failure().is_some_and(|last| last.outcome == Word::NotFound) => {}
            State::Missing if self.is_relay() => {
                found.advise("`netify-licensed renew` fetches it from the relay, `netify-licensed install FILE` takes one from a file");
            }
            State::Missing => found.advise(
                "`netify-licensed renew` fetches it, `netify-licensed provision` creates one, `netify-licensed install FILE` takes one from a file",
            ),
            State::Unreadable => {
                found.advise("let the daemon's user read the file and enter its directories (chown, chmod), or move away what is there if it is no file; it is looked at again every minute, and at once after a reload of netify-licensed");
            }
            State::Malformed => {
                found.advise("`netify-licensed renew` fetches it anew, `netify-licensed install FILE` takes one from a file");
            }
            State::BadSignature => self.advise_on_keys(found),
            State::Unsigned => found.advise(
                "`netify-licensed renew` fetches it anew; if it comes without a signature, ask the issuer, or set trust.mode = \"transport\"",
            ),
            State::WrongDevice => found.advise(
                "if the license came from another device, `netify-licensed renew` fetches this one's own; if this device's id is wrong, `netify-licensed duid --all` shows where ids come from, and device.duid sets it",
            ),
            State::Expired if self.file.good().is_some_and(is_final) || self.last_failure().is_some() => {}
            State::Expired => found.advise("`netify-licensed renew` asks the hub now and prints its answer"),
            State::NotYetValid => {
                found.advise("compare this machine's clock (`date -u`) with the issue date; the license becomes valid by itself");
            }
            State::ClockUntrusted | State::Valid | State::Unchecked => {}
        }
    }

    fn advise_on_keys(&self, found: &mut Findings) {
        let place =
            self.config.trust.keys.first().map_or_else(String::new, |place| place.as_path().display().to_string());
        found.advise(format!(
            "compare the key ids of `netify-licensed config check` with the vendor's; the vendor's public key belongs into {place} as a .pem file, then reload netify-licensed"
        ));
    }

    fn find_device_trouble(&self, found: &mut Findings) {
        if self.device.sources().iter().all(|entry| entry.duid.is_err()) && !self.device.sources().is_empty() {
            // This sentence ends with its remedy.
            found.problem(duid::none_usable(self.device.sources()));
        }
    }

    /// Failures count as a problem while there is something to get: a license that is not due needs no hub.
    fn find_failed_attempts(&self, state: State, found: &mut Findings) {
        let waits = self.due_at().is_none_or(|due| self.best_now().is_none_or(|now| now >= due));
        let Some(last) = self.last_failure() else { return self.find_overdue_renewal(state, found) };
        // A person who asked before its time finds here what came of it.
        let is_recent = (0..DAY).contains(&self.wall_now().since(last.at));
        if state.is_usable() && !waits && !is_recent {
            return;
        }
        let words = last.error.as_deref().unwrap_or(last.outcome.as_str());
        found.problem(match self.volatile.failures {
            1 => format!("the last attempt failed: {words}"),
            failures => format!("{failures} attempts in a row failed, the last one: {words}"),
        });
        found.advice.extend(self.advice_on_attempt(last));
    }

    /// Nothing failed, and still there is no later license: the source has none, or offers none that can be taken.
    fn find_overdue_renewal(&self, state: State, found: &mut Findings) {
        let (Some(license), Some(now)) = (self.file.good(), self.trusted_now()) else { return };
        let plan = self.plan(license);
        if state.is_usable() && now >= plan.overdue_from() && !is_final(license) {
            let word = self.volatile.history.last().map(|last| format!(", {}", last.outcome)).unwrap_or_default();
            found.problem(format!(
                "the renewal is overdue since {}: {} has no later license{word}",
                plan.due,
                self.source()
            ));
            found.advise(format!("ask whoever runs {} why; it is asked again by itself", self.source()));
        }
    }

    pub(super) fn last_failure(&self) -> Option<&AttemptRecord> {
        self.volatile.history.last().filter(|_| self.volatile.failures > 0)
    }

    /// Where the sentence about the failure does not say itself what to do.
    pub(super) fn advice_on_attempt(&self, last: &AttemptRecord) -> Option<String> {
        let url = self.config.hub.url.text();
        let hub = if self.is_relay() { "relay" } else { "hub" };
        Some(match (last.outcome, last.http_status) {
            // The sentence names the credential that was sent.
            (Word::Refused, Some(401 | 403)) => "`netify-licensed renew` tries a new one at once; systemd hands a credential over when the service starts, so a new one of those needs a restart of netify-licensed".to_owned(),
            (Word::Refused, _) if !self.is_relay() => "`netify-licensed hub list` shows the licenses that this API key sees".to_owned(),
            (Word::NotFound, _) => "`netify-licensed hub list` shows the devices that the hub has licenses for; `netify-licensed provision` creates one for this device, `netify-licensed install FILE` takes one from a file".to_owned(),
            // The file on this device has the same fault, and the same remedy.
            (Word::CandidateRefused, _) if matches!(self.file, FileView::Bad(..)) => return None,
            (Word::CandidateRefused, _) if self.is_relay() => format!("look at what {url} sends; `netify-licensed verify FILE` judges it"),
            (Word::CandidateRefused, _) => {
                // A checked one: people paste this into a shell.
                let serial = self.wanted_serial();
                let serial = serial.as_ref().map_or("SERIAL", Serial::as_str);
                format!("`netify-licensed hub view {serial} --json | netify-licensed verify -` judges what the hub has")
            }
            (Word::Outage, Some(200..=299)) => {
                format!("look at {url} from this device: a portal may want a login, or a proxy answers in the {hub}'s place")
            }
            (Word::Outage, Some(300..=399)) => return None,
            (Word::Outage, None | Some(400..=499)) => AGAIN.to_owned(),
            (Word::RateLimited, _) => format!("nothing on this device: the {hub} asks for patience, and gets it; the next attempt stands above"),
            // Their sentences say what to do first.
            (Word::NotReady | Word::InstallFailed, _) => format!("after that, {AGAIN}"),
            (Word::Outage, Some(_)) => format!("nothing on this device: it is tried again; if it lasts, ask whoever runs the {hub}"),
            _ => return None,
        })
    }

    fn find_reload_trouble(&self, found: &mut Findings) {
        let Some(last) = self.volatile.reload.as_ref().filter(|_| self.reload_is_owed()) else { return };
        let detail = last.detail.as_deref().unwrap_or("no reason given");
        let service = &self.config.reload.service;
        match last.outcome {
            ReloadWord::Failed => {
                found.problem(format!("netifyd has not loaded the installed license: {detail}"));
                found.advise(format!(
                    "look at the log of the service {service}, and whether reload.method ({}) fits it; the reload is tried again by itself",
                    last.method
                ));
            }
            ReloadWord::NotRunning => {
                found.problem(format!("{detail}; it reads the installed license when it starts"));
                found.advise(format!(
                    "start the service {service}; if it runs, reload.method ({}) does not fit it: \"auto\" takes what fits",
                    last.method
                ));
            }
            _ => {}
        }
    }

    fn find_what_the_license_lacks(&self, license: &Authentic, found: &mut Findings) {
        let fields = license.license();
        if is_final(license) {
            let has_ended = self.trusted_now().is_some_and(|now| now >= fields.expires_at);
            let ends = if has_ended { String::new() } else { format!(" and ends {}", fields.expires_at) };
            found.problem(format!("the license is not renewable{ends}"));
            found.advise("ask the issuer for a new license; `netify-licensed install FILE` puts it in place");
        }
        let wanted = self.config.provision.entitlements.iter();
        let wanted: Vec<Entitlement> =
            wanted.map(|name| Entitlement { name: name.clone(), not_valid_after: None }).collect();
        let missing = accept::missing(&wanted, &fields.entitlements);
        if !missing.is_empty() {
            found.problem(format!("provision.entitlements asks for more than the license has: {}", missing.join(", ")));
            found.advise(
                "ask the issuer for a license with these entitlements, or take them out of provision.entitlements",
            );
        }
    }
}

/// Whether it says itself that the hub will not extend it.
fn is_final(license: &Authentic) -> bool {
    license.license().renewable == Some(false)
}
