//! `netify-licensed provision`.

use std::time::Duration;

use hub_emulator::{ApiKey, BodyStyle, Delivery, Endpoint, Fault, Format, HubEmulator, LicenseSpec, Options};
use serde_json::{Value, json};

use super::sequence;
use test_bench::rig::{DUID, Rig, SERIAL, now};

const DAY: Duration = Duration::from_secs(86_400);

fn device(hub: &HubEmulator) -> Rig {
    let mut rig = Rig::api(hub);
    rig.set_provision();
    rig
}

#[test]
fn creates_a_license_bound_to_this_device_and_installs_its_very_bytes() {
    let hub = HubEmulator::start(Options::new());
    let mut rig = device(&hub);
    rig.set("provision.term-days", 5);
    rig.set("provision.description", "Flow actions");
    rig.set("provision.notes", "Rack 4");
    rig.set("provision.renewable", true);
    rig.set("provision.transferable", false);
    rig.run(&["provision"]).expect(0);
    let body: Value = serde_json::from_slice(&hub.requests_for(Endpoint::Create)[0].request.body).expect("JSON");
    let asked = json!({
        "issued_to": "Toronto Office", "entitlements": ["netify-proc-aggregator"], "duid": DUID, "duration_days": 5,
        "description": "Flow actions", "notes": "Rack 4", "renewable": true, "transferable": false, "format": "netifyd",
    });
    assert_eq!(body, asked);
    assert_eq!(sequence(&hub), [Endpoint::List, Endpoint::Create, Endpoint::View], "looked for, made, confirmed");
    let made = hub.licenses();
    assert_eq!((made.len(), made[0].duid.as_deref()), (1, Some(DUID)));
    assert_eq!(rig.installed(), made[0].to_json(&hub.signing_key(), Format::Netifyd, BodyStyle::Compact));
    rig.run(&["verify"]).expect(0);
}

#[test]
fn does_nothing_the_second_time() {
    let hub = HubEmulator::start(Options::new());
    let rig = device(&hub);
    rig.run(&["provision"]).expect(0);
    let installed = rig.installed();
    let again = rig.run(&["provision", "--json"]);
    again.expect(0);
    assert!(again.json()["message"].as_str().is_some_and(|text| text.contains("nothing was changed")), "{again:?}");
    assert_eq!((hub.count(Endpoint::Create), hub.count(Endpoint::Renew), hub.licenses().len()), (1, 0, 1));
    assert_eq!(rig.installed(), installed);
}

#[test]
fn a_reimaged_device_takes_the_license_that_it_had() {
    let hub = HubEmulator::start(Options::new());
    hub.add_license(LicenseSpec::new("2026-0000-00000001").duid("another-device").expires_in(DAY * 7));
    let first = device(&hub);
    first.run(&["provision"]).expect(0);
    for _ in 0..3 {
        let reimaged = device(&hub);
        reimaged.run(&["provision"]).expect(0);
        assert_eq!(reimaged.installed(), first.installed());
    }
    assert_eq!((hub.count(Endpoint::Create), hub.licenses().len()), (1, 2), "no pile-up");
}

#[test]
fn of_several_it_takes_the_one_that_ends_last() {
    let hub = HubEmulator::start(Options::new());
    for (serial, days) in [("2026-0000-00000001", 2), ("2026-0000-00000002", 6), ("2026-0000-00000003", 4)] {
        hub.add_license(LicenseSpec::new(serial).duid(DUID).expires_in(DAY * days));
    }
    let rig = device(&hub);
    rig.run(&["provision"]).expect(0);
    assert_eq!(rig.installed_serial(), "2026-0000-00000002");
    assert_eq!(sequence(&hub), [Endpoint::List, Endpoint::View]);
}

#[test]
fn a_lost_answer_is_safe_to_repeat() {
    for lost in [Endpoint::List, Endpoint::Create, Endpoint::View] {
        let hub = HubEmulator::start(Options::new());
        let rig = device(&hub);
        // A GET on a connection that was kept is sent once more: the hub may have closed it in the meantime.
        for _ in 0..if lost == Endpoint::View { 2 } else { 1 } {
            hub.fault(lost, Fault::delivery(Delivery::LostAnswer));
        }
        let first = rig.run(&["provision"]);
        assert!(first.expect(1).contains("the connection broke"), "{lost:?}: {first:?}");
        assert_eq!(rig.installed(), "", "{lost:?}");
        rig.run(&["provision"]).expect(0);
        assert_eq!((hub.count(Endpoint::Create), hub.licenses().len()), (1, 1), "{lost:?}");
        assert_eq!(rig.installed_serial(), hub.licenses()[0].serial, "{lost:?}");
    }
}

