//! The control socket's server: slow and hostile clients cannot hold it up.

use std::cell::Cell;
use std::collections::VecDeque;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::net::sockopt::socket_peercred;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect as connect_to, socket_with};
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::oneshot::error::RecvError;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio::time::Instant;
use tokio::time::error::Elapsed;

use crate::core::control::{self, Answer, Command, MAX_LINE};
use crate::edge::{dirs, identity, reason};

/// Clients that may be about to say what they want, at a time.
const MAX_LISTENED_TO: usize = 32;
/// Clients that may wait for their answer, at a time: so many for work, and as many again for a look.
const MAX_WAITING: usize = 64;
/// A client has this long to say what it wants while others queue for its place.
pub(super) const CROWDED: Duration = Duration::from_millis(10);
/// Longest time for a client to say what it wants, and to take its answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// Longest time that the answer may take.
const LONGEST_WORK: Duration = Duration::from_secs(600);

/// A request with the way back to its client.
#[derive(Debug)]
pub struct Incoming {
    /// What is asked for.
    pub command: Command,
    /// Whether root asks.
    pub by_root: bool,
    /// Where the answer goes; a client that left is no failure.
    pub answer: oneshot::Sender<Answer>,
}

/// The listening socket. Dropped, it stops listening and its file is removed.
#[derive(Debug)]
pub struct Server {
    path: PathBuf,
    /// Which file that was when it began to listen.
    file: Option<(u64, u64)>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
        if self.is_found() {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl Server {
    /// Where it listens.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether clients find it: its file is neither deleted nor another one.
    #[must_use]
    pub fn is_found(&self) -> bool {
        self.file.is_some() && file_at(&self.path) == self.file
    }

    /// Listens on `path` (0660). A socket that nobody serves any more is replaced. Needs a `LocalSet`.
    pub fn listen(path: &Path, sender: mpsc::Sender<Incoming>) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("{}: cannot listen there: {}", path.display(), reason(&error));
        if let Some(directory) = path.parent().filter(|directory| !directory.exists()) {
            dirs::create(directory, 0o755)?;
        }
        match std::fs::symlink_metadata(path) {
            Ok(meta) if meta.file_type().is_socket() => match listener(path) {
                Some(other) => return Err(format!("{}: process {other} listens there already", path.display())),
                None => std::fs::remove_file(path).map_err(failed)?,
            },
            Ok(_) => return Err(format!("{}: cannot listen there: it is no socket", path.display())),
            Err(_) => {}
        }
        // 0660 from the first moment on. By its name the mode would be set of whatever has taken its place.
        let mask = rustix::process::umask(Mode::from_raw_mode(0o117));
        let listener = UnixListener::bind(path);
        rustix::process::umask(mask);
        let listener = listener.map_err(failed)?;
        let task = tokio::task::spawn_local(serve(listener, sender));
        Ok(Self { path: path.to_path_buf(), file: file_at(path), task })
    }
}

fn file_at(path: &Path) -> Option<(u64, u64)> {
    std::fs::symlink_metadata(path).ok().as_ref().map(identity)
}

/// The process that listens on `path`; [`None`] when nobody does. Whoever is too busy to be asked is there, too.
#[must_use]
pub fn listener(path: &Path) -> Option<i32> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).ok()?;
    match connect_to(&socket, &SocketAddrUnix::new(path).ok()?) {
        Ok(()) => Some(socket_peercred(&socket).map_or(0, |peer| peer.pid.as_raw_pid())),
        Err(Errno::AGAIN) => Some(0),
        Err(_) => None,
    }
}

/// Places for those who wait.
struct Room {
    /// For an answer that is at hand.
    looks: Semaphore,
    /// For one that takes time. However many there are, whoever wants to see what is going on gets in.
    work: Semaphore,
}

impl Room {
    const fn of(&self, command: &Command) -> &Semaphore {
        if matches!(command, Command::Status | Command::Metrics) { &self.looks } else { &self.work }
    }
}

/// A client that has not yet said what it wants.
struct Guest {
    task: AbortHandle,
    since: Instant,
    spoke: Rc<Cell<bool>>,
}

