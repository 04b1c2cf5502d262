//! One attempt, one connection; and a POST is sent once, whatever becomes of a connection that was kept.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::time::Duration;

use hub_emulator::{Endpoint, HubEmulator, LicenseSpec, Options, TlsOptions};
use test_bench::rig::{DUID, Rig, SERIAL};
use test_support::{RawAnswer, RawServer};

const DAY: Duration = Duration::from_secs(86_400);

fn due() -> LicenseSpec {
    LicenseSpec::new(SERIAL).duid(DUID).issued_ago(DAY * 6).expires_in(DAY)
}

#[test]
fn a_renewal_has_one_connection_and_one_handshake() {
    for tls in [None, Some(TlsOptions::default())] {
        let hub = HubEmulator::start(Options { tls, ..Options::new() });
        hub.add_license(due());
        let rig = Rig::api(&hub);
        rig.run(&["renew"]).expect(0);
        let before = hub.connections();
        hub.clear_requests();
        rig.run(&["renew"]).expect(0);
        assert_eq!(hub.count(Endpoint::Renew), 1);
        assert!(hub.count(Endpoint::Any) >= 2, "a GET and a POST at least");
        assert_eq!((hub.connections() - before, hub.failed_handshakes()), (1, 0));
    }
}

#[test]
fn a_rotated_secret_is_found_by_the_next_attempt() {
    let hub = HubEmulator::start(Options::new());
    hub.add_license(due());
    let mut rig = Rig::api(&hub);
    rig.set("renewal.min-retry", "100ms");
    rig.set("renewal.max-retry", "300ms");
    rig.secret("api-key", "wrong");
    let _daemon = rig.daemon();
    rig.wait_for_status("a refusal", |status| status["renewal"]["last_attempt"]["http_status"] == 401);
    rig.secret("api-key", &hub.api_key());
    rig.wait_for_status("a renewal", |status| status["renewal"]["last_attempt"]["outcome"] == "installed");
}

/// The server closes each connection after its first answer, and does not say so.
#[test]
fn a_post_on_a_connection_that_was_closed_is_never_sent_twice() {
    let emulator = HubEmulator::start(Options::new());
    let (old, new) = (emulator.sign(&due()), emulator.sign(&due().expires_in(DAY * 7)));
    for (cut, exits) in [(false, vec![0, 1]), (true, vec![1])] {
        let (old_license, old, new) = (old.clone(), old.clone(), new.clone());
        let renewed = std::sync::atomic::AtomicBool::new(false);
        let server = RawServer::with(move |request, _| {
            use std::sync::atomic::Ordering::SeqCst;
            let data = if request.method == "POST" {
                renewed.store(true, SeqCst);
                if cut {
                    return RawAnswer::cut();
                }
                "null"
            } else if renewed.load(SeqCst) {
                &new
            } else {
                &old
            };
            let body = format!("{{\"status_code\":0,\"data\":{data}}}");
            if cut {
                // Kept, until the POST comes.
                return RawAnswer::keep_alive(200, &[("Content-Type", "application/json")], body);
            }
            let head =
                format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
            RawAnswer::bytes(head + &body)
        })
        .expect("a server");
        let mut rig = Rig::api(&emulator);
        rig.set("hub.url", server.url("/api"));
        rig.write("netifyd/license.json", &old_license);
        let done = rig.run(&["renew"]);
        let posts = server.requests().iter().filter(|request| request.method == "POST").count();
        assert!(posts <= 1 && (!cut || posts == 1), "{posts}: {done:?}");
        assert!(done.code.is_some_and(|code| exits.contains(&code)), "{done:?}");
        assert!(done.code != Some(0) || posts == 1, "{done:?}");
        if cut {
            assert!(done.err.contains("the connection broke"), "{done:?}");
        }
    }
}

#[test]
fn a_socket_in_the_place_of_a_host() {
    for (path, target) in [("", "/licenses?format=netifyd"), (":/api/v2", "/api/v2/licenses?format=netifyd")] {
        let mut rig = Rig::new();
        let key = rig.secret("api-key", "socket-key");
        rig.set("hub.api-key-file", key.display());
        let socket = rig.path("relay.sock");
        rig.set("hub.url", format!("unix:{}{path}", socket.display()));
        let absent = rig.run(&["hub", "list"]);
        let shown = format!(
            "unix:{}:{}: no connection to the socket (no such file",
            socket.display(),
            &target[..target.len() - 15]
        );
        assert!(absent.expect(1).contains(&shown), "{shown}: {absent:?}");
        let listener = UnixListener::bind(&socket).expect("a socket");
        let server = std::thread::spawn(move || {
            let (stream, _) = listener.accept().expect("a client");
            let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
            let head: Vec<String> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
            let body = r#"{"status_code":0,"data":[]}"#;
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            (&stream).write_all(answer.as_bytes()).expect("written");
            head
        });
        rig.run(&["hub", "list"]).expect(0);
        let head = server.join().expect("no panic").join("\n").to_lowercase();
        assert!(head.starts_with(&format!("get {target} http/1.1\n")), "{head}");
        for field in ["host: localhost", "x-api-key: socket-key", "accept: application/json", "cache-control: no-cache"]
        {
            assert!(head.contains(field), "{field}: {head}");
        }
    }
}

