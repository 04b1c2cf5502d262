//! The control socket: one JSON document for a request, one for the reply; the connection stays open.
//!
//! netifyd accepts connections in the thread that also reloads, and serves each accepted one in a thread of its own.

use std::io::{self, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, mpsc};
use std::thread;

use rustix::event::{PollFd, PollFlags, poll};
use serde_json::{Value, json};

use crate::behavior::Step;
use crate::reload::Reloader;

/// OK: queued, not done.
const OK: u16 = 100;
const ERROR: u16 = 500;
const PARSE_ERROR: u16 = 501;
const UNIMPLEMENTED: u16 = 502;

/// A connection has this many bytes at most.
const MAX_REQUEST: u64 = 64 * 1024;

/// Serves an accepted connection in a thread of its own, until the client leaves or makes a mistake.
pub(crate) fn serve(connection: UnixStream, reloader: &Arc<Reloader>) {
    let reloader = Arc::clone(reloader);
    // A client that goes away early has only itself to blame.
    thread::spawn(move || converse(&connection, &reloader));
}

fn converse(connection: &UnixStream, reloader: &Reloader) -> io::Result<()> {
    let requests = BufReader::new(connection.take(MAX_REQUEST));
    for request in serde_json::Deserializer::from_reader(requests).into_iter::<Value>() {
        let request = match request {
            Ok(request) => request,
            Err(error) => {
                let message = format!("parse error at position: {}, reason: {error}", error.column());
                return reply(reloader, connection, PARSE_ERROR, &message);
            }
        };
        match request.get("command").and_then(Value::as_str) {
            Some("reload") => reload(connection, reloader, false)?,
            Some("restart") => reload(connection, reloader, true)?,
            Some("status") => send(reloader, connection, &data("Ok.", &reloader.status()))?,
            Some("lookup-group-address") => reply(reloader, connection, UNIMPLEMENTED, "Unimplemented.")?,
            Some(_) => return reply(reloader, connection, PARSE_ERROR, "invalid command"),
            None => reply(reloader, connection, ERROR, "No command specified.")?,
        }
    }
    Ok(())
}

fn reload(connection: &UnixStream, reloader: &Reloader, restart: bool) -> io::Result<()> {
    let step = reloader.request("socket", restart);
    match step {
        Step::Hang => {
            let (here, until) = mpsc::channel();
            reloader.block(until);
            let left = wait_for_the_end(connection);
            drop(here);
            return left.and(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        Step::Cut => return Err(io::ErrorKind::ConnectionAborted.into()),
        Step::Garbage => {
            let mut connection = connection;
            connection.write_all(b"\x00<not JSON>\n")?;
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Step::Refuse(code) => return reply(reloader, connection, code, "refused"),
        Step::Ok | Step::Slow(_) | Step::Stuck | Step::Forget | Step::Die | Step::DieLater(_) => {}
    }
    // netifyd sends itself the signal before it answers, and what was accepted is done even for a client that left. The
    // answer comes first here, so that also one that dies of the reload has given it.
    let sent = send(reloader, connection, &data(if restart { "Bye, bye." } else { "Ok." }, &Value::Null));
    reloader.queue(step, "socket", restart);
    sent
}

/// Keeps the connection until the client has closed both directions: one that only wrote its last byte still waits.
fn wait_for_the_end(connection: &UnixStream) -> io::Result<()> {
    // No event is asked for; hang-up is reported all the same.
    let mut polled = [PollFd::new(connection, PollFlags::empty())];
    poll(&mut polled, None)?;
    Ok(())
}

fn data(message: &str, data: &Value) -> Value {
    json!({ "code": OK, "message": message, "data": data })
}

fn reply(reloader: &Reloader, connection: &UnixStream, code: u16, message: &str) -> io::Result<()> {
    send(reloader, connection, &json!({ "code": code, "message": message }))
}

fn send(reloader: &Reloader, mut connection: &UnixStream, reply: &Value) -> io::Result<()> {
    let text = if reloader.is_debug() { format!("{reply:#}\n") } else { format!("{reply}\n") };
    connection.write_all(text.as_bytes())
}
