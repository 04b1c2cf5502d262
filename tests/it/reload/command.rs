//! `command`: a program of the operator's.

use std::fs;
use std::io::Write;
use std::time::Duration;

use test_support::{Proc, wait_until};

use super::device::Device;
use test_bench::rig::{PATIENCE, SERIAL};

/// With this shell script as `reload.command`; it gets two arguments.
fn device(script: &str) -> Device {
    let mut device = Device::new("command");
    let path = device.rig.write("reload.sh", format!("#!/bin/sh\n{script}\n"));
    test_support::make_executable(&path).expect("a program");
    device.rig.set("reload.command", format!("[{:?}, \"a b; $HOME\", \"*\"]", path.display().to_string()));
    device
}

#[test]
fn success_with_arguments_and_environment() {
    let device = device(
        "printf '%s|' \"$#\" \"$1\" \"$2\" \"$LICENSE_PATH\" \"$LICENSE_SERIAL\" >seen; kill -HUP $(cat netifyd/netifyd.pid)",
    );
    let netifyd = device.netifyd("ok").start().expect("netifyd starts");
    device.installs(0, "netifyd reloaded (command)");
    device.is_loaded_by(&netifyd);
    let seen = fs::read_to_string(device.rig.path("seen")).expect("it ran");
    assert_eq!(seen, format!("2|a b; $HOME|*|{}|{SERIAL}|", device.rig.license().display()), "no shell in between");
}

#[test]
fn refusal_says_why_and_reaches_the_log() {
    let device = device("echo looking around; echo 'cannot: \u{1b}[31mno such unit' >&2; exit 3");
    let daemon = device.rig.daemon();
    device.installs(6, "ended with exit status: 3: cannot: [31mno such unit");
    for words in ["looking around", "no such unit"] {
        daemon.wait_for_line(|line| line.contains(words), PATIENCE).expect("its output is logged");
    }
}

#[test]
fn a_missing_program() {
    let mut device = device("");
    device.rig.set("reload.command", "[\"/nowhere/reload\"]");
    device.installs(6, "/nowhere/reload: cannot be started: no such file");
}

#[test]
fn hanging_ends_the_whole_group() {
    let device = device("echo begun; sleep 600 & sleep 600 & echo $! >grandchild; wait");
    device.installs(6, "not done after 5 s, so it was ended with all its children; its last words: begun");
    let pid = fs::read_to_string(device.rig.path("grandchild")).expect("it ran");
    let state = format!("/proc/{}/stat", pid.trim());
    let gone = || fs::read_to_string(&state).map_or(true, |stat| stat.contains(") Z "));
    wait_until(gone, PATIENCE, "the grandchild ends").expect("the grandchild ends");
}

#[test]
fn endless_output_and_a_daemon_left_behind_hold_up_nobody() {
    // A pipe that nobody empties would block it; a child that keeps the pipe open would, too.
    let device = device("head -c 10000000 /dev/zero; sleep 600 & echo $! >left; exit 0");
    let began = std::time::Instant::now();
    device.installs(0, "netifyd reloaded (command)");
    assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
    let pid = fs::read_to_string(device.rig.path("left")).expect("it ran");
    let pid = pid.trim().parse().ok().and_then(test_support::Pid::from_raw).expect("a PID");
    rustix::process::kill_process(pid, test_support::Signal::KILL).expect("what a program leaves behind lives on");
}

/// The daemon is told to stop while the program runs.
fn stopped(script: &str) -> (Device, Proc) {
    let mut device = device(script);
    device.rig.set("reload.timeout", "60s");
    let daemon = device.rig.daemon();
    let file = device.rig.write("given.json", device.license());
    let asking = Proc::spawn(&mut device.rig.command(&["install", &file.display().to_string()])).expect("it starts");
    wait_until(|| device.rig.path("begun").exists(), PATIENCE, "the program runs").expect("it runs");
    daemon.signal(test_support::Signal::TERM).expect("the daemon runs");
    daemon.wait_for_line(|line| line.contains("stopping"), PATIENCE).expect("the daemon stops");
    drop(asking);
    (device, daemon)
}

#[test]
fn what_is_under_way_ends_before_the_daemon_does() {
    let (device, daemon) = stopped("mkfifo go; >begun; read word <go; echo $word >done");
    let ended = daemon.wait_exit(Duration::from_millis(500));
    assert!(ended.is_err(), "it did not wait: {ended:?}");
    // Opened for both, it does not wait for a program that was killed.
    let mut go = fs::File::options().read(true).write(true).open(device.rig.path("go")).expect("the program's pipe");
    go.write_all(b"well\n").expect("the program goes on");
    let ended = daemon.wait_exit(PATIENCE).expect("the daemon ends");
    assert_eq!(ended.code(), Some(0), "{}", daemon.output());
    assert_eq!(fs::read_to_string(device.rig.path("done")).expect("it was not killed"), "well\n");
}

#[test]
fn what_does_not_end_holds_up_nobody() {
    let (_device, daemon) = stopped("trap '' TERM; >begun; sleep 600");
    let ended = daemon.wait_exit(PATIENCE).expect("it waits no longer");
    assert_eq!(ended.code(), Some(0), "{}", daemon.output());
}

#[test]
fn death() {
    let device = device("kill -HUP $(cat netifyd/netifyd.pid)");
    let restart = Duration::from_millis(50);
    let netifyd = device.netifyd("die-once").supervise(restart).start().expect("netifyd starts");
    device.installs(0, "took its place");
    device.is_loaded_by(&netifyd);
    drop(netifyd);
    let _netifyd = device.netifyd("die-on-reload").start().expect("netifyd starts");
    device.installs(6, "ended on reload and did not come back");
}
