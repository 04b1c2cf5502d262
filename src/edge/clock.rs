//! The clocks, sampled together. The only `now()` of the program is here.

use std::io;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime, timerfd_create,
    timerfd_settime,
};
use tokio::io::unix::AsyncFd;

use crate::core::clock_trust::Evidence;
use crate::core::engine::Moment;
use crate::core::time::{BootTime, Millis, Now, WallTime};

/// Left by a time service that has set the clock: systemd-timesyncd, and `OpenWrt`'s NTP client through
/// packaging/openwrt/netify-licensed.hotplug. Both are in memory and gone after a reboot.
const MARKERS: [&str; 2] = ["/run/systemd/timesync/synchronized", "/var/run/netify-licensed/clock-synchronized"];

/// Reads everything that a step of the engine wants to know about the time.
#[must_use]
pub fn moment() -> Moment {
    Moment { now: now(), evidence: evidence(), random: random() }
}

/// Both clocks.
#[must_use]
pub fn now() -> Now {
    Now {
        wall: WallTime(millis(clock_gettime(ClockId::Realtime))),
        boot: BootTime(millis(clock_gettime(ClockId::Boottime))),
    }
}

fn millis(time: Timespec) -> Millis {
    #[allow(clippy::useless_conversion, reason = "the nanoseconds are narrower on 32-bit targets")]
    let nanos = i64::from(time.tv_nsec);
    time.tv_sec.saturating_mul(1_000).saturating_add(nanos / 1_000_000)
}

fn evidence() -> Evidence {
    let exists = |path: &str| std::fs::metadata(path).is_ok();
    Evidence {
        kernel_synchronized: kernel_synchronized(),
        timesync_marker: MARKERS.into_iter().any(exists),
        has_rtc: exists("/sys/class/rtc/rtc0"),
    }
}

#[cfg(target_pointer_width = "64")]
fn kernel_synchronized() -> Option<bool> {
    /// The status word of adjtimex(2) that means "not synchronized".
    const TIME_ERROR: i32 = 5;
    let mut query = rtime_clock::adjtime::Timex::new();
    rtime_clock::adjtime::adjtimex(&mut query).ok().map(|state| state != TIME_ERROR)
}

/// There is no safe binding of adjtimex(2) for 32-bit targets: the markers of time services decide there.
#[cfg(not(target_pointer_width = "64"))]
fn kernel_synchronized() -> Option<bool> {
    None
}

/// Uniform in `0.0..1.0`, from the kernel.
fn random() -> f64 {
    let mut bytes = [0_u8; 4];
    match rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty()) {
        Ok(_) => f64::from(u32::from_ne_bytes(bytes)) / (f64::from(u32::MAX) + 1.0),
        // A kernel without random numbers: the clock's last digits spread well enough.
        Err(_) => f64::from(u32::try_from(clock_gettime(ClockId::Monotonic).tv_nsec).unwrap_or(0)) / 1e9,
    }
}

/// This boot's id, from the kernel.
#[must_use]
pub fn boot_id() -> String {
    // The service's sandbox hides the kernel's file; systemd writes the same id without dashes.
    let given = std::env::var("NETIFY_LICENSED_BOOT_ID").ok();
    let id = given.or_else(|| std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()).unwrap_or_default();
    id.trim().replace('-', "")
}

/// An alarm on the wall clock: goes on during suspend, and goes off at once when the clock is set.
#[derive(Debug)]
pub struct Alarm {
    timer: AsyncFd<OwnedFd>,
}

impl Alarm {
    /// Creates the alarm, disarmed.
    pub fn new() -> io::Result<Self> {
        let timer = timerfd_create(TimerfdClockId::Realtime, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        Ok(Self { timer: super::readable(timer)? })
    }

    /// Arms it for `after` milliseconds from `now`.
    pub fn set(&self, now: WallTime, after: Millis) -> io::Result<()> {
        match self.arm(now.plus(after.max(1)).0.max(1)) {
            // The clock was set just now, and nobody will be told again: the timer goes off at once instead.
            Err(Errno::CANCELED) => match self.arm(1) {
                Ok(()) | Err(Errno::CANCELED) => Ok(()),
                Err(error) => Err(error.into()),
            },
            other => Ok(other?),
        }
    }

    /// It is armed even where the kernel answers ECANCELED, which says that the clock was set.
    fn arm(&self, at: Millis) -> Result<(), Errno> {
        #[allow(clippy::useless_conversion, reason = "the nanoseconds are narrower on 32-bit targets")]
        let tv_nsec = (at % 1_000 * 1_000_000).try_into().unwrap_or(0);
        let it_value = Timespec { tv_sec: at / 1_000, tv_nsec };
        let never = Timespec { tv_sec: 0, tv_nsec: 0 };
        let flags = TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET;
        timerfd_settime(self.timer.get_ref(), flags, &Itimerspec { it_interval: never, it_value }).map(drop)
    }

    /// Waits until it goes off or the clock is set.
    pub async fn wait(&self) -> io::Result<()> {
        loop {
            let mut ready = self.timer.readable().await?;
            let mut count = [0_u8; 8];
            match ready.try_io(|timer| rustix::io::read(timer.get_ref(), &mut count).map_err(io::Error::from)) {
                Ok(Ok(_)) => return Ok(()),
                // ECANCELED: the clock was set (timerfd_create(2)).
                Ok(Err(error)) if error.raw_os_error() == Some(Errno::CANCELED.raw_os_error()) => {
                    return Ok(());
                }
                Ok(Err(error)) => return Err(error),
                Err(_would_block) => {}
            }
        }
    }
}
