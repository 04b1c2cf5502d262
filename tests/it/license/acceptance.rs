//! Acceptance of candidates: what may replace what, as one table.

use super::forge::{DEVICE, NOW, sign, transport, trusting, with_signature};
use netify_licensed::core::accept::{Acceptance, Refusal, Standing, judge};
use netify_licensed::core::license::verify::Authentic;
use netify_licensed::core::time::{DAY, HOUR, MINUTE, Millis, SECOND, WallTime};
use serde_json::json;

/// A license in a few words. Times are relative to the present.
#[derive(Debug, Clone, Copy)]
struct Draft {
    serial: &'static str,
    ends: Millis,
    issued: Option<Millis>,
    entitlements: &'static [&'static str],
    note: &'static str,
    key: u8,
}

/// Ends in a week, issued today.
const DRAFT: Draft =
    Draft { serial: "S-1", ends: 7 * DAY, issued: Some(-HOUR), entitlements: &["a", "b"], note: "", key: 1 };

/// What is installed in most rows: ends in two days.
const OLD: Draft = Draft { ends: 2 * DAY, issued: Some(-5 * DAY), ..DRAFT };
/// What somebody installed too early: it begins in an hour and ends in a year.
const EARLY: Draft = Draft { ends: 365 * DAY, issued: Some(HOUR), ..DRAFT };
/// What is installed in some: ended an hour ago.
const ENDED: Draft = Draft { ends: -HOUR, ..OLD };

impl Draft {
    fn text(&self) -> String {
        let mut document =
            json!({"serial": self.serial, "duid": DEVICE, "expire_at": {"unix": NOW.plus(self.ends).unix()}});
        if let Some(issued) = self.issued {
            document["created_at"] = json!({"unix": NOW.plus(issued).unix()});
        }
        document["entitlements"] = json!(self.entitlements);
        document["note"] = json!(self.note);
        document.to_string()
    }

    fn license(&self) -> Authentic {
        let text = self.text();
        let signature = sign(super::forge::canonical(&text).as_bytes(), self.key);
        trusting(&[1, 2]).check(&with_signature(&text, &signature)).expect("genuine")
    }
}

/// What must become of a candidate.
#[derive(Debug, PartialEq)]
enum Verdict {
    Installed,
    InstalledWithLoss(&'static [&'static str]),
    Same,
    OtherSerial,
    Expired,
    NotYetValid,
    NotLater,
    Fewer(&'static [&'static str]),
}
use Verdict::{Expired, Fewer, Installed, InstalledWithLoss, NotLater, NotYetValid, OtherSerial, Same};

struct Row {
    name: &'static str,
    candidate: Draft,
    installed: Option<Draft>,
    asked_for: Option<&'static str>,
    clock: Option<WallTime>,
    force: bool,
    verdict: Verdict,
}

/// A candidate for a device that has [`OLD`], asked for by nobody, with a clock that is believed.
fn row(name: &'static str, candidate: Draft, verdict: Verdict) -> Row {
    Row { name, candidate, installed: Some(OLD), asked_for: None, clock: Some(NOW), force: false, verdict }
}

impl Row {
    fn over(self, installed: Draft) -> Self {
        Self { installed: Some(installed), ..self }
    }

    fn over_nothing(self) -> Self {
        Self { installed: None, ..self }
    }

    fn asked(self, serial: &'static str) -> Self {
        Self { asked_for: Some(serial), ..self }
    }

    fn unclocked(self) -> Self {
        Self { clock: None, ..self }
    }

    fn forced(self) -> Self {
        Self { force: true, ..self }
    }

    fn judged(&self) -> Result<Acceptance, Refusal> {
        let installed = self.installed.as_ref().map(Draft::license);
        let standing =
            Standing { installed: installed.as_ref(), serial: self.asked_for, now: self.clock, force: self.force };
        judge(&self.candidate.license(), &standing)
    }
}

