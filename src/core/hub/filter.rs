//! `hub list`: which of the hub's licenses are shown, and in which order.

use serde_json::Value;

use crate::core::license::document::{self, License};
use crate::core::text::one_line;
use crate::core::time::{DAY, WallTime};

/// Which licenses are asked for; everything that is not set lets all through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Bound to this device.
    pub duid: Option<String>,
    /// Issued to a name that contains this, in whatever case.
    pub issued_to: Option<String>,
    /// Ends within this many days; one that has ended already does.
    pub expiring: Option<u16>,
}

impl Filter {
    fn lets_through(&self, license: &License, now: WallTime) -> bool {
        let named = |name: &String| {
            license.issued_to.as_ref().is_some_and(|issued| issued.to_lowercase().contains(&name.to_lowercase()))
        };
        self.duid.as_ref().is_none_or(|duid| license.duid.as_ref() == Some(duid))
            && self.issued_to.as_ref().is_none_or(named)
            && self.expiring.is_none_or(|days| license.expires_at <= now.plus(i64::from(days) * DAY))
    }
}

/// The licenses to show.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// What was read of each, with its bytes as received; soonest expiry first.
    pub found: Vec<(License, Vec<u8>)>,
    /// Entries that are no licenses, as received: one without a filter is shown all the same.
    pub others: Vec<Vec<u8>>,
    /// What is to be said about those: one sentence each.
    pub remarks: Vec<String>,
}

impl Listing {
    fn insert(&mut self, license: License, item: Vec<u8>) {
        let key = (license.expires_at, &license.serial);
        let at = self.found.partition_point(|(other, _)| (other.expires_at, &other.serial) <= key);
        self.found.insert(at, (license, item));
    }
}

/// Picks and sorts the entries of a list.
#[must_use]
pub fn select(items: Vec<Vec<u8>>, filter: &Filter, now: WallTime) -> Listing {
    let mut listing = Listing::default();
    for item in items {
        match document::parse(&item) {
            Ok(document) if filter.lets_through(&document.license, now) => listing.insert(document.license, item),
            Ok(_) => {}
            Err(error) => {
                listing.remarks.push(format!("{} cannot be read as a license: {error}", name(&item)));
                listing.others.push(item);
            }
        }
    }
    if *filter != Filter::default() {
        listing.others.clear();
    }
    listing
}

fn name(item: &[u8]) -> String {
    let serial =
        serde_json::from_slice::<Value>(item).ok().and_then(|item| Some(one_line(item.get("serial")?.as_str()?)));
    serial.map_or_else(|| "an entry of the hub's list".to_owned(), |serial| format!("{serial} in the hub's list"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: WallTime = WallTime::from_unix(1_780_012_800);

    fn item(serial: &str, days: i64, duid: &str, issued_to: &str) -> Vec<u8> {
        let unix = NOW.plus(days * DAY).unix();
        format!(r#"{{"serial":"{serial}","expire_at":{{"unix":{unix}}},"duid":"{duid}","issued_to":"{issued_to}"}}"#)
            .into_bytes()
    }

    fn serials(filter: &Filter) -> Vec<String> {
        let items = vec![
            item("C", 9, "x", "Acme Inc."),
            item("B", 3, "y", "ACME Ltd"),
            item("A", 9, "x", "Caf\u{e9}"),
            item("D", -1, "z", "-"),
        ];
        select(items, filter, NOW).found.into_iter().map(|(license, _)| license.serial).collect()
    }

    #[test]
    fn soonest_expiry_first_then_by_serial() {
        assert_eq!(serials(&Filter::default()), ["D", "B", "A", "C"]);
    }

    #[test]
    fn filters_narrow_down_together() {
        let filter = |duid: Option<&str>, issued_to: Option<&str>, expiring| Filter {
            duid: duid.map(str::to_owned),
            issued_to: issued_to.map(str::to_owned),
            expiring,
        };
        assert_eq!(serials(&filter(Some("x"), None, None)), ["A", "C"]);
        assert_eq!(serials(&filter(None, Some("acme"), None)), ["B", "C"]);
        assert_eq!(serials(&filter(None, Some("CAF\u{c9}"), None)), ["A"]);
        assert_eq!(serials(&filter(None, None, Some(3))), ["D", "B"]);
        assert_eq!(serials(&filter(Some("x"), Some("acme"), Some(30))), ["C"]);
        assert!(serials(&filter(Some("X"), None, None)).is_empty());
    }

    #[test]
    fn what_cannot_be_read_is_told_and_not_hidden() {
        let items = || vec![br#"{"serial":"odd"}"#.to_vec(), item("A", 1, "x", "-"), b"5".to_vec()];
        let all = select(items(), &Filter::default(), NOW);
        assert_eq!((all.found.len(), all.others.len()), (1, 2));
        assert_eq!(all.remarks[0], "odd in the hub's list cannot be read as a license: no member `expire_at`");
        assert!(all.remarks[1].starts_with("an entry of the hub's list cannot"), "{}", all.remarks[1]);
        let some = select(items(), &Filter { expiring: Some(7), ..Filter::default() }, NOW);
        assert_eq!((some.found.len(), some.others.len(), some.remarks.len()), (1, 0, 2));
    }
}
