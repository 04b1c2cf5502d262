//! Every command and the daemon, at the highest log level: output, files, arguments, environment.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use hub_emulator::{Endpoint, Fault, FaultRule};
use test_support::{Proc, RawAnswer, RawServer, Signal};

use super::marker::{KEY, PASSWORD, WAYS, Way, assert_clean, assert_files_clean, device, hub, needles};
use test_bench::rig::{PATIENCE, Rig, SERIAL};

/// Every command, in an order in which each has something to do.
pub(crate) const COMMANDS: [&[&str]; 35] = [
    &["--help"],
    &["--version"],
    &["config", "check"],
    &["config", "check", "--json"],
    &["config", "show"],
    &["config", "show", "--json"],
    &["duid"],
    &["duid", "--all", "--json"],
    &["renew", "--dry-run"],
    &["renew"],
    &["renew", "--json"],
    &["renew", "--if-due"],
    &["verify"],
    &["verify", "--json"],
    &["install", "netifyd/license.json"],
    &["install", "--force", "netifyd/license.json"],
    &["status"],
    &["status", "--json"],
    &["status", "--format", "openmetrics"],
    &["check"],
    &["check", "--json"],
    &["hub", "list"],
    &["hub", "list", "--json"],
    &["hub", "view", SERIAL],
    &["hub", "view", SERIAL, "--json"],
    &["hub", "create", "--issued-to", "A", "--entitlement", "netify-proc-lua"],
    &["hub", "renew", SERIAL],
    &["hub", "view", "2020-0000-00000000"],
    &["hub", "delete", "2020-0000-00000000"],
    &["hub", "delete", "../x"],
    &["provision"],
    &["retire", "--keep-file"],
    &["retire"],
    &["hub", "delete", SERIAL],
    &["no-such-command"],
];

#[test]
fn no_command_prints_or_writes_a_secret() {
    for way in WAYS {
        let hub = hub(true);
        let rig = device(&hub, way);
        let needles = needles(&rig);
        let mut said = 0;
        for args in COMMANDS {
            let done = rig.run(args);
            assert!(done.code.is_some(), "{args:?} ended by a signal: {done:?}");
            said += done.out.len() + done.err.len();
            assert_clean(
                &format!("the output of {args:?}"),
                format!("{done:?}{}{}", done.out, done.err).as_bytes(),
                &needles,
            );
        }
        assert!(said > 5_000 && hub.count(Endpoint::Any) > 2, "{way:?}: {said}");
        assert!(assert_files_clean(&rig, &needles) >= 4, "{way:?}");
    }
}

#[test]
fn no_failure_tells_a_secret() {
    let hub = hub(false);
    let rig = device(&hub, Way::Api);
    let needles = needles(&rig);
    let check = |what: &str, rig: &Rig| {
        for args in [&["hub", "list"][..], &["renew"], &["provision"]] {
            let done = rig.run(args);
            assert_ne!(done.code, Some(0), "{what}: {done:?}");
            assert_clean(what, format!("{done:?}").as_bytes(), &needles);
        }
    };
    for fault in
        [Fault::status(401), Fault::status(500), Fault::redirect("http://127.0.0.1:1/"), Fault::raw(*b"junk\r\n")]
    {
        hub.rule(FaultRule::always(Endpoint::Any, fault));
        check("an answer", &rig);
        hub.clear_faults();
    }
    hub.set_down(true);
    check("no answer", &rig);
    rig.secret("api-key", &format!("{KEY}\u{e9}"));
    check("a key that is not ASCII", &rig);
    rig.secret("api-key", &format!("{KEY}\n{KEY}\n"));
    check("two keys in one file", &rig);
    rig.secret("api-key", &format!("x{KEY}").repeat(200));
    check("a key without end", &rig);
    fs::set_permissions(rig.path("api-key"), fs::Permissions::from_mode(0o644)).expect("a mode");
    check("a key that all may read", &rig);
    assert_files_clean(&rig, &needles);
}

