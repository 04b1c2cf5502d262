//! `check`, as monitoring runs it: with and without a daemon, and for a user who may read next to nothing.

use std::process::Output;

use hub_emulator::LicenseSpec;
use netify_licensed::core::license::verify::State;
use netify_licensed::core::report::status::{Rfc3339, Status};
use netify_licensed::core::time::WallTime;
use test_support::{Proc, Signal};

use super::gateway::{DAY, Gateway, PATIENCE, SERIAL, code, err, out};
use super::hardships::{forbid, is_root, powerless};

/// One line of a plugin, taken apart as the Monitoring Plugins Development Guidelines have it.
struct Line {
    exit: i32,
    text: String,
    /// Label, value with unit, warning, critical, minimum, maximum.
    data: Vec<[String; 6]>,
}

fn line(output: &Output) -> Line {
    let text = out(output);
    assert_eq!((text.lines().count(), err(output)), (1, String::new()), "one line, on standard output: {text:?}");
    let (text, data) = text.trim_end().split_once(" | ").unwrap_or((text.trim_end(), ""));
    let data = data.split_whitespace().map(|datum| {
        let (label, values) = datum.split_once('=').expect("label=value");
        let mut parts = values.split(';').map(str::to_owned);
        let mut next = || parts.next().unwrap_or_default();
        [label.to_owned(), next(), next(), next(), next(), next()]
    });
    Line { exit: code(output), text: text.to_owned(), data: data.collect() }
}

impl Line {
    fn datum(&self, label: &str) -> &[String; 6] {
        self.data.iter().find(|datum| datum[0] == label).expect("the datum is there")
    }
}

#[test]
fn with_a_daemon() {
    let mut gateway = Gateway::new();
    gateway.set("reload.method", "none");
    gateway.install_due();
    let _daemon = gateway.daemon();
    gateway.wait_for("renewed", |status| status.renewal.last_success_at.is_some());
    let ok = line(&gateway.run(&["check"]));
    assert_eq!((ok.exit, ok.text.as_str()), (0, format!("LICENSE OK - valid, {SERIAL}, ends in 6 days 23 h").as_str()));
    let days: f64 = ok.datum("days_left")[1].parse().expect("a number without unit");
    assert!((6.9..=7.0).contains(&days), "{days}");
    assert_eq!((ok.datum("days_left")[2].as_str(), ok.datum("days_left")[3].as_str()), ("1.5:", "0.75:"));
    assert_eq!(ok.datum("consecutive_failures")[1], "0");
    let since: i64 = ok.datum("since_last_success")[1].strip_suffix('s').and_then(|n| n.parse().ok()).expect("seconds");
    assert!((0..300).contains(&since), "{since}");

    // The same license against other thresholds.
    for (warning, critical, exit, word) in [
        ("8", "1", 1, "WARNING"),
        ("9", "8", 2, "CRITICAL"),
        ("1", "2", 3, "UNKNOWN - --critical must lie between 0 and --warning"),
    ] {
        for [w, c] in [["--warning", "--critical"], ["-w", "-c"]] {
            let (w, c) = (format!("{w}={warning}"), format!("{c}={critical}"));
            let seen = line(&gateway.run(&["check", &w, &c]));
            assert_eq!(seen.exit, exit, "{w} {c}: {}", seen.text);
            assert!(seen.text.starts_with(&format!("LICENSE {word}")), "{w} {c}: {}", seen.text);
        }
    }
    let json: serde_json::Value = serde_json::from_slice(&gateway.run(&["check", "--json"]).stdout).expect("JSON");
    assert_eq!(
        (json["exit"].as_i64(), json["line"].as_str().map(|line| line.contains("LICENSE OK"))),
        (Some(0), Some(true))
    );
}

#[test]
fn a_mistake_in_its_command_line_is_told_in_one_line() {
    let gateway = Gateway::new();
    for (flag, value) in [("--warning", "x"), ("-w", "nan"), ("--warning", "inf"), ("--critical", "-1"), ("-c", "")] {
        let output = gateway.run(&["check", flag, value]);
        let said = out(&output);
        assert_eq!((code(&output), said.lines().count()), (3, 1), "{flag} {value}: {output:?}");
        let flag = if flag.contains('w') { "--warning" } else { "--critical" };
        let begin =
            format!("LICENSE UNKNOWN - invalid value '{value}' for '{flag} <DAYS>': not a number of days from 0");
        assert!(said.starts_with(&begin) && err(&output).starts_with("error: invalid value"), "{output:?}");
    }
    let bogus = gateway.run(&["check", "--bogus"]);
    assert_eq!((code(&bogus), out(&bogus).as_str()), (3, "LICENSE UNKNOWN - unexpected argument '--bogus' found\n"));
    let json: serde_json::Value =
        serde_json::from_slice(&gateway.run(&["check", "--json", "--warning", "x"]).stdout).expect("JSON");
    assert_eq!(json["exit"], 3);
    assert!(
        json["line"].as_str().is_some_and(|line| line.starts_with("LICENSE UNKNOWN - invalid value 'x'")),
        "{json}"
    );
    // For people nothing changes.
    let status = gateway.run(&["status", "--bogus"]);
    assert_eq!((code(&status), out(&status)), (2, String::new()));
}

