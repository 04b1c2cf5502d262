//! `provision.enabled = true`.

use std::fs;
use std::time::Duration;

use hub_emulator::{ApiKey, Delivery, Endpoint, Fault, FaultRule, HubEmulator, LicenseSpec, Options};
use serde_json::Value;
use test_support::Signal;

use test_bench::rig::{DUID, PATIENCE, Rig, SERIAL, now};

const DAY: Duration = Duration::from_secs(86_400);

fn device(hub: &HubEmulator) -> Rig {
    let mut rig = Rig::api(hub);
    rig.set_provision();
    rig.set("provision.enabled", true);
    rig.set("renewal.min-retry", "50ms");
    rig.set("renewal.max-retry", "100ms");
    rig
}

fn valid(status: &Value) -> bool {
    status["state"] == "valid"
}

#[test]
fn a_first_boot_ends_with_a_license_and_a_second_one_asks_for_nothing() {
    let hub = HubEmulator::start(Options::new());
    let rig = device(&hub);
    let daemon = rig.daemon();
    let status = rig.wait_for_status("a license", valid);
    assert_eq!(status["license"]["duid"], DUID, "{status:#}");
    assert_eq!((hub.count(Endpoint::Create), hub.licenses().len()), (1, 1));
    daemon.signal(Signal::TERM).expect("a signal");
    daemon.wait_exit(PATIENCE).expect("an end");
    let before = hub.count(Endpoint::Any);
    let _daemon = rig.daemon();
    rig.wait_for_status("the license again", valid);
    assert_eq!(hub.count(Endpoint::Any), before, "a valid license that is not due is no reason to ask");
}

#[test]
fn a_lost_answer_makes_no_second_license() {
    let hub = HubEmulator::start(Options::new());
    hub.fault(Endpoint::Create, Fault::delivery(Delivery::LostAnswer));
    let rig = device(&hub);
    let _daemon = rig.daemon();
    rig.wait_for_status("a license", valid);
    assert_eq!((hub.count(Endpoint::Create), hub.licenses().len()), (1, 1));
}

#[test]
fn a_serial_that_is_gone_at_the_hub_is_replaced_when_it_is_due() {
    let hub = HubEmulator::start(Options::new());
    // No more than [provision] asks for: a license that still serves is not replaced by one for less.
    let spec = LicenseSpec::new(SERIAL).duid(DUID).issued_ago(DAY * 6).expires_in(DAY / 4);
    let spec = spec.entitlements(["netify-proc-aggregator"]);
    let mut rig = device(&hub);
    fs::write(rig.license(), hub.sign(&spec)).expect("a license");
    // Without permission to create, the loss is reported and the license stays.
    rig.set("provision.enabled", false);
    let daemon = rig.daemon();
    let status = rig.wait_for_status("two failures", |s| s["renewal"]["consecutive_failures"].as_u64() >= Some(2));
    assert_eq!((hub.count(Endpoint::Create), status["state"].as_str()), (0, Some("valid")), "{status:#}");
    drop(daemon);
    rig.set("provision.enabled", true);
    fs::remove_file(rig.path("run/session.json")).expect("forget the waits");
    let _daemon = rig.daemon();
    rig.wait_for_status("another serial", |s| valid(s) && s["license"]["serial"] != SERIAL);
    assert_eq!((hub.count(Endpoint::Create), hub.licenses().len()), (1, 1));
    assert_eq!(rig.installed_serial(), hub.licenses()[0].serial);
}

#[test]
fn a_configured_serial_that_is_gone_is_reported_not_replaced() {
    let hub = HubEmulator::start(Options::new());
    let mut rig = device(&hub);
    rig.set("license.serial", SERIAL);
    let _daemon = rig.daemon();
    let failed = |s: &Value| s["renewal"]["consecutive_failures"].as_u64() >= Some(1);
    let status = rig.wait_for_status("a failure", failed);
    assert_eq!(status["renewal"]["last_attempt"]["http_status"], 404, "{status:#}");
    assert_eq!((hub.count(Endpoint::Create), hub.count(Endpoint::List)), (0, 0));
}

#[test]
fn at_most_once_a_day_restarts_included() {
    let hub = HubEmulator::start(Options::new().api_key(ApiKey::new("k")));
    hub.rule(FaultRule::always(Endpoint::Create, Fault::status(403).message("Not today.")));
    let rig = device(&hub);
    let asked = |times: u64| hub.wait_for_answers(Endpoint::List, times, PATIENCE);
    let restart = |change: &dyn Fn(&mut Value)| {
        let file = rig.path("state/state.json");
        let mut state: Value = serde_json::from_slice(&fs::read(&file).expect("a state")).expect("JSON");
        change(&mut state);
        fs::write(&file, state.to_string()).expect("a state");
        // As after a reboot: the waits are forgotten.
        fs::remove_file(rig.path("run/session.json")).expect("a session");
        rig.daemon()
    };
    let daemon = rig.daemon();
    assert!(hub.wait_for_answers(Endpoint::Create, 1, PATIENCE));
    rig.wait_for_status("the refusal", |s| {
        s["renewal"]["last_attempt"]["error"].as_str().is_some_and(|e| e.contains("Not today"))
    });
    drop(daemon);
    let daemon = restart(&|_| {});
    assert!(asked(4), "it goes on looking");
    assert_eq!(hub.count(Endpoint::Create), 1, "but asks for none");
    drop(daemon);
    // A clock that boots in the past, as devices without a battery do, makes no new day.
    let tried_at =
        |state: &mut Value, hours: i64| state["provision_tried_at"] = ((now() + hours * 3_600) * 1_000).into();
    let seen = hub.count(Endpoint::List);
    let daemon = restart(&|state| tried_at(state, 3));
    assert!(asked(seen + 2));
    assert_eq!(hub.count(Endpoint::Create), 1);
    drop(daemon);
    for (hours, what) in
        [(-25, "a day later it may try again"), (24 * 4_000, "a date that only a wrong clock can have written")]
    {
        let before = hub.count(Endpoint::Create);
        let seen = hub.count(Endpoint::List);
        let daemon = restart(&|state| tried_at(state, hours));
        assert!(hub.wait_for_answers(Endpoint::Create, before + 1, PATIENCE), "{what}");
        assert!(asked(seen + 3));
        assert_eq!(hub.count(Endpoint::Create), before + 1, "{what}, once");
        drop(daemon);
    }
    assert!(!rig.license().exists());
}

/// The hub's words about a license that it would not make are not lost behind what came after them.
#[test]
fn a_refused_license_stays_in_sight() {
    let hub = HubEmulator::start(Options::new().api_key(ApiKey::new("key-of-a-lua-shop").only(["netify-proc-lua"])));
    let rig = device(&hub);
    let _daemon = rig.daemon();
    let status = rig.wait_for_status("asked again", |status| {
        status["renewal"]["last_attempt"]["outcome"] == "not-found" && status["renewal"]["consecutive_failures"] != 0
    });
    let error = status["renewal"]["last_attempt"]["error"].as_str().expect("a sentence");
    assert!(error.contains("one is created once a day at most, the next one from 20"), "{error}");
    assert!(error.contains("HTTP 403 (Forbidden)") && error.contains("may not grant"), "{error}");
}