#[test]
fn a_server_that_quotes_what_it_was_sent_is_not_quoted() {
    for way in WAYS {
        for status in [200, 400, 401, 500] {
            let server = RawServer::with(move |request, _| {
                let sent =
                    ["x-api-key", "authorization"].iter().find_map(|name| request.header(name)).unwrap_or("nothing");
                let words = format!("You sent {sent}, which is {PASSWORD} or so.");
                let code = if status == 200 { 403 } else { status };
                RawAnswer::json(status, serde_json::json!({ "status_code": code, "status_message": words }).to_string())
            });
            let server = server.expect("a server");
            let mut rig = device(&hub(false), way);
            rig.set("hub.url", server.url("/api"));
            let needles: Vec<_> =
                needles(&rig).into_iter().filter(|(name, _)| way == Way::Basic || name != "password").collect();
            let done = rig.run(&["renew"]);
            assert_ne!(done.code, Some(0), "{way:?} {status}: {done:?}");
            assert_clean(&format!("{way:?} {status}"), format!("{done:?}").as_bytes(), &needles);
            let daemon = rig.daemon();
            rig.wait_for_status("a failure", |status| status["renewal"]["consecutive_failures"].as_u64() >= Some(1));
            assert_clean("the log", daemon.output().as_bytes(), &needles);
            assert_files_clean(&rig, &needles);
            assert!(!server.requests().is_empty());
            assert!(done.err.contains("You sent"), "the rest of its words is told: {done:?}");
        }
    }
}

/// A program that writes down what the daemon lets it see.
fn spy(rig: &Rig, name: &str, last_words: &str) -> String {
    let seen = rig.path(&format!("{name}.seen"));
    let script = format!("#!/bin/sh\n{{ env; echo \"$0 $*\"; cat; }} >> {} 2>&1\n{last_words}\n", seen.display());
    let path = rig.write(name, script);
    test_support::make_executable(&path).expect("a program");
    format!("[{:?}]", path.display().to_string())
}

#[test]
fn the_daemon_tells_nobody() {
    for (way, format) in [(Way::Api, "text"), (Way::Api, "json"), (Way::Basic, "text"), (Way::Bearer, "json")] {
        let hub = hub(true);
        let mut rig = device(&hub, way);
        rig.set("log.format", format);
        rig.set("renewal.min-retry", "50ms");
        rig.set("renewal.max-retry", "100ms");
        rig.set("status.metrics-textfile", rig.path("metrics.prom").display());
        let hook = spy(&rig, "hook", "");
        rig.set("hooks.on-change", hook);
        rig.set("reload.method", "command");
        let reload = spy(&rig, "reload", "");
        rig.set("reload.command", reload);
        if way == Way::Api {
            rig.unset("device.duid");
            let duid = spy(&rig, "duid", &format!("echo {}", test_bench::rig::DUID));
            rig.set("device.duid-command", duid);
            // The other home of a key: systemd's credentials.
            fs::create_dir(rig.path("credentials")).expect("a directory");
            fs::rename(rig.path("api-key"), rig.path("credentials/api-key")).expect("a move");
            rig.env("CREDENTIALS_DIRECTORY", rig.path("credentials").display());
        }
        let needles = needles(&rig);
        hub.fault(Endpoint::Any, Fault::status(401).message("Who are you?"));
        let daemon = rig.daemon();
        rig.wait_for_status("a license", |status| status["state"] == "valid" && status["reload"]["pending"] == false);
        for signal in [Signal::HUP, Signal::USR1] {
            daemon.signal(signal).expect("a signal");
        }
        rig.run(&["renew"]).expect(0);
        let pid = daemon.pid().as_raw_pid();
        for name in ["cmdline", "environ", "comm", "status", "maps", "limits"] {
            let text = fs::read(format!("/proc/{pid}/{name}")).expect("a running process");
            assert!(!text.is_empty(), "{name}");
            assert_clean(&format!("/proc/PID/{name}"), &text, &needles);
        }
        for entry in fs::read_dir(format!("/proc/{pid}/fd")).expect("descriptors").flatten() {
            let target = fs::read_link(entry.path()).unwrap_or_default();
            let secret = ["api-key", "password", "token", "client.key"].iter().any(|name| target.ends_with(name));
            assert!(!secret, "no secret's file stays open: {target:?}");
        }
        daemon.signal(Signal::TERM).expect("a signal");
        assert!(daemon.wait_exit(PATIENCE).expect("an end").success(), "{}", daemon.output());
        let log = daemon.output();
        assert!(log.contains("asking the hub") && log.contains("sleeping"), "debug and trace lines are there: {log}");
        assert_clean("the log", log.as_bytes(), &needles);
        assert_only_our_own_lines(&daemon, format);
        if way == Way::Api {
            fs::remove_file(rig.path("credentials/api-key")).expect("the key");
            let seen = fs::read_to_string(rig.path("duid.seen")).expect("the command ran");
            assert!(
                seen.contains("PATH=") && !seen.lines().any(|line| line.starts_with("CREDENTIALS_DIRECTORY")),
                "{seen}"
            );
        }
        for name in ["hook.seen", "reload.seen"] {
            assert!(rig.path(name).exists(), "{name}: {log}");
        }
        assert!(assert_files_clean(&rig, &needles) >= 8);
    }
}

