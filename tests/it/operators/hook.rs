//! `hooks.on-change`: the status on its standard input, a limit to its time, its failures in the log.

use std::fs;

use netify_licensed::core::license::verify::State;
use netify_licensed::core::report::status::Status;
use test_support::{Signal, wait_until};

use super::gateway::{Gateway, PATIENCE};

/// A hook that keeps what it is told, one document after the other.
fn collector(gateway: &mut Gateway) {
    let target = gateway.path("told").display().to_string();
    gateway.set_raw("hooks.on-change", &format!("[\"/bin/sh\", \"-c\", \"cat >> {target}; echo >> {target}\"]"));
}

fn told(gateway: &Gateway) -> Vec<Status> {
    let text = fs::read_to_string(gateway.path("told")).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn wait_until_told(gateway: &Gateway, count: usize) -> Vec<Status> {
    wait_until(|| told(gateway).len() >= count, PATIENCE, "the hook ran").expect("told");
    told(gateway)
}

#[test]
fn it_hears_of_every_change_and_of_nothing_else() {
    let mut gateway = Gateway::new();
    gateway.set("reload.method", "none");
    collector(&mut gateway);
    gateway.install_fresh();
    let daemon = gateway.daemon();
    let first = wait_until_told(&gateway, 1);
    assert_eq!((first.len(), first[0].state, first[0].healthy), (1, State::Valid, true));
    let own = u32::try_from(daemon.pid().as_raw_nonzero().get()).ok();
    assert_eq!(first[0].pid, own, "the same document as status.json");
    let document = serde_json::to_value(&first[0]).expect("JSON");
    assert_eq!(status_schema::violations(&document), Vec::<String>::new());

    // An attempt that brings nothing new is no change.
    assert_eq!(super::gateway::code(&gateway.run(&["renew", "--dry-run"])), 0);
    daemon.signal(Signal::HUP).expect("it runs");
    gateway.write("etc/netifyd/license.json", "{}");
    let all = wait_until_told(&gateway, 3);
    let states: Vec<State> = all.iter().map(|status| status.state).collect();
    assert_eq!(states, [State::Valid, State::Malformed, State::Valid], "broken, and put back");
}

#[test]
fn its_failure_is_logged_with_its_last_words() {
    let mut gateway = Gateway::new();
    gateway.set("reload.method", "none");
    gateway.set_raw("hooks.on-change", "[\"/bin/sh\", \"-c\", \"echo no space left >&2; exit 3\"]");
    gateway.install_fresh();
    let daemon = gateway.daemon();
    let line = daemon.wait_for_line(|line| line.contains("hooks.on-change"), PATIENCE).expect("a line");
    assert_eq!(line.trim_start(), "WARN hooks.on-change: /bin/sh: exit status: 3 (no space left)");
}

#[test]
fn a_hook_that_cannot_start_is_logged_and_the_daemon_goes_on() {
    let mut gateway = Gateway::new();
    gateway.set("reload.method", "none");
    gateway.set_raw("hooks.on-change", "[\"/nonexistent/hook\"]");
    gateway.install_fresh();
    let daemon = gateway.daemon();
    let line = daemon.wait_for_line(|line| line.contains("hooks.on-change"), PATIENCE).expect("a line");
    assert!(line.contains("/nonexistent/hook: cannot be started: no such file or directory"), "{line}");
    assert!(gateway.wait_for("valid", |status| status.state == State::Valid).healthy);
}

#[test]
#[ignore = "11 s: tests/run long"]
fn it_has_ten_seconds_and_then_ends_with_its_children() {
    let mut gateway = Gateway::new();
    gateway.set("reload.method", "none");
    let child = gateway.path("child").display().to_string();
    let script = format!("sleep 600 & echo $! > {child}; wait");
    gateway.set_raw("hooks.on-change", &format!("[\"/bin/sh\", \"-c\", {script:?}]"));
    gateway.install_fresh();
    let daemon = gateway.daemon();
    // Meanwhile the daemon answers.
    gateway.wait_for("published", |status| status.pid.is_some());
    assert_eq!(super::gateway::code(&gateway.run(&["check"])), 0);
    let line = daemon.wait_for_line(|line| line.contains("hooks.on-change"), PATIENCE).expect("a line");
    assert!(line.contains("/bin/sh: not done after 10 s, so it was ended with all its children"), "{line}");
    let child = fs::read_to_string(gateway.path("child")).expect("the child was started");
    let is_gone = || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", child.trim()));
        stat.map_or(true, |stat| stat.contains(") Z "))
    };
    wait_until(is_gone, PATIENCE, "the child is ended too").expect("ended");
}

#[test]
fn it_never_sees_the_credentials() {
    let mut gateway = Gateway::new();
    gateway.set("reload.method", "none");
    let target = gateway.path("environment").display().to_string();
    gateway.set_raw(
        "hooks.on-change",
        &format!("[\"/bin/sh\", \"-c\", \"env > {target}.new; mv {target}.new {target}\"]"),
    );
    gateway.unset("hub.api-key-file");
    fs::create_dir_all(gateway.path("credentials")).expect("created");
    gateway.write("credentials/api-key", &gateway.hub.api_key());
    gateway.install_fresh();
    let mut command = gateway.command(&["run"]);
    let _daemon = test_support::Proc::spawn(command.env("CREDENTIALS_DIRECTORY", gateway.path("credentials")))
        .expect("it starts");
    wait_until(|| gateway.path("environment").exists(), PATIENCE, "the hook ran").expect("ran");
    let environment = fs::read_to_string(gateway.path("environment")).expect("readable");
    assert!(environment.contains("RUNTIME_DIRECTORY="), "{environment}");
    assert!(
        !environment.contains("CREDENTIALS_DIRECTORY") && !environment.contains(&gateway.hub.api_key()),
        "{environment}"
    );
}
