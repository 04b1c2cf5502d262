//! A core file would hold whatever memory holds: there is none, even when somebody asks for it.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use test_support::{Proc, Signal};

use super::marker::{KEY, Way, assert_clean, assert_files_clean, device, hub, needles};
use test_bench::rig::{PATIENCE, Rig, skipped, tool};

const UNLIMITED: [&str; 4] = ["/bin/sh", "-c", "ulimit -c unlimited 2>/dev/null; exec \"$@\"", "sh"];

/// Whether a process that wants to leave a core file here does.
fn cores_are_possible(rig: &Rig) -> bool {
    let mut abort = Command::new(UNLIMITED[0]);
    abort.args(&UNLIMITED[1..]).args(["/bin/sh", "-c", "kill -ABRT $$"]).current_dir(rig.dir());
    let possible = abort.status().expect("a shell").core_dumped();
    let left: Vec<_> = fs::read_dir(rig.dir()).expect("a directory").flatten().collect();
    for entry in left.iter().filter(|entry| entry.file_name().to_string_lossy().starts_with("core")) {
        fs::remove_file(entry.path()).expect("the other process' core");
    }
    possible
}

#[test]
fn an_abort_leaves_no_core_file() {
    let hub = hub(false);
    let rig = device(&hub, Way::Api);
    let needles = needles(&rig);
    if !cores_are_possible(&rig) {
        skipped("a forced core file: this system writes none for any process");
    }
    for raise_again in [false, true] {
        let daemon = Proc::spawn(&mut rig.wrapped(&UNLIMITED, &["run"])).expect("the daemon starts");
        let pid = daemon.pid().as_raw_pid();
        rig.wait_for_status("a license", |status| status["state"] == "valid" && status["pid"] == pid);
        let limits = fs::read_to_string(format!("/proc/{pid}/limits")).expect("a running process");
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("a limit");
        assert_eq!(core.split_whitespace().collect::<Vec<_>>()[4..6], ["0", "0"], "{core}");
        if raise_again {
            // Only root can; what remains is that the process is not dumpable.
            let Some(prlimit) = tool("prlimit") else {
                skipped("a raised limit: prlimit is not installed");
                continue;
            };
            let raised = Command::new(prlimit).args(["--core=unlimited:unlimited", "--pid", &pid.to_string()]).output();
            if !raised.is_ok_and(|done| done.status.success()) {
                skipped("a raised limit: only root may raise it");
                continue;
            }
        }
        daemon.signal(Signal::ABORT).expect("a signal");
        let status = daemon.wait_exit(PATIENCE).expect("an end");
        assert_eq!((status.signal(), status.core_dumped()), (Some(6), false), "{status:?}");
        assert_clean("its last words", daemon.output().as_bytes(), &needles);
        assert_files_clean(&rig, &needles);
    }
    assert!(fs::read_to_string(rig.path("api-key")).expect("the key").contains(KEY));
}

#[test]
fn commands_that_hold_secrets_are_guarded_too() {
    let hub = hub(false);
    let rig = device(&hub, Way::Api);
    hub.fault(hub_emulator::Endpoint::List, hub_emulator::Fault::delivery(hub_emulator::Delivery::Hang));
    let list = Proc::spawn(&mut rig.wrapped(&UNLIMITED, &["hub", "list"])).expect("the command starts");
    assert!(hub.wait_for(hub_emulator::Endpoint::List, 1, PATIENCE), "it has read the key by now");
    list.signal(Signal::ABORT).expect("a signal");
    assert!(!list.wait_exit(PATIENCE).expect("an end").core_dumped());
    assert_files_clean(&rig, &needles(&rig));
}

#[test]
fn commands_that_read_the_configuration_alone_are_guarded_too() {
    let hub = hub(false);
    let rig = device(&hub, Way::Api);
    // Waits for the end of its input.
    let mut command = rig.wrapped(&UNLIMITED, &["verify", "-"]);
    let mut verify = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("the command starts");
    let limits = || fs::read_to_string(format!("/proc/{}/limits", verify.id())).unwrap_or_default();
    let guarded = || limits().lines().any(|line| line.split_whitespace().eq("Max core file size 0 0 bytes".split(' ')));
    let waited = test_support::wait_until(guarded, PATIENCE, "no core file");
    let seen = limits();
    drop(verify.stdin.take());
    assert_eq!(verify.wait().expect("an end").code(), Some(3), "nothing is no license");
    assert!(waited.is_ok(), "{seen}");
    // Nor does it keep a document from being given by a descriptor.
    let line = "exec \"$@\" /dev/stdin <config.toml";
    let mut command = rig.wrapped(&["/bin/sh", "-c", line, "sh"], &["verify"]);
    assert!(String::from_utf8_lossy(&command.output().expect("it runs").stdout).contains("malformed"));
}
