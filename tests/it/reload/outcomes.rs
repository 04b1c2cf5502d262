//! `socket`, `signal` and `none`: what becomes of the reload, and what the one who asked is told.

use std::time::Duration;

use super::device::{Device, each};
use test_bench::rig::PATIENCE;

/// How long a supervisor waits before it starts netifyd again.
const RESTART: Duration = Duration::from_millis(50);

/// A netifyd with its socket answers when the reload is over, however it was asked.
#[test]
fn success() {
    each(&["socket", "signal"], |method| {
        let device = Device::new(method);
        let netifyd = device.netifyd("ok").start().expect("netifyd starts");
        let words = format!("netifyd reloaded ({method}): its control socket answered after the reload");
        // The program is built at its first use.
        device.rig.run(&["--version"]);
        let began = std::time::Instant::now();
        device.installs(0, &words);
        assert!(began.elapsed() < Duration::from_secs(3), "the first evidence will do: {:?}", began.elapsed());
        device.is_loaded_by(&netifyd);
        assert_eq!((netifyd.count("reload-requested"), netifyd.count("started")), (1, 1), "{:#?}", netifyd.events());
        let reload = &device.rig.run(&["status", "--json"]).json()["reload"];
        assert_eq!((&reload["last_outcome"], &reload["evidence"]), (&"confirmed".into(), &"answered".into()));
    });
}

#[test]
fn without_a_socket_the_signal_was_taken() {
    let device = Device::new("signal");
    let netifyd = device.netifyd("ok").without_socket().start().expect("netifyd starts");
    device.installs(0, "netifyd reloaded (signal): it took the signal and ran 3 s later");
    device.is_loaded_by(&netifyd);
    assert_eq!(device.rig.run(&["status", "--json"]).json()["reload"]["evidence"], "taken");
}

/// As long as it takes, and once.
#[test]
#[ignore = "48 s: tests/run long"]
fn long_reloads() {
    let cases: Vec<_> = [100, 3_000, 10_000, 45_000].iter().flat_map(|wait| [(*wait, true), (*wait, false)]).collect();
    each(&cases, |(wait, has_socket)| {
        let mut device = Device::new("signal");
        device.rig.unset("reload.timeout");
        let builder = device.netifyd(&format!("slow:{wait}"));
        let builder = if *has_socket { builder } else { builder.without_socket() };
        let netifyd = builder.start().expect("netifyd starts");
        device.rig.run(&["--version"]);
        let began = std::time::Instant::now();
        if *has_socket {
            device.installs(0, "its control socket answered after the reload");
            assert!(began.elapsed() >= Duration::from_millis(*wait), "{:?}", began.elapsed());
            assert!(device.was_loaded_by(&netifyd), "it was over");
        } else {
            device.installs(0, "it took the signal and ran 3 s later");
            assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
        }
        assert_eq!(netifyd.count("reload-requested"), 1);
        // It does not stop while it reloads.
        let _ = netifyd.signal(test_support::Signal::KILL);
    });
}

/// Longer than reload.timeout: that is not confirmed, and still not asked for again.
#[test]
#[ignore = "16 s: tests/run long"]
fn a_reload_longer_than_the_timeout_is_asked_for_once() {
    let device = Device::new("socket");
    let netifyd = device.netifyd("slow:11000:1").start().expect("netifyd starts");
    let _daemon = device.rig.daemon();
    device.installs(6, "netifyd gave no answer within reload.timeout (5 s): it still reloads, or it is stuck");
    assert_eq!(device.rig.status()["healthy"], false);
    let status = device.rig.wait_for_status("the answer", |status| status["reload"]["last_outcome"] == "confirmed");
    assert_eq!((&status["reload"]["pending"], &status["healthy"]), (&false.into(), &true.into()), "{status:#}");
    assert_eq!(netifyd.count("reload-requested"), 1, "{:#?}", netifyd.events());
    assert!(device.was_loaded_by(&netifyd));
}

#[test]
fn a_stopped_process_is_not_confirmed() {
    let cases = [("socket", true), ("signal", true), ("signal", false)];
    each(&cases, |(method, has_socket)| {
        let device = Device::new(method);
        let builder = device.netifyd("ok");
        let builder = if *has_socket { builder } else { builder.without_socket() };
        let netifyd = builder.start().expect("netifyd starts");
        netifyd.signal(test_support::Signal::STOP).expect("it stops");
        let words = if *method == "socket" { "gave no answer within" } else { "is stopped (kill -CONT" };
        device.installs(6, words);
        netifyd.signal(test_support::Signal::CONT).expect("it goes on");
    });
}

