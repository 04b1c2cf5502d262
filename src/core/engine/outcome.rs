//! How an attempt ended: one value from which its word, its sentence, its exit code and the next try follow.

use super::event::Level;
use crate::core::hub::response::{Trouble, TroubleKind};
use crate::core::state::word::Word;
use crate::core::time::{HOUR, MINUTE, Millis, WallTime, relative};

/// Our own side was not ready: a key or a certificate that is put in its place is found after this.
const LOCAL_AGAIN: Millis = 5 * MINUTE;
/// `nothing-newer` of a license that is not due by the hub's clock.
const UNTRUSTED_AGAIN: Millis = HOUR;
/// A license that was fetched but could not be written is tried again at least this often: it costs a request each time.
const INSTALL_AGAIN: Millis = HOUR;

/// The end of an attempt.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The license of the source is on disk: one sentence.
    Installed(String),
    /// It could not be written: one sentence.
    InstallFailed(String),
    /// What is installed is what the hub has.
    UpToDate,
    /// The source has a license that would take something away; it waits. When it is taken by itself.
    ChangePending { text: String, accept_in: Option<Millis> },
    /// The source has no later license, and none was asked for: one sentence.
    NothingNewer(String),
    /// The hub has no later license, and this one says that none may be asked for: one sentence.
    NotRenewable(String),
    /// A request brought no data.
    Hub(Trouble),
    /// Data came, but no license that may be installed: one sentence.
    CandidateRefused(String),
    /// There is no license for this device: one sentence.
    NotFound(String),
    /// The renewal limit holds for so long.
    RenewalLimit(Millis),
    /// The hub is back after an outage: the renewal waits for its part of the recovery spread, this long.
    Recovering(Millis),
    /// Another license is being written right now.
    Busy,
    /// What would have been done: one sentence.
    DryRun(String),
    /// The license is gone at the hub; what became of its file: one sentence. Whether netifyd is to be told.
    Retired { text: String, level: Level, exit: u8, reloads: bool },
}

/// When an automatic attempt may follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Retry {
    /// Exponential, with what the hub asked for, and at most this.
    Backoff { hub_asked: Option<Millis>, at_most: Option<Millis> },
    /// Exponential, and no step of it longer than this.
    BackoffUpTo(Millis),
    /// The answer will not change soon.
    Slow { hub_asked: Option<Millis> },
    /// After a time that is known.
    After(Millis),
    /// As soon as the renewal limit has a token.
    Token(Millis),
    /// The shortest time between two attempts.
    Shortest,
}

impl Outcome {
    /// In one word.
    pub(super) const fn word(&self) -> Word {
        match self {
            Self::Installed(_) => Word::Installed,
            Self::InstallFailed(_) => Word::InstallFailed,
            Self::UpToDate => Word::UpToDate,
            Self::ChangePending { .. } => Word::ChangePending,
            Self::NothingNewer(_) | Self::NotRenewable(_) => Word::NothingNewer,
            Self::Hub(trouble) => match trouble.kind {
                TroubleKind::Outage => Word::Outage,
                TroubleKind::Refusal => Word::Refused,
                TroubleKind::RateLimited => Word::RateLimited,
                TroubleKind::Local => Word::NotReady,
            },
            Self::CandidateRefused(_) => Word::CandidateRefused,
            Self::NotFound(_) => Word::NotFound,
            Self::RenewalLimit(_) => Word::Floor,
            Self::Recovering(_) => Word::Recovering,
            Self::Busy => Word::Busy,
            Self::DryRun(_) => Word::DryRun,
            // It is not recorded: nothing was to be got.
            Self::Retired { .. } => Word::Unknown,
        }
    }

    /// In one sentence, where it is not a plain success.
    pub(super) fn sentence(&self, now: WallTime) -> Option<String> {
        match self {
            Self::Hub(trouble) => Some(trouble.sentence()),
            Self::InstallFailed(reason)
            | Self::CandidateRefused(reason)
            | Self::NotFound(reason)
            | Self::NothingNewer(reason)
            | Self::NotRenewable(reason)
            | Self::ChangePending { text: reason, .. } => Some(reason.clone()),
            Self::RenewalLimit(wait) => {
                let at = now.plus(*wait);
                Some(format!("too many renewals in a row; the next one may go {} ({at})", relative(at, now)))
            }
            Self::Busy => {
                let text = "another license is being installed right now; the hub's is fetched again in a moment";
                Some(text.to_owned())
            }
            Self::Installed(_) | Self::UpToDate | Self::Recovering(_) | Self::DryRun(_) | Self::Retired { .. } => None,
        }
    }

    /// Whether it counts as a failure.
    pub(super) const fn failed(&self) -> bool {
        matches!(self, Self::Hub(_) | Self::CandidateRefused(_) | Self::NotFound(_) | Self::InstallFailed(_))
    }

    /// HTTP status of the deciding response.
    pub(super) const fn http_status(&self) -> Option<u16> {
        match self {
            Self::Installed(_) => Some(200),
            Self::Hub(trouble) => trouble.http_status,
            _ => None,
        }
    }

    /// Exit code of a command that asked for it. `due` tells whether the license is due.
    pub(super) fn exit_code(&self, due: bool) -> u8 {
        match self {
            Self::Hub(trouble) => trouble.exit_code(),
            Self::CandidateRefused(_) => 3,
            Self::NotFound(_)
            | Self::RenewalLimit(_)
            | Self::Busy
            | Self::InstallFailed(_)
            | Self::ChangePending { .. } => 1,
            Self::NothingNewer(_) | Self::NotRenewable(_) => u8::from(due),
            Self::Installed(_) | Self::UpToDate | Self::Recovering(_) | Self::DryRun(_) => 0,
            Self::Retired { exit, .. } => *exit,
        }
    }

    /// When to try again. `doubt` tells whether the clock cannot be believed.
    pub(super) fn retry(&self, doubt: bool) -> Retry {
        let patient = Retry::Backoff { hub_asked: None, at_most: None };
        match self {
            // Nothing was sent, so no hub is spared by a longer wait.
            Self::Hub(trouble) if trouble.kind == TroubleKind::Local => {
                Retry::Backoff { hub_asked: None, at_most: Some(LOCAL_AGAIN) }
            }
            Self::Hub(trouble) if trouble.kind == TroubleKind::Refusal => {
                Retry::Slow { hub_asked: trouble.retry_after }
            }
            Self::Hub(trouble) => Retry::Backoff { hub_asked: trouble.retry_after, at_most: None },
            Self::CandidateRefused(_) => Retry::Slow { hub_asked: None },
            Self::NothingNewer(_) | Self::NotRenewable(_) if doubt => {
                Retry::Backoff { hub_asked: None, at_most: Some(UNTRUSTED_AGAIN) }
            }
            Self::NotFound(_) | Self::NothingNewer(_) | Self::NotRenewable(_) => patient,
            // The attempt that takes it comes when its time has come.
            Self::ChangePending { accept_in, .. } => Retry::Backoff { hub_asked: None, at_most: *accept_in },
            Self::InstallFailed(_) => Retry::BackoffUpTo(INSTALL_AGAIN),
            Self::RenewalLimit(wait) => Retry::Token(*wait),
            Self::Recovering(wait) => Retry::After(*wait),
            Self::Installed(_) | Self::Busy | Self::UpToDate | Self::DryRun(_) | Self::Retired { .. } => {
                Retry::Shortest
            }
        }
    }
}
