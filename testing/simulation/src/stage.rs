//! Everything outside the daemon, as it truly is.

use std::sync::Arc;

use netify_licensed::core::clock::trust::Evidence;
use netify_licensed::core::state::{Durable, Volatile};
use netify_licensed::core::time::{Millis, Now};

use crate::clock::Clock;
use crate::device::Device;
use crate::hub::Hub;
use crate::license::Doc;
use crate::netifyd::{File, Netifyd};

/// The device's storage.
#[derive(Debug, Default)]
pub struct Disk {
    /// The license file.
    pub file: File,
    /// The kept copy.
    pub kept: File,
    /// The state directory.
    pub durable: Durable,
    /// The runtime directory; gone after a boot.
    pub volatile: Volatile,
    /// Something cannot be written.
    pub full: bool,
    /// While it is full, what still fits.
    pub fits: Fits,
}

/// What a full disk still takes. The runtime directory always does.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Fits {
    /// Nothing.
    #[default]
    Nothing,
    /// The memory, but no license.
    Memory,
    /// Licenses, but not the memory.
    Licenses,
}

impl Disk {
    /// Whether this can be written.
    #[must_use]
    pub fn takes(&self, what: Fits) -> bool {
        !self.full || self.fits == what
    }
}

/// The world without the daemon.
#[derive(Debug)]
#[allow(clippy::struct_excessive_bools, reason = "independent facts")]
pub struct Stage {
    /// The device.
    pub device: Device,
    /// True time, milliseconds since the Unix epoch.
    pub now: Millis,
    /// Its clocks.
    pub clock: Clock,
    /// Its hub.
    pub hub: Hub,
    /// Its netifyd.
    pub netifyd: Netifyd,
    /// Its storage.
    pub disk: Disk,
    /// The machine runs.
    pub powered: bool,
    /// The machine sleeps.
    pub asleep: bool,
    /// The daemon runs.
    pub daemon: bool,
    /// Somebody keeps writing the license file.
    pub fight: bool,
    /// A change of the license file is not noticed yet.
    pub unnoticed: u32,
}

impl Stage {
    /// Both clocks.
    #[must_use]
    pub const fn clocks(&self) -> Now {
        self.clock.now(self.now)
    }

    /// What the machine says about its clock.
    #[must_use]
    pub fn evidence(&self) -> Evidence {
        self.clock.evidence()
    }

    /// The document with these bytes.
    #[must_use]
    pub fn document(&self, bytes: &[u8]) -> Option<Arc<Doc>> {
        let places = [&self.hub.current, &self.disk.file, &self.disk.kept];
        let known = places.into_iter().flatten().chain(self.hub.earlier.iter().rev());
        known.into_iter().find(|doc| doc.bytes == bytes).cloned()
    }
}
