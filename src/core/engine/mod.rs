//! The license daemon as a state machine without I/O: events and the time go in, actions and the next deadline come out.

mod advice;
mod attempt;
mod attempt_end;
mod change;
mod deadline;
mod event;
mod file;
mod install;
mod provision;
mod reload;
mod request;
mod save;
#[cfg(test)]
mod stories;
mod view;

use super::config::{ClockTrust, Config, HubKind, TrustMode};
use super::time::{BootTime, DAY, WallTime};
use crate::core::clock::trust::{self, Known, Trust};
use crate::core::device::duid::{self, Judged};
use crate::core::license::document::Serial;
use crate::core::license::keys::KeyRing;
use crate::core::license::verify::{Authentic, State, Verifier};
use crate::core::report::status::Status;
use crate::core::schedule::plan::{Life, Lot, Plan};
use crate::core::state::{Durable, Volatile};
use attempt::Attempt;
use file::FileView;
use reload::Reload;

pub use event::{
    Action, Deadline, Event, FileContent, HubRequest, Level, Moment, ReloadOutcome, ReloadReport, Reply, Request,
    RequestId, StateFile,
};

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
    /// The kept license, if there is one.
    pub kept: Option<Vec<u8>>,
    /// This boot.
    pub boot_id: String,
    /// Whether this is the daemon; a command does only what it was asked for.
    pub daemon: bool,
}

/// The state machine. See the module's documentation.
#[derive(Debug)]
pub struct Engine {
    config: Config,
    keys: KeyRing,
    device: Vec<Judged>,
    /// The device id was looked up, whatever came of it.
    device_known: bool,
    /// Requests that wait until the file was read for the first time.
    deferred: Vec<(RequestId, Request)>,
    daemon: bool,
    boot_id: String,
    memory: Memory,
    moment: Moment,
    trust: Trust,
    /// The hub's clock (authenticated by TLS) against the boot clock, when it last told the time.
    hub_clock: Option<(WallTime, BootTime)>,
    file: FileView,
    /// Bytes of the kept license, and the license if they verify today.
    kept_bytes: Option<Vec<u8>>,
    kept: Option<Authentic>,
    settle: Option<(BootTime, BootTime)>,
    attempt: Option<Attempt>,
    not_before: Option<BootTime>,
    installing: Option<install::Installing>,
    /// What waits for the file to be read.
    looking: Vec<install::Looking>,
    look: Look,
    retiring: Option<Retiring>,
    reload: Reload,
    durable: Durable,
    saved_durable: Option<Durable>,
    volatile: Volatile,
    saved_volatile: Option<Volatile>,
    unwritten: save::Unwritten,
    published: Option<Status>,
    notes: view::Notes,
    lot: Lot,
    actions: Vec<Action>,
}

/// How old the view of the license file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    /// It is of a step before this one.
    Past,
    /// The file is being read.
    Asked,
    /// It is of this moment: what is decided now is not decided by what the file was.
    Fresh,
}

/// How far the durable memory tells what netifyd has loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Memory {
    OfThisBoot,
    /// Or of no boot at all: since then netifyd has started, with what the file held.
    OfAnotherBoot,
    /// There was one, and it cannot be read: netifyd may have to be told.
    Lost,
}

/// The license is gone at the hub, and its file is on its way.
#[derive(Debug)]
struct Retiring {
    waiters: Vec<RequestId>,
    /// The license that is gone.
    serial: Option<Serial>,
    keep_file: bool,
    /// What became of it at the hub: one clause.
    how: &'static str,
}

impl Engine {
    /// Begins. The first action looks up the device id; the license file is read when that is known.
    #[must_use]
    pub fn new(start: Start, moment: Moment) -> (Self, Vec<Action>) {
        let memory = match start.durable.boot_id == start.boot_id {
            _ if start.memory_lost => Memory::Lost,
            true => Memory::OfThisBoot,
            false => Memory::OfAnotherBoot,
        };
        let mut engine = Self {
            not_before: None,
            config: start.config,
            keys: start.keys,
            device: Vec::new(),
            device_known: false,
            deferred: Vec::new(),
            daemon: start.daemon,
            boot_id: start.boot_id,
            memory,
            moment,
            trust: Trust { trusted: false, why: "".into(), review_in: None },
            hub_clock: None,
            file: FileView::Unknown,
            kept_bytes: start.kept,
            kept: None,
            settle: None,
            attempt: None,
            installing: None,
            looking: Vec::new(),
            look: Look::Past,
            retiring: None,
            reload: Reload::default(),
            saved_durable: (start.durable != Durable::default()).then(|| start.durable.clone()),
            durable: start.durable,
            saved_volatile: Some(start.volatile.clone()),
            volatile: start.volatile,
            unwritten: save::Unwritten::default(),
            published: None,
            notes: view::Notes::default(),
            lot: Lot::default(),
            actions: Vec::new(),
        };
        engine.resume();
        // The device first: a license that is bound to it cannot be judged before.
        engine.actions.push(Action::ReadDevice);
        let actions = std::mem::take(&mut engine.actions);
        (engine, actions)
    }

