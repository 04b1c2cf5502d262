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
fn hangs() -> io::Result<()> {
    let netifyd = standin().behavior("hang").start()?;
    for command in ["reload", "status"] {
        let mut connection = UnixStream::connect(netifyd.socket_path())?;
        connection.set_read_timeout(Some(MOMENT))?;
        connection.write_all(format!("{{\"command\":\"{command}\"}}\n").as_bytes())?;
        let error = connection.read(&mut [0]).expect_err("no answer");
        assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
    }
    netifyd.signal(Signal::HUP)?;
    netifyd.wait_for("ignored signal", SOON, |event| event.name == "ignored" && event.text("by") == "signal")?;
    loads_nothing(&netifyd);
    assert!(netifyd.stop()?.success(), "it still stops");
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

#[test]
fn dies_and_leaves_its_files_behind() -> io::Result<()> {
    for by_socket in [false, true] {
        let netifyd = standin().behavior("die-on-reload").start()?;
        if by_socket {
            assert_eq!(netifyd.request("reload")?["code"], 100, "queued, then dead");
        } else {
            netifyd.signal(Signal::HUP)?;
        }
        assert_eq!(netifyd.process().wait_exit(SOON)?.code(), Some(1));
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
    assert_eq!(netifyd.process().wait_exit(SOON)?.code(), Some(1));
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
