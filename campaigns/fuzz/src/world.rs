//! The world around the engine: a file, a hub, a netifyd, a clock; and a simple model of what may never happen.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use netify_licensed::core::clock::trust::Evidence;
use netify_licensed::core::config::{Config, TrustMode};
use netify_licensed::core::device::duid::{Judged, Source};
use netify_licensed::core::engine::{
    Action, Engine, Event, FileContent, HubRequest, IoId, Moment, Request, RequestId, Room, Start,
};
use netify_licensed::core::state::{Durable, Volatile};
use netify_licensed::core::report::status::Status;
use netify_licensed::core::time::{BootTime, Millis, Now, WallTime};
use netify_licensed::core::license::verify::State;

use crate::forge::{POOL, Paper, START, ring};

static BY_BYTES: LazyLock<HashMap<&'static [u8], &'static Paper>> =
    LazyLock::new(|| POOL.iter().map(|paper| (&paper.bytes[..], paper)).collect());

/// Everything that the engine cannot see directly.
pub struct World {
    pub engine: Engine,
    pub moment: Moment,
    pub config: Config,
    pub trusted: Vec<u8>,
    pub duid: Option<&'static str>,
    /// The file as it is.
    pub file: FileContent,
    /// What the engine was told of the file last.
    told: FileContent,
    /// The device id that the engine was told last.
    told_duid: Option<&'static str>,
    device_told: bool,
    kept: Option<Vec<u8>>,
    durable: Durable,
    volatile: Volatile,
    boots: u32,
    pub reads: u32,
    pub device_reads: u32,
    pub ask: Option<HubRequest>,
    pub io: IoId,
    probe: bool,
    pub install: Option<Vec<u8>>,
    pub remove: Option<bool>,
    pub reload: bool,
    /// Requests without a reply.
    pub waiting: BTreeMap<RequestId, Request>,
    next_id: RequestId,
}

impl World {
    /// A device with this file. The daemon has just started.
    pub fn new(file: FileContent) -> Self {
        let evidence = Evidence { kernel_synchronized: Some(true), timesync_marker: false, has_rtc: true };
        let moment = Moment { now: Now { wall: START, boot: BootTime(60_000) }, evidence, random: 0.5 };
        let (config, trusted) = (Config::default(), vec![1]);
        let (engine, actions) = begin(&config, &trusted, &Durable::default(), &Volatile::default(), None, 0, moment);
        let mut world = Self {
            engine,
            moment,
            config,
            trusted,
            duid: Some("D-1"),
            file,
            told: FileContent::Missing,
            told_duid: None,
            device_told: false,
            kept: None,
            durable: Durable::default(),
            volatile: Volatile::default(),
            boots: 0,
            reads: 0,
            device_reads: 0,
            ask: None,
            io: IoId::default(),
            probe: false,
            install: None,
            remove: None,
            reload: false,
            waiting: BTreeMap::new(),
            next_id: 1,
        };
        world.absorb(actions, false);
        world
    }

    /// The process dies and starts again, or the whole machine does. What was not saved is gone.
    pub fn restart(&mut self, reboot: bool) {
        if reboot {
            self.boots += 1;
            self.volatile = Volatile::default();
            self.moment.now.boot = BootTime(5_000);
        }
        (self.reads, self.device_reads, self.reload, self.ask, self.install, self.remove) =
            (0, 0, false, None, None, None);
        self.waiting.clear();
        (self.told, self.told_duid, self.device_told) = (FileContent::Missing, None, false);
        let kept = self.kept.clone();
        let (engine, actions) =
            begin(&self.config, &self.trusted, &self.durable, &self.volatile, kept, self.boots, self.moment);
        self.engine = engine;
        self.absorb(actions, false);
    }

    pub fn pass(&mut self, span: Millis) {
        self.moment.now.wall = self.moment.now.wall.plus(span);
        self.moment.now.boot = self.moment.now.boot.plus(span);
    }

    pub fn set_clock(&mut self, by: Millis) {
        self.moment.now.wall = WallTime(self.moment.now.wall.plus(by).0.clamp(0, 4_000_000_000_000));
    }

    /// One step of the engine, watched.
    pub fn step(&mut self, event: Event) {
        // A request that came early may be served later.
        let force = |request: &Request| matches!(request, Request::Install { force: true, .. });
        let forced = self.waiting.values().any(force);
        let actions = self.engine.step(self.moment, event);
        self.absorb(actions, forced);
        if let Some(deadline) = self.engine.next_deadline() {
            assert!(deadline.after >= 1, "{deadline:?}");
        }
    }

    /// At one and the same moment the engine comes to rest: nothing is done twice.
    pub fn rest(&mut self) {
        self.step(Event::Tick);
        let more = self.engine.step(self.moment, Event::Tick);
        assert!(more.is_empty(), "at rest, and yet {more:?}");
    }

    pub fn request(&mut self, request: Request) {
        let id = self.next_id;
        self.next_id += 1;
        self.waiting.insert(id, request.clone());
        self.step(Event::Request(id, request));
    }

    pub fn tell_file(&mut self) {
        self.reads = self.reads.saturating_sub(1);
        // Without a device id nothing can be judged; while an install is under way, its result says what the file is.
        if self.device_told && self.install.is_none() {
            self.told = self.file.clone();
        }
        self.step(Event::File(self.file.clone()));
    }

    pub fn tell_device(&mut self) {
        self.device_reads = self.device_reads.saturating_sub(1);
        (self.told_duid, self.device_told) = (self.duid, true);
        let duid = self.duid.map(str::to_owned).ok_or_else(|| "there is none".to_owned());
        self.step(Event::Device(vec![Judged { source: Source::Configured, duid }]));
    }

