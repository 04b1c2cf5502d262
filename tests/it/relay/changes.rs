//! What the relay makes of a fleet's license: renewed with fewer entitlements, made anew, or with a larger plan.

use std::time::{Duration, Instant};

use hub_emulator::{Endpoint, HubEmulator, LicenseSpec, Options, RelayPath};

use test_support::Signal;

use super::device;
use test_bench::rig::{PATIENCE, Rig, SERIAL};

const DAY: Duration = Duration::from_secs(86_400);
const OTHER: &str = "2026-0000-00000002";
const FULL: [&str; 2] = ["netify-proc-aggregator", "netify-proc-intel"];

fn spec(serial: &str, left: Duration) -> LicenseSpec {
    LicenseSpec::new(serial).issued_ago((DAY * 7).saturating_sub(left)).expires_in(left).entitlements(FULL)
}

/// A device whose license of a week ends after this long, and a relay that has this one.
fn installed(hub: &HubEmulator, left: Duration, theirs: LicenseSpec) -> Rig {
    let mut rig = device(hub);
    rig.set("renewal.min-retry", "50ms");
    rig.set("renewal.max-retry", "100ms");
    std::fs::write(rig.license(), hub.sign(&spec(SERIAL, left))).expect("a license");
    hub.add_license(theirs);
    rig
}

fn reduced(left: Duration) -> LicenseSpec {
    LicenseSpec::new(SERIAL).expires_in(left).entitlements([FULL[0]])
}

#[test]
fn a_reduced_license_is_announced_and_a_person_takes_it() {
    let hub = HubEmulator::start(Options::new());
    let rig = installed(&hub, DAY * 3, reduced(DAY * 7));
    let before = rig.installed();
    let pending = rig.run(&["renew"]);
    let said = pending.expect(1);
    assert!(said.contains("it no longer entitles to netify-proc-intel"), "{said}");
    assert!(said.contains("`netify-licensed renew --accept-changes`"), "{said}");
    assert_eq!(rig.installed(), before);
    let status = rig.run(&["status", "--json"]).json();
    let change = &status["pending_change"];
    assert_eq!((&change["serial"], &change["lost"]), (&SERIAL.into(), &["netify-proc-intel"][..].into()), "{status:#}");
    assert_eq!((&change["gained"], change["accept_at"].is_string()), (&serde_json::json!([]), true), "{status:#}");
    assert_eq!(status["renewal"]["last_attempt"]["outcome"], "change-pending");
    let check = rig.run(&["check"]);
    assert_eq!(check.code, Some(1), "{check:?}");
    assert!(check.out.contains("WARNING") && check.out.contains("without netify-proc-intel"), "{check:?}");
    let taken = rig.run(&["renew", "--accept-changes"]);
    assert_eq!(taken.code, Some(0), "{taken:?}");
    assert!(taken.out.contains("no longer entitles to netify-proc-intel"), "{taken:?}");
    assert_ne!(rig.installed(), before);
    assert_eq!(rig.run(&["status", "--json"]).json()["pending_change"], serde_json::Value::Null);
}

#[test]
fn close_to_the_end_a_reduced_license_is_taken_by_itself_at_once() {
    for left in [DAY / 2, Duration::from_secs(300)] {
        let hub = HubEmulator::start(Options::new());
        let rig = installed(&hub, left, reduced(DAY * 7));
        let _daemon = rig.daemon();
        let status = rig.wait_for_status("taken", |s| s["renewal"]["last_attempt"]["outcome"] == "installed");
        assert_eq!(status["license"]["entitlements"].as_array().map(Vec::len), Some(1), "{status:#}");
    }
}

/// The whole wait, with a license of seconds: at no moment is there none that is valid.
#[test]
fn a_reduced_license_is_taken_by_itself_before_the_installed_one_ends() {
    let hub = HubEmulator::start(Options::new());
    let mut rig = installed(&hub, DAY, reduced(DAY * 7));
    let short = spec(SERIAL, Duration::ZERO).issued_ago(Duration::from_secs(36)).expires_in(Duration::from_secs(18));
    std::fs::write(rig.license(), hub.sign(&short)).expect("a license");
    rig.set("renewal.accept-changes-after", "3s");
    let _daemon = rig.daemon();
    rig.wait_for_status("announced", |s| s["pending_change"]["accept_at"].is_string());
    let begin = Instant::now();
    while rig.status()["pending_change"].is_object() {
        rig.run(&["verify"]).expect(0);
        assert!(begin.elapsed() < PATIENCE, "{:#}", rig.status());
    }
    rig.run(&["verify"]).expect(0);
    let status = rig.wait_for_status("taken", |s| s["renewal"]["last_attempt"]["outcome"] == "installed");
    assert_eq!(status["license"]["entitlements"].as_array().map(Vec::len), Some(1), "{status:#}");
    assert!(begin.elapsed() < Duration::from_secs(15), "before the end");
}

#[test]
fn a_license_that_was_made_anew_is_taken_at_once() {
    let hub = HubEmulator::start(Options::new());
    let anew = LicenseSpec::new(OTHER).expires_in(DAY * 7).entitlements(FULL);
    let rig = installed(&hub, DAY * 3, anew);
    rig.run(&["renew"]).expect(0);
    assert_eq!(rig.installed_serial(), OTHER);
}

#[test]
fn an_upgraded_plan_is_taken_by_a_plain_renew() {
    let hub = HubEmulator::start(Options::new());
    let more = [&FULL[..], &["netify-proc-flow-actions"]].concat();
    let rig = installed(&hub, DAY * 5, LicenseSpec::new(OTHER).expires_in(DAY * 7).entitlements(more));
    rig.run(&["renew"]).expect(0);
    assert_eq!(rig.installed_serial(), OTHER);
}

/// The subscription moves to another URL: the daemon asks as soon as it knows, and takes what it gets.
#[test]
fn another_url_brings_another_plan() {
    let hub = HubEmulator::start(Options::new());
    let mut rig = installed(&hub, DAY * 7, spec(SERIAL, DAY * 7));
    let daemon = rig.daemon();
    rig.wait_for_status("well", |s| s["state"] == "valid");
    assert_eq!(hub.count(Endpoint::Relay), 0, "it is not due");
    assert!(hub.remove_license(SERIAL));
    hub.add_license(LicenseSpec::new(OTHER).expires_in(DAY * 6).entitlements(["netify-proc-flow-actions"]));
    rig.set("hub.url", format!("{}?plan=small", hub.relay_url(RelayPath::Open)));
    daemon.signal(Signal::HUP).expect("it runs");
    rig.wait_for_status("taken", |s| s["license"]["serial"] == OTHER);
}
