//! The monitoring plugin: one line, performance data, exit code 0 to 3 (Monitoring Plugins Development Guidelines).

use crate::core::license::verify::State;
use crate::core::netifyd::NetifydStatus;
use crate::core::report::status::{Rfc3339, Status};
use crate::core::state::word::ReloadWord;
use crate::core::text::{clause, clean, list, one_line};
use crate::core::time::{DAY, WallTime, relative};

/// How each sentence about the privileged helper begins.
pub const HELPER: &str = "the privileged helper";

/// When to worry, in days before the expiry.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholds {
    /// Below this many days: WARNING.
    pub warning: f64,
    /// Below this many days: CRITICAL.
    pub critical: f64,
}

/// What the plugin says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.
    pub exit: u8,
    /// One line.
    pub line: String,
}

/// Where a status comes from, when that is not the running daemon.
#[derive(Debug, Clone, Copy, Default)]
pub struct Origin<'a> {
    /// The file, and why the daemon was not asked.
    pub from: Option<&'a str>,
    /// A daemon runs and does not answer: one sentence.
    pub stuck: Option<&'a str>,
}

/// Judges a status.
#[must_use]
pub fn judge(status: &Status, thresholds: Thresholds, now: WallTime, origin: Origin<'_>) -> Verdict {
    if status.role == "standby" {
        return judge_standby(status, thresholds, now);
    }
    #[allow(clippy::cast_precision_loss)]
    let days = status.license.expires_at.map(|end| end.0.since(now) as f64 / DAY as f64);
    let mut worst = 0;
    let mut reasons: Vec<String> = Vec::new();
    let mut worry = |level: u8, reason: String| {
        worst = worst.max(level);
        reasons.push(reason);
    };
    match status.state {
        State::Valid | State::Unchecked => match days {
            Some(days) if days < thresholds.critical => worry(2, format!("below {} days", thresholds.critical)),
            Some(days) if days < thresholds.warning => worry(1, format!("below {} days", thresholds.warning)),
            _ => {}
        },
        State::ClockUntrusted => worry(1, status.clock.why.clone()),
        _ => worry(2, status.problems.first().cloned().unwrap_or_else(|| status.state.to_string())),
    }
    if let Some(stuck) = origin.stuck {
        worry(if status.is_overdue(now) { 2 } else { 1 }, stuck.to_owned());
    }
    let failures = status.renewal.consecutive_failures;
    let last = status.renewal.last_attempt.as_ref();
    let words = || {
        last.and_then(|last| last.error.clone().or_else(|| Some(last.outcome.as_str().to_owned()))).unwrap_or_default()
    };
    // A failure while nothing is due, such as a dry run's, is nobody's alarm.
    let is_due = status.renewal.due_at.is_none_or(|due| due.0 <= now);
    let not_loaded = status.reload.pending && status.reload.last_outcome == Some(ReloadWord::Failed);
    if not_loaded {
        let detail = status.reload.last_detail.clone().unwrap_or_default();
        worry(2, format!("netifyd has not loaded the installed license: {detail}"));
    }
    if status.reload.died {
        let detail = status.reload.last_detail.clone().unwrap_or_default();
        worry(2, format!("netifyd does not run: {detail}"));
    } else if status.netifyd.running == Some(false) && status.role != "standby" {
        worry(1, "netifyd does not run".to_owned());
    }
    if status.netifyd.license_manager == Some(false) && status.state.is_usable() {
        worry(1, "netifyd has not loaded its license manager, so the license has no effect".to_owned());
    }
    if failures > 0 && status.state.is_usable() {
        let times = if failures == 1 { "1 attempt".to_owned() } else { format!("{failures} attempts") };
        match (status.healthy || not_loaded || status.reload.died, failures > 2 && is_due) {
            (false, _) => worry(2, format!("{times} failed: {}", words())),
            (true, true) => worry(1, format!("{times} failed: {}", words())),
            (true, false) => {}
        }
    } else if status.state.is_usable() && !status.healthy && !not_loaded && !status.reload.died {
        worry(2, status.problems.first().cloned().unwrap_or_else(|| "not healthy".to_owned()));
    }
    if let Some(last) = status.problems.iter().find(|problem| problem.starts_with("the license is not renewable"))
        && is_due
        && status.state.is_usable()
    {
        worry(1, last.clone());
    }
    if let Some(Rfc3339(due)) = status.renewal.due_at.filter(|_| status.state.is_usable() && status.is_overdue(now))
        && status.pid.is_some()
        && origin.stuck.is_none()
    {
        worry(1, format!("the renewal is overdue since {due}"));
    }
    // Whoever renews by hand or by cron has a day to do it.
    if let Some(Rfc3339(due)) = status.renewal.due_at.filter(|due| now.since(due.0) > DAY)
        && status.pid.is_none()
        && status.state.is_usable()
    {
        worry(1, format!("no daemon runs, and the renewal is overdue since {due}"));
    }
    if let Some(change) = &status.pending_change {
        let lost = if change.lost.is_empty() { String::new() } else { format!(" without {}", list(&change.lost)) };
        let when = change.accept_at.map_or_else(
            || "it waits for `netify-licensed renew --accept-changes`".to_owned(),
            |at| format!("it is installed {}", relative(at.0, now)),
        );
        worry(1, format!("a changed license, {}, is offered{lost}; {when}", one_line(&change.serial)));
    }
    if let Some(missing) = status.problems.iter().find(|problem| problem.starts_with("provision.entitlements")) {
        worry(1, missing.clone());
    }
    if let Some(trouble) = status.problems.iter().find(|problem| problem.starts_with(HELPER)) {
        worry(1, trouble.clone());
    }
    if let Some(skew) = &status.clock.skew {
        worry(1, skew.clone());
    }
    if let Some(refused) = &status.configuration.refused {
        worry(1, format!("the configuration is refused: {}", one_line(&refused.sentence())));
    }
    let word = ["OK", "WARNING", "CRITICAL"].get(usize::from(worst)).copied().unwrap_or("UNKNOWN");
    let mut line = format!("LICENSE {word} - {}", status.state);
    if let Some(serial) = &status.license.serial {
        line.push_str(&format!(", {}", one_line(serial)));
    }
    if let Some(Rfc3339(expires)) = status.license.expires_at.filter(|_| status.state != State::ClockUntrusted) {
        let verb = if expires > now { "ends" } else { "ended" };
        line.push_str(&format!(", {verb} {}", relative(expires, now)));
    }
    for reason in reasons.iter().filter(|reason| !reason.is_empty()) {
        line.push_str(&format!("; {}", clause(reason)));
    }
    if let Some(from) = origin.from {
        line.push_str(&format!(" ({from})"));
    }
    // What follows the first bar is performance data, and only ours.
    line = one_plugin_line(&line) + " |";
    if let Some(days) = days.filter(|_| status.clock.trusted) {
        line.push_str(&format!(" days_left={days:.2};{};{};;", range(thresholds.warning), range(thresholds.critical)));
    }
    line.push_str(&format!(" consecutive_failures={};;;0;", status.renewal.consecutive_failures));
    if let Some(success) = status.renewal.last_success_at {
        line.push_str(&format!(" since_last_success={}s;;;0;", now.since(success.0).max(0) / 1_000));
    }
    netifyd_data(&mut line, &status.netifyd);
    Verdict { exit: worst, line }
}

