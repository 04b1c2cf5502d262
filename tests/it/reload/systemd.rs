//! `systemd`: `systemctl reload`, and the job's result. The real one is tried in `campaigns/packaging`.

use std::time::Duration;

use super::device::{Device, each};
use super::systemctl::{NO_PROCESS, RUNS, RUNS_OR_NOT, asked, install, stand_in};

const RELOAD: &str = "--no-ask-password --no-pager reload -- netifyd.service\n";

fn device(show: &str, reload: &str) -> Option<Device> {
    let device = Device::new("systemd");
    stand_in(&device, show, reload).then_some(device)
}

/// `install` of a new license ends with this code and says this.
#[track_caller]
fn installs(device: &Device, code: i32, words: &str) {
    let outcome = install(device, false);
    assert_eq!(outcome.code, Some(code), "{outcome:#?}");
    assert!(format!("{}{}", outcome.out, outcome.err).contains(words), "{words:?} is not in {outcome:#?}");
}

#[test]
fn success() {
    let Some(device) = device(RUNS, "HUP") else { return };
    let netifyd = device.netifyd("ok").without_socket().start().expect("netifyd starts");
    installs(&device, 0, "netifyd reloaded (systemd): the service manager's job succeeded and it was active 3 s later");
    device.is_loaded_by(&netifyd);
    assert_eq!(asked(&device).matches(RELOAD).count(), 1, "{}", asked(&device));
    assert_eq!(device.rig.run(&["status", "--json"]).json()["reload"]["evidence"], "job");
}

#[test]
fn a_netifyd_with_its_socket_answers() {
    let Some(device) = device(RUNS, "HUP") else { return };
    let _netifyd = device.netifyd("ok").start().expect("netifyd starts");
    installs(&device, 0, "netifyd reloaded (systemd): its control socket answered after the reload");
}

#[test]
fn another_name_of_the_service() {
    let Some(mut device) = device(RUNS, "HUP") else { return };
    let _netifyd = device.netifyd("ok").start().expect("netifyd starts");
    device.rig.set("reload.service", "netify-agent@eth0.service");
    installs(&device, 0, "netifyd reloaded (systemd)");
    assert!(asked(&device).contains("reload -- netify-agent@eth0.service\n"), "{}", asked(&device));
}

/// Its first line says what became of the job, the next ones only where to read more.
#[test]
fn refusal() {
    let failed = "echo 'Job for netifyd.service failed because the control process exited with error code.' >&2; \
        echo 'See \"systemctl status netifyd.service\" for details.' >&2; exit 1";
    let denied = "echo 'Failed to reload netifyd.service: Interactive authentication required.' >&2; exit 1";
    let cases = [
        (failed, "systemctl reload netifyd.service: Job for netifyd.service failed because the control process"),
        (denied, "systemctl reload netifyd.service: Failed to reload netifyd.service: Interactive authentication"),
    ];
    each(&cases, |(reload, words)| {
        let Some(device) = device(RUNS, reload) else { return };
        let netifyd = device.netifyd("ok").start().expect("netifyd starts");
        installs(&device, 6, words);
        assert!(!device.was_loaded_by(&netifyd));
        assert_eq!(asked(&device).matches(RELOAD).count(), 1);
    });
}

#[test]
fn hanging() {
    let Some(device) = device(RUNS, "echo 'waiting'; sleep 600") else { return };
    let _netifyd = device.netifyd("ok").start().expect("netifyd starts");
    installs(&device, 6, "systemd's reload job of netifyd.service did not end: /usr/bin/systemctl: not done after 5 s");
}

#[test]
fn a_manager_that_does_not_answer() {
    let Some(device) = device("sleep 600", "exit 0") else { return };
    installs(&device, 6, "/usr/bin/systemctl: not done after 5 s");
}

