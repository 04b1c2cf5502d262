//! A device's clocks: what they say at a true moment, and what the machine says about them.

use netify_licensed::core::clock::trust::{Evidence, build_date};
use netify_licensed::core::time::{BootTime, DAY, HOUR, MINUTE, Millis, Now, SECOND, WallTime};

use crate::random::Random;

/// Ten years, as a wrong clock jumps.
const TEN_YEARS: Millis = 3_652 * DAY;

/// How a device keeps time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockKind {
    /// Real-time clock and a daemon that sets the kernel's flag.
    Synchronized,
    /// Real-time clock, systemd-timesyncd's marker, a flag that cannot be read.
    Timesync,
    /// No real-time clock: a boot begins at an old time.
    NoRtc,
    /// A healthy gateway that never sets the flag.
    Flagless,
}

/// The clocks.
#[derive(Debug, Clone)]
pub struct Clock {
    kind: ClockKind,
    /// Wall clock minus the truth.
    pub offset: Millis,
    /// The offset of this device on a good day.
    skew: Millis,
    booted_at: Millis,
    /// A time server has been heard.
    pub synchronized: bool,
}

impl Clock {
    /// A clock of a device that boots at the true time `at`.
    #[must_use]
    pub const fn new(kind: ClockKind, skew: Millis, at: Millis) -> Self {
        Self { kind, offset: skew, skew, booted_at: at, synchronized: true }
    }

    /// Both clocks at a true moment.
    #[must_use]
    pub const fn now(&self, at: Millis) -> Now {
        Now { wall: WallTime(at + self.offset), boot: BootTime(at - self.booted_at) }
    }

    /// What the machine says.
    #[must_use]
    pub fn evidence(&self) -> Evidence {
        Evidence {
            kernel_synchronized: match self.kind {
                ClockKind::Synchronized | ClockKind::NoRtc => Some(self.synchronized),
                ClockKind::Timesync => None,
                ClockKind::Flagless => Some(false),
            },
            timesync_marker: self.kind == ClockKind::Timesync && self.synchronized,
            has_rtc: self.kind != ClockKind::NoRtc,
        }
    }

    /// A boot at the true time `at`; the device was switched off at `off`. Returns when a time server answers.
    pub fn boot(&mut self, off: Millis, at: Millis, random: &mut Random) -> Millis {
        self.booted_at = at;
        self.synchronized = false;
        if self.kind == ClockKind::NoRtc {
            // The newest file's time, or the time at which the firmware was made.
            let begins =
                if random.chance(0.7) { off - random.magnitude(MINUTE, 30 * DAY) } else { build_date().0 - 400 * DAY };
            self.offset = begins - at;
        }
        let longest = if random.chance(0.1) { 12 * HOUR } else { 5 * MINUTE };
        at + random.magnitude(10 * SECOND, longest)
    }

    /// A time server answers, or a person sets the clock.
    pub const fn set_right(&mut self) {
        self.offset = self.skew;
        self.synchronized = true;
    }

    /// The clock steps. Returns how long it takes until somebody sets it right.
    pub fn step_wrong(&mut self, at: Millis, random: &mut Random) -> Millis {
        let (offset, lying) = match random.next() % 5 {
            0 => (-at + random.between(0, DAY), false),
            1 => (TEN_YEARS, random.chance(0.3)),
            2 => (-TEN_YEARS / 2, random.chance(0.3)),
            3 => (random.magnitude(10 * MINUTE, 20 * DAY), random.chance(0.3)),
            _ => (-random.magnitude(10 * MINUTE, 20 * DAY), random.chance(0.3)),
        };
        self.offset = offset;
        self.synchronized = lying;
        random.magnitude(5 * MINUTE, 4 * DAY)
    }

    /// Whether the wall clock says what it says on a good day.
    #[must_use]
    pub const fn is_right(&self) -> bool {
        self.offset == self.skew
    }
}