/// What is known of netifyd, as performance data.
fn netifyd_data(line: &mut String, netifyd: &NetifydStatus) {
    if let Some(running) = netifyd.running {
        line.push_str(&format!(" netifyd_running={};;;0;1", u8::from(running)));
    }
    if let Some(loaded) = netifyd.license_manager {
        line.push_str(&format!(" netifyd_license_manager={};;;0;1", u8::from(loaded)));
    }
    if let Some(code) = netifyd.bootstrap.as_ref().and_then(|bootstrap| bootstrap.code) {
        line.push_str(&format!(" netifyd_bootstrap_code={code};;;;"));
    }
}

/// On standby the license is the active node's: nothing but its own dates is an alarm here.
fn judge_standby(status: &Status, thresholds: Thresholds, now: WallTime) -> Verdict {
    #[allow(clippy::cast_precision_loss)]
    let days = status.license.expires_at.map(|end| end.0.since(now) as f64 / DAY as f64);
    let (exit, word, reason) = match days.filter(|_| status.clock.trusted) {
        Some(days) if days <= 0.0 => (2, "CRITICAL", "; the license has ended".to_owned()),
        Some(days) if days < thresholds.critical => (2, "CRITICAL", format!("; below {} days", thresholds.critical)),
        Some(days) if days < thresholds.warning => (1, "WARNING", format!("; below {} days", thresholds.warning)),
        _ => (0, "OK", String::new()),
    };
    let ends = status.license.expires_at.map_or_else(String::new, |end| format!(", ends {}", relative(end.0, now)));
    let mut line = format!("LICENSE {word} - standby, {}{ends}{reason} |", status.state);
    if let Some(days) = days.filter(|_| status.clock.trusted) {
        line.push_str(&format!(" days_left={days:.2};{};{};;", range(thresholds.warning), range(thresholds.critical)));
    }
    Verdict { exit, line }
}

