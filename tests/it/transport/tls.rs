//! Certificates: what does not hold is refused before the key is sent, with a sentence that says what to do.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use hub_emulator::Validity;
use hub_emulator::{CertificateName, Endpoint, HubEmulator, LicenseSpec, Options, RelayPath, TlsMaterial, TlsOptions};

use test_bench::rig::{Rig, SERIAL};

fn hub(tls: TlsOptions) -> HubEmulator {
    let hub = HubEmulator::start(Options::new().tls(tls));
    hub.add_license(LicenseSpec::new(SERIAL));
    hub
}

#[test]
fn what_does_not_hold_is_refused_with_a_clear_sentence() {
    let good = TlsOptions::default();
    let stranger = hub(good);
    let dates = "check this machine's clock and the server's certificate";
    for (name, options, words, remedy) in [
        (
            "wrong name",
            TlsOptions { name: CertificateName::Wrong, ..good },
            "is for another name",
            "check the host name in hub.url",
        ),
        ("expired", TlsOptions { validity: Validity::Expired, ..good }, "has expired", dates),
        ("not yet", TlsOptions { validity: Validity::NotYet, ..good }, "is not valid yet", dates),
        ("unknown authority", good, "is not signed by an authority that is trusted here", "set hub.ca-file"),
        ("one of the same name", good, "is not signed by an authority that is trusted here", "set hub.ca-file"),
    ] {
        let hub = hub(options);
        let mut rig = Rig::api(&hub);
        match name {
            "unknown authority" => drop(rig.write("ca.pem", &stranger.tls().expect("TLS").client_cert_pem)),
            "one of the same name" => rig.trust(&stranger),
            _ => {}
        }
        for args in [&["hub", "view", SERIAL][..], &["hub", "delete", SERIAL]] {
            let done = rig.run(args);
            let err = done.expect(1);
            assert!(err.contains("the server's TLS certificate "), "{name}: {err}");
            assert!(err.contains(words) && err.contains(remedy) && err.contains(&hub.url()), "{name}: {err}");
            assert_eq!(err.lines().count(), 1, "{name}: {err}");
        }
        assert_eq!(hub.count(Endpoint::Any), 0, "{name}: the key did not leave");
        assert!(hub.license(SERIAL).is_some());
    }
}

#[test]
fn the_systems_roots_or_a_ca_file() {
    let hub = hub(TlsOptions::default());
    let mut rig = Rig::api(&hub);
    rig.run(&["hub", "view", SERIAL]).expect(0);
    rig.unset("hub.ca-file");
    assert!(rig.run(&["hub", "view", SERIAL]).expect(1).contains("set hub.ca-file"));
    // Where the distribution's store is, OpenSSL's variable says; tests have no other way into it.
    rig.env("SSL_CERT_FILE", rig.path("ca.pem").display());
    rig.run(&["hub", "view", SERIAL]).expect(0);
}

#[test]
fn a_ca_file_that_is_none_is_told_apart() {
    let hub = hub(TlsOptions::default());
    let mut rig = Rig::api(&hub);
    for (content, words) in [
        ("", "holds no certificate"),
        ("no certificate at all\n", "holds no certificate"),
        (
            "-----BEGIN CERTIFICATE-----\n%%%\n-----END CERTIFICATE-----\n",
            "certificate 1 in it is broken: what stands between",
        ),
        ("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", "holds no certificate"),
    ] {
        let path = rig.write("odd.pem", content);
        rig.set("hub.ca-file", path.display());
        let done = rig.run(&["hub", "view", SERIAL]);
        let err = done.expect(1);
        assert!(err.contains("hub.ca-file: ") && err.contains("odd.pem") && err.contains(words), "{content:?}: {err}");
        assert!(
            rig.run(&["config", "check"]).expect(78).contains(words),
            "a mistake in the configuration: {content:?}"
        );
    }
    rig.set("hub.ca-file", "/nowhere/ca.pem");
    assert!(rig.run(&["hub", "view", SERIAL]).expect(1).contains("/nowhere/ca.pem: no such file"));
    assert!(rig.run(&["config", "check"]).expect(78).contains("/nowhere/ca.pem"));
    assert_eq!(hub.count(Endpoint::Any), 0);
}

