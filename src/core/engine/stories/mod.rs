//! Stories told to the engine on a fake clock: what people ask for, what hubs answer, and what becomes of it. Signatures
//! are not checked here; whole lives of devices are in the simulation.

mod changes;
mod clocks;
mod files;
mod logs;
mod looks;
mod patience;
mod provisioning;
mod reloads;
mod requests;
mod restarts;
mod restores;
mod retiring;
mod sentences;
mod sources;
mod successors;
mod table;
mod waiters;
mod waits;

use std::collections::BTreeMap;

use super::{
    Action, Engine, Event, FileContent, HubRequest, IoId, Level, Moment, ReloadOutcome, ReloadReport, Reply, Request,
    RequestId, Room, Start, StateFile, Why, timers,
};
use crate::core::clock::trust::Evidence;
use crate::core::config::{Config, parse};
use crate::core::device::duid::{Judged, Source};
use crate::core::hub::response::{RawAnswer, TransportError};
use crate::core::license::keys::KeyRing;
use crate::core::license::verify::Authentic;
use crate::core::report::status::Status;
use crate::core::state::word::{ReloadWord, Word};
use crate::core::state::{Durable, Volatile};
use crate::core::time::{BootTime, DAY, MINUTE, Millis, Now, SECOND, WallTime};

/// When all stories begin: 2027-01-15.
const START: WallTime = WallTime::from_unix(1_800_000_000);
/// What most of them are configured with.
const TRANSPORT: &str = "[trust]\nmode = \"transport\"\n";
const RELAY: &str = "[trust]\nmode = \"transport\"\n[hub]\nkind = \"relay\"\nurl = \"https://relay.example/license\"\n";
const PROVISION: &str =
    "[trust]\nmode = \"transport\"\n[provision]\nenabled = true\nissued-to = \"Toronto\"\nentitlements = [\"a\"]\n";

