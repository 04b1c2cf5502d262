//! The handle that tests hold on a running stand-in.

use std::fs;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::{PidfdFlags, pidfd_open, pidfd_send_signal};
use serde_json::{Value, json};
use test_support::{Line, Pid, Proc, Signal, Stream, TempDir};

use crate::behavior::Script;
use crate::builder::Builder;
use crate::event::{Event, Load};
use crate::run_files::replace;

/// How long [`Standin::request`] waits for a reply.
const REPLY: Duration = Duration::from_secs(5);

/// Where the stand-in's files are.
#[derive(Debug)]
pub(crate) struct Paths {
    pub(crate) dir: PathBuf,
    pub(crate) license: PathBuf,
    pub(crate) pid_file: PathBuf,
    pub(crate) socket: PathBuf,
    pub(crate) status_file: PathBuf,
    pub(crate) events: PathBuf,
    pub(crate) behavior_file: PathBuf,
}

impl Paths {
    pub(crate) fn below(dir: &Path, license: Option<PathBuf>) -> Self {
        Self {
            dir: dir.to_owned(),
            license: license.unwrap_or_else(|| dir.join("license.json")),
            pid_file: dir.join("netifyd.pid"),
            socket: dir.join("netifyd.sock"),
            status_file: dir.join("status.json"),
            events: dir.join("events.jsonl"),
            behavior_file: dir.join("behavior"),
        }
    }
}

/// A running stand-in; stopped, or killed if it will not, on drop. It also ends when this process does.
///
/// All waits look at past events first: something that has already happened is found at once. To wait for
/// something new, take a [`mark`](Standin::mark) before causing it and use
/// [`wait_for_since`](Standin::wait_for_since).
#[derive(Debug)]
pub struct Standin {
    proc: Proc,
    paths: Paths,
    // Removed after the process has ended: fields are dropped in this order.
    _temp: Option<TempDir>,
}

