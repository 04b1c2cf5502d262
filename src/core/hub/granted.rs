//! What was asked for and what came: the hub may grant less without a word.

use crate::core::config::nearest;
use crate::core::hub::request::Term;
use crate::core::license::document::License;
use crate::core::text::{list, one_line};
use crate::core::time::{DAY, WallTime};

/// The entitlements that are known today. More will come, so others are asked for all the same.
const KNOWN: [&str; 10] = [
    "application-signatures",
    "netify-proc-aggregator",
    "netify-proc-dev-discovery",
    "netify-proc-flow-actions",
    "netify-proc-intel",
    "netify-proc-lua",
    "netify-proc-python",
    "netify-sink-mqtt",
    "netify-sink-sqlite",
    "netify-sink-ubus",
];

/// What is odd about the names of entitlements, before anything is sent: one sentence each.
#[must_use]
pub fn odd_names(names: &[String]) -> Vec<String> {
    let odd = names.iter().filter(|name| !KNOWN.contains(&name.as_str()));
    odd.map(|name| {
        let shown = one_line(name);
        if name.contains(',') {
            return format!("`{shown}` is asked for as one entitlement; give each name by itself");
        }
        match nearest(name.trim(), &KNOWN) {
            Some(known) => format!("`{shown}` is no entitlement that is known here; did you mean `{known}`?"),
            None => format!("`{shown}` is no entitlement that is known here"),
        }
    })
    .collect()
}

/// What was asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked<'a> {
    /// Names of entitlements.
    pub entitlements: &'a [String],
    /// The device.
    pub duid: Option<&'a str>,
    /// How long.
    pub term: Option<&'a Term>,
    /// Whether it may be renewed.
    pub renewable: Option<bool>,
    /// Whether it may move.
    pub transferable: Option<bool>,
}

impl Asked<'_> {
    /// What is missing in what was granted: one clause each.
    #[must_use]
    pub fn missing_in(&self, license: &License, now: WallTime) -> Vec<String> {
        let mut missing = Vec::new();
        let has = |name: &String| license.entitlements.iter().any(|granted| granted.name == *name);
        let lacking: Vec<String> = self.entitlements.iter().filter(|name| !has(name)).cloned().collect();
        if !lacking.is_empty() {
            missing.push(format!("it does not entitle to {}", list(&lacking)));
        }
        match (self.duid, license.duid.as_deref()) {
            (Some(asked), None) => missing.push(format!("it is bound to no device instead of {}", one_line(asked))),
            (Some(asked), Some(granted)) if asked != granted => {
                missing.push(format!("it is bound to {} instead of {}", one_line(granted), one_line(asked)));
            }
            _ => {}
        }
        let (until, asked) = match self.term {
            // Hubs count from now, or from the start of the day.
            Some(Term::Days(days)) => (Some(now.plus((i64::from(*days) - 1) * DAY)), self.term_in_words()),
            Some(Term::Until(date)) => (WallTime::from_date(date), date.clone()),
            None => (None, String::new()),
        };
        if until.is_some_and(|until| license.expires_at < until) {
            missing.push(format!("it ends {} already instead of {asked}", license.expires_at));
        }
        for (what, asked, granted) in [
            ("renewable", self.renewable, license.renewable),
            ("transferable", self.transferable, license.transferable),
        ] {
            if let (Some(asked), Some(granted)) = (asked, granted)
                && asked != granted
            {
                missing.push(format!("it is {}{what}", if granted { "" } else { "not " }));
            }
        }
        missing
    }

    fn term_in_words(&self) -> String {
        match self.term {
            Some(Term::Days(1)) => "in 1 day".to_owned(),
            Some(Term::Days(days)) => format!("in {days} days"),
            _ => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::license::document;

    const NOW: WallTime = WallTime::from_unix(1_780_012_800);

    #[test]
    fn names_are_compared_with_the_known_ones() {
        let odd = |name: &str| odd_names(&[name.to_owned()]).pop().unwrap_or_default();
        assert_eq!(odd("netify-proc-aggregator"), "");
        assert!(odd("netify-proc-agregator").ends_with("did you mean `netify-proc-aggregator`?"));
        assert!(odd(" netify-sink-mqtt").ends_with("did you mean `netify-sink-mqtt`?"));
        assert!(odd("netify-proc-lua,netify-proc-intel").ends_with("give each name by itself"));
        assert_eq!(odd("something-else-entirely"), "`something-else-entirely` is no entitlement that is known here");
    }

    #[test]
    fn less_than_was_asked_for_is_told() {
        let license = |members: &str| {
            let unix = NOW.plus(7 * DAY).unix();
            let text = format!(r#"{{"serial":"S","expire_at":{{"unix":{unix}}},"entitlements":["a"]{members}}}"#);
            document::parse(text.as_bytes()).expect("a license").license
        };
        let names = ["a".to_owned(), "b".to_owned()];
        let (days, until) = (Term::Days(30), Term::Until("2027-01-01".to_owned()));
        let asked = Asked {
            entitlements: &names,
            duid: Some("D"),
            term: Some(&days),
            renewable: Some(true),
            ..Asked::default()
        };
        assert_eq!(
            asked.missing_in(&license(r#","renewable":false"#), NOW),
            [
                "it does not entitle to b",
                "it is bound to no device instead of D",
                "it ends 2026-06-05 00:00:00 UTC already instead of in 30 days",
                "it is not renewable"
            ]
        );
        let other = Asked { duid: Some("D"), term: Some(&until), transferable: Some(false), ..Asked::default() };
        assert_eq!(
            other.missing_in(&license(r#","duid":"E","transferable":true"#), NOW),
            [
                "it is bound to E instead of D",
                "it ends 2026-06-05 00:00:00 UTC already instead of 2027-01-01",
                "it is transferable"
            ]
        );
        let week = Term::Days(8);
        let all = Asked { entitlements: &names[..1], term: Some(&week), ..Asked::default() };
        assert!(all.missing_in(&license(""), NOW).is_empty(), "a day less is the time of day");
    }
}
