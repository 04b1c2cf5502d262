//! What happens to a device whose clock is wrong, and is then set.

use std::fs;
use std::time::{Duration, Instant};

use hub_emulator::{Endpoint, HubEmulator, LicenseSpec, Options};
use rustix::time::{ClockId, Timespec, clock_settime};
use serde_json::Value;
use test_support::{Proc, Signal, wait_until};

use super::guest::{self, is_guest};
use test_bench::rig::{DUID, PATIENCE, Rig, SERIAL, now};

const DAY: i64 = 86_400;
const YEAR: i64 = 365 * DAY;
/// 1970; the kernel sets no clock to less than its uptime.
const EPOCH: i64 = 3_600;
/// A daemon that slept on would see a step only at its next look around, a minute later.
const AT_ONCE: Duration = Duration::from_secs(5);

/// A device with a wrong clock, and a hub with a right one.
struct Scene {
    hub: HubEmulator,
    rig: Rig,
    /// True time when the guest's boot clock was at `since`.
    truth: i64,
    since: Instant,
}

impl Scene {
    fn new() -> Self {
        let hub = HubEmulator::start(Options::new().lifetime(Duration::from_secs(7 * 86_400)));
        let mut rig = Rig::api(&hub);
        rig.set("clock.trust", "auto");
        // The guest has no real-time clock and is young: only a time service makes its clock credible at all.
        fs::create_dir_all("/run/systemd/timesync").expect("the guest's own /run");
        fs::write("/run/systemd/timesync/synchronized", "").expect("the mark of systemd-timesyncd(8)");
        Self { hub, rig, truth: now(), since: Instant::now() }
    }

    /// What a right clock says.
    fn true_now(&self) -> i64 {
        self.truth + i64::try_from(self.since.elapsed().as_secs()).expect("a short test")
    }

    /// A license that began and ends so many seconds from the true now, at the device and at the hub.
    fn license(&self, began: i64, ends: i64) {
        let spec = LicenseSpec::new(SERIAL).duid(DUID);
        let spec = spec.created_at(self.true_now() + began).expire_at(self.true_now() + ends);
        self.rig.write("netifyd/license.json", self.hub.sign(&spec));
        self.hub.add_license(spec);
    }

    /// Sets the clock of this kernel; the hub's stays right.
    fn set_clock(&self, unix: i64) {
        assert!(is_guest(), "the clock of a real machine is never set");
        let offset = self.true_now() - unix;
        self.hub.reconfigure(|options| options.clock_offset = offset);
        clock_settime(ClockId::Realtime, Timespec { tv_sec: unix, tv_nsec: 0 }).expect("the guest's clock can be set");
    }

    fn set_clock_right(&self) {
        self.set_clock(self.true_now());
    }

    /// Waits for a state, and says how long that took.
    #[track_caller]
    fn wait_for(&self, state: &str) -> Duration {
        let since = Instant::now();
        self.rig.wait_for_status(state, |status| status["state"] == state);
        since.elapsed()
    }

    /// When the installed license ends, in Unix seconds.
    fn ends(&self) -> i64 {
        let license: Value = serde_json::from_str(&self.rig.installed()).expect("a whole license");
        license["expire_at"]["unix"].as_i64().expect("an end")
    }
}

/// The states that the daemon has told, in their order.
fn states(daemon: &Proc) -> Vec<String> {
    let output = daemon.output();
    let words = output.lines().filter_map(|line| line.split_once("license state is "));
    words.map(|(_, rest)| rest.split([':', ' ']).next().unwrap_or_default().to_owned()).collect()
}

/// Ends the daemon: it neither panicked nor ran in circles.
#[track_caller]
fn stop(daemon: &Proc) {
    let pid = daemon.pid().as_raw_pid();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it still runs");
    let switches = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    let switches: u32 = switches.and_then(|count| count.trim().parse().ok()).expect("a count");
    daemon.signal(Signal::TERM).expect("it still runs");
    let ended = daemon.wait_exit(PATIENCE).expect("it ends");
    let said = daemon.output();
    assert!(ended.success() && !said.contains("panicked"), "{ended:?}: {said}");
    assert!(switches < 500, "the daemon woke up {switches} times: {said}");
}

