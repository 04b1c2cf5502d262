//! Whoever asks while something is under way shares it; there is one daemon.

use std::time::Duration;

use hub_emulator::{Endpoint, Fault, FaultRule};
use test_support::{Proc, Signal};

use super::{ask, device, offer};
use test_bench::rig::{PATIENCE, Rig};

/// Time in which others may come, for a hub that takes so long.
const SLOW: Duration = Duration::from_secs(1);

/// Waits until another license is installed and reported.
fn changes(rig: &Rig, before: &str) {
    let sha256 = rig.status()["license"]["sha256"].clone();
    test_support::wait_until(|| rig.installed() != before, PATIENCE, "a new license").expect("a new license");
    rig.wait_for_status("the new license", |status| status["license"]["sha256"] != sha256);
}

fn start(rig: &Rig, arguments: &[&str]) -> Proc {
    Proc::spawn(&mut rig.command(arguments)).expect("the program starts")
}

#[test]
fn renewals_at_the_same_time_are_one() {
    let (hub, rig) = device();
    let daemon = rig.daemon();
    // What one renewal asks for.
    offer(&hub, 1);
    rig.run(&["renew"]).expect(0);
    let alone = hub.count(Endpoint::Any);

    offer(&hub, 2);
    hub.clear_requests();
    hub.rule(FaultRule::once(Endpoint::Any, Fault::delay(SLOW)));
    let first = start(&rig, &["renew"]);
    assert!(hub.wait_for(Endpoint::Any, 1, PATIENCE));
    let others = [start(&rig, &["renew"]), start(&rig, &["renew"])];
    daemon.signal(Signal::USR1).expect("the daemon runs");
    let joined = |renew: &Proc| {
        let code = renew.wait_exit(PATIENCE).expect("it ends").code();
        assert_eq!(code, Some(0), "{}", renew.output());
        renew.output()
    };
    let said = joined(&first);
    assert!(said.contains("installed, ends"), "{said}");
    assert_eq!(others.each_ref().map(joined), [said.clone(), said]);
    assert_eq!(hub.count(Endpoint::Any), alone, "{:#?}", hub.requests());
}

#[test]
fn a_signal_renews_too() {
    let (hub, rig) = device();
    let daemon = rig.daemon();
    let before = rig.installed();
    offer(&hub, 1);
    daemon.signal(Signal::USR1).expect("the daemon runs");
    daemon.wait_for_line(|line| line.contains("renewing now, as SIGUSR1 asks for"), PATIENCE).expect("it says so");
    changes(&rig, &before);
}

/// A client that leaves does not take its work with it.
#[test]
fn what_was_asked_for_is_done_for_nobody_as_well() {
    let (hub, rig) = device();
    let _daemon = rig.daemon();
    let before = rig.installed();
    offer(&hub, 1);
    hub.clear_requests();
    hub.rule(FaultRule::once(Endpoint::Any, Fault::delay(SLOW)));
    let asking = start(&rig, &["renew"]);
    assert!(hub.wait_for(Endpoint::Any, 1, PATIENCE));
    asking.signal(Signal::KILL).expect("it runs");
    changes(&rig, &before);
}

#[test]
fn a_dry_run_changes_nothing() {
    let (hub, rig) = device();
    let _daemon = rig.daemon();
    let before = rig.installed();
    offer(&hub, 1);
    let outcome = rig.run(&["renew", "--dry-run"]);
    outcome.expect(0);
    assert!(outcome.out.contains("dry run: "), "{outcome:?}");
    assert_eq!(rig.installed(), before);
    // A script of the operator's may take the member's name from the command line; a misspelled one renews nothing.
    let socket = rig.path("run/control.sock");
    let answer = ask(&socket, r#"{"v":1,"command":"renew","dry-run":true}"#).expect("an answer");
    assert!(answer["message"].as_str().is_some_and(|text| text.contains("dry run: ")), "{answer}");
    let answer = ask(&socket, r#"{"v":1,"command":"renew","dryrun":true}"#).expect("an answer");
    assert_eq!(answer["exit"], 2, "{answer}");
    assert!(answer["message"].as_str().is_some_and(|text| text.contains("unknown member `dryrun`")), "{answer}");
    assert_eq!(rig.installed(), before);
}

#[test]
fn a_second_daemon_is_refused_by_the_first_ones_name() {
    let (_hub, rig) = device();
    let first = rig.daemon();
    let pid = first.pid().as_raw_pid();
    let second = rig.run(&["run"]);
    second.expect(1);
    assert!(second.err.contains(&format!("another run (process {pid}) holds ")), "{second:?}");
    assert!(second.err.contains("; stop it first"), "{second:?}");
    assert!(first.is_running());
    let status = ask(&rig.path("run/control.sock"), r#"{"v":1,"command":"status"}"#).expect("the first one answers");
    assert_eq!(status["status"]["pid"], pid);
}

/// A lock on a deleted file keeps nobody out.
#[test]
fn a_deleted_lock_lets_no_second_daemon_in() {
    let (_hub, rig) = device();
    let lock = rig.path("run/lock");
    let first = rig.daemon();
    let pid = first.pid().as_raw_pid();
    // Stopped, it does not notice.
    first.signal(Signal::STOP).expect("it runs");
    std::fs::remove_file(&lock).expect("removed");
    let second = rig.run(&["run"]);
    let words = format!("another run (process {pid}) listens on {}", rig.path("run/control.sock").display());
    assert!(second.expect(1).contains(&words), "{second:?}");
    drop(first);
    // It is held again at once.
    let first = rig.daemon();
    let pid = first.pid().as_raw_pid();
    std::fs::remove_file(&lock).expect("removed");
    first.wait_for_line(|line| line.contains("it is held again"), PATIENCE).expect("it is taken again");
    let second = rig.run(&["run"]);
    assert!(second.expect(1).contains(&format!("another run (process {pid}) holds ")), "{second:?}");
}

#[test]
fn without_a_daemon_the_same_is_done_under_its_lock() {
    let (hub, rig) = device();
    offer(&hub, 1);
    hub.clear_requests();
    hub.rule(FaultRule::once(Endpoint::Any, Fault::delay(SLOW)));
    let renewing = start(&rig, &["renew"]);
    assert!(hub.wait_for(Endpoint::Any, 1, PATIENCE));
    // It waits for the command, then takes over.
    let daemon = rig.daemon();
    // The lock is free some moments before its process has ended.
    renewing.wait_exit(SLOW / 4).expect("the daemon began when the command was over");
    assert!(renewing.output().contains("installed, ends"), "{}", renewing.output());
    assert!(daemon.is_running());
}

/// A dry run that fails is nobody's failure: the daemon's schedule and its counts stay as they are.
#[test]
fn a_dry_run_that_fails_changes_nothing() {
    let (hub, rig) = device();
    let _daemon = rig.daemon();
    let renewal = rig.wait_for_status("valid", |status| status["state"] == "valid")["renewal"].clone();
    for fault in [Fault::status(403), Fault::status(500)] {
        hub.fault(Endpoint::Any, fault);
        let done = rig.run(&["renew", "--dry-run"]);
        assert!(matches!(done.code, Some(1 | 5)), "{done:?}");
        assert_eq!(rig.status()["renewal"], renewal, "{done:?}");
    }
}
