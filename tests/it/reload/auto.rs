//! `auto`: it picks what fits, and says what it picked.

use super::device::{Device, HIDDEN};
use super::systemctl::{RUNS, install, stand_in};
use test_bench::rig::{Outcome, skipped, tool};

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

/// `install` on a machine that systemd has booted, behind these programs; [`None`] where that cannot be had.
fn install_under_systemd(device: &Device, behind: &[&str]) -> Option<Outcome> {
    if !rustix::process::geteuid().is_root() || tool("unshare").is_none() {
        skipped("a machine that systemd has booted needs root and unshare");
        return None;
    }
    let booted = "mount -t tmpfs none /run && mkdir -p /run/systemd/system && exec \"$@\"";
    let mounts = ["unshare", "--mount", "--propagation=private", "sh", "-c", booted, "sh"];
    Some(device.install_behind(&[&mounts[..], behind].concat()))
}

/// To be unable to ask is no answer: whether netifyd runs is not known.
#[test]
fn a_systemd_that_cannot_be_asked() {
    let device = Device::new("auto");
    let Some(outcome) = install_under_systemd(&device, &[]) else { return };
    assert!(outcome.code == Some(6) && outcome.err.contains("systemctl"), "nothing else tells: {outcome:#?}");

    let device = Device::new("auto");
    let netifyd = device.netifyd("ok").without_socket().start().expect("netifyd starts");
    device.open_up();
    let outcome = install_under_systemd(&device, HIDDEN).expect("as before");
    assert!(outcome.code == Some(6) && outcome.err.contains("systemctl"), "hidden: {outcome:#?}");
    assert!(!device.was_loaded_by(&netifyd));

    let device = Device::new("auto");
    let netifyd = device.netifyd("ok").without_socket().start().expect("netifyd starts");
    let outcome = install_under_systemd(&device, &[]).expect("as before");
    assert_eq!(outcome.code, Some(0), "{outcome:#?}");
    assert!(outcome.out.contains("netifyd reloaded (auto: signal)"), "{outcome:#?}");
    device.is_loaded_by(&netifyd);
}

/// Half of the time is left for what else fits.
#[test]
#[ignore = "22 s: tests/run long"]
fn a_systemd_that_does_not_answer() {
    let mut device = Device::new("auto");
    device.rig.set("reload.timeout", "8s");
    if !stand_in(&device, "sleep 600", "exit 0") {
        return;
    }
    let outcome = install(&device, true);
    assert!(outcome.code == Some(6) && outcome.err.contains("whether netifyd runs is not known"), "{outcome:#?}");
    let netifyd = device.netifyd("ok").start().expect("netifyd starts");
    let outcome = install(&device, true);
    assert_eq!(outcome.code, Some(0), "{outcome:#?}");
    assert!(outcome.out.contains("(auto: socket)"), "{outcome:#?}");
    device.is_loaded_by(&netifyd);
}

#[test]
fn a_systemd_that_runs_netifyd() {
    let device = Device::new("auto");
    if !stand_in(&device, RUNS, "HUP") {
        return;
    }
    let netifyd = device.netifyd("ok").start().expect("netifyd starts");
    let outcome = install(&device, true);
    assert_eq!(outcome.code, Some(0), "{outcome:#?}");
    assert!(outcome.out.contains("(auto: systemd)"), "{outcome:#?}");
    device.is_loaded_by(&netifyd);
}

#[test]
fn a_systemd_that_does_not_run_netifyd() {
    let device = Device::new("auto");
    for load in ["loaded", "not-found"] {
        if !stand_in(&device, &format!("printf 'LoadState={load}\\nActiveState=inactive\\n'"), "exit 0") {
            return;
        }
        let outcome = install(&device, true);
        assert_eq!(outcome.code, Some(0), "{outcome:#?}");
        assert!(outcome.out.contains("no running netifyd was found"), "{outcome:#?}");
    }
}
