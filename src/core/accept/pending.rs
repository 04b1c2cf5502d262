//! A change that was offered and waits: until a person accepts it, or until its time has come.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::verdict::Difference;
use crate::core::license::document::License;
use crate::core::schedule::plan::Plan;
use crate::core::text::hex;

use crate::core::time::{DAY, Millis, WallTime};

/// An offer of another license that may not replace the installed one at once. Kept in the state directory, so that a
/// restart does not begin the wait anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingChange {
    /// [`offer`] of the license.
    pub offer: String,
    /// Its serial.
    pub serial: String,
    /// What would be lost.
    pub lost: Vec<String>,
    /// What would be gained.
    pub gained: Vec<String>,
    /// When the license ends, as it was last seen.
    pub expires_at: WallTime,
    /// When it was first seen.
    pub offered_since: WallTime,
    /// What was left of the installed license then, in milliseconds.
    pub left: Millis,
    /// Whether it ends later than the installed license: no other is ever taken by itself.
    pub ends_later: bool,
}

/// What makes an offer the same one: serial and entitlements. Its dates may move, as a relay's do with each renewal.
#[must_use]
pub fn offer(license: &License) -> String {
    let mut names: Vec<String> = license
        .entitlements
        .iter()
        .map(|entitlement| {
            // One that ends before its license is another one than the same without an end.
            let ends_before = entitlement.not_valid_after.is_some_and(|date| date.plus(DAY) < license.expires_at);
            format!("{}{}", if ends_before { "-" } else { "+" }, entitlement.name)
        })
        .collect();
    names.sort_unstable();
    names.dedup();
    let mut hash = Sha256::new_with_prefix(&license.serial);
    for name in names {
        hash.update([0]);
        hash.update(name);
    }
    hex(&hash.finalize())
}

impl PendingChange {
    /// What an offered license makes of the offer before: the same one goes on with its date of beginning.
    #[must_use]
    pub fn of(
        candidate: &License,
        difference: &Difference,
        installed_ends: WallTime,
        before: Option<&Self>,
        now: WallTime,
    ) -> Self {
        let offer = offer(candidate);
        // A date in the future was written by a clock that ran ahead.
        let same = before.filter(|before| before.offer == offer && before.offered_since <= now);
        Self {
            offer,
            serial: candidate.serial.clone(),
            lost: difference.lost.clone(),
            gained: difference.gained.clone(),
            expires_at: candidate.expires_at,
            offered_since: same.map_or(now, |same| same.offered_since),
            left: same.map_or_else(|| installed_ends.since(now).max(0), |same| same.left),
            ends_later: difference.ends == Ordering::Greater,
        }
    }

    /// When it is taken by itself: `renewal.accept-changes-after` or a quarter of what was left after it was first
    /// offered, or at the start of the last fifth of the installed license's renewal window, whichever is first.
    /// [`None`] where only a person takes it.
    #[must_use]
    pub fn accept_at(&self, after: Millis, installed: &Plan) -> Option<WallTime> {
        let waited = self.offered_since.plus(after.min(self.left / 4));
        self.ends_later.then(|| waited.min(last_fifth(installed)))
    }

    /// Whether an authentic, current license takes the offer back.
    #[must_use]
    pub fn is_withdrawn_by(&self, license: &License) -> bool {
        offer(license) != self.offer
    }
}

