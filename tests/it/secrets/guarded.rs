//! Where secrets are read from: only where others cannot, and anew for each use.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};

use hub_emulator::{ApiKey, Endpoint, HubEmulator, LicenseSpec, Options, RelayPath};

use test_bench::rig::{DUID, PATIENCE, Rig, SERIAL, skipped};

fn hub() -> HubEmulator {
    let hub = HubEmulator::start(Options::new().api_key(ApiKey::new("good-key")));
    hub.add_license(LicenseSpec::new(SERIAL).duid(DUID));
    hub
}

fn mode(rig: &Rig, name: &str, mode: u32) {
    fs::set_permissions(rig.path(name), Permissions::from_mode(mode)).expect("a mode");
}

const LIST: [&str; 2] = ["hub", "list"];

#[test]
fn files_that_others_may_read_are_refused() {
    let hub = hub();
    let mut rig = Rig::api(&hub);
    for bad in [0o640, 0o604, 0o644, 0o660, 0o602, 0o601, 0o777] {
        mode(&rig, "api-key", bad);
        let done = rig.run(&LIST);
        let words = format!("api-key: others may read the secret (mode {bad:04o}); run: chmod 600 ");
        assert!(done.expect(1).contains(&words), "{done:?}");
    }
    assert_eq!(hub.connections(), 0);
    for good in [0o600, 0o400, 0o700] {
        mode(&rig, "api-key", good);
        rig.run(&LIST).expect(0);
    }
    // The same holds for a relay's secrets.
    rig.unset("hub.api-key-file");
    rig.set("hub.kind", "relay");
    rig.set("hub.url", hub.relay_url(RelayPath::Bearer));
    rig.secret("token", "relay-token");
    rig.set("hub.bearer-token-file", rig.path("token").display());
    mode(&rig, "token", 0o644);
    assert!(rig.run(&["renew"]).expect(1).contains("token: others may read the secret"));
    mode(&rig, "token", 0o600);
    rig.run(&["renew"]).expect(0);
}

#[test]
fn another_users_file_is_refused_and_a_link_is_judged_by_its_end() {
    let hub = hub();
    let rig = Rig::api(&hub);
    fs::rename(rig.path("api-key"), rig.path("real-key")).expect("a move");
    symlink(rig.path("real-key"), rig.path("api-key")).expect("a link");
    rig.run(&LIST).expect(0);
    mode(&rig, "real-key", 0o644);
    assert!(rig.run(&LIST).expect(1).contains("others may read"));
    mode(&rig, "real-key", 0o600);
    if chown(rig.path("real-key"), Some(65_534), None).is_err() {
        return skipped("a file of another user: only root can make one");
    }
    assert!(rig.run(&LIST).expect(1).contains("belongs to another user; run: chown root"));
}

#[test]
fn what_is_no_secret_is_told_by_what_it_is() {
    let hub = hub();
    let mut rig = Rig::api(&hub);
    let one_line = "is not one line of 1 to 4096 printable ASCII characters";
    for (content, words) in [
        ("", one_line),
        (" \n\n", one_line),
        ("k\u{e9}y", one_line),
        ("two\nkeys\n", one_line),
        ("two words", one_line),
        ("nul\0", one_line),
        (" leading", one_line),
        ("tab\tinside", one_line),
    ] {
        rig.secret("api-key", content);
        let done = rig.run(&LIST);
        assert!(done.expect(1).contains(words) && done.err.contains("/api-key: "), "{content:?}: {done:?}");
        let bare = content.trim();
        assert!(bare.is_empty() || !done.err.contains(bare), "it is not quoted: {done:?}");
    }
    rig.secret("api-key", &"k".repeat(4_097));
    assert!(rig.run(&LIST).expect(1).contains("longer than 4096 bytes"));
    fs::remove_file(rig.path("api-key")).expect("a file");
    let done = rig.run(&LIST);
    assert!(done.expect(1).contains("/api-key: cannot read the secret: no such file"), "{done:?}");
    assert!(done.err.contains("write it there, readable by its owner alone"), "{done:?}");
    fs::create_dir(rig.path("api-key")).expect("a directory");
    mode(&rig, "api-key", 0o700);
    assert!(rig.run(&LIST).expect(1).contains("/api-key: cannot read the secret: is a directory"));
    // A pipe that nobody writes to must not hold anybody up.
    let pipe = rig.path("pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).expect("a pipe");
    rig.set("hub.api-key-file", pipe.display());
    assert!(rig.run(&LIST).expect(1).contains("is not a regular file"));
    assert_eq!(hub.connections(), 0);
}

#[test]
fn the_end_of_the_line_is_not_part_of_it() {
    let hub = hub();
    let rig = Rig::api(&hub);
    for content in ["good-key", "good-key\n", "good-key\r\n", "good-key \n\n"] {
        rig.secret("api-key", content);
        rig.run(&LIST).expect(0);
    }
}

#[test]
fn the_credential_goes_before_the_file() {
    let hub = hub();
    let mut rig = Rig::api(&hub);
    rig.secret("api-key", "file-key");
    rig.run(&LIST).expect(5);
    fs::create_dir(rig.path("credentials")).expect("a directory");
    rig.env("CREDENTIALS_DIRECTORY", rig.path("credentials").display());
    assert!(rig.run(&LIST).expect(5).contains("401"), "without a credential in it, the file counts");
    rig.secret("credentials/api-key", "good-key");
    rig.run(&LIST).expect(0);
    assert_eq!(hub.requests().last().expect("a request").request.header("x-api-key"), Some("good-key"));
    // The service manager grants access by its own means, which the mode does not show truly.
    mode(&rig, "credentials/api-key", 0o440);
    rig.run(&LIST).expect(0);
    rig.unset("hub.api-key-file");
    rig.run(&LIST).expect(0);
    // Other secrets may lie there too, and are named by path.
    rig.set("hub.kind", "relay");
    rig.set("hub.url", hub.relay_url(RelayPath::Bearer));
    rig.secret("credentials/token", "relay-token");
    mode(&rig, "credentials/token", 0o440);
    rig.set("hub.bearer-token-file", rig.path("credentials/token").display());
    rig.run(&["renew"]).expect(0);
}

#[test]
fn a_new_key_needs_no_restart() {
    let hub = hub();
    let mut rig = Rig::api(&hub);
    rig.set("renewal.min-retry", "50ms");
    rig.set("renewal.max-retry", "100ms");
    fs::remove_file(rig.path("api-key")).expect("a file");
    let daemon = rig.daemon();
    let error =
        |status: &serde_json::Value| status["renewal"]["last_attempt"]["error"].as_str().unwrap_or_default().to_owned();
    rig.wait_for_status("a missing key", |status| error(status).contains("cannot read the secret"));
    assert_eq!(hub.connections(), 0);
    rig.secret("api-key", "old-key");
    rig.wait_for_status("a refused key", |status| error(status).contains("HTTP 401"));
    rig.secret("api-key", "good-key");
    rig.wait_for_status("a license", |status| status["state"] == "valid");
    assert!(hub.wait_for(Endpoint::View, 1, PATIENCE));
    rig.secret("api-key", "revoked-key");
    assert!(rig.run(&["renew"]).expect(5).contains("HTTP 401"));
    rig.secret("api-key", "good-key");
    rig.run(&["renew"]).expect(0);
    assert!(daemon.is_running());
}
