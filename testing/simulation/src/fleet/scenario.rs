//! Runs a fleet through a scenario: on all processors where devices do not meet, in order of time where they do.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use netify_licensed::core::time::{HOUR, Millis, WallTime};

use super::cron::CronDevice;
use super::daemon::{FleetDevice, due};
use super::hub::FleetHub;
use super::load::Load;
use super::{EXPIRES, SPREAD, WINDOW};

/// Devices that one processor takes at a time.
const BATCH: u64 = 2_000;
/// Length of the outage.
pub const OUTAGE: Millis = 24 * HOUR;

/// What renews the licenses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    /// netify-licensed.
    Daemon,
    /// The cron job.
    Cron,
}

/// A fleet and its hub.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// What renews.
    pub client: Client,
    /// Devices.
    pub devices: u64,
    /// Their hub.
    pub hub: FleetHub,
}

impl Scenario {
    /// Runs it.
    #[must_use]
    pub fn run(&self, name: &str) -> Load {
        if self.hub.capacity.is_some() { self.in_order(name) } else { self.side_by_side(name) }
    }

    /// Devices that share nothing.
    fn side_by_side(&self, name: &str) -> Load {
        let (next, total) = (AtomicU64::new(0), Mutex::new(Load::default()));
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    let (mut hub, mut load) = (self.hub.clone(), Load::default());
                    loop {
                        let from = next.fetch_add(BATCH, Ordering::Relaxed);
                        if from >= self.devices {
                            break;
                        }
                        (from..(from + BATCH).min(self.devices))
                            .for_each(|number| self.live(number, &mut hub, &mut load));
                        progress(name, from, self.devices);
                    }
                    if let Ok(mut total) = total.lock() {
                        total.add(&load);
                    }
                });
            }
        });
        total.into_inner().unwrap_or_default()
    }

    fn live(&self, number: u64, hub: &mut FleetHub, load: &mut Load) {
        match self.client {
            Client::Daemon => {
                let mut device = FleetDevice::new(number);
                while device.next().is_some() {
                    device.advance(hub, load);
                }
                load.fate(device.renewed());
            }
            Client::Cron => {
                let mut device = CronDevice::new(number);
                while device.next().is_some() {
                    device.advance(hub, load);
                }
                load.fate(device.renewed());
            }
        }
    }

    /// Devices that compete for the hub.
    fn in_order(&self, name: &str) -> Load {
        let (mut hub, mut load) = (self.hub.clone(), Load::default());
        let mut queue: BinaryHeap<Reverse<(WallTime, u64)>> = BinaryHeap::new();
        let mut daemons: HashMap<u64, Box<FleetDevice>> = HashMap::new();
        let mut crons: HashMap<u64, CronDevice> = HashMap::new();
        for number in 0..self.devices {
            let first = match self.client {
                Client::Daemon => Some(due(number).plus(-1_000)),
                Client::Cron => crons.entry(number).or_insert_with(|| CronDevice::new(number)).next(),
            };
            queue.extend(first.map(|first| Reverse((first, number))));
        }
        let mut done = 0;
        while let Some(Reverse((_, number))) = queue.pop() {
            let (next, renewed) = match self.client {
                Client::Daemon => {
                    let device = daemons.entry(number).or_insert_with(|| Box::new(FleetDevice::new(number)));
                    device.advance(&mut hub, &mut load);
                    (device.next(), device.renewed())
                }
                Client::Cron => {
                    let device = crons.entry(number).or_insert_with(|| CronDevice::new(number));
                    device.advance(&mut hub, &mut load);
                    (device.next(), device.renewed())
                }
            };
            if let Some(next) = next {
                queue.push(Reverse((next, number)));
            } else {
                load.fate(renewed);
                daemons.remove(&number);
                crons.remove(&number);
                done += 1;
                if done % BATCH == 0 {
                    progress(name, done, self.devices);
                }
            }
        }
        load
    }
}

/// The beginning of the outage that is worst for a fleet: by the busiest half hour of a sample, lapses first.
#[must_use]
pub fn worst_outage(client: Client, sample: u64) -> WallTime {
    let (from, to) = match client {
        Client::Daemon => (WINDOW.plus(-OUTAGE), WINDOW.plus(SPREAD)),
        Client::Cron => (EXPIRES.plus(-4 * OUTAGE), EXPIRES),
    };
    let starts = (0..).map(|n| from.plus(n * 3 * HOUR)).take_while(|start| *start < to);
    let badness = |start: &WallTime| {
        let hub = FleetHub::new(Some((*start, start.plus(OUTAGE))), None);
        let load = Scenario { client, devices: sample, hub }.run("looking for the worst moment");
        (load.lapsed, load.busiest_half_hour(start.plus(OUTAGE)))
    };
    let judged = starts.map(|start| (badness(&start), start));
    let worst =
        judged.max_by(|((lapsed, busiest), _), (other, _)| lapsed.cmp(&other.0).then(busiest.total_cmp(&other.1)));
    worst.map_or(from, |(_, start)| start)
}

/// Scenarios run at the same time; the line shows all of them.
fn progress(name: &str, done: u64, of: u64) {
    static DONE: Mutex<BTreeMap<String, u64>> = Mutex::new(BTreeMap::new());
    if std::io::stderr().is_terminal()
        && let Ok(mut all) = DONE.lock()
    {
        all.insert(name.to_owned(), done * 100 / of.max(1));
        let line: Vec<String> = all.iter().map(|(name, percent)| format!("{name:.12}…: {percent} %")).collect();
        eprint!("\r{}  ", line.join("  "));
        let _ = std::io::stderr().flush();
    }
}
