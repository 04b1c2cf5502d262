//! A pair of nodes: this one is on standby until its file appears.

use std::time::Duration;

use hub_emulator::{Endpoint, HubEmulator, LicenseSpec, Options};

use super::device;
use test_bench::rig::{PATIENCE, SERIAL};

const DAY: Duration = Duration::from_secs(86_400);

#[test]
fn a_standby_asks_nobody_until_it_takes_over() {
    let hub = HubEmulator::start(Options::new());
    hub.add_license(LicenseSpec::new(SERIAL).expires_in(DAY * 7));
    let mut rig = device(&hub);
    let active = rig.path("active");
    rig.set("renewal.active-file", active.display());
    // What the sync brought is the other node's.
    let other = LicenseSpec::new("S-9").duid("another-node").expires_in(DAY * 7);
    std::fs::write(rig.license(), hub.sign(&other)).expect("a license");
    let _daemon = rig.daemon();
    let status = rig.wait_for_status("its role", |s| s["role"] == "standby" && s["state"] == "wrong-device");
    assert_eq!((&status["healthy"], hub.count(Endpoint::Any)), (&true.into(), 0), "{status:#}");
    let check = rig.run(&["check"]);
    assert!(check.code == Some(0) && check.out.contains("standby"), "{check:?}");
    std::fs::write(&active, "").expect("a file");
    assert!(hub.wait_for_answers(Endpoint::Relay, 1, PATIENCE));
    rig.wait_for_status("its own license", |s| s["role"] == "active" && s["license"]["serial"] == SERIAL);
}
