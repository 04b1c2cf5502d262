//! A daemon that dies and comes back.

use std::fs;
use std::io;
use std::time::Duration;

use test_support::Signal;

use super::common::{SECOND, SOON, standin};

const DELAY: Duration = Duration::from_millis(50);

#[test]
fn a_daemon_that_dies_once_comes_back_with_the_new_license() -> io::Result<()> {
    let netifyd = standin().behavior("die-once").supervise(DELAY).start()?;
    let (supervisor, first) = (netifyd.process().pid().as_raw_pid(), netifyd.pid());
    assert_ne!(supervisor, first);
    assert_eq!(fs::read_to_string(netifyd.pid_file())?.trim(), first.to_string());

    netifyd.write_license(SECOND)?;
    let mark = netifyd.mark();
    netifyd.signal(Signal::HUP)?;
    let exited = netifyd.wait_for_event(mark, "child-exited", SOON)?;
    assert_eq!((exited.pid, &exited.json["child"], &exited.json["code"]), (supervisor, &first.into(), &0.into()));
    netifyd.wait_for_event(mark, "ready", SOON)?;
    assert_ne!(netifyd.pid(), first);
    assert_eq!(fs::read_to_string(netifyd.pid_file())?.trim(), netifyd.pid().to_string());
    assert_eq!(netifyd.wait_for_load("second", SOON)?.by, "start");

    // Once means once, across the restart: the socket is bound anew and the reload succeeds.
    assert_eq!(netifyd.request("reload")?["code"], 100);
    netifyd.wait_for_loads(3, SOON)?;
    assert_eq!(netifyd.count("dying"), 1);
    Ok(())
}

#[test]
fn a_killed_daemon_comes_back_too() -> io::Result<()> {
    let netifyd = standin().supervise(DELAY).start()?;
    let mark = netifyd.mark();
    netifyd.signal(Signal::KILL)?;
    assert_eq!(netifyd.wait_for_event(mark, "child-exited", SOON)?.json["signal"], 9);
    netifyd.wait_for_event(mark, "ready", SOON)?;
    Ok(())
}

#[test]
fn stopping_stops_both() -> io::Result<()> {
    let netifyd = standin().supervise(DELAY).start()?;
    let entry = format!("/proc/{}", netifyd.pid());
    assert!(netifyd.stop()?.success());
    assert_eq!((netifyd.count("stopped"), netifyd.count("supervisor-stopped")), (1, 1));
    assert!(!netifyd.pid_file().exists() && !fs::exists(entry)?);
    Ok(())
}

#[test]
fn the_daemon_ends_with_a_killed_supervisor() -> io::Result<()> {
    let netifyd = standin().supervise(DELAY).start()?;
    let daemon = netifyd.pid();
    netifyd.process().signal(Signal::KILL)?;
    assert_eq!(netifyd.wait_for_event(0, "stopped", SOON)?.pid, daemon);
    Ok(())
}

#[test]
fn signals_to_the_supervisor_are_reported_and_not_passed_on() -> io::Result<()> {
    let netifyd = standin().supervise(DELAY).start()?;
    netifyd.process().signal(Signal::HUP)?;
    let event = netifyd.wait_for_event(0, "supervisor-signaled", SOON)?;
    assert_eq!(event.text("signal"), "HUP");
    assert_eq!(netifyd.count("reload-requested"), 0);
    Ok(())
}
