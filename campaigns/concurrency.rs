//! `install`, `renew` and the daemon at the same time, for 200 rounds (12 without
//! `CAMPAIGN=full`), while a reader looks without pause: at every
//! moment the file holds a license that verifies, and never one that ends earlier than what was there before.
#![allow(clippy::disallowed_methods, reason = "the tests touch files and start programs")]

use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hub_emulator::{HubEmulator, LicenseSpec, Options};
use netify_licensed::core::time::WallTime;
use test_bench::device::{DAY, Device, PATIENCE, spec};
use test_support::{Proc, Signal};

/// How often everything is done at once.
fn rounds() -> u32 {
    if test_bench::is_full() { 200 } else { 12 }
}

/// The daemon runs in the first half of this many rounds.
const PHASE: u32 = 20;

/// What the reader saw.
#[derive(Debug, Default)]
struct Seen {
    looks: u64,
    licenses: u32,
    wrong: Option<String>,
}

/// Reads and verifies until told to stop, or until something is wrong.
fn look_on(device: &Device, stop: &AtomicBool) -> Seen {
    let mut seen = Seen::default();
    let (mut last, mut ends) = (Vec::new(), None);
    while !stop.load(Ordering::Relaxed) && seen.wrong.is_none() {
        seen.looks += 1;
        let Some(bytes) = device.license() else {
            seen.wrong = Some("there is no file".to_owned());
            break;
        };
        // Every byte of every look counts; only the judgement of equal bytes is not repeated.
        if bytes == last {
            continue;
        }
        match device.check(&bytes) {
            Err(reason) => seen.wrong = Some(format!("{reason}: {}", String::from_utf8_lossy(&bytes))),
            Ok(license) if Some(license.license().expires_at) < ends => {
                seen.wrong = Some(format!("{} after {ends:?}", license.license().expires_at));
            }
            Ok(license) => ends = Some(license.license().expires_at),
        }
        (last, seen.licenses) = (bytes, seen.licenses + 1);
    }
    seen
}

/// The license that is offered in a round; `step` tells those of one round apart.
fn offer(round: u32, step: u32) -> LicenseSpec {
    static BASE: OnceLock<i64> = OnceLock::new();
    let base = BASE.get_or_init(|| spec(2 * DAY).expire_at);
    // Not renewable: the hub is to have exactly what it is given here.
    spec(DAY).expire_at(base + i64::from(round * 100 + step)).renewable(false)
}

fn start(device: &Device, arguments: &[&str]) -> Proc {
    let mut command: Command = device.command(arguments);
    Proc::spawn(&mut command).expect("the program starts")
}

/// How a command ended; nothing takes long.
fn outcome(command: &Proc) -> (i32, String) {
    let status = command.wait_exit(Duration::from_secs(60)).expect("it ends");
    (status.code().unwrap_or(-1), command.output())
}

/// Everything at once; `harm` befalls the daemon meanwhile.
fn round(device: &Device, hub: &HubEmulator, number: u32, daemon: Option<&Proc>, harm: Option<Signal>) {
    hub.add_license(offer(number, 1));
    let newest = device.document("newest.json", &test_bench::device::sign(device.key(), &offer(number, 2)));
    let older = device.document("older.json", &test_bench::device::sign(device.key(), &offer(number, 0)));
    let commands = [
        start(device, &["renew"]),
        start(device, &["install", &newest.to_string_lossy()]),
        start(device, &["install", &older.to_string_lossy()]),
    ];
    if let Some(daemon) = daemon {
        daemon.signal(Signal::USR1).expect("the daemon runs");
        if let Some(signal) = harm {
            daemon.signal(signal).expect("the daemon runs");
            daemon.wait_exit(PATIENCE).expect("the daemon ends");
        }
    }
    let [renew, newest, older] = commands.map(|command| outcome(&command));
    let cut_short = |output: &str| harm.is_some() && output.contains("the daemon ended before it was done");
    assert!(renew.0 == 0 || cut_short(&renew.1), "round {number}: renew: {renew:?}");
    assert!(newest.0 == 0 || cut_short(&newest.1), "round {number}: install: {newest:?}");
    assert!(matches!(older.0, 0 | 3) || cut_short(&older.1), "round {number}: install of the older one: {older:?}");
}

#[test]
fn the_file_verifies_at_every_moment() {
    let began = Instant::now();
    let rounds = rounds();
    let hub = HubEmulator::start(Options::new());
    let device = Device::new(&hub.signing_key(), Some(&hub.url()));
    device.install(&test_bench::device::sign(device.key(), &offer(0, 0)));
    let newest = WallTime::from_unix(offer(rounds, 2).expire_at);
    let stop = AtomicBool::new(false);
    let seen = std::thread::scope(|scope| {
        let reader = scope.spawn(|| look_on(&device, &stop));
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let mut daemon = None;
            for number in 1..=rounds {
                if number % PHASE == 1 {
                    daemon = Some(device.daemon());
                }
                // Half of the daemons are told to stop, the others are killed, in the middle of the work.
                let last = number % PHASE == PHASE / 2;
                let signal = if number % (2 * PHASE) == PHASE / 2 { Signal::TERM } else { Signal::KILL };
                round(&device, &hub, number, daemon.as_ref(), last.then_some(signal));
                if last {
                    daemon = None;
                }
                if reader.is_finished() {
                    return;
                }
            }
        }));
        stop.store(true, Ordering::Relaxed);
        let seen = reader.join().expect("the reader ends");
        if let Some(wrong) = &seen.wrong {
            panic!("a reader saw a license that is not whole: {wrong}");
        }
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        seen
    });
    let took = began.elapsed().as_secs_f32();
    println!(
        "{rounds} rounds in {took:.0} s: {} looks saw {} licenses, all whole, none earlier",
        seen.looks, seen.licenses
    );
    assert!(seen.licenses > rounds, "the reader saw them come and go: {seen:?}");

    // Whatever was cut short, the next run of any command leaves things in order.
    let (code, output) = device.run(&["renew", "--if-due"]);
    assert_eq!(code, 0, "{output}");
    let license = device.license().expect("a license");
    assert_eq!(device.check(&license).expect("it verifies").license().expires_at, newest);
    assert_eq!(device.loaded().as_ref(), Some(&license), "netifyd has loaded the newest one");
    assert_eq!(device.leftovers(), Vec::<std::path::PathBuf>::new());
}
