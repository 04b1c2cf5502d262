//! HUP, and `reload-config` on the socket: the new configuration is applied whole, or refused whole.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use hub_emulator::{BodyStyle, Endpoint, Fault, FaultRule, Format, HubEmulator, LicenseSpec, Options, SigningKey};
use netify_licensed::core::time::WallTime;
use test_support::{Proc, Signal, wait_until};

use super::{DAY, ask, device};
use test_bench::rig::{DUID, PATIENCE, Rig, SERIAL, now};

const STATUS: &str = r#"{"v":1,"command":"status"}"#;

fn hang_up(daemon: &Proc, wanted: &str) {
    let before = daemon.lines().len();
    daemon.signal(Signal::HUP).expect("the daemon runs");
    let find = |lines: &[test_support::Line]| lines.iter().skip(before).find(|l| l.text.contains(wanted)).map(|_| ());
    daemon.wait_for_lines(find, PATIENCE, wanted).expect("it says so");
}

fn applied(daemon: &Proc) {
    hang_up(daemon, "configuration read again");
}

fn refused(daemon: &Proc) {
    hang_up(daemon, "the new configuration is refused, the old one stays in force: ");
}

#[test]
fn sockets_and_files_move() {
    let (_hub, mut rig) = device();
    let old = [rig.path("run/control.sock"), rig.path("run/status.json"), rig.path("old.prom")];
    let new = [rig.path("new.sock"), rig.path("new.json"), rig.path("new.prom")];
    rig.set("status.metrics-textfile", old[2].display());
    let daemon = rig.daemon();
    assert!(old.iter().all(|path| path.exists()));
    rig.set("status.socket", new[0].display());
    rig.set("status.file", new[1].display());
    rig.set("status.metrics-textfile", new[2].display());
    applied(&daemon);
    assert_eq!(ask(&new[0], STATUS).expect("it listens there")["status"]["state"], "valid");
    rig.run(&["renew", "--if-due"]).expect(0);
    for (old, new) in old.iter().zip(&new) {
        assert!(!old.exists(), "{} deceives whoever still looks at it", old.display());
        assert!(new.exists(), "{}", new.display());
    }
    // And back, through the socket that is going to be closed.
    for key in ["status.socket", "status.file", "status.metrics-textfile"] {
        rig.unset(key);
    }
    let answer = ask(&new[0], r#"{"v":1,"command":"reload-config"}"#).expect("it answers");
    assert_eq!((&answer["exit"], &answer["message"]), (&0.into(), &"configuration read again".into()));
    assert_eq!(ask(&old[0], STATUS).expect("it listens there")["status"]["state"], "valid");
    assert!(new.iter().all(|path| !path.exists()));
}

/// A program that takes long is of the configuration before, and has nothing more to say.
#[test]
fn a_device_id_that_comes_too_late_is_nobody_s() {
    let (_hub, mut rig) = device();
    let (slow, old) = (rig.path("slow"), rig.path("old.sh"));
    let script = format!("#!/bin/sh\ncat {}\necho OLD-DEVICE\necho > {}\n", slow.display(), rig.path("done").display());
    rig.write("old.sh", script);
    test_support::make_executable(&old).expect("a program");
    assert!(std::process::Command::new("mkfifo").arg(&slow).status().expect("mkfifo").success());
    let daemon = rig.daemon();
    rig.unset("device.duid");
    rig.set("device.duid-command", format!("[{:?}]", old.display().to_string()));
    applied(&daemon);
    rig.unset("device.duid-command");
    rig.set("device.duid", DUID);
    applied(&daemon);
    // Only now the first one gets its answer.
    std::fs::write(&slow, "").expect("the program waits");
    wait_until(|| rig.path("done").exists(), PATIENCE, "it ends").expect("it ends");
    hang_up(&daemon, "configuration read again");
    let status = rig.wait_for_status("still", |status| status["pid"].is_number());
    assert_eq!(status["device"]["duid"], DUID, "{status}");
    assert!(!daemon.output().contains("OLD-DEVICE"), "{}", daemon.output());
}

/// Whoever looks all the time puts nothing off.
#[test]
fn a_deadline_holds_while_it_is_asked_for_the_status() {
    let (_hub, rig) = device();
    let daemon = rig.daemon();
    let text = rig.installed();
    rig.write("other.json", "{}");
    std::fs::rename(rig.path("other.json"), rig.license()).expect("replaced");
    let socket = rig.path("run/control.sock");
    let put_back = || {
        ask(&socket, STATUS).expect("it answers");
        std::fs::read_to_string(rig.license()).is_ok_and(|now| now == text)
    };
    let done = wait_until(put_back, PATIENCE, "the license is put back");
    assert!(done.is_ok(), "{done:?}: {}", daemon.output());
}

#[test]
fn the_license_moves() {
    let (_hub, mut rig) = device();
    let daemon = rig.daemon();
    let text = rig.installed();
    std::fs::create_dir(rig.path("elsewhere")).expect("a directory");
    let file = rig.write("elsewhere/other.json", &text);
    rig.set("license.path", file.display());
    applied(&daemon);
    rig.wait_for_status("the new path", |status| status["license"]["path"] == file.display().to_string());
    // It is watched there.
    std::fs::write(&file, "torn").expect("torn");
    wait_until(|| std::fs::read_to_string(&file).is_ok_and(|now| now == text), PATIENCE, "it is put right")
        .expect("it is put right");
    assert_eq!(rig.installed(), text, "the old file is nobody's any more");
}

#[test]
fn keys_change() {
    let (_hub, mut rig) = device();
    let daemon = rig.daemon();
    rig.wait_for_status("the first key", |status| status["state"] == "valid");
    std::fs::create_dir(rig.path("other.d")).expect("a directory");
    let key = SigningKey::from_seed(77);
    rig.write("other.d/other.pem", key.public_key_pem());
    rig.set("trust.keys", format!("[{:?}]", rig.path("other.d").display().to_string()));
    applied(&daemon);
    rig.wait_for_status("nobody vouches for it", |status| status["state"] == "bad-signature");
    let spec = LicenseSpec::new(SERIAL).duid(DUID).issued_ago(DAY).expires_in(DAY * 5);
    let file = rig.write("given.json", spec.to_json(&key, Format::Netifyd, BodyStyle::Pretty));
    rig.run(&["install", &file.display().to_string()]).expect(0);
    rig.wait_for_status("the second key", |status| status["state"] == "valid");
}

/// Members of the daemon's group may have it install what verifies. They may not bring keys of their own.
#[test]
fn keys_that_a_group_may_write_are_refused() {
    let (_hub, mut rig) = device();
    let mode = |rig: &Rig, name: &str, mode: u32| {
        std::fs::set_permissions(rig.path(name), Permissions::from_mode(mode)).expect("chmod");
    };
    let refused = |rig: &Rig, words: &str, named: &str| {
        let check = rig.run(&["config", "check"]);
        let remedy = format!("chmod go-w {}", rig.path(named).display());
        assert!(check.expect(78).contains(words) && check.err.contains(&remedy), "{check:?}");
    };
    for bits in [0o664, 0o620, 0o646] {
        mode(&rig, "keys.d/hub.pem", bits);
        refused(&rig, &format!("hub.pem: others may write to it (mode {bits:04o})"), "keys.d/hub.pem");
    }
    mode(&rig, "keys.d/hub.pem", 0o644);
    // Nor take the place of the directory, or of one above a file or behind a link.
    mode(&rig, "keys.d", 0o775);
    refused(&rig, "keys.d: others may write to it (mode 0775)", "keys.d");
    rig.set("trust.keys", format!("[{:?}]", rig.path("keys.d/hub.pem").display().to_string()));
    refused(&rig, "keys.d, which others can write to", "keys.d");
    std::fs::create_dir(rig.path("links")).expect("a directory");
    mode(&rig, "links", 0o755);
    std::os::unix::fs::symlink("../keys.d/hub.pem", rig.path("links/hub.pem")).expect("a link");
    rig.set("trust.keys", format!("[{:?}]", rig.path("links").display().to_string()));
    refused(&rig, "keys.d, which others can write to", "keys.d");
    mode(&rig, "keys.d", 0o755);
    rig.run(&["config", "check"]).expect(0);
}

/// The same directory with other files in it: that is read again, too.
#[test]
fn a_key_is_added() {
    let (_hub, rig) = device();
    let daemon = rig.daemon();
    let key = SigningKey::from_seed(77);
    rig.write("keys.d/second.pem", key.public_key_pem());
    applied(&daemon);
    let spec = LicenseSpec::new(SERIAL).duid(DUID).issued_ago(DAY).expires_in(DAY * 9);
    let file = rig.write("given.json", spec.to_json(&key, Format::Netifyd, BodyStyle::Pretty));
    rig.run(&["install", &file.display().to_string()]).expect(0);
}

/// All else is in force.
#[test]
fn the_log_s_format_takes_a_restart() {
    let (_hub, mut rig) = device();
    let daemon = rig.daemon();
    rig.set("log.format", "json");
    hang_up(&daemon, "configuration read again; log.format takes a restart");
}

#[test]
fn intervals_change() {
    let hub = HubEmulator::start(Options::new());
    let mut rig = Rig::api(&hub);
    // Long due, and the hub is down.
    let spec = LicenseSpec::new(SERIAL).duid(DUID).issued_ago(DAY * 6).expires_in(DAY / 4);
    let file = rig.write("given.json", hub.sign(&spec));
    rig.run(&["install", &file.display().to_string()]).expect(0);
    rig.set("renewal.min-retry", "1h");
    hub.rule(FaultRule::always(Endpoint::Any, Fault::status(503)));
    let daemon = rig.daemon();
    assert!(hub.wait_for_answers(Endpoint::Any, 1, PATIENCE));
    rig.wait_for_status("the first failure", |status| status["renewal"]["consecutive_failures"] == 1);
    rig.set("renewal.min-retry", "100ms");
    rig.set("renewal.max-retry", "200ms");
    applied(&daemon);
    // What was decided under the old rules stands, and whoever asks is not held to it.
    rig.run(&["renew"]).expect(1);
    let before = hub.count(Endpoint::Any);
    let began = Instant::now();
    assert!(hub.wait_for_answers(Endpoint::Any, before + 3, PATIENCE), "the new intervals hold");
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}

#[test]
fn a_mistake_refuses_all_of_it() {
    let (_hub, mut rig) = device();
    let daemon = rig.daemon();
    let good = std::fs::read_to_string(rig.path("config.toml")).expect("a configuration");
    let moved = rig.path("moved.sock");
    rig.set("status.socket", moved.display());
    let fine = std::fs::read_to_string(rig.path("config.toml")).expect("a configuration");
    let mistakes: [(&str, String, &str); 4] = [
        ("an unknown key", fine.replace("[hub]", "[hub]\nurll = \"x\""), "urll"),
        ("no TOML", format!("{fine}\n[hub"), "config.toml"),
        ("no key", fine.replace("keys.d", "no-keys.d"), "no-keys.d"),
        ("no certificate", fine.replace("[hub]", "[hub]\nca-file = \"/nowhere/ca.pem\""), "/nowhere/ca.pem"),
    ];
    for (what, text, named) in mistakes {
        rig.write("config.toml", &text);
        refused(&daemon);
        let answer =
            ask(&rig.path("run/control.sock"), r#"{"v":1,"command":"reload-config"}"#).expect("the old socket");
        assert_eq!(answer["exit"], 78, "{what}: {answer}");
        assert!(answer["message"].as_str().is_some_and(|text| text.contains(named)), "{what}: {answer}");
        still_the_old_one(&rig, &moved);
    }
    // A mistake that only shows when it is tried: nobody can listen there.
    for (path, why) in [(rig.write("a-file", "precious"), "it is no socket"), (rig.path("a-file/x.sock"), "a-file")] {
        rig.write("config.toml", fine.replace(&moved.display().to_string(), &path.display().to_string()));
        refused(&daemon);
        assert!(daemon.output().contains(why), "{}", daemon.output());
        still_the_old_one(&rig, &path.with_extension("sock"));
        assert_eq!(std::fs::read_to_string(rig.path("a-file")).expect("it is there"), "precious");
    }
    rig.write("config.toml", good);
    applied(&daemon);
}

/// A pipe that nobody writes to and a device without an end, in the place of every file that the configuration names.
#[test]
fn what_is_no_file_holds_up_nobody() {
    let (_hub, mut rig) = device();
    let daemon = rig.daemon();
    let pipe = rig.path("pipe.pem");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).expect("a pipe");
    let good = std::fs::read_to_string(rig.path("config.toml")).expect("a configuration");
    let lone_key = good.replace(&rig.path("keys.d").display().to_string(), &pipe.display().to_string());
    let named = |key: &str, path: &str| good.replace("[hub]", &format!("[hub]\n{key} = {path:?}"));
    let pipe_name = pipe.display().to_string();
    for (text, words) in [
        (lone_key, "pipe.pem: cannot read this key: it is not a regular file"),
        (named("ca-file", &pipe_name), "pipe.pem: it is not a regular file"),
        (named("ca-file", "/dev/zero"), "/dev/zero: it is not a regular file"),
        (named("client-key = \"/k\"\nclient-cert", &pipe_name), "pipe.pem: it is not a regular file"),
    ] {
        rig.write("config.toml", text);
        refused(&daemon);
        assert!(daemon.output().contains(words), "{words}: {}", daemon.output());
    }
    std::fs::remove_file(rig.path("config.toml")).expect("a file");
    std::fs::rename(&pipe, rig.path("config.toml")).expect("renamed");
    refused(&daemon);
    assert!(daemon.output().contains("cannot read the configuration: it is not a regular file"), "{}", daemon.output());
    // Beside a good key it is named, and no more than that.
    std::fs::rename(rig.path("config.toml"), rig.path("keys.d/pipe.pem")).expect("renamed");
    rig.write("config.toml", good);
    applied(&daemon);
    let check = rig.run(&["config", "check"]);
    assert!(check.out.contains("pipe.pem: cannot read this key: it is not a regular file"), "{check:?}");
    check.expect(0);
    rig.unset("device.duid");
    rig.set("device.duid-file", rig.path("keys.d/pipe.pem").display());
    assert!(rig.run(&["duid"]).expect(1).contains("pipe.pem: it is not a regular file"));
    assert_eq!(ask(&rig.path("run/control.sock"), STATUS).expect("it answers")["status"]["state"], "valid");
}

fn still_the_old_one(rig: &Rig, moved: &std::path::Path) {
    assert!(!moved.exists());
    let answer = ask(&rig.path("run/control.sock"), STATUS).expect("the old socket");
    assert_eq!(answer["status"]["state"], "valid");
}

/// Whoever clears the runtime directory cuts off nobody for good.
#[test]
fn a_deleted_socket_comes_back() {
    let (_hub, mut rig) = device();
    let path = rig.path("run/control.sock");
    let daemon = rig.daemon();
    std::fs::remove_file(&path).expect("removed");
    applied(&daemon);
    assert_eq!(ask(&path, STATUS).expect("it listens there")["status"]["state"], "valid");
    // Somebody else's socket is in its place; the daemon neither takes that away nor loses its own for good.
    std::fs::remove_file(&path).expect("removed");
    let other = UnixListener::bind(&path).expect("listens");
    hang_up(&daemon, "listens there already");
    drop(other);
    daemon.signal(Signal::HUP).expect("the daemon runs");
    let answers = || ask(&path, STATUS).is_ok_and(|answer| answer["status"]["state"] == "valid");
    wait_until(answers, PATIENCE, "it listens again").expect("it listens again");
    drop(daemon);
    // And without being told, at the next beat.
    rig.env("WATCHDOG_USEC", 200_000);
    let _daemon = rig.daemon();
    std::fs::remove_file(&path).expect("removed");
    wait_until(answers, PATIENCE, "it listens again").expect("it listens again");
}

/// What a killed predecessor left of its socket is no obstacle.
#[test]
fn a_dead_socket_is_replaced() {
    let (_hub, rig) = device();
    let path = rig.path("run/control.sock");
    drop(UnixListener::bind(&path).expect("listens"));
    assert!(path.exists());
    let _daemon = rig.daemon();
    assert_eq!(ask(&path, STATUS).expect("it listens there")["status"]["state"], "valid");
}

/// Somebody mended what was wrong: the wait after the failure is not sat out.
#[test]
fn after_a_mend_the_hub_is_asked_soon() {
    let (hub, mut rig) = due_device();
    rig.set("renewal.min-retry", "1s");
    let key = rig.secret("another-key", "not-the-key");
    rig.set("hub.api-key-file", key.display());
    let daemon = rig.daemon();
    let status = rig.wait_for_status("refused", |status| status["renewal"]["last_attempt"]["outcome"] == "refused");
    let next = status["renewal"]["next_attempt_at"].as_str().and_then(WallTime::parse).expect("a time");
    assert!(next.unix() - now() > 10 * 60, "a refusal is asked about slowly: {status:#}");
    rig.secret("another-key", &hub.api_key());
    applied(&daemon);
    rig.wait_for_status("renewed", |status| status["renewal"]["last_attempt"]["outcome"] == "installed");
    assert_eq!(hub.count(Endpoint::Renew), 1);
}

/// A hub that asks for patience is not asked sooner because somebody reads the configuration again.
#[test]
fn a_mend_does_not_cut_the_wait_that_the_hub_asked_for() {
    let (hub, mut rig) = due_device();
    rig.set("renewal.min-retry", "1s");
    hub.rule(FaultRule::always(Endpoint::Any, Fault::status(429).retry_after(600)));
    let daemon = rig.daemon();
    let status = rig.wait_for_status("told", |status| status["renewal"]["last_attempt"]["outcome"] == "rate-limited");
    applied(&daemon);
    rig.run(&["status"]).expect(0);
    assert_eq!(rig.status()["renewal"]["next_attempt_at"], status["renewal"]["next_attempt_at"]);
    assert_eq!(hub.count(Endpoint::Any), 1);
}

/// A device whose license has half a day left of seven.
fn due_device() -> (HubEmulator, Rig) {
    let hub = HubEmulator::start(Options::new());
    let rig = Rig::api(&hub);
    let spec = LicenseSpec::new(SERIAL).duid(DUID).issued_ago(DAY * 6).expires_in(DAY / 2);
    rig.write("netifyd/license.json", hub.sign(&spec));
    hub.add_license(spec);
    (hub, rig)
}

/// Whoever tries out an edited configuration must not take the daemon's answer for that of the edited one.
#[test]
fn a_dry_run_says_whose_configuration_it_is_of() {
    let (_hub, mut rig) = device();
    let _daemon = rig.daemon();
    let dry_run = |rig: &Rig| rig.run(&["renew", "--dry-run"]).out;
    assert!(!dry_run(&rig).contains("configuration file"));
    rig.set("hub.timeout", "20s");
    assert!(dry_run(&rig).contains("; the configuration file says something else by now, "));
    rig.set("hub.timeoutt", "20s");
    assert!(dry_run(&rig).contains("; the configuration file is refused, the one before it was used: "));
    rig.unset("hub.timeoutt");
    rig.run(&["reload"]).expect(0);
    assert!(!dry_run(&rig).contains("configuration file"));
}

#[test]
fn a_program_that_cannot_be_run_is_found_before_it_is_needed() {
    let (_hub, mut rig) = device();
    let program = rig.write("program", "#!/bin/sh\n");
    rig.unset("device.duid");
    for key in ["hooks.on-change", "reload.command", "device.duid-command"] {
        let mut told = |path: &std::path::Path| {
            rig.set(key, format!("[{:?}]", path.display().to_string()));
            let check = rig.run(&["config", "check"]);
            check.expect(78).to_owned()
        };
        let named = format!("{key}: {}: it is not executable; run: chmod +x {}", program.display(), program.display());
        assert!(told(&program).contains(&named));
        assert!(told(&program.with_file_name("none")).contains("none: no such file or directory"));
        assert!(told(program.parent().expect("a directory")).contains("it is not a program"));
        rig.set(key, "[\"/bin/true\"]");
        rig.run(&["config", "check"]).expect(0);
    }
}
