//! netifyd's process: found anew each time, held by a pidfd so that a recycled PID is never hit.

use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::core::config::Reload;
use crate::edge::file::open;
use crate::edge::reason;

/// Longest PID file in bytes.
const LONGEST: usize = 4_096;

/// A running netifyd.
#[derive(Debug)]
pub(super) struct Netifyd {
    pid: i32,
    handle: OwnedFd,
}

/// Why the PID file leads to no netifyd: one clause.
#[derive(Debug)]
pub(super) enum NotFound {
    /// There is no such file, or nobody has its number any more: so it looks when netifyd does not run.
    Gone(String),
    /// It is not what netifyd leaves there, or cannot be looked at: whether netifyd runs is not known.
    Misled(String),
}

impl Netifyd {
    /// From the PID file; only a process whose executable is netifyd counts.
    pub(super) fn find(settings: &Reload) -> Result<Self, NotFound> {
        let path = settings.pid_file.as_path();
        let about = |why: &str| format!("{}: {why}", path.display());
        let bytes = open::read(path, LONGEST).map_err(|error| match error.kind() {
            ErrorKind::NotFound => NotFound::Gone(about(&reason(&error))),
            _ => NotFound::Misled(about(&reason(&error))),
        })?;
        let pid = String::from_utf8_lossy(&bytes).trim().parse::<i32>().ok().filter(|pid| *pid > 1);
        let pid = pid.ok_or_else(|| NotFound::Misled(about("no process id in it")))?;
        let gone = || NotFound::Gone(about(&format!("process {pid} does not run")));
        let misled = |what: &str| NotFound::Misled(about(&format!("process {pid}{what}")));
        let found = Self::of_manager(pid).map_err(|error| match error {
            Errno::SRCH => gone(),
            // The kernel or a sandbox does not let us hold it.
            _ => misled(&format!(": {}", reason(&error.into()))),
        })?;
        match found.executable() {
            Some(name) if is_netifyd(&name, settings) => Ok(found),
            Some(name) => Err(misled(&format!(" is {name}, not netifyd"))),
            None if found.has_ended() => Err(gone()),
            // Our sandbox may hide other users' processes.
            None => Err(misled(" is hidden from us")),
        }
    }

    /// A process by its id, if it is netifyd. The handle is taken before the check, so both mean the same process.
    pub(super) fn open(pid: i32, settings: &Reload) -> Option<Self> {
        let found = Self::of_manager(pid).ok()?;
        found.executable().is_some_and(|name| is_netifyd(&name, settings)).then_some(found)
    }

    /// A process that the service manager vouches for. Our sandbox may hide it from /proc.
    pub(super) fn of_manager(pid: i32) -> Result<Self, Errno> {
        let handle = pidfd_open(Pid::from_raw(pid).ok_or(Errno::SRCH)?, PidfdFlags::empty())?;
        Ok(Self { pid, handle })
    }

    fn executable(&self) -> Option<String> {
        executable(self.pid)
    }

    pub(super) const fn pid(&self) -> i32 {
        self.pid
    }

    pub(super) fn hang_up(&self) -> Result<(), String> {
        pidfd_send_signal(&self.handle, Signal::HUP)
            .map_err(|error| format!("SIGHUP to netifyd (process {}): {}", self.pid, reason(&error.into())))
    }

    /// Whether it is gone by now.
    pub(super) fn has_ended(&self) -> bool {
        let mut waiting = [PollFd::new(&self.handle, PollFlags::IN)];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut waiting, Some(&now)).is_ok_and(|ready| ready > 0)
    }

    /// Whether the process ends within this time.
    pub(super) async fn ends_within(&self, time: Duration) -> bool {
        let Ok(handle) = self.handle.try_clone() else { return false };
        let Ok(watched) = crate::edge::readable(handle) else { return false };
        tokio::time::timeout(time, watched.readable()).await.is_ok()
    }
}

fn is_netifyd(executable: &str, settings: &Reload) -> bool {
    executable == "netifyd" || executable == settings.service
}

/// Basename of `/proc/PID/exe`; the kernel's short name where that link may not be read.
fn executable(pid: i32) -> Option<String> {
    let link = std::fs::read_link(Path::new("/proc").join(pid.to_string()).join("exe"));
    match link {
        Ok(path) => {
            let name = path.file_name()?.to_string_lossy().into_owned();
            // A package upgrade replaced the file under the running process.
            Some(name.trim_end_matches(" (deleted)").to_owned())
        }
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            let comm = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
            Some(comm.trim().to_owned())
        }
        Err(_) => None,
    }
}
