//! The daemon's side: asks the privileged helper for what the daemon's own user may not do.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};

use super::{Item, Order, Outcome};
use crate::core::device::duid::{Reading, Source};
use crate::core::device::pin::Machine;
use crate::core::engine::{FileContent, ReloadOutcome, ReloadReport};
use crate::core::license::document::Serial;
use crate::core::license::keys::KeyFile;
use crate::edge::dirs::Places;
use crate::edge::file::trusted::{self, Refused};
use crate::edge::reason;

/// Longest time from the connection to the answer: on tired flash a write takes seconds. All of the daemon stands still
/// meanwhile, so `WatchdogSec=` and `TimeoutStopSec=` of its unit have to be longer.
const PATIENCE: Duration = Duration::from_secs(12);
/// Longest answer in bytes: the largest configuration in base64 fits.
const MAX_ANSWER: u64 = 2 * 1024 * 1024;

/// Has a license installed or removed.
pub fn order(socket: &Path, order: &Order) -> Result<(), String> {
    match ask(socket, order, PATIENCE)? {
        Outcome::Done => Ok(()),
        other => Err(unexpected(socket, &other)),
    }
}

/// A file that the helper's own configuration names; [`None`] where there is none.
pub fn read(socket: &Path, item: Item) -> Result<Option<Vec<u8>>, String> {
    match ask(socket, &Order::Read(item), PATIENCE)? {
        Outcome::Content { content } => decoded(socket, &content).map(Some),
        Outcome::Missing => Ok(None),
        other => Err(unexpected(socket, &other)),
    }
}

/// The license; the error is the helper's own trouble.
pub fn license(socket: &Path) -> Result<FileContent, String> {
    Ok(match ask(socket, &Order::Read(Item::License), PATIENCE)? {
        Outcome::Content { content } => FileContent::Bytes(decoded(socket, &content)?),
        Outcome::Missing => FileContent::Missing,
        Outcome::Unreadable { error } => FileContent::Unreadable(error),
        other => return Err(unexpected(socket, &other)),
    })
}

/// The trusted keys.
pub fn keys(socket: &Path) -> Result<Vec<KeyFile>, String> {
    match ask(socket, &Order::Read(Item::Keys), PATIENCE)? {
        Outcome::Keys { files } => {
            Ok(files.into_iter().map(|(path, key)| (path, key.and_then(|content| decoded(socket, &content)))).collect())
        }
        other => Err(unexpected(socket, &other)),
    }
}

/// What the configured sources hold, where the helper can read them, in the order of these.
pub fn readings(socket: &Path, sources: Vec<Source>) -> Vec<Reading> {
    let found = match ask(socket, &Order::Identify, PATIENCE) {
        Ok(Outcome::Readings { sources }) => Ok(sources),
        Ok(other) => Err(unexpected(socket, &other)),
        Err(error) => Err(error),
    };
    let content = |source: &Source| {
        let found = found.as_ref().map_err(Clone::clone)?;
        let known = found.iter().find(|(name, _)| *name == source.to_string());
        let (_, content) = known.ok_or("the helper's configuration does not name this source")?;
        content.clone().and_then(|content| decoded(socket, &content))
    };
    sources.into_iter().map(|source| Reading { content: content(&source), source }).collect()
}

/// What tells this machine from one with a copy of its disk; nothing is known where the helper cannot be asked.
#[must_use]
pub fn machine(socket: &Path) -> Machine {
    match ask(socket, &Order::Machine, PATIENCE) {
        Ok(Outcome::Machine { machine }) => machine,
        _ => Machine::default(),
    }
}

/// Has netifyd reloaded. The helper waits until ten seconds after the last reload.
#[must_use]
pub fn reload(socket: &Path, serial: Option<Serial>, is_asked: bool, longest: Duration) -> ReloadReport {
    let failed = |error| ReloadReport::new("helper", ReloadOutcome::Failed(error));
    match ask(socket, &Order::Reload { serial, is_asked }, longest.saturating_mul(2) + 2 * PATIENCE) {
        Ok(Outcome::Reloaded { report }) => report,
        Ok(other) => failed(unexpected(socket, &other)),
        Err(error) => failed(error),
    }
}

/// The SHA-256 of the configuration that is in force there; the error is one sentence.
pub fn ping(socket: &Path) -> Result<String, String> {
    match ask(socket, &Order::Ping, PATIENCE)? {
        Outcome::Pong { configuration, refused: None } => Ok(configuration),
        Outcome::Pong { refused: Some(error), .. } => Err(format!("it refuses the configuration: {error}")),
        other => Err(unexpected(socket, &other)),
    }
}

/// A file that decides trust and that the helper reads where this user may not.
pub(in crate::edge) fn trusted_file(path: &Path, longest: usize, item: Item) -> Result<Vec<u8>, Refused> {
    let helper = Places::from_environment().helper;
    match (trusted::read(path, longest), helper) {
        (Err(refused), Some(socket)) if refused.is_forbidden() => {
            read(&socket, item).map_err(Refused::Untrusted)?.ok_or(refused)
        }
        (read, _) => read,
    }
}

fn decoded(socket: &Path, content: &str) -> Result<Vec<u8>, String> {
    STANDARD.decode(content).map_err(|_| format!("{}: the helper's answer is damaged", socket.display()))
}

