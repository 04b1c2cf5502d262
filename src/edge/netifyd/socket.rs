//! netifyd's control socket: one JSON request, one JSON reply with a code; 100 means OK.

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::core::config::Reload;
use crate::edge::netifyd::process::{Netifyd, NotFound};
use crate::edge::netifyd::reload::{Asked, Attempt};
use crate::edge::netifyd::signal;
use crate::edge::reason;

/// netifyd's code for "queued".
const OK: i64 = 100;
/// Largest reply that is read, in bytes.
const MAX_REPLY: usize = 64 * 1024;
/// Longest wait for an answer to `status`.
const STATUS_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) async fn reload(attempt: Attempt<'_>) -> Result<Asked, String> {
    let path = attempt.settings.socket.as_path();
    let stream = match UnixStream::connect(path).await {
        Ok(stream) => stream,
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::ConnectionRefused) => {
            return silent(attempt.settings);
        }
        Err(error) => return Err(format!("{}: {}", path.display(), reason(&error))),
    };
    let peer = stream.peer_cred().ok().and_then(|peer| peer.pid());
    let process = peer.and_then(|pid| Netifyd::open(pid, attempt.settings));
    let reply = timeout(attempt.left(), ask(stream, "reload")).await;
    let limit = attempt.settings.timeout.duration().as_secs_f32();
    let late = |_| Err(format!("netifyd gave no answer within reload.timeout ({limit} s)"));
    match reply.unwrap_or_else(late) {
        Ok(OK) => Ok(process.map_or(Asked::Unknown, Asked::Process)),
        Ok(code) => Err(format!("{}: netifyd refused the reload with code {code}", path.display())),
        Err(error) => Err(format!("{}: {error}", path.display())),
    }
}

/// Nobody listens: there is no netifyd, unless its PID file says otherwise.
fn silent(settings: &Reload) -> Result<Asked, String> {
    let path = settings.socket.as_path().display();
    match Netifyd::find(settings) {
        Ok(process) => Err(format!(
            "netifyd (process {}) runs, but does not listen on {path}; enable its control socket, set reload.socket to where it listens, or reload.method = \"auto\"",
            process.pid()
        )),
        Err(NotFound::Misled(why)) => Err(format!("nobody listens on {path}, and {}", signal::misled(&why))),
        Err(NotFound::Gone(_)) => Ok(Asked::NotRunning(format!("netifyd does not listen on {path}"))),
    }
}

/// Who listens there, in words; [`None`] when nobody does.
pub(super) async fn listener(settings: &Reload) -> Option<String> {
    let stream = UnixStream::connect(settings.socket.as_path()).await.ok()?;
    let pid = stream.peer_cred().ok().and_then(|peer| peer.pid()).filter(|pid| *pid > 0);
    Some(pid.map_or_else(|| "netifyd".to_owned(), |pid| format!("netifyd (process {pid})")))
}

/// Where there is a control socket, a netifyd that is well answers `status`.
pub(super) async fn health(attempt: Attempt<'_>) -> Result<(), String> {
    let path = attempt.settings.socket.as_path();
    let Ok(stream) = UnixStream::connect(path).await else { return Ok(()) };
    // A little less than all that is left: silence has words of its own.
    match timeout(STATUS_TIMEOUT.min(attempt.left().mul_f32(0.95)), ask(stream, "status")).await {
        Ok(Ok(OK)) => Ok(()),
        Ok(Ok(code)) => Err(format!("{}: netifyd answers its status with code {code}", path.display())),
        Ok(Err(error)) => Err(format!("{}: {error}", path.display())),
        Err(_) => Err(format!("{}: netifyd does not answer", path.display())),
    }
}

async fn ask(mut stream: UnixStream, command: &str) -> Result<i64, String> {
    let request = format!("{{\"command\":\"{command}\"}}\n");
    stream.write_all(request.as_bytes()).await.map_err(|error| reason(&error))?;
    let mut reply = Vec::new();
    let mut buffer = [0_u8; 4_096];
    loop {
        // The reply ends where it is a whole JSON document; netifyd may keep the connection open.
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
