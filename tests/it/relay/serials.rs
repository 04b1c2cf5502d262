//! A relay's clients cannot ask for a serial: which one they keep, and when they follow another.

use std::time::Duration;

use hub_emulator::{HubEmulator, LicenseSpec, Options};

use super::device;
use test_bench::rig::{DUID, SERIAL};

const DAY: Duration = Duration::from_secs(86_400);
const OTHER: &str = "2026-0000-00000002";

#[test]
fn another_serial_waits_until_the_installed_license_is_about_to_end() {
    for (left, code) in [(DAY * 3, 3), (DAY / 2, 0), (Duration::ZERO, 0)] {
        let hub = HubEmulator::start(Options::new());
        let spec = LicenseSpec::new(SERIAL).duid(DUID).issued_ago((DAY * 7).saturating_sub(left));
        let spec = if left.is_zero() { spec.expired_ago(Duration::from_secs(60)) } else { spec.expires_in(left) };
        let rig = device(&hub);
        std::fs::write(rig.license(), hub.sign(&spec)).expect("a license");
        hub.add_license(LicenseSpec::new(OTHER).duid(DUID).expires_in(DAY * 7));
        rig.run(&["renew"]).expect(code);
        assert_eq!(rig.installed_serial(), if code == 0 { OTHER } else { SERIAL }, "{left:?}");
    }
}

#[test]
fn a_configured_serial_is_never_left() {
    let hub = HubEmulator::start(Options::new());
    let mut rig = device(&hub);
    rig.set("license.serial", SERIAL);
    hub.add_license(LicenseSpec::new(OTHER));
    assert!(rig.run(&["renew"]).expect(3).contains("was asked for"));
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
