//! What people read on a terminal: the status, a verification, the hub's licenses.

use std::fmt::Write as _;

use crate::core::license::verify::State;
use crate::core::netifyd::{NetifydBootstrap, NetifydStatus};
use crate::core::report::status::{EntitlementStatus, LicenseStatus, Rfc3339, Status, Verification};
use crate::core::text::clean;
use crate::core::time::{WallTime, relative};

/// Colors, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paint(pub bool);

impl Paint {
    /// All that it writes beside the text.
    pub const SEQUENCES: [&str; 5] = ["\u{1b}[0m", "\u{1b}[1m", "\u{1b}[31m", "\u{1b}[32m", "\u{1b}[33m"];

    fn wrap(self, code: &str, text: &str) -> String {
        if self.0 { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    fn state(self, state: State) -> String {
        let code = match state {
            State::Valid => "32",
            State::Unchecked | State::ClockUntrusted => "33",
            _ => "31",
        };
        self.wrap(code, state.word())
    }

    fn bold(self, text: &str) -> String {
        self.wrap("1", text)
    }

    pub(super) fn bad(self, text: &str) -> String {
        self.wrap("31", text)
    }

    pub(super) fn good(self, text: &str) -> String {
        self.wrap("32", text)
    }
}

/// Two aligned columns.
#[derive(Debug, Default)]
struct Table(Vec<(String, String)>);

impl Table {
    fn row(&mut self, name: &str, value: impl Into<String>) {
        self.0.push((name.to_owned(), value.into()));
    }

    fn maybe(&mut self, name: &str, value: Option<&String>) {
        if let Some(value) = value {
            self.row(name, clean(value));
        }
    }

    fn text(&self) -> String {
        let width = self.0.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        self.0.iter().fold(String::new(), |mut text, (name, value)| {
            let _ = writeln!(text, "{name:width$}  {value}");
            text
        })
    }
}

fn when(Rfc3339(at): Rfc3339, now: WallTime) -> String {
    format!("{at} ({})", relative(at, now))
}

/// `now` is `None` while the clock cannot be believed: then nothing is said about how far away a date is.
fn date(at: Rfc3339, now: Option<WallTime>) -> String {
    now.map_or_else(|| at.0.to_string(), |now| when(at, now))
}

fn license_rows(table: &mut Table, license: &LicenseStatus, now: Option<WallTime>) {
    table.maybe("serial", license.serial.as_ref());
    table.maybe("issued to", license.issued_to.as_ref());
    if let Some(at) = license.issued_at {
        table.row("issued", date(at, now));
    }
    if let Some(at) = license.expires_at {
        let past = now.is_some_and(|now| at.0 <= now);
        table.row(if past { "expired" } else { "expires" }, date(at, now));
    }
    if let Some(renewable) = license.renewable {
        table.row("renewable", if renewable { "yes" } else { "no" });
    }
    if license.serial.is_some() {
        table.row("bound to", license.duid.as_deref().map_or_else(|| "no device".to_owned(), clean));
    }
    table.maybe("signed by key", license.key_id.as_ref());
    for (at, EntitlementStatus { name, not_valid_after }) in license.entitlements.iter().enumerate() {
        let date = not_valid_after.map(|at| format!(" until {}", at.0.date())).unwrap_or_default();
        table.row(if at == 0 { "entitlements" } else { "" }, format!("{}{date}", clean(name)));
    }
}

/// One screen: what is, what happens next, what went wrong, what to do.
#[must_use]
pub fn status(status: &Status, now: WallTime, paint: Paint, from: Option<&str>) -> String {
    let mut table = Table::default();
    let health = if status.healthy { "" } else { ", needs attention" };
    table.row("license", format!("{}{}", paint.state(status.state), paint.bad(health)));
    table.row("file", clean(&status.license.path));
    let believed = status.clock.trusted.then_some(now);
    license_rows(&mut table, &status.license, believed);
    let device = match (&status.device.duid, &status.device.source) {
        (Some(duid), Some(source)) => format!("{} (from {})", clean(duid), clean(source)),
        _ => "no device id".to_owned(),
    };
    table.row("this device", device);
    let renewal = &status.renewal;
    if let Some(at) = renewal.due_at {
        table.row("due", date(at, believed));
    }
    match (renewal.next_attempt_at, &renewal.reason) {
        (_, Some(_)) if status.pid.is_none() => table.row("next attempt", "none, as no daemon runs"),
        (Some(at), Some(why)) => table.row("next attempt", format!("{}: {}", when(at, now), clean(why))),
        (None, Some(why)) => table.row("next attempt", clean(why)),
        _ => {}
    }
    if let Some(at) = renewal.last_success_at {
        table.row("last success", when(at, now));
    }
    let mut above = None;
    for (at, attempt) in renewal.history.iter().rev().enumerate() {
        // A long sentence is read once.
        let error = match attempt.error.as_deref() {
            Some(error) if above == Some(error) => ": the same".to_owned(),
            Some(error) => format!(": {}", clean(error)),
            None => String::new(),
        };
        above = attempt.error.as_deref();
        table.row(
            if at == 0 { "last attempts" } else { "" },
            format!("{} {}{error}", when(attempt.at, now), attempt.outcome),
        );
    }
    let reload = &status.reload;
    let last = match (&reload.last_outcome, reload.last_at) {
        (Some(outcome), Some(at)) => format!(", last {outcome} {}", when(at, now)),
        _ => String::new(),
    };
    let pending = if reload.pending { paint.bad(", pending") } else { String::new() };
    table.row("reload", format!("{}{last}{pending}", clean(&reload.method)));
    table.maybe("netifyd", netifyd(&status.netifyd).as_ref());
    let clock = if status.clock.trusted { "trusted" } else { "not trusted" };
    table.row("clock", format!("{clock}: {}", clean(&status.clock.why)));
    table.maybe("clock skew", status.clock.skew.as_ref());
    table.row("hub", format!("{} ({})", clean(&status.hub.url), clean(&status.hub.kind)));
    let version = clean(&status.version);
    let daemon = match (status.pid, from) {
        (_, Some(from)) => clean(from),
        (Some(pid), None) => format!("running, process {pid}, version {version}"),
        (None, None) => format!("not running (this is version {version})"),
    };
    table.row("daemon", daemon);
    let mut text = table.text();
    list(&mut text, &paint.bold("Problems"), &status.problems);
    list(&mut text, &paint.bold("What to do"), &status.advice);
    text
}

/// What netifyd says of itself; [`None`] where nothing more is known than that it runs.
fn netifyd(seen: &NetifydStatus) -> Option<String> {
    let mut parts = Vec::new();
    parts.extend(seen.running.filter(|runs| !runs).map(|_| "does not run".to_owned()));
    parts.extend(seen.version.as_ref().map(|version| format!("version {}", clean(version))));
    parts.extend(
        seen.license_manager
            .map(|loaded| if loaded { "license manager loaded" } else { "license manager not loaded" }.to_owned()),
    );
    if let Some(signatures) = &seen.signatures {
        let version = signatures.version.as_ref().map_or_else(String::new, |version| format!(" {}", clean(version)));
        let apps = signatures.apps.map_or_else(String::new, |apps| format!(" ({apps} applications)"));
        parts.push(format!("signatures{version}{apps}"));
    }
    if let Some(NetifydBootstrap { code, message }) = &seen.bootstrap {
        let code = code.map_or_else(String::new, |code| format!(" {code}"));
        let message = message.as_ref().map_or_else(String::new, |message| format!(" ({})", clean(message)));
        parts.push(format!("the vendor's API answered it{code}{message}"));
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn list(text: &mut String, title: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n{title}");
    for line in lines {
        let _ = writeln!(text, "  - {}", clean(line));
    }
}

/// What `verify` says.
#[must_use]
pub fn verification(verification: &Verification, now: WallTime, paint: Paint) -> String {
    let mut table = Table::default();
    table.row("license", paint.state(verification.state));
    table.row("file", clean(&verification.license.path));
    license_rows(&mut table, &verification.license, (verification.state != State::ClockUntrusted).then_some(now));
    if let Some(duid) = &verification.device.duid {
        table.row("this device", clean(duid));
    }
    let mut text = table.text();
    list(&mut text, &paint.bold("What does not hold"), &verification.problems);
    text
}

/// A table of licenses, soonest expiry first as given.
#[must_use]
pub fn licenses(licenses: &[LicenseStatus], now: WallTime) -> String {
    let mut rows = vec![["SERIAL", "ISSUED TO", "DEVICE", "EXPIRES", "ENTITLEMENTS"].map(str::to_owned)];
    rows.extend(licenses.iter().map(|license| {
        [
            license.serial.as_deref().map(clean).unwrap_or_default(),
            license.issued_to.as_deref().map(clean).unwrap_or_default(),
            license.duid.as_deref().map_or_else(|| "-".to_owned(), clean),
            license.expires_at.map(|at| when(at, now)).unwrap_or_default(),
            license.entitlements.iter().map(|e| clean(&e.name)).collect::<Vec<_>>().join(","),
        ]
    }));
    let width = |column: usize| rows.iter().map(|row| columns(&row[column])).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2), width(3)];
    rows.iter().fold(String::new(), |mut text, row| {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            let _ = write!(line, "{cell}{}  ", " ".repeat(width - columns(cell)));
        }
        let _ = writeln!(text, "{}", (line + &row[4]).trim_end());
        text
    })
}

/// How many columns of a terminal a text takes.
fn columns(text: &str) -> usize {
    #[cfg(feature = "wide-tables")]
    return unicode_width::UnicodeWidthStr::width(text);
    #[cfg(not(feature = "wide-tables"))]
    text.chars().count()
}

impl Status {
    /// One line for the service manager.
    #[must_use]
    pub fn line(&self) -> String {
        let serial = self.license.serial.as_deref().map(|serial| format!(" {}", clean(serial))).unwrap_or_default();
        let expires = self.license.expires_at.map(|at| format!(", ends {}", at.0.rfc3339())).unwrap_or_default();
        let next =
            self.renewal.next_attempt_at.map(|at| format!(", next attempt {}", at.0.rfc3339())).unwrap_or_default();
        let refused = self.configuration.refused.as_ref();
        let refused = refused.map(|refused| format!("; configuration refused: {}", clean(&refused.sentence())));
        format!("license{serial} {}{expires}{next}{}", self.state, refused.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::report::check::tests::status as bare;
    use crate::core::report::status::{AttemptStatus, DeviceStatus};
    use crate::core::state::word::{ReloadWord, Word};
    use crate::core::time::DAY;

    const PLAIN: Paint = Paint(false);

    /// Five days before the license of the tests ends.
    fn now() -> WallTime {
        WallTime::from_unix(1_780_012_800).plus(-5 * DAY)
    }

    fn attempt(days_ago: i64, error: Option<&str>) -> AttemptStatus {
        let outcome = if error.is_some() { Word::Outage } else { Word::Installed };
        AttemptStatus {
            at: Rfc3339(now().plus(-days_ago * DAY)),
            outcome,
            error: error.map(str::to_owned),
            http_status: None,
        }
    }

    /// Rows of a screen by their name; rows without one go on with the row above.
    fn row<'a>(screen: &'a str, name: &str) -> Vec<&'a str> {
        let mut rows = screen.lines().skip_while(|line| !line.starts_with(name));
        let first = rows.next().map(|line| line.trim_start_matches(name).trim());
        first.into_iter().chain(rows.take_while(|line| line.starts_with(' ')).map(str::trim)).collect()
    }

