//! What the daemon remembers: little on the flash, more in the runtime directory.

pub mod word;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::core::accept::pending::PendingChange;
use crate::core::accept::source::Source;

use crate::core::license::document::Serial;
use crate::core::license::verify::State;
use crate::core::schedule::rate_limit::Bucket;
use crate::core::time::{Millis, WallTime};
use word::{ReloadWord, Word};

/// Kept in the state directory; written only when it changed and matters.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Durable {
    /// The kernel's boot id while this was true (`/proc/sys/kernel/random/boot_id`).
    pub boot_id: String,
    /// SHA-256 of the license that netifyd is known to have loaded. A good license on disk with another one is a
    /// reload that is still owed, also after a crash.
    pub loaded: Option<String>,
    /// Last time that was believed.
    pub last_good_time: Option<WallTime>,
    /// When the last licenses began to live, newest first: the installed one, and the one that replaces it.
    pub issues: Vec<Issue>,
    /// Serial of the last good license.
    pub serial: Option<Serial>,
    /// The device that it was for: another one, such as a clone of this disk, has no use for the serial.
    pub duid: Option<String>,
    /// Automatic renewals of this serial.
    pub automatic: Bucket,
    /// Last renewal that was installed and loaded.
    pub last_success_at: Option<WallTime>,
    /// Last automatic try to create a license.
    pub provision_tried_at: Option<WallTime>,
    /// The license was given back (`retire`): nothing is fetched until a person asks.
    pub retired: bool,
    /// A changed license that was offered and waits.
    pub pending_change: Option<PendingChange>,
    /// Where licenses come from.
    pub source: Option<Source>,
    /// SHA-256 of the license file at that time: another one that lies there is no retired license.
    pub retired_file: Option<String>,
}

/// The beginning of a license's life, where its own `created_at` does not tell: some hubs keep the date of the first
/// issue through all renewals.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Issue {
    /// The license.
    pub sha256: String,
    /// When this version of it was issued, as far as known.
    pub at: WallTime,
    /// Whether this daemon's own request made it.
    pub own_renewal: bool,
    /// Nobody but our own clock told.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub guessed: bool,
}

/// Kept in the runtime directory: survives restarts of the daemon, not of the machine.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Volatile {
    /// Failed attempts in a row.
    pub failures: u32,
    /// Attempts in a row that found nothing newer although the license was due.
    pub waits: u32,
    /// No automatic attempt before this.
    pub not_before: Option<NotBefore>,
    /// The last attempts, newest last.
    pub history: Vec<AttemptRecord>,
    /// Since when the hub could not be reached, by the clock that does not step.
    pub outage: Option<NotBefore>,
    /// After an outage the renewal waits for its turn once.
    pub recovering: bool,
    /// Restores of the license file that another process undid.
    pub restores: Bucket,
    /// SHA-256 of the license that a restore wrote, until another one lies there.
    pub restored: Option<String>,
    /// Why the last try to create a license came to nothing.
    pub create_trouble: Option<String>,
    /// Renewals that people asked for.
    pub manual: Bucket,
    /// Waits that were cut since something may have been mended.
    pub hurries: Bucket,
    /// Last reload.
    pub reload: Option<ReloadRecord>,
    /// Failed reloads in a row.
    pub reload_failures: u32,
    /// A reload that failed, or that nobody knows the end of: it is not repeated at once.
    pub reload_pause: Option<ReloadPause>,
    /// What the hook was told last.
    pub told: Option<Told>,
    /// netifyd shall notice that there is no license any more.
    pub unload: bool,
    /// Attempts by outcome, for metrics.
    pub attempts: BTreeMap<Word, u64>,
    /// Reloads by outcome, for metrics.
    pub reloads: BTreeMap<ReloadWord, u64>,
}

/// What a change of the state is: whoever is told hears of a change in this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// The license's state.
    pub state: State,
    /// Whether all was well.
    pub healthy: bool,
    /// The license.
    pub sha256: Option<String>,
    /// The change that waits ([`PendingChange::offer`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending_change: Option<String>,
}

/// A moment of this boot: a wall clock that is set meanwhile does not move it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotBefore {
    /// The kernel's boot id.
    pub boot_id: String,
    /// Milliseconds since boot.
    pub boot: Millis,
}

/// The rest after a reload without a good end, in this boot's time, so that a restart of ours does not shorten it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadPause {
    /// The kernel's boot id.
    pub boot_id: String,
    /// When it began or failed: milliseconds since boot.
    pub since: Millis,
    /// Not again before this: milliseconds since boot.
    pub until: Millis,
}

/// One attempt to renew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptRecord {
    /// When it ended.
    pub at: WallTime,
    /// One word.
    pub outcome: Word,
    /// One sentence, unless it succeeded.
    pub error: Option<String>,
    /// HTTP status code of the deciding answer.
    pub http_status: Option<u16>,
}

/// One reload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadRecord {
    /// When it ended.
    pub at: WallTime,
    /// How netifyd was asked.
    pub method: String,
    /// One word.
    pub outcome: ReloadWord,
    /// One sentence about anything but a plain success.
    pub detail: Option<String>,
    /// It failed without netifyd being asked.
    #[serde(default)]
    pub not_asked: bool,
}

impl Durable {
    /// What is remembered of a license's beginning.
    #[must_use]
    pub fn issue_of(&self, sha256: &str) -> Option<&Issue> {
        self.issues.iter().find(|issue| issue.sha256 == sha256)
    }

