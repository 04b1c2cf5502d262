//! Mistakes at the shell: exit code 2, and nothing is sent.

use hub_emulator::{Endpoint, HubEmulator, LicenseSpec, Options};

use test_bench::rig::{Rig, SERIAL};

#[test]
fn nothing_is_sent_that_could_be_known_to_be_wrong() {
    let hub = HubEmulator::start(Options::new());
    hub.add_license(LicenseSpec::new(SERIAL));
    let rig = Rig::api(&hub);
    let create = ["hub", "create", "--issued-to", "A", "--entitlement", "x"];
    let renew = ["hub", "renew", SERIAL];
    for (args, words) in [
        ([&renew[..], &["--expire-at", "2020-01-01"]].concat(), "not in the future"),
        ([&renew[..], &["--expire-at", "tomorrow"]].concat(), "not a date; write YYYY-MM-DD"),
        ([&renew[..], &["--expire-at", "2099-02-30"]].concat(), "not a date"),
        ([&renew[..], &["--expire-at", "2099-1-1"]].concat(), "not a date"),
        ([&renew[..], &["--expire-at", ""]].concat(), "not a date"),
        ([&renew[..], &["--duration-days", "0"]].concat(), "0 is not in 1..=3660"),
        ([&renew[..], &["--duration-days", "-1"]].concat(), "-1"),
        ([&renew[..], &["--duration-days", "1.5"]].concat(), "1.5"),
        ([&renew[..], &["--duration-days", "99999"]].concat(), "99999"),
        ([&renew[..], &["--duration-days", "7", "--expire-at", "2099-01-01"]].concat(), "cannot be used with"),
        ([&create[..], &["--expire-at", "2020-01-01"]].concat(), "not in the future"),
        ([&create[..], &["--duid", ""]].concat(), "--duid"),
        ([&create[..], &["--renewable", "maybe"]].concat(), "maybe"),
        ([&create[..], &["--format", "xml"]].concat(), "xml"),
        (vec!["hub", "create", "--issued-to", "A"], "--entitlement"),
        (vec!["hub", "create", "--entitlement", "x"], "--issued-to"),
        (vec!["hub", "create", "--issued-to", "", "--entitlement", "x"], "--issued-to"),
        (vec!["hub", "list", "--expiring", "soon"], "soon"),
        (vec!["hub", "delete"], "<SERIAL>"),
        (vec!["hub", "delete", "--force"], "--force"),
        (vec!["hub", "delete", ""], "serial"),
        (vec!["hub", "view", "../licenses"], "is not a serial number"),
        (vec!["hub", "view", ".."], "is not a serial number"),
        (vec!["hub", "view", "a/b"], "is not a serial number"),
        (vec!["hub", "view", "a?format=object"], "is not a serial number"),
        (vec!["hub", "renew", "a%2fb"], "is not a serial number"),
        (vec!["hub", "delete", "a b"], "is not a serial number"),
    ] {
        let done = rig.run(&args);
        assert_eq!(done.code, Some(2), "{args:?}: {done:?}");
        assert!(done.err.contains(words), "{args:?}: {}", done.err);
    }
    assert_eq!(hub.connections(), 0);
    assert!(hub.license(SERIAL).is_some());
}

#[test]
fn a_relay_has_no_endpoints() {
    let hub = HubEmulator::start(Options::new());
    let rig = Rig::relay(&hub, hub.relay_url(hub_emulator::RelayPath::Open));
    for args in [vec!["hub", "list"], vec!["hub", "delete", SERIAL], vec!["provision"], vec!["retire"]] {
        assert!(rig.run(&args).expect(2).contains("hub.kind = \"api\""), "{args:?}");
    }
    assert_eq!(hub.connections(), 0);
}

#[test]
fn a_missing_key_is_one_sentence_and_no_request() {
    let hub = HubEmulator::start(Options::new());
    let mut rig = Rig::api(&hub);
    rig.unset("hub.api-key-file");
    let done = rig.run(&["hub", "list"]);
    assert!(done.expect(1).contains("there is no API key") && done.err.lines().count() == 1, "{done:?}");
    assert_eq!(hub.count(Endpoint::Any), 0);
}

#[test]
fn json_is_json_also_when_nothing_comes_of_it() {
    let hub = HubEmulator::start(Options::new());
    let rig = Rig::api(&hub);
    let done = rig.run(&["install", "--json", "/nope"]);
    assert_eq!(
        (done.expect(1), &done.json()),
        ("", &serde_json::json!({"exit": 1, "message": "/nope: there is no such file"}))
    );
    assert!(rig.run(&["install", "/nope"]).expect(1).contains("/nope: there is no such file"));
    rig.write("config.toml", "[hub]\nurll = \"x\"\n");
    for args in [&["renew", "--json"][..], &["install", "--json", "config.toml"], &["retire", "--json"]] {
        let done = rig.run(args);
        assert!(done.expect(78).is_empty() && done.json()["exit"] == 78, "{args:?}: {done:?}");
    }
}