    /// Puts what was remembered into today's terms.
    fn resume(&mut self) {
        let now = self.moment.now;
        self.durable.automatic.resume(now.wall);
        self.volatile.manual.resume(now.wall);
        if let Some(at) = self.volatile.not_before.as_ref().filter(|at| at.boot_id == self.boot_id) {
            self.not_before = Some(BootTime(at.boot));
        }
        // A restart is how a credential of the service manager is exchanged.
        if self.volatile.history.last().is_some_and(|last| matches!(last.outcome.as_str(), "refused" | "not-ready")) {
            self.try_again_soon();
        }
        self.reload.resume(self.volatile.reload_pause.as_ref(), &self.boot_id, now.boot);
    }

    /// One step: what happened, and what is to be done about it.
    pub fn step(&mut self, moment: Moment, event: Event) -> Vec<Action> {
        let elapsed = moment.now.boot.since(self.moment.now.boot);
        self.moment = moment;
        self.durable.automatic.pass(elapsed, moment.now.wall);
        self.volatile.manual.pass(elapsed, moment.now.wall);
        self.judge_clock();
        self.look = match (&event, self.look) {
            (Event::File(_), _) => Look::Fresh,
            (_, Look::Fresh) => Look::Past,
            (_, look) => look,
        };
        match event {
            Event::FileChanged => self.file_changed(),
            Event::File(content) => self.file_read(content),
            Event::Device(judged) => self.device_read(judged),
            Event::Answer(answer) => self.answered(answer),
            Event::Installed(result) => self.installed(result),
            Event::Removed(result) => self.removed(result),
            Event::Reloaded(report) => self.reloaded(&report),
            Event::Wrote(file, result) => self.wrote(file, result),
            Event::Request(id, request) => self.deferred.push((id, request)),
            Event::Configured(config, keys) => self.configured(*config, keys),
            Event::Tick => {}
            Event::Poll => self.look_around(),
        }
        if !self.file.is_unknown() {
            for (id, request) in std::mem::take(&mut self.deferred) {
                self.requested(id, request);
            }
        }
        self.advance();
        std::mem::take(&mut self.actions)
    }

    /// Starts whatever is due and says what changed.
    fn advance(&mut self) {
        self.judge_clock();
        self.correct_guesses();
        if self.settle.is_some_and(|(at, _)| at <= self.moment.now.boot) {
            self.settle = None;
            self.read_license();
        }
        self.adopt_what_has_ripened();
        if self.may_begin() {
            self.start_if_due();
        }
        self.reload_if_owed();
        self.save_when_quiet();
        self.publish();
    }

    /// Has the file read, once however many ask for it.
    fn read_license(&mut self) {
        if self.look != Look::Asked {
            self.look = Look::Asked;
            self.actions.push(Action::ReadLicense);
        }
    }

    /// Whether the daemon may begin something by itself: nothing is under way, and nobody is writing the file.
    fn may_begin(&self) -> bool {
        let busy = self.attempt.is_some() || self.installing.is_some();
        self.daemon && !busy && self.look != Look::Asked && self.settle.is_none()
    }

    /// When it was last stepped, by the clock that does not step: deadlines count from there.
    #[must_use]
    pub const fn stepped_at(&self) -> BootTime {
        self.moment.now.boot
    }

    /// The status as last published.
    #[must_use]
    pub const fn status(&self) -> Option<&Status> {
        self.published.as_ref()
    }

    /// Configuration in force.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// The end of the run: what is still to be written.
    pub fn stop(&mut self) -> Vec<Action> {
        let saved = self.saved_durable.as_ref().and_then(|saved| saved.last_good_time);
        let aged = self.trusted_now().is_some_and(|now| saved.is_none_or(|saved| now.since(saved) > DAY));
        let unwritten = self.state_trouble(StateFile::Memory).is_some();
        if (aged || unwritten) && !self.file.is_unknown() {
            self.saved_durable = None;
        }
        self.save_durable();
        self.save_when_quiet();
        std::mem::take(&mut self.actions)
    }

    fn judge_clock(&mut self) {
        let known = Known {
            last_good: self.durable.last_good_time,
            created_at: [self.kept.as_ref(), self.file.good()]
                .into_iter()
                .flatten()
                .filter_map(|l| l.license().created_at)
                .max(),
        };
        let always = self.config.clock.trust == ClockTrust::Always;
        self.trust = trust::judge(self.moment.now, &self.moment.evidence, &known, always);
    }

