//! systemd's manager, as far as a reload goes, on a private message bus. The bus is the distribution's dbus-daemon, which
//! judges every message of both sides; this file shares no code with the program's own D-Bus.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use test_support::Proc;

use test_bench::rig::{PATIENCE, Rig, skipped, tool};

const MANAGER: &str = "org.freedesktop.systemd1.Manager";
const JOB: &str = "/org/freedesktop/systemd1/job/17";

/// What becomes of a reload job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Job {
    /// The process gets its SIGHUP.
    Done,
    /// The same, and the job's end is told before the job's name is.
    DoneEarly,
    /// The same, and systemd says nothing more about the unit.
    DoneThenMute,
    /// It fails.
    Failed,
    /// It fails, and a stranger says that it is done.
    FailedDisputed,
    /// The process gets its SIGHUP; the job fails because of what comes of that.
    FailedByDeath,
    /// It never ends.
    Never,
    /// There is none: polkit says no.
    Denied,
}

/// What the manager says about any unit.
#[derive(Debug, Clone)]
pub(crate) struct Unit {
    pub(crate) load_state: &'static str,
    pub(crate) active_state: &'static str,
    /// Where the main process's id stands, if it has one.
    pub(crate) pid_file: PathBuf,
    pub(crate) job: Job,
}

