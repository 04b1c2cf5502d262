//! The control socket: one JSON request per connection, one JSON reply.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use serde_json::{Value, json};

use crate::behavior::Step;
use crate::reload::Reloader;

/// OK: queued, not done.
const OK: u16 = 100;
const UNKNOWN_COMMAND: u16 = 500;
const BAD_JSON: u16 = 501;

/// A request has this many bytes at most.
const MAX_REQUEST: u64 = 64 * 1024;
/// Whoever connects and says nothing is let go after this time.
const PATIENCE: Duration = Duration::from_secs(30);

/// Serves the socket on threads of its own, until the process ends.
pub(crate) fn serve(listener: UnixListener, reloader: &Arc<Reloader>) {
    let reloader = Arc::clone(reloader);
    thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let reloader = Arc::clone(&reloader);
            // A client that goes away early has only itself to blame.
            thread::spawn(move || answer(&connection, &reloader));
        }
    });
}

fn answer(connection: &UnixStream, reloader: &Reloader) -> io::Result<()> {
    connection.set_read_timeout(Some(PATIENCE))?;
    let mut line = Vec::new();
    BufReader::new(connection.take(MAX_REQUEST)).read_until(b'\n', &mut line)?;
    let request: Value = match serde_json::from_slice(&line) {
        Ok(request) => request,
        Err(error) => return reply(connection, BAD_JSON, &format!("bad JSON: {error}")),
    };
    match request.get("command").and_then(Value::as_str) {
        Some("reload") => reload(connection, reloader, false),
        Some("restart") => reload(connection, reloader, true),
        Some("status") if reloader.next_step() == Step::Hang => hang(connection),
        Some("status") => send(connection, &json!({ "code": OK, "message": "OK", "status": reloader.status() })),
        Some(other) => reply(connection, UNKNOWN_COMMAND, &format!("unknown command {other:?}")),
        None => reply(connection, UNKNOWN_COMMAND, "no command"),
    }
}

fn reload(connection: &UnixStream, reloader: &Reloader, restart: bool) -> io::Result<()> {
    let step = reloader.request("socket", restart);
    let sent = match step {
        Step::Hang => hang(connection),
        Step::Cut => Ok(()),
        Step::Garbage => (&*connection).write_all(b"\x00<not JSON>\n"),
        Step::Refuse(code) => reply(connection, code, "refused"),
        Step::Ok | Step::Slow(_) | Step::Forget | Step::Die | Step::DieLater(_) => reply(connection, OK, "OK"),
    };
    // What was accepted is done even for a client that did not wait for the reply.
    reloader.queue(step, "socket", restart);
    sent
}

/// Keeps the connection until the client has closed both directions: one that only wrote its last byte still waits.
fn hang(connection: &UnixStream) -> io::Result<()> {
    // No event is asked for; hang-up is reported all the same.
    let mut polled = [PollFd::new(connection, PollFlags::empty())];
    poll(&mut polled, None)?;
    Ok(())
}

fn reply(connection: &UnixStream, code: u16, message: &str) -> io::Result<()> {
    send(connection, &json!({ "code": code, "message": message }))
}

fn send(mut connection: &UnixStream, reply: &Value) -> io::Result<()> {
    connection.write_all(format!("{reply}\n").as_bytes())
}
