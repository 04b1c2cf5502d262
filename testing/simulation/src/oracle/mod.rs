//! The judge: a reference model beside the engine, and the invariants that hold after every step.
//!
//! It knows the contract and the truth, and nothing of the engine's inside: it sees what the engine is told, what it
//! does and what it publishes.

mod document;
mod install;
mod lapse;
mod reload;
mod requests;
mod spread;
mod state;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use netify_licensed::core::engine::{Event, HubRequest, Reply, Request};
use netify_licensed::core::report::status::Status;
use netify_licensed::core::state::Durable;
use netify_licensed::core::time::{HOUR, Millis, WallTime};

use crate::device::Device;
use crate::license::Doc;
use crate::netifyd::File;
use crate::stage::Stage;

pub use spread::Spread;

/// A broken invariant.
#[derive(Debug, Clone)]
pub struct Violation {
    /// Names the device, and so its seed.
    pub seed_of_device: String,
    /// True time in milliseconds since the Unix epoch.
    pub at: Millis,
    /// What was broken.
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}: {}", self.seed_of_device, WallTime(self.at), self.message)
    }
}

/// What the engine was told of the license file.
#[derive(Debug, Clone)]
pub(crate) enum View {
    /// Nothing yet.
    Unknown,
    /// This.
    Seen(File),
}

impl View {
    fn genuine(&self) -> Option<&Arc<Doc>> {
        match self {
            Self::Seen(Some(doc)) if doc.is_genuine() => Some(doc),
            _ => None,
        }
    }
}

/// The judge.
#[derive(Debug)]
pub struct Oracle {
    /// The first broken invariant.
    pub violation: Option<String>,
    /// Licenses that ended on the device, with or without excuse.
    pub lapses: u64,
    /// Where in its spread each renewal fell due.
    pub spread: Spread,
    /// The busiest day: requests, and automatic renewals.
    pub busiest: (usize, usize),
    view: View,
    /// Read from disk, not yet delivered.
    reading: File,
    kept: File,
    last_good: Option<WallTime>,
    saved: bool,
    installing: Option<File>,
    waiting: BTreeMap<u64, (bool, bool, Millis)>,
    state: state::States,
    requests: requests::Requests,
    reload: reload::Reloads,
    lapse: lapse::Lapses,
}

impl Oracle {
    /// Judges a device of this kind.
    #[must_use]
    pub fn new(device: &Device) -> Self {
        Self {
            violation: None,
            lapses: 0,
            spread: Spread::default(),
            busiest: (0, 0),
            view: View::Unknown,
            reading: None,
            kept: None,
            last_good: None,
            saved: true,
            installing: None,
            waiting: BTreeMap::new(),
            state: state::States::default(),
            requests: requests::Requests::new(device),
            reload: reload::Reloads::default(),
            lapse: lapse::Lapses::default(),
        }
    }

    /// Reports a broken invariant; the first one counts.
    pub fn fail(&mut self, message: String) {
        self.violation.get_or_insert(message);
    }

    pub(crate) fn require(&mut self, holds: bool, message: impl FnOnce() -> String) {
        if !holds {
            self.fail(message());
        }
    }

    /// Looks at the world after anything happened.
    pub fn look(&mut self, stage: &Stage) {
        self.check_lapse(stage);
        self.check_reload(stage);
    }

    /// Before the engine is stepped: what is published must have been true until now.
    pub fn before_step(&mut self, stage: &Stage) {
        self.check_published_until_now(stage);
        self.count_step(stage);
    }

    /// After the engine was stepped.
    pub fn after_step(&mut self, stage: &Stage, status: &Status) {
        self.requests.published(status);
        self.check_published(stage, status);
        if let Some((id, (.., since))) = self.waiting.iter().next().filter(|(_, (.., since))| stage.now - since > HOUR)
        {
            let message = format!("request {id} has waited for an answer since {}", WallTime(*since));
            self.fail(message);
        }
    }

    /// The license file is being read.
    pub fn reads(&mut self, stage: &Stage) {
        self.reading.clone_from(&stage.disk.file);
    }

