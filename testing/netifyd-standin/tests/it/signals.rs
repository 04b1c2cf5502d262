//! Start, reload by signal, and stop.

use std::fs::{self, File};
use std::io;
use std::process::Command;
use std::time::Duration;

use test_support::{Proc, Signal, temp_dir};

use super::common::{FIRST, SECOND, SOON, standin};

#[test]
fn looks_like_netifyd_from_outside() -> io::Result<()> {
    let netifyd = standin().start()?;
    let pid = fs::read_to_string(netifyd.pid_file())?;
    assert_eq!(pid.trim(), netifyd.pid().to_string());
    let exe = fs::read_link(format!("/proc/{}/exe", pid.trim()))?;
    assert_eq!(exe.file_name(), Some("netifyd".as_ref()));
    assert!(fs::read_to_string(netifyd.status_file())?.contains(r#""license_manager":true"#));
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
    assert_eq!(netifyd.request("status")?["code"], 100, "meanwhile it answers");
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
        for path in [netifyd.pid_file(), netifyd.socket_path(), netifyd.status_file()] {
            assert!(!path.exists(), "{} is left", path.display());
        }
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
