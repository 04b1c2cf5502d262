//! What the daemon costs while nothing happens.

use std::fs;
use std::time::{Duration, Instant};

use hub_emulator::{HubEmulator, LicenseSpec, Options};
use test_support::{Proc, wait_until};

use test_bench::rig::{DUID, PATIENCE, Rig, SERIAL};

/// Two wake-ups a minute are allowed.
const WATCHED: Duration = Duration::from_secs(30);

/// How often any thread of the process has gone to sleep.
fn sleeps(daemon: &Proc) -> u32 {
    let tasks = fs::read_dir(format!("/proc/{}/task", daemon.pid().as_raw_pid())).expect("it runs");
    let count = |task: fs::DirEntry| {
        let status = fs::read_to_string(task.path().join("status")).expect("a thread that stays");
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        line.and_then(|count| count.trim().parse::<u32>().ok()).expect("a count")
    };
    tasks.map(|task| count(task.expect("a thread"))).sum()
}

#[test]
#[ignore = "half a minute: tests/run long"]
fn it_wakes_up_at_most_twice_a_minute() {
    let hub = HubEmulator::start(Options::new());
    let rig = Rig::api(&hub);
    let spec = LicenseSpec::new(SERIAL).duid(DUID).issued_ago(Duration::from_secs(86_400));
    rig.write("netifyd/license.json", hub.sign(&spec));
    let daemon = rig.daemon();
    // Its start is over when it has slept for a while without a break.
    let (mut known, mut since) = (sleeps(&daemon), Instant::now());
    let calm = || {
        let now = sleeps(&daemon);
        if now != known {
            (known, since) = (now, Instant::now());
        }
        since.elapsed() > Duration::from_secs(2)
    };
    wait_until(calm, PATIENCE, "the daemon's sleep").expect("it sleeps");
    let before = sleeps(&daemon);
    let over = Instant::now() + WATCHED;
    let _ = wait_until(|| Instant::now() >= over, 2 * WATCHED, "the time");
    let woken = sleeps(&daemon) - before;
    assert!(woken <= 1, "woken {woken} times in {WATCHED:?}");
}
