//! What the stand-in does when it is told to misbehave.

use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use netifyd_standin::Standin;
use test_support::Signal;

use super::common::{SECOND, SOON, standin};

const MOMENT: Duration = Duration::from_millis(100);

/// Nothing but the load at the start, not even a moment later.
fn loads_nothing(netifyd: &Standin) {
    netifyd.wait_for_loads(2, MOMENT).expect_err("nothing must be loaded");
    assert!(netifyd.process().is_running());
}

#[test]
fn refuses_with_the_code_it_is_told() -> io::Result<()> {
    let netifyd = standin().behavior("refuse-500,refuse-501,refuse").start()?;
    for code in [500, 501, 502, 502] {
        assert_eq!(netifyd.request("reload")?["code"], code);
    }
    netifyd.signal(Signal::HUP)?;
    netifyd.wait_for("refused signal", SOON, |event| event.name == "refused" && event.text("by") == "signal")?;
    assert_eq!(netifyd.request("status")?["code"], 100);
    loads_nothing(&netifyd);
    Ok(())
}

#[test]
fn hangs_until_the_client_leaves() -> io::Result<()> {
    let netifyd = standin().behavior("hang:1").start()?;
    let asking = ask(&netifyd, "reload")?;
    netifyd.wait_for_event(0, "ignored", SOON)?;
    is_silent(&asking);
    is_silent(&ask(&netifyd, "status")?);
    loads_nothing(&netifyd);
    drop(asking);
    assert_eq!(netifyd.request("status")?["code"], 100);
    assert!(netifyd.stop()?.success(), "it still stops");
    Ok(())
}

fn ask(netifyd: &Standin, command: &str) -> io::Result<UnixStream> {
    let mut connection = UnixStream::connect(netifyd.socket_path())?;
    connection.set_read_timeout(Some(MOMENT))?;
    connection.write_all(format!("{{\"command\":\"{command}\"}}").as_bytes())?;
    Ok(connection)
}

fn is_silent(mut connection: &UnixStream) {
    let error = connection.read(&mut [0]).expect_err("no answer");
    assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
}

#[test]
fn is_stuck_for_good() -> io::Result<()> {
    let netifyd = standin().behavior("stuck").start()?;
    assert_eq!(netifyd.request("reload")?["code"], 100, "it said yes");
    is_silent(&ask(&netifyd, "status")?);
    netifyd.signal(Signal::TERM)?;
    let ended = netifyd.process().wait_exit(MOMENT);
    assert!(ended.is_err(), "it does not even stop: {ended:?}");
    netifyd.signal(Signal::KILL)?;
    Ok(())
}

#[test]
fn says_yes_and_forgets() -> io::Result<()> {
    let netifyd = standin().behavior("forget").start()?;
    assert_eq!(netifyd.request("reload")?["code"], 100);
    loads_nothing(&netifyd);
    Ok(())
}

#[test]
fn talks_nonsense_or_hangs_up() -> io::Result<()> {
    let netifyd = standin().behavior("garbage,cut").start()?;
    assert_eq!(netifyd.request("reload").expect_err("not JSON").kind(), ErrorKind::InvalidData);
    assert_eq!(netifyd.request_raw(b"{\"command\":\"reload\"}")?, b"");
    loads_nothing(&netifyd);
    Ok(())
}

#[test]
fn is_slow() -> io::Result<()> {
    let netifyd = standin().behavior("slow:150").start()?;
    let start = Instant::now();
    assert_eq!(netifyd.request("reload")?["code"], 100);
    netifyd.wait_for_loads(2, SOON)?;
    assert!(start.elapsed() >= Duration::from_millis(150));
    Ok(())
}

