//! The control socket: requests, replies and bad clients.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;

use netifyd_standin::Standin;
use serde_json::Value;

use super::common::{SECOND, SOON, standin};

fn code(netifyd: &Standin, request: &str) -> io::Result<Value> {
    let reply: Value = serde_json::from_slice(&netifyd.request_raw(request.as_bytes())?)?;
    Ok(reply["code"].clone())
}

#[test]
fn only_owner_and_group_may_connect() -> io::Result<()> {
    let netifyd = standin().start()?;
    assert_eq!(fs::metadata(netifyd.socket_path())?.permissions().mode() & 0o777, 0o660);
    let netifyd = standin().without_socket().start()?;
    assert!(!netifyd.socket_path().exists());
    Ok(())
}

#[test]
fn reload_is_queued_and_done() -> io::Result<()> {
    let netifyd = standin().start()?;
    netifyd.write_license(SECOND)?;
    assert_eq!(netifyd.request("reload")?["code"], 100);
    assert_eq!(netifyd.wait_for_load("second", SOON)?.by, "socket");
    assert_eq!(netifyd.wait_for_event(0, "reload-requested", SOON)?.text("by"), "socket");
    Ok(())
}

#[test]
fn status_tells_what_is_loaded() -> io::Result<()> {
    let netifyd = standin().start()?;
    let reply = netifyd.request("status")?;
    assert_eq!((&reply["code"], &reply["status"]["license"]["serial"]), (&100.into(), &"first".into()));
    assert!(reply["status"]["uptime"].is_u64());
    assert_eq!(netifyd.request("restart")?["code"], 100);
    netifyd.wait_for_loads(2, SOON)?;
    assert_eq!(netifyd.count("restart-requested"), 1);
    Ok(())
}

#[test]
fn a_newline_ends_a_request_too() -> io::Result<()> {
    let netifyd = standin().start()?;
    let mut connection = UnixStream::connect(netifyd.socket_path())?;
    connection.write_all(b"{\"command\":\"status\"}\n")?;
    let mut reply = String::new();
    BufReader::new(connection).read_line(&mut reply)?;
    assert!(reply.contains("\"code\":100"), "{reply}");
    Ok(())
}

#[test]
fn mistakes_have_codes() -> io::Result<()> {
    let netifyd = standin().start()?;
    for request in [r#"{"command":"dance"}"#, "{}", "[]", "7"] {
        assert_eq!(code(&netifyd, request)?, 500, "{request}");
    }
    for request in ["", "reload", "{\"command\":\"reload\"", "\u{0}\n"] {
        assert_eq!(code(&netifyd, request)?, 501, "{request:?}");
    }
    assert_eq!(netifyd.count("reload-requested"), 0);
    Ok(())
}

#[test]
fn clients_that_say_nothing_or_too_much_block_nobody() -> io::Result<()> {
    let netifyd = standin().start()?;
    let silent: Vec<UnixStream> =
        (0..50).map(|_| UnixStream::connect(netifyd.socket_path())).collect::<io::Result<_>>()?;
    // The reply may come while we still write, and the rest then meets a closed connection.
    let _ = netifyd.request_raw(&vec![b'x'; 1 << 20]);
    assert_eq!(netifyd.request("status")?["code"], 100);
    drop(silent);
    Ok(())
}