/// A license of device D-1 that lives between these days of the story.
fn license(serial: &str, from: i64, to: i64) -> Vec<u8> {
    license_with(serial, from, to, r#""duid":"D-1","entitlements":["a","b"]"#)
}

fn license_with(serial: &str, from: i64, to: i64, members: &str) -> Vec<u8> {
    let [from, to] = [from, to].map(|day| START.plus(day * DAY).unix());
    format!(r#"{{"serial":"{serial}","created_at":{{"unix":{from}}},"expire_at":{{"unix":{to}}},{members}}}"#)
        .into_bytes()
}

/// One that does not tell when it was issued, and ends on this day of the story.
fn undated(to: i64) -> Vec<u8> {
    let end = START.plus(to * DAY).unix();
    format!(r#"{{"serial":"S-1","expire_at":{{"unix":{end}}},"duid":"D-1"}}"#).into_bytes()
}

fn config(text: &str) -> Config {
    parse(text, "story").expect("a configuration")
}

/// The engine, and what it asked the world to do.
struct Story {
    engine: Engine,
    moment: Moment,
    /// What lies in the license's place, as the engine was told last.
    file: FileContent,
    asked: Option<HubRequest>,
    io: IoId,
    install: Option<Authentic>,
    /// Modification time that the file is given.
    modified: Option<WallTime>,
    kept: Option<Authentic>,
    remove: Option<bool>,
    reload: bool,
    probe: bool,
    reads: u32,
    replies: BTreeMap<RequestId, Reply>,
    notes: Vec<(Level, String)>,
    /// What was written last, and how often.
    saved: (Durable, Volatile),
    saves: u32,
    hooks: u32,
    next_id: RequestId,
}

/// The API's word that it has no such license.
pub(super) const GONE: &[u8] = br#"{"status_code":"404.000","status_message":"Not found."}"#;

impl Story {
    /// A program that has just started: the daemon, or a command.
    fn begin(text: &str, daemon: bool, kept: Option<Vec<u8>>, durable: Durable) -> Self {
        let evidence = Evidence { kernel_synchronized: Some(true), timesync_marker: false, has_rtc: true };
        let moment = Moment { now: Now { wall: START, boot: BootTime(60_000) }, evidence, random: 0.5 };
        let keys = KeyRing::from_files([]);
        let boot_id = "boot".to_owned();
        let volatile = Volatile::default();
        let start = Start { config: config(text), keys, durable, memory_lost: false, volatile, kept, boot_id, daemon };
        Self::start(start, moment)
    }

    fn start(start: Start, moment: Moment) -> Self {
        let saved = (start.durable.clone(), start.volatile.clone());
        let (engine, actions) = Engine::new(start, moment);
        let mut story = Self {
            engine,
            moment,
            file: FileContent::Missing,
            asked: None,
            io: IoId::default(),
            install: None,
            modified: None,
            kept: None,
            remove: None,
            reload: false,
            probe: false,
            reads: 0,
            replies: BTreeMap::new(),
            notes: Vec::new(),
            saved,
            saves: 0,
            hooks: 0,
            next_id: 1,
        };
        story.absorb(actions);
        story
    }

    /// The program ends, and starts again after this long: in this boot, or in another one of the machine.
    fn again(mut self, after: Millis, boot_id: &str) -> Self {
        self.end();
        let mut moment = self.moment;
        moment.now.wall = moment.now.wall.plus(after);
        moment.now.boot =
            if boot_id == self.engine.cx.boot_id { moment.now.boot.plus(after) } else { BootTime(60_000) };
        let start = Start {
            config: self.engine.cx.config.clone(),
            keys: KeyRing::from_files([]),
            durable: self.saved.0,
            memory_lost: false,
            volatile: self.saved.1,
            kept: self.engine.cx.last_good.bytes,
            boot_id: boot_id.to_owned(),
            daemon: self.engine.cx.daemon,
        };
        Self::start(start, moment).on_device(self.file)
    }

    fn end(&mut self) {
        let actions = self.engine.stop();
        self.absorb(actions);
    }

    /// The daemon on device D-1, with what its license file holds.
    fn daemon(text: &str, file: FileContent) -> Self {
        Self::begin(text, true, None, Durable::default()).on_device(file)
    }

    /// A command there: it does only what it is asked for.
    fn command(text: &str, file: FileContent) -> Self {
        Self::begin(text, false, None, Durable::default()).on_device(file)
    }

    fn on_device(mut self, file: FileContent) -> Self {
        self.device(Ok("D-1"));
        self.step(Event::File(file));
        self
    }

    fn device(&mut self, duid: Result<&str, &str>) {
        let duid = duid.map(str::to_owned).map_err(str::to_owned);
        self.step(Event::Device(vec![Judged { source: Source::Dmi, duid }]));
    }

    fn step(&mut self, event: Event) {
        if let Event::File(file) = &event {
            self.file = file.clone();
        }
        let actions = self.engine.step(self.moment, event);
        self.absorb(actions);
        // It looks before it judges what may replace the file.
        let reads = self.engine.reader.is_asked() && !self.engine.cx.file.is_unknown();
        if (reads || !self.engine.writer.jobs.is_empty()) && self.install.is_none() {
            self.step(Event::File(self.file.clone()));
        }
    }

    fn pass(&mut self, span: Millis) {
        self.moment.now = Now { wall: self.moment.now.wall.plus(span), boot: self.moment.now.boot.plus(span) };
        self.step(Event::Tick);
    }

    fn absorb(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::ReadLicense | Action::ReadDevice => self.reads += 1,
                Action::Ask(io, request) => {
                    self.io = io;
                    assert_eq!(self.asked.replace(request), None, "one request at a time");
                }
                Action::Install { license, modified } => {
                    self.modified = modified;
                    assert_eq!(self.install.replace(*license), None);
                }
                Action::Keep(license) => self.kept = Some(*license),
                Action::ProbeLicense { .. } => self.probe = true,
                Action::Remove { keep_file } => self.remove = Some(keep_file),
                Action::Reload { .. } => self.reload = true,
                Action::Reply(id, reply) => assert_eq!(self.replies.insert(id, reply), None, "one reply"),
                Action::Note(level, text) => self.notes.push((level, text)),
                Action::SaveDurable(durable) => (self.saved.0, self.saves) = (*durable, self.saves + 1),
                Action::SaveVolatile(volatile) => self.saved.1 = *volatile,
                Action::Hook => self.hooks += 1,
                Action::Publish | Action::CloseSession => {}
            }
        }
    }

    fn request(&mut self, request: Request) -> RequestId {
        let id = self.next_id;
        self.next_id += 1;
        self.step(Event::Request(id, request));
        id
    }

    fn renew(&mut self) -> RequestId {
        self.request(Request::Renew { if_due: false, dry_run: false, accept_changes: false })
    }

    fn give(&mut self, bytes: Vec<u8>, force: bool) -> RequestId {
        self.request(Request::Install { bytes, force })
    }

    /// Exit code and words of a reply; it must have come.
    fn reply(&self, id: RequestId) -> (u8, &str) {
        let reply = self.replies.get(&id).expect("a reply");
        (reply.exit, &reply.message)
    }

    #[track_caller]
    fn replied(&self, id: RequestId, exit: u8, words: &str) {
        let (code, message) = self.reply(id);
        assert!(code == exit && message.contains(words), "{code} {message}");
    }

    /// The hub answers what it was asked, which must be this.
    #[track_caller]
    fn answer(&mut self, to: &HubRequest, status: u16, body: Vec<u8>) {
        assert_eq!(self.asked.take().as_ref(), Some(to));
        self.step(Event::Answer(self.io, Ok(RawAnswer { status, body, ..RawAnswer::default() })));
    }

    /// The same by a hub that tells the time.
    #[track_caller]
    fn dated(&mut self, to: &HubRequest, data: &[u8], hub: WallTime) {
        assert_eq!(self.asked.take().as_ref(), Some(to));
        let body = [&br#"{"status_code":0,"data":"#[..], data, b"}"].concat();
        let told = Some(hub.rfc3339());
        self.step(Event::Answer(self.io, Ok(RawAnswer { status: 200, date: told, body, ..RawAnswer::default() })));
    }

    #[track_caller]
    fn data(&mut self, to: &HubRequest, data: &[u8]) {
        let body = [&br#"{"status_code":0,"data":"#[..], data, b"}"].concat();
        self.answer(to, 200, body);
    }

    fn listed(&mut self, licenses: &[Vec<u8>]) {
        self.data(&HubRequest::List, &[&b"["[..], &licenses.join(&b","[..]), b"]"].concat());
    }

    fn away(&mut self) {
        assert!(self.asked.take().is_some(), "the hub was asked");
        let error = TransportError { message: "connection refused".to_owned(), local: false };
        self.step(Event::Answer(self.io, Err(error)));
    }

    /// The license is written; it must be this one.
    #[track_caller]
    fn written(&mut self, bytes: &[u8]) {
        let license = self.install.take().expect("something to install");
        assert_eq!(license.bytes(), bytes);
        self.file = FileContent::Bytes(bytes.to_vec());
        self.step(Event::Installed(Ok(())));
    }

    fn reloaded(&mut self, outcome: ReloadOutcome) {
        assert!(std::mem::take(&mut self.reload), "netifyd is asked");
        self.step(Event::Reloaded(ReloadReport { method: "signal".to_owned(), outcome }));
    }

    fn reloaded_if_asked(&mut self) {
        if self.reload {
            self.reloaded(ReloadOutcome::Confirmed);
        }
    }

    /// Time until the next attempt by itself, and why then.
    #[track_caller]
    fn next(&self) -> (Millis, &str) {
        let renewal = &self.status().renewal;
        let at = renewal.next_attempt_at.expect("a next attempt").0;
        (at.since(self.moment.now.wall), renewal.reason.as_deref().unwrap_or_default())
    }

    /// The hub asks for patience.
    fn limited(&mut self, seconds: u32) {
        assert!(self.asked.take().is_some());
        let retry_after = Some(seconds.to_string());
        self.step(Event::Answer(self.io, Ok(RawAnswer { status: 429, retry_after, ..RawAnswer::default() })));
    }

    /// Time goes by until the next attempt, and not a millisecond less.
    #[track_caller]
    fn wait(&mut self) {
        let (wait, _) = self.next();
        self.pass(wait - 1);
        assert_eq!(self.asked, None, "too early");
        self.pass(1);
        assert!(self.asked.is_some(), "too late");
    }

    fn status(&self) -> &Status {
        self.engine.status().expect("a status")
    }

    #[track_caller]
    fn noted(&self, level: Level, words: &str) {
        assert!(self.notes.iter().any(|(l, text)| *l == level && text.contains(words)), "{:?}", self.notes);
    }
}

/// With a kept copy of a license.
fn keeping(text: &str, daemon: bool, file: FileContent) -> Story {
    let durable = Durable { boot_id: "boot".to_owned(), ..Durable::default() };
    Story::begin(text, daemon, Some(license("S-1", 0, 7)), durable).on_device(file)
}

/// The daemon of a license that ends in a day and is due; the hub is being asked.
fn due() -> Story {
    Story::daemon(TRANSPORT, FileContent::Bytes(ours()))
}

fn ours() -> Vec<u8> {
    license("S-1", -6, 1)
}

/// The hub answers what the daemon of this license asks: the time until it asks again.
fn wait_after(story: &mut Story, status: u16, body: &[u8]) -> Millis {
    story.answer(&view("S-1"), status, body.to_vec());
    story.reloaded_if_asked();
    story.next().0
}

fn view(serial: &str) -> HubRequest {
    HubRequest::View(serial.parse().expect("a serial"))
}

fn renewal(serial: &str) -> HubRequest {
    HubRequest::Renew { serial: serial.parse().expect("a serial"), term_days: None }
}

fn creation() -> HubRequest {
    HubRequest::Create { duid: "D-1".to_owned() }
}
