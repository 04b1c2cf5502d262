//! netifyd's control socket: one JSON request, one JSON reply with a code; 100 means OK.

use std::io::ErrorKind;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::{sleep, timeout};

use crate::core::config::Reload;
use crate::edge::netifyd::process::{Netifyd, NotFound, may_be_netifyd};
use crate::edge::netifyd::reload::{Asked, Attempt};
use crate::edge::netifyd::signal;
use crate::edge::reason;

/// netifyd's code for "queued".
const OK: i64 = 100;
/// Largest reply that is read, in bytes.
const MAX_REPLY: usize = 64 * 1024;
/// How often a socket is looked for that is not there yet.
const LOOK: Duration = Duration::from_millis(200);

pub(super) async fn reload(attempt: Attempt<'_>) -> Result<Asked, String> {
    let path = attempt.settings.socket.as_path();
    // A netifyd that starts up opens its socket when its captures have started: some of the time is given to that.
    let patience = attempt.left() / 2;
    let limit = attempt.settings.timeout.duration();
    let connected = timeout(patience, async {
        loop {
            let error = match UnixStream::connect(path).await {
                Ok(stream) => return Ok(stream),
                Err(error) => error,
            };
            let age = Netifyd::find(attempt.settings).ok().and_then(|process| process.age());
            if !is_absent(&error) || age.is_none_or(|age| age > limit) {
                return Err(error);
            }
            sleep(LOOK).await;
        }
    });
    let stream = match connected.await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) if !is_absent(&error) => return Err(format!("{}: {}", path.display(), reason(&error))),
        Ok(Err(_)) | Err(_) => return silent(attempt.settings).await,
    };
    let peer = trusted_peer(&stream, attempt.settings)?;
    let process = peer.and_then(|pid| Netifyd::open(pid, attempt.settings));
    let reply = timeout(attempt.left(), ask(stream, "reload")).await;
    let limit = limit.as_secs_f32();
    let late = |_| Err(format!("netifyd gave no answer within reload.timeout ({limit} s)"));
    match reply.unwrap_or_else(late) {
        Ok(OK) => Ok(process.map_or(Asked::Unknown, Asked::Process)),
        Ok(code) => Err(format!("{}: netifyd refused the reload with code {code}", path.display())),
        Err(error) => Err(format!("{}: {error}", path.display())),
    }
}

fn is_absent(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused)
}

/// The process id of who listens there, where the kernel tells it. A socket of a user who may not run netifyd answers for
/// nobody: one sentence.
fn trusted_peer(stream: &UnixStream, settings: &Reload) -> Result<Option<i32>, String> {
    let path = settings.socket.as_path().display();
    let peer = stream.peer_cred().map_err(|error| format!("{path}: {}", reason(&error)))?;
    if may_be_netifyd(peer.uid(), settings) {
        return Ok(peer.pid().filter(|pid| *pid > 0));
    }
    Err(format!(
        "{path}: user {} listens there, who is neither root nor the owner of netifyd's PID file; stop that process, and set reload.socket to netifyd's own",
        peer.uid()
    ))
}

/// No process listens: there is no netifyd, unless its PID file says otherwise.
async fn silent(settings: &Reload) -> Result<Asked, String> {
    let path = settings.socket.as_path().display();
    match Netifyd::locate(settings).await {
        Ok(process) => Err(format!(
            "netifyd (process {}) runs, but does not listen on {path}; enable its control socket, set reload.socket to where it listens, or reload.method = \"auto\"",
            process.pid()
        )),
        Err(NotFound::Misled(why) | NotFound::Empty(why)) => {
            Err(format!("no process listens on {path}, and {}", signal::misled(&why)))
        }
        Err(NotFound::Gone(_)) => Ok(Asked::NotRunning(format!("netifyd does not listen on {path}"))),
    }
}

/// Which netifyd listens there, in words; [`None`] when none does.
pub(super) async fn listener(settings: &Reload) -> Option<String> {
    let stream = UnixStream::connect(settings.socket.as_path()).await.ok()?;
    let pid = trusted_peer(&stream, settings).ok()?;
    Some(pid.map_or_else(|| "netifyd".to_owned(), |pid| format!("netifyd (process {pid})")))
}

/// Waits until netifyd answers `status`, which it does not while it reloads.
///
/// The thread that reloads also accepts connections; one that is accepted is served by a thread of its own. So only the
/// answer on a new connection tells anything, and only the second one tells that no reload waits behind the first.
pub(super) async fn answers(settings: &Reload) {
    let mut answers = 0;
    while answers < 2 {
        if answer(settings).await == Some(OK) {
            answers += 1;
        } else {
            answers = 0;
            sleep(LOOK).await;
        }
    }
}

async fn answer(settings: &Reload) -> Option<i64> {
    let stream = UnixStream::connect(settings.socket.as_path()).await.ok()?;
    trusted_peer(&stream, settings).ok()?;
    ask(stream, "status").await.ok()
}

async fn ask(mut stream: UnixStream, command: &str) -> Result<i64, String> {
    let request = format!("{{\"command\":\"{command}\"}}\n");
    stream.write_all(request.as_bytes()).await.map_err(|error| reason(&error))?;
    let mut reply = Vec::new();
    let mut buffer = [0_u8; 4_096];
    loop {
        // The reply ends where it is a whole JSON document; netifyd keeps the connection open.
        let read = stream.read(&mut buffer).await.map_err(|error| reason(&error))?;
        reply.extend_from_slice(&buffer[..read]);
        if let Ok(value) = serde_json::from_slice::<Value>(&reply) {
            return value.get("code").and_then(Value::as_i64).ok_or_else(|| "netifyd's reply has no code".to_owned());
        }
        if read == 0 || reply.len() > MAX_REPLY {
            return Err("netifyd's reply is no JSON".to_owned());
        }
    }
}
