//! `socket`, `signal` and `none`: what becomes of the reload, and what the one who asked is told.

use std::time::Duration;

use super::device::{Device, each};
use test_bench::rig::PATIENCE;

/// How long a supervisor waits before it starts netifyd again.
const RESTART: Duration = Duration::from_millis(50);

#[test]
fn success() {
    each(&["socket", "signal"], |method| {
        let device = Device::new(method);
        let netifyd = device.netifyd("ok").start().expect("netifyd starts");
        device.installs(0, &format!("netifyd reloaded ({method})"));
        device.is_loaded_by(&netifyd);
        assert_eq!((netifyd.count("reload-requested"), netifyd.count("started")), (1, 1), "{:#?}", netifyd.events());
        assert_eq!(device.rig.run(&["status", "--json"]).json()["reload"]["last_outcome"], "confirmed");
    });
}

#[test]
fn refusal() {
    each(&[500, 501, 502], |code| {
        let device = Device::new("socket");
        let netifyd = device.netifyd(&format!("refuse-{code}")).start().expect("netifyd starts");
        device.installs(6, &format!("netifyd refused the reload with code {code}"));
        assert!(!device.was_loaded_by(&netifyd));
        let status = device.rig.run(&["status", "--json"]).json();
        assert_eq!((&status["reload"]["pending"], &status["state"]), (&true.into(), &"valid".into()), "{status:#}");
    });
}

#[test]
fn answers_that_are_none() {
    let cases = [
        ("garbage", "netifyd's reply is no JSON"),
        ("cut", "netifyd's reply is no JSON"),
        ("hang", "netifyd gave no answer within reload.timeout (5 s)"),
    ];
    each(&cases, |(script, words)| {
        let device = Device::new("socket");
        let _netifyd = device.netifyd(script).start().expect("netifyd starts");
        device.installs(6, words);
    });
}

#[test]
#[ignore = "10 s: tests/run long"]
fn a_netifyd_that_took_the_signal_and_hangs_is_not_confirmed() {
    let device = Device::new("signal");
    let _netifyd = device.netifyd("stuck").start().expect("netifyd starts");
    device.installs(6, "netifyd.sock: netifyd does not answer");
}

#[test]
fn death_under_a_supervisor_is_a_reload_with_a_warning() {
    let cases = [("socket", "die-once"), ("signal", "die-once"), ("signal", "die-later:100:1")];
    each(&cases, |(method, script)| {
        let device = Device::new(method);
        let netifyd = device.netifyd(script).supervise(RESTART).start().expect("netifyd starts");
        let outcome = device.installs(0, &format!("netifyd reloaded ({method}), but process"));
        assert!(format!("{outcome:?}").contains("took its place"), "{outcome:#?}");
        device.is_loaded_by(&netifyd);
        assert_eq!(netifyd.count("started"), 2);
        // The supervisor has netifyd's name as well.
        assert_eq!(netifyd.count("supervisor-signaled"), 0, "{:#?}", netifyd.events());
        assert_eq!(device.rig.run(&["status", "--json"]).json()["reload"]["last_outcome"], "restarted");
    });
}

