//! One device's life: the real engine, stepped from deadline to deadline.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use netify_licensed::core::engine::{Engine, Event, Moment};
use netify_licensed::core::time::{HOUR, Millis, SECOND};

use crate::clock::Clock;
use crate::device::Device;
use crate::fingerprint::Fingerprint;
use crate::happening::{Fault, Happening};
use crate::hub::Hub;
use crate::netifyd::Netifyd;
use crate::oracle::{Oracle, Violation};
use crate::random::Random;
use crate::sabotage::Sabotage;
use crate::stage::{Disk, Stage};
use crate::statistics::Statistics;

/// 2027-01-04, a Monday after the release.
pub const BEGIN: Millis = 1_799_020_800 * SECOND;

/// A happening in the queue; the earliest first, then the one that was queued first.
#[derive(Debug)]
struct Entry(Reverse<(Millis, u64)>, Happening);

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl Eq for Entry {}
impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}

/// A device's world.
#[derive(Debug)]
pub struct World {
    pub(crate) stage: Stage,
    pub(crate) random: Random,
    queue: BinaryHeap<Entry>,
    sequence: u64,
    pub(crate) engine: Option<Box<Engine>>,
    pub(crate) incarnation: u32,
    pub(crate) boot_number: u32,
    pub(crate) switched_off_at: Millis,
    wake: Option<Millis>,
    pub(crate) state_trouble: [bool; 2],
    /// A poll is on its way.
    pub(crate) polls: bool,
    pub(crate) next_request: u64,
    pub(crate) fault_numbers: [u32; Fault::ALL.len()],
    pub(crate) sabotage: Sabotage,
    pub(crate) oracle: Oracle,
    /// What was seen.
    pub statistics: Statistics,
    /// What the world sees of the engine, where two programs are compared.
    pub fingerprint: Option<Fingerprint>,
    trace: bool,
}

impl World {
    /// A device at the beginning of its life.
    #[must_use]
    pub fn new(seed: u64, sabotage: Sabotage, trace: bool) -> Self {
        let mut random = Random::new(seed);
        let mut device = Device::draw(seed, &mut random);
        if sabotage != Sabotage::None {
            // A planted bug shows where faults meet; there it must be found quickly.
            device.luck = 1;
        }
        let mut hub = Hub::new();
        let mut disk = Disk::default();
        if !device.provision {
            let doc = hub.issue(&device, BEGIN - random.between(0, device.term / 2));
            disk.file = (!device.begins_empty).then_some(doc);
        }
        let clock = Clock::new(device.clock, device.skew, BEGIN);
        let netifyd = Netifyd::new(disk.file.clone());
        let mut world = Self {
            oracle: Oracle::new(&device),
            stage: Stage {
                device,
                now: BEGIN,
                clock,
                hub,
                netifyd,
                disk,
                powered: true,
                asleep: false,
                daemon: false,
                fight: false,
                unnoticed: 0,
            },
            random,
            queue: BinaryHeap::new(),
            sequence: 0,
            engine: None,
            incarnation: 0,
            boot_number: 0,
            switched_off_at: BEGIN,
            wake: None,
            state_trouble: [false; 2],
            polls: false,
            next_request: 0,
            fault_numbers: [0; Fault::ALL.len()],
            sabotage,
            statistics: Statistics::default(),
            fingerprint: None,
            trace,
        };
        world.after(SECOND, Happening::DaemonStarts);
        for fault in Fault::ALL {
            world.next_fault(fault);
        }
        world
    }

    /// Lives for so long, or until an invariant is broken.
    pub fn run(&mut self, life: Millis) -> Result<(), Violation> {
        let end = BEGIN + life;
        loop {
            let queued = self.queue.peek().map(|entry| entry.0.0.0);
            let wake = self.wake.filter(|_| self.engine.is_some() && !self.stage.asleep);
            let (at, is_queued) = match (queued, wake) {
                (Some(queued), Some(wake)) if wake < queued => (wake, false),
                (Some(queued), _) => (queued, true),
                (None, Some(wake)) => (wake, false),
                (None, None) => return Ok(()),
            };
            if at > end {
                self.statistics.finish(&self.oracle);
                return Ok(());
            }
            // A deadline that passed during sleep is met on waking.
            self.stage.now = at.max(self.stage.now);
            if is_queued {
                if let Some(Entry(_, happening)) = self.queue.pop() {
                    self.happen(happening);
                }
            } else {
                self.statistics.ticks += 1;
                self.step(Event::Tick);
            }
            self.oracle.look(&self.stage);
            if let Some(message) = self.oracle.violation.take() {
                return Err(Violation { seed_of_device: self.stage.device.duid.clone(), at: self.stage.now, message });
            }
        }
    }

    /// Steps the engine, if there is one awake, and does what it says.
    pub(crate) fn step(&mut self, event: Event) {
        if self.stage.asleep {
            return;
        }
        let moment = self.moment();
        let Some(mut engine) = self.engine.take() else { return };
        self.oracle.before_step(&self.stage);
        if self.trace {
            let text = format!("{event:?}");
            self.say(&format!("<- {}", text.chars().take(150).collect::<String>()));
        }
        let actions = engine.step(moment, event);
        self.statistics.steps += 1;
        self.engine = Some(engine);
        self.perform(actions);
        self.settle();
    }

    /// After actions: the next deadline, and the oracle's opinion of what is published.
    pub(crate) fn settle(&mut self) {
        let Some(engine) = &self.engine else { return };
        let deadline = engine.next_deadline();
        if let Some(deadline) = &deadline {
            self.oracle
                .require(deadline.after >= 1, || format!("the deadline {:?} is not in the future", deadline.why));
        }
        if let Some(fingerprint) = &mut self.fingerprint {
            fingerprint.waits(deadline.as_ref().map(|deadline| deadline.after));
        }
        self.wake = deadline.map(|deadline| self.stage.now.saturating_add(deadline.after));
        if let Some(status) = engine.status() {
            self.oracle.after_step(&self.stage, status);
        }
    }

    pub(crate) fn moment(&mut self) -> Moment {
        Moment { now: self.stage.clocks(), evidence: self.stage.evidence(), random: self.random.unit() }
    }

    pub(crate) fn after(&mut self, span: Millis, happening: Happening) {
        self.sequence += 1;
        self.queue.push(Entry(Reverse((self.stage.now.saturating_add(span), self.sequence)), happening));
    }

    pub(crate) fn deliver(&mut self, span: Millis, event: Event) {
        self.after(span, Happening::Deliver(self.incarnation, event));
    }

    pub(crate) fn next_fault(&mut self, fault: Fault) {
        let often = fault == Fault::Restart && self.sabotage.meddles_hourly();
        let span = if often { HOUR } else { fault.interval(&self.stage.device, &mut self.random) };
        self.after(span, Happening::Fault(fault));
    }

    pub(crate) const fn is_traced(&self) -> bool {
        self.trace
    }

    /// A line of the trace, with the true time and the device's wall clock.
    pub(crate) fn say(&self, text: &str) {
        if self.trace {
            let now = self.stage.clocks();
            let true_time = netify_licensed::core::time::WallTime(self.stage.now);
            println!("{} ({}) {text}", true_time.rfc3339(), now.wall.rfc3339());
        }
    }
}
