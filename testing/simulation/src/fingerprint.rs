//! What the world sees of one device's life, as one hash. Two programs with equal hashes behave alike in that life.
//!
//! Only what leaves the engine is hashed: requests, bytes written, saved JSON, replies, log texts, the published status and
//! the time of the next deadline. No name of a type is part of it, so a restructured engine can be compared with the one
//! before it.

use netify_licensed::core::engine::{Action, HubRequest, Level};
use netify_licensed::core::report::status::Status;
use netify_licensed::core::time::Millis;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::campaign::years;
use crate::sabotage::Sabotage;
use crate::world::World;

/// Members of the status that came after the first baseline.
const ADDED: [&str; 5] = ["configuration", "restore", "role", "pending_change", "netifyd"];

/// The hash while the life goes on.
#[derive(Debug, Clone, Default)]
pub struct Fingerprint(Sha256);

impl Fingerprint {
    /// One thing that was seen: what it is, and its parts. Lengths keep neighbors apart.
    fn add(&mut self, what: &str, parts: &[&[u8]]) {
        for part in [what.as_bytes()].iter().chain(parts) {
            self.0.update((part.len() as u64).to_le_bytes());
            self.0.update(part);
        }
    }

    fn add_json(&mut self, what: &str, value: &impl Serialize) {
        let text = serde_json::to_vec(value).unwrap_or_default();
        self.add(what, &[&text]);
    }

    /// What the engine asks to be done, and the status that it shows at that moment.
    pub fn sees(&mut self, now: Millis, action: &Action, status: Option<&Status>) {
        self.0.update(now.to_le_bytes());
        match action {
            Action::ReadLicense => self.add("read license", &[]),
            Action::ReadDevice => self.add("read device", &[]),
            Action::CloseSession => self.add("close", &[]),
            Action::Ask(_, request) => self.asks(request),
            Action::Install { license, modified } => {
                let modified = modified.map_or(0, |at| at.0).to_le_bytes();
                self.add("install", &[license.bytes(), &modified]);
            }
            Action::ProbeLicense { .. } => self.add("probe", &[]),
            Action::Keep(license) => self.add("keep", &[license.bytes()]),
            Action::Remove { keep_file } => self.add("remove", &[&[u8::from(*keep_file)]]),
            Action::Reload { serial } => self.add("reload", &[serial.as_deref().unwrap_or_default().as_bytes()]),
            Action::SaveDurable(state) => self.add_json("save persistent", state),
            Action::SaveVolatile(state) => self.add_json("save runtime", state),
            Action::Reply(id, reply) => {
                self.add("reply", &[&id.to_le_bytes(), &[reply.exit], reply.message.as_bytes()]);
            }
            Action::Publish => self.add_json("publish", &status.map(comparable)),
            Action::Hook => self.add("hook", &[]),
            Action::Note(level, text) => self.add(level_word(*level), &[text.as_bytes()]),
        }
    }

    fn asks(&mut self, request: &HubRequest) {
        match request {
            HubRequest::List => self.add("list", &[]),
            HubRequest::View(serial) => self.add("view", &[serial.as_str().as_bytes()]),
            HubRequest::Renew { serial, term_days } => {
                let days = term_days.unwrap_or_default().to_le_bytes();
                self.add("renew", &[serial.as_str().as_bytes(), &days]);
            }
            HubRequest::Create { duid } => self.add("create", &[duid.as_bytes()]),
            HubRequest::Delete(serial) => self.add("delete", &[serial.as_str().as_bytes()]),
            HubRequest::Relay => self.add("relay", &[]),
        }
    }

    /// When the engine wants to be stepped next, in milliseconds from now.
    pub fn waits(&mut self, after: Option<Millis>) {
        self.add("wait", &[&after.unwrap_or(-1).to_le_bytes()]);
    }

    /// The hash so far, in hex.
    #[must_use]
    pub fn text(&self) -> String {
        self.0.clone().finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The number of a release is no behavior, and the members that were added since the first baseline were not in it.
fn comparable(status: &Status) -> serde_json::Value {
    let mut status = serde_json::to_value(status).unwrap_or_default();
    if let Some(members) = status.as_object_mut() {
        members.insert("version".to_owned(), "0.1.0".into());
        ADDED.iter().for_each(|added| drop(members.remove(*added)));
    }
    status
}

const fn level_word(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warn => "warn",
        Level::Info => "info",
        Level::Debug => "debug",
    }
}

/// The hash of the life with this seed, and whether a promise was broken in it.
#[must_use]
pub fn of(seed: u64, life: i64) -> String {
    let mut world = World::new(seed, Sabotage::None, false);
    world.fingerprint = Some(Fingerprint::default());
    let end = world.run(years(life));
    let text = world.fingerprint.as_ref().map(Fingerprint::text).unwrap_or_default();
    match end {
        Ok(()) => text,
        Err(violation) => format!("{text} {violation}"),
    }
}
