//! What people read on a terminal: the status, a verification, the hub's licenses.

use std::fmt::Write as _;

use super::foreign_text::clean;
use super::report::{EntitlementStatus, LicenseStatus, Status, Verification};
use super::time::{WallTime, relative};
use super::verify::State;

/// Colors, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paint(pub bool);

impl Paint {
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

    fn bad(self, text: &str) -> String {
        self.wrap("31", text)
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

fn when(rfc3339: &str, now: WallTime) -> String {
    WallTime::parse(rfc3339).map_or_else(|| clean(rfc3339), |at| format!("{at} ({})", relative(at, now)))
}

/// `now` is `None` while the clock cannot be believed: then nothing is said about how far away a date is.
fn date(rfc3339: &str, now: Option<WallTime>) -> String {
    match (now, WallTime::parse(rfc3339)) {
        (Some(now), _) => when(rfc3339, now),
        (None, Some(at)) => at.to_string(),
        (None, None) => clean(rfc3339),
    }
}

fn license_rows(table: &mut Table, license: &LicenseStatus, now: Option<WallTime>) {
    table.maybe("serial", license.serial.as_ref());
    table.maybe("issued to", license.issued_to.as_ref());
    if let Some(at) = &license.issued_at {
        table.row("issued", date(at, now));
    }
    if let Some(at) = &license.expires_at {
        let past = WallTime::parse(at).is_some_and(|at| now.is_some_and(|now| at <= now));
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
        let date = not_valid_after
            .as_ref()
            .map(|date| format!(" until {}", date.get(..10).unwrap_or(date)))
            .unwrap_or_default();
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
        (Some(duid), Some(source)) => format!("{} (from {source})", clean(duid)),
        _ => "no device id".to_owned(),
    };
    table.row("this device", device);
    let renewal = &status.renewal;
    if let Some(at) = &renewal.due_at {
        table.row("due", date(at, believed));
    }
    match (&renewal.next_attempt_at, &renewal.reason) {
        (Some(at), Some(why)) => table.row("next attempt", format!("{}: {why}", when(at, now))),
        (None, Some(why)) => table.row("next attempt", why.clone()),
        _ => {}
    }
    if let Some(at) = &renewal.last_success_at {
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
            format!("{} {}{error}", when(&attempt.at, now), attempt.outcome),
        );
    }
    let reload = &status.reload;
    let last = match (&reload.last_outcome, &reload.last_at) {
        (Some(outcome), Some(at)) => format!(", last {outcome} {}", when(at, now)),
        _ => String::new(),
    };
    let pending = if reload.pending { paint.bad(", pending") } else { String::new() };
    table.row("reload", format!("{}{last}{pending}", reload.method));
    let clock = if status.clock.trusted { "trusted" } else { "not trusted" };
    table.row("clock", format!("{clock}: {}", status.clock.why));
    table.maybe("clock skew", status.clock.skew.as_ref());
    table.row("hub", format!("{} ({})", status.hub.url, status.hub.kind));
    let daemon = match (status.pid, from) {
        (_, Some(from)) => from.to_owned(),
        (Some(pid), None) => format!("running, process {pid}, version {}", status.version),
        (None, None) => format!("not running (this is version {})", status.version),
    };
    table.row("daemon", daemon);
    let mut text = table.text();
    list(&mut text, &paint.bold("Problems"), &status.problems);
    list(&mut text, &paint.bold("What to do"), &status.advice);
    text
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
            license.expires_at.as_deref().map(|at| when(at, now)).unwrap_or_default(),
            license.entitlements.iter().map(|e| clean(&e.name)).collect::<Vec<_>>().join(","),
        ]
    }));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2), width(3)];
    rows.iter().fold(String::new(), |mut text, row| {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            let _ = write!(line, "{cell:width$}  ");
        }
        let _ = writeln!(text, "{}", (line + &row[4]).trim_end());
        text
    })
}

impl Status {
    /// One line for the service manager.
    #[must_use]
    pub fn line(&self) -> String {
        let serial = self.license.serial.as_deref().map(|serial| format!(" {}", clean(serial))).unwrap_or_default();
        let expires = self.license.expires_at.as_deref().map(|at| format!(", ends {at}")).unwrap_or_default();
        let next = self.renewal.next_attempt_at.as_deref().map(|at| format!(", next attempt {at}")).unwrap_or_default();
        format!("license{serial} {}{expires}{next}", self.state)
    }
}