    /// Whether this, read again, tells as much as what is true now: a time stamp or a bucket that fills are no reason to
    /// touch the flash.
    #[must_use]
    pub fn tells(&self, now: &Self) -> bool {
        let Self {
            boot_id,
            loaded,
            last_good_time,
            issues,
            serial,
            duid,
            automatic,
            last_success_at,
            provision_tried_at,
            retired,
            pending_change,
            source,
            retired_file,
        } = self;
        // One that was lowered was refuted: the one on disk would be believed after the next start.
        let is_refuted = last_good_time.is_some() && *last_good_time > now.last_good_time;
        !is_refuted
            && *boot_id == now.boot_id
            && *loaded == now.loaded
            && *issues == now.issues
            && *serial == now.serial
            && *duid == now.duid
            && (now.automatic.is_full() || automatic.covers(&now.automatic))
            && *last_success_at == now.last_success_at
            && *provision_tried_at == now.provision_tried_at
            && *retired == now.retired
            && *pending_change == now.pending_change
            && *source == now.source
            && *retired_file == now.retired_file
    }
}

impl Volatile {
    /// Whether this, read again, tells as much as what is true now: a bucket that fills is no reason to write.
    #[must_use]
    pub fn tells(&self, now: &Self) -> bool {
        let Self {
            failures,
            waits,
            not_before,
            history,
            outage,
            recovering,
            restores,
            restored,
            create_trouble,
            manual,
            hurries,
            reload,
            reload_failures,
            reload_pause,
            told,
            unload,
            attempts,
            reloads,
        } = self;
        (*failures, *waits, *recovering, *reload_failures, *unload)
            == (now.failures, now.waits, now.recovering, now.reload_failures, now.unload)
            && *not_before == now.not_before
            && *history == now.history
            && *outage == now.outage
            && restores.covers(&now.restores)
            && *restored == now.restored
            && *create_trouble == now.create_trouble
            && manual.covers(&now.manual)
            && hurries.covers(&now.hurries)
            && *reload == now.reload
            && *reload_pause == now.reload_pause
            && *told == now.told
            && *attempts == now.attempts
            && *reloads == now.reloads
    }
}

/// Licenses whose beginning is remembered: the installed one, its replacement, and one that somebody else put there.
pub const ISSUES: usize = 3;
/// Attempts that are remembered for the status.
pub const HISTORY: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> WallTime {
        WallTime::from_unix(second)
    }

    /// What is not written is lost.
    #[test]
    fn every_change_of_the_durable_memory_is_worth_a_write_but_the_time() {
        let changes: [fn(&mut Durable); 10] = [
            |d| d.boot_id = "b".to_owned(),
            |d| d.loaded = Some("s".to_owned()),
            |d| d.issues.push(Issue { sha256: "s".to_owned(), at: at(1), own_renewal: true, guessed: false }),
            |d| d.serial = "S-1".parse().ok(),
            |d| d.duid = Some("D".to_owned()),
            |d| d.last_success_at = Some(at(1)),
            |d| d.provision_tried_at = Some(at(1)),
            |d| d.retired = true,
            |d| d.source = Some(Source { id: "s".to_owned(), is_new: true }),
            |d| d.retired_file = Some("s".to_owned()),
        ];
        for (number, change) in changes.iter().enumerate() {
            let mut now = Durable::default();
            assert!(Durable::default().tells(&now));
            change(&mut now);
            assert!(!Durable::default().tells(&now) && !now.tells(&Durable::default()), "{number}");
        }
        let mut now = Durable { last_good_time: Some(at(1)), ..Durable::default() };
        assert!(Durable::default().tells(&now));
        let before = now.clone();
        assert_eq!(now.automatic.take(crate::core::schedule::rate_limit::automatic(1_000_000)), Ok(()));
        assert!(!before.tells(&now), "a token was taken");
        assert!(now.tells(&before), "it has come back");
        assert!(now.tells(&now.clone()));
    }

    #[test]
    fn every_change_of_the_volatile_memory_is_worth_a_write() {
        let record = || AttemptRecord { at: at(1), outcome: Word::Outage, error: None, http_status: None };
        let reload = || ReloadRecord {
            at: at(1),
            method: "m".to_owned(),
            outcome: ReloadWord::None,
            detail: None,
            not_asked: false,
        };
        let changes: [&dyn Fn(&mut Volatile); 15] = [
            &|v| v.failures = 1,
            &|v| v.waits = 1,
            &|v| v.not_before = Some(NotBefore { boot_id: "b".to_owned(), boot: 1 }),
            &|v| v.history.push(record()),
            &|v| v.outage = Some(NotBefore { boot_id: "b".to_owned(), boot: 1 }),
            &|v| v.recovering = true,
            &|v| v.restored = Some("s".to_owned()),
            &|v| v.create_trouble = Some("t".to_owned()),
            &|v| v.reload = Some(reload()),
            &|v| v.reload_failures = 1,
            &|v| v.reload_pause = Some(ReloadPause { boot_id: "b".to_owned(), since: 1, until: 2 }),
            &|v| v.told = Some(Told { state: State::Valid, healthy: true, sha256: None, pending_change: None }),
            &|v| v.unload = true,
            &|v| v.attempts = BTreeMap::from([(Word::Outage, 1)]),
            &|v| v.reloads = BTreeMap::from([(ReloadWord::None, 1)]),
        ];
        for (number, change) in changes.iter().enumerate() {
            let mut now = Volatile::default();
            assert!(Volatile::default().tells(&now));
            change(&mut now);
            assert!(!Volatile::default().tells(&now) && !now.tells(&Volatile::default()), "{number}");
        }
        let (before, mut now) = (Volatile::default(), Volatile::default());
        assert_eq!(now.manual.take(crate::core::schedule::rate_limit::MANUAL), Ok(()));
        assert!(!before.tells(&now), "a token was taken");
    }
}
