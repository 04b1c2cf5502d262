//! A relay's clients cannot ask for a serial: which one they keep, and when they follow another.

use std::time::Duration;

use hub_emulator::{HubEmulator, LicenseSpec, Options};

use super::device;
use test_bench::rig::{DUID, SERIAL};

const DAY: Duration = Duration::from_secs(86_400);
const OTHER: &str = "2026-0000-00000002";

#[test]
fn a_better_license_is_taken_whatever_its_serial() {
    for left in [DAY * 3, DAY / 2, Duration::ZERO] {
        let hub = HubEmulator::start(Options::new());
        let spec = LicenseSpec::new(SERIAL).duid(DUID).issued_ago((DAY * 7).saturating_sub(left));
        let spec = if left.is_zero() { spec.expired_ago(Duration::from_secs(60)) } else { spec.expires_in(left) };
        let rig = device(&hub);
        std::fs::write(rig.license(), hub.sign(&spec)).expect("a license");
        hub.add_license(LicenseSpec::new(OTHER).duid(DUID).expires_in(DAY * 7));
        rig.run(&["renew"]).expect(0);
        assert_eq!(rig.installed_serial(), OTHER, "{left:?}");
    }
}

#[test]
fn a_configured_serial_is_never_left() {
    let hub = HubEmulator::start(Options::new());
    let mut rig = device(&hub);
    rig.set("license.serial", SERIAL);
    hub.add_license(LicenseSpec::new(OTHER));
    assert!(rig.run(&["renew"]).expect(3).contains("license.serial is"));
    hub.add_license(LicenseSpec::new(SERIAL));
    hub.reconfigure(|options| options.relay.serial = Some(SERIAL.to_owned()));
    rig.run(&["renew"]).expect(0);
    assert_eq!(rig.installed_serial(), SERIAL);
}

#[test]
fn a_device_without_a_license_takes_what_the_relay_has() {
    let hub = HubEmulator::start(Options::new());
    hub.add_license(LicenseSpec::new(OTHER));
    let rig = device(&hub);
    rig.run(&["renew"]).expect(0);
    // A file that got lost brings no obligation to its serial, either.
    std::fs::remove_file(rig.license()).expect("a license");
    std::fs::remove_file(rig.path("state/previous-license.json")).expect("a copy");
    assert!(hub.remove_license(OTHER));
    hub.add_license(LicenseSpec::new(SERIAL));
    rig.run(&["renew"]).expect(0);
    assert_eq!(rig.installed_serial(), SERIAL);
}
