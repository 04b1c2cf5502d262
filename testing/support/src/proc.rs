//! A child process under test.

use std::io;
use std::os::fd::OwnedFd;
use std::process::{ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::line_reader::read_lines;

/// How long the output of a process that has ended is waited for: a grandchild may hold the pipe open.
const DRAIN: Duration = Duration::from_secs(1);

/// Which of its two outputs a process wrote a line to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// One line that a process wrote, without its line end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Where it was written.
    pub stream: Stream,
    /// What was written; bytes that are not UTF-8 are replaced.
    pub text: String,
}

#[derive(Debug, Default)]
struct State {
    lines: Vec<Line>,
    open_streams: usize,
    exit: Option<ExitStatus>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn update(&self, change: impl FnOnce(&mut State)) {
        change(&mut crate::lock(&self.state));
        self.changed.notify_all();
    }

    /// Waits until `check` gives an answer; `None` after `timeout`.
    fn wait<T>(&self, timeout: Duration, mut check: impl FnMut(&State) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + timeout;
        let mut state = crate::lock(&self.state);
        loop {
            if let Some(found) = check(&state) {
                return Some(found);
            }
            let left = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
            state = match self.changed.wait_timeout(state, left) {
                Ok((state, _)) => state,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
    }
}

/// A running child process: its output is collected, its exit is noticed, it is killed on drop.
///
/// Signals go through a pidfd: a PID that was recycled after the child's end is never hit.
#[derive(Debug)]
pub struct Proc {
    name: String,
    pid: Pid,
    pidfd: OwnedFd,
    stdin: Option<ChildStdin>,
    shared: Arc<Shared>,
}

impl Proc {
    /// Starts `command` with an empty standard input.
    pub fn spawn(command: &mut Command) -> io::Result<Self> {
        Self::start(command.stdin(Stdio::null()))
    }

    /// Starts `command` with a pipe as standard input, open until [`Proc::take_stdin`], drop, or the end of this
    /// process in whatever way.
    pub fn spawn_with_stdin(command: &mut Command) -> io::Result<Self> {
        Self::start(command.stdin(Stdio::piped()))
    }

    fn start(command: &mut Command) -> io::Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| io::Error::new(error.kind(), format!("cannot start {name}: {error}")))?;
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| io::Error::other("the kernel gave an impossible PID"))?;
        // Opened before anything can wait for the child, so it is this child and no other.
        let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
        let stdin = child.stdin.take();
        let shared = Arc::new(Shared::default());
        if let Some(out) = child.stdout.take() {
            collect(&shared, Stream::Out, out);
        }
        if let Some(err) = child.stderr.take() {
            collect(&shared, Stream::Err, err);
        }
        let waiter = Arc::clone(&shared);
        thread::spawn(move || {
            if let Ok(status) = child.wait() {
                waiter.update(|state| state.exit = Some(status));
            }
        });
        Ok(Self { name, pid, pidfd, stdin, shared })
    }

    /// The child's PID, also after its end.
    #[must_use]
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// The writing end of the child's standard input; dropping it is the child's end of file.
    pub fn take_stdin(&mut self) -> Option<ChildStdin> {
        self.stdin.take()
    }

    /// Sends `signal`; `ESRCH` when the child has ended.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        Ok(pidfd_send_signal(&self.pidfd, signal)?)
    }

    /// All lines so far, in the order of their arrival.
    #[must_use]
    pub fn lines(&self) -> Vec<Line> {
        crate::lock(&self.shared.state).lines.clone()
    }

    /// Standard output so far, lines joined by `\n`.
    #[must_use]
    pub fn stdout(&self) -> String {
        join(&self.lines(), |line| line.stream == Stream::Out)
    }

    /// Standard error so far, lines joined by `\n`.
    #[must_use]
    pub fn stderr(&self) -> String {
        join(&self.lines(), |line| line.stream == Stream::Err)
    }

    /// Both outputs so far, lines joined by `\n`.
    #[must_use]
    pub fn output(&self) -> String {
        join(&self.lines(), |_| true)
    }

    /// The first line of either output, past or future, that `wanted` accepts.
    ///
    /// Fails with `TimedOut`, or with `UnexpectedEof` as soon as the child has closed both outputs; the error
    /// shows what it wrote instead.
    pub fn wait_for_line(&self, mut wanted: impl FnMut(&str) -> bool, timeout: Duration) -> io::Result<String> {
        self.wait_for_lines(
            |lines| lines.iter().find(|line| wanted(&line.text)).map(|line| line.text.clone()),
            timeout,
            "a certain line",
        )
    }

    /// Waits until `check`, given all lines so far, answers something; `what` names it in the error.
    pub fn wait_for_lines<T>(
        &self,
        mut check: impl FnMut(&[Line]) -> Option<T>,
        timeout: Duration,
        what: &str,
    ) -> io::Result<T> {
        let found = self.shared.wait(timeout, |state| match check(&state.lines) {
            Some(found) => Some(Some(found)),
            None if state.open_streams == 0 => Some(None),
            None => None,
        });
        match found {
            Some(Some(found)) => Ok(found),
            Some(None) => Err(self.failure(io::ErrorKind::UnexpectedEof, &format!("ended without {what}"))),
            None => Err(self.failure(io::ErrorKind::TimedOut, &format!("no {what} within {timeout:?}"))),
        }
    }

    /// How the child ended; may be asked again. Its output is complete afterwards, unless a grandchild still
    /// holds the pipes.
    pub fn wait_exit(&self, timeout: Duration) -> io::Result<ExitStatus> {
        let exit = self.shared.wait(timeout, |state| state.exit);
        let exit =
            exit.ok_or_else(|| self.failure(io::ErrorKind::TimedOut, &format!("still running after {timeout:?}")))?;
        self.shared.wait(DRAIN, |state| (state.open_streams == 0).then_some(()));
        Ok(exit)
    }

    /// Whether the child has not been seen to end.
    #[must_use]
    pub fn is_running(&self) -> bool {
        crate::lock(&self.shared.state).exit.is_none()
    }

    fn failure(&self, kind: io::ErrorKind, what: &str) -> io::Error {
        io::Error::new(kind, format!("{} ({}): {what}; its output: {}", self.name, self.pid, self.output()))
    }
}

impl Drop for Proc {
    fn drop(&mut self) {
        if self.is_running() && self.signal(Signal::KILL).is_ok() {
            self.shared.wait(Duration::from_secs(5), |state| state.exit);
        }
    }
}

fn collect(shared: &Arc<Shared>, stream: Stream, source: impl io::Read + Send + 'static) {
    shared.update(|state| state.open_streams += 1);
    let (lines, end) = (Arc::clone(shared), Arc::clone(shared));
    read_lines(
        source,
        move |text| lines.update(|state| state.lines.push(Line { stream, text })),
        move || end.update(|state| state.open_streams -= 1),
    );
}

fn join(lines: &[Line], wanted: impl Fn(&Line) -> bool) -> String {
    let wanted: Vec<&str> = lines.iter().filter(|line| wanted(line)).map(|line| line.text.as_str()).collect();
    wanted.join("\n")
}