impl Guest {
    fn is_here(&self) -> bool {
        !self.spoke.get() && !self.task.is_finished()
    }
}

/// Takes in clients. Whoever says nothing, or says it byte by byte, makes room for the next one.
async fn serve(listener: UnixListener, sender: mpsc::Sender<Incoming>) {
    let room = Rc::new(Room { looks: Semaphore::new(MAX_WAITING), work: Semaphore::new(MAX_WAITING) });
    let mut guests: VecDeque<Guest> = VecDeque::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file descriptors: let some go.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        guests.retain(Guest::is_here);
        if guests.len() >= MAX_LISTENED_TO
            && let Some(first) = guests.pop_front()
        {
            tokio::time::sleep_until(first.since + CROWDED).await;
            if first.is_here() {
                first.task.abort();
            }
        }
        let spoke = Rc::new(Cell::new(false));
        let task = tokio::task::spawn_local(talk(stream, sender.clone(), Rc::clone(&spoke), Rc::clone(&room)));
        guests.push_back(Guest { task: task.abort_handle(), since: Instant::now(), spoke });
    }
}

/// One request, one answer.
async fn talk(mut stream: UnixStream, sender: mpsc::Sender<Incoming>, spoke: Rc<Cell<bool>>, room: Rc<Room>) {
    let answer = if may_act(&stream) {
        match tokio::time::timeout(PATIENCE, read_line(&mut stream)).await {
            Err(_) | Ok(None) => return,
            Ok(Some(line)) => match line.and_then(|line| control::parse(&line)) {
                Err(refusal) => Answer::words(2, refusal),
                Ok(command) => {
                    // The place is kept until the client has its answer.
                    if let Ok(_place) = room.of(&command).try_acquire() {
                        spoke.set(true);
                        let Some(answer) = answer(&stream, command, &sender).await else { return };
                        return tell(&mut stream, &answer).await;
                    }
                    Answer::words(1, "too many wait for an answer; try again")
                }
            },
        }
    } else {
        Answer::words(1, "only root and members of the daemon's group may use this socket")
    };
    tell(&mut stream, &answer).await;
}

pub(super) async fn tell(stream: &mut UnixStream, answer: &Answer) {
    // A client that does not listen has itself to blame.
    let _ = tokio::time::timeout(PATIENCE, stream.write_all(answer.line().as_bytes())).await;
}

/// Has the daemon do it; [`None`] when the client did not wait for it.
async fn answer(stream: &UnixStream, command: Command, sender: &mpsc::Sender<Incoming>) -> Option<Answer> {
    let (answer, done) = oneshot::channel();
    let by_root = stream.peer_cred().is_ok_and(|peer| peer.uid() == 0);
    sender.send(Incoming { command, by_root, answer }).await.ok()?;
    tokio::select! {
        done = tokio::time::timeout(LONGEST_WORK, done) => Some(outcome(done)),
        // What a client asked for goes on without it.
        () = hung_up(stream) => None,
    }
}

fn outcome(done: Result<Result<Answer, RecvError>, Elapsed>) -> Answer {
    match done {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => Answer::words(1, "the daemon ended before it was done"),
        Err(_) => Answer::words(1, "the daemon is still at work; `netify-licensed status` tells what comes of it"),
    }
}

/// Waits until the client has closed its end. One that only shut down its sending side still wants its answer, so
/// nothing is waited for but what epoll(7) tells unasked: a hang-up.
async fn hung_up(stream: &UnixStream) {
    let own = stream.as_fd().try_clone_to_owned().and_then(|fd| crate::edge::watched(fd, Interest::PRIORITY));
    match own {
        Ok(own) => drop(own.ready(Interest::PRIORITY).await),
        // Out of file descriptors: the answer comes all the same.
        Err(_) => std::future::pending().await,
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
    peer.uid() == 0
        || peer.uid() == own_user
        || peer.gid() == own_group
        || peer.pid().and_then(groups).map_or_else(|| only_group_gets_in(stream), |groups| groups.contains(&own_group))
}

/// The supplementary groups of a process; [`None`] where our sandbox hides it.
fn groups(process: i32) -> Option<Vec<u32>> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let groups = status.lines().find_map(|line| line.strip_prefix("Groups:"))?;
    Some(groups.split_whitespace().filter_map(|group| group.parse().ok()).collect())
}

