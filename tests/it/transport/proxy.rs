//! CONNECT through a real proxy process.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::Command;

use hub_emulator::{Endpoint, HubEmulator, LicenseSpec, Options, TlsOptions};
use test_support::{Proc, wait_until};

use test_bench::rig::{PATIENCE, Rig, SERIAL, skipped, tool};

/// A running tinyproxy; its log is its standard output.
pub(crate) struct Proxy {
    process: Proc,
    pub(crate) port: u16,
}

impl Proxy {
    /// Lets through to `allowed` only; with `user:password`, asks for it.
    pub(crate) fn start(rig: &Rig, allowed: u16, account: Option<&str>) -> Option<Self> {
        let Some(program) = tool("tinyproxy") else {
            skipped("a CONNECT proxy: tinyproxy is not installed (apt install tinyproxy)");
            return None;
        };
        let port = free_port();
        let account = account.map(|account| format!("BasicAuth {}\n", account.replace(':', " "))).unwrap_or_default();
        let config = rig.write(
            &format!("tinyproxy-{port}.conf"),
            format!("Port {port}\nListen 127.0.0.1\nTimeout 20\nLogLevel Info\nMaxClients 20\nConnectPort {allowed}\n{account}"),
        );
        let process = Proc::spawn(Command::new(program).arg("-d").arg("-c").arg(config)).expect("tinyproxy starts");
        let up = wait_until(
            || !process.is_running() || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok(),
            PATIENCE,
            "tinyproxy listens",
        );
        assert!(up.is_ok() && process.is_running(), "{}", process.output());
        Some(Self { process, port })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// How often it was asked to connect to this port. What it was asked may be done before it is in its log, so at least
    /// `expected` are waited for.
    pub(crate) fn tunnels_to(&self, port: u16, expected: usize) -> usize {
        let wanted = format!("CONNECT 127.0.0.1:{port}");
        let count = || self.process.lines().iter().filter(|line| line.text.contains(&wanted)).count();
        // The caller compares, and shows the log.
        let _ = wait_until(|| count() >= expected, PATIENCE, "the proxy's log");
        count()
    }

    pub(crate) fn log(&self) -> String {
        self.process.output()
    }
}

/// A port that is free now. Somebody else may be faster; then the proxy says so and the test fails.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    listener.local_addr().expect("an address").port()
}

fn hub() -> HubEmulator {
    let hub = HubEmulator::start(Options::new().tls(TlsOptions::default()));
    hub.add_license(LicenseSpec::new(SERIAL));
    hub
}

const VIEW: [&str; 3] = ["hub", "view", SERIAL];

#[test]
fn from_the_configuration_and_from_the_environment() {
    let hub = hub();
    let port = hub.address().port();
    let mut rig = Rig::api(&hub);
    let Some(proxy) = Proxy::start(&rig, port, None) else { return };
    rig.set("hub.proxy", proxy.url());
    rig.run(&VIEW).expect(0);
    assert_eq!(proxy.tunnels_to(port, 1), 1, "{}", proxy.log());
    rig.unset("hub.proxy");
    rig.run(&VIEW).expect(0);
    assert_eq!(proxy.tunnels_to(port, 1), 1, "nobody asked for a proxy: {}", proxy.log());
    for (number, variable) in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"].into_iter().enumerate() {
        let run = |more: &[(&str, &str)]| {
            let mut command = rig.command(&VIEW);
            command.env(variable, proxy.url()).envs(more.iter().copied());
            command.output().expect("the binary starts").status.code()
        };
        assert_eq!(run(&[]), Some(0));
        assert_eq!(proxy.tunnels_to(port, 2 + number), 2 + number, "{variable}: {}", proxy.log());
        for (name, value) in [("NO_PROXY", "127.0.0.1"), ("no_proxy", "example.org,127.0.0.0/8"), ("NO_PROXY", "*")] {
            assert_eq!(run(&[(name, value)]), Some(0));
            assert_eq!(proxy.tunnels_to(port, 2 + number), 2 + number, "{name}={value}: {}", proxy.log());
        }
    }
    assert!(!proxy.log().contains("emulator-key"), "the tunnel is opaque");
    assert!(hub.requests().iter().all(|entry| entry.request.header("proxy-authorization").is_none()));
}