/// One thread reloads and accepts: an answer on a new connection comes after the reload.
#[test]
fn answers_nobody_new_while_it_reloads() -> io::Result<()> {
    let netifyd = standin().behavior("slow:400").start()?;
    let mut before = ask(&netifyd, "status")?;
    let mut reply = [0; 4_096];
    assert!(before.read(&mut reply)? > 0);
    netifyd.signal(Signal::HUP)?;
    netifyd.wait_for_event(0, "reload-requested", SOON)?;
    assert_eq!(netifyd.request("status")?["code"], 100);
    assert_eq!(netifyd.loads().len(), 2, "the reload was over");

    // Who was accepted before has a thread of his own, and learns nothing of the reload.
    netifyd.signal(Signal::HUP)?;
    netifyd.wait_for("the second", SOON, |event| event.name == "reload-requested" && event.text("by") == "signal")?;
    before.write_all(b"{\"command\":\"status\"}")?;
    before.set_read_timeout(Some(SOON))?;
    assert!(before.read(&mut reply)? > 0);
    assert_eq!(netifyd.loads().len(), 2, "it still reloads");
    Ok(())
}

/// `ShdPnd` in proc(5) shows the signals that were not taken yet.
#[test]
fn a_signal_waits_while_it_is_stopped() -> io::Result<()> {
    let netifyd = standin().start()?;
    let waits = || {
        let text = fs::read_to_string(format!("/proc/{}/status", netifyd.pid())).unwrap_or_default();
        let pending = text.lines().find_map(|line| line.strip_prefix("ShdPnd:\t")).unwrap_or_default();
        u64::from_str_radix(pending, 16).is_ok_and(|pending| pending & 1 == 1)
    };
    netifyd.signal(Signal::STOP)?;
    netifyd.signal(Signal::HUP)?;
    assert!(waits());
    netifyd.signal(Signal::CONT)?;
    netifyd.wait_for_loads(2, SOON)?;
    assert!(!waits());
    Ok(())
}

#[test]
fn dies_and_leaves_its_files_behind() -> io::Result<()> {
    for by_socket in [false, true] {
        let netifyd = standin().behavior("die-on-reload").start()?;
        if by_socket {
            assert_eq!(netifyd.request("reload")?["code"], 100, "queued, then dead");
        } else {
            netifyd.signal(Signal::HUP)?;
        }
        assert_eq!(netifyd.process().wait_exit(SOON)?.code(), Some(0), "as if all were well");
        assert!(netifyd.pid_file().exists() && netifyd.socket_path().exists());
        assert_eq!((netifyd.count("dying"), netifyd.loads().len()), (1, 1));
        assert!(netifyd.signal(Signal::HUP).is_err(), "nobody is there");
    }
    Ok(())
}

#[test]
fn dies_after_a_reload_that_looked_fine() -> io::Result<()> {
    let netifyd = standin().behavior("die-later:50").start()?;
    netifyd.write_license(SECOND)?;
    netifyd.signal(Signal::HUP)?;
    netifyd.wait_for_load("second", SOON)?;
    assert_eq!(netifyd.process().wait_exit(SOON)?.code(), Some(0));
    Ok(())
}

#[test]
fn changes_its_mind_while_running() -> io::Result<()> {
    let netifyd = standin().start()?;
    netifyd.set_behavior("refuse:1")?;
    for _ in 0..2 {
        assert_eq!(netifyd.request("reload")?["code"], 502);
        assert_eq!(netifyd.request("reload")?["code"], 100);
        // The same words once more count from the start.
        netifyd.set_behavior("refuse:1")?;
    }
    assert!(netifyd.set_behavior("nap").is_err());
    Ok(())
}

#[test]
fn a_behavior_file_can_be_written_by_hand() -> io::Result<()> {
    let netifyd = standin().start()?;
    let file = netifyd.dir().join("behavior");
    fs::write(&file, "refuse,ok")?;
    assert_eq!(netifyd.request("reload")?["code"], 502);
    assert_eq!(fs::read_to_string(&file)?, "ok\n", "what is left is written back");
    fs::write(&file, "nonsense")?;
    assert_eq!(netifyd.request("reload")?["code"], 100, "what it does not understand changes nothing");
    assert!(netifyd.wait_for_event(0, "behavior-invalid", SOON)?.text("error").contains("nonsense"));
    Ok(())
}
