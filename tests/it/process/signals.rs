//! Signals: what the parent left of them, those that come early, a container's first process, Ctrl-C and Ctrl-Z.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use hub_emulator::{Delivery, Endpoint, Fault, FaultRule};
use netify_licensed::edge::file::lock;
use test_bench::rig::{PATIENCE, Rig, skipped, tool};
use test_support::{Proc, Signal, wait_until};

use super::device;

/// A member of /proc/PID/status.
fn about(process: i32, member: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let found = status.lines().find_map(|line| line.strip_prefix(member)?.strip_prefix(':').map(str::to_owned));
    found.unwrap_or_default().trim().to_owned()
}

fn mask(process: i32, member: &str) -> u64 {
    u64::from_str_radix(&about(process, member), 16).unwrap_or(0)
}

const fn bit(signal: Signal) -> u64 {
    1 << (signal.as_raw() - 1)
}

/// Waits until the process has a handler for the signal.
fn wait_for_handler(process: &Proc, signal: Signal) {
    let pid = process.pid().as_raw_nonzero().get();
    let has = || mask(pid, "SigCgt") & bit(signal) != 0;
    wait_until(has, PATIENCE, "a handler").unwrap_or_else(|error| panic!("{error}: {}", process.output()));
}

/// env(1) with options of coreutils 8.31.
fn env_with_signals() -> Option<String> {
    let works = Command::new("env").args(["--block-signal=HUP", "true"]).output();
    if works.is_ok_and(|output| output.status.success()) {
        return tool("env").map(|path| path.display().to_string());
    }
    skipped("env --block-signal is of coreutils 8.31");
    None
}

#[test]
fn what_the_parent_blocked_or_ignored_is_heard_again_and_children_start_clean() {
    let Some(env) = env_with_signals() else { return };
    let (_hub, mut rig) = device();
    let seen = rig.path("seen");
    let script = format!("cat /proc/self/status >> {0}; touch {0}.done; exit 3", seen.display());
    rig.set("hooks.on-change", format!("[\"/bin/sh\", \"-c\", {script:?}]"));
    // The hook has not heard of this license.
    fs::remove_file(rig.path("run/session.json")).expect("a file");
    let wrapper =
        [&*env, "--block-signal=HUP,TERM,INT,USR1,CHLD", "--ignore-signal=HUP,TERM,INT,USR1,USR2,CHLD,PIPE,QUIT"];
    let daemon = Proc::spawn(&mut rig.wrapped(&wrapper, &["run"])).expect("it starts");
    daemon
        .wait_for_line(|line| line.contains("hooks.on-change: /bin/sh: exit status: 3"), PATIENCE)
        .expect("the exit code of a child is known");
    let child = fs::read_to_string(&seen).expect("the hook has run");
    for member in ["SigBlk", "SigIgn"] {
        let line = child.lines().find_map(|line| line.strip_prefix(member)?.strip_prefix(":\t")).expect("a member");
        // The C library keeps 32 and 33 for itself: they are what this test was started with.
        let left = u64::from_str_radix(line, 16).expect("a mask") & !0x1_8000_0000;
        assert_eq!(left, 0, "{member} {line}");
    }
    daemon.signal(Signal::HUP).expect("it runs");
    daemon.wait_for_line(|line| line.contains("configuration read again"), PATIENCE).expect("HUP is heard");
    daemon.signal(Signal::USR1).expect("it runs");
    daemon.wait_for_line(|line| line.contains("renewing now"), PATIENCE).expect("USR1 is heard");
    daemon.signal(Signal::TERM).expect("it runs");
    assert!(daemon.wait_exit(PATIENCE).expect("TERM is heard").success());
}

