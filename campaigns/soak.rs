//! The real daemon for as long as one likes: licenses that live seconds, a hub that errs at random, a reader that looks
//! without pause. Memory and file descriptors stay as they are, and no look finds anything but a good license.
//!
//! `SOAK_RENEWALS=10000 cargo test --release -p campaigns soak -- --ignored --nocapture` is the long form; without the
//! variable it takes half a minute.
#![allow(clippy::disallowed_methods, reason = "the tests touch files and start programs")]

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hub_emulator::{Defect, Delivery, Endpoint, Fault, FaultAnswer, HubEmulator, Options};
use netify_licensed::core::time::{Millis, WallTime};
use test_bench::device::{Device, spec};
use test_support::{Proc, Signal};

/// How long a license lives. It is renewed between the half and three quarters of that.
const LIFE: Duration = Duration::from_secs(12);
/// Memory that a daemon may have gained between a third of the way and the end, in KiB.
const GROWTH: u64 = 256;

/// A device, its hub and its daemon.
struct Station {
    device: Device,
    hub: HubEmulator,
    daemon: Proc,
    /// Licenses that the reader saw come.
    renewals: AtomicU64,
}

impl Station {
    fn new() -> Self {
        let hub = HubEmulator::start(Options::new().lifetime(LIFE));
        let device = Device::new(&hub.signing_key(), Some(&hub.url()));
        device.configure(
            &device.license_path(),
            Some(&hub.url()),
            "[renewal]\nmin-retry = \"1s\"\nmax-retry = \"2s\"\n",
        );
        let first = spec(LIFE).issued_ago(Duration::ZERO);
        device.install(&test_bench::device::sign(device.key(), &first));
        hub.add_license(first);
        let daemon = device.daemon();
        Self { device, hub, daemon, renewals: AtomicU64::new(0) }
    }

    fn renewals(&self) -> u64 {
        self.renewals.load(Ordering::Relaxed)
    }

    fn process(&self) -> String {
        format!("/proc/{}", self.daemon.pid().as_raw_nonzero())
    }

    /// Its open file descriptors: more while a request, a reload or a client is under way.
    fn descriptors(&self) -> usize {
        fs::read_dir(format!("{}/fd", self.process())).expect("the daemon runs").count()
    }

    /// Memory that is the daemon's own, in KiB.
    fn memory(&self) -> u64 {
        let rollup = fs::read_to_string(format!("{}/smaps_rollup", self.process())).expect("the daemon runs");
        let own = rollup
            .lines()
            .filter_map(|line| line.strip_prefix("Private_Dirty:")?.split_whitespace().next()?.parse::<u64>().ok());
        own.sum()
    }
}

/// Reproducible random numbers (splitmix64).
struct Noise(u64);

impl Noise {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }

    /// Something that goes wrong with one request.
    fn fault(&mut self) -> Fault {
        match self.below(12) {
            0 => Fault::status(503),
            1 => Fault::status(429).retry_after(1),
            2 => Fault::status(500),
            3 => Fault::status(401),
            4 => Fault::answer(FaultAnswer::Html),
            5 => Fault::answer(FaultAnswer::TruncatedJson),
            6 => Fault::answer(FaultAnswer::NullData),
            7 => Fault::license(Defect::Tampered),
            8 => Fault::license(Defect::Older),
            9 => Fault::delivery(Delivery::LostAnswer),
            10 => Fault::delivery(Delivery::CutHalf),
            _ => Fault::delivery(Delivery::CutBefore),
        }
    }
}

/// What the reader found in all the files together.
#[derive(Debug, Default)]
struct Seen {
    looks: u64,
    wrong: Vec<String>,
}

/// Reads and verifies until told to stop.
fn look_on(stations: &[Station], stop: &AtomicBool) -> Seen {
    let mut seen = Seen::default();
    let mut last: Vec<(Vec<u8>, Option<WallTime>)> = stations.iter().map(|_| (Vec::new(), None)).collect();
    while !stop.load(Ordering::Relaxed) {
        for (station, (bytes, ends)) in stations.iter().zip(&mut last) {
            seen.looks += 1;
            let Some(found) = station.device.license() else {
                seen.wrong.push("there is no file".to_owned());
                continue;
            };
            if found != *bytes {
                if !bytes.is_empty() {
                    station.renewals.fetch_add(1, Ordering::Relaxed);
                }
                match station.device.check(&found) {
                    Err(reason) => seen.wrong.push(reason),
                    Ok(license) if Some(license.license().expires_at) < *ends => {
                        seen.wrong.push("an older one".to_owned());
                    }
                    Ok(license) => *ends = Some(license.license().expires_at),
                }
                *bytes = found;
            }
            if ends.is_some_and(|ends| ends < now()) {
                seen.wrong.push(format!("{} has passed", ends.map(|ends| ends.to_string()).unwrap_or_default()));
                return seen;
            }
        }
    }
    seen
}