impl Standin {
    /// A stand-in with a control socket, no license, and behavior `ok`.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::new()
    }

    pub(crate) fn new(proc: Proc, paths: Paths, temp: Option<TempDir>) -> Self {
        Self { proc, paths, _temp: temp }
    }

    /// The directory of all its files.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.paths.dir
    }

    /// The license it reads.
    #[must_use]
    pub fn license_path(&self) -> &Path {
        &self.paths.license
    }

    /// Its PID file.
    #[must_use]
    pub fn pid_file(&self) -> &Path {
        &self.paths.pid_file
    }

    /// Its control socket (absent after [`Builder::without_socket`]).
    #[must_use]
    pub fn socket_path(&self) -> &Path {
        &self.paths.socket
    }

    /// Its status.json.
    #[must_use]
    pub fn status_file(&self) -> &Path {
        &self.paths.status_file
    }

    /// The file of its event lines.
    #[must_use]
    pub fn events_file(&self) -> &Path {
        &self.paths.events
    }

    /// The daemon's PID: of the last daemon that started, when there is a supervisor.
    #[must_use]
    pub fn pid(&self) -> i32 {
        let started = self.events().into_iter().rev().find(|event| event.name == "started");
        started.map_or(self.proc.pid().as_raw_pid(), |event| event.pid)
    }

    /// The process that was started: the supervisor, or the daemon itself without one.
    #[must_use]
    pub fn process(&self) -> &Proc {
        &self.proc
    }

    /// Changes the script of [`behavior`](crate::behavior), from the next reload on.
    pub fn set_behavior(&self, script: &str) -> io::Result<()> {
        Script::parse(script).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        // Another first character each time: the same script once more is news, too.
        let old = fs::read_to_string(&self.paths.behavior_file).unwrap_or_default();
        let space = if old.starts_with(' ') { "" } else { " " };
        replace(&self.paths.behavior_file, &format!("{space}{script}\n"))
    }

    /// Puts a license in place by rename, without asking for a reload.
    pub fn write_license(&self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        let beside = self.paths.license.with_extension("new");
        fs::write(&beside, bytes)?;
        fs::rename(&beside, &self.paths.license)
    }

    /// Sends a signal to the daemon.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        let pid = Pid::from_raw(self.pid()).ok_or_else(|| io::Error::other("no PID"))?;
        let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
        Ok(pidfd_send_signal(&pidfd, signal)?)
    }

    /// Sends `{"command": command}` to the control socket and returns the reply.
    pub fn request(&self, command: &str) -> io::Result<Value> {
        let reply = self.request_raw(json!({ "command": command }).to_string().as_bytes())?;
        serde_json::from_slice(&reply).map_err(io::Error::from)
    }

    /// Sends these bytes to the control socket, then end of file, and returns what came until the end.
    pub fn request_raw(&self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut connection = UnixStream::connect(&self.paths.socket)?;
        connection.set_read_timeout(Some(REPLY))?;
        connection.write_all(bytes)?;
        connection.shutdown(Shutdown::Write)?;
        let mut reply = Vec::new();
        connection.read_to_end(&mut reply)?;
        Ok(reply)
    }

    /// All events so far.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        parse(&self.proc.lines()).collect()
    }

    /// All licenses loaded so far.
    #[must_use]
    pub fn loads(&self) -> Vec<Load> {
        self.events().iter().filter_map(Event::load).collect()
    }

    /// How many events of that name there were so far.
    #[must_use]
    pub fn count(&self, name: &str) -> usize {
        self.events().iter().filter(|event| event.name == name).count()
    }

    /// The number of events so far.
    #[must_use]
    pub fn mark(&self) -> usize {
        self.events().len()
    }

    /// The first event, past or future, that `wanted` accepts; `what` names it in the error.
    pub fn wait_for(&self, what: &str, timeout: Duration, wanted: impl FnMut(&Event) -> bool) -> io::Result<Event> {
        self.wait_for_since(0, what, timeout, wanted)
    }

    /// The first event after the given [`mark`](Standin::mark) that `wanted` accepts.
    pub fn wait_for_since(
        &self,
        mark: usize,
        what: &str,
        timeout: Duration,
        mut wanted: impl FnMut(&Event) -> bool,
    ) -> io::Result<Event> {
        let find = |lines: &[Line]| parse(lines).skip(mark).find(|event| wanted(event));
        self.proc.wait_for_lines(find, timeout, what)
    }

    /// The first event after `mark` of that name.
    pub fn wait_for_event(&self, mark: usize, name: &str, timeout: Duration) -> io::Result<Event> {
        self.wait_for_since(mark, &format!("event {name}"), timeout, |event| event.name == name)
    }

    /// The first load, past or future, of a license with this serial or this SHA-256 (lower-case hex).
    pub fn wait_for_load(&self, serial_or_sha256: &str, timeout: Duration) -> io::Result<Load> {
        let wanted = |load: &Load| load.sha256 == serial_or_sha256 || load.serial.as_deref() == Some(serial_or_sha256);
        let find = |lines: &[Line]| parse(lines).filter_map(|event| event.load()).find(wanted);
        self.proc.wait_for_lines(find, timeout, &format!("load of {serial_or_sha256}"))
    }

    /// Waits until at least `count` licenses were loaded, the one at the start included, and returns all.
    pub fn wait_for_loads(&self, count: usize, timeout: Duration) -> io::Result<Vec<Load>> {
        let find = |lines: &[Line]| {
            let loads: Vec<Load> = parse(lines).filter_map(|event| event.load()).collect();
            (loads.len() >= count).then_some(loads)
        };
        self.proc.wait_for_lines(find, timeout, &format!("load number {count}"))
    }

    /// Stops it cleanly, supervisor and all, and returns how it ended.
    pub fn stop(&self) -> io::Result<ExitStatus> {
        if self.proc.is_running() {
            self.proc.signal(Signal::TERM)?;
        }
        self.proc.wait_exit(Duration::from_secs(5))
    }
}

impl Drop for Standin {
    fn drop(&mut self) {
        // A process that does not stop is killed when its handle is dropped.
        let _ = self.stop();
    }
}

fn parse(lines: &[Line]) -> impl Iterator<Item = Event> + '_ {
    lines.iter().filter(|line| line.stream == Stream::Out).filter_map(|line| Event::parse(&line.text))
}