/// The PID file comes first, the socket when captures have started.
#[test]
fn a_netifyd_that_starts_up() {
    each(&["socket", "signal", "auto"], |method| {
        let device = Device::new(method);
        let netifyd = device.netifyd("ok").capture_delay(Duration::from_millis(1_500)).start().expect("netifyd starts");
        device.installs(0, "its control socket answered after the reload");
        device.is_loaded_by(&netifyd);
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
        ("stuck", "netifyd gave no answer within reload.timeout (5 s): it still reloads, or it is stuck"),
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
    device.installs(6, "netifyd gave no answer within reload.timeout (5 s): it still reloads, or it is stuck");
}

#[test]
#[ignore = "expects 0.1.0 in a point that 0.2.0 changed; to be adapted or to be proved a fault"]
fn death_under_a_supervisor_is_a_reload_with_a_warning() {
    let cases = [("socket", "die-once"), ("signal", "die-once"), ("signal", "die-later:100:1")];
    each(&cases, |(method, script)| {
        let device = Device::new(method);
        let builder = device.netifyd(script).supervise(RESTART);
        // With a socket it answers before it dies later.
        let builder = if script.starts_with("die-later") { builder.without_socket() } else { builder };
        let netifyd = builder.start().expect("netifyd starts");
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
    device.installs(6, "ended on reload and did not come back; start it (`systemctl start netifyd`); it exits with 0");
    is_an_alarm(&device, "ended on reload and did not come back");
    // To look again is not to forgive: it stays an alarm while netifyd is away.
    daemon.signal(test_support::Signal::HUP).expect("the daemon runs");
    device.rig.run(&["renew", "--if-due"]);
    is_an_alarm(&device, "ended on reload and did not come back");

    drop(netifyd);
    let netifyd = device.netifyd("ok").start().expect("netifyd starts again");
    device.is_loaded_by(&netifyd);
    device.rig.wait_for_status("the all-clear", |status| status["healthy"] == true);
    assert_eq!(device.rig.run(&["check"]).code, Some(0));
    assert_eq!(netifyd.count("reload-requested"), 0, "it has read the license at its start");
}

#[track_caller]
fn is_an_alarm(device: &Device, words: &str) {
    let status = device.rig.wait_for_status("the death", |status| status["reload"]["died"] == true);
    assert_eq!((&status["healthy"], &status["reload"]["pending"]), (&false.into(), &false.into()), "{status:#}");
    assert_eq!(status["netifyd"]["running"], false);
    let check = device.rig.run(&["check"]);
    assert!(check.code == Some(2) && check.out.contains(words), "{check:#?}");
    let shown = device.rig.run(&["status"]);
    assert!(shown.out.contains(words) && shown.out.contains("Restart=always"), "{shown:#?}");
}

/// The answer was given; what comes later changes the status and `check`.
#[test]
fn a_death_after_the_answer_is_an_alarm_as_well() {
    let device = Device::new("signal");
    let _netifyd = device.netifyd("die-later:1000").start().expect("netifyd starts");
    let _daemon = device.rig.daemon();
    device.installs(0, "its control socket answered after the reload");
    is_an_alarm(&device, "ended on reload and did not come back");
}

/// It reads the license when it starts, so nothing is owed to it.
#[test]
fn a_netifyd_that_does_not_run_is_a_warning_until_it_does() {
    let device = Device::new("socket");
    let daemon = device.rig.daemon();
    device.installs(0, "netifyd does not listen on");
    daemon.wait_for_line(|line| line.contains("it reads the license when it starts"), PATIENCE).expect("it is logged");
    let status = device.rig.wait_for_status("no netifyd", |status| status["netifyd"]["running"] == false);
    assert_eq!((&status["reload"]["pending"], &status["healthy"]), (&false.into(), &true.into()), "{status:#}");
    let check = device.rig.run(&["check"]);
    assert!(check.code == Some(1) && check.out.contains("netifyd does not run"), "{check:#?}");
    let netifyd = device.netifyd("ok").start().expect("netifyd starts");
    device.is_loaded_by(&netifyd);
    // Else it is looked for each minute.
    daemon.signal(test_support::Signal::HUP).expect("the daemon runs");
    device.rig.wait_for_status("netifyd", |status| status["netifyd"]["running"] == true);
    assert_eq!(device.rig.run(&["check"]).code, Some(0));
    assert_eq!(netifyd.count("reload-requested"), 0);
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
