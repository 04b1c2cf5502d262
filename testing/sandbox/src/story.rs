//! The three acts. Each claim is a check: the first one that does not hold ends the story.

use std::fs;
use std::io::{self, Write};
use std::process::Stdio;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hub_emulator::{Endpoint, Fault, FaultAnswer};
use netify_licensed::core::license::verify::State;
use netify_licensed::core::report::status::{AttemptStatus, Status};
use netify_licensed::core::state::word::Word;
use serde_json::Value;

use crate::facts::Facts;
use crate::stage::{LIFE, SERIAL, Stage};
use crate::timeline::{Timeline, Who, plain};
use crate::watch::Happening;

/// How often status.json is looked at while nothing else happens.
const LOOK: Duration = Duration::from_millis(20);
/// For what happens at once, on a busy machine.
const SOON: Duration = Duration::from_secs(10);
/// For what comes with the license's age.
const DUE: Duration = LIFE;

/// Why the story ends early.
#[derive(Debug)]
pub(crate) enum End {
    /// A signal.
    Stopped(i32),
    /// Something did not happen as it should.
    Failed(String),
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

/// The story under way.
#[derive(Debug)]
pub(crate) struct Story<'a> {
    pub(crate) stage: &'a Stage,
    inbox: Receiver<Happening>,
    pub(crate) facts: Facts,
    pub(crate) timeline: Timeline,
    proofs: Vec<(&'static str, String)>,
}

impl<'a> Story<'a> {
    pub(crate) fn new(stage: &'a Stage, inbox: Receiver<Happening>, timeline: &Timeline) -> Self {
        let facts = Facts::new(stage.places.runtime.join("status.json"));
        Self { stage, inbox, facts, timeline: timeline.restarted(), proofs: Vec::new() }
    }

    /// All of it.
    pub(crate) fn tell(&mut self) -> Result<(), End> {
        let life = LIFE.as_secs();
        plain(&format!(
            "A hub emulator, a stand-in for netifyd and the real netify-licensed, with licenses that live {life} seconds."
        ));
        self.timeline.act("1. A license is renewed ahead of its expiry");
        self.verified()?;
        self.renewed_ahead()?;
        self.timeline.act("2. The hub is out when the next renewal is due");
        self.outage()?;
        self.timeline.act("3. Somebody edits the license file");
        self.tampered()?;
        self.timeline.act("All of it happened");
        for (name, how) in &self.proofs {
            self.timeline.proof(name, how);
        }
        Ok(())
    }

    fn verified(&mut self) -> Result<(), End> {
        let hub = self.stage.hub.url();
        self.timeline.say(Who::Hub, &format!("listens on {hub}"));
        let loaded =
            self.until("netifyd has read its license", SOON, |facts| Some(facts.loads.first()?.sha256.clone()))?;
        let status = self.until("status.json says that the license is valid", SOON, |facts| {
            let valid = |status: &Status| {
                let this = status.license.sha256.as_ref() == Some(&loaded);
                status.state == State::Valid && this && status.renewal.due_at.is_some()
            };
            facts.status_if(valid).cloned()
        })?;
        let duid = status.device.duid.unwrap_or_default();
        let key = status.license.key_id.unwrap_or_default();
        claim(!key.is_empty(), "status.json does not say which key signed the license")?;
        let due = self.due_in();
        self.timeline
            .say(Who::Status, &format!("valid, signed by key {key}, bound to {duid}; due for renewal in {due}"));
        self.prove("verified", format!("status.json: valid, signed by key {key}; netifyd read the same bytes"));
        Ok(())
    }

