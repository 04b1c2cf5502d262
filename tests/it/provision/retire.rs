//! `netify-licensed retire`: first the hub, then the file.

use std::time::Duration;

use hub_emulator::{Delivery, Endpoint, Fault, HubEmulator, LicenseSpec, Options};
use serde_json::Value;
use test_support::Proc;

use test_bench::rig::{DUID, PATIENCE, Rig, SERIAL};

fn licensed(hub: &HubEmulator) -> Rig {
    hub.add_license(LicenseSpec::new(SERIAL).duid(DUID));
    let rig = Rig::api(hub);
    rig.run(&["renew"]).expect(0);
    assert_eq!(rig.installed_serial(), SERIAL);
    rig
}

#[test]
fn deletes_at_the_hub_and_only_then_removes_the_file() {
    let hub = HubEmulator::start(Options::new());
    let rig = licensed(&hub);
    hub.clear_requests();
    hub.fault(Endpoint::Delete, Fault::delay(Duration::from_millis(300)));
    let retire = Proc::spawn(&mut rig.command(&["retire"])).expect("the binary starts");
    assert!(hub.wait_for(Endpoint::Delete, 1, PATIENCE));
    assert!(rig.license().exists(), "while the hub has not answered, the file stays");
    assert!(retire.wait_exit(PATIENCE).expect("an end").success(), "{}", retire.output());
    assert!(!rig.license().exists() && hub.license(SERIAL).is_none());
    assert!(!rig.path("state/previous-license.json").exists(), "nothing is left to put back");
    assert_eq!(hub.count(Endpoint::Any), 1);
}