/// The libraries below know headers and bodies; whatever they may log, none of it comes through.
fn assert_only_our_own_lines(daemon: &Proc, format: &str) {
    for line in daemon.lines() {
        let lower = line.text.to_ascii_lowercase();
        for library in [
            "hyper",
            "hyper",
            "rustls",
            "tokio",
            "mio::",
            "notify::",
            "x-api-key",
            "authorization",
            "handshake",
            "connector",
        ] {
            assert!(!lower.contains(library), "{library}: {}", line.text);
        }
        let known = if format == "json" {
            serde_json::from_str::<serde_json::Value>(&line.text).is_ok_and(|line| line["level"].is_string())
        } else {
            ["TRACE ", "DEBUG ", "INFO ", "WARN ", "ERROR "]
                .iter()
                .any(|level| line.text.trim_start().starts_with(level))
        };
        assert!(known, "every line has a level: {}", line.text);
    }
}

#[test]
fn a_proxys_password_is_no_exception() {
    let hub = hub(true);
    let mut rig = device(&hub, Way::Api);
    let (needles, port) = (needles(&rig), hub.address().port());
    let proxy = format!("http://{}:{}@127.0.0.1:{port}", super::marker::USER, super::marker::PASSWORD);
    // The hub's own port makes a bad proxy, which is all the better: its errors are to be clean, too.
    for from_environment in [false, true] {
        if from_environment {
            rig.unset("hub.proxy");
            rig.env("HTTPS_PROXY", &proxy);
        } else {
            rig.set("hub.proxy", &proxy);
        }
        for args in [
            &["hub", "list"][..],
            &["renew"],
            &["config", "show"],
            &["config", "show", "--json"],
            &["config", "check"],
            &["status"],
        ] {
            let done = rig.run(args);
            assert_clean(&format!("{args:?}"), format!("{done:?}").as_bytes(), &needles);
        }
        let daemon = rig.daemon();
        rig.wait_for_status("a failure", |status| status["renewal"]["consecutive_failures"].as_u64() >= Some(1));
        drop(daemon.signal(Signal::TERM));
        daemon.wait_exit(PATIENCE).expect("an end");
        assert_clean("the log", daemon.output().as_bytes(), &needles);
    }
    fs::remove_file(rig.path("config.toml")).expect("its home");
    assert_files_clean(&rig, &needles);
}
