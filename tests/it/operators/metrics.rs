//! Metrics, as Prometheus itself reads them; and the alerts and the dashboard that are built on them.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use netify_licensed::core::engine::FileContent;
use netify_licensed::core::netifyd::{NetifydBootstrap, NetifydSignatures, NetifydStatus};
use netify_licensed::core::report::metrics;
use netify_licensed::core::report::status::Status;

use super::bench::{Bench, NOON, signed, spec};
use super::gateway::{DAY, Gateway, code, out};

fn docs(below: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(below)
}

/// Runs promtool; `None` where it is not installed.
fn promtool(arguments: &[&str], input: &str) -> Option<Result<String, String>> {
    let child = Command::new("promtool")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => {
            eprintln!("SKIPPED: promtool cannot be run here ({error}); it comes with the package prometheus");
            return None;
        }
    };
    // It may refuse without reading everything.
    let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
    let output = child.wait_with_output().expect("it ends");
    let text = out(&output) + &String::from_utf8_lossy(&output.stderr);
    Some(if output.status.success() { Ok(text) } else { Err(text) })
}

/// Statuses with as many series as there can be, and with as few.
fn statuses() -> Vec<Status> {
    let license = FileContent::Bytes(signed(&spec().created_at(NOON - 6 * DAY).expire_at(NOON + DAY)));
    let mut full = Bench::start("[reload]\nmethod = \"none\"\n", NOON, license);
    full.fail("no connection");
    full.pass(600_000);
    full.step(netify_licensed::core::engine::Event::Poll);
    full.answer(&signed(&spec().created_at(NOON).expire_at(NOON + 7 * DAY)));
    full.step(netify_licensed::core::engine::Event::Installed(Ok(())));
    full.step(netify_licensed::core::engine::Event::Reloaded(netify_licensed::core::engine::ReloadReport::new(
        "signal",
        netify_licensed::core::engine::ReloadOutcome::Confirmed,
    )));
    full.step(netify_licensed::core::engine::Event::Netifyd(NetifydStatus {
        running: Some(true),
        version: Some("5.2.8".to_owned()),
        license_manager: Some(false),
        signatures: Some(NetifydSignatures { apps: Some(199), ..NetifydSignatures::default() }),
        bootstrap: Some(NetifydBootstrap { code: Some(7), message: None }),
    }));
    let bare = Bench::start_with("", NOON, FileContent::Missing, false);
    vec![full.status().clone(), bare.status().clone()]
}

/// Names of all series of a page.
fn series(page: &str) -> BTreeSet<String> {
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| Some(line.split(['{', ' ']).next()?.to_owned())).collect()
}

#[test]
fn the_text_format_is_clean() {
    for status in statuses() {
        let page = metrics::prometheus(&status);
        match promtool(&["check", "metrics"], &page) {
            Some(result) => assert_eq!(result, Ok(String::new()), "{page}"),
            None => return,
        }
    }
}

#[test]
fn promtool_would_notice() {
    // Proof that the check above can fail.
    let broken = metrics::prometheus(&statuses()[0]).replace("_attempts_total", "_attempts");
    if let Some(result) = promtool(&["check", "metrics"], &broken) {
        assert!(result.is_err(), "a counter without _total passes");
    }
}

#[test]
fn openmetrics_is_read_by_prometheus() {
    for status in statuses() {
        let page = metrics::openmetrics(&status);
        assert!(page.ends_with("\n# EOF\n"));
        // Prometheus' own parser for OpenMetrics is behind the command that imports history, which wants times.
        let dated: String = page
            .lines()
            .map(|line| if line.starts_with('#') { format!("{line}\n") } else { format!("{line} {NOON}\n") })
            .collect();
        let directory = test_support::temp_dir().expect("a directory");
        let (file, target) = (directory.path().join("page"), directory.path().join("blocks"));
        std::fs::write(&file, &dated).expect("written");
        let arguments =
            ["tsdb", "create-blocks-from", "openmetrics", &file.to_string_lossy(), &target.to_string_lossy()];
        match promtool(&arguments, "") {
            Some(result) => assert!(result.is_ok(), "{result:?}\n{page}"),
            None => return,
        }
        assert!(std::fs::read_dir(&target).is_ok_and(|blocks| blocks.count() > 0), "nothing was imported");
    }
}

