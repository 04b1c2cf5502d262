//! The engine alone, at any time: for what a real machine cannot be made to show, and for every license state.

use hub_emulator::{BodyStyle, Format, LicenseSpec, SigningKey};
use netify_licensed::core::clock::trust::Evidence;
use netify_licensed::core::config;
use netify_licensed::core::device::duid::{Judged, Source};
use netify_licensed::core::engine::{Action, Engine, Event, FileContent, IoId, Level, Moment, Start};
use netify_licensed::core::hub::response::{RawAnswer, TransportError};
use netify_licensed::core::license::keys::{KeyFile, KeyRing};
use netify_licensed::core::report::status::Status;
use netify_licensed::core::state::{Durable, Volatile};
use netify_licensed::core::time::{BootTime, Millis, Now, WallTime};

use super::gateway::{DAY, DUID, SERIAL};

/// 2026-12-01 12:00:00 UTC.
pub(crate) const NOON: i64 = 1_796_126_400;

pub(crate) fn key() -> SigningKey {
    SigningKey::from_seed(7)
}

/// A license that ends six days after [`NOON`], issued the day before.
pub(crate) fn spec() -> LicenseSpec {
    LicenseSpec::new(SERIAL).duid(DUID).created_at(NOON - DAY).expire_at(NOON + 6 * DAY)
}

pub(crate) fn signed(spec: &LicenseSpec) -> Vec<u8> {
    spec.to_json(&key(), Format::Netifyd, BodyStyle::Compact).into_bytes()
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Bench {
    engine: Engine,
    moment: Moment,
    /// Everything that was published, logged, and how often the hook was to run.
    pub(crate) published: Vec<Status>,
    pub(crate) notes: Vec<(Level, String)>,
    pub(crate) hooks: usize,
    pub(crate) asked: usize,
    io: IoId,
    pub(crate) reloads: usize,
    file: FileContent,
}

impl Bench {
    /// A daemon that starts at `unix`, up for a day, with a file of this content.
    pub(crate) fn start(settings: &str, unix: i64, content: FileContent) -> Self {
        Self::start_with(settings, unix, content, true)
    }

    pub(crate) fn start_with(settings: &str, unix: i64, content: FileContent, has_device: bool) -> Self {
        let evidence = Evidence { kernel_synchronized: Some(false), timesync_marker: false, has_rtc: true };
        let now = Now { wall: WallTime::from_unix(unix), boot: BootTime(86_400_000) };
        let moment = Moment { now, evidence, random: 0.5 };
        let file: KeyFile =
            ("/etc/netify-licensed/keys.d/vendor.pem".to_owned(), Ok(key().public_key_pem().into_bytes()));
        let start = Start {
            config: config::parse(settings, "test").expect("a configuration"),
            keys: KeyRing::from_files([file]),
            durable: Durable::default(),
            memory_lost: false,
            volatile: Volatile::default(),
            kept: None,
            boot_id: "this-boot".to_owned(),
            daemon: true,
        };
        let (engine, actions) = Engine::new(start, moment);
        let mut bench = Self {
            engine,
            moment,
            published: Vec::new(),
            notes: Vec::new(),
            hooks: 0,
            asked: 0,
            io: IoId::default(),
            reloads: 0,
            file: content.clone(),
        };
        bench.take(actions);
        let duid = if has_device {
            Ok(DUID.to_owned())
        } else {
            Err("/sys/class/dmi/id/product_uuid: no such file or directory".to_owned())
        };
        bench.step(Event::Device(vec![Judged { source: Source::Dmi, duid }]));
        bench.step(Event::File(content));
        bench
    }

    pub(crate) fn step(&mut self, event: Event) {
        let actions = self.engine.step(self.moment, event);
        self.take(actions);
    }

    /// Time goes by on both clocks.
    pub(crate) fn pass(&mut self, span: Millis) {
        self.moment.now = Now { wall: self.moment.now.wall.plus(span), boot: self.moment.now.boot.plus(span) };
    }

    /// The wall clock is set.
    pub(crate) fn pass_wall(&mut self, span: Millis) {
        self.moment.now.wall = self.moment.now.wall.plus(span);
    }

    /// The hub cannot be reached: one sentence.
    pub(crate) fn fail(&mut self, message: &str) {
        self.step(Event::Answer(self.io, Err(TransportError { message: message.to_owned(), local: false })));
    }

    /// The hub answers with a license.
    #[allow(dead_code, reason = "for the next screen")]
    pub(crate) fn answer(&mut self, license: &[u8]) {
        let text = String::from_utf8_lossy(license);
        let body = format!("{{\"status_code\":0,\"status_message\":\"Success.\",\"data\":{text}}}").into_bytes();
        self.step(Event::Answer(self.io, Ok(RawAnswer { status: 200, body, ..RawAnswer::default() })));
        // It looks before it writes.
        self.step(Event::File(self.file.clone()));
    }

    pub(crate) fn now(&self) -> WallTime {
        self.moment.now.wall
    }

    pub(crate) fn status(&self) -> &Status {
        self.published.last().expect("a status")
    }

    fn take(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Publish => self.published.extend(self.engine.status().cloned()),
                Action::Note(level, text) => self.notes.push((level, text)),
                Action::Hook => self.hooks += 1,
                Action::Ask(io, _) => {
                    self.asked += 1;
                    self.io = io;
                }
                Action::Reload { .. } => self.reloads += 1,
                _ => {}
            }
        }
    }
}