/// What `check` says without a daemon.
fn alone(spec: impl FnOnce(&Gateway) -> LicenseSpec) -> Line {
    let mut gateway = Gateway::new();
    // There is no netifyd here, and it is not missed.
    gateway.set("reload.method", "none");
    gateway.install(spec(&gateway));
    line(&gateway.run(&["check"]))
}

#[test]
fn without_a_daemon() {
    let good = alone(|gateway| gateway.spec(-DAY, 6 * DAY));
    assert_eq!(good.exit, 0);
    assert!(good.text.ends_with(" (no daemon runs; this is the state on disk)"), "{}", good.text);
    assert_eq!(alone(|gateway| gateway.spec(-6 * DAY, DAY)).exit, 1);
    assert_eq!(alone(|gateway| gateway.spec(-6 * DAY, DAY / 2)).exit, 2);
    let expired = alone(|gateway| gateway.spec(-8 * DAY, -DAY));
    assert_eq!(expired.exit, 2);
    assert!(expired.text.contains("expired") && expired.datum("days_left")[1].starts_with("-1."), "{}", expired.text);
    assert_eq!(alone(|gateway| gateway.spec(-DAY, 6 * DAY).duid("other")).exit, 2);
    let overdue = alone(|gateway| gateway.spec(-27 * DAY, 3 * DAY));
    assert_eq!(overdue.exit, 1, "{}", overdue.text);
    assert!(overdue.text.contains("; no daemon runs, and the renewal is overdue since 20"), "{}", overdue.text);
    let mut bare = Gateway::new();
    bare.set("reload.method", "none");
    let missing = line(&bare.run(&["check"]));
    assert_eq!((missing.exit, missing.data.len()), (2, 1), "{}", missing.text);
    assert!(missing.text.contains("license.json: there is no license"), "{}", missing.text);
}

#[test]
fn a_broken_configuration_is_unknown() {
    let gateway = Gateway::new();
    gateway.write("etc/netify-licensed/config.toml", "[hub]\nurll = 1\n");
    let unknown = line(&gateway.run(&["check"]));
    assert_eq!(unknown.exit, 3);
    assert!(
        unknown.text.ends_with("config.toml:2: unknown key `urll` in [hub]; did you mean `url`?"),
        "{}",
        unknown.text
    );
}

/// Everything that an unprivileged user of a well-kept machine may not read.
fn lock_away(gateway: &Gateway, config: bool) {
    for below in ["etc/netifyd/license.json", "etc/netify-licensed/keys.d/vendor.pem"] {
        forbid(gateway, below);
    }
    for below in ["etc/netify-licensed/keys.d", "var/lib/netify-licensed"] {
        gateway.mode(below, 0o700);
    }
    if config {
        forbid(gateway, "etc/netify-licensed/config.toml");
    }
}

/// A daemon with a good license, and nothing that others may read.
fn private_daemon(gateway: &mut Gateway) -> Proc {
    gateway.set("reload.method", "none");
    gateway.install_fresh();
    let daemon = gateway.daemon();
    gateway.wait_for("valid", |status| status.state == State::Valid);
    daemon
}

#[test]
fn without_rights_it_uses_the_published_status_and_says_so() {
    let mut gateway = Gateway::new();
    let daemon = private_daemon(&mut gateway);
    lock_away(&gateway, false);
    let seen = line(&powerless(&gateway, &["check"]).output().expect("it runs"));
    assert_eq!(seen.exit, 0, "{}", seen.text);
    let from = format!(
        "(from {}, as this user may not ask the daemon)",
        gateway.path("run/netify-licensed/status.json").display()
    );
    assert!(seen.text.ends_with(&from), "{}", seen.text);
    // A test without root is the daemon's own user, and may.
    let screen = out(&powerless(&gateway, &["status"]).output().expect("it runs"));
    assert!(screen.contains("\ndaemon         from "), "{screen}");

    // The license breaks: no file of its own tells that user, status.json does.
    gateway.write("etc/netifyd/license.json", "{}");
    std::fs::remove_file(gateway.path("var/lib/netify-licensed/previous-license.json")).expect("removed");
    gateway.wait_for("noticed", |status| status.renewal.history.is_empty());
    drop(daemon);
}

#[test]
fn a_daemon_that_does_not_listen_is_called_that() {
    let mut gateway = Gateway::new();
    let daemon = private_daemon(&mut gateway);
    let socket = gateway.path("run/netify-licensed/control.sock");
    // Stopped, it does not make a new one at once.
    daemon.signal(Signal::STOP).expect("it runs");
    std::fs::remove_file(&socket).expect("removed");
    let seen = line(&gateway.run(&["check"]));
    let words = format!("status.json, as the daemon does not listen on {})", socket.display());
    assert!(seen.exit == 0 && seen.text.ends_with(&words), "{}", seen.text);
}