#[test]
fn keeps_the_file_when_the_hub_fails_or_refuses() {
    let hub = HubEmulator::start(Options::new());
    let rig = licensed(&hub);
    let installed = rig.installed();
    for (fault, code) in [
        (Fault::status(500), 1),
        (Fault::status(503).retry_after(60), 1),
        (Fault::status(401), 5),
        (Fault::status(403), 5),
        (Fault::status(409), 5),
        (Fault::status(429), 1),
        (Fault::delivery(Delivery::CutBefore), 1),
        (Fault::body(r#"{"status_code":17,"status_message":"Could not delete.","data":null}"#), 1),
        (Fault::body("<html>Welcome</html>"), 1),
        (Fault::redirect("/elsewhere"), 1),
    ] {
        hub.fault(Endpoint::Delete, fault.clone());
        let done = rig.run(&["retire"]);
        assert!(done.expect(code).contains("nothing was removed: "), "{fault:?}: {done:?}");
        assert_eq!(rig.installed(), installed, "{fault:?}");
    }
    hub.set_down(true);
    rig.run(&["retire"]).expect(1);
    hub.set_down(false);
    assert_eq!(rig.installed(), installed);
    assert!(rig.path("state/previous-license.json").exists());
}

#[test]
fn a_lost_answer_is_safe_to_repeat() {
    let hub = HubEmulator::start(Options::new());
    let rig = licensed(&hub);
    hub.fault(Endpoint::Delete, Fault::delivery(Delivery::LostAnswer));
    rig.run(&["retire"]).expect(1);
    assert!(rig.license().exists() && hub.license(SERIAL).is_none());
    rig.run(&["retire"]).expect(0);
    assert!(!rig.license().exists());
    assert!(rig.run(&["retire"]).expect(1).contains("the hub lists no license for device"));
}

#[test]
fn keep_file_keeps_it() {
    let hub = HubEmulator::start(Options::new());
    let rig = licensed(&hub);
    let installed = rig.installed();
    let done = rig.run(&["retire", "--keep-file"]);
    assert!(done.code == Some(0) && done.out.contains("its file was left in place"), "{done:?}");
    assert_eq!((rig.installed(), hub.license(SERIAL)), (installed, None));
}

#[test]
fn a_device_without_a_file_is_found_by_its_id() {
    let hub = HubEmulator::start(Options::new());
    hub.add_license(LicenseSpec::new(SERIAL).duid(DUID));
    hub.add_license(LicenseSpec::new("2026-0000-00000002").duid("another-device"));
    let rig = Rig::api(&hub);
    rig.run(&["retire"]).expect(0);
    let left: Vec<String> = hub.licenses().into_iter().map(|license| license.serial).collect();
    assert_eq!(left, ["2026-0000-00000002"]);
}

#[test]
fn what_was_given_back_stays_given_back_and_can_be_had_anew() {
    let hub = HubEmulator::start(Options::new());
    let mut rig = licensed(&hub);
    rig.set_provision();
    rig.set("provision.enabled", true);
    rig.set("renewal.min-retry", "100ms");
    let given_back = |status: &Value| status["renewal"]["reason"] == "the license was given back";
    for keep_file in [true, false] {
        hub.clear_requests();
        let mut daemon = rig.daemon();
        rig.run(if keep_file { &["retire", "--keep-file"] } else { &["retire"] }).expect(0);
        for restart in [false, true] {
            if restart {
                drop(daemon);
                daemon = rig.daemon();
            }
            let status = rig.wait_for_status("given back", given_back);
            assert!(status["renewal"]["next_attempt_at"].is_null(), "{status:#}");
            assert_eq!(rig.license().exists(), keep_file, "neither healed nor removed");
        }
        assert_eq!(hub.count(Endpoint::Any), 1, "the deletion, and nothing by itself: {:?}", hub.requests());
        rig.run(&["provision"]).expect(0);
        let status = rig.wait_for_status("a new license", |status| status["state"] == "valid" && !given_back(status));
        assert_eq!(hub.licenses().len(), 1);
        assert_eq!(status["license"]["serial"], hub.licenses()[0].serial.as_str(), "{status:#}");
        assert_eq!(rig.installed_serial(), hub.licenses()[0].serial);
    }
}

/// "Not found" is what a wrong address answers as well.
#[test]
fn a_not_found_that_is_not_the_hubs_removes_nothing() {
    let hub = HubEmulator::start(Options::new());
    let rig = licensed(&hub);
    let installed = rig.installed();
    for delete in [Fault::status(404), Fault::status(404).message("No such route.")] {
        // The hub has the license all the same.
        hub.fault(Endpoint::Delete, delete.clone());
        assert!(rig.run(&["retire"]).expect(5).contains("nothing was removed: "));
        // Nor is there a list at that address.
        hub.fault(Endpoint::Delete, delete);
        hub.fault(Endpoint::List, Fault::body("<html>nginx 404</html>"));
        assert!(rig.run(&["retire"]).expect(1).contains("nothing was removed: "));
        assert_eq!(rig.installed(), installed);
    }
    assert!(hub.remove_license(SERIAL));
    let done = rig.run(&["retire"]);
    done.expect(0);
    assert!(done.out.contains("the hub did not know the license any more"), "{done:?}");
    assert!(!rig.license().exists());
}

/// PHP writes an empty object as an empty list, beside a failure too.
#[test]
fn a_failure_with_empty_data_is_a_failure() {
    let hub = HubEmulator::start(Options::new());
    let rig = licensed(&hub);
    for body in [
        r#"{"status_code":17,"status_message":"No.","data":[]}"#,
        r#"{"status_code":"11.000","status_message":"No.","data":{}}"#,
        r#"{"resp_code":11,"resp_message":"No.","data":[]}"#,
    ] {
        hub.fault(Endpoint::Delete, Fault::body(body));
        assert!(rig.run(&["retire"]).expect(1).contains(": No."), "{body}");
        hub.fault(Endpoint::Delete, Fault::body(body));
        assert!(rig.run(&["hub", "delete", SERIAL]).expect(1).contains(": No."), "{body}");
        hub.fault(Endpoint::List, Fault::body(body));
        assert!(rig.run(&["hub", "list"]).expect(1).contains(": No."), "{body}");
    }
    assert!(rig.license().exists() && hub.license(SERIAL).is_some());
}

/// A cloned disk, a new mainboard: what is remembered is another device's.
#[test]
fn another_devices_license_is_neither_deleted_nor_waited_for() {
    let hub = HubEmulator::start(Options::new());
    let mut rig = licensed(&hub);
    hub.add_license(LicenseSpec::new("B-1").duid("another-device"));
    rig.set("device.duid", "another-device");
    hub.clear_requests();
    rig.run(&["retire"]).expect(0);
    assert!(hub.license(SERIAL).is_some() && hub.license("B-1").is_none());

    hub.add_license(LicenseSpec::new("B-2").duid("another-device"));
    rig.write("netifyd/license.json", hub.sign(&LicenseSpec::new(SERIAL).duid(DUID)));
    rig.run(&["renew"]).expect(0);
    assert_eq!(rig.installed_serial(), "B-2");
}