#[test]
fn another_credential_does_without_an_api_key() {
    let server = RawServer::start(vec![RawAnswer::json(401, r#"{"message":"No."}"#)]).expect("a server");
    let mut rig = Rig::new();
    rig.write("keys.d/hub.pem", HubEmulator::start(Options::new()).public_key_pem());
    rig.set("hub.url", server.url("/api"));
    assert!(rig.run(&["hub", "list"]).expect(1).contains("there is no API key: "));
    let token = rig.secret("token", "\u{feff}relay-token\r\n");
    rig.set("hub.bearer-token-file", token.display());
    rig.run(&["config", "check"]).expect(0);
    let done = rig.run(&["hub", "list"]);
    let remedy = format!("HTTP 401 (Unauthorized): No; check the token in {}, and what it may do", token.display());
    assert!(done.expect(5).contains(&remedy), "{done:?}");
    let request = &server.requests()[0];
    assert_eq!(request.header("authorization"), Some("Bearer relay-token"), "the byte order mark is not sent");
    assert_eq!(request.header("x-api-key"), None);
    let missing = rig.path("missing");
    rig.set("hub.api-key-file", missing.display());
    assert!(
        rig.run(&["hub", "list"]).expect(1).contains("missing: cannot read the secret"),
        "one that is set has to be there"
    );
}

#[test]
fn text_files_may_begin_with_a_byte_order_mark() {
    let hub = HubEmulator::start(Options::new().tls(TlsOptions::default()));
    hub.add_license(due());
    let mut rig = Rig::api(&hub);
    let marked = |text: &str| format!("\u{feff}{}", text.replace('\n', "\r\n"));
    rig.write("keys.d/hub.pem", marked(&hub.public_key_pem()));
    let broken = "-----BEGIN CERTIFICATE-----\n%%%\n-----END CERTIFICATE-----\n";
    rig.write("ca.pem", marked(&format!("{broken}{}", hub.tls().expect("TLS").ca_pem)));
    rig.secret("api-key", &marked(&format!("{}\n", hub.api_key())));
    let id = rig.write("id", marked(&format!("{DUID}\n")));
    rig.unset("device.duid");
    rig.set("device.duid-file", id.display());
    let config = std::fs::read_to_string(rig.path("config.toml")).expect("the configuration");
    rig.write("config.toml", marked(&config));
    let checked = rig.run(&["config", "check"]);
    checked.expect(0);
    assert!(checked.out.contains("ca.pem: certificate 1 in it is broken: what stands between"), "{checked:?}");
    rig.run(&["renew"]).expect(0);
    assert_eq!(rig.run(&["duid"]).out.trim(), DUID);
}

/// However many licenses there are: one answer, read as it comes.
#[test]
fn ten_thousand_licenses_are_listed_and_ours_is_found() {
    let emulator = HubEmulator::start(Options::new());
    let ours = emulator.sign(&due().expires_in(DAY * 6));
    let filler = "x".repeat(350);
    let mut body = String::from("{\"status_code\":0,\"data\":[");
    for number in 0..10_000 {
        body += &format!(
            "{{\"serial\":\"2026-0000-{number:08}\",\"issued_to\":\"{filler}\",\"duid\":\"other-{number}\",\"entitlements\":[\"netify-proc-aggregator\"],\"expire_at\":{{\"unix\":1900000000}}}},"
        );
    }
    body += &format!("{ours}]}}");
    let answer = format!("{{\"status_code\":0,\"data\":{ours}}}");
    let server = RawServer::with(move |request, _| {
        RawAnswer::json(200, if request.path().ends_with("/licenses") { &body } else { &answer })
    })
    .expect("a server");
    let mut rig = Rig::api(&emulator);
    rig.set("hub.url", server.url("/api"));
    let listed = rig.run(&["hub", "list", "--json"]);
    assert_eq!((listed.code, listed.json().as_array().map(Vec::len)), (Some(0), Some(10_001)));
    let table = rig.run(&["hub", "list", "--duid", DUID]);
    assert_eq!((table.code, table.out.lines().count()), (Some(0), 2), "{table:?}");
    rig.run(&["renew"]).expect(0);
    assert_eq!(rig.installed_serial(), SERIAL);
}
