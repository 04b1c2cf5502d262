//! `auto`: it picks what fits, and says what it picked.

use crate::device::Device;

#[test]
fn a_control_socket() {
    let device = Device::new("auto");
    let netifyd = device.netifyd("ok").start().expect("netifyd starts");
    device.installs(0, "netifyd reloaded (auto: socket)");
    device.is_loaded_by(&netifyd);
    assert_eq!(device.rig.run(&["status", "--json"]).json()["reload"]["method"], "auto: socket");
}

#[test]
fn else_a_signal() {
    let device = Device::new("auto");
    let netifyd = device.netifyd("ok").without_socket().start().expect("netifyd starts");
    device.installs(0, "netifyd reloaded (auto: signal)");
    device.is_loaded_by(&netifyd);
}

#[test]
fn nothing_there() {
    let device = Device::new("auto");
    device.installs(0, "no running netifyd was found; it reads the new license when it starts");
    assert_eq!(device.rig.run(&["status", "--json"]).json()["reload"]["last_outcome"], "not-running");
}
