//! Whether a candidate may replace what is installed. Promise 1 lives here.

pub mod pending;
pub mod verdict;

use std::fmt;

use super::time::{DAY, WallTime, relative};
use crate::core::license::document::{Entitlement, License};
use crate::core::license::verify::{Authentic, State};
use crate::core::text::{list, one_line};

/// What a candidate is held against.
#[derive(Debug, Clone, Copy)]
pub struct Standing<'a> {
    /// The installed license, if it is authentic.
    pub installed: Option<&'a Authentic>,
    /// The serial that was asked for; without one, the installed license's.
    pub serial: Option<&'a str>,
    /// The time, or `None` while the clock cannot be believed.
    pub now: Option<WallTime>,
    /// `install --force`: relaxes age and serial, nothing else.
    pub force: bool,
}

/// A candidate that may be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Acceptance {
    /// Replace the installed license; the entitlements that are lost by it are to be reported loudly.
    Install {
        /// Names of entitlements that the installed license has and the new one lacks.
        lost: Vec<String>,
    },
    /// Byte for byte what is installed: nothing to write, nothing to reload.
    Same,
}

/// Why a candidate may not be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Another license than the one asked for.
    OtherSerial { wanted: String, got: String },
    /// It is past its end.
    Expired { at: WallTime, now: WallTime },
    /// Its issue date lies in the future.
    NotYetValid { from: WallTime, now: WallTime },
    /// It does not end later than the installed one.
    NotLater { installed: WallTime, candidate: WallTime },
    /// It entitles to less than the installed one, which still serves.
    FewerEntitlements { lost: Vec<String> },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherSerial { wanted, got } => {
                write!(f, "it has serial {}, and {} was asked for", one_line(got), one_line(wanted))
            }
            Self::Expired { at, now } => write!(f, "it expired {} ({at})", relative(*at, *now)),
            Self::NotYetValid { from, now } => write!(f, "it is valid only {} ({from})", relative(*from, *now)),
            Self::NotLater { installed, candidate } if installed == candidate => {
                write!(f, "it ends when the installed license ends ({installed})")
            }
            Self::NotLater { installed, candidate } => {
                write!(f, "it ends {candidate}, earlier than the installed license ({installed})")
            }
            Self::FewerEntitlements { lost } => {
                write!(f, "it lacks entitlements of the installed license, which still serves: {}", list(lost))
            }
        }
    }
}

/// Judges a candidate that has already been verified.
pub fn judge(candidate: &Authentic, standing: &Standing<'_>) -> Result<Acceptance, Refusal> {
    if standing.installed.is_some_and(|installed| installed.sha256() == candidate.sha256()) {
        return Ok(Acceptance::Same);
    }
    let new = candidate.license();
    let old = standing.installed.map(Authentic::license);
    let wanted = standing.serial.or(old.map(|license| license.serial.as_str()));
    if let Some(wanted) = wanted.filter(|wanted| *wanted != new.serial && !standing.force) {
        return Err(Refusal::OtherSerial { wanted: wanted.to_owned(), got: new.serial.clone() });
    }
    if let Some(now) = standing.now {
        match candidate.state(Some(now)) {
            State::Expired => return Err(Refusal::Expired { at: new.expires_at, now }),
            State::NotYetValid => {
                return Err(Refusal::NotYetValid { from: new.created_at.unwrap_or(new.expires_at), now });
            }
            _ => {}
        }
    }
    let Some(old) = old else { return Ok(Acceptance::Install { lost: Vec::new() }) };
    if standing.force {
        return Ok(Acceptance::Install { lost: missing(&old.entitlements, &new.entitlements) });
    }
    let lost = lost(old, new);
    if new.expires_at <= old.expires_at {
        return Err(Refusal::NotLater { installed: old.expires_at, candidate: new.expires_at });
    }
    let serves = standing.now.is_none_or(|now| now < old.expires_at);
    if serves && !lost.is_empty() {
        return Err(Refusal::FewerEntitlements { lost });
    }
    Ok(Acceptance::Install { lost })
}

/// The entitlements that `old` has and `new` lacks, or has for a shorter time. Their ends are whole days, read with care,
/// so a day less is no difference.
#[must_use]
pub fn lost(old: &License, new: &License) -> Vec<String> {
    let end = |license: &License, entitlement: &Entitlement| {
        entitlement.not_valid_after.map_or(license.expires_at, |date| date.min(license.expires_at))
    };
    let lacks = |wanted: &&Entitlement| {
        let given = new.entitlements.iter().filter(|given| given.name == wanted.name);
        given.map(|given| end(new, given)).max().is_none_or(|given| given.plus(DAY) < end(old, wanted))
    };
    old.entitlements.iter().filter(lacks).map(|entitlement| entitlement.name.clone()).collect()
}

/// The names in `wanted` that are not in `given`.
#[must_use]
pub fn missing(wanted: &[Entitlement], given: &[Entitlement]) -> Vec<String> {
    wanted.iter().filter(|e| !given.iter().any(|g| g.name == e.name)).map(|e| e.name.clone()).collect()
}