    #[test]
    #[cfg(feature = "wide-tables")]
    fn columns_are_aligned_in_every_script() {
        let row = |name: &str| LicenseStatus {
            serial: Some("S".to_owned()),
            issued_to: Some(name.to_owned()),
            duid: Some("D".to_owned()),
            ..LicenseStatus::default()
        };
        let names = ["Acme", "株式会社", "Cafe\u{301}", "ｗｉｄｅ", "\u{1f600}", "Ünïcödé"];
        let table = licenses(&names.map(row), now());
        let starts: Vec<usize> =
            table.lines().skip(1).map(|line| columns(&line[..line.rfind('D').expect("a device")])).collect();
        assert_eq!(starts, [19; 6], "{table}");
    }

    #[test]
    fn a_bare_status_says_what_is_not_there() {
        let mut nothing = bare(State::Missing);
        nothing.license = LicenseStatus::none("/l");
        let screen = status(&nothing, now(), PLAIN, None);
        assert_eq!(row(&screen, "license"), ["missing, needs attention"]);
        assert_eq!(row(&screen, "this device"), ["no device id"]);
        assert_eq!(row(&screen, "daemon"), ["not running (this is version 1.2.3)"]);
        for absent in ["serial", "bound to", "due", "next attempt", "last", "Problems", "What to do"] {
            assert_eq!(row(&screen, absent), Vec::<&str>::new(), "{absent}");
        }
    }