#[test]
fn every_series_of_the_issue_is_there() {
    let statuses = statuses();
    let (full, bare) = (&statuses[0], &statuses[1]);
    let page = metrics::prometheus(full);
    let expected = [
        "build_info",
        "license_state",
        "healthy",
        "license_expiry_timestamp_seconds",
        "license_issue_timestamp_seconds",
        "license_info",
        "renewal_attempts_total",
        "renewal_consecutive_failures",
        "renewal_due_timestamp_seconds",
        "renewal_next_attempt_timestamp_seconds",
        "renewal_last_success_timestamp_seconds",
        "reload_pending",
        "reloads_total",
        "standby",
        "pending_change",
        "netifyd_running",
        "netifyd_info",
        "netifyd_license_manager",
        "netifyd_signatures",
        "netifyd_bootstrap_code",
        "clock_trusted",
    ];
    let expected: BTreeSet<String> = expected.iter().map(|name| format!("netify_licensed_{name}")).collect();
    assert_eq!(series(&page), expected);
    assert!(page.contains("netify_licensed_renewal_attempts_total{outcome=\"outage\"} 1\n"), "{page}");
    assert!(page.contains("netify_licensed_renewal_attempts_total{outcome=\"installed\"} 1\n"), "{page}");
    assert!(page.contains("netify_licensed_netifyd_license_manager 0\n"), "{page}");
    assert!(page.contains("netify_licensed_netifyd_signatures{kind=\"apps\"} 199\n"), "{page}");
    assert!(page.contains("netify_licensed_reloads_total{outcome=\"confirmed\"} 1\n"), "{page}");
    // What is not known is left out, never zero: 0 would be the year 1970.
    assert!(!series(&metrics::prometheus(bare)).iter().any(|name| name.contains("expiry") || name.contains("issue")));
}

#[test]
fn the_textfile_and_the_socket_tell_the_same() {
    let mut gateway = Gateway::new();
    let textfile = gateway.path("metrics.prom");
    gateway.set("reload.method", "none").set("status.metrics-textfile", &textfile.display().to_string());
    gateway.install_fresh();
    let _daemon = gateway.daemon();
    gateway.wait_for("published", |status| status.pid.is_some());
    let text = std::fs::read_to_string(&textfile).expect("the textfile");
    let reply = gateway.run(&["status", "--format", "openmetrics"]);
    assert_eq!(code(&reply), 0);
    let values = |page: &str| page.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(values(&text), values(&out(&reply)));
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&textfile).expect("a file").permissions());
    assert_eq!(mode & 0o777, 0o644, "node_exporter reads it");
    let left: Vec<_> =
        std::fs::read_dir(gateway.root()).expect("listed").flatten().map(|entry| entry.file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains("metrics.prom.")), "{left:?}");
}

/// Names of this program's series in a text.
fn mentioned(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("netify_licensed_")).map(str::to_owned).collect()
}

#[test]
fn alerts_and_dashboard_use_series_that_exist() {
    let known = series(&metrics::prometheus(&statuses()[0]));
    for file in ["prometheus/alerts.yml", "prometheus/alerts-test.yml", "grafana-dashboard.json"] {
        let text = std::fs::read_to_string(docs(file)).expect(file);
        let used = mentioned(&text);
        assert!(used.len() > 5, "{file} uses {used:?}");
        assert_eq!(
            used.difference(&known).collect::<Vec<_>>(),
            Vec::<&String>::new(),
            "{file} uses series that do not exist"
        );
    }
}

#[test]
fn the_alert_rules_do_what_they_say() {
    let (rules, tests) = (docs("prometheus/alerts.yml"), docs("prometheus/alerts-test.yml"));
    let Some(checked) = promtool(&["check", "rules", &rules.to_string_lossy()], "") else { return };
    assert!(checked.is_ok(), "{checked:?}");
    let tested = promtool(&["test", "rules", &tests.to_string_lossy()], "").expect("it ran a moment ago");
    assert!(tested.is_ok(), "{tested:?}");
    // Every alert is tested.
    let (rules, tests) =
        (std::fs::read_to_string(rules).expect("rules"), std::fs::read_to_string(tests).expect("tests"));
    for alert in rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
        assert!(tests.contains(&format!("alertname: {alert}\n")), "{alert} has no test");
    }
}

#[test]
fn the_dashboard_is_one() {
    let text = std::fs::read_to_string(docs("grafana-dashboard.json")).expect("the dashboard");
    let dashboard: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    assert!(panels.len() >= 6 && dashboard["schemaVersion"].is_u64() && dashboard["title"].is_string());
    let mut places = BTreeSet::new();
    for panel in panels {
        assert!(places.insert(panel["id"].as_u64()), "two panels have the id {}", panel["id"]);
        let targets = panel["targets"].as_array().expect("targets");
        assert!(
            targets.iter().all(|target| target["expr"].as_str().is_some_and(|expr| !expr.is_empty())),
            "{}",
            panel["title"]
        );
        if let Some(Err(refusal)) =
            targets.first().and_then(|target| expression_is_valid(target["expr"].as_str().unwrap_or_default()))
        {
            assert_eq!(refusal, "", "{}", panel["title"]);
        }
    }
}

/// Whether Prometheus can parse an expression; `None` without promtool.
fn expression_is_valid(expression: &str) -> Option<Result<String, String>> {
    let rule = serde_json::json!({ "groups": [{ "name": "x", "rules": [{ "record": "x", "expr": expression.replace("$instance", ".*") }] }] });
    let directory = test_support::temp_dir().expect("a directory");
    let file = directory.path().join("rule.yml");
    // JSON is YAML.
    std::fs::write(&file, rule.to_string()).expect("written");
    promtool(&["check", "rules", &file.to_string_lossy()], "")
}
