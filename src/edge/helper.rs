//! The installer: where the daemon may not write netifyd's directory, a service of the manager's puts the license in
//! place. One order a connection, one JSON line as the answer; the protocol stands in systemd/README.md.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use serde::{Deserialize, Serialize};

use crate::edge::reason;

/// Longest time from the connection to the answer: on tired flash a write takes seconds. All of the daemon stands still
/// meanwhile, so `WatchdogSec=` and `TimeoutStopSec=` of its unit have to be longer.
const PATIENCE: Duration = Duration::from_secs(12);
/// Longest answer and longest first line of an order, in bytes.
const MAX_LINE: u64 = 4_096;

/// What the installer is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Put this license in place.
    Install {
        /// The document.
        bytes: Vec<u8>,
        /// Modification time in seconds since 1970; now, otherwise.
        modified: Option<i64>,
    },
    /// Remove the license.
    Remove,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// In place and durable, or gone.
    Done,
    /// One sentence: path and remedy.
    Failed {
        /// The sentence.
        error: String,
    },
}

impl From<Result<(), String>> for Outcome {
    fn from(result: Result<(), String>) -> Self {
        result.map_or_else(|error| Self::Failed { error }, |()| Self::Done)
    }
}

/// Sends an order and waits for its outcome.
pub fn order(socket: &Path, order: &Order) -> Result<(), String> {
    order_within(PATIENCE, socket, order)
}

fn order_within(patience: Duration, socket: &Path, order: &Order) -> Result<(), String> {
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
        Ok(Outcome::Done) => Ok(()),
        Ok(Outcome::Failed { error }) => Err(error),
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
        match order {
            Order::Install { bytes, modified } => {
                let time = modified.map(|seconds| format!(" {seconds}")).unwrap_or_default();
                self.write_all(format!("install{time}\n").as_bytes())?;
                self.write_all(bytes)?;
            }
            Order::Remove => self.write_all(b"remove\n")?,
        }
        self.stream.shutdown(Shutdown::Write)?;
        let mut answer = Vec::new();
        self.take(MAX_LINE).read_to_end(&mut answer)?;
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

/// Reads an order from standard input; [`Err`] is one sentence.
pub fn read_order(largest: usize) -> Result<Order, String> {
    let mut text = Vec::new();
    let limit = MAX_LINE + largest as u64 + 1;
    std::io::stdin()
        .lock()
        .take(limit)
        .read_to_end(&mut text)
        .map_err(|error| format!("the order cannot be read: {}", reason(&error)))?;
    parse(&text)
}

fn parse(text: &[u8]) -> Result<Order, String> {
    let unknown = || "not an order; the first line says `install`, `install SECONDS` or `remove`".to_owned();
    let end = text.iter().position(|&byte| byte == b'\n').ok_or_else(unknown)?;
    let line = std::str::from_utf8(&text[..end]).map_err(|_| unknown())?;
    let mut words = line.split(' ');
    match (words.next(), words.next(), words.next()) {
        (Some("remove"), None, None) => Ok(Order::Remove),
        (Some("install"), seconds, None) => {
            let modified = seconds.map(str::parse).transpose().map_err(|_| unknown())?;
            Ok(Order::Install { bytes: text[end + 1..].to_vec(), modified })
        }
        _ => Err(unknown()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders() {
        let install = |modified| Ok(Order::Install { bytes: b"{\n}".to_vec(), modified });
        assert_eq!(parse(b"install\n{\n}"), install(None));
        assert_eq!(parse(b"install 17\n{\n}"), install(Some(17)));
        assert_eq!(parse(b"remove\n"), Ok(Order::Remove));
        for bad in [&b""[..], b"install", b"install x\n", b"install 1 2\n", b"delete\n", b"\xff\n"] {
            assert!(parse(bad).is_err());
        }
    }

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
            let outcome = order_within(patience, socket, &install);
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