    /// The install ends: done, failed, or failed after the file had been replaced.
    pub fn end_install(&mut self, done: bool, replaced: bool) {
        let Some(bytes) = self.install.take() else { return };
        if done || replaced {
            self.file = FileContent::Bytes(bytes);
        }
        if done {
            self.told = self.file.clone();
        }
        let result = if done { Ok(()) } else { Err("no space left on device".to_owned()) };
        self.step(Event::Installed(result));
    }

    pub fn end_remove(&mut self, done: bool) {
        let Some(keep_file) = self.remove.take() else { return };
        if done {
            self.kept = None;
            if !keep_file {
                self.file = FileContent::Missing;
                self.told = FileContent::Missing;
            }
        }
        self.step(Event::Removed(if done { Ok(()) } else { Err("read-only file system".to_owned()) }));
    }

    pub fn configure(&mut self) {
        let keys = ring(&self.trusted);
        self.step(Event::Configured(Box::new(self.config.clone()), keys));
    }

    /// Whether these bytes are a license that may be used here, by all that the model knows.
    fn genuine(&self, bytes: &[u8]) -> Option<&'static Paper> {
        let paper = BY_BYTES.get(bytes)?;
        let signed = self.config.trust.mode == TrustMode::Transport || self.trusted.contains(&paper.seed);
        let here = match paper.duid {
            None => !self.config.trust.require_device_binding,
            Some(duid) => Some(duid) == self.told_duid,
        };
        (signed && here).then_some(*paper)
    }

    fn installed(&self) -> Option<&'static Paper> {
        match &self.told {
            FileContent::Bytes(bytes) => self.genuine(bytes),
            _ => None,
        }
    }

    fn absorb(&mut self, actions: Vec<Action>, forced: bool) {
        for action in actions {
            match action {
                Action::ReadLicense => self.reads += 1,
                Action::ReadDevice => self.device_reads += 1,
                Action::Ask(io, request) => {
                    self.io = io;
                    let before = self.ask.replace(request);
                    assert!(before.is_none(), "asks {:?} while {before:?} is under way", self.ask);
                    let retiring = self.waiting.values().any(|request| matches!(request, Request::Retire { .. }));
                    assert!(retiring || !matches!(self.ask, Some(HubRequest::Delete(_))), "nobody asked to retire");
                }
                Action::Install { license, .. } => {
                    assert!(self.install.is_none(), "two installs at once");
                    let paper = self.genuine(license.bytes()).expect("only authentic licenses are installed");
                    if let Some(old) = self.installed().filter(|_| !forced) {
                        // One whose time has not come yet stands in nobody's way.
                        let serves = old.issued <= self.moment.now.wall;
                        assert!(paper.ends > old.ends || !serves, "{} would be replaced by {}", old.ends, paper.ends);
                    }
                    self.install = Some(license.bytes().to_vec());
                }
                Action::Keep(license) => {
                    assert!(self.genuine(license.bytes()).is_some(), "only authentic licenses are kept");
                    self.kept = Some(license.bytes().to_vec());
                }
                Action::ProbeLicense { .. } => self.probe = true,
                Action::Remove { keep_file } => {
                    let retiring = self.waiting.values().any(|request| matches!(request, Request::Retire { .. }));
                    assert!(retiring && self.remove.is_none());
                    self.remove = Some(keep_file);
                }
                Action::Reload { .. } => {
                    assert!(!self.reload, "two reloads at once");
                    assert!(self.install.is_none(), "a reload during an install");
                    self.reload = true;
                }
                Action::SaveDurable(durable) => self.durable = *durable,
                Action::SaveVolatile(volatile) => self.volatile = *volatile,
                Action::Publish => self.check_status(self.engine.status().expect("a status that is published")),
                Action::Reply(id, reply) => {
                    assert!(self.waiting.remove(&id).is_some(), "a reply to nobody: {reply:?}");
                    assert!(!reply.message.is_empty());
                }
                Action::Note(_, text) => assert!(!text.is_empty() && !text.contains('\n'), "{text:?}"),
                Action::Hook | Action::CloseSession => {}
            }
        }
    }

    fn check_status(&self, status: &Status) {
        let (now, paper) = (self.moment.now.wall, self.installed());
        assert!(!status.healthy || status.state.is_usable());
        match status.state {
            State::Valid | State::Unchecked => {
                let paper = paper.expect("usable means authentic");
                assert!(status.clock.trusted && now < paper.ends, "{status:?}");
                assert_eq!(status.state == State::Unchecked, self.config.trust.mode == TrustMode::Transport);
            }
            State::Expired => {
                assert!(status.clock.trusted && paper.is_some_and(|paper| now >= paper.ends), "{status:?}");
            }
            State::NotYetValid => assert!(status.clock.trusted && paper.is_some(), "{status:?}"),
            State::ClockUntrusted => assert!(!status.clock.trusted && paper.is_some(), "{status:?}"),
            State::Missing => assert_eq!(self.told, FileContent::Missing),
            State::Unreadable => assert!(matches!(self.told, FileContent::Unreadable(_))),
            State::Malformed | State::Unsigned | State::BadSignature | State::WrongDevice => {
                assert!(paper.is_none(), "{status:?}");
            }
        }
    }
}

fn begin(
    config: &Config,
    trusted: &[u8],
    durable: &Durable,
    volatile: &Volatile,
    kept: Option<Vec<u8>>,
    boots: u32,
    moment: Moment,
) -> (Engine, Vec<Action>) {
    let start = Start {
        config: config.clone(),
        keys: ring(trusted),
        durable: durable.clone(),
        memory_lost: false,
        volatile: volatile.clone(),
        kept,
        boot_id: format!("boot-{boots}"),
        daemon: true,
    };
    Engine::new(start, moment)
}