#[test]
fn a_signal_that_comes_while_the_daemon_starts_does_not_end_it() {
    let (_hub, rig) = device();
    let held = lock::take(&rig.path("run/lock"), "renew").expect("it is free");
    let daemon = Proc::spawn(&mut rig.command(&["run"])).expect("it starts");
    wait_for_handler(&daemon, Signal::HUP);
    for signal in [Signal::HUP, Signal::USR1, Signal::HUP] {
        daemon.signal(signal).expect("it runs");
    }
    drop(held);
    let lines = |lines: &[test_support::Line]| {
        let has = |words: &str| lines.iter().any(|line| line.text.contains(words));
        (has("configuration read again") && has("renewing now")).then_some(())
    };
    daemon.wait_for_lines(lines, PATIENCE, "both").expect("it obeys once it is ready");
}

#[test]
fn a_daemon_that_waits_for_the_lock_stops_at_once() {
    let (_hub, rig) = device();
    let _held = lock::take(&rig.path("run/lock"), "renew").expect("it is free");
    for signal in [Signal::TERM, Signal::INT] {
        let daemon = Proc::spawn(&mut rig.command(&["run"])).expect("it starts");
        wait_for_handler(&daemon, signal);
        daemon.signal(signal).expect("it runs");
        let exit = daemon.wait_exit(PATIENCE).expect("it ends");
        assert!(exit.success(), "{exit}: {}", daemon.output());
    }
}

/// The daemon as the first process of a PID namespace, and its id outside.
fn first_process(rig: &Rig) -> Option<(Proc, i32)> {
    let unshare = tool("unshare")?.display().to_string();
    let wrapper = [&*unshare, "--pid", "--fork", "--mount-proc", "--kill-child"];
    let works = Command::new(&unshare).args(&wrapper[1..]).arg("true").output();
    if !works.is_ok_and(|output| output.status.success()) {
        skipped("a PID namespace cannot be had here");
        return None;
    }
    let parent = Proc::spawn(&mut rig.wrapped(&wrapper, &["run"])).expect("it starts");
    wait_until(|| rig.status()["pid"] == 1, PATIENCE, "the first status").expect("it runs");
    let own = parent.pid().as_raw_nonzero().get();
    let daemon = children(own).first().map(|(pid, _)| *pid).expect("unshare has a child");
    Some((parent, daemon))
}

/// Children of a process with their states.
fn children(parent: i32) -> Vec<(i32, String)> {
    let pids =
        fs::read_dir("/proc").expect("procfs").flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| about(*pid, "PPid") == parent.to_string()).map(|pid| (pid, about(pid, "State"))).collect()
}

fn kill(process: i32, signal: Signal) {
    let pid = rustix::process::Pid::from_raw(process).expect("a process");
    rustix::process::kill_process(pid, signal).expect("it runs");
}

#[test]
fn a_container_s_first_process_reaps_orphans_and_keeps_exit_codes() {
    let (_hub, mut rig) = device();
    let marker = rig.path("orphan");
    // The orphan outlives its parent by a moment; the hook's own exit code still counts.
    let script = format!("(setsid sh -c 'sleep 0.2; touch {}' &) ; exit 3", marker.display());
    rig.set("hooks.on-change", format!("[\"/bin/sh\", \"-c\", {script:?}]"));
    // The hook has not heard of this license.
    fs::remove_file(rig.path("run/session.json")).expect("a file");
    let Some((parent, daemon)) = first_process(&rig) else { return };
    parent
        .wait_for_line(|line| line.contains("hooks.on-change: /bin/sh: exit status: 3"), PATIENCE)
        .expect("the exit code of a child is known");
    wait_until(|| marker.exists(), PATIENCE, "the orphan's end").expect("it ran");
    wait_until(|| children(daemon).is_empty(), PATIENCE, "no zombie")
        .unwrap_or_else(|e| panic!("{e}: {:?}", children(daemon)));
    kill(daemon, Signal::TERM);
    assert!(parent.wait_exit(PATIENCE).expect("it ends").success(), "{}", parent.output());
}

#[test]
fn a_container_s_first_process_stops_at_ctrl_c() {
    let (_hub, rig) = device();
    let Some((parent, daemon)) = first_process(&rig) else { return };
    kill(daemon, Signal::INT);
    assert!(parent.wait_exit(PATIENCE).expect("it ends").success(), "{}", parent.output());
}