    #[test]
    fn a_full_status_is_one_screen() {
        let mut full = bare(State::Valid);
        full.pid = Some(812);
        full.license.renewable = Some(false);
        full.license.issued_at = Some(Rfc3339(now().plus(-2 * DAY)));
        full.license.entitlements = [("a", Some(Rfc3339(now().plus(6 * DAY)))), ("b\u{7}", None)]
            .map(|(name, not_valid_after)| EntitlementStatus { name: name.to_owned(), not_valid_after })
            .to_vec();
        full.device =
            DeviceStatus { duid: Some("D-1\u{1b}[2J".to_owned()), source: Some("dmi".to_owned()), pinned: None };
        full.renewal.due_at = Some(Rfc3339(now().plus(DAY)));
        full.renewal.next_attempt_at = Some(Rfc3339(now().plus(2 * DAY)));
        full.renewal.reason = Some("it is due".to_owned());
        full.renewal.last_success_at = Some(Rfc3339(now().plus(-2 * DAY)));
        full.renewal.history = vec![attempt(3, None), attempt(2, Some("gone")), attempt(1, Some("gone"))];
        full.reload.method = "signal".to_owned();
        full.reload.pending = true;
        full.reload.last_outcome = Some(ReloadWord::Failed);
        full.reload.last_at = Some(Rfc3339(now()));
        full.clock.why = "it is".to_owned();
        full.clock.skew = Some("an hour".to_owned());
        full.problems = vec!["one".to_owned()];
        full.advice = vec!["do this".to_owned(), "or that".to_owned()];
        let screen = status(&full, now(), PLAIN, None);
        assert_eq!(row(&screen, "license"), ["valid"]);
        assert_eq!(row(&screen, "issued"), ["2026-05-22 00:00:00 UTC (2 days ago)"]);
        assert_eq!(row(&screen, "expires"), ["2026-05-29 00:00:00 UTC (in 5 days)"]);
        assert_eq!(row(&screen, "renewable"), ["no"]);
        assert_eq!(row(&screen, "bound to"), ["no device"]);
        assert_eq!(row(&screen, "entitlements"), ["a until 2026-05-30", "b"]);
        assert_eq!(row(&screen, "this device"), ["D-1[2J (from dmi)"]);
        assert_eq!(row(&screen, "due"), ["2026-05-25 00:00:00 UTC (in 1 day)"]);
        assert_eq!(row(&screen, "next attempt"), ["2026-05-26 00:00:00 UTC (in 2 days): it is due"]);
        assert_eq!(row(&screen, "last success"), ["2026-05-22 00:00:00 UTC (2 days ago)"]);
        // Newest first; what the line above says is not said again.
        let attempts = [
            "2026-05-23 00:00:00 UTC (1 day ago) outage: gone",
            "2026-05-22 00:00:00 UTC (2 days ago) outage: the same",
            "2026-05-21 00:00:00 UTC (3 days ago) installed",
        ];
        assert_eq!(row(&screen, "last attempts"), attempts);
        assert_eq!(row(&screen, "reload"), ["signal, last failed 2026-05-24 00:00:00 UTC (now), pending"]);
        assert_eq!(row(&screen, "clock  "), ["trusted: it is"]);
        assert_eq!(row(&screen, "clock skew"), ["an hour"]);
        assert_eq!(row(&screen, "daemon"), ["running, process 812, version 1.2.3"]);
        assert!(screen.ends_with("\nProblems\n  - one\n\nWhat to do\n  - do this\n  - or that\n"), "{screen}");
    }

