//! `doctor` names the step that fails, beside a real hub over TLS, a proxy and a daemon.

use std::time::Duration;

use hub_emulator::{Endpoint, Fault, FaultRule, HubEmulator, LicenseSpec, Options, RelayPath, TlsOptions, Validity};
use serde_json::Value;
use test_bench::rig::{DUID, Rig, SERIAL};
use test_support::Proc;

const DAY: Duration = Duration::from_secs(86_400);

/// A device with an installed license and a running daemon; every step works.
struct Healthy {
    hub: HubEmulator,
    rig: Rig,
    daemon: Option<Proc>,
}

impl Healthy {
    fn new(tls: TlsOptions) -> Self {
        let hub = HubEmulator::start(Options::new().tls(tls));
        let spec = LicenseSpec::new(SERIAL).duid(DUID).issued_ago(DAY).expires_in(DAY * 6);
        hub.add_license(spec.clone());
        let rig = Rig::api(&hub);
        rig.write("netifyd/license.json", hub.sign(&spec));
        Self { hub, rig, daemon: None }
    }

    fn with_daemon(mut self) -> Self {
        self.daemon = Some(self.rig.daemon());
        self
    }

    /// What the command says of each step, and how it ended.
    fn doctor(&self) -> (Option<i32>, Value) {
        let done = self.rig.run(&["doctor", "--json"]);
        let document = done.json();
        assert_eq!(document["exit"].as_i64(), done.code.map(i64::from), "{document:#}");
        assert_eq!(document["steps"].as_array().map(Vec::len), Some(16), "all steps are tried: {document:#}");
        (done.code, document)
    }

    /// The first step that fails is this one, with these words and this remedy.
    #[track_caller]
    fn first_fault(&self, step: &str, exit: i32, words: &str, remedy: &str) {
        let (code, document) = self.doctor();
        let steps = document["steps"].as_array().expect("steps");
        let first = steps.iter().find(|step| step["result"] == "bad").unwrap_or(&Value::Null);
        let text = |name: &str| first[name].as_str().unwrap_or_default().to_owned();
        assert_eq!((first["step"].as_str(), code), (Some(step), Some(exit)), "{document:#}");
        assert!(text("found").contains(words), "{words}: {first:#}");
        assert!(text("remedy").contains(remedy), "{remedy}: {first:#}");
    }
}

#[test]
fn where_all_works_every_step_says_so_and_nothing_is_changed() {
    let device = Healthy::new(TlsOptions::default()).with_daemon();
    let before = device.rig.installed();
    let (code, document) = device.doctor();
    assert_eq!((code, document["summary"].as_str()), (Some(0), Some("Every step works.")), "{document:#}");
    assert_eq!(device.rig.installed(), before);
    assert_eq!(device.hub.count(Endpoint::Renew) + device.hub.count(Endpoint::Create), 0);
    let screen = device.rig.run(&["doctor"]);
    assert!(screen.expect(0).is_empty());
    assert_eq!(screen.out.lines().filter(|line| line.starts_with('✓')).count(), 16, "{}", screen.out);
    assert!(screen.out.contains("TLS 1.3, certificate of \"CN=Hub emulator\""), "{}", screen.out);
}

#[test]
fn the_configuration_keys_and_device() {
    let mut device = Healthy::new(TlsOptions::default());
    device.rig.set("hub.time-out", "3s");
    device.first_fault("configuration", 78, "time-out", "");
    device.rig.unset("hub.time-out");

    std::fs::remove_file(device.rig.path("keys.d/hub.pem")).expect("a key");
    device.first_fault("keys", 78, "keys.d", "");
    device.rig.trust(&device.hub);

    device.rig.unset("device.duid");
    device.rig.set("device.duid-file", device.rig.path("no-such-file").display());
    device.first_fault("device id", 1, "no-such-file", "duid --all");
}

#[test]
fn name_tcp_and_tls() {
    let mut device = Healthy::new(TlsOptions::default());
    let url = device.hub.url();
    device.rig.set("hub.url", "https://hub.invalid/api");
    device.first_fault("name", 1, "hub.invalid", "name servers");

    // Nobody listens on the discard port.
    device.rig.set("hub.url", "https://127.0.0.1:9/api");
    device.first_fault("TCP", 1, "127.0.0.1:9", "firewall");

    device.rig.set("hub.url", url.clone());
    device.rig.unset("hub.ca-file");
    device.first_fault("TLS", 1, "certificate of \"CN=Hub emulator\"", "hub.ca-file");

    let plain = HubEmulator::start(Options::new());
    device.rig.set("hub.url", plain.url().replace("http://", "https://"));
    device.first_fault("TLS", 1, "", "check scheme and port in hub.url");

    let expired = Healthy::new(TlsOptions { validity: Validity::Expired, ..TlsOptions::default() });
    expired.first_fault("TLS", 1, "has expired", "clock");
}

