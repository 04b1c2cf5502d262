//! When a license is due. The moment is drawn once, from the license itself: stable over restarts, uniform over a fleet.

use std::cell::RefCell;

use sha2::{Digest, Sha256};

use crate::core::time::{DAY, Millis, WallTime};

/// Licenses up to this life are renewed in their second half, longer ones in their last third.
const SHORT_LIFE: Millis = 10 * DAY;

/// A license's life and what the moment of its renewal is drawn from.
#[derive(Debug, Clone, Copy)]
pub struct Life<'a> {
    /// Issue date: when this version of the license began to live.
    pub issued: WallTime,
    /// Expiry.
    pub expires: WallTime,
    /// `renewal.renew-before`, if set.
    pub renew_before: Option<Millis>,
    /// Whether this daemon fetched the license itself: then a `renew-before` longer than the license's life must not
    /// make it due again at once.
    pub own_renewal: bool,
    /// Device id, empty when there is none.
    pub duid: &'a str,
    /// Serial number.
    pub serial: &'a str,
}

/// The fixed points before a license's expiry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Renewal window: from here to the expiry.
    pub window_from: WallTime,
    /// The drawn moment, inside the first half of the window.
    pub due: WallTime,
    /// Emergency zone: from here to the expiry there is no spread, and attempts come closer together.
    pub emergency_from: WallTime,
    /// Expiry.
    pub expires: WallTime,
}

/// The last draw, for whoever plans the same license again and again.
#[derive(Debug, Default)]
pub struct Lot(RefCell<Option<Drawn>>);

#[derive(Debug)]
struct Drawn {
    duid: String,
    serial: String,
    issued: WallTime,
    number: u64,
}

impl Plan {
    /// From here on a renewal that is not there is late: a quarter of what follows the due moment has gone by.
    #[must_use]
    pub const fn overdue_from(&self) -> WallTime {
        self.due.plus(self.expires.since(self.due) / 4)
    }
}

impl Lot {
    /// As [`plan`].
    #[must_use]
    pub fn plan(&self, life: &Life<'_>) -> Plan {
        let mut last = self.0.borrow_mut();
        let same =
            last.as_ref().filter(|of| (&*of.duid, &*of.serial, of.issued) == (life.duid, life.serial, life.issued));
        let number = same.map_or_else(|| draw(life), |of| of.number);
        if same.is_none() {
            *last =
                Some(Drawn { duid: life.duid.to_owned(), serial: life.serial.to_owned(), issued: life.issued, number });
        }
        plan_with(life, number)
    }
}

/// Computes the plan of a license.
#[must_use]
pub fn plan(life: &Life<'_>) -> Plan {
    plan_with(life, draw(life))
}

fn plan_with(life: &Life<'_>, number: u64) -> Plan {
    let length = life.expires.since(life.issued).max(0);
    let own_share = if length <= SHORT_LIFE { length / 2 } else { length / 3 };
    let window = match life.renew_before {
        None => own_share,
        Some(asked) if life.own_renewal => asked.min(length / 3 * 2),
        Some(asked) => asked,
    };
    let zone = (length / 10).min(window / 2);
    Plan {
        window_from: life.expires.plus(-window),
        due: life.expires.plus(-window + share(window / 2, number)),
        emergency_from: life.expires.plus(-zone),
        expires: life.expires,
    }
}

/// A uniform draw, the same for the same device, serial and issue date.
fn draw(life: &Life<'_>) -> u64 {
    let hash = Sha256::new()
        .chain_update(b"netify-licensed spread 1\0")
        .chain_update(life.duid)
        .chain_update([0])
        .chain_update(life.serial)
        .chain_update([0])
        .chain_update(life.issued.unix().to_be_bytes())
        .finalize();
    hash[..8].iter().fold(0_u64, |number, &byte| number << 8 | u64::from(byte))
}

