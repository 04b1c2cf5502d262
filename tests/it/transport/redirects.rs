//! A redirect is not followed: the HTTP library would carry `x-api-key` to another host.

use hub_emulator::{Endpoint, Fault, FaultAnswer, FaultRule, HubEmulator, LicenseSpec, Options, RelayPath};

use test_bench::rig::{Rig, SERIAL};

#[test]
fn a_redirect_to_another_port_carries_nothing_there() {
    let (hub, other) = (HubEmulator::start(Options::new()), HubEmulator::start(Options::new()));
    for hub in [&hub, &other] {
        hub.add_license(LicenseSpec::new(SERIAL));
    }
    let rig = Rig::api(&hub);
    let calls: [&[&str]; 5] = [
        &["hub", "list"],
        &["hub", "view", SERIAL],
        &["hub", "create", "--issued-to", "A", "--entitlement", "netify-proc-lua"],
        &["hub", "renew", SERIAL],
        &["hub", "delete", SERIAL],
    ];
    for status in [301, 302, 303, 307, 308] {
        hub.clear_faults();
        let target = format!("{}/licenses?token=from-the-hub", other.url());
        hub.rule(FaultRule::always(Endpoint::Any, Fault::answer(FaultAnswer::Redirect(status, target))));
        for call in calls {
            let done = rig.run(call);
            let err = done.expect(1);
            assert!(
                err.contains(&format!("HTTP {status}, a redirect to 127.0.0.1; redirects are not followed")),
                "{err}"
            );
            assert!(!err.contains("from-the-hub") && !err.contains("emulator-key"), "{err}");
        }
    }
    assert_eq!(other.connections(), 0, "nobody even connects there");
    assert_eq!(hub.count(Endpoint::Any), 25, "and each request is sent once");
}

#[test]
fn neither_does_a_relays() {
    let (relay, other) = (HubEmulator::start(Options::new()), HubEmulator::start(Options::new()));
    let mut rig = Rig::relay(&relay, relay.relay_url(RelayPath::Enterprise));
    rig.set("hub.username", "system");
    let password = rig.secret("password", "relay-secret");
    rig.set("hub.password-file", password.display());
    relay.fault(Endpoint::Relay, Fault::redirect(other.relay_url(RelayPath::Enterprise)));
    assert!(rig.run(&["renew"]).expect(1).contains("the relay answered HTTP 302, a redirect to 127.0.0.1"));
    assert_eq!(other.connections(), 0);
}
