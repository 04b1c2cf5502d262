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
fn status_tells_nothing_of_licenses() -> io::Result<()> {
    let netifyd = standin().start()?;
    let reply = netifyd.request("status")?;
    assert_eq!((&reply["code"], &reply["message"]), (&100.into(), &"Ok.".into()));
    assert!(reply["data"]["agent_version"].as_str().is_some_and(|text| text.starts_with("Netify Agent/v5.2.8 (")));
    assert!(reply["data"]["uptime"].is_u64() && !reply.to_string().contains("licen"), "{reply}");
    let reply = netifyd.request("restart")?;
    assert_eq!((&reply["code"], &reply["message"], &reply["data"]), (&100.into(), &"Bye, bye.".into(), &Value::Null));
    netifyd.wait_for_loads(2, SOON)?;
    assert_eq!(netifyd.count("restart-requested"), 1);
    Ok(())
}

#[test]
fn the_connection_stays_open_and_needs_no_newline() -> io::Result<()> {
    let netifyd = standin().start()?;
    let mut connection = UnixStream::connect(netifyd.socket_path())?;
    let mut replies = BufReader::new(connection.try_clone()?);
    for request in ["{\"command\":\"status\"}\n", "{\"command\":\"status\"}", "{}", "{\"command\":\"status\"}"] {
        connection.write_all(request.as_bytes())?;
        let mut reply = String::new();
        replies.read_line(&mut reply)?;
        let code = if request == "{}" { "\"code\":500" } else { "\"code\":100" };
        assert!(reply.contains(code), "{reply}");
    }
    Ok(())
}

#[test]
fn with_debug_a_reply_has_many_lines() -> io::Result<()> {
    let netifyd = standin().debug().start()?;
    let reply = netifyd.request_raw(b"{\"command\":\"status\"}")?;
    let reply = String::from_utf8_lossy(&reply);
    assert!(reply.lines().count() > 3, "{reply}");
    Ok(())
}

#[test]
fn mistakes_have_codes() -> io::Result<()> {
    let netifyd = standin().start()?;
    for request in ["{}", "[]"] {
        assert_eq!(code(&netifyd, request)?, 500, "{request}");
    }
    for request in [r#"{"command":"dance"}"#, "reload", "{\"command\":\"reload\"", "\u{0}\n"] {
        assert_eq!(code(&netifyd, request)?, 501, "{request:?}");
    }
    assert_eq!(code(&netifyd, r#"{"command":"lookup-group-address"}"#)?, 502);
    assert_eq!(netifyd.request_raw(b"")?, b"", "who only hangs up gets no answer");
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