fn table() -> Vec<Row> {
    let ending = |ends| Draft { ends, ..DRAFT };
    let issued = |issued| Draft { issued: Some(issued), ..DRAFT };
    let with = |entitlements: &'static [&'static str]| Draft { entitlements, ..DRAFT };
    let other = Draft { serial: "S-2", ..DRAFT };
    let ended_other = Draft { serial: "S-2", ends: -MINUTE, ..DRAFT };
    vec![
        row("ends later", DRAFT, Installed),
        row("ends a second later", ending(2 * DAY + SECOND), Installed),
        row("ends at the same time, other bytes", Draft { note: "x", ..OLD }, NotLater),
        row("ends a second earlier", ending(2 * DAY - SECOND), NotLater),
        row("ends earlier", ending(DAY), NotLater),
        row("the same bytes", OLD, Same),
        row("the same bytes, forced", OLD, Same).forced(),
        row("the same bytes, by no clock", OLD, Same).unclocked(),
        row("the same bytes, expired", ENDED, Same).over(ENDED),
        row("the same bytes, though another serial was asked for", OLD, Same).asked("S-9"),
        row("ends earlier, forced", ending(DAY), Installed).forced(),
        row("ends at the same time, forced", Draft { note: "x", ..OLD }, Installed).forced(),
        row("ends later, forced", DRAFT, Installed).forced(),
        row("nothing is installed", DRAFT, Installed).over_nothing(),
        row("nothing is installed, and it ends in a second", ending(SECOND), Installed).over_nothing(),
        row("nothing is installed, and it has expired", ending(-SECOND), Expired).over_nothing(),
        row("nothing is installed, by no clock", ending(-SECOND), Installed).over_nothing().unclocked(),
        row("nothing is installed, the serial asked for", DRAFT, Installed).over_nothing().asked("S-1"),
        row("nothing is installed, another serial", other, OtherSerial).over_nothing().asked("S-1"),
        row("nothing is installed, another serial, forced", other, Installed).over_nothing().asked("S-1").forced(),
        row("another serial than the installed one", other, OtherSerial),
        row("another serial, which was asked for", other, Installed).asked("S-2"),
        row("another serial, forced", other, Installed).forced(),
        row("the installed serial, another was asked for", DRAFT, OtherSerial).asked("S-2"),
        row("the serial in another case", Draft { serial: "s-1", ..DRAFT }, OtherSerial),
        row("another serial after the end of the installed one", other, OtherSerial).over(ENDED),
        row("another serial and expired: the serial is named", ended_other, OtherSerial),
        row("another serial that was asked for, ends earlier", Draft { ends: DAY, ..other }, NotLater).asked("S-2"),
        row("expired", ending(-SECOND), Expired),
        row("expires this moment", ending(0), Expired),
        row("expired, forced", ending(-SECOND), Expired).forced(),
        row("expired, but later than the installed one", ending(-MINUTE), Expired).over(ENDED),
        row("expired, but by no clock", ending(-MINUTE), Installed).over(ENDED).unclocked(),
        row("later, by no clock", DRAFT, Installed).unclocked(),
        row("earlier, by no clock", ending(DAY), NotLater).unclocked(),
        row("renews an expired one", DRAFT, Installed).over(ENDED),
        row("issued in the future", issued(HOUR), NotYetValid),
        row("issued in the future, forced", issued(HOUR), NotYetValid).forced(),
        row("issued in the future, nothing is installed", issued(HOUR), NotYetValid).over_nothing(),
        row("issued in the future, by no clock", issued(HOUR), Installed).unclocked(),
        row("issued within the tolerance", issued(5 * MINUTE), Installed),
        row("issued a second beyond the tolerance", issued(5 * MINUTE + SECOND), NotYetValid),
        row("no issue date", Draft { issued: None, ..DRAFT }, Installed),
        row("issued before the installed one, ends later", issued(-30 * DAY), Installed),
        row("fewer entitlements", with(&["a"]), Fewer(&["b"])),
        row("no entitlements", with(&[]), Fewer(&["a", "b"])),
        row("other entitlements", with(&["c", "d"]), Fewer(&["a", "b"])),
        row("an entitlement in another case", with(&["a", "B"]), Fewer(&["b"])),
        row("more entitlements", with(&["a", "b", "c"]), Installed),
        row("the same entitlements in another order", with(&["b", "a"]), Installed),
        row("fewer entitlements, by no clock", with(&["a"]), Fewer(&["b"])).unclocked(),
        row("fewer entitlements after the end", with(&["a"]), InstalledWithLoss(&["b"])).over(ENDED),
        row("no entitlements after the end", with(&[]), InstalledWithLoss(&["a", "b"])).over(ENDED),
        row("fewer entitlements at the very end", with(&["a"]), InstalledWithLoss(&["b"]))
            .over(Draft { ends: 0, ..OLD }),
        row("fewer entitlements a second before the end", with(&["a"]), Fewer(&["b"]))
            .over(Draft { ends: SECOND, ..OLD }),
        row("fewer entitlements after the end, by no clock", with(&["a"]), Fewer(&["b"])).over(ENDED).unclocked(),
        row("fewer entitlements, forced", with(&["a"]), InstalledWithLoss(&["b"])).forced(),
        row("fewer entitlements and earlier: the date is named", Draft { ends: DAY, ..with(&["a"]) }, NotLater),
        row("fewer entitlements, nothing installed", with(&[]), Installed).over_nothing(),
        row("earlier than one that is not valid yet", ending(DAY), NotLater).over(EARLY),
        row("another serial than one that is not valid yet", other, OtherSerial).over(EARLY),
        row("earlier than one that is not valid yet, by no clock", ending(DAY), NotLater).over(EARLY).unclocked(),
        row("signed by the new key", Draft { key: 2, ..DRAFT }, Installed),
        row("the same license, signed by the new key", Draft { key: 2, ..OLD }, NotLater),
        row("ends in the year 9999", ending(WallTime::from_unix(253_402_300_799).since(NOW)), Installed),
    ]
}

