//! The installer: where the daemon may not write netifyd's directory, a service of the manager's puts the license in
//! place. One order a connection, one JSON line as the answer; the protocol stands in systemd/README.md.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::reason;

/// Longest wait for the answer: on tired flash a write takes seconds.
const PATIENCE: Duration = Duration::from_secs(60);
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
    let failed = |error: std::io::Error| {
        format!(
            "{}: the installer cannot be asked: {}; check netify-licensed-install.socket",
            socket.display(),
            reason(&error)
        )
    };
    let mut stream = UnixStream::connect(socket).map_err(failed)?;
    stream.set_read_timeout(Some(PATIENCE)).and_then(|()| stream.set_write_timeout(Some(PATIENCE))).map_err(failed)?;
    let sent = match order {
        Order::Install { bytes, modified } => {
            let time = modified.map(|seconds| format!(" {seconds}")).unwrap_or_default();
            stream.write_all(format!("install{time}\n").as_bytes()).and_then(|()| stream.write_all(bytes))
        }
        Order::Remove => stream.write_all(b"remove\n"),
    };
    sent.and_then(|()| stream.shutdown(Shutdown::Write)).map_err(failed)?;
    let mut answer = Vec::new();
    stream.take(MAX_LINE).read_to_end(&mut answer).map_err(failed)?;
    match serde_json::from_slice(&answer) {
        Ok(Outcome::Done) => Ok(()),
        Ok(Outcome::Failed { error }) => Err(error),
        Err(_) => Err(format!("{}: the installer gave no answer; its journal says why", socket.display())),
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
}