/// A number drawn from all 64-bit ones, brought down to `0..range`.
fn share(range: Millis, number: u64) -> Millis {
    // The high half of a 128-bit product: uniform without division.
    let scaled = (u128::from(number) * u128::from(range.max(0).unsigned_abs())) >> 64;
    Millis::try_from(scaled).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::time::HOUR;

    fn life(issued: i64, days: i64) -> Life<'static> {
        let issued = WallTime::from_unix(issued);
        Life {
            issued,
            expires: issued.plus(days * DAY),
            renew_before: None,
            own_renewal: false,
            duid: "D",
            serial: "S",
        }
    }

    #[test]
    fn half_of_a_short_life_and_the_last_third_of_a_long_one() {
        let short = plan(&life(1_000_000, 7));
        assert_eq!(short.expires.since(short.window_from), 7 * DAY / 2);
        assert_eq!(short.expires.since(short.emergency_from), 7 * DAY / 10);
        let ten = plan(&life(1_000_000, 10));
        assert_eq!(ten.expires.since(ten.window_from), 5 * DAY);
        let long = plan(&life(1_000_000, 30));
        assert_eq!(long.expires.since(long.window_from), 10 * DAY);
    }

    #[test]
    fn the_moment_lies_in_the_first_half_of_the_window_and_never_moves() {
        for n in 0..1_000 {
            let plan_a = plan(&life(n * 977, 7));
            assert!(plan_a.due >= plan_a.window_from);
            assert!(plan_a.due < plan_a.window_from.plus(7 * DAY / 4));
            assert_eq!(plan_a, plan(&life(n * 977, 7)));
        }
    }

    #[test]
    fn a_draw_that_is_remembered_is_that_license_s() {
        let lot = Lot::default();
        let lives = [
            life(1_000_000, 7),
            life(1_000_001, 7),
            Life { duid: "E", ..life(1_000_000, 7) },
            Life { serial: "T", ..life(1_000_000, 7) },
        ];
        for each in lives.iter().chain([&lives[3], &lives[0], &Life { renew_before: Some(HOUR), ..lives[0] }]) {
            assert_eq!(lot.plan(each), plan(each));
            assert_eq!(lot.plan(each), plan(each), "again");
        }
    }

    #[test]
    fn a_fleet_is_spread_evenly() {
        let mut tenths = [0_u32; 10];
        for n in 0..10_000 {
            let duid = format!("device-{n}");
            let plan = plan(&Life { duid: &duid, ..life(1_000_000, 7) });
            let tenth = plan.due.since(plan.window_from) * 10 / (7 * DAY / 4);
            tenths[usize::try_from(tenth).unwrap_or(9)] += 1;
        }
        assert!(tenths.iter().all(|&n| (850..1_150).contains(&n)), "{tenths:?}");
    }

    #[test]
    fn device_serial_and_issue_date_each_move_it() {
        let base = plan(&life(1_000_000, 7));
        let offset = |p: Plan| p.due.since(p.window_from);
        assert_ne!(offset(base), offset(plan(&Life { duid: "E", ..life(1_000_000, 7) })));
        assert_ne!(offset(base), offset(plan(&Life { serial: "T", ..life(1_000_000, 7) })));
        assert_ne!(offset(base), offset(plan(&life(1_000_001, 7))));
    }

    #[test]
    fn renew_before_is_obeyed_but_cannot_make_a_fresh_license_due() {
        let asked = Life { renew_before: Some(HOUR), ..life(1_000_000, 7) };
        assert_eq!(plan(&asked).expires.since(plan(&asked).window_from), HOUR);
        assert_eq!(plan(&asked).expires.since(plan(&asked).emergency_from), HOUR / 2, "a spread remains");
        let too_long = Life { renew_before: Some(30 * DAY), own_renewal: true, ..life(1_000_000, 7) };
        assert!(plan(&too_long).due > too_long.issued.plus(2 * DAY));
        assert_eq!(
            plan(&too_long).window_from,
            too_long.expires.plus(-(7 * DAY / 3 * 2)),
            "a third of its life is quiet"
        );
        let found = Life { own_renewal: false, ..too_long };
        assert!(plan(&found).due < found.issued, "a license that was found is renewed as configured");
    }

    #[test]
    fn a_license_that_ends_before_it_begins_is_due_at_once() {
        let broken = Life { expires: WallTime::from_unix(10), ..life(1_000_000, 7) };
        let plan = plan(&broken);
        assert_eq!((plan.due, plan.window_from), (plan.expires, plan.expires));
    }
}
