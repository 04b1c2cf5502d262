//! The clocks, sampled together. The only `now()` of the program is here.

use std::cell::Cell;
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::io::Errno;
use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime, timerfd_create,
    timerfd_settime,
};
use tokio::io::unix::AsyncFd;

use crate::core::clock::trust::Evidence;
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

/// The other way round, for moments and distances that are not before zero.
fn timespec(millis: Millis) -> Timespec {
    #[allow(clippy::useless_conversion, reason = "the nanoseconds are narrower on 32-bit targets")]
    let tv_nsec = (millis % 1_000 * 1_000_000).try_into().unwrap_or(0);
    Timespec { tv_sec: millis / 1_000, tv_nsec }
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

/// Whole seconds of `CLOCK_MONOTONIC`, which stands still while the machine is suspended.
#[must_use]
pub fn monotonic_seconds() -> i64 {
    clock_gettime(ClockId::Monotonic).tv_sec
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
        let once = Itimerspec { it_interval: timespec(0), it_value: timespec(at) };
        let flags = TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET;
        timerfd_settime(self.timer.get_ref(), flags, &once).map(drop)
    }

    /// Waits until it goes off or the clock is set.
    pub async fn wait(&self) -> io::Result<()> {
        gone_off(&self.timer).await
    }
}

/// Beats at equal distances. A timer of the kernel, because the event loop's own wheel of timers wakes up several times
/// on the way to a moment that is a minute ahead.
#[derive(Debug)]
pub struct Heartbeat {
    timer: AsyncFd<OwnedFd>,
    interval: Cell<Duration>,
}

impl Heartbeat {
    /// Begins to beat, first after one `interval`. Suspend counts.
    pub fn every(interval: Duration) -> io::Result<Self> {
        let timer = timerfd_create(TimerfdClockId::Boottime, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        let this = Self { timer: super::readable(timer)?, interval: Cell::new(Duration::ZERO) };
        this.pace(interval)?;
        Ok(this)
    }

    /// Beats at another distance, from now on.
    pub fn pace(&self, interval: Duration) -> io::Result<()> {
        if self.interval.replace(interval) == interval {
            return Ok(());
        }
        let interval = Millis::try_from(interval.as_millis()).unwrap_or(Millis::MAX);
        let beats = Itimerspec { it_interval: timespec(interval), it_value: timespec(interval) };
        timerfd_settime(self.timer.get_ref(), TimerfdTimerFlags::empty(), &beats)?;
        Ok(())
    }

    /// Waits for the next beat. Those that were missed count as one.
    pub async fn beat(&self) -> io::Result<()> {
        gone_off(&self.timer).await
    }
}

/// Waits for a timer to expire, or for the clock that it follows to be set.
async fn gone_off(timer: &AsyncFd<OwnedFd>) -> io::Result<()> {
    loop {
        let mut ready = timer.readable().await?;
        let mut count = [0_u8; 8];
        match ready.try_io(|timer| rustix::io::read(timer.get_ref(), &mut count).map_err(io::Error::from)) {
            Ok(Ok(_)) => return Ok(()),
            // ECANCELED: the clock was set (timerfd_create(2)).
            Ok(Err(error)) if error.raw_os_error() == Some(Errno::CANCELED.raw_os_error()) => return Ok(()),
            Ok(Err(error)) => return Err(error),
            Err(_would_block) => {}
        }
    }
}