#[test]
fn the_proxy() {
    let mut device = Healthy::new(TlsOptions::default());
    device.rig.set("hub.proxy", "http://127.0.0.1:9");
    device.first_fault("proxy", 1, "127.0.0.1:9", "proxy");
    // A hub is no proxy: it refuses CONNECT.
    let other = HubEmulator::start(Options::new());
    device.rig.set("hub.proxy", format!("http://user:proxy-password-marker@{}", other.address()));
    device.first_fault("proxy", 1, "opens no way to 127.0.0.1", "hub.proxy");
    assert!(!device.rig.run(&["doctor"]).out.contains("proxy-password-marker"));
}

#[test]
fn http_authentication_and_the_license_there() {
    let device = Healthy::new(TlsOptions::default());
    device.hub.rule(FaultRule::always(Endpoint::Any, Fault::status(503)));
    device.first_fault("HTTP", 1, "503", "");
    device.hub.clear_faults();

    device.rig.secret("api-key", "not-the-key-of-this-hub");
    device.first_fault("authentication", 5, "401", "");
    std::fs::remove_file(device.rig.path("api-key")).expect("a key");
    device.first_fault("authentication", 1, "api-key", "");
    device.rig.secret("api-key", &device.hub.api_key());

    assert!(device.hub.remove_license(SERIAL));
    device.first_fault("license at the hub", 5, "404", "");
}

#[test]
fn what_comes_after_the_hub() {
    let mut device = Healthy::new(TlsOptions::default());
    device.rig.set("reload.method", "signal");
    device.rig.set("reload.pid-file", device.rig.path("no.pid").display());
    device.rig.set("reload.service", "no-such-netifyd");
    device.first_fault("netifyd", 6, "signal", "no-such-netifyd");
    device.rig.set("reload.method", "none");
    device.first_fault("service manager", 1, "no daemon answers", "");

    let mut device = device.with_daemon();
    device.rig.write("netifyd/license.json", "torn");
    device.daemon = None;
    let (_, document) = device.doctor();
    let last = &document["steps"][15];
    assert_eq!((last["step"].as_str(), last["exit"].as_i64()), (Some("license"), Some(3)), "{document:#}");

    device.rig.set("license.path", device.rig.path("no-directory/license.json").display());
    let (_, document) = device.doctor();
    assert_eq!(document["steps"][14]["result"], "bad", "{document:#}");
}

#[test]
fn the_bundle_has_what_a_maintainer_asks_for_and_no_secret() {
    use std::os::unix::fs::PermissionsExt;
    let mut device = Healthy::new(TlsOptions::default());
    device.rig.secret("api-key", "api-key-marker-1");
    device.rig.set("hub.username", "user");
    device.rig.set("hub.password-file", device.rig.secret("password", "password-marker-2").display());
    device.rig.set("hub.proxy", "http://user:proxy-marker%2D3@127.0.0.1:9");
    let file = device.rig.path("support.tar");
    device.rig.run(&["doctor", "--bundle", "support.tar"]);
    let mode = std::fs::metadata(&file).expect("a bundle").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let text = String::from_utf8_lossy(&std::fs::read(&file).expect("a bundle")).into_owned();
    for name in ["doctor.txt", "doctor.json", "status.json", "configuration.toml", "log.txt", "version.txt"] {
        assert!(text.contains(&format!("netify-licensed/{name}")), "{name}");
    }
    assert!(text.contains(SERIAL) && text.contains("[hub]"), "{text}");
    for marker in ["api-key-marker-1", "password-marker-2", "proxy-marker"] {
        assert!(!text.contains(marker), "{marker}");
    }
    // A relay may want a token in its URL's query.
    device.rig.set("hub.kind", "relay");
    device.rig.unset("hub.api-key-file");
    device.rig.set("hub.url", format!("{}?token=query-marker-4", device.hub.relay_url(RelayPath::Open)));
    device.rig.run(&["doctor", "--bundle", "support.tar"]);
    let text = String::from_utf8_lossy(&std::fs::read(&file).expect("a bundle")).into_owned();
    assert!(text.contains("kind = \"relay\"") && !text.contains("query-marker-4"), "{text}");
}