/// The start of the last fifth of the renewal window.
fn last_fifth(plan: &Plan) -> WallTime {
    plan.expires.plus(-(plan.expires.since(plan.window_from) / 5))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::license::document::Entitlement;
    use crate::core::schedule::plan::{Life, plan};
    use crate::core::time::{HOUR, MINUTE};

    const NOW: WallTime = WallTime::from_unix(1_800_000_000);

    fn license(serial: &str, ends: Millis, names: &str) -> License {
        let entitlement = |name: &str| {
            let (name, own) = name.split_once('@').map_or((name, None), |(name, day)| (name, day.parse::<i64>().ok()));
            Entitlement { name: name.to_owned(), not_valid_after: own.map(|day| NOW.plus(day * DAY)) }
        };
        License {
            serial: serial.to_owned(),
            issued_to: None,
            expires_at: NOW.plus(ends),
            created_at: None,
            duid: None,
            renewable: None,
            transferable: None,
            entitlements: names.split_whitespace().map(entitlement).collect(),
        }
    }

    /// A license of seven days that ends after this span: its window is three and a half days long.
    fn week(ends: Millis) -> Plan {
        plan(&Life {
            issued: NOW.plus(ends - 7 * DAY),
            expires: NOW.plus(ends),
            renew_before: None,
            own_renewal: false,
            duid: "D",
            serial: "S",
        })
    }

    fn pending(
        installed: &License,
        candidate: &License,
        before: Option<&PendingChange>,
        now: WallTime,
    ) -> PendingChange {
        PendingChange::of(candidate, &Difference::between(installed, candidate), installed.expires_at, before, now)
    }

    #[test]
    fn serial_and_entitlements_make_an_offer() {
        let base = offer(&license("S", 7 * DAY, "a b"));
        for same in [license("S", 9 * DAY, "b a"), license("S", 9 * DAY, "a b b"), license("S", 9 * DAY, "a@9 b@8")] {
            assert_eq!(offer(&same), base);
        }
        for other in ["a", "a b c", "a b@2", "ab", ""] {
            assert_ne!(offer(&license("S", 7 * DAY, other)), base, "{other}");
        }
        assert_ne!(offer(&license("T", 7 * DAY, "a b")), base);
        assert_ne!(offer(&license("S", DAY, "a")), offer(&license("Sa", DAY, "")));
    }

    #[test]
    fn the_earliest_of_three_dates() {
        let after = |left: Millis, accept_after: Millis| {
            let offered = pending(&license("S", left, "a b"), &license("S", 9 * DAY, "a"), None, NOW);
            offered.accept_at(accept_after, &week(left)).map(|at| at.since(NOW))
        };
        assert_eq!(after(6 * DAY, DAY), Some(DAY));
        assert_eq!(after(3 * DAY, DAY), Some(18 * HOUR), "a quarter of what is left");
        assert_eq!(after(DAY, DAY), Some(6 * HOUR));
        // The last fifth of the window begins 16.8 hours before the end.
        assert_eq!(after(18 * HOUR, DAY), Some(72 * MINUTE));
        assert!(after(12 * HOUR, DAY).is_some_and(|at| at < 0), "at once");
        assert!(after(5 * MINUTE, DAY).is_some_and(|at| at < 0), "at once");
        assert_eq!(after(6 * DAY, 0), Some(0));
    }

    #[test]
    fn only_what_ends_later_is_taken_by_itself() {
        let installed = license("S", DAY, "a b");
        for (candidate, is_taken) in
            [(license("S", 2 * DAY, "a"), true), (license("S", DAY, "a c"), false), (license("S", HOUR, "a c"), false)]
        {
            let offered = pending(&installed, &candidate, None, NOW);
            assert_eq!(offered.accept_at(HOUR, &week(DAY)).is_some(), is_taken);
        }
    }

    #[test]
    fn the_wait_begins_with_the_offer_and_not_with_its_renewals() {
        let installed = license("S", 3 * DAY, "a b");
        let first = pending(&installed, &license("T", 6 * DAY, "a"), None, NOW);
        let later = NOW.plus(10 * HOUR);
        let again = pending(&installed, &license("T", 7 * DAY, "a"), Some(&first), later);
        assert_eq!((again.offered_since, again.left, again.expires_at), (NOW, 3 * DAY, NOW.plus(7 * DAY)));
        assert!(!first.is_withdrawn_by(&license("T", DAY, "a")));
        // Another offer begins anew.
        let other = pending(&installed, &license("T", 7 * DAY, ""), Some(&again), later);
        assert_eq!((other.offered_since, other.left), (later, 3 * DAY - 10 * HOUR));
        assert!(again.is_withdrawn_by(&license("T", 7 * DAY, "")) && again.is_withdrawn_by(&installed));
        // Seen first by a clock that ran ahead.
        let back = pending(&installed, &license("T", 7 * DAY, "a"), Some(&first), NOW.plus(-HOUR));
        assert_eq!(back.offered_since, NOW.plus(-HOUR));
    }
}
