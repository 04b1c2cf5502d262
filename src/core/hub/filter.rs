//! `hub list`: which of the hub's licenses are shown, and in which order.

use std::cmp::Ordering;

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
    /// Entitles to this.
    pub entitlement: Option<String>,
}

/// What an entry of the list is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A license that is asked for.
    License(Box<License>),
    /// A license that is not.
    Other,
    /// None that can be read: one sentence. Without a filter it is shown all the same.
    Unreadable(String),
}

impl Filter {
    /// Reads an entry, as received.
    #[must_use]
    pub fn read(&self, entry: &str, now: WallTime) -> Entry {
        match document::parse(entry.as_bytes()) {
            Ok(document) if self.lets_through(&document.license, now) => Entry::License(Box::new(document.license)),
            Ok(_) => Entry::Other,
            Err(error) => Entry::Unreadable(format!("{} cannot be read as a license: {error}", name(entry))),
        }
    }

    /// Whether everything is asked for.
    #[must_use]
    pub fn is_open(&self) -> bool {
        *self == Self::default()
    }

    fn lets_through(&self, license: &License, now: WallTime) -> bool {
        let named = |name: &String| {
            license.issued_to.as_ref().is_some_and(|issued| issued.to_lowercase().contains(&name.to_lowercase()))
        };
        let entitles = |name: &String| license.entitlements.iter().any(|entitlement| entitlement.name == *name);
        self.duid.as_ref().is_none_or(|duid| license.duid.as_ref() == Some(duid))
            && self.issued_to.as_ref().is_none_or(named)
            && self.expiring.is_none_or(|days| license.expires_at <= now.plus(i64::from(days) * DAY))
            && self.entitlement.as_ref().is_none_or(entitles)
    }
}

/// The order of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Soonest expiry first.
    Expires,
    /// By serial number.
    Serial,
    /// By the name on it.
    IssuedTo,
    /// By device; those of none come first.
    Duid,
}

/// What a license is sorted by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key(Option<String>, WallTime, String);

impl Order {
    /// The key of a license; where it is equal, the soonest expiry and then the serial count.
    #[must_use]
    pub fn key(self, license: &License) -> Key {
        let first = match self {
            Self::Expires => None,
            Self::Serial => Some(license.serial.clone()),
            Self::IssuedTo => license.issued_to.as_ref().map(|name| name.to_lowercase()),
            Self::Duid => license.duid.clone(),
        };
        Key(first, license.expires_at, license.serial.clone())
    }
}

/// Sorts what was found by its keys.
pub fn sort<T>(found: &mut [(Key, T)]) {
    found.sort_by(|(a, _), (b, _)| -> Ordering { a.cmp(b) });
}

fn name(entry: &str) -> String {
    let serial =
        serde_json::from_str::<Value>(entry).ok().and_then(|entry| Some(one_line(entry.get("serial")?.as_str()?)));
    serial.map_or_else(|| "an entry of the hub's list".to_owned(), |serial| format!("{serial} in the hub's list"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: WallTime = WallTime::from_unix(1_780_012_800);

    fn item(serial: &str, days: i64, duid: &str, issued_to: &str) -> String {
        let unix = NOW.plus(days * DAY).unix();
        format!(
            r#"{{"serial":"{serial}","expire_at":{{"unix":{unix}}},"duid":"{duid}","issued_to":"{issued_to}","entitlements":["{duid}-plugin"]}}"#
        )
    }

    fn serials(filter: &Filter, order: Order) -> Vec<String> {
        let items = [
            item("C", 9, "x", "Acme Inc."),
            item("B", 3, "y", "ACME Ltd"),
            item("A", 9, "x", "Caf\u{e9}"),
            item("D", -1, "z", "-"),
        ];
        let mut found = Vec::new();
        for item in items {
            if let Entry::License(license) = filter.read(&item, NOW) {
                found.push((order.key(&license), license.serial));
            }
        }
        sort(&mut found);
        found.into_iter().map(|(_, serial)| serial).collect()
    }

    #[test]
    fn each_order_has_its_key() {
        for (order, expected) in [
            (Order::Expires, ["D", "B", "A", "C"]),
            (Order::Serial, ["A", "B", "C", "D"]),
            (Order::IssuedTo, ["D", "C", "B", "A"]),
            (Order::Duid, ["A", "C", "B", "D"]),
        ] {
            assert_eq!(serials(&Filter::default(), order), expected, "{order:?}");
        }
    }

    #[test]
    fn filters_narrow_down_together() {
        let filter = |duid: Option<&str>, issued_to: Option<&str>, expiring, entitlement: Option<&str>| {
            let own = |text: Option<&str>| text.map(str::to_owned);
            let filter = Filter { duid: own(duid), issued_to: own(issued_to), expiring, entitlement: own(entitlement) };
            serials(&filter, Order::Expires)
        };
        assert_eq!(filter(Some("x"), None, None, None), ["A", "C"]);
        assert_eq!(filter(None, Some("acme"), None, None), ["B", "C"]);
        assert_eq!(filter(None, Some("CAF\u{c9}"), None, None), ["A"]);
        assert_eq!(filter(None, None, Some(3), None), ["D", "B"]);
        assert_eq!(filter(Some("x"), Some("acme"), Some(30), None), ["C"]);
        assert_eq!(filter(None, None, None, Some("x-plugin")), ["A", "C"]);
        assert!(filter(None, None, None, Some("plugin")).is_empty());
        assert!(filter(Some("X"), None, None, None).is_empty());
    }

    #[test]
    fn what_cannot_be_read_is_told_and_not_hidden() {
        let read = |entry: &str| Filter::default().read(entry, NOW);
        assert_eq!(
            read(r#"{"serial":"odd"}"#),
            Entry::Unreadable("odd in the hub's list cannot be read as a license: no member `expire_at`".to_owned())
        );
        assert!(matches!(read("5"), Entry::Unreadable(why) if why.starts_with("an entry of the hub's list cannot")));
        assert!(Filter::default().is_open() && !Filter { expiring: Some(7), ..Filter::default() }.is_open());
    }
}
