//! A daemon that does not answer: `check`, `status --alive`, the heartbeat file, `renew`; and `reload`, which waits.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::time::Instant;

use hub_emulator::LicenseSpec;
use test_bench::rig::{DUID, Outcome, PATIENCE, Rig, SERIAL, skipped, tool};
use test_support::Signal;

use super::{DAY, device};

#[test]
fn a_stopped_daemon_is_a_warning_and_not_alive() {
    let (_hub, rig) = device();
    let daemon = rig.daemon();
    assert_eq!(rig.run(&["status", "--alive"]).expect(0), "");
    assert_eq!(rig.run(&["check"]).code, Some(0));
    daemon.signal(Signal::STOP).expect("it runs");
    let frozen = format!("the daemon (process {}) does not answer within 5 s", daemon.pid().as_raw_nonzero());

    let alive = rig.run(&["status", "--alive"]);
    assert!(alive.expect(1).contains(&frozen), "{alive:?}");
    let alive = rig.run(&["status", "--alive", "--json"]);
    assert_eq!((alive.code, &alive.json()["alive"]), (Some(1), &serde_json::Value::Bool(false)));
    let check = rig.run(&["check"]);
    assert_eq!(check.code, Some(1), "{check:?}");
    assert!(check.out.contains(&frozen), "{check:?}");
    let status = rig.run(&["status", "--json"]).json();
    assert!(status["problems"][0].as_str().is_some_and(|problem| problem.starts_with(&frozen)), "{status:#}");

    daemon.signal(Signal::CONT).expect("it runs");
    rig.run(&["status", "--alive"]).expect(0);
    assert_eq!(rig.run(&["check"]).code, Some(0));
}

#[test]
fn a_stopped_daemon_whose_renewal_is_overdue_is_critical() {
    let hub = hub_emulator::HubEmulator::start(hub_emulator::Options::new());
    let mut rig = Rig::api(&hub);
    // Nothing is renewed, because the hub cannot be reached.
    rig.set("hub.url", "https://127.0.0.1:9/api");
    let ends = LicenseSpec::new(SERIAL).duid(DUID).issued_ago(DAY * 30).expires_in(DAY);
    let license = ends.to_json(&hub.signing_key(), hub_emulator::Format::Netifyd, hub_emulator::BodyStyle::Pretty);
    rig.write("netifyd/license.json", license);
    let daemon = rig.daemon();
    daemon.signal(Signal::STOP).expect("it runs");
    let check = rig.run(&["check", "-w", "0.2", "-c", "0.1"]);
    assert_eq!(check.code, Some(2), "{check:?}");
    assert!(check.out.contains(" does not answer within 5 s"), "{check:?}");
}

#[test]
fn renew_does_not_wait_for_a_daemon_that_is_stuck() {
    let (_hub, rig) = device();
    let daemon = rig.daemon();
    daemon.signal(Signal::STOP).expect("it runs");
    let begun = Instant::now();
    let renew = rig.run(&["renew"]);
    assert!(renew.expect(1).contains("does not answer within 5 s; it is stopped or stuck"), "{renew:?}");
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
}

#[test]
fn the_heartbeat_lives_as_long_as_the_event_loop() {
    let (_hub, rig) = device();
    let daemon = rig.daemon();
    let file = rig.path("run/heartbeat");
    let text = std::fs::read_to_string(&file).expect("it is written at the start");
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").expect("this boot");
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic).tv_sec;
    let (id, seconds) = text.trim_end().split_once(' ').expect("two words");
    assert_eq!(id, boot.trim().replace('-', ""));
    let seconds: i64 = seconds.parse().expect("seconds");
    assert!((now - 60..=now).contains(&seconds), "{seconds}, {now}");
    assert_eq!(std::fs::metadata(&file).expect("there").mode() & 0o777, 0o644);
    daemon.signal(Signal::TERM).expect("it runs");
    daemon.wait_exit(PATIENCE).expect("it ends");
    assert!(!file.exists(), "removed at a clean stop");
}

/// A command of a user who may enter the device's directory and not open its socket.
fn as_stranger(rig: &Rig, args: &[&str]) -> Outcome {
    let setpriv = tool("setpriv").expect("setpriv");
    let wrapper = [&*setpriv.to_string_lossy(), "--reuid=65534", "--regid=65534", "--clear-groups"].map(str::to_owned);
    let wrapper: Vec<&str> = wrapper.iter().map(String::as_str).collect();
    let done = rig.wrapped(&wrapper, args).output().expect("it starts");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Outcome { code: done.status.code(), out: text(done.stdout), err: text(done.stderr) }
}

#[test]
fn who_may_not_open_the_socket_reads_the_heartbeat() {
    if !rustix::process::geteuid().is_root() || tool("setpriv").is_none() {
        return skipped("other users need root and setpriv");
    }
    let (_hub, rig) = device();
    let daemon = rig.daemon();
    for name in ["", "run", "netifyd"] {
        std::fs::set_permissions(rig.path(name), std::fs::Permissions::from_mode(0o755)).expect("chmod");
    }
    let fresh = as_stranger(&rig, &["status", "--alive"]);
    assert_eq!(fresh.code, Some(0), "{fresh:?}");
    assert_eq!(as_stranger(&rig, &["check"]).code, Some(0));
    let (id, seconds) = {
        let text = std::fs::read_to_string(rig.path("run/heartbeat")).expect("written");
        let (id, seconds) = text.trim_end().split_once(' ').expect("two words");
        (id.to_owned(), seconds.parse::<i64>().expect("seconds"))
    };
    for stale in [format!("{id} {}\n", seconds - 700), format!("0123 {seconds}\n")] {
        rig.write("run/heartbeat", &stale);
        assert_eq!(as_stranger(&rig, &["status", "--alive"]).code, Some(1), "{stale}");
        let check = as_stranger(&rig, &["check"]);
        assert_eq!(check.code, Some(1), "{check:?}");
        assert!(check.out.contains("the daemon has not written it for 11 minutes"), "{check:?}");
    }
    drop(daemon);
}

#[test]
fn reload_waits_and_says_what_came_of_it() {
    let (_hub, mut rig) = device();
    let none = rig.run(&["reload"]);
    assert!(none.expect(1).contains("no daemon runs"), "{none:?}");
    let daemon = rig.daemon();
    let done = rig.run(&["reload"]);
    done.expect(0);
    assert_eq!(done.out, "configuration read again\n");
    daemon.wait_for_line(|line| line.contains("configuration read again"), PATIENCE).expect("logged");
    rig.set("renewal.min-retri", "1m");
    let refused = rig.run(&["reload"]);
    let words = refused.expect(78);
    assert!(words.contains("the old one stays in force") && words.contains("min-retri"), "{refused:?}");
    let refused = rig.run(&["reload", "--json"]);
    assert_eq!((refused.code, &refused.json()["exit"]), (Some(78), &78.into()));
    rig.run(&["status", "--alive"]).expect(0);
    assert!(daemon.is_running());
}