    /// The time, if the clock can be believed.
    fn trusted_now(&self) -> Option<WallTime> {
        self.trust.trusted.then_some(self.moment.now.wall)
    }

    /// The best knowledge of the time: the trusted clock, else the hub's.
    fn best_now(&self) -> Option<WallTime> {
        self.trusted_now().or_else(|| self.hub_now())
    }

    /// The time by which the hub dates its licenses and counts its days: its own where it tells. Ours may be days or years
    /// ahead and believed.
    fn dating_now(&self) -> Option<WallTime> {
        self.hub_now().or_else(|| self.trusted_now())
    }

    /// What the hub's clock says by now, if it ever told.
    fn hub_now(&self) -> Option<WallTime> {
        self.hub_clock.map(|(wall, boot)| wall.plus(self.moment.now.boot.since(boot)))
    }

    fn duid(&self) -> Option<&str> {
        duid::winner(&self.device).map(|(duid, _)| duid)
    }

    fn verifier(&self) -> Verifier {
        Verifier {
            keys: (self.config.trust.mode == TrustMode::Signature).then(|| self.keys.clone()),
            duid: self.duid().map(str::to_owned),
            require_device_binding: self.config.trust.require_device_binding,
        }
    }

    const fn is_relay(&self) -> bool {
        matches!(self.config.hub.kind, HubKind::Relay)
    }

    /// What candidates are held against: the installed license, else the kept one. A license whose time has not come by
    /// the hub's clock either stands in nobody's way; this clock alone may be a slow one.
    fn measure(&self) -> Option<&Authentic> {
        match self.file.good() {
            Some(file) if self.is_surely_premature(file) => self.kept.as_ref().filter(|kept| *kept != file),
            file => file.or(self.kept.as_ref()),
        }
    }

    /// What falls due: the installed license, else the kept one, which also serves until the installed one's time comes.
    fn reference(&self) -> Option<&Authentic> {
        let kept = self.kept.as_ref();
        let serves = |kept: &&Authentic| kept.state(self.trusted_now()).is_usable();
        match self.file.good() {
            Some(file) if self.is_premature(file) => kept.filter(serves).or(Some(file)),
            file => file.or(kept),
        }
    }

    /// The state of what is installed.
    fn state(&self) -> State {
        self.file.state(self.trusted_now())
    }

    fn plan(&self, license: &Authentic) -> Plan {
        let issue = self.durable.issue_of(license.sha256());
        let fields = license.license();
        self.lot.plan(&Life {
            issued: issue.map(|issue| issue.at).or(fields.created_at).unwrap_or(self.moment.now.wall),
            expires: fields.expires_at,
            renew_before: self.config.renewal.renew_before.as_ref().map(super::config::Span::millis),
            own_renewal: issue.is_some_and(|issue| issue.own_renewal),
            duid: self.duid().unwrap_or_default(),
            serial: &fields.serial,
        })
    }

    fn device_read(&mut self, judged: Vec<Judged>) {
        let before = self.duid().map(str::to_owned);
        self.device = judged;
        self.device_known = true;
        if self.file.is_unknown() {
            self.read_license();
        }
        if self.duid().map(str::to_owned) != before {
            match duid::winner(&self.device) {
                Some((duid, source)) => {
                    let text = format!("device id {duid} from {source}");
                    self.note(Level::Info, text);
                }
                None => self.note(Level::Warn, duid::none_usable(&self.device)),
            }
            self.judge_again();
        } else if before.is_none() && self.notes.first_time("no device") {
            self.note(Level::Warn, duid::none_usable(&self.device));
        }
    }

    fn configured(&mut self, config: Config, keys: KeyRing) {
        for problem in &keys.problems {
            self.actions.push(Action::Note(Level::Warn, problem.clone()));
        }
        let moved = self.config.license.path != config.license.path;
        self.config = config;
        self.keys = keys;
        if moved {
            // What was read lay elsewhere; nothing is put anywhere before it is known what lies there.
            self.file = FileView::Unknown;
            self.settle = None;
        }
        self.mark_source();
        self.judge_again();
        self.try_again_soon();
        self.actions.push(Action::ReadDevice);
        self.read_license();
    }

    /// A device id or a file that could not be read may have become readable, and what could not be written writable.
    fn look_around(&mut self) {
        self.write_again();
        if self.duid().is_none() {
            self.actions.push(Action::ReadDevice);
        }
        if matches!(self.file, FileView::Unreadable(_)) {
            self.read_license();
        }
    }

    fn note(&mut self, level: Level, text: impl Into<String>) {
        self.actions.push(Action::Note(level, text.into()));
    }

    fn reply(&mut self, waiters: Vec<RequestId>, exit: u8, message: &str) {
        for id in waiters {
            self.actions.push(Action::Reply(id, Reply { exit, message: message.to_owned() }));
        }
    }
}
