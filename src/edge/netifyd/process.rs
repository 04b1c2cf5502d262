//! netifyd's process: found anew each time, held by a pidfd so that a recycled PID is never hit.

use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use rustix::time::{ClockId, clock_gettime};

use crate::core::config::Reload;
use crate::edge::file::open;
use crate::edge::reason;

/// Longest PID file in bytes.
const LONGEST: usize = 4_096;
/// netifyd truncates its PID file and then writes it: how often, and after which time, an empty one is read again.
const EMPTY: (u32, Duration) = (10, Duration::from_millis(100));
/// Bit of SIGHUP in the masks of proc(5).
const HUP: u64 = 1;

/// A running netifyd.
#[derive(Debug)]
pub(super) struct Netifyd {
    pid: i32,
    handle: OwnedFd,
}

/// Why the PID file leads to no netifyd: one clause.
#[derive(Debug)]
pub(super) enum NotFound {
    /// There is no such file, or no process has its number any more: so it looks when netifyd does not run.
    Gone(String),
    /// Nothing stands in it: netifyd is about to write it.
    Empty(String),
    /// It is not what netifyd leaves there, or cannot be looked at: whether netifyd runs is not known.
    Misled(String),
}

/// What proc(5) tells of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sign {
    /// SIGSTOP or a debugger holds it.
    pub(super) is_stopped: bool,
    /// A SIGHUP was sent and not taken yet.
    pub(super) has_hup_pending: bool,
    /// Its effective user.
    uid: u32,
}

impl Netifyd {
    /// From the PID file; what netifyd is about to write there is waited for.
    pub(super) async fn locate(settings: &Reload) -> Result<Self, NotFound> {
        for _ in 0..EMPTY.0 {
            match Self::find(settings) {
                Err(NotFound::Empty(_)) => tokio::time::sleep(EMPTY.1).await,
                found => return found,
            }
        }
        Self::find(settings).map_err(|error| match error {
            NotFound::Empty(why) => NotFound::Misled(why),
            other => other,
        })
    }

    /// From the PID file; only a process whose executable is netifyd, and whose user may run it, counts.
    pub(super) fn find(settings: &Reload) -> Result<Self, NotFound> {
        let path = settings.pid_file.as_path();
        let about = |why: &str| format!("{}: {why}", path.display());
        let bytes = open::read(path, LONGEST).map_err(|error| match error.kind() {
            ErrorKind::NotFound => NotFound::Gone(about(&reason(&error))),
            _ => NotFound::Misled(about(&reason(&error))),
        })?;
        let pid = String::from_utf8_lossy(&bytes).trim().parse::<i32>().ok().filter(|pid| *pid > 1);
        let no_pid = || about("no process id in it");
        if bytes.is_empty() {
            return Err(NotFound::Empty(no_pid()));
        }
        let pid = pid.ok_or_else(|| NotFound::Misled(no_pid()))?;
        let gone = || NotFound::Gone(about(&format!("process {pid} does not run")));
        let misled = |what: &str| NotFound::Misled(about(&format!("process {pid}{what}")));
        let found = Self::of_manager(pid).map_err(|error| match error {
            Errno::SRCH => gone(),
            // The kernel or a sandbox does not let us hold it.
            _ => misled(&format!(": {}", reason(&error.into()))),
        })?;
        match found.executable() {
            Some(name) if is_netifyd(&name, settings) => match found.sign() {
                Some(sign) if !may_be_netifyd(sign.uid, settings) => Err(misled(&format!(
                    " belongs to user {}, neither to root nor to the owner of the PID file",
                    sign.uid
                ))),
                _ => Ok(found),
            },
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

    /// What can be seen of it; [`None`] where the sandbox hides it.
    pub(super) fn sign(&self) -> Option<Sign> {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
        let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(":\t"));
        Some(Sign {
            is_stopped: value("State").is_some_and(|state| state.starts_with(['T', 't'])),
            has_hup_pending: value("ShdPnd")
                .and_then(|mask| u64::from_str_radix(mask, 16).ok())
                .is_some_and(|mask| mask & HUP != 0),
            // Real, effective, saved. The owner of the directory in /proc is root for a process that is not dumpable.
            uid: value("Uid")?.split('\t').nth(1)?.parse().ok()?,
        })
    }

    /// How long it runs; [`None`] where the sandbox hides it.
    pub(super) fn age(&self) -> Option<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid)).ok()?;
        // The name in parentheses may hold anything; the start is field 22, in ticks of a hundredth of a second.
        let ticks: u64 = stat.rsplit_once(") ")?.1.split(' ').nth(19)?.parse().ok()?;
        let now = Duration::try_from(clock_gettime(ClockId::Boottime)).ok()?;
        Some(now.saturating_sub(Duration::from_millis(ticks.saturating_mul(10))))
    }

    /// Whether it is gone by now.
    pub(super) fn has_ended(&self) -> bool {
        let mut waiting = [PollFd::new(&self.handle, PollFlags::IN)];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut waiting, Some(&now)).is_ok_and(|ready| ready > 0)
    }

    /// Whether the process ends within this time.
    pub(super) async fn ends_within(&self, time: Duration) -> bool {
        tokio::time::timeout(time, self.ends()).await.is_ok()
    }

    /// Waits for its end.
    pub(super) async fn ends(&self) {
        let watched = self.handle.try_clone().and_then(crate::edge::readable);
        match watched {
            Ok(watched) => drop(watched.readable().await),
            // No descriptor is left to wait with.
            Err(_) => std::future::pending().await,
        }
    }
}

/// Whether a process or socket of this user may be netifyd: root's, our own, or of the owner of the PID file or of its
/// directory. netifyd writes that file as root and then becomes the user whose directory this is.
pub(super) fn may_be_netifyd(uid: u32, settings: &Reload) -> bool {
    let path = settings.pid_file.as_path();
    let owner = |path: &Path| std::fs::symlink_metadata(path).ok().map(|meta| meta.uid());
    uid == 0
        || uid == rustix::process::geteuid().as_raw()
        || owner(path) == Some(uid)
        || path.parent().and_then(owner) == Some(uid)
}

/// By prefix, as netifyd itself recognizes another netifyd: a program `netifyd-5.2` is one.
fn is_netifyd(executable: &str, settings: &Reload) -> bool {
    let service = settings.service.trim_end_matches(".service");
    executable.starts_with("netifyd") || executable.starts_with(service)
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
