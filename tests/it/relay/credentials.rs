//! Open, Basic, bearer: what is sent, and what never is.

use hub_emulator::{Endpoint, Fault, HubEmulator, LicenseSpec, Options, RelayPath};
use test_support::{RawAnswer, RawServer};

use super::device;
use test_bench::rig::{DUID, Rig, SERIAL};

fn relay() -> HubEmulator {
    let hub = HubEmulator::start(Options::new());
    hub.add_license(LicenseSpec::new(SERIAL));
    hub
}

fn basic(rig: &mut Rig, user: &str, password: &str) {
    let file = rig.secret("password", password);
    rig.set("hub.username", user);
    rig.set("hub.password-file", file.display());
}

#[test]
fn open_basic_and_bearer() {
    let relay = relay();
    for (path, sent) in [
        (RelayPath::Open, None),
        (RelayPath::Enterprise, Some("Basic c3lzdGVtOnJlbGF5LXNlY3JldA==")),
        (RelayPath::Community, Some("Basic c3lzdGVtOnJlbGF5LXNlY3JldA==")),
        (RelayPath::Bearer, Some("Bearer relay-token")),
    ] {
        relay.clear_requests();
        let mut rig = Rig::relay(&relay, relay.relay_url(path));
        // A key for the API may lie there; a relay never gets to see it.
        let key = rig.secret("api-key", "integrator-key");
        rig.set("hub.api-key-file", key.display());
        match path {
            RelayPath::Open => {}
            RelayPath::Bearer => {
                let token = rig.secret("token", "relay-token\n");
                rig.set("hub.bearer-token-file", token.display());
            }
            _ => basic(&mut rig, "system", "relay-secret\n"),
        }
        rig.run(&["renew"]).expect(0);
        assert_eq!(rig.installed_serial(), SERIAL);
        let requests = relay.requests();
        assert_eq!(requests.len(), 1, "one GET, and nothing else: {requests:?}");
        let request = &requests[0].request;
        assert_eq!((requests[0].endpoint, request.method.as_str()), (Endpoint::Relay, "GET"));
        assert_eq!(request.header("authorization"), sent, "{path:?}");
        assert_eq!((request.header("x-api-key"), request.header("content-type")), (None, None));
        assert!(request.header("user-agent").is_some_and(|agent| agent.starts_with("netify-licensed/")));
        assert!(request.body.is_empty());
    }
}

#[test]
fn a_password_is_any_line_and_a_token_is_not() {
    for (password, sent) in [
        ("correct horse battery staple\n", "Basic dTpjb3JyZWN0IGhvcnNlIGJhdHRlcnkgc3RhcGxl"),
        ("p\u{e4}ss \r\n", "Basic dTpww6RzcyA="),
    ] {
        let server = RawServer::start(vec![RawAnswer::json(500, "{}")]).expect("a server");
        let mut rig = Rig::relay(&relay(), server.url("/license"));
        basic(&mut rig, "u", password);
        rig.run(&["renew"]).expect(1);
        assert_eq!(server.requests()[0].header("authorization"), Some(sent), "{password:?}");
    }
    let server = RawServer::start(vec![RawAnswer::json(500, "{}")]).expect("a server");
    let mut rig = Rig::relay(&relay(), server.url("/license"));
    for password in ["", "\n", "two\nlines\n", "\u{1b}[2J", "tab\t"] {
        basic(&mut rig, "u", password);
        let done = rig.run(&["renew"]);
        assert!(done.expect(1).contains("the password is not one line"), "{password:?}: {done:?}");
    }
    rig.unset("hub.username");
    rig.unset("hub.password-file");
    let token = rig.secret("token", "to ken");
    rig.set("hub.bearer-token-file", token.display());
    assert!(rig.run(&["renew"]).expect(1).contains("the secret is not one line"));
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn wrong_or_missing_credentials_are_a_refusal_with_the_relays_words() {
    let relay = relay();
    let mut rig = Rig::relay(&relay, relay.relay_url(RelayPath::Enterprise));
    for attempt in 0..2 {
        if attempt == 1 {
            basic(&mut rig, "system", "wrong");
        }
        let done = rig.run(&["renew"]);
        let words = format!(
            "{}: the relay answered HTTP 401 (Unauthorized): Unauthorized",
            relay.relay_url(RelayPath::Enterprise)
        );
        assert!(done.expect(5).contains(&words) && !done.err.contains("wrong"), "{done:?}");
    }
    assert!(!rig.license().exists());
}

#[test]
fn the_query_of_its_url_is_sent_and_never_shown() {
    let server = RawServer::start(vec![RawAnswer::json(500, r#"{"message":"Down"}"#)]).expect("a server");
    let mut rig = Rig::relay(&relay(), server.url("/license?system=7&token=geheim"));
    rig.set("log.level", "trace");
    rig.set("renewal.min-retry", "50ms");
    let done = rig.run(&["renew"]);
    done.expect(1);
    assert_eq!(server.requests()[0].target, "/license?system=7&token=geheim");
    let daemon = rig.daemon();
    server.wait_for_requests(2, test_bench::rig::PATIENCE).expect("the daemon asks");
    let shown =
        [rig.run(&["config", "show"]), rig.run(&["config", "show", "--json"]), rig.run(&["status", "--json"]), done];
    let everything = format!("{shown:?} {} {}", daemon.output(), rig.status());
    assert!(!everything.contains("geheim") && everything.contains("/license"), "{everything}");
}

#[test]
fn a_configuration_that_contradicts_itself_is_refused() {
    let relay = relay();
    let mut rig = device(&relay);
    basic(&mut rig, "system", "x");
    let token = rig.secret("token", "x");
    rig.set("hub.bearer-token-file", token.display());
    assert!(rig.run(&["config", "check"]).expect(78).contains("exclude each other"));
    rig.unset("hub.bearer-token-file");
    rig.unset("hub.password-file");
    assert!(rig.run(&["config", "check"]).expect(78).contains("belong together"));
    rig.unset("hub.username");
    rig.set_provision();
    rig.set("provision.enabled", true);
    assert!(rig.run(&["config", "check"]).expect(78).contains("a relay cannot create licenses"));
}

/// Servers quote what they were sent, as they like to write it; and a license may hold what looks like a password.
#[test]
fn a_quoted_password_is_cut_from_messages_and_from_nothing_else() {
    let hub = HubEmulator::start(Options::new());
    let spec = LicenseSpec::new(SERIAL).duid(DUID).issued_to("pw/aggregator");
    hub.add_license(spec.clone());
    let mut rig = device(&hub);
    basic(&mut rig, "u", "pw/aggregator");
    for quoted in [r"pw/aggregator", r"pw\/aggregator", r"\u0070w\/aggregator"] {
        let body = format!(r#"{{"status_message":"No: {quoted}","status_fields":{{"password":"{quoted}"}}}}"#);
        hub.fault(Endpoint::Relay, Fault::raw(format!(
            "HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )));
        let done = rig.run(&["renew"]);
        let said = done.expect(5).to_owned() + &done.out;
        assert!(said.contains("No: REDACTED") && said.contains("password: REDACTED"), "{said}");
        assert!(!said.contains("aggregator"), "{said}");
    }
    rig.run(&["renew"]).expect(0);
    assert_eq!(rig.installed(), hub.sign(&spec), "what is installed is what was received");
}
