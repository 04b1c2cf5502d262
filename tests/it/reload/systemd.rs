//! `systemd`: `ReloadUnit` on the system bus, and the job's result. The real one is tried in `campaigns/packaging`.

use std::time::Duration;

use test_support::Proc;

use super::device::{Device, each};
use super::mock_systemd::{Job, MockSystemd, start_bus};

const RELOAD: &str = "ReloadUnit netifyd.service replace";

fn device(job: Job) -> Option<(Device, MockSystemd)> {
    let mut device = Device::new("systemd");
    let systemd = MockSystemd::start(&mut device.rig, job)?;
    Some((device, systemd))
}

#[test]
fn success() {
    each(&[Job::Done, Job::DoneEarly], |job| {
        let Some((device, systemd)) = device(*job) else { return };
        let netifyd = device.netifyd("ok").without_socket().start().expect("netifyd starts");
        device.installs(0, "netifyd reloaded (systemd)");
        device.is_loaded_by(&netifyd);
        assert_eq!(systemd.count(RELOAD), 1, "{systemd:?}");
    });
}

#[test]
fn another_name_of_the_service() {
    let Some((mut device, systemd)) = device(Job::Done) else { return };
    let _netifyd = device.netifyd("ok").start().expect("netifyd starts");
    device.rig.set("reload.service", "netify-agent@eth0.service");
    device.installs(0, "netifyd reloaded (systemd)");
    assert_eq!(systemd.count("ReloadUnit netify-agent@eth0.service replace"), 1, "{systemd:?}");
}

#[test]
fn refusal() {
    let cases = [
        (Job::Failed, "systemd's reload job of netifyd.service ended as \"failed\""),
        (Job::FailedDisputed, "systemd's reload job of netifyd.service ended as \"failed\""),
        (Job::Denied, "ReloadUnit: Interactive authentication required."),
    ];
    each(&cases, |(job, words)| {
        let Some((device, systemd)) = device(*job) else { return };
        let netifyd = device.netifyd("ok").start().expect("netifyd starts");
        device.installs(6, words);
        assert!(!device.was_loaded_by(&netifyd));
        assert_eq!(systemd.count(RELOAD), 1, "{systemd:?}");
    });
}

#[test]
fn hanging() {
    let Some((device, _systemd)) = device(Job::Never) else { return };
    let _netifyd = device.netifyd("ok").start().expect("netifyd starts");
    device.installs(6, "systemd's reload job of netifyd.service did not end within reload.timeout (5 s)");
}

#[test]
fn a_manager_that_does_not_answer() {
    let Some((mut device, _systemd)) = device(Job::Done) else { return };
    let _listener = device.mute_bus();
    device.installs(6, "systemd did not answer within reload.timeout (5 s)");
}

#[test]
fn death() {
    each(&[Job::Done, Job::FailedByDeath], |job| {
        let Some((device, _systemd)) = device(*job) else { return };
        let supervised = device.netifyd("die-once").supervise(Duration::from_millis(50));
        let netifyd = supervised.start().expect("netifyd starts");
        device.installs(0, "took its place");
        device.is_loaded_by(&netifyd);
        drop(netifyd);
        let _netifyd = device.netifyd("die-on-reload").start().expect("netifyd starts");
        device.installs(6, "ended on reload and did not come back");
    });
}

#[test]
fn not_installed_or_not_running() {
    let Some((device, systemd)) = device(Job::Done) else { return };
    systemd.change(|unit| unit.active_state = "inactive");
    device.installs(0, "netifyd.service does not run; it reads the new license when it starts");
    systemd.change(|unit| unit.load_state = "not-found");
    device.installs(0, "netifyd.service is not installed; it reads the new license when it starts");
    assert_eq!(systemd.count(RELOAD), 0);
}

/// A unit without a main process: then it counts that it is still active.
#[test]
fn no_main_process() {
    let Some((device, systemd)) = device(Job::Done) else { return };
    systemd.change(|unit| unit.pid_file = "/nowhere".into());
    device.installs(0, "netifyd reloaded (systemd)");
    assert_eq!(systemd.count("Get org.freedesktop.systemd1.Unit ActiveState"), 2, "{systemd:?}");
}

#[test]
fn a_manager_that_falls_silent_has_not_called_netifyd_inactive() {
    let Some((device, systemd)) = device(Job::DoneThenMute) else { return };
    systemd.change(|unit| unit.pid_file = "/nowhere".into());
    device.installs(6, "netifyd's reload is not confirmed: Get: not now");
}

/// systemctl takes over where the bus cannot be had, or systemd is not on it.
#[test]
#[ignore = "10 s: tests/run long"]
fn without_a_bus() {
    let mut device = Device::new("systemd");
    let by_systemctl = |device: &Device| {
        let outcome = device.install();
        let text = format!("{}{}", outcome.out, outcome.err);
        // On a machine that runs systemd, systemctl knows that there is no netifyd; elsewhere it says what is wrong.
        let here = std::path::Path::new("/run/systemd/system").exists();
        let words = if here { "netifyd.service is not installed" } else { "systemctl" };
        assert!(text.contains(words), "{outcome:#?}");
        assert_eq!(outcome.code, Some(if here { 0 } else { 6 }), "{outcome:#?}");
    };
    by_systemctl(&device);
    let bus: Option<Proc> = start_bus(&mut device.rig, "empty-bus");
    if bus.is_some() {
        by_systemctl(&device);
    }
}
