//! The daemon of a fleet without integrator keys: it pulls, waits for the relay, and keeps within its limits.

use std::time::Duration;

use hub_emulator::{Endpoint, Fault, FaultRule, HubEmulator, LicenseSpec, LoggedRequest, Options, RelayPath};
use serde_json::Value;

use super::device;
use test_bench::rig::{DUID, PATIENCE, Rig, SERIAL};

const DAY: Duration = Duration::from_secs(86_400);

fn gaps(requests: &[LoggedRequest]) -> Vec<i64> {
    requests.windows(2).map(|pair| pair[1].at_millis - pair[0].at_millis).collect()
}

/// A device whose license ends in a day, and a relay that has no later one.
fn due(hub: &HubEmulator) -> Rig {
    hub.add_license(LicenseSpec::new(SERIAL).duid(DUID).issued_ago(DAY * 6).expires_in(DAY));
    let mut rig = device(hub);
    // A success is followed by a rest of this length; the daemon of the tests is not to wait a minute.
    rig.set("renewal.min-retry", "50ms");
    rig.run(&["renew"]).expect(0);
    hub.clear_requests();
    rig
}

#[test]
fn it_asks_within_its_limits_until_the_relay_has_a_later_one() {
    let hub = HubEmulator::start(Options::new());
    let mut rig = due(&hub);
    rig.set("renewal.min-retry", "200ms");
    rig.set("renewal.max-retry", "400ms");
    let before = rig.installed();
    let _daemon = rig.daemon();
    assert!(hub.wait_for_answers(Endpoint::Relay, 5, PATIENCE));
    let waits = gaps(&hub.requests());
    assert!(waits.iter().all(|&gap| (190..2_000).contains(&gap)), "{waits:?}");
    let status = rig.wait_for_status("its reason", |s| s["renewal"]["last_attempt"]["outcome"] == "nothing-newer");
    assert_eq!(
        (&status["renewal"]["consecutive_failures"], &status["healthy"]),
        (&0.into(), &true.into()),
        "{status:#}"
    );
    assert_eq!(rig.installed(), before, "an equal license is not written again");

    assert!(hub.renew_license(SERIAL));
    rig.wait_for_status("the later one", |s| s["renewal"]["last_attempt"]["outcome"] == "installed");
    assert_ne!(rig.installed(), before);
    rig.run(&["verify"]).expect(0);
    let asked = hub.count(Endpoint::Any);
    let status = rig.status();
    let next = status["renewal"]["next_attempt_at"].as_str().expect("a time");
    assert!(next > test_bench::rig::day(2).as_str(), "it rests for days: {status:#}");
    assert_eq!((hub.count(Endpoint::Any), hub.count(Endpoint::Relay)), (asked, asked), "and did nothing but pull");
}

#[test]
fn it_waits_as_long_as_the_relay_asks() {
    let hub = HubEmulator::start(Options::new());
    let mut rig = due(&hub);
    rig.set("renewal.min-retry", "50ms");
    rig.set("renewal.max-retry", "1h");
    hub.rule(FaultRule::times(Endpoint::Relay, 2, Fault::status(503).retry_after(1).message("Slow down.")));
    assert!(hub.renew_license(SERIAL));
    let _daemon = rig.daemon();
    let limited = |s: &Value| s["renewal"]["last_attempt"]["outcome"] == "rate-limited";
    let status = rig.wait_for_status("the relay's wish", limited);
    assert_eq!(status["renewal"]["last_attempt"]["http_status"], 503, "{status:#}");
    assert!(
        status["renewal"]["last_attempt"]["error"].as_str().is_some_and(|e| e.contains(": Slow down")),
        "{status:#}"
    );
    rig.wait_for_status("the later one", |s| s["renewal"]["last_attempt"]["outcome"] == "installed");
    let waits = gaps(&hub.requests());
    assert!(waits.len() == 2 && waits.iter().all(|&gap| (990..3_000).contains(&gap)), "{waits:?}");
}

#[test]
fn a_portal_and_an_outage_are_survived() {
    let hub = HubEmulator::start(Options::new());
    let mut rig = due(&hub);
    rig.set("renewal.min-retry", "50ms");
    rig.set("renewal.max-retry", "100ms");
    assert!(hub.renew_license(SERIAL));
    let before = rig.installed();
    for fault in [
        Fault::answer(hub_emulator::FaultAnswer::Html),
        Fault::status(500),
        Fault::status_as(502, hub_emulator::EnvelopeStyle::None),
    ] {
        hub.fault(Endpoint::Relay, fault);
    }
    let daemon = rig.daemon();
    rig.wait_for_status("the later one", |_| rig.installed() != before);
    rig.wait_for_status("success", |s| s["renewal"]["last_attempt"]["outcome"] == "installed");
    assert_eq!(hub.count(Endpoint::Relay), 4, "{}", daemon.output());
    assert_eq!(rig.status()["renewal"]["consecutive_failures"], 0);
}

#[test]
fn a_first_boot_needs_neither_serial_nor_device_id() {
    let hub = HubEmulator::start(Options::new());
    hub.add_license(LicenseSpec::new(SERIAL));
    let mut rig = Rig::relay(&hub, hub.relay_url(RelayPath::Open));
    rig.unset("device.duid");
    rig.set("device.sources", "[]");
    let _daemon = rig.daemon();
    let status = rig.wait_for_status("a license", |s| s["state"] == "valid");
    assert_eq!((&status["hub"]["kind"], status["license"]["serial"].as_str()), (&"relay".into(), Some(SERIAL)));
    assert_eq!(rig.installed_serial(), SERIAL);
}
