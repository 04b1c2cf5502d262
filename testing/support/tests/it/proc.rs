//! Child processes: output, signals, exits, and no leftovers.

use std::io::{self, ErrorKind, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::time::Duration;

use test_support::{Proc, Signal, Stream, wait_until};

const SOON: Duration = Duration::from_secs(10);

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

#[test]
fn lines_of_both_outputs_are_kept_apart() -> io::Result<()> {
    let child = Proc::spawn(&mut shell("echo one; echo two >&2; echo three; exit 3"))?;
    assert_eq!(child.wait_for_line(|line| line.starts_with("th"), SOON)?, "three");
    assert_eq!(child.wait_exit(SOON)?.code(), Some(3));
    assert_eq!(child.wait_exit(SOON)?.code(), Some(3), "may be asked again");
    assert_eq!((child.stdout().as_str(), child.stderr().as_str()), ("one\nthree", "two"));
    assert_eq!(child.lines().iter().filter(|line| line.stream == Stream::Err).count(), 1);
    assert!(!child.is_running());
    Ok(())
}

#[test]
fn an_early_end_is_not_waited_for() -> io::Result<()> {
    let child = Proc::spawn(&mut shell("echo no"))?;
    let error = child.wait_for_line(|line| line == "yes", Duration::from_secs(600)).expect_err("never came");
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    assert!(error.to_string().contains("its output: no"), "{error}");
    Ok(())
}

#[test]
fn signals_reach_the_child() -> io::Result<()> {
    let child = Proc::spawn(&mut shell("echo up; exec sleep 600"))?;
    child.wait_for_line(|line| line == "up", SOON)?;
    let error = child.wait_exit(Duration::from_millis(20)).expect_err("sleeps");
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    child.signal(Signal::TERM)?;
    assert_eq!(child.wait_exit(SOON)?.signal(), Some(15));
    assert!(child.signal(Signal::TERM).is_err(), "nobody is there any more");
    Ok(())
}

#[test]
fn standard_input_is_open_until_dropped() -> io::Result<()> {
    let mut child = Proc::spawn_with_stdin(&mut shell("cat; echo end"))?;
    let mut stdin = child.take_stdin().ok_or_else(|| io::Error::other("no pipe"))?;
    stdin.write_all(b"hello\n")?;
    child.wait_for_line(|line| line == "hello", SOON)?;
    assert!(child.is_running());
    drop(stdin);
    child.wait_for_line(|line| line == "end", SOON)?;
    Ok(())
}

#[test]
fn dropped_means_gone() -> io::Result<()> {
    let child = Proc::spawn(&mut shell("exec sleep 600"))?;
    let entry = format!("/proc/{}", child.pid());
    assert!(std::fs::exists(&entry)?);
    drop(child);
    wait_until(|| std::fs::exists(&entry).is_ok_and(|there| !there), SOON, "the child's entry in /proc goes")
}

#[test]
fn a_missing_program_is_named() {
    let error = Proc::spawn(&mut Command::new("/nonexistent/program")).expect_err("cannot start");
    assert!(error.to_string().contains("/nonexistent/program"), "{error}");
}
