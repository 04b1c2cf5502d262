//! Start, reload by signal, and stop.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

use test_support::{Proc, Signal, temp_dir, wait_until};

use super::common::{FIRST, SECOND, SOON, standin};

#[test]
fn looks_like_netifyd_from_outside() -> io::Result<()> {
    let netifyd = standin().start()?;
    let pid = fs::read_to_string(netifyd.pid_file())?;
    assert_eq!(pid.trim(), netifyd.pid().to_string());
    let exe = fs::read_link(format!("/proc/{}/exe", pid.trim()))?;
    assert_eq!(exe.file_name(), Some("netifyd".as_ref()));
    Ok(())
}

/// The PID file is there, and empty; then it has the PID; the socket comes when captures have started.
#[test]
fn comes_up_in_the_order_of_netifyd() -> io::Result<()> {
    let wait = Duration::from_millis(300);
    let dir = temp_dir()?;
    let (pid_file, socket) = (dir.path().join("netifyd.pid"), dir.path().join("netifyd.sock"));
    let starting = {
        let dir = dir.path().to_owned();
        std::thread::spawn(move || standin().dir(dir).pid_gap(wait).capture_delay(wait).start())
    };
    let text = || fs::read_to_string(&pid_file).ok();
    wait_until(|| text().is_some_and(|text| text.is_empty()), SOON, "an empty PID file")?;
    wait_until(|| text().is_some_and(|text| text.ends_with('\n')), SOON, "a PID file")?;
    assert!(!socket.exists(), "it has not captured anything yet");
    let netifyd = starting.join().expect("no panic")?;
    netifyd.wait_for_event(0, "ready", SOON)?;
    assert!(socket.exists());
    Ok(())
}

#[test]
fn there_is_only_one() -> io::Result<()> {
    let netifyd = standin().start()?;
    let second = Proc::spawn(Command::new(env!("CARGO_BIN_EXE_netifyd")).arg("--pid-file").arg(netifyd.pid_file()))?;
    assert_eq!(second.wait_exit(SOON)?.code(), Some(1));
    assert!(second.stderr().contains("runs already"), "{}", second.stderr());
    Ok(())
}

/// As netifyd writes it: in its own rhythm, not at a reload, and it stays behind.
#[test]
fn status_json() -> io::Result<()> {
    let builder = standin().update_interval(Duration::from_millis(100)).without_license_manager();
    let netifyd = builder.bootstrap(7, "no such license").start()?;
    let read = || -> io::Result<serde_json::Value> {
        let file = File::open(netifyd.status_file())?;
        file.lock_shared()?;
        Ok(serde_json::from_reader(file)?)
    };
    let status = read()?;
    assert_eq!((&status["type"], &status["license_manager"]), (&"agent_status".into(), &false.into()), "{status}");
    assert!(status["signatures"]["apps"].is_u64() && status["agent_version"] == "5.2.8", "{status}");
    let bootstrap = &status["netify_api"]["bootstrap"];
    assert_eq!((&bootstrap["code"], &bootstrap["message"]), (&7.into(), &"no such license".into()));
    assert_eq!(fs::metadata(netifyd.status_file())?.permissions().mode() & 0o777, 0o640);
    let modified = || fs::metadata(netifyd.status_file()).and_then(|meta| meta.modified());
    let before = modified()?;
    wait_until(|| modified().is_ok_and(|now| now > before), SOON, "it is written again")?;

    let netifyd = standin().start()?;
    let modified = || fs::metadata(netifyd.status_file()).and_then(|meta| meta.modified());
    let before = modified()?;
    netifyd.signal(Signal::HUP)?;
    netifyd.wait_for_loads(2, SOON)?;
    assert_eq!(modified()?, before, "a reload is no reason");
    Ok(())
}

#[test]
fn may_take_its_time_to_stop() -> io::Result<()> {
    let netifyd = standin().stop_delay(Duration::from_millis(300)).start()?;
    netifyd.signal(Signal::TERM)?;
    let ended = netifyd.process().wait_exit(Duration::from_millis(100));
    assert!(ended.is_err(), "{ended:?}");
    assert_eq!(netifyd.request("status")?["code"], 100, "meanwhile it works on");
    assert!(netifyd.process().wait_exit(SOON)?.success());
    Ok(())
}

