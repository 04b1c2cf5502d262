//! The edge of the simulated device: does what the engine says, or dies between two actions.

use netify_licensed::core::device::duid::{Judged, Source};
use netify_licensed::core::engine::{Action, Engine, Event, FileContent, Room, Start, StateFile};
use netify_licensed::core::time::{MINUTE, SECOND};

use crate::happening::Happening;
use crate::license::key_ring;
use crate::stage::Fits;
use crate::world::World;

impl World {
    pub(crate) fn perform(&mut self, actions: Vec<Action>) {
        for action in actions {
            let quiet =
                matches!(action, Action::Note(..) | Action::Publish | Action::Hook | Action::ProbeLicense { .. });
            if !quiet && self.random.chance(self.stage.device.dies) {
                return self.dies();
            }
            if self.is_traced() && !matches!(action, Action::Publish) {
                let text = format!("{action:?}");
                self.say(&format!("-> {}", text.chars().take(200).collect::<String>()));
            }
            self.act(action);
            if !quiet && self.random.chance(self.stage.device.dies) {
                return self.dies();
            }
        }
    }

    fn act(&mut self, action: Action) {
        if let Some(fingerprint) = &mut self.fingerprint {
            let status = self.engine.as_ref().and_then(|engine| engine.status());
            fingerprint.sees(self.stage.now, &action, status);
        }
        match action {
            Action::ReadLicense => {
                let content = self
                    .stage
                    .disk
                    .file
                    .as_ref()
                    .map_or(FileContent::Missing, |doc| FileContent::Bytes(doc.bytes.clone()));
                self.oracle.reads(&self.stage);
                self.deliver(2, Event::File(content));
            }
            Action::ReadDevice => {
                let duid = Ok(self.stage.device.duid.clone());
                self.deliver(1, Event::Device(vec![Judged { source: Source::Configured, duid }]));
            }
            Action::Ask(io, request) => {
                self.oracle.asks(&self.stage, &request);
                self.statistics.asked(&request);
                let wall = self.stage.clocks().wall;
                let (answer, takes) =
                    self.stage.hub.ask(&self.stage.device, &request, self.stage.now, wall, &mut self.random);
                self.deliver(takes.max(1), Event::Answer(io, answer));
            }
            Action::Install { license, .. } => {
                let document = self.stage.document(license.bytes());
                self.oracle.installs(&self.stage, document.as_ref());
                let result = if self.stage.disk.takes(Fits::Licenses) {
                    self.stage.disk.file = document;
                    self.statistics.installs += 1;
                    Ok(())
                } else {
                    Err("no space left on device".to_owned())
                };
                let takes = self.random.between(5, 200);
                self.deliver(takes, Event::Installed(result));
            }
            Action::ProbeLicense { .. } => {
                let full = !self.stage.disk.takes(Fits::Licenses);
                let room = if full { Room::Blocked("no space left on device".to_owned()) } else { Room::Free };
                self.deliver(1, Event::Probed(room));
            }
            Action::Keep(license) => {
                let document = self.stage.document(license.bytes());
                self.oracle.keeps(document.clone());
                if !self.writes_state(StateFile::Kept) {
                    self.stage.disk.kept = document;
                }
            }
            Action::Remove { .. } => self.oracle.fail("nobody asked to give the license back".to_owned()),
            Action::Reload { .. } => {
                self.oracle.reloads(&self.stage);
                self.statistics.reloads += 1;
                let (report, takes) = self.stage.netifyd.reload(&self.stage.disk.file, &mut self.random);
                self.deliver(takes, Event::Reloaded(report));
            }
            Action::SaveDurable(durable) => {
                self.oracle.saves(&durable);
                let failed = self.writes_state(StateFile::Memory);
                self.oracle.saved(!failed);
                if !failed {
                    self.statistics.saves += 1;
                    self.stage.disk.durable = *durable;
                }
            }
            Action::SaveVolatile(volatile) => self.stage.disk.volatile = *volatile,
            Action::Reply(id, reply) => self.oracle.replies(id, &reply),
            Action::Publish => {
                if let Some(status) = self.engine.as_ref().and_then(|engine| engine.status()) {
                    self.oracle.publishes(status);
                }
            }
            Action::Hook | Action::Note(..) | Action::CloseSession => {}
        }
    }

    /// A write to the state directory; tells the engine when that begins to fail and when it works again.
    fn writes_state(&mut self, file: StateFile) -> bool {
        let fits = if file == StateFile::Kept { Fits::Licenses } else { Fits::Memory };
        let failed = !self.stage.disk.takes(fits);
        // As the daemon does it: only a change is told.
        let known = &mut self.state_trouble[file as usize];
        if failed != *known {
            *known = failed;
            let full = "/var/lib/netify-licensed: no space left on device";
            self.deliver(1, Event::Wrote(file, if failed { Err(full.to_owned()) } else { Ok(()) }));
        }
        // The poll of each minute matters only here: it makes the engine try again.
        if failed && !self.polls {
            self.polls = true;
            self.deliver(MINUTE, Event::Poll);
        }
        failed
    }

    /// The daemon is killed; systemd or procd starts it again.
    fn dies(&mut self) {
        self.say("the daemon dies");
        self.statistics.crashes += 1;
        self.oracle.daemon_crashed(&self.stage);
        self.crash();
        let span = self.random.magnitude(SECOND, MINUTE);
        self.after(span, Happening::DaemonStarts);
    }

    /// The daemon is gone, with all it knew.
    pub(crate) fn crash(&mut self) {
        self.engine = None;
        self.stage.daemon = false;
        self.incarnation += 1;
        self.state_trouble = [false; 2];
        self.polls = false;
        self.oracle.daemon_is_gone(&self.stage);
    }

    /// The daemon is told to stop and writes what it remembers.
    pub(crate) fn stops_cleanly(&mut self) {
        let Some(engine) = &mut self.engine else { return };
        let actions = engine.stop();
        for action in actions {
            self.act(action);
        }
        self.say("the daemon stops");
        self.crash();
    }

    /// Stops and starts the daemon at once, for a planted bug.
    pub(crate) fn reincarnate(&mut self) {
        self.stops_cleanly();
        self.daemon_starts();
    }

    pub(crate) fn daemon_starts(&mut self) {
        if !self.stage.powered || self.engine.is_some() {
            return;
        }
        let moment = self.moment();
        let mut start = Start {
            config: self.stage.device.config(),
            keys: key_ring(),
            durable: self.stage.disk.durable.clone(),
            memory_lost: false,
            volatile: self.stage.disk.volatile.clone(),
            kept: self.stage.disk.kept.as_ref().map(|doc| doc.bytes.clone()),
            boot_id: format!("boot-{}", self.boot_number),
            daemon: true,
        };
        self.sabotage.plant(
            &mut start,
            &moment,
            self.stage.disk.file.as_ref().map(|doc| doc.sha256.as_str()),
            &mut self.random,
        );
        self.say("the daemon starts");
        self.incarnation += 1;
        self.stage.daemon = true;
        self.stage.unnoticed = 0;
        self.oracle.daemon_starts(&self.stage);
        let (engine, actions) = Engine::new(start, moment);
        self.engine = Some(Box::new(engine));
        self.perform(actions);
        self.settle();
    }
}