    /// An answer reaches the engine.
    pub fn delivers(&mut self, stage: &Stage, event: &Event) {
        if matches!(event, Event::File(_)) {
            self.requests.file_arrives();
        }
        match event {
            Event::File(_) if self.installing.is_none() => {
                let seen = View::Seen(self.reading.clone());
                self.sees(stage, seen);
            }
            Event::Installed(result) => {
                let document = self.installing.take().flatten();
                if result.is_ok() {
                    self.reload.owe();
                    self.sees(stage, View::Seen(document));
                }
            }
            Event::Answer(_, answer) => self.answer(stage, answer),
            Event::Reloaded(report) => self.reload_report(stage, report),
            _ => {}
        }
    }

    /// The engine has dealt with an answer.
    pub fn delivered(&mut self) {
        self.requests.settle();
    }

    fn sees(&mut self, stage: &Stage, view: View) {
        let changed = match (&self.view, &view) {
            (View::Seen(before), View::Seen(after)) => {
                before.as_ref().map(|doc| &doc.sha256) != after.as_ref().map(|doc| &doc.sha256)
            }
            _ => true,
        };
        if changed {
            if view.genuine().is_some() {
                self.reload.owe();
            }
            if let Some(doc) = view.genuine() {
                self.lapse.first_seen(doc, stage.now);
            }
        }
        self.view = view;
    }

    /// Memory goes to disk.
    pub fn saves(&mut self, durable: &Durable) {
        self.last_good = durable.last_good_time;
    }

    /// Whether the memory reached the disk.
    pub fn saved(&mut self, done: bool) {
        self.saved = done;
        self.requests.saved(done);
        if done {
            self.reload.saved();
        }
    }

    /// A copy is kept.
    pub fn keeps(&mut self, document: File) {
        self.kept = document;
    }

    /// Somebody asks for something.
    pub fn person_asks(&mut self, stage: &Stage, id: u64, request: &Request) {
        let (renews, forces) = match request {
            Request::Renew { dry_run, .. } => (!dry_run, false),
            // Where no good license lies, what a person gives is taken even if an older one was better.
            Request::Install { force, .. } => (false, *force || self.view.genuine().is_none()),
            _ => (false, false),
        };
        self.waiting.insert(id, (renews, forces, stage.now));
    }

    /// The engine answers.
    pub fn replies(&mut self, id: u64, reply: &Reply) {
        let known = self.waiting.remove(&id).is_some();
        self.require(known, || format!("request {id} is answered twice: {reply:?}"));
    }

    pub(crate) fn person_renews(&self) -> bool {
        self.waiting.values().any(|(renews, ..)| *renews)
    }

    pub(crate) fn person_forces(&self) -> bool {
        self.waiting.values().any(|(_, forces, _)| *forces)
    }

    /// Something is asked of the hub.
    pub fn asks(&mut self, stage: &Stage, request: &HubRequest) {
        self.check_request(stage, request);
    }

    /// The device's wall clock was changed.
    pub fn clock_was_set(&mut self) {
        self.state.forget_steps();
        self.requests.clock_was_set();
    }

    /// The machine wakes up: nothing could be published meanwhile, nor asked.
    pub fn wakes(&mut self) {
        self.state.forget_steps();
        self.waiting.values_mut().for_each(|(.., since)| *since = Millis::MAX / 2);
    }

    /// Somebody else wrote the license file.
    pub const fn written_by_somebody(&mut self) {
        self.reload.wait_for_calm();
    }

    /// The daemon starts.
    pub fn daemon_starts(&mut self, stage: &Stage) {
        self.last_good = stage.disk.durable.last_good_time;
        self.kept.clone_from(&stage.disk.kept);
    }

    /// The daemon is gone.
    pub fn daemon_is_gone(&mut self, stage: &Stage) {
        self.view = View::Unknown;
        self.installing = None;
        self.waiting.clear();
        self.state.forget(self.saved);
        self.requests.daemon_is_gone(stage);
        self.reload.daemon_is_gone(self.saved);
    }

    /// The daemon was killed between two actions.
    pub fn daemon_crashed(&mut self, stage: &Stage) {
        self.requests.crashed(stage.now);
    }

    /// The machine is gone, with all that was not durable.
    pub fn switched_off(&mut self, now: Millis) {
        self.requests.switched_off(now);
        self.reload.switched_off();
    }

    /// What the engine holds candidates against.
    pub(crate) fn reference(&self) -> Option<&Arc<Doc>> {
        self.view.genuine().or(self.kept.as_ref())
    }
}