    fn renewed_ahead(&mut self) -> Result<(), End> {
        let due = self.facts.due().unwrap_or(i64::MAX);
        let expires = self.facts.expires().unwrap_or_default();
        claim(self.facts.requests.is_empty(), "the hub was asked although nothing was due")?;
        self.renewal()?;
        let first = self.facts.requests.first().map_or(0, |request| request.at_millis);
        claim((due..expires).contains(&first), "the hub was not asked between the due date and the expiry")?;
        let ahead = seconds(expires - first);
        self.prove("due", format!("the hub heard nothing before, and then {ahead} ahead of the expiry"));
        self.prove("renewed", "the hub's log: one request to renew, granted".to_owned());
        self.prove("installed", "the file holds exactly the bytes that the hub signed".to_owned());
        self.prove("reloaded", "netifyd read the new file, and status.json says confirmed".to_owned());
        Ok(())
    }

    fn outage(&mut self) -> Result<(), End> {
        let seen = self.facts.statuses.len();
        let expires = self.facts.expires().unwrap_or_default();
        self.stage.hub.set_down(true);
        let due = self.due_in();
        self.timeline.say(Who::You, &format!("takes the hub down; the license is due in {due}"));
        let failed_twice = |status: &Status| status.renewal.consecutive_failures >= 2;
        self.until("two attempts have failed", DUE, |facts| facts.status_if(failed_twice).map(drop))?;
        self.stage.hub.fault(Endpoint::View, Fault::answer(FaultAnswer::Html));
        self.stage.hub.set_down(false);
        self.timeline
            .say(Who::You, "brings it up again, behind a captive portal that answers once with its login page");
        self.renewal()?;
        let history = self.facts.statuses.last().map(|status| status.renewal.history.as_slice()).unwrap_or_default();
        let outages: Vec<&AttemptStatus> = history.iter().filter(|attempt| attempt.outcome == Word::Outage).collect();
        let portal = outages.iter().any(|attempt| attempt.http_status == Some(200));
        let count = outages.len();
        claim(count >= 3 && portal, "status.json does not remember the outage and the login page")?;
        let lapsed = self.facts.statuses.iter().skip(seen).any(|status| status.state != State::Valid);
        let back = self.facts.loads.last().map_or(i64::MAX, |load| i64::try_from(load.unix_ms).unwrap_or(i64::MAX));
        claim(!lapsed && back < expires, "the license lapsed during the outage")?;
        let left = seconds(expires - back);
        let how = format!(
            "{count} attempts failed, one on a login page; the next license came {left} before the old one's end"
        );
        self.prove("outage survived", how);
        Ok(())
    }

    fn tampered(&mut self) -> Result<(), End> {
        let path = &self.stage.places.license;
        let genuine = fs::read(path)?;
        let forged =
            a_year_longer(&genuine).ok_or_else(|| End::Failed("the license has no expire_at.unix".to_owned()))?;
        let (code, words) = self.judge(&forged)?;
        claim(code == Some(3) && words == "bad-signature", &format!("verify calls the forged license {words}"))?;
        let (asked, loads, logged) = (self.facts.requests.len(), self.facts.loads.len(), self.facts.log.len());
        fs::write(path, &forged)?;
        self.timeline.say(Who::You, "edits the license file: valid for one more year");
        self.until("the daemon notices", SOON, |facts| facts.logged_since(logged, State::BadSignature).then_some(()))?;
        self.until("netifyd reads the genuine license again", SOON, |facts| {
            facts.loads.get(loads..)?.last().map(drop)
        })?;
        claim(fs::read(path)? == genuine, "the license file is not what it was before")?;
        claim(self.facts.requests.len() == asked, "the hub was asked for what was kept on disk")?;
        // The next renewal may fall due while netifyd is still watched.
        self.until("status.json says that all is well again", SOON, |facts| {
            facts.loads.last().filter(|load| facts.all_is_well(&load.sha256)).map(drop)
        })?;
        let how = "found bad-signature; the kept license was put back, byte for byte, without the hub";
        self.prove("tampering healed", how.to_owned());
        Ok(())
    }

