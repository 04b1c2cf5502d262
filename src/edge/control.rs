//! The control socket: its server, which slow and hostile clients cannot hold up, and its client.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use std::os::unix::fs::PermissionsExt;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};

use super::{places, reason};
use crate::core::protocol::{self, Answer, Command, MAX_LINE};

/// Clients that are listened to at a time; one more is turned away.
const MAX_CLIENTS: usize = 16;
/// Longest time for a client to say what it wants, and to take its answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest time that the answer may take.
const LONGEST_WORK: Duration = Duration::from_secs(600);

/// A request with the way back to its client.
#[derive(Debug)]
pub struct Incoming {
    /// What is asked for.
    pub command: Command,
    /// Where the answer goes; a client that left is no failure.
    pub answer: oneshot::Sender<Answer>,
}

/// The listening socket. Dropped, it stops listening and its file is removed.
#[derive(Debug)]
pub struct Server {
    path: PathBuf,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Server {
    /// Where it listens.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Listens on `path` (0660). The caller holds the lock, so a socket that is there belongs to nobody. Needs a
    /// `LocalSet`.
    pub fn listen(path: &Path, sender: mpsc::Sender<Incoming>) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("{}: cannot listen there: {}", path.display(), reason(&error));
        if let Some(directory) = path.parent().filter(|directory| !directory.exists()) {
            places::create(directory, 0o755)?;
        }
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        let listener = UnixListener::bind(path).map_err(failed)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660)).map_err(failed)?;
        let task = tokio::task::spawn_local(serve(listener, sender));
        Ok(Self { path: path.to_path_buf(), task })
    }
}

async fn serve(listener: UnixListener, sender: mpsc::Sender<Incoming>) {
    let clients = Rc::new(());
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file descriptors: let some go.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        if Rc::strong_count(&clients) > MAX_CLIENTS {
            drop(stream);
            tokio::task::yield_now().await;
            continue;
        }
        let (place, sender) = (Rc::clone(&clients), sender.clone());
        tokio::task::spawn_local(async move {
            talk(stream, sender).await;
            drop(place);
        });
    }
}

async fn talk(mut stream: UnixStream, sender: mpsc::Sender<Incoming>) {
    let answer = if may_act(&stream) {
        match tokio::time::timeout(PATIENCE, read_line(&mut stream)).await {
            Err(_) | Ok(None) => return,
            Ok(Some(Err(refusal))) => Answer::words(2, refusal),
            Ok(Some(Ok(line))) => match protocol::parse(&line) {
                Err(refusal) => Answer::words(2, refusal),
                Ok(command) => {
                    drop(line);
                    let (answer, done) = oneshot::channel();
                    if sender.send(Incoming { command, answer }).await.is_err() {
                        return;
                    }
                    tokio::select! {
                        done = tokio::time::timeout(LONGEST_WORK, done) => match done {
                            Ok(Ok(answer)) => answer,
                            _ => Answer::words(1, "the daemon ended before it was done"),
                        },
                        // A client that leaves does not wait; what it asked for goes on.
                        () = hung_up(&stream) => return,
                    }
                }
            },
        }
    } else {
        Answer::words(1, "only root and members of the daemon's group may use this socket")
    };
    let _ = tokio::time::timeout(PATIENCE, stream.write_all(answer.line().as_bytes())).await;
}

async fn hung_up(stream: &UnixStream) {
    let mut byte = [0_u8; 64];
    loop {
        if stream.readable().await.is_err() {
            return;
        }
        match stream.try_read(&mut byte) {
            // A client that shut down its sending side still wants its answer.
            Ok(0) => return std::future::pending().await,
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}

/// One line without its newline; [`None`] when the client left without a word.
async fn read_line(stream: &mut UnixStream) -> Option<Result<Vec<u8>, String>> {
    let mut line = Vec::new();
    let mut buffer = [0_u8; 4_096];
    loop {
        let read = stream.read(&mut buffer).await.ok()?;
        let part = &buffer[..read];
        let end = part.iter().position(|&byte| byte == b'\n');
        line.extend_from_slice(&part[..end.unwrap_or(read)]);
        if line.len() > MAX_LINE {
            return Some(Err(format!("a request has at most {MAX_LINE} bytes")));
        }
        if end.is_some() || (read == 0 && !line.is_empty()) {
            return Some(Ok(line));
        }
        if read == 0 {
            return None;
        }
    }
}

/// Root, the daemon's own user, and members of its group.
fn may_act(stream: &UnixStream) -> bool {
    let Ok(peer) = stream.peer_cred() else { return false };
    let (own_user, own_group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let in_group = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", peer.pid()?)).ok()?;
        let groups = status.lines().find_map(|line| line.strip_prefix("Groups:"))?;
        groups.split_whitespace().any(|group| group.parse() == Ok(own_group)).then_some(())
    };
    peer.uid() == 0 || peer.uid() == own_user || peer.gid() == own_group || in_group().is_some()
}

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

/// Asks the daemon and waits for its answer.
pub async fn ask(path: &Path, command: Command, longest: Duration) -> Result<Answer, AskError> {
    let mut stream = match UnixStream::connect(path).await {
        Ok(stream) => stream,
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            let sentence =
                format!("{}: {}; run as root or as a member of the daemon's group", path.display(), reason(&error));
            return Err(AskError::Denied(sentence));
        }
        Err(_) => return Err(AskError::NoDaemon),
    };
    let broken = |what: &str| AskError::Broken(format!("{}: {what}", path.display()));
    let talk = async {
        stream
            .write_all(format!("{}\n", command.line()).as_bytes())
            .await
            .map_err(|_| broken("the daemon turned us away; try again"))?;
        let mut text = Vec::new();
        stream.read_to_end(&mut text).await.map_err(|_| broken("the daemon hung up"))?;
        serde_json::from_slice::<Answer>(&text).map_err(|_| broken("the daemon ended, or is too busy; try again"))
    };
    tokio::time::timeout(longest, talk).await.unwrap_or_else(|_| Err(broken("the daemon gave no answer in time")))
}
