//! The relay paths, the control interface, TLS and the program.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use super::client::{api, ask, parse, request};
use hub_emulator::{
    CertificateName, Endpoint, Fault, HubEmulator, LicenseSpec, Options, RelayPath, TlsOptions, Validity,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;

const SERIAL: &str = "2026-3638-61034042";

#[test]
fn the_relay_gives_the_bare_license_to_those_who_may() {
    let hub = HubEmulator::start(Options::new());
    let get =
        |path: RelayPath, authorization: &str| ask(&hub, "GET", path.path(), &[("Authorization", authorization)], "");
    assert_eq!(get(RelayPath::Open, "").status, 500);
    hub.add_license(LicenseSpec::new(SERIAL));
    let open = get(RelayPath::Open, "");
    assert_eq!(open.json()["serial"], SERIAL);
    assert!(hub.signing_key().verifies(&open.json()));
    assert_eq!(get(RelayPath::Enterprise, "Basic c3lzdGVtOnJlbGF5LXNlY3JldA==").status, 200);
    assert_eq!(get(RelayPath::Bearer, "Bearer relay-token").status, 200);
    let denied = get(RelayPath::Enterprise, "Basic d3Jvbmc=");
    assert_eq!((denied.status, denied.json()), (401, serde_json::json!({"message": "Unauthorized"})));
    hub.fault(Endpoint::Relay, Fault::status(503).retry_after(300));
    let busy = get(RelayPath::Open, "");
    assert_eq!((busy.status, busy.header("retry-after")), (503, Some("300")));
    assert_eq!(busy.json()["message"], "Service Unavailable");
}

#[test]
fn a_relay_renews_in_time() {
    let mut options = Options::new().lifetime(Duration::from_secs(600));
    options.relay.renew_before = Some(Duration::from_secs(300));
    let hub = HubEmulator::start(options);
    hub.add_license(LicenseSpec::new(SERIAL).expires_in(Duration::from_secs(100)));
    let get = || ask(&hub, "GET", RelayPath::Open.path(), &[], "").json()["expire_at"]["unix"].as_i64().unwrap();
    let old = hub.license(SERIAL).unwrap().expire_at;
    let new = get();
    assert!(new > old + 400);
    assert_eq!(get(), new);
}

#[test]
fn scripts_can_do_what_tests_can() {
    let hub = HubEmulator::start(Options::new());
    let admin = |method: &str, path: &str, body: &str| ask(&hub, method, &format!("/_emulator/{path}"), &[], body);
    let added = admin("POST", "licenses", r#"{"serial":"s1","duid":"d1","expires-in":1800}"#);
    assert_eq!(added.json()["licenses"][0]["duid"], "d1");
    assert_eq!(admin("POST", "faults", r#"{"endpoint":"view","answer":"html"}"#).status, 200);
    assert!(api(&hub, "GET", "/s1", "").text().starts_with("<!DOCTYPE"));
    let before = hub.license("s1").unwrap().expire_at;
    assert_eq!(admin("POST", "licenses/s1/renew", "").status, 200);
    assert!(hub.license("s1").unwrap().expire_at > before);
    let seen = admin("GET", "requests", "").json();
    assert_eq!((&seen["requests"][0]["endpoint"], &seen["requests"][0]["status"]), (&"view".into(), &200.into()));
    assert_eq!(seen["requests"].as_array().unwrap().len(), 1);
    assert_eq!(admin("POST", "clock", r#"{"offset":-100000}"#).status, 200);
    assert_eq!(admin("POST", "lifetime", r#"{"seconds":2.5}"#).status, 200);
    assert!(admin("GET", "public-key", "").text().contains("BEGIN PUBLIC KEY"));
    for (path, body) in [("faults", "{"), ("faults", r#"{"answer":"x"}"#), ("down", r#"{"seconds":-1}"#)] {
        assert_eq!(admin("POST", path, body).status, 400, "{path} {body}");
    }
    assert_eq!(admin("GET", "nothing", "").status, 404);
    assert_eq!(admin("DELETE", "licenses/s1", "").json()["licenses"], Value::Array(Vec::new()));
    assert_eq!(admin("POST", "down", r#"{"seconds":600}"#).status, 200);
    hub.set_down(false);
    assert_eq!(api(&hub, "GET", "", "").status, 200);
}

fn tls_view(hub: &HubEmulator, with_certificate: bool) -> Result<u16, String> {
    let material = hub.tls().unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(material.ca_pem.as_bytes()).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = if with_certificate {
        let chain = vec![CertificateDer::from_pem_slice(material.client_cert_pem.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(material.client_key_pem.as_bytes()).unwrap();
        builder.with_client_auth_cert(chain, key).unwrap()
    } else {
        builder.with_no_client_auth()
    };
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = StreamOwned::new(connection, TcpStream::connect(hub.address()).unwrap());
    let words = request("GET", super::client::BASE, &[("x-api-key", &hub.api_key())], "");
    stream.write_all(&words).map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    Ok(parse(&bytes).status)
}

#[test]
fn tls_good_and_bad() {
    let start = |tls| HubEmulator::start(Options::new().tls(tls));
    let good = start(TlsOptions::default());
    assert!(good.url().starts_with("https://127.0.0.1:"));
    assert_eq!(tls_view(&good, false), Ok(200));
    let wrong = start(TlsOptions { name: CertificateName::Wrong, ..TlsOptions::default() });
    assert!(tls_view(&wrong, false).unwrap_err().contains("not valid for name"));
    let expired = start(TlsOptions { validity: Validity::Expired, ..TlsOptions::default() });
    assert!(tls_view(&expired, false).unwrap_err().contains("expired"));
    let mutual = start(TlsOptions { client_certificate: true, ..TlsOptions::default() });
    assert_eq!(tls_view(&mutual, true), Ok(200));
    assert!(tls_view(&mutual, false).is_err());
    assert!(mutual.wait_for_failed_handshakes(1, super::client::LONG));
    assert_eq!((mutual.count(Endpoint::Any), mutual.failed_handshakes()), (1, 1));
}

#[test]
fn the_program_writes_what_a_client_needs_and_ends_with_its_input() {
    let dir = std::env::temp_dir().join(format!("hub-emulator-test-{}", std::process::id()));
    let mut program = Command::new(env!("CARGO_BIN_EXE_hub-emulator"))
        .args(["--until-stdin-closes", "--tls", "--lifetime", "10s", "--api-key", "k1,max-days=30", "--key-seed", "5"])
        .args(["--license", "serial=S1,duid=D1", "--dir"])
        .arg(&dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut url = String::new();
    BufReader::new(program.stdout.take().unwrap()).read_line(&mut url).unwrap();
    assert!(url.starts_with("https://127.0.0.1:") && url.ends_with("/api/v2/integrator\n"), "{url}");
    let read = |name: &str| std::fs::read_to_string(dir.join(name)).unwrap();
    assert_eq!(read("url"), url);
    assert_eq!(read("api-key"), "k1\n");
    assert_eq!(read("keys.d/hub-emulator.pem"), hub_emulator::SigningKey::from_seed(5).public_key_pem());
    assert!(read("ca.pem").contains("CERTIFICATE") && read("client-key.pem").contains("PRIVATE KEY"));
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(dir.join("api-key")).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    drop(program.stdin.take());
    assert!(program.wait().unwrap().success());
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn usage_errors_are_exit_2_and_a_taken_address_is_1() {
    let run = |args: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_hub-emulator")).args(args).stdin(Stdio::null()).output().unwrap()
    };
    assert_eq!(run(&["--lifetime", "soon"]).status.code(), Some(2));
    let public = run(&["--listen", "0.0.0.0:0"]);
    assert_eq!(public.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&public.stderr).contains("not a loopback address"));
    let hub = HubEmulator::start(Options::new());
    let taken = run(&["--listen", &hub.address().to_string()]);
    assert_eq!(taken.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&taken.stderr).contains("cannot listen on"));
    assert!(String::from_utf8_lossy(&run(&["--help"]).stdout).contains("Examples:"));
}
