//! A configuration that is refused ends nothing: the last good one is kept, and a start works with it.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;

use test_bench::rig::Rig;

use super::{device, offer};

/// Appends a mistake, and returns its line.
fn break_it(rig: &Rig) -> usize {
    let good = std::fs::read_to_string(rig.path("config.toml")).expect("a configuration");
    rig.write("config.toml", format!("{good}[renewall]\nmin-retry = \"1m\"\n"));
    good.lines().count() + 1
}

fn kept(rig: &Rig) -> PathBuf {
    rig.path("state/last-good-config.json")
}

#[test]
fn a_typo_ends_neither_the_daemon_nor_its_next_start() {
    let (hub, rig) = device();
    let daemon = rig.daemon();
    rig.run(&["reload"]).expect(0);
    let good = std::fs::read_to_string(rig.path("config.toml")).expect("a configuration");
    let line = break_it(&rig);
    let config = rig.path("config.toml").display().to_string();
    let mistake = format!("{config}:{line}: unknown key `renewall`; did you mean `renewal`?");

    let outcome = rig.run(&["reload"]);
    assert!(outcome.expect(78).contains(&mistake) && outcome.err.contains("stays in force"), "{outcome:?}");
    let as_json = rig.run(&["reload", "--json"]);
    as_json.expect(78);
    assert_eq!(as_json.json()["exit"], 78, "{as_json:?}");
    assert!(rig.run(&["config", "check"]).expect(78).contains(&mistake));
    let told = |what: &str| {
        let status = rig.wait_for_status(what, |status| status["configuration"]["refused"]["line"] == line);
        let refused = &status["configuration"]["refused"];
        assert_eq!(refused["file"], config);
        assert_eq!(refused["message"], "unknown key `renewall`; did you mean `renewal`?");
        assert!(refused["at"].is_string() && status["configuration"]["loaded_at"].is_string(), "{status:#}");
        let problems = status["problems"].to_string();
        assert!(problems.contains("the configuration is refused, the last good one of "), "{problems}");
        let check = rig.run(&["check"]);
        check.expect(1);
        assert!(check.out.contains(&format!("the configuration is refused: {mistake}")), "{check:?}");
        assert!(rig.run(&["status"]).out.contains(&mistake));
        refused["at"].clone()
    };
    let at = told("while the daemon runs");
    rig.run(&["reload"]).expect(78);
    assert_eq!(told("the same mistake again"), at, "its time is that of the first refusal");
    offer(&hub, 1);
    let before = rig.installed();
    rig.run(&["renew"]).expect(0);
    assert_ne!(rig.installed(), before, "it renews");
    drop(daemon);

    let meta = std::fs::metadata(kept(&rig)).expect("it is kept");
    assert_eq!(meta.mode() & 0o7777, 0o600);
    let daemon = rig.daemon();
    told("after a start");
    offer(&hub, 2);
    let before = rig.installed();
    rig.run(&["renew"]).expect(0);
    assert_ne!(rig.installed(), before, "it renews");
    assert!(daemon.output().contains("is in force: "), "{}", daemon.output());

    rig.write("config.toml", &good);
    rig.run(&["reload"]).expect(0);
    rig.wait_for_status("corrected", |status| status["configuration"]["refused"].is_null());
    rig.run(&["check"]).expect(0);
}

#[test]
fn keys_and_the_file_itself_may_vanish() {
    let (hub, rig) = device();
    drop(rig.daemon());
    std::fs::rename(rig.path("keys.d"), rig.path("elsewhere")).expect("moved");
    let daemon = rig.daemon();
    rig.wait_for_status("the kept keys hold", |status| status["state"] == "valid");
    let problems = rig.status()["problems"].to_string();
    assert!(problems.contains("no trusted key"), "{problems}");
    drop(daemon);
    std::fs::rename(rig.path("elsewhere"), rig.path("keys.d")).expect("moved back");

    std::fs::rename(rig.path("config.toml"), rig.path("config.gone")).expect("moved");
    let daemon = rig.daemon();
    rig.wait_for_status("without the file", |status| status["state"] == "valid");
    assert!(rig.run(&["reload"]).expect(78).contains("stays in force"));
    rig.run(&["config", "check"]).expect(78);
    drop(daemon);

    // Without a daemon a command does the work with it, and says so.
    offer(&hub, 1);
    let renew = rig.run(&["renew"]);
    assert!(renew.expect(0).contains("warning: the last good configuration was used: "), "{renew:?}");
    std::fs::remove_file(kept(&rig)).expect("it was kept");
    rig.run(&["renew"]).expect(78);
    rig.run(&["run"]).expect(78);
}

