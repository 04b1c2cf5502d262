//! The license daemon as a state machine without I/O: events and the time go in, actions and the next deadline come out.
//!
//! The engine owns one state machine for each thing that can be under way, and routes events to them: the reader and the
//! writer of the license file, the attempt at the hub, the reload of netifyd, the requests of people. What all of them
//! need to know is in the context.

mod advice;
mod attempt;
mod candidate;
mod change;
mod context;
mod describe;
mod end;
mod event;
mod file;
mod find;
mod issue;
mod log;
mod outcome;
mod reader;
mod reload;
mod requests;
mod restore;
mod store;
#[cfg(test)]
mod stories;
mod timers;
mod writer;

use super::config::Config;
use super::time::BootTime;
use crate::core::clock::trust::Trust;
use crate::core::device::duid::{self, Judged};
use crate::core::license::keys::KeyRing;
use crate::core::report::status::Status;
use crate::core::schedule::plan::Lot;
use crate::core::state::word::Word;
use crate::core::state::{Durable, Volatile};
use attempt::Attempt;
use context::{Context, Device, LastGood};
use describe::Published;
use file::FileView;
use log::Log;
use reader::Reader;
use reload::Reload;
use requests::Requests;
use restore::Restore;
use writer::Writer;

pub use event::{
    Action, Deadline, Event, FileContent, HubRequest, IoId, Level, Moment, ReloadOutcome, ReloadReport, Reply, Request,
    RequestId, Room, StateFile,
};
pub use timers::{Io, Waiting, Why};

/// What the engine begins with.
#[derive(Debug)]
pub struct Start {
    /// Checked configuration.
    pub config: Config,
    /// Trusted keys.
    pub keys: KeyRing,
    /// From the state directory.
    pub durable: Durable,
    /// There was something in the state directory, and it could not be read.
    pub memory_lost: bool,
    /// From the runtime directory.
    pub volatile: Volatile,
    /// The last-known-good license, if there is one.
    pub kept: Option<Vec<u8>>,
    /// This boot.
    pub boot_id: String,
    /// Whether this is the daemon; a command does only what it was asked for.
    pub daemon: bool,
}

/// The state machine. See the module's documentation.
#[derive(Debug)]
pub struct Engine {
    cx: Context,
    reader: Reader,
    writer: Writer,
    restore: Restore,
    attempt: Option<Attempt>,
    /// No automatic attempt before this.
    not_before: Option<BootTime>,
    last_io: IoId,
    reload: Reload,
    requests: Requests,
    recalled: Recalled,
    saved_durable: Option<Durable>,
    saved_volatile: Option<Volatile>,
    unwritten: store::Unwritten,
    published: Published,
    log: Log,
    /// Whether the clock was believed at the end of the last step.
    trusted_before: bool,
    actions: Vec<Action>,
}

/// How far the saved state tells what netifyd has loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Recalled {
    OfThisBoot,
    /// Or of no boot at all: since then netifyd has started, with what the file held.
    OfAnotherBoot,
    /// There was one, and it cannot be read: netifyd may have to be told.
    Lost,
}

impl Engine {
    /// Begins. The first action looks up the device id; the license file is read when that is known.
    #[must_use]
    pub fn new(start: Start, moment: Moment) -> (Self, Vec<Action>) {
        let recalled = match start.durable.boot_id == start.boot_id {
            _ if start.memory_lost => Recalled::Lost,
            true => Recalled::OfThisBoot,
            false => Recalled::OfAnotherBoot,
        };
        let saved_durable = (start.durable != Durable::default()).then(|| start.durable.clone());
        let mut engine = Self {
            not_before: None,
            reader: Reader::Idle,
            writer: Writer::new(),
            restore: Restore::FREE,
            attempt: None,
            last_io: IoId::default(),
            reload: Reload::resume(start.volatile.reload_pause.as_ref(), &start.boot_id),
            requests: Requests::default(),
            recalled,
            saved_durable,
            saved_volatile: Some(start.volatile.clone()),
            unwritten: store::Unwritten::default(),
            published: Published::default(),
            log: Log::default(),
            trusted_before: false,
            // The device first: a license that is bound to it cannot be judged before.
            actions: vec![Action::ReadDevice],
            cx: Context {
                config: start.config,
                keys: start.keys,
                device: Device::Unread,
                daemon: start.daemon,
                boot_id: start.boot_id,
                moment,
                trust: Trust { trusted: false, why: "".into(), review_in: None },
                hub_clock: None,
                file: FileView::Unknown,
                just_read: false,
                not_adopted: None,
                signed_date: None,
                last_good: LastGood { bytes: start.kept, license: None },
                durable: start.durable,
                volatile: start.volatile,
                lot: Lot::default(),
            },
        };
        engine.resume();
        let actions = std::mem::take(&mut engine.actions);
        (engine, actions)
    }

