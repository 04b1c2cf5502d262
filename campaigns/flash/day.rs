//! A day of the engine on a simulated clock: one look each minute, and every deadline in between.

use std::fmt;

use netify_licensed::core::clock::trust::Evidence;
use netify_licensed::core::config;
use netify_licensed::core::device::duid::{Judged, Source};
use netify_licensed::core::engine::{Action, Engine, Event, FileContent, Moment, ReloadOutcome, ReloadReport, Start};
use netify_licensed::core::hub::response::TransportError;
use netify_licensed::core::license::keys::KeyRing;
use netify_licensed::core::state::{Durable, Volatile};
use netify_licensed::core::time::{BootTime, DAY, MINUTE, Now, WallTime};

use test_bench::device::{DUID, spec};

/// What kind of day it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The license is fresh, and nothing happens.
    Idle,
    /// The license is due, and the hub cannot be reached.
    Outage,
}

/// What was done, after the start.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Counts {
    pub(crate) steps: usize,
    /// Writes of the license, the kept copy and the state.
    pub(crate) flash: usize,
    /// Writes of the runtime directory.
    pub(crate) volatile: usize,
    /// Writes of the status, in the runtime directory too.
    pub(crate) published: usize,
    pub(crate) asked: usize,
}

impl Counts {
    pub(crate) const HEADER: &str = "steps  flash  session  status  requests";
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { steps, flash, volatile, published, asked } = self;
        write!(f, "{steps:5}  {flash:5}  {volatile:7}  {published:6}  {asked:8}")
    }
}

/// Lives through the day.
pub(crate) fn simulate(kind: Kind) -> Counts {
    let key = hub_emulator::SigningKey::from_seed(6);
    let issued = WallTime::from_unix(1_800_000_000);
    let license = spec(super::DAY).created_at(issued.unix()).expire_at(issued.plus(7 * DAY).unix());
    let age = if kind == Kind::Idle { DAY } else { 11 * DAY / 2 };
    let evidence = Evidence { kernel_synchronized: Some(true), timesync_marker: false, has_rtc: true };
    let mut moment = Moment { now: Now { wall: issued.plus(age), boot: BootTime(DAY) }, evidence, random: 0.5 };
    let start = Start {
        config: config::parse("", "test").expect("the defaults"),
        keys: KeyRing::from_files([("hub.pem".to_owned(), Ok(key.public_key_pem().into_bytes()))]),
        durable: Durable::default(),
        memory_lost: false,
        volatile: Volatile::default(),
        kept: None,
        boot_id: "this boot".to_owned(),
        daemon: true,
    };
    let (mut engine, actions) = Engine::new(start, moment);
    assert!(!actions.is_empty());
    let mut counts = Counts::default();
    let judged = Judged { source: Source::Dmi, duid: Ok(DUID.to_owned()) };
    let mut events = vec![Event::File(FileContent::Bytes(super::sign(&key, &license))), Event::Device(vec![judged])];
    let (begin, mut poll) = (moment.now.boot, moment.now.boot.plus(MINUTE));
    let mut started = false;
    loop {
        while let Some(event) = events.pop() {
            counts.steps += 1;
            for action in engine.step(moment, event) {
                match action {
                    Action::Install { .. } | Action::Keep(_) | Action::SaveDurable(_) => counts.flash += 1,
                    Action::SaveVolatile(_) => counts.volatile += 1,
                    Action::Publish => counts.published += 1,
                    Action::Ask(io, _) => {
                        counts.asked += 1;
                        let error = TransportError { message: "no route to host".to_owned(), local: false };
                        events.push(Event::Answer(io, Err(error)));
                    }
                    Action::Reload { .. } => {
                        let report = ReloadReport { method: "signal".to_owned(), outcome: ReloadOutcome::Confirmed };
                        events.push(Event::Reloaded(report));
                    }
                    _ => {}
                }
            }
        }
        if !started {
            // The first minute writes down what was found; the day begins after it.
            assert!(counts.flash > 0, "the start was recorded");
            (started, counts) = (true, Counts::default());
        }
        let deadline = engine.next_deadline().map_or(i64::MAX, |deadline| deadline.after);
        let to_poll = poll.since(moment.now.boot);
        let step = deadline.min(to_poll).max(1);
        moment.now = Now { wall: moment.now.wall.plus(step), boot: moment.now.boot.plus(step) };
        if moment.now.boot.since(begin) > DAY {
            return counts;
        }
        if step == to_poll {
            poll = poll.plus(MINUTE);
            events.push(Event::Poll);
        }
        events.push(Event::Tick);
    }
}
