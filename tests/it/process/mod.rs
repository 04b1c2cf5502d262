//! The process: whether it answers, its signals and children, its log, what hangs, what it watches.

mod alive;
mod logging;
mod quiet;
mod signals;

use std::time::Duration;

use hub_emulator::{HubEmulator, LicenseSpec, Options};
use test_bench::rig::{DUID, Rig, SERIAL};

/// One day.
const DAY: Duration = Duration::from_secs(86_400);

/// A device with a license that is not due, and its hub, which has the same one.
fn device() -> (HubEmulator, Rig) {
    let hub = HubEmulator::start(Options::new());
    let rig = Rig::api(&hub);
    hub.add_license(LicenseSpec::new(SERIAL).duid(DUID).issued_ago(DAY).expires_in(DAY * 6).renewable(false));
    rig.run(&["renew"]).expect(0);
    hub.clear_requests();
    (hub, rig)
}

/// The hub gets a license that ends a minute later with each number.
fn offer(hub: &HubEmulator, number: u32) {
    let ends = DAY * 6 + Duration::from_secs(60) * number;
    hub.add_license(LicenseSpec::new(SERIAL).duid(DUID).issued_ago(DAY).expires_in(ends).renewable(false));
}
