//! Many devices, on all processors, with a line of progress on a terminal.
#![allow(clippy::disallowed_methods, reason = "the progress of a campaign is measured on the machine's clock")]

use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use netify_licensed::core::time::{DAY, Millis};

use crate::oracle::Violation;
use crate::sabotage::Sabotage;
use crate::statistics::Statistics;
use crate::world::World;

/// What to simulate.
#[derive(Debug, Clone, Copy)]
pub struct Campaign {
    /// Seed of the first device; each further device has the next number.
    pub first: u64,
    /// Number of devices.
    pub devices: u64,
    /// Length of each life in years.
    pub years: i64,
    /// A planted bug.
    pub sabotage: Sabotage,
    /// Stop at the first broken invariant.
    pub stop_at_first: bool,
    /// Stop after this time, wherever it is.
    pub at_most: Option<Duration>,
}

/// What came out.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Devices that lived to the end.
    pub devices: u64,
    /// Sums over all of them.
    pub statistics: Statistics,
    /// Broken invariants by seed, in the order in which they were found.
    pub violations: Vec<(u64, Violation)>,
}

/// A simulated span of years.
#[must_use]
pub const fn years(years: i64) -> Millis {
    years * 365 * DAY + years / 4 * DAY
}

impl Campaign {
    /// Runs it.
    #[must_use]
    pub fn run(&self) -> Outcome {
        let (next, stop) = (AtomicU64::new(0), AtomicBool::new(false));
        let outcome = Mutex::new(Outcome::default());
        let begun = Instant::now();
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        let late = self.at_most.is_some_and(|limit| begun.elapsed() > limit);
                        if number >= self.devices || late || stop.load(Ordering::Relaxed) {
                            return;
                        }
                        let seed = self.first + number;
                        let mut world = World::new(seed, self.sabotage, false);
                        let result = world.run(years(self.years));
                        let Ok(mut outcome) = outcome.lock() else { return };
                        match result {
                            Ok(()) => {
                                outcome.devices += 1;
                                outcome.statistics.add(&world.statistics);
                            }
                            Err(violation) => {
                                stop.fetch_or(self.stop_at_first, Ordering::Relaxed);
                                outcome.violations.push((seed, violation));
                            }
                        }
                        self.show_progress(&outcome, begun);
                    }
                });
            }
        });
        if std::io::stderr().is_terminal() {
            eprintln!();
        }
        outcome.into_inner().unwrap_or_default()
    }

    fn show_progress(&self, outcome: &Outcome, begun: Instant) {
        let done = outcome.devices + outcome.violations.len() as u64;
        let rarely = done.is_multiple_of((self.devices / 500).max(1));
        if rarely && std::io::stderr().is_terminal() {
            let seconds = begun.elapsed().as_secs().max(1);
            let left = self.devices.saturating_sub(done) * seconds / done.max(1);
            eprint!(
                "\r{done} of {} devices, {} violations, {seconds} s, about {left} s left   ",
                self.devices,
                outcome.violations.len()
            );
            let _ = std::io::stderr().flush();
        }
    }
}
