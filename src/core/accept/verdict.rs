//! What a license that was offered is worth against the installed one: the same, better, changed, worse, or refused.

use std::cmp::Ordering;
use std::fmt;

use crate::core::license::document::{Entitlement, License};
use crate::core::license::verify::{Authentic, State};
use crate::core::text::{list, one_line};
use crate::core::time::{DAY, WallTime, relative};

/// What a candidate is held against. Signature (or verified transport) and device are held already: only
/// [`Authentic`] licenses get here.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// The license that the candidate would replace.
    pub installed: Option<&'a Authentic>,
    /// `license.serial`.
    pub configured: Option<&'a str>,
    /// The serial of the API request that the candidate answers.
    pub asked: Option<&'a str>,
    /// The time, or `None` while the clock cannot be believed.
    pub now: Option<WallTime>,
    /// `install --force`: waives the configured serial.
    pub force: bool,
}

/// What becomes of a candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Byte for byte what is installed: nothing to write, nothing to reload.
    Same,
    /// Taken at once: nothing is lost by it, or nothing usable is installed.
    Better(Difference),
    /// Taken when a person accepts it, or by itself when its time has come: never in silence.
    Changed(Difference),
    /// It ends no later and gives nothing more: the installed license stays.
    Worse(Difference),
    /// Never taken.
    Refused(Refused),
}

/// What a candidate changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Names of entitlements that the candidate lacks or that end more than a day earlier in it.
    pub lost: Vec<String>,
    /// The reverse.
    pub gained: Vec<String>,
    /// How the candidate's end compares with the installed license's.
    pub ends: Ordering,
}

/// Why a candidate is never taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// `license.serial` names another one.
    NotConfigured { wanted: String, got: String },
    /// The answer to a request for one serial holds another one.
    NotAsked { wanted: String, got: String },
    /// It is past its end.
    Expired { at: WallTime, now: WallTime },
    /// Its issue date lies in the future.
    NotYetValid { from: WallTime, now: WallTime },
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotConfigured { wanted, got } => {
                write!(f, "it has serial {}, and license.serial is {}", one_line(got), one_line(wanted))
            }
            Self::NotAsked { wanted, got } => {
                write!(f, "it has serial {}, and {} was asked for", one_line(got), one_line(wanted))
            }
            Self::Expired { at, now } => write!(f, "it expired {} ({at})", relative(*at, *now)),
            Self::NotYetValid { from, now } => write!(f, "it is valid only {} ({from})", relative(*from, *now)),
        }
    }
}

impl Difference {
    /// Between the installed license and a candidate.
    #[must_use]
    pub fn between(installed: &License, candidate: &License) -> Self {
        Self {
            lost: lost(installed, candidate),
            gained: lost(candidate, installed),
            ends: candidate.expires_at.cmp(&installed.expires_at),
        }
    }

    /// Where there is nothing to lose.
    const fn from_nothing() -> Self {
        Self { lost: Vec::new(), gained: Vec::new(), ends: Ordering::Greater }
    }
}

impl fmt::Display for Difference {
    /// One clause: what is lost, what is gained, and whether it ends earlier.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if !self.lost.is_empty() {
            parts.push(format!("it no longer entitles to {}", list(&self.lost)));
        }
        if !self.gained.is_empty() {
            parts.push(format!("it newly entitles to {}", list(&self.gained)));
        }
        if self.ends == Ordering::Less {
            parts.push("it ends earlier".to_owned());
        }
        f.write_str(&if parts.is_empty() { "nothing is lost".to_owned() } else { parts.join(", ") })
    }
}

/// Judges a candidate that has already been verified.
#[must_use]
pub fn weigh(candidate: &Authentic, terms: &Terms<'_>) -> Verdict {
    let got = &candidate.license().serial;
    let another = |wanted: Option<&str>| wanted.filter(|wanted| wanted != got).map(str::to_owned);
    if let Some(wanted) = another(terms.asked) {
        return Verdict::Refused(Refused::NotAsked { wanted, got: got.clone() });
    }
    if let Some(wanted) = another(terms.configured).filter(|_| !terms.force) {
        return Verdict::Refused(Refused::NotConfigured { wanted, got: got.clone() });
    }
    if terms.installed.is_some_and(|installed| installed.sha256() == candidate.sha256()) {
        return Verdict::Same;
    }
    if let Some(refused) = out_of_time(candidate, terms.now) {
        return Verdict::Refused(refused);
    }
    let serves = |installed: &&Authentic| {
        matches!(installed.state(terms.now), State::Valid | State::Unchecked | State::ClockUntrusted)
    };
    let Some(installed) = terms.installed else { return Verdict::Better(Difference::from_nothing()) };
    let difference = Difference::between(installed.license(), candidate.license());
    if !serves(&installed) {
        return Verdict::Better(difference);
    }
    match (difference.ends, difference.lost.is_empty(), difference.gained.is_empty()) {
        (Ordering::Greater, true, _) | (Ordering::Equal, true, false) => Verdict::Better(difference),
        (Ordering::Less | Ordering::Equal, _, true) => Verdict::Worse(difference),
        _ => Verdict::Changed(difference),
    }
}

