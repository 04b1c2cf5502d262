//! What happens in a device's world, and how often.

use netify_licensed::core::engine::Event;
use netify_licensed::core::time::{DAY, HOUR, MINUTE, Millis, SECOND};

use crate::device::Device;
use crate::random::Random;

/// Something that happens at its time.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "most of them are events, and few wait at a time")]
pub enum Happening {
    /// An answer to an action of this incarnation of the daemon.
    Deliver(u32, Event),
    /// The daemon is started.
    DaemonStarts,
    /// netifyd is started, by boot or by its supervisor.
    NetifydStarts,
    /// The machine comes up.
    Boots,
    /// A time server answers.
    TimeIsSet,
    /// A passing fault of this number ends.
    FaultEnds(Fault, u32),
    /// A fault begins.
    Fault(Fault),
    /// The watcher or the poll notices a change of the license file.
    FileNoticed,
    /// A second write of somebody else.
    Written(Write),
    /// The machine wakes up.
    Wakes,
    /// The hub itself makes a later version.
    HubIssues,
}

/// What somebody else writes to the license file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    /// The file is deleted.
    Delete,
    /// Half of the current license.
    Torn,
    /// An earlier version.
    Older,
    /// The latest version of the hub, fetched by hand.
    Newer,
    /// Somebody else's license.
    Foreign,
    /// What lay there before.
    Restore,
}

/// Faults, each with its own clockwork.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The hub.
    Hub,
    /// netifyd's reload.
    Reload,
    /// netifyd dies by itself.
    NetifydDies,
    /// The daemon is stopped and started.
    Restart,
    /// The machine is rebooted.
    Reboot,
    /// The machine is switched off for long.
    PowerOff,
    /// The machine sleeps.
    Suspend,
    /// The clock steps.
    Clock,
    /// The disk is full.
    Disk,
    /// Somebody edits the license file.
    Edit,
    /// Somebody edits it again and again.
    Fight,
    /// A person asks the daemon for something.
    Person,
    /// The hub's operator renews the license.
    Operator,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Hub,
        Self::Reload,
        Self::NetifydDies,
        Self::Restart,
        Self::Reboot,
        Self::PowerOff,
        Self::Suspend,
        Self::Clock,
        Self::Disk,
        Self::Edit,
        Self::Fight,
        Self::Person,
        Self::Operator,
    ];

    /// Time to the next one.
    pub fn interval(self, device: &Device, random: &mut Random) -> Millis {
        let mean = match self {
            Self::Hub => 20 * DAY,
            Self::Reload | Self::Edit | Self::Person | Self::Suspend => 60 * DAY,
            Self::Restart | Self::NetifydDies => 30 * DAY,
            Self::Reboot => return random.interval(device.reboots),
            Self::PowerOff => 400 * DAY,
            Self::Clock => 120 * DAY,
            Self::Disk | Self::Operator => 100 * DAY,
            Self::Fight => 700 * DAY,
        };
        random.interval(mean * device.luck)
    }
}

/// What somebody writes, and what follows after how long.
pub fn edit(random: &mut Random) -> (Write, Option<(Write, Millis)>) {
    let first = random.pick(&[Write::Delete, Write::Torn, Write::Older, Write::Newer, Write::Newer, Write::Foreign]);
    let second = match random.next() % 4 {
        0 => Some((Write::Restore, random.magnitude(100, 10 * MINUTE))),
        1 => Some((Write::Newer, random.magnitude(100, 2 * HOUR))),
        _ => None,
    };
    (first, second)
}

/// How long until a change of the file is noticed: by the watcher at once, by the poll within a minute.
pub fn notice(random: &mut Random) -> Millis {
    if random.chance(0.8) { random.between(1, 50) } else { random.between(SECOND, MINUTE) }
}