#[test]
#[ignore = "half a minute: tests/run long"]
fn death_without_return_is_an_alarm_until_netifyd_is_back() {
    let device = Device::new("signal");
    let netifyd = device.netifyd("die-on-reload").start().expect("netifyd starts");
    let daemon = device.rig.daemon();
    device.installs(6, "ended on reload and did not come back");
    let status = device.rig.wait_for_status("the failure", |status| status["reload"]["last_outcome"] == "failed");
    assert_eq!((&status["healthy"], &status["reload"]["pending"]), (&false.into(), &true.into()), "{status:#}");
    let check = device.rig.run(&["check"]);
    assert!(check.code == Some(2) && check.out.contains("reload"), "{check:#?}");
    let shown = device.rig.run(&["status"]);
    assert!(shown.out.contains("did not come back"), "{shown:#?}");
    // To look again is not to forgive: it stays an alarm while netifyd is away.
    daemon.signal(test_support::Signal::HUP).expect("the daemon runs");
    let asked = device.rig.run(&["renew", "--if-due"]);
    assert_eq!(asked.code, Some(6), "{asked:#?}");
    assert!(asked.err.contains("has not come back since a reload failed"), "{asked:#?}");
    assert_eq!(device.rig.run(&["check"]).code, Some(2));

    drop(netifyd);
    let netifyd = device.netifyd("ok").start().expect("netifyd starts again");
    device.is_loaded_by(&netifyd);
    let asked = device.rig.run(&["renew", "--if-due"]);
    assert_eq!(asked.code, Some(0), "{asked:#?}");
    device.rig.wait_for_status("the all-clear", |status| status["healthy"] == true);
    assert_eq!(device.rig.run(&["check"]).code, Some(0));
}

#[test]
#[ignore = "14 s: tests/run long"]
fn a_netifyd_that_does_not_run_is_no_error_and_is_told_when_it_appears() {
    let device = Device::new("socket");
    let daemon = device.rig.daemon();
    device.installs(0, "netifyd does not listen on");
    daemon.wait_for_line(|line| line.contains("it is told when it appears"), PATIENCE).expect("it is logged");
    assert_eq!(device.rig.run(&["check"]).code, Some(0), "not an error");
    let netifyd = device.netifyd("ok").start().expect("netifyd starts");
    let told = netifyd.wait_for("a reload", Duration::from_secs(40), |event| event.name == "reload-requested");
    assert!(told.is_ok(), "{told:?}: {}", daemon.output());
    device.rig.wait_for_status("nothing pending", |status| status["reload"]["pending"] == false);
}

#[test]
fn none() {
    let device = Device::new("none");
    let netifyd = device.netifyd("ok").start().expect("netifyd starts");
    device.installs(0, "reload.method is \"none\", so netifyd was not told");
    assert_eq!(netifyd.count("reload-requested"), 0);
    assert_eq!(device.rig.run(&["status", "--json"]).json()["reload"]["pending"], false);
}

#[test]
fn an_unprivileged_netifyd_still_reads_what_was_installed() {
    if !rustix::process::geteuid().is_root() {
        return test_bench::rig::skipped("a netifyd of another user needs root");
    }
    each(&["socket", "signal"], |method| {
        let device = Device::new(method);
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(device.rig.dir(), mode).expect("chmod");
        let license = device.license();
        let netifyd = device.netifyd("ok").user("nobody").license(license).start().expect("netifyd starts");
        // Readable for netifyd's user through the group only, as its package has it.
        let group = rustix::fs::Gid::from_raw(65_534);
        rustix::fs::chown(device.rig.license(), Some(rustix::fs::Uid::ROOT), Some(group)).expect("chown");
        std::fs::set_permissions(device.rig.license(), std::os::unix::fs::PermissionsExt::from_mode(0o640))
            .expect("chmod");
        device.installs(0, &format!("netifyd reloaded ({method})"));
        device.is_loaded_by(&netifyd);
        assert_eq!(netifyd.count("load-failed"), 0, "{:#?}", netifyd.events());
    });
}

#[test]
fn a_signal_that_may_not_be_sent_is_a_failure() {
    if !rustix::process::geteuid().is_root() {
        return test_bench::rig::skipped("to give up root needs root");
    }
    let device = Device::new("signal");
    let netifyd = device.netifyd("ok").start().expect("netifyd starts");
    device.open_up();
    let done = device.install_behind(&["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]);
    assert_eq!(done.code, Some(6), "{done:?}");
    assert!(done.err.contains("SIGHUP to netifyd") && done.err.contains("not permitted"), "{done:?}");
    assert_eq!(netifyd.count("reload-requested"), 0);
}