    /// Waits for exactly one more renewal, from the hub's log to the confirmed reload.
    fn renewal(&mut self) -> Result<(), End> {
        let (granted, asked) = (self.facts.renewals().len(), self.facts.renew_requests());
        let loads = self.facts.loads.len();
        self.until("the hub has renewed the license", DUE, |facts| (facts.renewals().len() > granted).then_some(()))?;
        let load = self.until("netifyd has read the renewed license", SOON, |facts| facts.loads.get(loads).cloned())?;
        claim(load.serial.as_deref() == Some(SERIAL), "netifyd read another license")?;
        self.until("status.json says that netifyd has it", SOON, |facts| {
            facts.all_is_well(&load.sha256).then_some(())
        })?;
        let signed = self.stage.hub.license(SERIAL).map(|spec| self.stage.hub.sign(&spec));
        let installed = fs::read(&self.stage.places.license)?;
        claim(signed.is_some_and(|signed| signed.as_bytes() == installed), "the file is not what the hub signed")?;
        claim(self.facts.renew_requests() == asked + 1, "the hub was asked more than once to renew")?;
        let due = self.due_in();
        self.timeline.say(Who::Status, &format!("valid, netifyd has it; due again in {due}"));
        Ok(())
    }

    /// What `netify-licensed verify -` thinks of a license: exit code and state.
    fn judge(&self, license: &[u8]) -> Result<(Option<i32>, String), End> {
        let mut command = self.stage.places.command();
        let mut child = command.args(["verify", "--json", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        if let Some(mut input) = child.stdin.take() {
            input.write_all(license)?;
        }
        let output = child.wait_with_output()?;
        let verdict: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        Ok((output.status.code(), verdict["state"].as_str().unwrap_or("nothing").to_owned()))
    }

    /// The time to the next renewal, for people.
    fn due_in(&self) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = i64::try_from(now.as_millis()).unwrap_or(i64::MAX);
        seconds(self.facts.due().map_or(0, |due| (due - now).max(0)))
    }

    fn prove(&mut self, name: &'static str, how: String) {
        self.proofs.push((name, how));
    }

    /// Takes in what happens until `seen` answers; `what` completes "it was waited in vain until …".
    fn until<T>(&mut self, what: &str, within: Duration, mut seen: impl FnMut(&Facts) -> Option<T>) -> Result<T, End> {
        let deadline = Instant::now() + within;
        loop {
            if let Some(answer) = seen(&self.facts) {
                return Ok(answer);
            }
            if Instant::now() >= deadline {
                return Err(End::Failed(format!("it was waited {} s in vain until {what}", within.as_secs())));
            }
            self.take_in()?;
        }
    }

    /// Takes in one happening, or a changed status, or a moment of nothing.
    pub(crate) fn take_in(&mut self) -> Result<(), End> {
        match self.inbox.recv_timeout(LOOK) {
            Ok(Happening::Stop(signal)) => return Err(End::Stopped(signal)),
            Ok(Happening::Ended) => return Err(End::Failed("the daemon has ended".to_owned())),
            Ok(happening) => {
                self.timeline.tell(&happening);
                self.facts.note(&happening);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Err(End::Failed("nobody watches any more".to_owned())),
        }
        self.facts.look();
        Ok(())
    }
}

fn claim(holds: bool, otherwise: &str) -> Result<(), End> {
    if holds { Ok(()) } else { Err(End::Failed(otherwise.to_owned())) }
}

/// For people: `3.4 s`.
fn seconds(millis: i64) -> String {
    format!("{}.{} s", millis / 1000, millis % 1000 / 100)
}

/// The license as an impatient customer would edit it: another year in `expire_at`, the signature as it was.
fn a_year_longer(license: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(license).ok()?;
    let json: Value = serde_json::from_str(text).ok()?;
    let unix = json.pointer("/expire_at/unix")?.as_i64()?;
    Some(text.replace(&unix.to_string(), &(unix + 365 * 86_400).to_string()).into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forged_license_differs_in_its_end_alone() {
        let forged = a_year_longer(br#"{"expire_at":{"unix":1800000000},"x":1}"#).expect("forged");
        assert_eq!(forged, br#"{"expire_at":{"unix":1831536000},"x":1}"#);
        assert_eq!(a_year_longer(b"{}"), None);
    }
}