#[test]
fn without_rights_even_to_the_configuration() {
    let mut gateway = Gateway::new();
    let _daemon = private_daemon(&mut gateway);
    lock_away(&gateway, true);
    let seen = line(&powerless(&gateway, &["check"]).output().expect("it runs"));
    assert_eq!(seen.exit, 0, "{}", seen.text);
    assert!(seen.text.contains("status.json, as this user may not ask the daemon"), "{}", seen.text);
}

#[test]
fn without_rights_and_without_a_daemon() {
    let mut gateway = Gateway::new();
    let daemon = private_daemon(&mut gateway);
    lock_away(&gateway, false);
    // Killed: its status and its socket stay behind.
    daemon.signal(Signal::KILL).expect("it runs");
    daemon.wait_exit(PATIENCE).expect("it ends");
    let left = line(&powerless(&gateway, &["check"]).output().expect("it runs"));
    assert_eq!(left.exit, 0, "{}", left.text);
    assert!(
        left.text.ends_with("status.json, as no daemon runs, and this user may not read everything)"),
        "{}",
        left.text
    );

    // What was valid when it was written is over by now.
    let mut old = gateway.published().expect("left behind");
    old.license.expires_at = WallTime::parse("2026-01-02T03:04:05Z").map(Rfc3339);
    gateway.write("run/netify-licensed/status.json", &serde_json::to_string(&old).expect("JSON"));
    let late = line(&powerless(&gateway, &["check"]).output().expect("it runs"));
    assert_eq!(late.exit, 2, "{}", late.text);
    assert!(late.text.starts_with(&format!("LICENSE CRITICAL - expired, {SERIAL}, ended ")), "{}", late.text);
    let json = powerless(&gateway, &["status", "--json"]).output().expect("it runs").stdout;
    let status: Status = serde_json::from_slice(&json).expect("a status");
    assert_eq!((status.state, status.healthy, status.pid), (State::Expired, false, None));
    assert!(status.problems[0].ends_with("license.json: the license expired at 2026-01-02 03:04:05 UTC"), "{status:?}");
    assert!(status.problems[1].starts_with("no daemon runs") && status.advice[0].starts_with("start the service"));
    let screen = out(&powerless(&gateway, &["status"]).output().expect("it runs"));
    assert!(screen.starts_with("license        expired, needs attention\n"), "{screen}");

    std::fs::remove_file(gateway.path("run/netify-licensed/status.json")).expect("removed");
    let nothing = line(&powerless(&gateway, &["check"]).output().expect("it runs"));
    assert_eq!((nothing.exit, nothing.data.len()), (3, 0), "{}", nothing.text);

    gateway.mode("etc/netify-licensed/keys.d", 0o755);
    gateway.mode("etc/netify-licensed/keys.d/vendor.pem", 0o644);
    let nothing = line(&powerless(&gateway, &["check"]).output().expect("it runs"));
    assert_eq!(nothing.exit, 3, "{}", nothing.text);
    assert!(
        nothing.text.ends_with(
            "license.json: cannot read the license: permission denied; no daemon runs, so only root can tell"
        ),
        "{}",
        nothing.text
    );
}

#[test]
fn what_a_dead_daemon_left_does_not_hide_what_nobody_can_read() {
    let mut gateway = Gateway::new();
    let daemon = private_daemon(&mut gateway);
    daemon.signal(Signal::KILL).expect("it runs");
    daemon.wait_exit(PATIENCE).expect("it ends");
    let license = gateway.license_path();
    let is_told = |reason: &str| {
        for mut command in [gateway.command(&["check"]), powerless(&gateway, &["check"])] {
            let seen = line(&command.output().expect("it runs"));
            assert_eq!(seen.exit, 2, "{}", seen.text);
            assert!(seen.text.contains(&format!("cannot read the license: {reason}")), "{}", seen.text);
            assert!(seen.text.ends_with("(no daemon runs; this is the state on disk)"), "{}", seen.text);
        }
        let status: Status = serde_json::from_slice(&gateway.run(&["status", "--json"]).stdout).expect("a status");
        assert_eq!((status.state, status.healthy), (State::Unreadable, false));
    };
    std::fs::remove_file(&license).expect("removed");
    std::fs::create_dir(&license).expect("created");
    is_told("is a directory");
    std::fs::remove_dir(&license).expect("removed");
    std::os::unix::fs::symlink("license.json", &license).expect("a link");
    is_told("");

    // Root can tell a key that is gone from one that it may not read.
    std::fs::remove_file(gateway.path("etc/netify-licensed/keys.d/vendor.pem")).expect("removed");
    let seen = line(&gateway.run(&["check"]));
    let fits = seen.exit == 3 && seen.text.contains("no trusted key in ");
    assert_eq!(fits, is_root(), "{}", seen.text);
}

#[test]
fn nobody_else_can_keep_the_daemon_from_starting() {
    let mut gateway = Gateway::new();
    let daemon = private_daemon(&mut gateway);
    daemon.signal(Signal::TERM).expect("it runs");
    daemon.wait_exit(PATIENCE).expect("it ends");
    let lock = gateway.path("run/netify-licensed/lock");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&lock).expect("a lock").permissions());
    assert_eq!(mode & 0o777, 0o600, "whoever can open the lock can hold it");
}
