//! The daemon is killed again and again in the middle of its work, beside a netifyd that takes reloads as it likes. Nothing
//! that was installed is forgotten.

use std::fs;
use std::time::Duration;

use hub_emulator::{HubEmulator, LicenseSpec, Options};
use netifyd_standin::Standin;
use test_support::{Proc, Signal};

use super::device::{Device, each};
use test_bench::rig::{DUID, PATIENCE, Rig, SERIAL};

/// Renewals of all devices together; `CAMPAIGN=full` makes it three hundred.
fn all_renewals() -> u32 {
    if test_bench::is_full() { 300 } else { 36 }
}
/// Devices at the same time, each with its own seed.
const SEEDS: [u64; 4] = [1, 2, 3, 4];
/// A daemon lives no longer than this after it was told to renew, in milliseconds. A renewal takes some 50.
const LONGEST_LIFE: u64 = 350;
/// But one in so many lives to see its reload confirmed, or not: 3,000 milliseconds later.
const RARE: u64 = 8;
const LONG_LIFE: u64 = 3_600;
/// One day.
const DAY: Duration = Duration::from_secs(86_400);

/// xorshift64*: the same numbers in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % limit
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::try_from(self.below(from.len() as u64)).expect("small")]
    }
}

/// A device of a hub, beside a netifyd whose reloads follow this script.
fn device(hub: &HubEmulator, script: &str) -> (Rig, Standin) {
    let mut rig = Rig::api(hub);
    let (pid_file, socket) = (rig.path("netifyd/netifyd.pid"), rig.path("netifyd/netifyd.sock"));
    rig.set("reload.method", "socket");
    rig.set("reload.pid-file", pid_file.display());
    rig.set("reload.socket", socket.display());
    rig.set("reload.timeout", "5s");
    let netifyd = Standin::builder().dir(rig.path("netifyd")).license_path(rig.license()).behavior(script);
    let netifyd = netifyd.supervise(Duration::from_millis(20)).start().expect("netifyd starts");
    (rig, netifyd)
}

/// As if ten seconds had passed since the last reload.
fn end_the_rest(rig: &Rig) {
    let path = rig.path("run/session.json");
    let Ok(text) = fs::read(&path) else { return };
    let mut session: serde_json::Value = serde_json::from_slice(&text).expect("a killed daemon leaves a whole file");
    session["reload_pause"] = serde_json::Value::Null;
    fs::write(&path, session.to_string()).expect("the session is written");
}

fn start(rig: &Rig) -> Proc {
    let socket = rig.path("run/control.sock");
    let daemon = Proc::spawn(&mut rig.command(&["run"])).expect("the daemon starts");
    let up = || std::os::unix::net::UnixStream::connect(&socket).is_ok();
    let ready = test_support::wait_until(up, PATIENCE, "the daemon listens");
    assert!(ready.is_ok(), "{ready:?}: {}", daemon.output());
    daemon
}

#[test]
fn three_hundred_renewals() {
    let all = all_renewals();
    each(&SEEDS, |seed| {
        let mut random = Random(*seed);
        let moods = ["ok", "ok", "ok", "slow:60", "refuse", "hang", "cut", "die-on-reload", "die-later:30"];
        let script: Vec<&str> = (0..all).map(|_| random.pick(&moods)).collect();
        let hub = HubEmulator::start(Options::new().seed(*seed));
        let (rig, netifyd) = device(&hub, &script.join(","));
        let renewals = all / u32::try_from(SEEDS.len()).expect("few");
        let base = LicenseSpec::new(SERIAL).duid(DUID).issued_ago(DAY).expires_in(DAY * 6).renewable(false);
        let mut installed = 0;
        for number in 1..=renewals {
            hub.add_license(base.clone().expire_at(base.expire_at + i64::from(number)));
            let before = rig.installed();
            if random.below(10) > 0 {
                end_the_rest(&rig);
            }
            let daemon = start(&rig);
            daemon.signal(Signal::USR1).expect("the daemon runs");
            let longest = if random.below(RARE) == 0 { LONG_LIFE } else { LONGEST_LIFE };
            let life = Duration::from_millis(random.below(longest));
            assert!(daemon.wait_exit(life).is_err(), "it ended by itself: {}", daemon.output());
            daemon.signal(Signal::KILL).expect("the daemon runs");
            daemon.wait_exit(PATIENCE).expect("it is killed");
            installed += u32::from(rig.installed() != before);
        }
        let asked = netifyd.count("reload-requested");
        println!(
            "seed {seed}: {renewals} renewals begun, {installed} installed before the kill, {asked} reloads asked"
        );
        assert!(
            installed > renewals / 4 && asked > usize::try_from(renewals / 4).expect("few"),
            "it came to something"
        );

        // Nobody harms it any more.
        netifyd.set_behavior("ok").expect("the script");
        let _daemon = start(&rig);
        let last = rig.run(&["renew"]);
        assert_eq!(last.code, Some(0), "{last:#?}");
        let newest = base.expire_at + i64::from(renewals);
        let loaded = netifyd.wait_for("the newest license", PATIENCE, |event| {
            event.load().is_some_and(|load| load.expires == Some(newest))
        });
        assert!(loaded.is_ok(), "{loaded:?}");
        rig.wait_for_status("nothing is pending", |status| status["reload"]["pending"] == false);
        let held = netifyd.loads().last().and_then(|load| load.expires);
        assert_eq!(held, Some(newest), "what netifyd holds in the end");
    });
}

/// Without anybody's asking: what a killed daemon still owed, its successor does; but not at once.
#[test]
#[ignore = "14 s: tests/run long"]
fn a_reload_that_was_cut_short_is_made_up_for_after_a_rest() {
    let device = Device::new("socket");
    let netifyd = device.netifyd("hang:1").start().expect("netifyd starts");
    let file = device.rig.write("given.json", device.license());
    let asking = Proc::spawn(&mut device.rig.command(&["install", &file.display().to_string()])).expect("it starts");
    let first = netifyd.wait_for_event(0, "reload-requested", PATIENCE).expect("it is asked");
    asking.signal(Signal::KILL).expect("it runs");
    asking.wait_exit(PATIENCE).expect("it is killed");
    let mark = netifyd.mark();
    let daemon = device.rig.daemon();
    assert_eq!(device.rig.status()["reload"]["pending"], true);
    let second = netifyd.wait_for_event(mark, "reload-requested", PATIENCE);
    let second = second.unwrap_or_else(|error| panic!("{error}: {}", daemon.output()));
    let gap = second.unix_ms - first.unix_ms;
    assert!((9_500..20_000).contains(&gap), "{gap} ms");
    device.is_loaded_by(&netifyd);
    device.rig.wait_for_status("nothing is pending", |status| status["reload"]["pending"] == false);
}
