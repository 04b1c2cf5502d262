//! The supervisor: a parent that starts the daemon again whenever it ends, whatever the reason.
//!
//! It is the same executable, so its name in `/proc` is `netifyd` too; but its PID stands in no file, and it never
//! passes on HUP, USR1 or USR2. It reports them as `supervisor-signaled`, so that a test notices when the wrong
//! process was signaled.

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};
use std::{io, thread};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde_json::json;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::Signals;

use crate::cli::Options;
use crate::daemon::{name, stop_at_eof};
use crate::event_log::EventLog;

/// How long a daemon may take to stop before it is killed.
const STOP: Duration = Duration::from_secs(2);

enum Message {
    Signal(i32),
    Ended(ExitStatus),
}

/// What made a wait end.
enum Outcome {
    Stop,
    Ended(ExitStatus),
    TimeUp,
}

struct Supervisor {
    log: EventLog,
    sender: Sender<Message>,
    messages: Receiver<Message>,
}

/// Runs until TERM or INT, which also stop the daemon.
pub(crate) fn run(options: &Options) -> io::Result<()> {
    let log = EventLog::open(options)?;
    let mut signals = Signals::new([SIGHUP, SIGUSR1, SIGUSR2, SIGTERM, SIGINT])?;
    let (sender, messages) = mpsc::channel();
    let supervisor = Supervisor { log, sender: sender.clone(), messages };
    thread::spawn(move || signals.forever().try_for_each(|signal| sender.send(Message::Signal(signal))));
    if options.until_eof {
        stop_at_eof();
    }
    supervisor.log.write("supervising", json!({ "restart_delay_ms": options.restart_delay }));
    loop {
        let child = supervisor.start()?;
        match supervisor.wait(None) {
            Outcome::Ended(status) => supervisor.report(&child, status),
            Outcome::Stop | Outcome::TimeUp => {
                supervisor.stop(&child);
                break;
            }
        }
        if let Outcome::Stop = supervisor.wait(Some(Duration::from_millis(options.restart_delay))) {
            break;
        }
    }
    supervisor.log.write("supervisor-stopped", json!({}));
    Ok(())
}

/// A daemon, addressed by a handle that no later process inherits.
struct Daemon {
    pid: u32,
    pidfd: std::os::fd::OwnedFd,
}

impl Supervisor {
    /// Starts the daemon with this process's own flags. On this thread: the daemon follows the thread that started
    /// it.
    fn start(&self) -> io::Result<Daemon> {
        let flags: Vec<OsString> = std::env::args_os().skip(1).filter(|flag| flag != "--supervise").collect();
        let mut child = Command::new(std::env::current_exe()?)
            .args(flags)
            .arg(format!("--supervised-by={}", std::process::id()))
            .stdin(Stdio::null())
            .spawn()?;
        let pid = child.id();
        let raw = i32::try_from(pid).ok().and_then(Pid::from_raw);
        let raw = raw.ok_or_else(|| io::Error::other("the kernel gave an impossible PID"))?;
        let pidfd = pidfd_open(raw, PidfdFlags::empty())?;
        let sender = self.sender.clone();
        thread::spawn(move || child.wait().map(|status| sender.send(Message::Ended(status))));
        Ok(Daemon { pid, pidfd })
    }

    /// Waits for the end of the daemon, for TERM or INT, or until `limit` has passed.
    fn wait(&self, limit: Option<Duration>) -> Outcome {
        let deadline = limit.map(|limit| Instant::now() + limit);
        loop {
            let message = match deadline {
                None => self.messages.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(deadline) => self.messages.recv_timeout(deadline.saturating_duration_since(Instant::now())),
            };
            match message {
                Ok(Message::Ended(status)) => return Outcome::Ended(status),
                Ok(Message::Signal(SIGTERM | SIGINT)) | Err(RecvTimeoutError::Disconnected) => {
                    return Outcome::Stop;
                }
                Ok(Message::Signal(signal)) => {
                    self.log.write("supervisor-signaled", json!({ "signal": name(signal) }));
                }
                Err(RecvTimeoutError::Timeout) => return Outcome::TimeUp,
            }
        }
    }

    fn stop(&self, daemon: &Daemon) {
        // Failing means that it has ended, which is what is wanted.
        let _ = pidfd_send_signal(&daemon.pidfd, Signal::TERM);
        let deadline = Instant::now() + STOP;
        loop {
            match self.wait(Some(deadline.saturating_duration_since(Instant::now()))) {
                Outcome::Ended(status) => return self.report(daemon, status),
                Outcome::Stop => {}
                Outcome::TimeUp => {
                    let _ = pidfd_send_signal(&daemon.pidfd, Signal::KILL);
                    return;
                }
            }
        }
    }

    fn report(&self, daemon: &Daemon, status: ExitStatus) {
        let fields = json!({ "child": daemon.pid, "code": status.code(), "signal": status.signal() });
        self.log.write("child-exited", fields);
    }
}
