//! Entitlements that are asked for and missing: told, and never acted on.

use std::time::Duration;

use hub_emulator::{Endpoint, HubEmulator, LicenseSpec, Options};

use test_bench::rig::{DUID, Rig, SERIAL};

#[test]
fn status_and_check_warn_and_nothing_is_made_or_deleted() {
    let hub = HubEmulator::start(Options::new());
    let spec = LicenseSpec::new(SERIAL).duid(DUID).entitlements(["netify-proc-aggregator"]);
    hub.add_license(spec.expires_in(Duration::from_secs(6 * 86_400)));
    let mut rig = Rig::api(&hub);
    rig.set("provision.issued-to", "Toronto Office");
    rig.set("provision.entitlements", r#"["netify-proc-aggregator", "netify-proc-lua", "netify-sink-mqtt"]"#);
    rig.set("provision.enabled", true);
    let words = "provision.entitlements asks for more than the license has: netify-proc-lua, netify-sink-mqtt";
    let mut daemon = Some(rig.daemon());
    rig.wait_for_status("the license", |status| status["state"] == "valid");
    for with_daemon in [true, false] {
        if !with_daemon {
            daemon = None;
        }
        let status = rig.run(&["status", "--json"]);
        status.expect(0);
        let problems = status.json()["problems"].to_string();
        assert!(problems.contains(words), "{problems}");
        assert_eq!((&status.json()["state"], &status.json()["healthy"]), (&"valid".into(), &true.into()));
        assert!(rig.run(&["status"]).out.contains(words));
        let check = rig.run(&["check"]);
        assert_eq!(check.code, Some(1), "{check:?}");
        assert!(check.out.starts_with("LICENSE WARNING - valid") && check.out.contains(words), "{check:?}");
    }
    assert!(daemon.is_none());
    rig.run(&["provision"]).expect(0);
    rig.run(&["renew", "--if-due"]).expect(0);
    assert_eq!((hub.count(Endpoint::Create), hub.count(Endpoint::Delete), hub.count(Endpoint::Renew)), (0, 0, 0));
    assert_eq!((rig.installed_serial().as_str(), hub.licenses().len()), (SERIAL, 1));
}
