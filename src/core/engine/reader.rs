//! When the license file is read: once whoever writes it has finished, and once however many ask for it.

use super::timers::{Io, Waiting, Why};
use crate::core::time::{BootTime, Millis, SECOND};

/// A changed file is read once it has not changed for this long.
const SETTLE: Millis = SECOND;
/// A file that changes all the time is read after this long anyway.
const SETTLE_AT_MOST: Millis = 5 * SECOND;

/// The reading of the license file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reader {
    /// Nothing changed since it was last read.
    Idle,
    /// It changed, and may change on.
    Settling(Settle),
    /// It is being read. It may have changed meanwhile.
    Asked { changed: Option<Settle> },
}

/// A change of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Settle {
    /// When it is read.
    at: BootTime,
    /// When the first change was noticed.
    first: BootTime,
}

impl Reader {
    pub(super) const fn is_idle(self) -> bool {
        matches!(self, Self::Idle)
    }

    pub(super) const fn is_asked(self) -> bool {
        matches!(self, Self::Asked { .. })
    }

    /// Whether a change waits until the file does not change any more.
    pub(super) const fn is_settling(self) -> bool {
        matches!(self, Self::Settling(_) | Self::Asked { changed: Some(_) })
    }

    /// The file may have changed.
    pub(super) fn changed(&mut self, now: BootTime) {
        let first = self.change().map_or(now, |settle| settle.first);
        let at = BootTime(now.plus(SETTLE).0.min(first.plus(SETTLE_AT_MOST).0));
        self.set_change(Settle { at, first });
    }

    /// What changed lay elsewhere.
    pub(super) fn forget_change(&mut self) {
        *self = if self.is_asked() { Self::Asked { changed: None } } else { Self::Idle };
    }

    /// Whether the file has to be read now: it is not being read already.
    pub(super) fn ask(&mut self) -> bool {
        let asks = !self.is_asked();
        if asks {
            *self = Self::Asked { changed: self.change() };
        }
        asks
    }

    /// It was read.
    pub(super) fn was_read(&mut self) {
        if let Self::Asked { changed } = *self {
            *self = changed.map_or(Self::Idle, Self::Settling);
        }
    }

    /// Whether the file has to be read now, as it does not change any more.
    pub(super) fn on_time(&mut self, now: BootTime) -> bool {
        if self.change().is_none_or(|settle| settle.at > now) {
            return false;
        }
        self.forget_change();
        self.ask()
    }

    pub(super) fn waiting(self) -> Vec<Waiting> {
        let asked = self.is_asked().then_some(Waiting::ForIo(Io::ReadLicense));
        let settles = self.change().map(|settle| Waiting::Until(settle.at, Why::FileSettles));
        asked.into_iter().chain(settles).collect()
    }

    const fn change(self) -> Option<Settle> {
        match self {
            Self::Idle => None,
            Self::Settling(settle) => Some(settle),
            Self::Asked { changed } => changed,
        }
    }

    fn set_change(&mut self, settle: Settle) {
        *self = if self.is_asked() { Self::Asked { changed: Some(settle) } } else { Self::Settling(settle) };
    }
}