#[test]
fn one_that_ended_is_renewed_where_it_can_be_and_replaced_where_not() {
    let hub = HubEmulator::start(Options::new());
    hub.add_license(LicenseSpec::new(SERIAL).duid(DUID).expired_ago(DAY));
    let rig = device(&hub);
    rig.run(&["provision"]).expect(0);
    assert_eq!(sequence(&hub), [Endpoint::List, Endpoint::View, Endpoint::Renew, Endpoint::View]);
    assert_eq!(rig.installed_serial(), SERIAL);
    assert!(hub.license(SERIAL).is_some_and(|license| license.expire_at > now()));

    // Not renewable, as its flag says; and as only the hub says.
    let fixed = LicenseSpec::new(SERIAL).duid(DUID).expired_ago(DAY);
    for (spec, refusal) in [(fixed.clone().renewable(false), None), (fixed, Some(Fault::status(409)))] {
        let hub = HubEmulator::start(Options::new());
        hub.add_license(spec);
        if let Some(refusal) = refusal {
            hub.fault(Endpoint::Renew, refusal);
        }
        let rig = device(&hub);
        rig.run(&["provision"]).expect(0);
        assert_eq!((hub.count(Endpoint::Create), hub.count(Endpoint::Delete), hub.licenses().len()), (1, 0, 2));
        assert_ne!(rig.installed_serial(), SERIAL);
        rig.run(&["verify"]).expect(0);
    }
}

#[test]
fn one_that_still_serves_is_never_replaced() {
    // It cannot be renewed, and its time to be renewed has come: still it is a good one.
    let spec = LicenseSpec::new(SERIAL).duid(DUID).issued_ago(DAY * 6).expires_in(DAY / 2);
    for (spec, code) in [(spec.clone().renewable(false), None), (spec, Some(403))] {
        let hub = HubEmulator::start(Options::new());
        hub.add_license(spec);
        if let Some(code) = code {
            hub.rule(hub_emulator::FaultRule::always(Endpoint::Renew, Fault::status(code).message("No.")));
        }
        let rig = device(&hub);
        rig.run(&["provision"]).expect(0);
        let again = rig.run(&["provision"]);
        assert_eq!(again.code, Some(if code.is_some() { 5 } else { 0 }), "{again:?}");
        assert_eq!((rig.installed_serial().as_str(), hub.count(Endpoint::Create)), (SERIAL, 0));
    }
}

#[test]
fn refusals_and_outages_install_nothing_and_tell() {
    let hub = HubEmulator::start(Options::new().api_key(ApiKey::new("k").only(["netify-proc-lua"])));
    let rig = device(&hub);
    let denied = rig.run(&["provision"]);
    assert!(denied.expect(5).contains("HTTP 403 (Forbidden)") && denied.err.contains("may not grant"), "{denied:?}");
    hub.fault(Endpoint::List, Fault::status(503));
    assert!(rig.run(&["provision"]).expect(1).contains("HTTP 503"));
    hub.set_down(true);
    rig.run(&["provision"]).expect(1);
    assert!(!rig.license().exists() && hub.licenses().is_empty());
}

#[test]
fn what_is_made_is_judged_like_any_other() {
    for defect in [hub_emulator::Defect::Tampered, hub_emulator::Defect::OtherDevice, hub_emulator::Defect::Expired] {
        let hub = HubEmulator::start(Options::new());
        let rig = device(&hub);
        hub.fault(Endpoint::View, Fault::license(defect));
        assert!(rig.run(&["provision"]).expect(3).contains("the hub"), "{defect:?}");
        assert!(!rig.license().exists(), "{defect:?}");
    }
}

#[test]
fn it_says_what_it_needs() {
    let hub = HubEmulator::start(Options::new());
    let mut rig = Rig::api(&hub);
    assert!(rig.run(&["provision"]).expect(78).contains("provision.issued-to and provision.entitlements"));
    rig.set_provision();
    rig.set("license.serial", SERIAL);
    assert!(rig.run(&["provision"]).expect(78).contains("remove license.serial"));
    rig.unset("license.serial");
    rig.unset("device.duid");
    rig.set("device.duid-file", "/nowhere/duid");
    assert!(rig.run(&["provision"]).expect(1).contains("/nowhere/duid"));
    assert_eq!(hub.connections(), 0);
}

/// A second license is not made because the first one cannot be seen.
#[test]
fn a_license_that_is_listed_in_part_or_oddly_is_not_made_twice() {
    let hub = HubEmulator::start(Options::new());
    let rig = device(&hub);
    hub.fault(Endpoint::List, Fault::body(r#"{"status_code":0,"data":{"data":[],"current_page":1,"last_page":2}}"#));
    assert!(rig.run(&["provision"]).expect(1).contains("a part of its licenses only"));
    let spec = LicenseSpec::new(SERIAL).duid(DUID);
    hub.add_license(spec);
    let odd =
        format!(r#"{{"status_code":0,"data":[{{"serial":"{SERIAL}","duid":"{DUID}","expire_at":"2026-12-30"}}]}}"#);
    hub.fault(Endpoint::List, Fault::body(odd));
    rig.run(&["provision"]).expect(0);
    assert_eq!((rig.installed_serial().as_str(), hub.count(Endpoint::Create)), (SERIAL, 0));
}
