//! What goes into the engine and what comes out of it.

use serde::{Deserialize, Serialize};

use super::role::ActiveFile;
use super::timers::Why;
use crate::core::clock::trust::Evidence;
use crate::core::config::Config;
use crate::core::device::duid::Judged;
use crate::core::hub::response::{RawAnswer, TransportError};
use crate::core::license::document::Serial;
use crate::core::license::keys::KeyRing;
use crate::core::license::verify::Authentic;
use crate::core::netifyd::NetifydStatus;
use crate::core::state::{Durable, Volatile};
use crate::core::time::{Millis, Now, WallTime};

/// The circumstances of a step: sampled by the edge, judged by the engine.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// Both clocks.
    pub now: Now,
    /// What the machine says about its clock.
    pub evidence: Evidence,
    /// Uniform random number in `0.0..1.0`.
    pub random: f64,
}

/// What lies in the state directory. Each may fail alone: on a nearly full disk the smaller one still fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateFile {
    /// The copy of the best license, [`Action::Keep`].
    Kept,
    /// What is remembered, [`Action::SaveDurable`].
    Memory,
}

/// Identifies something slow that was begun: its event brings it back, and an event that is not waited for is dropped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct IoId(pub u64);

/// Identifies a request of the control socket or the command line.
pub type RequestId = u64;

/// Something that happened.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one event exists at a time, and it is moved twice")]
pub enum Event {
    /// The license file may have changed: a watcher, a poll, a signal.
    FileChanged,
    /// The license file was read.
    File(FileContent),
    /// The device id was looked up.
    Device(Vec<Judged>),
    /// A hub request ended.
    Answer(IoId, Result<RawAnswer, TransportError>),
    /// [`Action::Install`] ended.
    Installed(Result<(), String>),
    /// [`Action::ProbeLicense`] ended.
    Probed(Room),
    /// [`Action::Remove`] ended.
    Removed(Result<(), String>),
    /// [`Action::Reload`] ended.
    Reloaded(ReloadReport),
    /// netifyd ended a while after its reload was confirmed: it died, or was started again.
    EndedLater(ReloadReport),
    /// [`Action::LookAtNetifyd`] ended.
    Netifyd(NetifydStatus),
    /// A file of the state directory was written, or was not.
    Wrote(StateFile, Result<(), String>),
    /// Somebody asks for something.
    Request(RequestId, Request),
    /// The client of a request does not wait for its reply any more.
    RequesterLeft(RequestId),
    /// New configuration and keys, already checked.
    Configured(Box<Config>, KeyRing),
    /// A deadline passed, or the clock was set.
    Tick,
    /// The file that makes this node the active one was looked at.
    ActiveFile(ActiveFile),
    /// A minute passed: look for what announces itself in no other way.
    Poll,
}

/// What the license file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileContent {
    /// There is no file.
    Missing,
    /// It cannot be read: one sentence.
    Unreadable(String),
    /// Its bytes; at most one more than a license may have.
    Bytes(Vec<u8>),
}

/// Whether the file system takes a license, as far as that can be seen without a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Room {
    /// Nothing speaks against it.
    Free,
    /// It is read-only or full: one sentence.
    Blocked(String),
    /// Another service writes it, and only a write can tell.
    Unknown,
}

/// A request of a person or program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Renew now, or only when due.
    Renew {
        /// Do nothing while the license is not due.
        if_due: bool,
        /// Ask the hub, change nothing.
        dry_run: bool,
        /// Take a changed license too.
        accept_changes: bool,
    },
    /// Install these bytes.
    Install {
        /// A license document.
        bytes: Vec<u8>,
        /// Allow an older or different serial.
        force: bool,
    },
    /// Create a license for this device, unless the hub has one.
    Provision,
    /// Give the license back.
    Retire {
        /// Leave the file in place.
        keep_file: bool,
    },
    /// Look at the license file again.
    Reread,
    /// Choose this device's id anew.
    Repin,
}

/// The answer to a [`Request`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Exit code of the command.
    pub exit: u8,
    /// One or two sentences.
    pub message: String,
}

/// A request to the hub or relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HubRequest {
    /// All licenses of the key.
    List,
    /// One license, in netifyd format.
    View(Serial),
    /// Extend one.
    Renew {
        /// Which.
        serial: Serial,
        /// Days to ask for; the hub decides otherwise.
        term_days: Option<u16>,
    },
    /// Create one for this device from `[provision]`.
    Create {
        /// The device it is bound to.
        duid: String,
    },
    /// Delete one.
    Delete(Serial),
    /// GET of the relay's URL.
    Relay,
}

