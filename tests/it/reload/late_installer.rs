//! The service that writes the license takes longer than the daemon waits for it.

use std::fs;
use std::io::Read;
use std::os::unix::net::UnixListener;

use test_support::Proc;

use super::device::Device;
use test_bench::rig::PATIENCE;

/// Nobody is told that a license is in place that is not yet; and when it is, nobody has to tell.
#[test]
#[ignore = "17 s: tests/run long"]
fn what_comes_late_is_noticed() {
    let mut device = Device::new("signal");
    let netifyd = device.netifyd("ok").start().expect("netifyd starts");
    let socket = device.rig.path("installer.sock");
    let listener = UnixListener::bind(&socket).expect("listens");
    device.rig.env("NETIFY_LICENSED_INSTALLER", socket.display());
    let _daemon = device.rig.daemon();
    let license = device.license();
    let file = device.rig.write("given.json", &license);
    let install = ["install", &file.display().to_string()];
    let asking = Proc::spawn(&mut device.rig.command(&install)).expect("it starts");
    let (mut connection, _) = listener.accept().expect("the daemon asks");
    let mut order = String::new();
    connection.read_to_string(&mut order).expect("an order");
    assert_eq!(order, format!("install\n{license}"));

    let ended = asking.wait_exit(PATIENCE).expect("the daemon waits no longer");
    let output = asking.output();
    assert!(ended.code() == Some(1) && output.contains("the installer is not done after 12 s"), "{output}");
    assert_eq!(device.rig.status()["state"], "missing");

    let made = device.rig.write("made.json", license);
    fs::rename(made, device.rig.license()).expect("the installer is done");
    device.is_loaded_by(&netifyd);
    device.rig.wait_for_status("all is well", |status| {
        status["state"] == "valid" && status["reload"]["last_outcome"] == "confirmed"
    });
}