/// What others can write to is nobody's last good configuration, and that of another file is not this one's.
#[test]
fn what_is_kept_is_guarded() {
    let (_hub, rig) = device();
    drop(rig.daemon());
    let before = std::fs::read(kept(&rig)).expect("it is kept");
    let written = std::fs::metadata(kept(&rig)).expect("it is there").ino();
    drop(rig.daemon());
    assert_eq!(std::fs::metadata(kept(&rig)).expect("it is there").ino(), written, "the same is not written again");
    break_it(&rig);
    std::fs::set_permissions(kept(&rig), Permissions::from_mode(0o622)).expect("chmod");
    rig.run(&["run"]).expect(78);
    std::fs::set_permissions(kept(&rig), Permissions::from_mode(0o600)).expect("chmod");
    for broken in [&b"{}"[..], b"", b"\xff"] {
        std::fs::write(kept(&rig), broken).expect("written");
        rig.run(&["run"]).expect(78);
    }
    let other = String::from_utf8(before.clone()).expect("JSON").replace("config.toml", "other.toml");
    std::fs::write(kept(&rig), other).expect("written");
    rig.run(&["run"]).expect(78);
    std::fs::write(kept(&rig), before).expect("written");
    drop(rig.daemon());
}

/// Versions before 0.2.0 looked at neither owner nor mode of the configuration: an upgrade must not end on that.
#[test]
fn a_configuration_that_others_can_write_is_refused_and_an_upgrade_keeps_what_it_said() {
    let (_hub, rig) = device();
    std::fs::set_permissions(rig.path("config.toml"), Permissions::from_mode(0o666)).expect("chmod");
    let refused = rig.run(&["config", "check"]);
    let remedy = format!("chmod go-w {}", rig.path("config.toml").display());
    assert!(refused.expect(78).contains(&remedy), "{refused:?}");
    rig.run(&["run"]).expect(78);
    rig.run(&["config", "keep"]).expect(0);
    let daemon = rig.daemon();
    rig.wait_for_status("it says what to do", |status| status["problems"].to_string().contains(&remedy));
    drop(daemon);

    // Once: what others write from now on is not taken over.
    let before = std::fs::read(kept(&rig)).expect("it is kept");
    let good = std::fs::read_to_string(rig.path("config.toml")).expect("a configuration");
    std::fs::write(rig.path("config.toml"), good.replace("[trust]", "[trust]\nmode = \"transport\"")).expect("written");
    rig.run(&["config", "keep"]).expect(0);
    assert_eq!(std::fs::read(kept(&rig)).expect("it is kept"), before);
    // And nothing that is refused for another reason.
    std::fs::remove_file(kept(&rig)).expect("it was kept");
    break_it(&rig);
    rig.run(&["config", "keep"]).expect(78);
    assert!(!kept(&rig).exists());
}

#[test]
fn reload_finds_the_daemon_where_it_still_listens() {
    let (_hub, mut rig) = device();
    assert!(rig.run(&["reload"]).expect(1).contains("no daemon runs"));
    let _daemon = rig.daemon();
    rig.set("status.socket", rig.path("moved.sock").display());
    rig.run(&["reload"]).expect(0);
    assert!(rig.path("moved.sock").exists());
    rig.unset("status.socket");
    rig.run(&["reload"]).expect(0);
    assert!(rig.path("run/control.sock").exists());
}

#[test]
fn the_reference_is_printed() {
    let example = Rig::new().run(&["config", "example"]);
    example.expect(0);
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    assert_eq!(example.out, std::fs::read_to_string(root.join("config/config.toml")).expect("the reference"));
}
