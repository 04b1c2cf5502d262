//! Under strace: of all that the process tells the kernel, nothing holds a secret. TLS hides what goes to the hub.

use std::fs;

use hub_emulator::Endpoint;
use test_support::{Proc, Signal};

use super::marker::{WAYS, Way, contains, device, hub, needles};
use super::nowhere::COMMANDS;
use test_bench::rig::{PATIENCE, Rig, skipped, tool};

/// Reads bring the secrets in; that is their only place.
fn is_read(line: &str) -> bool {
    let call = line.split_once(' ').map_or(line, |(_, call)| call.trim_start());
    ["read(", "<... read resumed>"].iter().any(|start| call.starts_with(start))
}

#[track_caller]
fn assert_trace_clean(rig: &Rig, what: &str) -> bool {
    let trace = fs::read(rig.path("trace.txt")).expect("a trace");
    let text = String::from_utf8_lossy(&trace);
    assert!(text.contains("execve(") && text.contains("exit_group("), "{what}: {text}");
    let mut was_read = false;
    for (name, needle) in needles(rig) {
        for line in text.lines().filter(|line| contains(line.as_bytes(), &needle)) {
            assert!(is_read(line), "{what} tells the {name}: {line}");
            was_read = true;
        }
    }
    was_read
}

fn strace(rig: &Rig) -> Option<Vec<String>> {
    let Some(program) = tool("strace") else {
        skipped("system calls: strace is not installed (apt install strace)");
        return None;
    };
    let trace = rig.path("trace.txt").display().to_string();
    let line = ["-f", "-qq", "-v", "-s", "1000000", "-e", "signal=none", "-o", &trace];
    let line: Vec<String> = std::iter::once(program.display().to_string()).chain(line.map(str::to_owned)).collect();
    // Containers may forbid tracing altogether.
    let works =
        std::process::Command::new(&line[0]).args(&line[1..]).arg("true").status().is_ok_and(|status| status.success());
    if !works {
        skipped("system calls: strace may not trace here");
    }
    works.then_some(line)
}

#[test]
fn every_command() {
    for way in WAYS {
        let hub = hub(true);
        let rig = device(&hub, way);
        let Some(strace) = strace(&rig) else { return };
        let strace: Vec<&str> = strace.iter().map(String::as_str).collect();
        let mut reads = 0;
        for args in COMMANDS.iter().filter(|args| !args.contains(&"--json") && args[0] != "config") {
            rig.wrapped(&strace, args).output().expect("strace starts");
            reads += usize::from(assert_trace_clean(&rig, &format!("{args:?}")));
        }
        assert!(reads >= 2, "{way:?}: the search sees the secrets where they are read: {reads}");
    }
}

#[test]
fn the_daemon() {
    let hub = hub(true);
    let rig = device(&hub, Way::Api);
    let Some(strace) = strace(&rig) else { return };
    let strace: Vec<&str> = strace.iter().map(String::as_str).collect();
    let tracer = Proc::spawn(&mut rig.wrapped(&strace, &["run"])).expect("strace starts");
    let status = rig.wait_for_status("a license", |status| status["state"] == "valid");
    rig.run(&["renew"]).expect(0);
    assert!(hub.count(Endpoint::Any) >= 2);
    let daemon = status["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok()).and_then(test_support::Pid::from_raw);
    rustix::process::kill_process(daemon.expect("a PID"), Signal::TERM).expect("a signal");
    tracer.wait_exit(PATIENCE).expect("an end");
    assert!(assert_trace_clean(&rig, "the daemon"), "the search sees the key where it is read");
}
