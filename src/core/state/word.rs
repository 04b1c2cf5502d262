//! Outcomes in one word: the same in saved state, status, metrics and logs.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How an attempt to get a license ended. In the order of the alphabet: maps are written in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Word {
    /// Another license was being written.
    Busy,
    /// The source's license is none that may be installed.
    CandidateRefused,
    /// The source's license would take something away: it waits.
    ChangePending,
    /// The hub was only asked.
    DryRun,
    /// The renewal limit holds.
    Floor,
    /// The license could not be written.
    InstallFailed,
    /// A license was fetched and installed.
    Installed,
    /// There is no license for this device.
    NotFound,
    /// This device's own side is not ready: no request left it.
    NotReady,
    /// The hub confirmed a renewal and does not show it yet.
    NotVisibleYet,
    /// The source has nothing later.
    NothingNewer,
    /// The source could not be reached, or something else answered in its place.
    Outage,
    /// The hub asks for time.
    RateLimited,
    /// The hub is back after an outage, and the renewal waits for its part of the recovery spread.
    Recovering,
    /// The hub refused.
    Refused,
    /// The installed license is the latest.
    UpToDate,
    /// Written by another version of this program.
    #[serde(other)]
    Unknown,
}

impl Word {
    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::CandidateRefused => "candidate-refused",
            Self::ChangePending => "change-pending",
            Self::DryRun => "dry-run",
            Self::Floor => "floor",
            Self::InstallFailed => "install-failed",
            Self::Installed => "installed",
            Self::NotFound => "not-found",
            Self::NotReady => "not-ready",
            Self::NotVisibleYet => "not-visible-yet",
            Self::NothingNewer => "nothing-newer",
            Self::Outage => "outage",
            Self::RateLimited => "rate-limited",
            Self::Recovering => "recovering",
            Self::Refused => "refused",
            Self::UpToDate => "up-to-date",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a reload of netifyd ended. In the order of the alphabet: maps are written in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReloadWord {
    /// The process that was asked runs on.
    Confirmed,
    /// Asked in vain, or not confirmed.
    Failed,
    /// `reload.method = "none"`.
    None,
    /// There is no netifyd to reload.
    NotRunning,
    /// It ended, and its supervisor started it again.
    Restarted,
    /// Written by another version of this program.
    #[serde(other)]
    Unknown,
}

impl ReloadWord {
    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Failed => "failed",
            Self::None => "none",
            Self::NotRunning => "not-running",
            Self::Restarted => "restarted",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for ReloadWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_word_is_written_as_it_is_read_and_an_unknown_one_is_no_error() {
        use Word::*;
        let all = [
            Busy,
            CandidateRefused,
            DryRun,
            Floor,
            InstallFailed,
            Installed,
            NotFound,
            NotReady,
            NothingNewer,
            Outage,
            RateLimited,
            Recovering,
            Refused,
            UpToDate,
            Unknown,
        ];
        for word in all {
            assert_eq!(serde_json::to_string(&word).expect("JSON"), format!("\"{word}\""));
            assert_eq!(serde_json::from_str::<Word>(&format!("\"{word}\"")).expect("a word"), word);
        }
        let spelled: Vec<&str> = all[..all.len() - 1].iter().map(|word| word.as_str()).collect();
        assert!(spelled.is_sorted(), "maps are written in this order");
        assert_eq!(serde_json::from_str::<Word>("\"of-tomorrow\"").expect("a word"), Unknown);
        let counts: BTreeMap<Word, u64> = serde_json::from_str(r#"{"outage":2,"of-tomorrow":1}"#).expect("counts");
        assert_eq!(counts, BTreeMap::from([(Outage, 2), (Unknown, 1)]));
    }

    #[test]
    fn words_of_reloads_likewise() {
        use ReloadWord::*;
        for word in [Confirmed, Failed, None, NotRunning, Restarted, Unknown] {
            assert_eq!(serde_json::to_string(&word).expect("JSON"), format!("\"{word}\""));
            assert_eq!(serde_json::from_str::<ReloadWord>(&format!("\"{word}\"")).expect("a word"), word);
        }
        assert_eq!(serde_json::from_str::<ReloadWord>("\"of-tomorrow\"").expect("a word"), Unknown);
    }
}