/// Whether the socket's file lets nobody in but its owner and group: then the kernel has judged already.
fn only_group_gets_in(stream: &UnixStream) -> bool {
    let address = stream.local_addr().ok();
    let path = address.as_ref().and_then(|address| address.as_pathname());
    path.and_then(|path| std::fs::metadata(path).ok())
        .is_some_and(|meta| meta.gid() == rustix::process::getegid().as_raw() && meta.mode().trailing_zeros() >= 3)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::edge::control::client::{ask, connect};

    /// Runs on an event loop of its own, with a socket's path.
    pub(in crate::edge::control) fn with_a_socket<T>(test: impl AsyncFnOnce(PathBuf) -> T) -> T {
        let directory = test_support::temp_dir().expect("a directory");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("an event loop");
        tokio::task::LocalSet::new().block_on(&runtime, test(directory.path().join("socket")))
    }

    async fn client(path: &Path) -> UnixStream {
        let mut stream = connect(path).await.expect("somebody listens");
        stream.write_all(b"{\"v\":1,\"command\":\"renew\"}\n").await.expect("sent");
        stream
    }

    async fn next(incoming: &mut mpsc::Receiver<Incoming>) -> Incoming {
        tokio::time::timeout(PATIENCE, incoming.recv()).await.expect("in time").expect("a request")
    }

    #[test]
    fn whoever_has_left_makes_room_and_nobody_waits_in_front_of_a_look() {
        with_a_socket(async |path| {
            let (sender, mut incoming) = mpsc::channel(1);
            let _server = Server::listen(&path, sender).expect("it listens");
            let (mut clients, mut waiting) = (Vec::new(), Vec::new());
            for _ in 0..MAX_WAITING {
                clients.push(client(&path).await);
                waiting.push(next(&mut incoming).await.answer);
            }
            let renew = || Command::Renew { if_due: false, dry_run: false, accept_changes: false };
            let crowded = ask(&path, renew(), PATIENCE).await.expect("an answer");
            assert_eq!(crowded.message, "too many wait for an answer; try again");
            let daemon = async {
                let Incoming { command, answer, .. } = next(&mut incoming).await;
                assert!(answer.send(Answer::words(0, format!("{command:?}"))).is_ok(), "nobody waits for it");
            };
            let (seen, ()) = tokio::join!(ask(&path, Command::Status, PATIENCE), daemon);
            assert_eq!(seen.expect("an answer").message, "Status");

            // A half of a connection is enough to wait with.
            let (mut half, mut answer) = (clients.remove(0), waiting.remove(0));
            half.shutdown().await.expect("it can");
            drop(clients);
            for answer in &mut waiting {
                tokio::time::timeout(PATIENCE, answer.closed()).await.expect("its client has left");
            }
            let _client = client(&path).await;
            assert_eq!(next(&mut incoming).await.command, renew(), "there is room");
            assert!(tokio::time::timeout(Duration::ZERO, answer.closed()).await.is_err(), "it still waits");
            assert!(answer.send(Answer::words(0, "done")).is_ok());
            let mut text = String::new();
            half.read_to_string(&mut text).await.expect("an answer");
            assert!(text.contains("done"), "{text}");
        });
    }

    #[test]
    fn a_daemon_that_works_is_not_called_ended() {
        with_a_socket(async |_| {
            let (answer, mut done) = oneshot::channel();
            let late = outcome(tokio::time::timeout(Duration::ZERO, &mut done).await);
            assert!(late.exit == 1 && late.message.starts_with("the daemon is still at work; "), "{late:?}");
            drop(answer);
            let ended = outcome(tokio::time::timeout(PATIENCE, done).await);
            assert_eq!((ended.exit, ended.message.as_str()), (1, "the daemon ended before it was done"));
        });
    }
}
