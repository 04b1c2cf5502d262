//! Running as another user, which only root can test.

use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::time::Duration;

use test_support::Signal;

use super::common::{FIRST, SECOND, SOON, standin};

/// Any id will do; this one is in no passwd.
const USER: &str = "54321:54322";

/// Whether this test can run; said so that it is seen even when the test passes.
fn root() -> bool {
    let root = fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0);
    if !root {
        // Not eprintln: the test harness would swallow it.
        let _ = writeln!(io::stderr(), "SKIPPED, needs root: stand-in as another user");
    }
    root
}

#[test]
fn the_license_is_read_with_the_users_rights() -> io::Result<()> {
    if !root() {
        return Ok(());
    }
    let netifyd = standin().user(USER).start()?;
    let started = netifyd.wait_for_event(0, "started", SOON)?;
    assert_eq!((&started.json["uid"], &started.json["gid"]), (&54321.into(), &54322.into()));
    let socket = fs::metadata(netifyd.socket_path())?;
    assert_eq!((socket.uid(), socket.gid()), (54321, 54322));
    netifyd.wait_for_load("first", SOON)?;

    // A rewrite that keeps neither group nor mode is what breaks an unprivileged netifyd.
    netifyd.write_license(SECOND)?;
    fs::set_permissions(netifyd.license_path(), Permissions::from_mode(0o640))?;
    netifyd.signal(Signal::HUP)?;
    assert!(netifyd.wait_for_event(0, "load-failed", SOON)?.text("error").contains("Permission denied"));

    chown(netifyd.license_path(), None, Some(54322))?;
    netifyd.signal(Signal::HUP)?;
    netifyd.wait_for_load("second", SOON)?;
    assert!(netifyd.stop()?.success());
    assert!(!netifyd.pid_file().exists());
    Ok(())
}

#[test]
fn every_thread_has_lost_its_rights() -> io::Result<()> {
    if !root() {
        return Ok(());
    }
    let netifyd = standin().user(USER).start()?;
    for task in fs::read_dir(format!("/proc/{}/task", netifyd.pid()))? {
        let status = fs::read_to_string(task?.path().join("status"))?;
        for line in
            ["Uid:\t54321\t54321\t54321\t54321", "Gid:\t54322\t54322\t54322\t54322", "CapEff:\t0000000000000000"]
        {
            assert!(status.contains(line), "{line} is not in {status}");
        }
    }
    Ok(())
}

#[test]
fn an_unprivileged_daemon_dies_once_and_comes_back() -> io::Result<()> {
    if !root() {
        return Ok(());
    }
    let delay = Duration::from_millis(50);
    let netifyd = standin().license(FIRST).user("nobody").behavior("die-once").supervise(delay).start()?;
    let mark = netifyd.mark();
    assert_eq!(netifyd.request("reload")?["code"], 100);
    netifyd.wait_for_event(mark, "ready", SOON)?;
    assert_eq!(netifyd.request("reload")?["code"], 100);
    netifyd.wait_for_loads(3, SOON)?;
    assert_eq!(netifyd.count("dying"), 1);
    let pid = netifyd.pid();
    netifyd.process().signal(Signal::KILL)?;
    assert_eq!(netifyd.wait_for_event(mark, "stopped", SOON)?.pid, pid);
    Ok(())
}