#[test]
fn the_configuration_goes_before_the_environment() {
    let hub = hub();
    let port = hub.address().port();
    let mut rig = Rig::api(&hub);
    let Some(proxy) = Proxy::start(&rig, port, None) else { return };
    rig.set("hub.proxy", proxy.url());
    rig.env("HTTPS_PROXY", format!("http://127.0.0.1:{}", free_port()));
    rig.env("NO_PROXY", "127.0.0.1");
    rig.run(&VIEW).expect(0);
    assert_eq!(proxy.tunnels_to(port, 1), 1, "{}", proxy.log());
}

#[test]
fn a_proxy_that_asks_for_a_password() {
    let hub = hub();
    let port = hub.address().port();
    let mut rig = Rig::api(&hub);
    let Some(proxy) = Proxy::start(&rig, port, Some("gateway:geheim.21")) else { return };
    let with = |credentials: &str| format!("http://{credentials}127.0.0.1:{}", proxy.port);
    rig.set("hub.proxy", with("gateway:geheim%2E21@"));
    rig.run(&VIEW).expect(0);
    let shown = rig.run(&["config", "show"]);
    assert!(!shown.out.contains("geheim") && shown.out.contains("REDACTED"), "{shown:?}");
    for (wrong, words) in [
        ("gateway:falsch@", "the proxy does not let us through"),
        ("", "the proxy asks for a user name and a password"),
    ] {
        rig.set("hub.proxy", with(wrong));
        let done = rig.run(&VIEW);
        let err = done.expect(1);
        assert!(err.contains(words) && err.contains("hub.proxy"), "{err}");
        assert!(!err.contains("falsch") && !err.contains("gateway"), "{err}");
        rig.unset("hub.proxy");
        let mut command = rig.command(&VIEW);
        let done = command.env("HTTPS_PROXY", with(wrong)).output().expect("the binary starts");
        let err = String::from_utf8_lossy(&done.stderr);
        assert!(err.contains(words) && err.contains("HTTPS_PROXY"), "{err}");
        assert!(!err.contains("falsch") && !err.contains("gateway"), "{err}");
    }
    assert_eq!(hub.count(Endpoint::Any), 1);
}

#[test]
fn a_proxy_that_is_down_or_refuses_is_named() {
    let hub = hub();
    let mut rig = Rig::api(&hub);
    rig.set("hub.proxy", format!("http://user:geheim@127.0.0.1:{}", free_port()));
    let done = rig.run(&VIEW);
    assert!(
        done.expect(1).contains("no connection to the proxy 127.0.0.1:")
            && done.err.contains("(connection refused); check the network and hub.proxy")
            && !done.err.contains("geheim"),
        "{done:?}"
    );
    let Some(proxy) = Proxy::start(&rig, 1, None) else { return };
    rig.set("hub.proxy", proxy.url());
    assert!(rig.run(&VIEW).expect(1).contains("the proxy does not let us through"));
    assert_eq!(hub.connections(), 0);
}

#[test]
fn what_is_not_encrypted_is_shown_to_no_proxy() {
    let hub = HubEmulator::start(Options::new());
    hub.add_license(LicenseSpec::new(SERIAL));
    let mut rig = Rig::api(&hub);
    let dead = format!("http://127.0.0.1:{}", free_port());
    for variable in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"] {
        rig.env(variable, &dead);
    }
    rig.run(&VIEW).expect(0);
    rig.set("hub.proxy", &dead);
    rig.run(&VIEW).expect(0);
}