/// A threshold that alerts below its value is written `N:`.
fn range(days: f64) -> String {
    format!("{days}:")
}

/// The line when nothing can be said.
#[must_use]
pub fn unknown(reason: &str) -> Verdict {
    Verdict { exit: 3, line: format!("LICENSE UNKNOWN - {}", one_plugin_line(reason)) }
}

/// Text for the plugin's one line, without a bar and without what acts on a terminal.
fn one_plugin_line(text: &str) -> String {
    clean(&text.replace('|', "/").replace('\n', " "))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::core::report::status::{AttemptStatus, ClockStatus, LicenseStatus, SCHEMA};
    use crate::core::state::word::Word;

    pub(crate) fn status(state: State) -> Status {
        Status {
            restore: crate::core::report::status::RestoreStatus::default(),
            schema: SCHEMA,
            version: "1.2.3".to_owned(),
            pid: None,
            state,
            healthy: state.is_usable(),
            problems: Vec::new(),
            advice: Vec::new(),
            license: LicenseStatus {
                serial: Some("S-1".to_owned()),
                expires_at: Some(Rfc3339(WallTime::from_unix(1_780_012_800))),
                ..LicenseStatus::none("/l")
            },
            device: crate::core::report::status::DeviceStatus::default(),
            renewal: crate::core::report::status::RenewalStatus {
                attempts: [(Word::Outage, 2)].into(),
                ..Default::default()
            },
            reload: crate::core::report::status::ReloadStatus::default(),
            netifyd: crate::core::netifyd::NetifydStatus::default(),
            clock: ClockStatus { trusted: true, ..Default::default() },
            hub: crate::core::report::status::HubStatus::default(),
            configuration: crate::core::report::configuration::ConfigurationStatus::default(),
            pending_change: None,
            role: "active".to_owned(),
            daemon: crate::core::report::daemon::DaemonStatus::default(),
        }
    }

    fn at(days_before: i64) -> WallTime {
        WallTime::from_unix(1_780_012_800).plus(-days_before * DAY)
    }

    const HERE: Origin<'_> = Origin { from: None, stuck: None };
    const USUAL: Thresholds = Thresholds { warning: 2.0, critical: 1.0 };

    #[test]
    fn thresholds() {
        let ok = judge(&status(State::Valid), USUAL, at(5), HERE);
        assert_eq!(
            (ok.exit, ok.line.as_str()),
            (0, "LICENSE OK - valid, S-1, ends in 5 days | days_left=5.00;2:;1:;; consecutive_failures=0;;;0;")
        );
        let exit = |now| judge(&status(State::Valid), USUAL, now, HERE).exit;
        assert_eq!([at(2), at(2).plus(1), at(1), at(1).plus(1)].map(exit), [0, 1, 1, 2]);
        assert_eq!(judge(&status(State::Unchecked), USUAL, at(1).plus(1), HERE).exit, 2);
        let expired = judge(&status(State::Expired), USUAL, at(-1), HERE);
        assert_eq!(expired.exit, 2);
        assert!(expired.line.contains("ended 1 day ago"), "{}", expired.line);
        assert!(judge(&status(State::Expired), USUAL, at(0), HERE).line.contains("ended now"));
        assert_eq!(judge(&status(State::ClockUntrusted), USUAL, at(5), HERE).exit, 1);
        for bad in [
            State::Missing,
            State::Unreadable,
            State::Malformed,
            State::Unsigned,
            State::BadSignature,
            State::WrongDevice,
            State::NotYetValid,
        ] {
            assert_eq!(judge(&status(bad), USUAL, at(5), HERE).exit, 2, "{bad}");
        }
    }

    #[test]
    fn a_helper_that_cannot_be_asked_is_a_warning_while_the_license_is_well() {
        let mut alone = status(State::Valid);
        alone.problems.push(format!("{HELPER} cannot do its work: x"));
        let verdict = judge(&alone, USUAL, at(5), HERE);
        assert!(verdict.exit == 1 && verdict.line.contains("cannot do its work: x"), "{verdict:?}");
    }

    #[test]
    fn nothing_in_the_line_acts_on_a_terminal() {
        let mut odd = status(State::ClockUntrusted);
        odd.clock.why = "a\u{1b}[2J\u{9b}|\nb\u{202e}".to_owned();
        odd.license.serial = Some("S\u{85}1".to_owned());
        let line = judge(&odd, USUAL, at(5), Origin { from: Some("c\u{1b}"), stuck: None }).line;
        assert!(line.starts_with("LICENSE WARNING - clock-untrusted, S 1; a[2J/ b (c) |"), "{line:?}");
        assert_eq!(unknown("a\u{1b}|\nb").line, "LICENSE UNKNOWN - a/ b");
    }

    #[test]
    fn failures_are_told_with_the_hubs_words() {
        let mut failing = status(State::Valid);
        failing.renewal.consecutive_failures = 3;
        failing.renewal.last_attempt = Some(AttemptStatus {
            at: Rfc3339(WallTime(0)),
            outcome: Word::Outage,
            error: Some("a|b".to_owned()),
            http_status: None,
        });
        let verdict = judge(&failing, USUAL, at(5), Origin { from: Some("from status.json"), stuck: None });
        assert_eq!(verdict.exit, 1);
        assert!(verdict.line.contains("3 attempts failed: a/b (from status.json) |"), "{}", verdict.line);
        failing.renewal.due_at = Some(Rfc3339(at(4)));
        assert_eq!(judge(&failing, USUAL, at(5), HERE).exit, 0, "nothing is due yet");
        failing.healthy = false;
        failing.renewal.consecutive_failures = 1;
        let late = judge(&failing, USUAL, at(3), HERE);
        assert_eq!(late.exit, 2);
        assert!(late.line.contains("1 attempt failed: a/b |"), "{}", late.line);
        failing.renewal.due_at = None;
        let times = [1, 2, 3].map(|times| {
            (failing.healthy, failing.renewal.consecutive_failures) = (true, times);
            judge(&failing, USUAL, at(5), HERE).exit
        });
        assert_eq!(times, [0, 0, 1], "the third in a row");
        (failing.healthy, failing.renewal.consecutive_failures) = (false, 0);
        let none = judge(&failing, USUAL, at(5), HERE);
        assert!(!none.line.contains("attempt"), "{}", none.line);
    }

    #[test]
    fn an_overdue_renewal_without_a_daemon_is_a_warning() {
        let mut alone = status(State::Valid);
        alone.renewal.due_at = Some(Rfc3339(at(4)));
        assert_eq!(judge(&alone, USUAL, at(3), HERE).exit, 0, "a day is left to a job of the night");
        let late = judge(&alone, USUAL, at(3).plus(1), HERE);
        assert_eq!(late.exit, 1);
        let words = "in 2 days 23 h; no daemon runs, and the renewal is overdue since 2026-05-25 00:00:00 UTC |";
        assert!(late.line.contains(words), "{}", late.line);
        alone.pid = Some(1);
        assert_eq!(judge(&alone, USUAL, at(3).plus(-1), HERE).exit, 0, "the daemon has a quarter of what is left");
        let late = judge(&alone, USUAL, at(2), HERE);
        assert!(late.exit == 1 && late.line.contains("; the renewal is overdue since 2026-05-25"), "{}", late.line);
        alone.pid = None;
        alone.state = State::Expired;
        assert!(!judge(&alone, USUAL, at(-1), HERE).line.contains("overdue"), "that is the lesser trouble");
    }

    #[test]
    fn a_daemon_that_does_not_answer_is_a_warning_and_critical_once_anything_is_overdue() {
        let mut frozen = status(State::Valid);
        frozen.pid = Some(1);
        let stuck = Origin { from: Some("from f"), stuck: Some("the daemon does not answer") };
        let verdict = judge(&frozen, USUAL, at(6), stuck);
        assert_eq!(verdict.exit, 1);
        assert!(verdict.line.contains("; the daemon does not answer (from f) |"), "{}", verdict.line);
        // Due four days before the end: overdue a day later.
        frozen.renewal.due_at = Some(Rfc3339(at(4)));
        let exit = |now| judge(&frozen, Thresholds { warning: 0.0, critical: 0.0 }, now, stuck).exit;
        assert_eq!([at(4), at(3).plus(-1), at(3)].map(exit), [1, 1, 2]);
        frozen.state = State::Missing;
        assert!(frozen.is_overdue(at(6)));
    }

    #[test]
    fn a_serial_adds_neither_lines_nor_data() {
        let mut hostile = status(State::Valid);
        hostile.pid = Some(1);
        hostile.license.serial = Some("S\u{1b}[31m\n|evil=1".to_owned());
        let line = judge(&hostile, USUAL, at(6), Origin { from: Some("from a|b"), stuck: None }).line;
        assert!(
            line.starts_with("LICENSE OK - valid, S [31m /evil=1, ends in 6 days (from a/b) | days_left="),
            "{line}"
        );
    }

    #[test]
    fn a_reload_that_is_neither_owed_nor_failed_is_no_trouble() {
        let exit = |pending: bool, outcome: ReloadWord| {
            let mut status = status(State::Valid);
            status.pid = Some(1);
            status.reload.pending = pending;
            status.reload.last_outcome = Some(outcome);
            judge(&status, USUAL, at(6), HERE).exit
        };
        assert_eq!(
            [exit(true, ReloadWord::Failed), exit(true, ReloadWord::NotRunning), exit(false, ReloadWord::Failed)],
            [2, 0, 0]
        );
    }

    #[test]
    fn what_else_is_wrong_is_told() {
        let mut bare = status(State::Missing);
        bare.license = LicenseStatus::none("/l");
        bare.renewal.consecutive_failures = 9;
        let verdict = judge(&bare, USUAL, at(5), HERE);
        assert_eq!(verdict.line, "LICENSE CRITICAL - missing; missing | consecutive_failures=9;;;0;");
        let mut odd = status(State::Valid);
        odd.renewal.last_success_at = Some(Rfc3339(at(6)));
        assert!(judge(&odd, USUAL, at(5), HERE).line.ends_with(" since_last_success=86400s;;;0;"));
        let mistake =
            crate::core::config::ConfigError { path: "/c".to_owned(), line: Some(2), message: "a|b".to_owned() };
        let refused = status(State::Valid).with_configuration(&odd.configuration.refused(&mistake, at(6)));
        let verdict = judge(&refused, USUAL, at(5), HERE);
        assert_eq!(verdict.exit, 1);
        assert!(verdict.line.contains("; the configuration is refused: /c:2: a/b |"), "{}", verdict.line);
        odd.problems = vec!["provision.entitlements asks for more".to_owned()];
        odd.clock.skew = Some("an hour ahead".to_owned());
        let verdict = judge(&odd, USUAL, at(5), HERE);
        assert_eq!(verdict.exit, 1);
        assert!(verdict.line.contains("; provision.entitlements asks for more; an hour ahead |"), "{}", verdict.line);
        odd.healthy = false;
        assert_eq!(judge(&odd, USUAL, at(5), HERE).exit, 2);
        let mut unknown = status(State::ClockUntrusted);
        unknown.clock.trusted = false;
        unknown.clock.why = "it is 1970".to_owned();
        let verdict = judge(&unknown, USUAL, at(5), HERE);
        assert_eq!(verdict.line, "LICENSE WARNING - clock-untrusted, S-1; it is 1970 | consecutive_failures=0;;;0;");
        assert_eq!(super::unknown("a|b\nc").line, "LICENSE UNKNOWN - a/b c");
    }

    #[test]
    fn netifyd_s_absence_death_and_missing_library() {
        let mut off = status(State::Valid);
        let judged = |status: &Status| {
            let verdict = judge(status, USUAL, at(5), HERE);
            (verdict.exit, verdict.line)
        };
        off.netifyd.running = Some(false);
        let (exit, line) = judged(&off);
        assert!(
            exit == 1 && line.contains("; netifyd does not run |") && line.ends_with(" netifyd_running=0;;;0;1"),
            "{line}"
        );
        off.reload.died = true;
        off.reload.last_detail = Some("it ended".to_owned());
        off.healthy = false;
        let (exit, line) = judged(&off);
        assert!(exit == 2 && line.contains("; netifyd does not run: it ended |"), "{line}");
        let mut without = status(State::Valid);
        without.netifyd.running = Some(true);
        assert_eq!(judged(&without).0, 0);
        without.netifyd.license_manager = Some(false);
        without.netifyd.bootstrap =
            Some(crate::core::netifyd::NetifydBootstrap { code: Some(7), message: Some("no".to_owned()) });
        let (exit, line) = judged(&without);
        assert!(exit == 1 && line.contains("; netifyd has not loaded its license manager"), "{line}");
        assert!(
            line.ends_with(" netifyd_running=1;;;0;1 netifyd_license_manager=0;;;0;1 netifyd_bootstrap_code=7;;;;"),
            "{line}"
        );
    }

    #[test]
    fn a_license_that_netifyd_does_not_use_is_critical() {
        let mut unused = status(State::Valid);
        unused.healthy = false;
        unused.reload = crate::core::report::status::ReloadStatus {
            pending: true,
            last_outcome: Some(ReloadWord::Failed),
            last_detail: Some("it died".to_owned()),
            ..Default::default()
        };
        let verdict = judge(&unused, USUAL, at(5), HERE);
        assert_eq!(verdict.exit, 2);
        assert!(verdict.line.contains("; netifyd has not loaded the installed license: it died |"), "{}", verdict.line);
    }
}
