//! Campaigns over many devices, and the replay of one.
#![allow(clippy::disallowed_methods, reason = "a campaign is timed on the machine's clock")]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand};
use simulation::campaign::{Campaign, Outcome, years};
use simulation::fingerprint;
use simulation::sabotage::Sabotage;
use simulation::world::World;

#[derive(Debug, Parser)]
#[command(about = "Simulates devices with the real core and checks its promises after every step")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Many devices.
    Campaign {
        /// How many.
        #[arg(long, default_value_t = 1_000)]
        devices: u64,
        /// How long each lives.
        #[arg(long, default_value_t = 10)]
        years: i64,
        /// Seed of the first device.
        #[arg(long, default_value_t = 1)]
        first: u64,
        /// Stop after so many minutes.
        #[arg(long)]
        minutes: Option<u64>,
    },
    /// One hash for each device of what the world sees of it: equal lines mean equal behavior.
    Fingerprint {
        /// How many.
        #[arg(long, default_value_t = 2_000)]
        devices: u64,
        /// How long each lives.
        #[arg(long, default_value_t = 10)]
        years: i64,
        /// Seed of the first device.
        #[arg(long, default_value_t = 1)]
        first: u64,
    },
    /// One device, with everything that happens to it.
    Replay {
        /// Its seed, from a campaign's report.
        seed: u64,
        /// How long it lives.
        #[arg(long, default_value_t = 10)]
        years: i64,
        /// Do not print what happens, only the outcome.
        #[arg(long)]
        quiet: bool,
    },
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Campaign { devices, years, first, minutes } => {
            let at_most = minutes.map(|minutes| Duration::from_secs(60 * minutes));
            let begun = Instant::now();
            let outcome =
                Campaign { first, devices, years, sabotage: Sabotage::None, stop_at_first: false, at_most }.run();
            report(&outcome, years, begun.elapsed())
        }
        Command::Fingerprint { devices, years, first } => {
            fingerprints(first, devices, years);
            ExitCode::SUCCESS
        }
        Command::Replay { seed, years: life, quiet } => match World::new(seed, Sabotage::None, !quiet).run(years(life))
        {
            Ok(()) => {
                println!("seed {seed}: no invariant was broken");
                ExitCode::SUCCESS
            }
            Err(violation) => {
                println!("seed {seed}: {violation}");
                ExitCode::FAILURE
            }
        },
    }
}

/// Prints them in the order of the seeds, so that `diff` shows the lives that differ.
fn fingerprints(first: u64, devices: u64, years: i64) {
    let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get() as u64);
    std::thread::scope(|scope| {
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..threads).map(|_| std::sync::mpsc::channel()).unzip();
        for (number, sender) in (0..).zip(senders) {
            scope.spawn(move || {
                for device in (0..devices).filter(|device| device % threads == number) {
                    if sender.send(fingerprint::of(first + device, years)).is_err() {
                        return;
                    }
                }
            });
        }
        for (device, receiver) in (0..devices).zip(receivers.iter().cycle()) {
            println!("{} {}", first + device, receiver.recv().unwrap_or_default());
        }
    });
}

fn report(outcome: &Outcome, years: i64, took: Duration) -> ExitCode {
    let s = &outcome.statistics;
    println!("{} devices lived {years} years each, simulated in {} s", outcome.devices, took.as_secs());
    println!("{} steps, {} of them by deadline; {} crashes between two actions", s.steps, s.ticks, s.crashes);
    println!(
        "{} looks and {} renewals at the hub, {} installs, {} reloads, {} writes of the state",
        s.looks, s.renewals, s.installs, s.reloads, s.saves
    );
    println!(
        "busiest 24 hours of a device: {} requests, {} automatic renewals",
        s.busiest_requests, s.busiest_renewals
    );
    println!("{} licenses ended on a device, each of them with an excuse", s.lapses);
    println!("renewals by tenth of the spread: {:?}, even: {}", s.spread.tenths, s.spread.is_even());
    for (seed, violation) in outcome.violations.iter().take(20) {
        println!("BROKEN by seed {seed}: {violation}");
        println!("  replay: cargo run --profile sim -p simulation -- replay {seed}");
    }
    let others: Vec<_> = outcome.violations.iter().skip(20).map(|(seed, _)| seed.to_string()).collect();
    if !others.is_empty() {
        println!("BROKEN by the seeds {} too", others.join(", "));
    }
    println!("{} broken invariants", outcome.violations.len());
    if outcome.violations.is_empty() && s.spread.is_even() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