fn client(rig: &mut Rig, material: &TlsMaterial) {
    let (cert, key) =
        (rig.write("client.pem", &material.client_cert_pem), rig.secret("client.key", &material.client_key_pem));
    rig.set("hub.client-cert", cert.display());
    rig.set("hub.client-key", key.display());
}

#[test]
fn a_client_certificate_opens_a_hub_and_a_relay_that_ask_for_one() {
    let options = TlsOptions { client_certificate: true, ..TlsOptions::default() };
    let (hub, stranger) = (hub(options), hub(options));
    let mut rig = Rig::api(&hub);
    let without = rig.run(&["hub", "view", SERIAL]);
    assert!(without.expect(1).contains("set hub.client-cert and hub.client-key"), "{without:?}");
    client(&mut rig, stranger.tls().expect("TLS"));
    let foreign = rig.run(&["hub", "view", SERIAL]);
    assert!(foreign.expect(1).contains("hub.client-cert"), "{foreign:?}");
    assert_eq!(hub.count(Endpoint::Any), 0);
    client(&mut rig, hub.tls().expect("TLS"));
    rig.run(&["hub", "view", SERIAL]).expect(0);
    assert_eq!(hub.count(Endpoint::Any), 1);

    rig.set("hub.kind", "relay");
    rig.set("hub.url", hub.relay_url(RelayPath::Open));
    rig.unset("hub.api-key-file");
    rig.run(&["renew"]).expect(0);
    assert_eq!(rig.installed_serial(), SERIAL);
}

#[test]
fn a_client_key_is_guarded_like_any_secret() {
    let hub = hub(TlsOptions { client_certificate: true, ..TlsOptions::default() });
    let stranger = super::tls::hub(TlsOptions::default());
    let mut rig = Rig::api(&hub);
    client(&mut rig, hub.tls().expect("TLS"));
    let key = rig.path("client.key");
    std::fs::set_permissions(&key, Permissions::from_mode(0o640)).expect("a mode");
    assert!(
        rig.run(&["hub", "list"])
            .expect(1)
            .contains("client.key: others may read the secret (mode 0640); run: chmod 600")
    );
    rig.secret("client.key", "no key\n");
    assert!(rig.run(&["hub", "list"]).expect(1).contains("client.key: it holds no private key in PEM"));
    rig.secret("client.key", &stranger.tls().expect("TLS").client_key_pem);
    assert!(rig.run(&["hub", "list"]).expect(1).contains("hub.client-cert and hub.client-key do not belong together"));
    assert_eq!(hub.connections(), 0);
}

#[test]
fn tls_and_plain_http_do_not_mix() {
    let (encrypted, plain) = (hub(TlsOptions::default()), HubEmulator::start(Options::new()));
    let mut rig = Rig::api(&encrypted);
    rig.set("hub.url", plain.url().replace("http:", "https:"));
    rig.set("hub.timeout", "3s");
    let done = rig.run(&["hub", "list"]);
    assert!(done.expect(1).contains("does not speak TLS"), "{done:?}");
    rig.set("hub.url", encrypted.url().replace("https:", "http:"));
    rig.run(&["hub", "list"]).expect(1);
    assert_eq!((encrypted.count(Endpoint::Any), plain.count(Endpoint::Any)), (0, 0));
}

#[test]
fn a_renewal_goes_over_tls() {
    let hub = HubEmulator::start(Options::new().tls(TlsOptions::default()));
    hub.add_license(
        LicenseSpec::new(SERIAL).duid(test_bench::rig::DUID).expires_in(std::time::Duration::from_secs(60)),
    );
    let rig = Rig::api(&hub);
    rig.run(&["renew"]).expect(0);
    rig.run(&["renew"]).expect(0);
    assert_eq!((hub.count(Endpoint::Renew), hub.failed_handshakes()), (1, 0));
    rig.run(&["verify"]).expect(0);
}