#[test]
fn every_candidate_gets_its_verdict() {
    let table = table();
    assert!(table.len() >= 40);
    for row in &table {
        let names = |names: &[String]| -> Vec<String> { names.to_vec() };
        let (verdict, lost) = match row.judged() {
            Ok(Acceptance::Install { lost }) if lost.is_empty() => (Installed, lost),
            Ok(Acceptance::Install { lost }) => (InstalledWithLoss(&[]), lost),
            Ok(Acceptance::Same) => (Same, Vec::new()),
            Err(Refusal::OtherSerial { .. }) => (OtherSerial, Vec::new()),
            Err(Refusal::Expired { .. }) => (Expired, Vec::new()),
            Err(Refusal::NotYetValid { .. }) => (NotYetValid, Vec::new()),
            Err(Refusal::NotLater { .. }) => (NotLater, Vec::new()),
            Err(Refusal::FewerEntitlements { lost }) => (Fewer(&[]), lost),
        };
        let same_kind = std::mem::discriminant(&verdict) == std::mem::discriminant(&row.verdict);
        assert!(same_kind, "{}: {:?} instead of {:?}", row.name, row.judged(), row.verdict);
        if let InstalledWithLoss(expected) | Fewer(expected) = row.verdict {
            assert_eq!(names(&lost), expected, "{}", row.name);
        }
    }
    println!("{} candidates", table.len());
}

/// `--force` relaxes age, serial and entitlements; nothing that it lets through is expired, and it refuses nothing that
/// is accepted without it.
#[test]
fn force_only_relaxes() {
    for row in table() {
        let plain = row.judged();
        let forced = Row { force: true, ..row };
        match (plain, forced.judged()) {
            (Ok(plain), Ok(forced)) => assert_eq!(plain, forced),
            (Ok(_), Err(refusal)) => unreachable!("{}: forced is refused: {refusal}", forced.name),
            (Err(_), Ok(_)) => {}
            (Err(_), Err(refusal)) => {
                let dates = matches!(refusal, Refusal::Expired { .. } | Refusal::NotYetValid { .. });
                assert!(dates, "{}: {refusal}", forced.name);
            }
        }
    }
}

/// Two licenses never replace each other in turns: no pair of them is accepted in both directions.
#[test]
fn acceptance_has_a_direction() {
    let licenses: Vec<Authentic> = table().iter().map(|row| row.candidate.license()).collect();
    for now in [None, Some(NOW)] {
        for (first, second) in licenses.iter().flat_map(|first| licenses.iter().map(move |second| (first, second))) {
            let replaces = |candidate, installed| {
                let standing = Standing { installed: Some(installed), serial: None, now, force: false };
                matches!(judge(candidate, &standing), Ok(Acceptance::Install { .. }))
            };
            assert!(!(replaces(first, second) && replaces(second, first)));
            assert!(!replaces(first, first));
            if replaces(first, second) {
                assert!(first.license().expires_at > second.license().expires_at);
            }
        }
    }
}