fn now() -> WallTime {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("after 1970");
    WallTime(Millis::try_from(since.as_millis()).expect("before the year 292278994"))
}

#[test]
#[ignore = "half a minute: tests/run long"]
fn renewals_without_end() {
    let wanted: u64 = std::env::var("SOAK_RENEWALS").ok().and_then(|text| text.parse().ok()).unwrap_or(60);
    // A license of twelve seconds is renewed every eight or so.
    let stations: Vec<Station> = (0..(wanted / 6).clamp(4, 40)).map(|_| Station::new()).collect();
    let (began, stop) = (Instant::now(), AtomicBool::new(false));
    let mut noise = Noise(began.elapsed().as_nanos().try_into().unwrap_or(7));
    let renewals = || stations.iter().map(Station::renewals).sum::<u64>();
    let limit = Duration::from_secs(60 + wanted);

    let (seen, early, faults) = std::thread::scope(|scope| {
        let reader = scope.spawn(|| look_on(&stations, &stop));
        let (mut early, mut faults, mut told) = (None, 0_u64, 0);
        let mut calm = vec![usize::MAX; stations.len()];
        let mut at_ease = vec![0; stations.len()];
        while renewals() < wanted && began.elapsed() < limit && !reader.is_finished() {
            // Every second or third renewal of a device meets with something. One that goes wrong each time lapses.
            for (station, at_ease) in stations.iter().zip(&mut at_ease) {
                if station.renewals() > *at_ease && station.hub.faults().is_empty() {
                    *at_ease = station.renewals() + 1 + noise.below(2);
                    station.hub.clear_requests();
                    station.hub.fault(Endpoint::Any, noise.fault());
                    faults += 1;
                }
            }
            let next = renewals() + 1;
            test_support::wait_until(|| renewals() >= next || reader.is_finished(), limit, "a renewal").ok();
            if early.is_none() {
                // What is opened once and for all is open after the first renewal.
                for (station, least) in stations.iter().zip(&mut calm).filter(|(station, _)| station.renewals() > 0) {
                    *least = (*least).min(station.descriptors());
                }
            }
            if early.is_none() && renewals() * 3 >= wanted {
                early = Some(stations.iter().map(Station::memory).collect::<Vec<_>>());
            }
            if renewals() / 500 > told {
                told = renewals() / 500;
                eprintln!("{} of {wanted} renewals, {faults} faults, {} s", renewals(), began.elapsed().as_secs());
            }
        }
        stop.store(true, Ordering::Relaxed);
        (reader.join().expect("the reader looks"), early.map(|early| (early, calm)), faults)
    });

    let (early, calm) = early.expect("a third of the way was reached");
    let late: Vec<u64> = stations.iter().map(Station::memory).collect();
    let most = |memory: &[u64]| memory.iter().max().copied().unwrap_or(0);
    println!(
        "{} renewals of {} devices in {} s, {faults} faults, {} looks; own memory at most {} KiB, then {} KiB",
        renewals(),
        stations.len(),
        began.elapsed().as_secs(),
        seen.looks,
        most(&early),
        most(&late),
    );
    assert_eq!(seen.wrong, Vec::<String>::new());
    assert!(renewals() >= wanted, "{} renewals in {limit:?}", renewals());
    for (before, after) in early.iter().zip(&late) {
        assert!(*after <= before + GROWTH, "memory grew from {before} to {after} KiB");
    }
    for (station, calm) in stations.iter().zip(&calm) {
        let as_before = || station.descriptors() <= *calm;
        let calmed =
            test_support::wait_until(as_before, test_bench::device::PATIENCE, "as few descriptors as in the beginning");
        assert!(calmed.is_ok(), "file descriptors: {calm} at best, then {} and never fewer", station.descriptors());
    }
    for station in &stations {
        station.daemon.signal(Signal::TERM).expect("it runs");
        assert_eq!(station.daemon.wait_exit(test_bench::device::PATIENCE).expect("it ends").code(), Some(0));
    }
}