    /// Puts what was remembered into today's terms.
    fn resume(&mut self) {
        let wall = self.cx.wall_now();
        let cx = &mut self.cx;
        cx.durable.automatic.resume(wall);
        cx.volatile.manual.resume(wall);
        cx.volatile.hurries.resume(wall);
        cx.volatile.restores.resume(wall);
        if let Some(at) = cx.volatile.not_before.as_ref().filter(|at| at.boot_id == cx.boot_id) {
            self.not_before = Some(BootTime(at.boot));
        }
        // A restart is how a credential of the service manager is exchanged.
        if cx.volatile.history.last().is_some_and(|last| matches!(last.outcome, Word::Refused | Word::NotReady)) {
            self.try_again_soon();
        }
    }

    /// One step: what happened, and what is to be done about it.
    pub fn step(&mut self, moment: Moment, event: Event) -> Vec<Action> {
        self.cx.pass(moment);
        self.cx.just_read = false;
        self.log.license_was_named = false;
        match event {
            Event::FileChanged => self.reader.changed(moment.now.boot),
            Event::File(content) => self.file_read(content),
            Event::Device(judged) => self.device_read(judged),
            Event::Answer(io, answer) => self.answered(io, answer),
            Event::Installed(result) => self.installed(result),
            Event::Probed(room) => self.probed(room),
            Event::Removed(result) => self.removed(result),
            Event::Reloaded(report) => self.reloaded(&report),
            Event::Wrote(file, result) => self.wrote(file, result),
            Event::Request(id, request) => self.request_arrived(id, request),
            Event::RequesterLeft(id) => self.requests.leave(id),
            Event::Configured(config, keys) => self.configured(*config, keys),
            Event::Tick => {}
            Event::Poll => self.poll(),
        }
        self.look_at_requests();
        self.advance();
        std::mem::take(&mut self.actions)
    }

    /// Starts whatever is due and says what changed.
    fn advance(&mut self) {
        self.correct_stored_times();
        if self.trusted_before != self.cx.trust.trusted {
            // What is left of the license is known anew: a wait that was chosen before must not cost it.
            self.fit_wait();
        }
        self.trusted_before = self.cx.trust.trusted;
        if self.reader.on_time(self.cx.boot_now()) {
            self.actions.push(Action::ReadLicense);
        }
        self.restore_on_time();
        self.adopt_what_became_valid();
        if self.may_begin() {
            self.start_if_due();
        }
        self.reload_if_owed();
        self.requests_on_time();
        self.save_when_quiet();
        self.publish();
    }

    /// Whether the daemon may begin something by itself: nothing is under way, and no other process writes the file.
    fn may_begin(&self) -> bool {
        let busy = self.attempt.is_some() || self.writer.is_replacing();
        self.cx.daemon && !busy && self.reader.is_idle()
    }

    /// When it was last stepped, by the clock that does not step: deadlines count from there.
    #[must_use]
    pub const fn stepped_at(&self) -> BootTime {
        self.cx.moment.now.boot
    }

    /// The status as last published.
    #[must_use]
    pub const fn status(&self) -> Option<&Status> {
        self.published.status.as_ref()
    }

    /// Configuration in force.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.cx.config
    }

    fn device_read(&mut self, judged: Vec<Judged>) {
        let (before, moment_now) = (self.cx.duid().map(str::to_owned), self.cx.wall_now());
        self.cx.device = Device::Read(judged);
        if self.cx.file.is_unknown() {
            self.read_license();
        }
        let sources = self.cx.device.sources();
        let (level, text) = match duid::winner(sources) {
            Some((duid, source)) => (Level::Info, format!("device id {duid} from {source}")),
            None => (Level::Warn, duid::none_usable(sources)),
        };
        if self.cx.duid() != before.as_deref() {
            self.note(level, text);
            self.judge_again();
        } else if before.is_none() && self.log.first_time("no device", moment_now) {
            self.note(level, text);
        }
    }

    fn configured(&mut self, config: Config, keys: KeyRing) {
        for problem in &keys.problems {
            self.actions.push(Action::Note(Level::Warn, problem.clone()));
        }
        let moved = self.cx.config.license.path != config.license.path;
        let is_other_source =
            self.cx.config.hub != config.hub || self.cx.config.license.serial != config.license.serial;
        self.cx.config = config;
        self.cx.keys = keys;
        if moved {
            // What was read lay elsewhere; nothing is written anywhere before it is known what lies there.
            self.cx.file = FileView::Unknown;
            self.cx.volatile.restored = None;
            self.restore = Restore::FREE;
            self.reader.forget_change();
        }
        self.mark_source();
        self.judge_again();
        if is_other_source {
            self.source_changed();
        }
        self.try_again_soon();
        self.actions.push(Action::ReadDevice);
        self.read_license();
    }

    /// A device id or a file that could not be read may have become readable, and what could not be written writable.
    fn poll(&mut self) {
        self.write_again();
        if self.cx.duid().is_none() {
            self.actions.push(Action::ReadDevice);
        }
        if matches!(self.cx.file, FileView::Unreadable(_)) {
            self.read_license();
        }
    }
}