#[test]
fn loads_at_start_and_on_hup() -> io::Result<()> {
    let netifyd = standin().start()?;
    let load = netifyd.wait_for_load("first", SOON)?;
    assert_eq!((load.by.as_str(), load.expires), ("start", Some(1_700_000_000)));
    assert_eq!(load.bytes, FIRST.len() as u64);
    netifyd.write_license(SECOND)?;
    netifyd.signal(Signal::HUP)?;
    let load = netifyd.wait_for_load("second", SOON)?;
    assert_eq!((load.by.as_str(), load.expires), ("signal", Some(1_800_000_000)));
    assert_eq!(netifyd.wait_for_load(&load.sha256, SOON)?, load, "found by digest as well");
    assert_eq!(netifyd.wait_for_loads(2, SOON)?.len(), 2);
    Ok(())
}

#[test]
fn a_missing_or_broken_license_does_not_end_it() -> io::Result<()> {
    let netifyd = standin().license("{ not yet").start()?;
    assert!(netifyd.wait_for_event(0, "load-failed", SOON)?.text("error").contains("not JSON"));
    fs::remove_file(netifyd.license_path())?;
    let mark = netifyd.mark();
    netifyd.signal(Signal::HUP)?;
    assert!(netifyd.wait_for_event(mark, "load-failed", SOON)?.text("error").contains("No such file"));
    netifyd.write_license(FIRST)?;
    netifyd.signal(Signal::HUP)?;
    netifyd.wait_for_load("first", SOON)?;
    Ok(())
}

#[test]
fn waits_for_an_exclusive_lock() -> io::Result<()> {
    let netifyd = standin().start()?;
    let file = File::open(netifyd.license_path())?;
    file.lock()?;
    netifyd.signal(Signal::HUP)?;
    netifyd.wait_for_event(0, "reload-requested", SOON)?;
    netifyd.wait_for_loads(2, Duration::from_millis(100)).expect_err("the writer still holds its lock");
    file.unlock()?;
    netifyd.wait_for_loads(2, SOON)?;
    Ok(())
}

#[test]
fn other_signals_are_reported() -> io::Result<()> {
    let netifyd = standin().start()?;
    for (signal, name) in [(Signal::USR1, "USR1"), (Signal::USR2, "USR2")] {
        netifyd.signal(signal)?;
        netifyd.wait_for(name, SOON, |event| event.name == "signal" && event.text("signal") == name)?;
    }
    assert_eq!(netifyd.loads().len(), 1);
    Ok(())
}

#[test]
fn stops_cleanly() -> io::Result<()> {
    for signal in [Signal::TERM, Signal::INT] {
        let netifyd = standin().start()?;
        netifyd.signal(signal)?;
        assert!(netifyd.process().wait_exit(SOON)?.success());
        for path in [netifyd.pid_file(), netifyd.socket_path()] {
            assert!(!path.exists(), "{} is left", path.display());
        }
        assert!(netifyd.status_file().exists(), "netifyd leaves this one");
        let events = fs::read_to_string(netifyd.events_file())?;
        let last = events.lines().last().unwrap_or_default();
        assert!(last.contains(r#""event":"stopped""#) && last.contains(r#""left_behind":[]"#), "{last}");
        assert_eq!(events.lines().count(), netifyd.mark(), "file and standard output tell the same");
    }
    Ok(())
}

#[test]
fn ends_with_its_starter() -> io::Result<()> {
    let dir = temp_dir()?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_netifyd"));
    command.arg("--until-eof").arg("--license").arg(dir.path().join("none"));
    let mut netifyd = Proc::spawn_with_stdin(&mut command)?;
    netifyd.wait_for_line(|line| line == "ready", SOON)?;
    drop(netifyd.take_stdin());
    assert!(netifyd.wait_exit(SOON)?.success());
    assert_eq!(netifyd.output(), "ready", "without --verbose, nothing else is printed");
    Ok(())
}

#[test]
fn bad_flags_and_paths_are_errors() -> io::Result<()> {
    let cases =
        [("--behavior=nap", 2, "nap"), ("--user=nobody-here", 2, "nobody-here"), ("--pid-file=/none/x", 1, "/none/x")];
    for (flag, code, text) in cases {
        let netifyd = Proc::spawn(Command::new(env!("CARGO_BIN_EXE_netifyd")).arg(flag))?;
        assert_eq!(netifyd.wait_exit(SOON)?.code(), Some(code), "{flag}");
        assert!(netifyd.stderr().contains(text), "{}", netifyd.stderr());
    }
    Ok(())
}