#[test]
fn from_1970_to_today() {
    guest::run("clock_steps::stories::from_1970_to_today", || {
        let scene = Scene::new();
        scene.license(-DAY, 6 * DAY);
        scene.set_clock(EPOCH);
        let daemon = scene.rig.daemon();
        scene.wait_for("clock-untrusted");
        assert!(scene.hub.wait_for(Endpoint::View, 1, PATIENCE), "the hub is tried all the same");
        let status = scene.rig.wait_for_status("the skew", |status| !status["clock"]["skew"].is_null());
        assert_eq!(status["clock"]["trusted"], false, "{status:#}");
        scene.set_clock_right();
        let took = scene.wait_for("valid");
        assert!(took < AT_ONCE, "noticed after {took:?}");
        assert_eq!(scene.hub.count(Endpoint::Renew), 0, "it was not due");
        assert_eq!(states(&daemon), ["clock-untrusted", "valid"], "{}", daemon.output());
        stop(&daemon);
    });
}

#[test]
fn a_license_that_is_due_is_renewed_in_1970() {
    guest::run("clock_steps::stories::a_license_that_is_due_is_renewed_in_1970", || {
        let scene = Scene::new();
        scene.license(-6 * DAY, DAY);
        scene.set_clock(EPOCH);
        let daemon = scene.rig.daemon();
        scene.wait_for("clock-untrusted");
        let renewed = wait_until(|| scene.ends() > scene.true_now() + 6 * DAY, PATIENCE, "the renewed license");
        renewed.expect("by the hub's clock it is due");
        let told = daemon.wait_for_line(|line| line.contains("renewed and installed"), PATIENCE);
        told.expect("the daemon is done with it before the clock is set");
        let modified = fs::metadata(scene.rig.license()).and_then(|meta| meta.modified()).expect("a date");
        assert!(modified <= std::time::SystemTime::now(), "a date in the future would poison the next boot's clock");
        assert_eq!(scene.rig.status()["state"], "clock-untrusted");
        scene.set_clock_right();
        let took = scene.wait_for("valid");
        assert!(took < AT_ONCE, "noticed after {took:?}");
        assert_eq!(states(&daemon), ["clock-untrusted", "valid"], "{}", daemon.output());
        stop(&daemon);
    });
}

#[test]
fn an_expired_license_is_not_called_so_before_the_clock_is_set() {
    guest::run("clock_steps::stories::an_expired_license_is_not_called_so_before_the_clock_is_set", || {
        let mut scene = Scene::new();
        scene.rig.set("renewal.min-retry", "1s");
        scene.license(-8 * DAY, -DAY);
        scene.hub.set_down(true);
        scene.set_clock(EPOCH);
        let daemon = scene.rig.daemon();
        scene.wait_for("clock-untrusted");
        let failed = |status: &Value| status["renewal"]["last_attempt"]["outcome"] == "outage";
        scene.rig.wait_for_status("an attempt that failed", failed);
        assert_eq!(scene.rig.status()["state"], "clock-untrusted");
        scene.set_clock_right();
        let took = scene.wait_for("expired");
        assert!(took < AT_ONCE, "noticed after {took:?}");
        scene.hub.set_down(false);
        scene.wait_for("valid");
        assert_eq!(states(&daemon)[..2], ["clock-untrusted", "expired"], "{}", daemon.output());
        stop(&daemon);
    });
}

#[test]
fn ten_years_ahead_back_to_1970_and_to_today() {
    guest::run("clock_steps::stories::ten_years_ahead_back_to_1970_and_to_today", || {
        let scene = Scene::new();
        scene.license(-DAY, 6 * DAY);
        let daemon = scene.rig.daemon();
        scene.wait_for("valid");
        let ends = scene.ends();
        scene.set_clock(scene.true_now() + 10 * YEAR);
        // Nothing speaks against this clock but the hub, whose word is reported.
        let took = scene.wait_for("expired");
        assert!(took < AT_ONCE, "noticed after {took:?}");
        let status = scene.rig.wait_for_status("the skew", |status| !status["clock"]["skew"].is_null());
        let skew = status["clock"]["skew"].as_str().unwrap_or_default();
        assert!(skew.contains("ahead of the hub's"), "{skew}");
        scene.set_clock(EPOCH);
        let took = scene.wait_for("clock-untrusted");
        assert!(took < AT_ONCE, "noticed after {took:?}");
        scene.set_clock_right();
        let took = scene.wait_for("valid");
        assert!(took < AT_ONCE, "noticed after {took:?}");
        assert!(scene.ends() >= ends, "the license did not get worse");
        assert!(scene.hub.count(Endpoint::Renew) <= 12, "{} renewals", scene.hub.count(Endpoint::Renew));
        stop(&daemon);
    });
}