#[test]
fn death() {
    // The job fails, too, when netifyd dies of it.
    each(&["HUP", "HUP; sleep 0.5; echo 'Job for netifyd.service canceled.' >&2; exit 1"], |reload| {
        let Some(device) = device(RUNS_OR_NOT, reload) else { return };
        let supervised = device.netifyd("die-once").supervise(Duration::from_millis(10));
        let netifyd = supervised.without_socket().start().expect("netifyd starts");
        let outcome = install(&device, false);
        // Whether it is back before it is looked for is a matter of milliseconds; a unit that is down is down for good.
        assert!(matches!(outcome.code, Some(0 | 6)), "{outcome:#?}");
        device.is_loaded_by(&netifyd);
        drop(netifyd);
        let _netifyd = device.netifyd("die-on-reload").start().expect("netifyd starts");
        let began = std::time::Instant::now();
        installs(&device, 6, "ended on reload and did not come back; start it (`systemctl start netifyd`)");
        assert!(began.elapsed() < Duration::from_secs(4), "systemd knows at once: {:?}", began.elapsed());
    });
}

/// While systemd waits before it starts netifyd again, there is something to wait for.
#[test]
fn death_and_a_restart_by_systemd() {
    let show = "pid=$(cat netifyd/netifyd.pid); if kill -0 $pid; then state=active sub=running; else state=activating sub=auto-restart pid=0; fi; \
        printf 'LoadState=loaded\\nActiveState=%s\\nSubState=%s\\nMainPID=%s\\n' $state $sub $pid";
    let Some(device) = device(show, "HUP") else { return };
    let supervised = device.netifyd("die-once").supervise(Duration::from_millis(700));
    let netifyd = supervised.without_socket().start().expect("netifyd starts");
    installs(&device, 0, "took its place");
    device.is_loaded_by(&netifyd);
}

#[test]
fn a_stopped_process_is_not_confirmed() {
    let Some(device) = device(RUNS, "HUP") else { return };
    let netifyd = device.netifyd("ok").without_socket().start().expect("netifyd starts");
    netifyd.signal(test_support::Signal::STOP).expect("it stops");
    installs(&device, 6, &format!("netifyd (process {}) is stopped (kill -CONT", netifyd.pid()));
    netifyd.signal(test_support::Signal::CONT).expect("it goes on");
}

#[test]
fn not_installed_or_not_running() {
    let down = "printf 'LoadState=loaded\\nActiveState=inactive\\nSubState=dead\\nMainPID=0\\n'";
    let Some(device) = device(down, "exit 0") else { return };
    installs(&device, 0, "netifyd.service does not run; it reads the new license when it starts");
    assert!(stand_in(&device, "printf 'LoadState=not-found\\nActiveState=inactive\\n'", "exit 0"));
    installs(&device, 0, "netifyd.service is not installed; it reads the new license when it starts");
    assert!(!asked(&device).contains("reload"), "{}", asked(&device));
}

/// A unit without a main process: then it counts that it is still active.
#[test]
fn no_main_process() {
    let Some(device) = device(NO_PROCESS, "exit 0") else { return };
    installs(&device, 0, "netifyd reloaded (systemd): the service manager's job succeeded");
    let gone = "if grep -q 'reload --' asked; then printf 'LoadState=loaded\\nActiveState=inactive\\n'; \
        else printf 'LoadState=loaded\\nActiveState=active\\n'; fi";
    std::fs::remove_file(device.rig.path("asked")).expect("it was asked");
    assert!(stand_in(&device, gone, "exit 0"));
    installs(&device, 6, "netifyd ended on reload and did not come back");
}

/// On a machine that runs systemd, systemctl knows that there is no netifyd; elsewhere it says what is wrong.
#[test]
fn the_systemctl_of_this_machine() {
    let device = Device::new("systemd");
    let outcome = device.install();
    let here = std::path::Path::new("/run/systemd/system").exists();
    let words = if here { "netifyd.service is not installed" } else { "systemctl" };
    assert!(format!("{}{}", outcome.out, outcome.err).contains(words), "{outcome:#?}");
    assert_eq!(outcome.code, Some(if here { 0 } else { 6 }), "{outcome:#?}");
}
