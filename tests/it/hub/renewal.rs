//! What one renewal asks of the hub.

use std::time::Duration;

use hub_emulator::{Endpoint, HubEmulator, LicenseSpec, Options};

use test_bench::rig::{DUID, Rig, SERIAL};

const DAY: Duration = Duration::from_secs(86_400);

#[test]
fn an_ordinary_renewal_takes_two_requests() {
    let hub = HubEmulator::start(Options::new());
    let spec = LicenseSpec::new(SERIAL).duid(DUID).issued_ago(DAY * 6).expires_in(DAY);
    hub.add_license(spec.clone());
    let rig = Rig::api(&hub);
    std::fs::write(rig.license(), hub.sign(&spec)).expect("a license");
    let before = rig.installed();
    rig.run(&["renew"]).expect(0);
    assert_ne!(rig.installed(), before);
    assert_eq!((hub.count(Endpoint::Any), hub.count(Endpoint::View), hub.count(Endpoint::Renew)), (2, 1, 1));
    // What is installed is what the hub has.
    rig.run(&["renew"]).expect(0);
    rig.run(&["verify"]).expect(0);
}