/// By a clock that is believed, its time is over or has not come.
fn out_of_time(candidate: &Authentic, now: Option<WallTime>) -> Option<Refused> {
    let now = now?;
    let fields = candidate.license();
    match candidate.state(Some(now)) {
        State::Expired => Some(Refused::Expired { at: fields.expires_at, now }),
        State::NotYetValid => Some(Refused::NotYetValid { from: fields.created_at.unwrap_or(fields.expires_at), now }),
        _ => None,
    }
}

/// The entitlements that `old` has and `new` lacks, or that end more than a day earlier in it. An entitlement that lasts
/// as long as its license is not lost by the end of the license: that end is compared by itself. Ends of entitlements are
/// whole days, read as their first moment, so a day less is no difference.
fn lost(old: &License, new: &License) -> Vec<String> {
    let end = |license: &License, entitlement: &Entitlement| {
        entitlement.not_valid_after.map_or(license.expires_at, |date| date.min(license.expires_at))
    };
    let is_lost = |wanted: &&Entitlement| {
        let given = new.entitlements.iter().filter(|given| given.name == wanted.name);
        let wanted_end = end(old, wanted).min(new.expires_at);
        given.map(|given| end(new, given)).max().is_none_or(|given| given.plus(DAY) < wanted_end)
    };
    old.entitlements.iter().filter(is_lost).map(|entitlement| entitlement.name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::license::verify::Verifier;
    use crate::core::time::{HOUR, MINUTE, Millis};

    /// 2027-01-15 08:00:00 UTC.
    const NOW: WallTime = WallTime::from_unix(1_800_000_000);

    /// A license in a few words; times are relative to [`NOW`], an entitlement may have an end of its own (`a@9` ends on
    /// the ninth day).
    #[derive(Clone, Copy)]
    struct Draft(&'static str, Millis, Millis, &'static str);

    impl Draft {
        fn license(self) -> Authentic {
            let Self(serial, begins, ends, names) = self;
            let entry = |name: &str| match name.split_once('@') {
                None => format!(r#""{name}""#),
                Some((name, day)) => {
                    let date = NOW.plus(day.parse::<i64>().expect("a day") * DAY).date();
                    format!(r#"{{"name":"{name}","not_valid_after":"{date}"}}"#)
                }
            };
            let names: Vec<String> = names.split_whitespace().map(entry).collect();
            let (begins, ends) = (NOW.plus(begins).unix(), NOW.plus(ends).unix());
            let text = format!(
                r#"{{"serial":"{serial}","created_at":{{"unix":{begins}}},"expire_at":{{"unix":{ends}}},"entitlements":[{}]}}"#,
                names.join(",")
            );
            Verifier::default().check(text.as_bytes()).expect("a license")
        }
    }

    /// Serial S, one entitlement for each letter.
    const fn s(ends: Millis, names: &'static str) -> Draft {
        Draft("S", -DAY, ends, names)
    }

    /// The same with serial T: made anew.
    const fn t(ends: Millis, names: &'static str) -> Draft {
        Draft("T", -DAY, ends, names)
    }

    /// A verdict in one line: its word, what is lost after `-`, what is gained after `+`.
    fn word(verdict: &Verdict) -> String {
        let say = |word: &str, difference: &Difference| {
            let part = |sign: &str, names: &[String]| match names {
                [] => String::new(),
                _ => format!(" {sign}{}", names.join(sign)),
            };
            format!("{word}{}{}", part("-", &difference.lost), part("+", &difference.gained))
        };
        match verdict {
            Verdict::Same => "same".to_owned(),
            Verdict::Better(difference) => say("better", difference),
            Verdict::Changed(difference) => say("changed", difference),
            Verdict::Worse(difference) => say("worse", difference),
            Verdict::Refused(Refused::NotConfigured { .. }) => "not configured".to_owned(),
            Verdict::Refused(Refused::NotAsked { .. }) => "not asked".to_owned(),
            Verdict::Refused(Refused::Expired { .. }) => "expired".to_owned(),
            Verdict::Refused(Refused::NotYetValid { .. }) => "not yet valid".to_owned(),
        }
    }

    #[track_caller]
    fn judged(installed: Option<Draft>, candidate: Draft, wanted: &str, adjust: impl FnOnce(&mut Terms<'_>)) {
        let installed = installed.map(Draft::license);
        let mut terms =
            Terms { installed: installed.as_ref(), configured: None, asked: None, now: Some(NOW), force: false };
        adjust(&mut terms);
        assert_eq!(word(&weigh(&candidate.license(), &terms)), wanted);
    }

    #[test]
    fn ends_and_entitlements_decide() {
        let week = 7 * DAY;
        let rows: &[(Draft, Draft, &str)] = &[
            // The same bytes, also of what has ended.
            (s(week, "a b"), s(week, "a b"), "same"),
            (s(-HOUR, "a"), s(-HOUR, "a"), "same"),
            // Later.
            (s(DAY, "a b"), s(week, "a b"), "better"),
            (s(DAY, "a b"), s(DAY + 1_000, "a b"), "better"),
            (s(DAY, "a b"), s(week, "b a"), "better"),
            (s(DAY, ""), s(week, ""), "better"),
            (s(DAY, "a"), s(week, "a b"), "better +b"),
            (s(DAY, ""), s(week, "a"), "better +a"),
            (s(DAY, "a b"), s(week, "a"), "changed -b"),
            (s(DAY, "a"), s(week, ""), "changed -a"),
            (s(DAY, "a b"), s(week, "c"), "changed -a-b +c"),
            (s(DAY, "a b"), s(week, "a c"), "changed -b +c"),
            (s(5 * MINUTE, "a b"), s(week, "a"), "changed -b"),
            // The same end.
            (s(DAY, "a"), s(DAY, "a b"), "better +b"),
            (s(DAY, "a b"), s(DAY, "a"), "worse -b"),
            (s(DAY, "a b"), s(DAY, "a c"), "changed -b +c"),
            (s(DAY, "a b"), s(DAY, "b a"), "worse"),
            // Earlier.
            (s(week, "a b"), s(DAY, "a b"), "worse"),
            (s(week, "a b"), s(DAY, "a"), "worse -b"),
            (s(week, "a"), s(DAY, "a b"), "changed +b"),
            (s(week, "a b"), s(DAY, "a c"), "changed -b +c"),
            (s(week, "a b"), s(week - 1_000, "a b"), "worse"),
            (s(week, "a"), s(week - 1_000, "a b"), "changed +b"),
            (s(12 * HOUR, "a b"), s(week, "b"), "changed -a"),
            (s(3 * DAY, "a b c"), s(week, "c b"), "changed -a"),
            (s(DAY, "a b"), s(week, "A b"), "changed -a +A"),
            // A new serial changes nothing of that.
            (s(DAY, "a b"), t(week, "a b"), "better"),
            (s(DAY, "a"), t(week, "a b"), "better +b"),
            (s(DAY, "a b"), t(week, "a"), "changed -b"),
            (s(DAY, "a b"), t(DAY, "a b"), "worse"),
            (s(DAY, "a"), t(DAY, "a b"), "better +b"),
            (s(week, "a"), t(DAY, "a b"), "changed +b"),
            (s(week, "a"), t(DAY, "a"), "worse"),
            // Ends of entitlements: a day is no difference, more is one.
            (s(week, "a@7"), s(14 * DAY, "a@14"), "better"),
            (s(week, "a"), s(14 * DAY, "a@14"), "better"),
            (s(week, "a"), s(14 * DAY, "a@7"), "better"),
            (s(week, "a"), s(14 * DAY, "a@6"), "changed -a"),
            (s(week, "a b"), s(14 * DAY, "a b@3"), "changed -b"),
            (s(week, "a@3"), s(14 * DAY, "a@4"), "better"),
            (s(week, "a@3"), s(14 * DAY, "a@14"), "better +a"),
            (s(week, "a@3"), s(week, "a"), "better +a"),
            (s(week, "a@3"), s(week, "a@4"), "worse"),
            (s(week, "a@3"), s(week, "a@5"), "better +a"),
            (s(week, "a@5"), s(week, "a@3"), "worse -a"),
            (s(week, "a@5 b@3"), s(week, "a@3 b@5"), "changed -a +b"),
            (s(week, "a@99"), s(week, "a"), "worse"),
            (s(week, "a"), s(DAY, "a@99"), "worse"),
            (s(week, "a@1"), s(3 * DAY, "a"), "changed +a"),
            (s(week, "a@5 b"), t(14 * DAY, "a b"), "better +a"),
            (s(week, "a b"), t(14 * DAY, "a@2 c"), "changed -a-b +c"),
            (s(week, "a@1 b@1"), s(DAY, "a b"), "worse"),
            (s(DAY, "a@-3"), s(week, "a"), "better +a"),
            (s(DAY, "a a@0"), s(week, "a"), "better +a"),
            // What does not serve is replaced by what does.
            (s(-HOUR, "a b"), s(week, "a"), "better -b"),
            (s(-HOUR, "a b"), t(HOUR, ""), "better -a-b"),
            (s(0, "a b"), t(HOUR, "a"), "better -b"),
            (Draft("S", HOUR, 99 * DAY, "a b"), t(week, "a"), "better -b"),
            // Dates of the candidate.
            (s(-DAY, "a"), s(-HOUR, "a b"), "expired"),
            (s(DAY, "a"), s(0, "a"), "expired"),
            (s(DAY, "a"), Draft("S", HOUR, week, "a b"), "not yet valid"),
            (s(DAY, "a"), Draft("S", 4 * MINUTE, week, "a"), "better"),
        ];
        for (number, (installed, candidate, wanted)) in rows.iter().enumerate() {
            let (installed, candidate) = (installed.license(), candidate.license());
            let terms =
                Terms { installed: Some(&installed), configured: None, asked: None, now: Some(NOW), force: false };
            assert_eq!(word(&weigh(&candidate, &terms)), *wanted, "row {number}");
        }
    }

    #[test]
    fn nothing_installed_loses_nothing() {
        judged(None, s(HOUR, ""), "better", |_| {});
        judged(None, s(-HOUR, "a"), "expired", |_| {});
        judged(None, Draft("S", HOUR, DAY, "a"), "not yet valid", |_| {});
        judged(None, s(HOUR, ""), "not configured", |terms| terms.configured = Some("T"));
        judged(None, s(HOUR, ""), "not asked", |terms| terms.asked = Some("T"));
    }

    #[test]
    fn serials_that_were_named_bind() {
        let (old, new) = (s(DAY, "a"), t(7 * DAY, "a b"));
        judged(Some(old), new, "better +b", |terms| terms.configured = Some("T"));
        judged(Some(old), new, "not configured", |terms| terms.configured = Some("S"));
        judged(Some(old), new, "not asked", |terms| terms.asked = Some("S"));
        judged(Some(old), new, "better +b", |terms| terms.asked = Some("T"));
        judged(Some(s(-HOUR, "a")), new, "not configured", |terms| terms.configured = Some("S"));
        judged(Some(old), old, "not configured", |terms| terms.configured = Some("T"));
        // `install --force` waives the configuration, and no request.
        judged(Some(old), new, "better +b", |terms| (terms.configured, terms.force) = (Some("S"), true));
        judged(Some(old), new, "not asked", |terms| (terms.asked, terms.force) = (Some("S"), true));
        // Nor any date.
        judged(Some(old), s(-HOUR, "a"), "expired", |terms| terms.force = true);
        judged(Some(old), Draft("S", HOUR, DAY, "a"), "not yet valid", |terms| terms.force = true);
        judged(Some(old), s(HOUR, "a"), "worse", |terms| terms.force = true);
    }

    #[test]
    fn a_doubted_clock_judges_no_date() {
        let doubted = |terms: &mut Terms<'_>| terms.now = None;
        judged(Some(s(DAY, "a")), s(7 * DAY, "a"), "better", doubted);
        judged(Some(s(DAY, "a b")), s(7 * DAY, "a"), "changed -b", doubted);
        judged(Some(s(-DAY, "a b")), s(-HOUR, "a b"), "better", doubted);
        // What seems to have ended may serve: nothing of it is given away.
        judged(Some(s(-DAY, "a b")), s(7 * DAY, "a"), "changed -b", doubted);
        judged(Some(s(-DAY, "a")), Draft("S", HOUR, 7 * DAY, "a"), "better", doubted);
        judged(None, s(-HOUR, "a"), "better", doubted);
    }

    #[test]
    fn every_reason_is_a_clause() {
        let (at, now) = (NOW.plus(-HOUR), NOW);
        let (wanted, got) = ("S\n1".to_owned(), "T".to_owned());
        for (refused, words) in [
            (
                Refused::NotConfigured { wanted: wanted.clone(), got: got.clone() },
                "it has serial T, and license.serial is S 1",
            ),
            (Refused::NotAsked { wanted, got }, "it has serial T, and S 1 was asked for"),
            (Refused::Expired { at, now }, "it expired "),
            (Refused::NotYetValid { from: NOW.plus(HOUR), now }, "it is valid only in"),
        ] {
            assert!(refused.to_string().starts_with(words), "{refused}");
        }
        let difference = |installed: Draft, candidate: Draft| {
            Difference::between(installed.license().license(), candidate.license().license()).to_string()
        };
        assert_eq!(
            difference(s(DAY, "a b"), s(HOUR, "b c")),
            "it no longer entitles to a, it newly entitles to c, it ends earlier"
        );
        assert_eq!(difference(s(DAY, "a"), s(DAY, "a")), "nothing is lost");
    }
}