/// How a reload ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadReport {
    /// What was used, such as `systemd`.
    pub method: String,
    /// The outcome.
    pub outcome: ReloadOutcome,
    /// What confirms it; [`None`] where only the word of `reload.command` does, and for other outcomes.
    pub evidence: Option<ReloadEvidence>,
    /// Process id of the netifyd that was asked, where it is known.
    pub process: Option<i32>,
}

impl ReloadReport {
    /// Without evidence.
    #[must_use]
    pub fn new(method: &str, outcome: ReloadOutcome) -> Self {
        Self { method: method.to_owned(), outcome, evidence: None, process: None }
    }
}

/// What proves that netifyd took a reload; only the first proves that the reload is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReloadEvidence {
    /// Its control socket answered after the reload.
    Answered,
    /// The service manager's job succeeded, and netifyd is active three seconds later.
    Job,
    /// The signal was taken, and netifyd runs three seconds later.
    Taken,
    /// netifyd runs three seconds later; more cannot be seen.
    Alive,
}

impl ReloadEvidence {
    /// Its name.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Job => "job",
            Self::Taken => "taken",
            Self::Alive => "alive",
        }
    }

    /// What it proves: one clause.
    #[must_use]
    pub const fn clause(self) -> &'static str {
        match self {
            Self::Answered => "its control socket answered after the reload",
            Self::Job => "the service manager's job succeeded and it was active 3 s later",
            Self::Taken => "it took the signal and ran 3 s later",
            Self::Alive => "it ran 3 s later; more cannot be seen",
        }
    }
}

/// See [`ReloadReport`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReloadOutcome {
    /// The process that was asked is alive and well, as far as [`ReloadEvidence`] tells.
    Confirmed,
    /// It died and its supervisor brought it back: one sentence.
    Restarted(String),
    /// There is no netifyd to reload: one sentence.
    NotRunning(String),
    /// It ended on the reload and stays away: one clause.
    Died(String),
    /// It was asked and has not answered in time: one sentence. It is not asked again for the same license.
    StillRunning(String),
    /// Asked in vain, or not confirmed: one sentence.
    Failed(String),
    /// Not asked, as nobody knows whether it runs: one sentence.
    NotAsked(String),
    /// `reload.method = "none"`.
    Disabled,
}

/// How important a note is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Somebody must act.
    Error,
    /// Somebody should look.
    Warn,
    /// Something changed.
    Info,
    /// Everything else.
    Debug,
}

/// Something to do, in order.
#[derive(Debug)]
pub enum Action {
    /// Read the license file; answer with [`Event::File`].
    ReadLicense,
    /// Look up the device id; answer with [`Event::Device`].
    ReadDevice,
    /// Send a request; answer with [`Event::Answer`] and its id. Only one is waited for at a time: a response to an
    /// earlier one is dropped.
    Ask(IoId, HubRequest),
    /// The next request begins an attempt at another source: it shares no connection with those before.
    CloseSession,
    /// Replace the license file; answer with [`Event::Installed`].
    Install {
        /// What to write.
        license: Box<Authentic>,
        /// Modification time to give; now, otherwise. A file dated in the future poisons the next boot's clock where
        /// there is no real-time clock.
        modified: Option<WallTime>,
    },
    /// Look whether a license can be written, without writing; answer with [`Event::Probed`].
    ProbeLicense {
        /// How long the license is.
        bytes: usize,
    },
    /// Keep a copy in the state directory.
    Keep(Box<Authentic>),
    /// Remove the license file and the kept copy; answer with [`Event::Removed`].
    Remove {
        /// Leave the license file itself in place.
        keep_file: bool,
    },
    /// Have netifyd reload; answer with [`Event::Reloaded`].
    Reload {
        /// Serial for the environment of a command.
        serial: Option<String>,
        /// netifyd was asked for this license already, and has not answered: it is waited for, and asked no more.
        is_asked: bool,
    },
    /// Look whether netifyd runs and what it says of itself; answer with [`Event::Netifyd`].
    LookAtNetifyd,
    /// Write the state directory, durably.
    SaveDurable(Box<Durable>),
    /// Write the runtime directory.
    SaveVolatile(Box<Volatile>),
    /// Publish the status: [`Engine::status`](super::Engine::status) has changed.
    Publish,
    /// The state changed: run the hook.
    Hook,
    /// Answer a request.
    Reply(RequestId, Reply),
    /// Log.
    Note(Level, String),
}

/// The next moment at which the engine wants to be stepped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deadline {
    /// Milliseconds from now; at least 1.
    pub after: Millis,
    /// Why.
    pub why: Why,
}
