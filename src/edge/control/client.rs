//! The control socket's client: how a command asks the running daemon.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::Instant;

use super::server::{CROWDED, PATIENCE};
use crate::core::control::{Answer, Command};
use crate::edge::reason;

/// Longest time in which a daemon whose event loop turns answers a question about its state.
pub const ALIVE: Duration = Duration::from_secs(5);

/// Why the daemon cannot be asked.
#[derive(Debug)]
pub enum AskError {
    /// No process listens.
    NoDaemon,
    /// A process does, but this user may not ask it: one sentence.
    Denied(String),
    /// A process listens and does not answer in time: one sentence.
    Silent(String),
    /// The connection broke: one sentence.
    Broken(String),
}

/// A connection to the daemon.
#[derive(Debug)]
pub struct Connection {
    stream: UnixStream,
    path: PathBuf,
}

impl Connection {
    /// Connects, within [`PATIENCE`].
    pub async fn open(path: &Path) -> Result<Self, AskError> {
        match connect(path).await {
            Ok(stream) => Ok(Self { stream, path: path.to_path_buf() }),
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                let sentence =
                    format!("{}: {}; run as root or as a member of the daemon's group", path.display(), reason(&error));
                Err(AskError::Denied(sentence))
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                let limit = PATIENCE.as_secs();
                let sentence = format!("the daemon at {} takes in no connection for {limit} s", path.display());
                Err(AskError::Silent(sentence))
            }
            Err(_) => Err(AskError::NoDaemon),
        }
    }

    /// The daemon, for a sentence.
    #[must_use]
    pub fn peer(&self) -> String {
        match self.stream.peer_cred().ok().and_then(|peer| peer.pid()) {
            Some(process @ 1..) => format!("the daemon (process {process})"),
            // The process may be of a PID namespace that this one does not see.
            _ => format!("the daemon at {}", self.path.display()),
        }
    }

    /// Sends a command and waits for its answer.
    pub async fn ask(mut self, command: Command, longest: Duration) -> Result<Answer, AskError> {
        let peer = self.peer();
        let broken = |what: &str| AskError::Broken(format!("{}: {what}", self.path.display()));
        let talk = async {
            let sent = self.stream.write_all(format!("{}\n", command.line()).as_bytes()).await;
            let mut text = Vec::new();
            // A refusal may come before the question is out, and the connection be closed behind it.
            let _ = self.stream.read_to_end(&mut text).await;
            Answer::read(&text).ok_or_else(|| match sent {
                Ok(()) => broken("the daemon ended, or is too busy; try again"),
                Err(_) => broken("the daemon turned us away; try again"),
            })
        };
        tokio::time::timeout(longest, talk).await.unwrap_or_else(|_| {
            let limit = longest.as_secs();
            Err(AskError::Silent(format!("{peer} does not answer within {limit} s")))
        })
    }
}

/// Connects. While so many others do that the kernel turns more away, it is tried again.
pub(super) async fn connect(path: &Path) -> std::io::Result<UnixStream> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match UnixStream::connect(path).await {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock && Instant::now() < deadline => {
                tokio::time::sleep(CROWDED).await;
            }
            done => return done,
        }
    }
}

/// Asks the daemon and waits for its answer.
pub async fn ask(path: &Path, command: Command, longest: Duration) -> Result<Answer, AskError> {
    Connection::open(path).await?.ask(command, longest).await
}

#[cfg(test)]
mod tests {
    use tokio::net::UnixListener;

    use super::*;
    use crate::edge::control::server::tell;
    use crate::edge::control::server::tests::with_a_socket;

    #[test]
    fn an_answer_does_nothing_to_a_terminal() {
        let message = with_a_socket(async |path| {
            let listener = UnixListener::bind(&path).expect("listens");
            let daemon = async {
                let (mut stream, _) = listener.accept().await.expect("a client");
                tell(&mut stream, &Answer::words(1, "two\nlines\u{1b}[2J")).await;
            };
            let (answer, ()) = tokio::join!(ask(&path, Command::Status, PATIENCE), daemon);
            answer.expect("an answer").message
        });
        assert_eq!(message, "two\nlines[2J");
    }
}
