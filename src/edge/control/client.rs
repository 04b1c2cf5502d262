//! The control socket's client: how a command asks the running daemon.

use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::Instant;

use super::server::{CROWDED, PATIENCE};
use crate::core::control::{Answer, Command};
use crate::edge::reason;

/// Why the daemon cannot be asked.
#[derive(Debug)]
pub enum AskError {
    /// Nobody listens.
    NoDaemon,
    /// Somebody does, but not to us: one sentence.
    Denied(String),
    /// The talk broke off: one sentence.
    Broken(String),
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
    let mut stream = match connect(path).await {
        Ok(stream) => stream,
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            let sentence =
                format!("{}: {}; run as root or as a member of the daemon's group", path.display(), reason(&error));
            return Err(AskError::Denied(sentence));
        }
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
            return Err(AskError::Broken(format!("{}: the daemon is too busy; try again", path.display())));
        }
        Err(_) => return Err(AskError::NoDaemon),
    };
    let broken = |what: &str| AskError::Broken(format!("{}: {what}", path.display()));
    let talk = async {
        let sent = stream.write_all(format!("{}\n", command.line()).as_bytes()).await;
        let mut text = Vec::new();
        // A refusal may come before the question is out, and the connection be closed behind it.
        let _ = stream.read_to_end(&mut text).await;
        Answer::read(&text).ok_or_else(|| match sent {
            Ok(()) => broken("the daemon ended, or is too busy; try again"),
            Err(_) => broken("the daemon turned us away; try again"),
        })
    };
    tokio::time::timeout(longest, talk).await.unwrap_or_else(|_| Err(broken("the daemon gave no answer in time")))
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