/// An entitlement that ends earlier is as good as lost, unless dates and times of day alone make the difference.
#[test]
fn entitlements_that_end_earlier_are_lost() {
    let license = |ends: Millis, until: Option<Millis>| {
        let mut document = json!({"serial": "S-1", "duid": DEVICE, "expire_at": {"unix": NOW.plus(ends).unix()}});
        document["a"] = until.map_or_else(|| json!({}), |until| json!({ "not_valid_after": NOW.plus(until).date() }));
        document["entitlements"] = json!(["a"]);
        transport().check(document.to_string().as_bytes()).expect("unchecked")
    };
    let verdict = |old: &Authentic, new: &Authentic| {
        judge(new, &Standing { installed: Some(old), serial: None, now: Some(NOW), force: false })
    };
    let lost = Err(Refusal::FewerEntitlements { lost: vec!["a".to_owned()] });
    let kept = Ok(Acceptance::Install { lost: Vec::new() });
    let dated = license(2 * DAY, Some(10 * DAY));
    assert_eq!(verdict(&dated, &license(7 * DAY, Some(7 * DAY))), kept, "what outlives the license is of no use");
    assert_eq!(verdict(&dated, &license(7 * DAY, None)), kept);
    assert_eq!(verdict(&dated, &license(7 * DAY, Some(2 * DAY))), kept, "by a part of a day");
    assert_eq!(verdict(&dated, &license(7 * DAY, Some(-DAY))), lost);
    assert_eq!(verdict(&license(5 * DAY, None), &license(7 * DAY, Some(2 * DAY))), lost);
    let (old, a_day_less, two) = (license(9 * DAY, Some(5 * DAY)), Some(4 * DAY), Some(3 * DAY));
    assert_eq!(verdict(&old, &license(10 * DAY, a_day_less)), kept, "dates are read with care, a day less each time");
    assert_eq!(verdict(&old, &license(10 * DAY, two)), lost);
}

/// Without signatures the same rules hold.
#[test]
fn unchecked_licenses_are_judged_alike() {
    let license = |draft: Draft| transport().check(draft.text().as_bytes()).expect("unchecked");
    let (old, new, early) = (license(OLD), license(DRAFT), license(Draft { ends: DAY, ..DRAFT }));
    let standing = Standing { installed: Some(&old), serial: None, now: Some(NOW), force: false };
    assert_eq!(judge(&new, &standing), Ok(Acceptance::Install { lost: Vec::new() }));
    assert_eq!(judge(&old, &standing), Ok(Acceptance::Same));
    assert!(matches!(judge(&early, &standing), Err(Refusal::NotLater { .. })));
}

/// A refusal says what, and when.
#[test]
fn refusals_are_sentences_for_people() {
    let said = |name: &str| {
        let table = table();
        let row = table.iter().find(|row| row.name == name).expect("in the table");
        row.judged().expect_err("refused").to_string()
    };
    assert_eq!(said("another serial than the installed one"), "it has serial S-2, and S-1 was asked for");
    assert_eq!(said("expired"), "it expired 1 s ago (2027-01-15 07:59:59 UTC)");
    assert_eq!(said("issued in the future"), "it is valid only in 1 h (2027-01-15 09:00:00 UTC)");
    assert_eq!(
        said("ends at the same time, other bytes"),
        "it ends when the installed license ends (2027-01-17 08:00:00 UTC)"
    );
    assert_eq!(
        said("ends earlier"),
        "it ends 2027-01-16 08:00:00 UTC, earlier than the installed license (2027-01-17 08:00:00 UTC)"
    );
    assert_eq!(said("no entitlements"), "it lacks entitlements of the installed license, which still serves: a, b");
    let hostile = Refusal::FewerEntitlements { lost: vec!["\u{1b}[2J\n".to_owned(); 1_000] }.to_string();
    assert!(!hostile.contains(char::is_control) && hostile.ends_with("and 984 more"), "{hostile}");
}