    #[test]
    fn what_netifyd_says_of_itself() {
        let mut shown = bare(State::Valid);
        let line = |shown: &Status| row(&status(shown, now(), PLAIN, None), "netifyd").join("|");
        assert_eq!(line(&shown), "");
        shown.netifyd.running = Some(true);
        assert_eq!(line(&shown), "", "that it runs is nothing to say");
        shown.netifyd = NetifydStatus {
            running: Some(true),
            version: Some("5.2.8".to_owned()),
            license_manager: Some(false),
            signatures: Some(crate::core::netifyd::NetifydSignatures {
                version: Some("v1".to_owned()),
                apps: Some(199),
                ..Default::default()
            }),
            bootstrap: Some(NetifydBootstrap { code: Some(7), message: Some("no license".to_owned()) }),
        };
        assert_eq!(
            line(&shown),
            "version 5.2.8, license manager not loaded, signatures v1 (199 applications), the vendor's API answered it 7 (no license)"
        );
    }

    #[test]
    fn a_clock_that_is_not_believed_measures_no_distance() {
        let mut doubtful = bare(State::ClockUntrusted);
        doubtful.clock.trusted = false;
        doubtful.pid = Some(812);
        doubtful.license.issued_at = Some(Rfc3339(now().plus(-2 * DAY)));
        doubtful.renewal.reason = Some("a client asks".to_owned());
        let screen = status(&doubtful, now().plus(90 * DAY), PLAIN, Some("from status.json"));
        assert_eq!(row(&screen, "expires"), ["2026-05-29 00:00:00 UTC"]);
        assert_eq!(row(&screen, "issued"), ["2026-05-22 00:00:00 UTC"]);
        assert_eq!(row(&screen, "next attempt"), ["a client asks"]);
        assert_eq!(row(&screen, "clock"), ["not trusted:"]);
        assert_eq!(row(&screen, "daemon"), ["from status.json"]);
        doubtful.clock.trusted = true;
        doubtful.pid = None;
        let screen = status(&doubtful, now().plus(6 * DAY), PLAIN, None);
        assert_eq!(row(&screen, "next attempt"), ["none, as no daemon runs"]);
        assert_eq!(row(&screen, "expired"), ["2026-05-29 00:00:00 UTC (1 day ago)"]);
        assert_eq!(row(&screen, "issued"), ["2026-05-22 00:00:00 UTC (8 days ago)"]);
    }