fn unexpected(socket: &Path, outcome: &Outcome) -> String {
    match outcome {
        Outcome::Failed { error } => error.clone(),
        _ => format!("{}: the helper is of another version; restart netify-licensed-install.socket", socket.display()),
    }
}

fn ask(socket: &Path, order: &Order, patience: Duration) -> Result<Outcome, String> {
    let failed = |error: std::io::Error| {
        let why = match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                let limit = patience.as_secs_f32();
                format!("the installer is not done after {limit} s; should it still finish, that is noticed")
            }
            _ => format!("the installer cannot be asked: {}; check netify-licensed-install.socket", reason(&error)),
        };
        format!("{}: {why}", socket.display())
    };
    let answer =
        Connection::open(socket, patience).and_then(|connection| connection.exchange(order)).map_err(failed)?;
    match serde_json::from_slice(&answer) {
        Ok(Outcome::Failed { error }) => Err(error),
        Ok(outcome) => Ok(outcome),
        Err(_) => Err(format!("{}: the installer gave no answer; its journal says why", socket.display())),
    }
}

/// A connection on which nothing lasts beyond the deadline.
struct Connection {
    stream: UnixStream,
    deadline: Instant,
}

impl Connection {
    fn open(path: &Path, patience: Duration) -> std::io::Result<Self> {
        let deadline = Instant::now() + patience;
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        // It limits connect(2) as well (unix(7) sockets wait for room in the listener's queue).
        set_socket_timeout(&socket, Timeout::Send, Some(patience))?;
        connect(&socket, &SocketAddrUnix::new(path)?)?;
        Ok(Self { stream: UnixStream::from(socket), deadline })
    }

    fn exchange(mut self, order: &Order) -> std::io::Result<Vec<u8>> {
        self.write_all(order.line().as_bytes())?;
        if let Order::Install { bytes, .. } = order {
            self.write_all(bytes)?;
        }
        self.stream.shutdown(Shutdown::Write)?;
        let mut answer = Vec::new();
        self.take(MAX_ANSWER).read_to_end(&mut answer)?;
        Ok(answer)
    }

    fn left(&self) -> std::io::Result<Option<Duration>> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(Some(left)) }
    }
}

impl Read for Connection {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.stream.set_read_timeout(self.left()?)?;
        self.stream.read(buffer)
    }
}

impl Write for Connection {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.stream.set_write_timeout(self.left()?)?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outcome_reaches_the_daemon() {
        let directory = test_support::temp_dir().expect("a directory");
        let socket = directory.path().join("s");
        assert!(order(&socket, &Order::Remove).is_err_and(|error| error.contains("netify-licensed-install.socket")));
        let listener = std::os::unix::net::UnixListener::bind(&socket).expect("listens");
        let server = std::thread::spawn(move || {
            let mut seen = Vec::new();
            for answer in ["{\"outcome\":\"done\"}\n", "{\"outcome\":\"failed\",\"error\":\"full\"}\n", ""] {
                let (mut stream, _) = listener.accept().expect("a client");
                let mut text = Vec::new();
                stream.read_to_end(&mut text).expect("an order");
                stream.write_all(answer.as_bytes()).expect("answers");
                seen.push(text);
            }
            seen
        });
        let install = Order::Install { bytes: b"x".to_vec(), modified: Some(5) };
        assert_eq!(order(&socket, &install), Ok(()));
        assert_eq!(order(&socket, &install), Err("full".to_owned()));
        assert!(order(&socket, &Order::Remove).is_err_and(|error| error.contains("no answer")));
        assert_eq!(
            server.join().expect("ends"),
            [b"install 5\nx".to_vec(), b"install 5\nx".to_vec(), b"remove\n".to_vec()]
        );
    }

    /// Whatever the installer does or does not do, the daemon goes on.
    #[test]
    fn patience_ends() {
        let directory = test_support::temp_dir().expect("a directory");
        let install = Order::Install { bytes: vec![b'x'; 64 * 1024], modified: None };
        let patience = Duration::from_millis(300);
        let is_late = |socket: &Path| {
            let begun = Instant::now();
            let outcome = ask(socket, &install, patience);
            assert!(outcome.clone().is_err_and(|error| error.contains("is not done after 0.3 s")), "{outcome:?}");
            assert!(begun.elapsed() < patience * 3, "{:?}", begun.elapsed());
        };

        // Nobody takes the connection in.
        let silent = directory.path().join("silent");
        let _listener = std::os::unix::net::UnixListener::bind(&silent).expect("listens");
        is_late(&silent);

        // There is no room for another one.
        let full = directory.path().join("full");
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = || socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).expect("a socket");
        let address = SocketAddrUnix::new(&full).expect("an address");
        let listener = socket();
        rustix::net::bind(&listener, &address).expect("bound");
        rustix::net::listen(&listener, 0).expect("listens");
        let queued: Vec<_> =
            std::iter::repeat_with(socket).take_while(|socket| connect(socket, &address).is_ok()).collect();
        assert!(!queued.is_empty(), "one is let in");
        is_late(&full);

        // The answer comes byte by byte, and has no end.
        let slow = directory.path().join("slow");
        let listener = std::os::unix::net::UnixListener::bind(&slow).expect("listens");
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client");
            let (_sender, never) = std::sync::mpsc::channel::<()>();
            while stream.write_all(b" ").is_ok() {
                let _ = never.recv_timeout(patience / 10);
            }
        });
        is_late(&slow);
        server.join().expect("it sees the end");
    }
}