/// A device whose hub does not answer, and `renew` that asks it without a daemon.
fn renewing(timeout: &str) -> (hub_emulator::HubEmulator, Rig, Proc) {
    let (hub, mut rig) = device();
    rig.set("hub.timeout", timeout);
    hub.rule(FaultRule::always(Endpoint::Any, Fault::delivery(Delivery::Hang)));
    let renew = Proc::spawn(&mut rig.command(&["renew"])).expect("it starts");
    wait_until(|| !hub.requests().is_empty(), PATIENCE, "a request").expect("it asks");
    (hub, rig, renew)
}

#[test]
fn ctrl_c_ends_a_command_and_leaves_nothing_behind() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        let (_hub, rig, renew) = renewing("60s");
        let begun = Instant::now();
        renew.signal(signal).expect("it runs");
        let exit = renew.wait_exit(PATIENCE).expect("it ends");
        assert_eq!(exit.code(), Some(code), "{}", renew.output());
        assert!(begun.elapsed() < Duration::from_secs(5));
        lock::take(&rig.path("run/lock"), "install").expect("it is free");
        let names = |directory: &str| fs::read_dir(rig.path(directory)).into_iter().flatten().flatten();
        let left = ["run", "state", "netifyd"].into_iter().flat_map(names).map(|entry| entry.file_name());
        let left: Vec<_> = left.filter(|name| name.to_string_lossy().contains(".netify-licensed-")).collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

#[test]
fn ctrl_c_ends_the_programs_of_a_command() {
    let (_hub, mut rig) = device();
    rig.unset("device.duid");
    let marker = rig.path("child");
    let script = format!("echo $$ > {0}.new; mv {0}.new {0}; exec sleep 60", marker.display());
    rig.set("device.duid-command", format!("[\"/bin/sh\", \"-c\", {script:?}]"));
    let duid = Proc::spawn(&mut rig.command(&["duid"])).expect("it starts");
    wait_until(|| marker.exists(), PATIENCE, "the program").expect("it runs");
    let child: i32 = fs::read_to_string(&marker).expect("its id").trim().parse().expect("a number");
    duid.signal(Signal::INT).expect("it runs");
    assert_eq!(duid.wait_exit(PATIENCE).expect("it ends").code(), Some(130));
    let gone = || !fs::exists(format!("/proc/{child}")).unwrap_or(true) || about(child, "State").starts_with('Z');
    wait_until(gone, PATIENCE, "the program's end").expect("it was ended");
}

#[test]
fn ctrl_z_is_put_off_until_the_lock_is_free() {
    let (_hub, rig, renew) = renewing("2s");
    let pid = renew.pid().as_raw_nonzero().get();
    renew.signal(Signal::TSTP).expect("it runs");
    // Whenever it is seen stopped, it no longer holds the lock.
    wait_until(|| about(pid, "State").starts_with('T'), PATIENCE, "it stops").expect("it stops in the end");
    lock::take(&rig.path("run/lock"), "install").expect("it is free");
    renew.signal(Signal::CONT).expect("it is stopped");
    assert_eq!(renew.wait_exit(PATIENCE).expect("it ends").code(), Some(1), "{}", renew.output());
}

#[test]
fn nohup_keeps_a_command_alive() {
    let Some(env) = env_with_signals() else { return };
    let (hub, mut rig) = device();
    rig.set("hub.timeout", "2s");
    hub.rule(FaultRule::always(Endpoint::Any, Fault::delivery(Delivery::Hang)));
    let renew = Proc::spawn(&mut rig.wrapped(&[&*env, "--ignore-signal=HUP"], &["renew"])).expect("it starts");
    wait_until(|| !hub.requests().is_empty(), PATIENCE, "a request").expect("it asks");
    renew.signal(Signal::HUP).expect("it runs");
    assert_eq!(renew.wait_exit(PATIENCE).expect("it ends").code(), Some(1), "{}", renew.output());
}
