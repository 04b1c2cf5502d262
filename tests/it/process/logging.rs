//! A log that nobody reads: the daemon goes on, stops when told, and counts what was lost.

use std::fs;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use test_bench::rig::{PATIENCE, Rig, skipped, tool};
use test_support::wait_until;

use super::{device, offer};

/// A daemon whose log goes into a pipe that is full already.
struct Stuck {
    child: Child,
    reader: std::io::PipeReader,
}

impl Stuck {
    fn start(rig: &Rig) -> Self {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        // Filled through a description of its own, as the flags of the daemon's are those of the test.
        let own = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&writer));
        let mut filler =
            fs::File::options().write(true).custom_flags_nonblocking().open(own).expect("the pipe, opened anew");
        while filler.write(&[b'x'; 4096]).is_ok() {}
        while filler.write(b"x").is_ok() {}
        let mut command = rig.command(&["run"]);
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::from(writer.try_clone().expect("a copy")))
            .stderr(Stdio::from(writer))
            .spawn()
            .expect("it starts");
        Self { child, reader }
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("a pid")).expect("a pid");
        kill_process(pid, signal).expect("it runs");
    }
}

impl Drop for Stuck {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

trait Nonblocking {
    fn custom_flags_nonblocking(&mut self) -> &mut Self;
}

impl Nonblocking for fs::OpenOptions {
    fn custom_flags_nonblocking(&mut self) -> &mut Self {
        use std::os::unix::fs::OpenOptionsExt;
        self.custom_flags(i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).expect("flags"))
    }
}

/// Has the daemon log well over what it buffers, by its control socket.
fn log_more_than_fits(rig: &Rig) {
    for _ in 0..600 {
        let mut stream = UnixStream::connect(rig.path("run/control.sock")).expect("it listens");
        stream.write_all(b"{\"v\":1,\"command\":\"reload-config\"}\n").expect("asked");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        assert!(answer.contains("configuration read again"), "{answer}");
    }
}

#[test]
fn a_pipe_that_nobody_reads_stops_neither_renewals_nor_signals() {
    let (hub, mut rig) = device();
    rig.set("log.level", "debug");
    let mut daemon = Stuck::start(&rig);
    rig.wait_for_status("the first status", |status| status["pid"] == daemon.child.id());
    log_more_than_fits(&rig);
    offer(&hub, 1);
    rig.run(&["renew"]).expect(0);
    let status = rig.run(&["status", "--json"]).json();
    let lost = status["daemon"]["log_lines_lost"].as_u64().expect("a number");
    assert!(lost > 0, "{status:#}");
    let metrics = rig.run(&["status", "--format", "openmetrics"]).out;
    assert!(metrics.contains("netify_licensed_log_lines_lost_total "), "{metrics}");

    // The reader comes back: what was lost is said, and the flags of the pipe are as they were.
    let flags = rustix::fs::fcntl_getfl(daemon.reader.as_fd()).expect("flags");
    assert!(!flags.contains(rustix::fs::OFlags::NONBLOCK));
    let mut reader = daemon.reader.try_clone().expect("a copy");
    let (mut text, mut buffer) = (String::new(), vec![0_u8; 65_536]);
    let said = || rig.run(&["reload"]).code;
    let begun = Instant::now();
    while !text.contains(" lines of the log were lost") && begun.elapsed() < PATIENCE {
        let read = reader.read(&mut buffer).expect("lines");
        text.push_str(&String::from_utf8_lossy(&buffer[..read]));
    }
    assert!(text.contains(" lines of the log were lost"), "{}", text.trim_start_matches('x'));
    assert_eq!(said(), Some(0));
    daemon.signal(Signal::TERM);
    // It is read no further.
    let ended = || matches!(daemon.child.try_wait(), Ok(Some(_)));
    wait_until(ended, Duration::from_secs(5), "the end").expect("TERM is obeyed");
}

#[test]
fn term_ends_a_daemon_whose_log_is_stuck() {
    let (_hub, rig) = device();
    let mut daemon = Stuck::start(&rig);
    rig.wait_for_status("the first status", |status| status["pid"] == daemon.child.id());
    let begun = Instant::now();
    daemon.signal(Signal::TERM);
    let exit = loop {
        if let Some(exit) = daemon.child.try_wait().expect("a child") {
            break exit;
        }
        assert!(begun.elapsed() < Duration::from_secs(5), "TERM is not obeyed");
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!(exit.success(), "{exit}");
}

#[test]
fn a_daemon_that_cannot_start_ends_although_its_log_is_stuck() {
    let (_hub, rig) = device();
    let _first = rig.daemon();
    let mut second = Stuck::start(&rig);
    let ended = || matches!(second.child.try_wait(), Ok(Some(_)));
    wait_until(ended, PATIENCE, "the end").expect("it ends");
}

/// The journal's socket in a mount namespace of the daemon's own.
#[test]
fn a_journal_that_is_stuck_stops_nothing() {
    let Some(unshare) = tool("unshare").filter(|_| rustix::process::geteuid().is_root()) else {
        return skipped("a mount namespace needs root and unshare");
    };
    let (hub, mut rig) = device();
    rig.set("log.format", "journald");
    rig.set("log.level", "debug");
    fs::create_dir(rig.path("journal")).expect("created");
    let journal = UnixDatagram::bind(rig.path("journal/socket")).expect("bound");
    let root = rig.dir().display().to_string();
    let script = format!(
        "set -e; mount -t tmpfs none /run; mkdir -p /run/systemd/journal; mount --bind {root}/journal /run/systemd/journal; exec \"$@\""
    );
    let unshare = unshare.display().to_string();
    let wrapper = [&*unshare, "-m", "--", "/bin/sh", "-c", &script, "sh"];
    let daemon = test_support::Proc::spawn(&mut rig.wrapped(&wrapper, &["run"])).expect("it starts");
    let pid = daemon.pid().as_raw_nonzero().get();
    rig.wait_for_status("the first status", |status| status["pid"] == pid);
    log_more_than_fits(&rig);
    offer(&hub, 1);
    rig.run(&["renew"]).expect(0);
    let mut entry = vec![0_u8; 65_536];
    journal.set_read_timeout(Some(PATIENCE)).expect("set");
    loop {
        let length = journal.recv(&mut entry).expect("an entry");
        if String::from_utf8_lossy(&entry[..length]).contains(" lines of the log were lost") {
            break;
        }
    }
    daemon.signal(test_support::Signal::TERM).expect("it runs");
    daemon.wait_exit(Duration::from_secs(5)).expect("TERM is obeyed");
}
