//! IPv4, IPv6, names, and where plain HTTP ends.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use hub_emulator::{HubEmulator, LicenseSpec, Options, TlsOptions};

use test_bench::rig::{Rig, SERIAL, skipped};

const VIEW: [&str; 3] = ["hub", "view", SERIAL];

fn hub(listen: SocketAddr, tls: Option<TlsOptions>) -> Option<HubEmulator> {
    let hub = HubEmulator::try_start(Options { listen, tls, ..Options::new() }).ok()?;
    hub.add_license(LicenseSpec::new(SERIAL));
    Some(hub)
}

#[test]
fn both_families_encrypted_and_plain() {
    for tls in [None, Some(TlsOptions::default())] {
        let four = hub((Ipv4Addr::LOCALHOST, 0).into(), tls).expect("IPv4");
        Rig::api(&four).run(&VIEW).expect(0);
        let Some(six) = hub((Ipv6Addr::LOCALHOST, 0).into(), tls) else {
            skipped("IPv6: there is no [::1]");
            continue;
        };
        assert!(six.url().contains("://[::1]:"));
        Rig::api(&six).run(&VIEW).expect(0);
    }
}

/// The name has one address that answers and perhaps one that does not.
#[test]
fn a_name_is_tried_at_all_its_addresses() {
    let names: Vec<SocketAddr> = ("localhost", 0).to_socket_addrs().expect("localhost has addresses").collect();
    for address in [SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), SocketAddr::from((Ipv6Addr::LOCALHOST, 0))] {
        if !names.contains(&address) {
            skipped(&format!("localhost at {}: the resolver does not know it there", address.ip()));
            continue;
        }
        for tls in [None, Some(TlsOptions::default())] {
            let hub = hub(address, tls).expect("a listener");
            let mut rig = Rig::api(&hub);
            let origin = if tls.is_some() { "https" } else { "http" };
            rig.set("hub.url", format!("{origin}://localhost:{}/api/v2/integrator", hub.address().port()));
            rig.run(&VIEW).expect(0);
        }
    }
}

#[test]
fn plain_http_ends_at_this_machine() {
    let mut rig = Rig::new();
    let key = rig.secret("api-key", "k");
    rig.set("hub.api-key-file", key.display());
    for url in [
        "http://hub.example/",
        "http://192.0.2.1/",
        "http://[2001:db8::1]/",
        "http://0.0.0.0:1/",
        "http://127.0.0.1.example/",
    ] {
        rig.set("hub.url", url);
        for args in [&VIEW[..], &["renew"], &["run"], &["config", "check"]] {
            let done = rig.run(args);
            let err = done.expect(78);
            assert!(
                err.contains("config.toml:") && err.contains("would send the API key in the clear; write https://"),
                "{err}"
            );
        }
    }
}

#[test]
fn a_name_that_does_not_exist() {
    let mut rig = Rig::new();
    let key = rig.secret("api-key", "k");
    rig.set("hub.api-key-file", key.display());
    rig.set("hub.url", "https://hub.invalid/");
    rig.set("hub.connect-timeout", "5s");
    let ca = HubEmulator::start(Options::new().tls(TlsOptions::default()));
    rig.trust(&ca);
    let done = rig.run(&VIEW);
    let err = done.expect(1);
    // Without name servers, the resolver may take longer to say so than we wait.
    let known = err.contains("the host name hub.invalid cannot be resolved: ")
        || err.contains("no connection within hub.connect-timeout");
    assert!(known && err.contains("https://hub.invalid/licenses/"), "{err}");
}

#[test]
fn the_connect_timeout_ends_the_wait_for_a_silent_machine() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = listener.local_addr().expect("an address");
    // A full queue: the kernel answers no further connection, as a firewall that drops would.
    rustix::net::listen(&listener, 0).expect("a short queue");
    let mut queue = Vec::new();
    while let Ok(waiting) = TcpStream::connect_timeout(&address, Duration::from_millis(100)) {
        queue.push(waiting);
        assert!(queue.len() < 16, "the queue never fills");
    }
    let mut rig = Rig::new();
    let key = rig.secret("api-key", "k");
    rig.set("hub.api-key-file", key.display());
    rig.set("hub.url", format!("http://{address}/"));
    rig.set("hub.connect-timeout", "300ms");
    let begin = Instant::now();
    let done = rig.run(&VIEW);
    assert!(done.expect(1).contains("no connection within hub.connect-timeout"), "{done:?}");
    assert!((Duration::from_millis(300)..Duration::from_secs(3)).contains(&begin.elapsed()), "{:?}", begin.elapsed());
}