    #[test]
    fn colors_go_with_the_state() {
        let painted = |state| status(&bare(state), now(), Paint(true), None);
        assert!(painted(State::Valid).contains("\u{1b}[32mvalid\u{1b}[0m"));
        assert!(painted(State::Unchecked).contains("\u{1b}[33munchecked\u{1b}[0m"));
        assert!(painted(State::Expired).contains("\u{1b}[31mexpired\u{1b}[0m\u{1b}[31m, needs attention\u{1b}[0m"));
    }

    #[test]
    fn a_verification_says_what_does_not_hold() {
        let mut judged = Verification {
            state: State::ClockUntrusted,
            license: bare(State::Valid).license,
            device: DeviceStatus { duid: Some("D-1".to_owned()), source: None, pinned: None },
            problems: vec!["the clock".to_owned()],
        };
        judged.license.duid = Some("D-1".to_owned());
        judged.license.renewable = Some(true);
        let screen = verification(&judged, now(), PLAIN);
        assert_eq!(row(&screen, "expires"), ["2026-05-29 00:00:00 UTC"]);
        assert_eq!(row(&screen, "bound to"), ["D-1"]);
        assert_eq!(row(&screen, "renewable"), ["yes"]);
        assert_eq!(row(&screen, "this device"), ["D-1"]);
        assert!(screen.ends_with("\nWhat does not hold\n  - the clock\n"), "{screen}");
        (judged.state, judged.device, judged.problems) = (State::Expired, DeviceStatus::default(), Vec::new());
        let screen = verification(&judged, now().plus(5 * DAY), PLAIN);
        assert_eq!(row(&screen, "expired"), ["2026-05-29 00:00:00 UTC (now)"]);
        assert!(!screen.contains("this device") && !screen.contains("What does not hold"), "{screen}");
    }

    #[test]
    fn licenses_are_a_table() {
        let mut one = bare(State::Valid).license;
        one.issued_to = Some("Toronto\n Office".to_owned());
        one.duid = Some("D-1".to_owned());
        one.entitlements =
            ["a", "b"].map(|name| EntitlementStatus { name: name.to_owned(), not_valid_after: None }).to_vec();
        let expected = "SERIAL  ISSUED TO       DEVICE  EXPIRES                              ENTITLEMENTS\n\
                        S-1     Toronto Office  D-1     2026-05-29 00:00:00 UTC (in 5 days)  a,b\n                        -\n";
        assert_eq!(licenses(&[one, LicenseStatus::none("/l")], now()), expected);
    }

    #[test]
    fn one_line_for_the_service_manager() {
        let mut status = bare(State::Valid);
        assert_eq!(status.line(), "license S-1 valid, ends 2026-05-29T00:00:00Z");
        status.renewal.next_attempt_at = Some(Rfc3339(now().plus(DAY)));
        status.license = LicenseStatus::none("/l");
        assert_eq!(status.line(), "license valid, next attempt 2026-05-25T00:00:00Z");
    }
}