impl Unit {
    fn main_pid(&self) -> Option<Pid> {
        fs::read_to_string(&self.pid_file).ok()?.trim().parse().ok().and_then(Pid::from_raw)
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct MockSystemd {
    unit: Arc<Mutex<Unit>>,
    /// The methods that were called, with their arguments.
    calls: Arc<Mutex<Vec<String>>>,
    _bus: Proc,
}

impl MockSystemd {
    /// A bus with the manager on it, for this device; [`None`] where there is no dbus-daemon.
    pub(crate) fn start(rig: &mut Rig, job: Job) -> Option<Self> {
        let Some(bus) = start_bus(rig, "bus") else {
            skipped("systemd on a private bus needs dbus-daemon");
            return None;
        };
        let pid_file = rig.path("netifyd/netifyd.pid");
        let unit = Arc::new(Mutex::new(Unit { load_state: "loaded", active_state: "active", pid_file, job }));
        let calls = Arc::<Mutex<Vec<String>>>::default();
        let mut client = Client::connect(&rig.path("bus")).expect("the bus lets us in");
        client
            .call_bus("RequestName", &[text("org.freedesktop.systemd1"), Value::Number(0)])
            .expect("the name is ours");
        let (shared, log) = (Arc::clone(&unit), Arc::clone(&calls));
        thread::spawn(move || {
            // Until the bus ends.
            while let Ok(call) = client.receive() {
                let unit = shared.lock().expect("no panic").clone();
                if call.kind == 1 {
                    log.lock().expect("no panic").push(format!("{} {}", call.member, call.arguments.join(" ")));
                    if client.serve(&call, &unit).is_err() {
                        return;
                    }
                }
            }
        });
        Some(Self { unit, calls, _bus: bus })
    }

    /// Changes what the manager says.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Unit)) {
        change(&mut self.unit.lock().expect("no panic"));
    }

    /// How often this was called with these arguments.
    pub(crate) fn count(&self, call: &str) -> usize {
        self.calls.lock().expect("no panic").iter().filter(|made| *made == call).count()
    }
}

/// A bus without anybody on it, in the device's directory; the device is told of it.
pub(crate) fn start_bus(rig: &mut Rig, name: &str) -> Option<Proc> {
    let program = tool("dbus-daemon")?;
    let address = format!("unix:path={}", rig.path(name).display());
    let config = rig.write(
        "bus.conf",
        format!(
            "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\" \
             \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n<busconfig><type>system</type>\
             <listen>{address}</listen><auth>EXTERNAL</auth><policy context=\"default\"><allow user=\"*\"/>\
             <allow own=\"*\"/><allow send_type=\"method_call\"/><allow send_type=\"signal\"/>\
             <allow send_requested_reply=\"true\"/><allow receive_type=\"method_call\"/>\
             <allow receive_type=\"signal\"/><allow receive_requested_reply=\"true\"/></policy></busconfig>\n"
        ),
    );
    let mut command = Command::new(program);
    command.args(["--nofork", "--nopidfile", "--nosyslog", "--print-address"]);
    command.arg(format!("--config-file={}", config.display()));
    let bus = Proc::spawn(&mut command).expect("dbus-daemon starts");
    bus.wait_for_line(|line| line.starts_with("unix:path="), PATIENCE).expect("dbus-daemon listens");
    rig.env("DBUS_SYSTEM_BUS_ADDRESS", address);
    Some(bus)
}

/// A value of a message.
#[derive(Debug, Clone)]
enum Value {
    Text(String),
    Path(String),
    Signature(String),
    Number(u32),
    Variant(Box<Value>),
}

fn length(length: usize) -> Value {
    Value::Number(u32::try_from(length).expect("a short message"))
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

impl Value {
    const fn signature(&self) -> char {
        match self {
            Self::Text(_) => 's',
            Self::Path(_) => 'o',
            Self::Signature(_) => 'g',
            Self::Number(_) => 'u',
            Self::Variant(_) => 'v',
        }
    }

    fn write(&self, to: &mut Vec<u8>) {
        match self {
            Self::Text(text) | Self::Path(text) => {
                length(text.len()).write(to);
                to.extend(text.bytes().chain([0]));
            }
            Self::Signature(text) => {
                to.push(u8::try_from(text.len()).expect("a short signature"));
                to.extend(text.bytes().chain([0]));
            }
            Self::Number(number) => {
                pad(to, 4);
                to.extend(number.to_le_bytes());
            }
            Self::Variant(inner) => {
                to.extend([1, inner.signature() as u8, 0]);
                inner.write(to);
            }
        }
    }
}

fn pad(bytes: &mut Vec<u8>, to: usize) {
    while !bytes.len().is_multiple_of(to) {
        bytes.push(0);
    }
}

/// A message that came in.
#[derive(Debug, Default)]
struct Incoming {
    kind: u8,
    serial: u32,
    sender: String,
    member: String,
    arguments: Vec<String>,
}

/// A connection to the bus.
struct Client {
    stream: UnixStream,
    socket: PathBuf,
    serial: u32,
    reloaded: bool,
}

impl Client {
    fn connect(socket: &Path) -> io::Result<Self> {
        let mut stream = UnixStream::connect(socket)?;
        let user = rustix::process::geteuid().as_raw().to_string();
        let hex = user.bytes().fold(String::new(), |text, byte| format!("{text}{byte:x}"));
        stream.write_all(format!("\0AUTH EXTERNAL {hex}\r\n").as_bytes())?;
        let mut byte = [0];
        while byte != *b"\n" {
            stream.read_exact(&mut byte)?;
        }
        stream.write_all(b"BEGIN\r\n")?;
        let mut client = Self { stream, socket: socket.to_owned(), serial: 0, reloaded: false };
        client.call_bus("Hello", &[])?;
        Ok(client)
    }

    fn call_bus(&mut self, member: &str, body: &[Value]) -> io::Result<()> {
        let name = "org.freedesktop.DBus";
        let path = Value::Path("/org/freedesktop/DBus".to_owned());
        self.send(1, &[(1, path), (2, text(name)), (3, text(member)), (6, text(name))], body)?;
        // What comes first may be a signal (NameAcquired).
        while !matches!(self.receive()?.kind, 2 | 3) {}
        Ok(())
    }

    fn send(&mut self, kind: u8, fields: &[(u8, Value)], body: &[Value]) -> io::Result<()> {
        self.serial += 1;
        let mut arguments = Vec::new();
        for value in body {
            value.write(&mut arguments);
        }
        let mut message = vec![b'l', kind, 0, 1];
        length(arguments.len()).write(&mut message);
        Value::Number(self.serial).write(&mut message);
        let signature = Value::Signature(body.iter().map(Value::signature).collect());
        let mut head = Vec::new();
        for (code, value) in fields.iter().chain((!body.is_empty()).then_some(&(8, signature))) {
            pad(&mut head, 8);
            head.push(*code);
            Value::Variant(Box::new(value.clone())).write(&mut head);
        }
        length(head.len()).write(&mut message);
        message.extend(head);
        pad(&mut message, 8);
        message.extend(arguments);
        self.stream.write_all(&message)
    }

    fn reply(&mut self, call: &Incoming, body: &[Value]) -> io::Result<()> {
        self.send(2, &[(5, Value::Number(call.serial)), (6, text(&call.sender))], body)
    }

    fn signal(&mut self, to: Option<&str>, job: &str, result: &str) -> io::Result<()> {
        let path = Value::Path("/org/freedesktop/systemd1".to_owned());
        let mut fields = vec![(1, path), (2, text(MANAGER)), (3, text("JobRemoved"))];
        fields.extend(to.map(|to| (6, text(to))));
        let body = [Value::Number(17), Value::Path(job.to_owned()), text("netifyd.service"), text(result)];
        self.send(4, &fields, &body)
    }

    fn serve(&mut self, call: &Incoming, unit: &Unit) -> io::Result<()> {
        let arguments: Vec<&str> = call.arguments.iter().map(String::as_str).collect();
        match (call.member.as_str(), arguments.as_slice()) {
            ("Get", _) if self.reloaded && unit.job == Job::DoneThenMute => {
                self.refuse(call, "org.freedesktop.DBus.Error.LimitsExceeded", "not now")
            }
            ("LoadUnit", _) => self.reply(call, &[Value::Path("/org/freedesktop/systemd1/unit/x".to_owned())]),
            ("Get", [_, "LoadState"]) => self.reply(call, &[Value::Variant(Box::new(text(unit.load_state)))]),
            ("Get", [_, "ActiveState"]) => self.reply(call, &[Value::Variant(Box::new(text(unit.active_state)))]),
            ("Get", [_, "MainPID"]) => {
                let pid = unit.main_pid().map_or(0, Pid::as_raw_pid);
                self.reply(call, &[Value::Variant(Box::new(Value::Number(pid.unsigned_abs())))])
            }
            ("ReloadUnit", [_, "replace"]) => self.reload(call, unit),
            ("Subscribe", []) => self.reply(call, &[]),
            _ => self.refuse(call, "org.freedesktop.DBus.Error.UnknownMethod", "there is no such method"),
        }
    }

    fn refuse(&mut self, call: &Incoming, name: &str, words: &str) -> io::Result<()> {
        self.send(3, &[(4, text(name)), (5, Value::Number(call.serial)), (6, text(&call.sender))], &[text(words)])
    }

    fn reload(&mut self, call: &Incoming, unit: &Unit) -> io::Result<()> {
        let hang_up = || unit.main_pid().map(|pid| kill_process(pid, Signal::HUP));
        // Other jobs are none of the caller's concern.
        self.signal(None, "/org/freedesktop/systemd1/job/9", "failed")?;
        let job = Value::Path(JOB.to_owned());
        match unit.job {
            Job::Denied => {
                let name = "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired";
                return self.refuse(call, name, "Interactive authentication required.");
            }
            Job::DoneEarly => {
                hang_up();
                self.signal(None, JOB, "done")?;
                return self.reply(call, &[job]);
            }
            Job::FailedDisputed => {
                let mut stranger = Self::connect(&self.socket)?;
                stranger.signal(Some(&call.sender), JOB, "done")?;
                // The bus has passed it on when it answers the next question.
                stranger.call_bus("GetId", &[])?;
            }
            _ => {}
        }
        self.reply(call, &[job])?;
        self.reloaded = true;
        match unit.job {
            Job::Done | Job::DoneThenMute => {
                hang_up();
                self.signal(None, JOB, "done")
            }
            Job::Failed | Job::FailedDisputed => self.signal(None, JOB, "failed"),
            Job::FailedByDeath => {
                let before = unit.main_pid();
                hang_up();
                // systemd notices that its main process has ended.
                let ended = || {
                    before != unit.main_pid()
                        || before.is_none_or(|pid| rustix::process::test_kill_process(pid).is_err())
                };
                let _ = test_support::wait_until(ended, PATIENCE, "the process ends");
                self.signal(None, JOB, "failed")
            }
            _ => Ok(()),
        }
    }

    fn receive(&mut self) -> io::Result<Incoming> {
        let mut fixed = [0; 16];
        self.stream.read_exact(&mut fixed)?;
        let number = |at: usize| u32::from_le_bytes([fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]]);
        let fields = number(12) as usize;
        let mut rest = vec![0; fields.next_multiple_of(8) + number(4) as usize];
        self.stream.read_exact(&mut rest)?;
        let mut message = Incoming { kind: fixed[1], serial: number(8), ..Incoming::default() };
        let mut at = 0;
        let mut signature = String::new();
        while at < fields {
            at = at.next_multiple_of(8);
            let (code, kind) = (rest[at], rest[at + 2]);
            at += 4;
            let value = read(&rest, &mut at, kind);
            match code {
                3 => message.member = value,
                7 => message.sender = value,
                8 => signature = value,
                _ => {}
            }
        }
        at = fields.next_multiple_of(8);
        // Only strings are expected of a caller.
        message.arguments = signature
            .bytes()
            .take_while(|kind| matches!(kind, b's' | b'o'))
            .map(|kind| read(&rest, &mut at, kind))
            .collect();
        Ok(message)
    }
}

/// A text or a number, in its text form. The bus has checked the message.
fn read(bytes: &[u8], at: &mut usize, kind: u8) -> String {
    if kind == b'g' {
        let length = bytes[*at] as usize;
        *at += length + 2;
        return String::from_utf8_lossy(&bytes[*at - length - 1..*at - 1]).into_owned();
    }
    *at = at.next_multiple_of(4);
    let number = u32::from_le_bytes([bytes[*at], bytes[*at + 1], bytes[*at + 2], bytes[*at + 3]]);
    *at += 4;
    if kind == b'u' {
        return number.to_string();
    }
    *at += number as usize + 1;
    String::from_utf8_lossy(&bytes[*at - number as usize - 1..*at - 1]).into_owned()
}
