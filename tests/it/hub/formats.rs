//! What is sent and what comes back, with every documented parameter; the bytes of `data` are kept.

use hub_emulator::{BodyStyle, Endpoint, Format, HubEmulator, LicenseSpec, Options};
use serde_json::{Value, json};

use test_bench::rig::{Rig, SERIAL, day, now};

fn body_of(hub: &HubEmulator, endpoint: Endpoint) -> Value {
    let requests = hub.requests_for(endpoint);
    let last = requests.last().expect("a request");
    serde_json::from_slice(&last.request.body).expect("JSON")
}

#[test]
fn create_sends_every_parameter_that_was_given_and_no_other() {
    let hub = HubEmulator::start(Options::new());
    let rig = Rig::api(&hub);
    let least = ["hub", "create", "--issued-to", "Toronto Office", "--entitlement", "netify-proc-lua"];
    rig.run(&least).expect(0);
    let expected = json!({ "issued_to": "Toronto Office", "entitlements": ["netify-proc-lua"], "format": "netifyd" });
    assert_eq!(body_of(&hub, Endpoint::Create), expected);

    let until = day(2);
    let more = [
        "--entitlement",
        "netify-proc-python",
        "--duid",
        "D-1",
        "--description",
        "Caf\u{e9}",
        "--notes",
        "Rack \"4\"",
        "--renewable",
        "false",
        "--transferable",
        "true",
        "--expire-at",
        &until,
        "--format",
        "object",
        "--json",
    ];
    let made = rig.run(&[&least[..], &more[..]].concat());
    made.expect(0);
    let expected = json!({
        "issued_to": "Toronto Office", "entitlements": ["netify-proc-lua", "netify-proc-python"], "duid": "D-1",
        "description": "Caf\u{e9}", "notes": "Rack \"4\"", "renewable": false, "transferable": true,
        "expire_at": until, "format": "object",
    });
    assert_eq!(body_of(&hub, Endpoint::Create), expected);
    let license = made.json();
    assert_eq!(
        (&license["duid"], &license["renewable"], &license["transferable"]),
        (&json!("D-1"), &json!(false), &json!(true))
    );
    assert_eq!(license["entitlements"], json!(["netify-proc-lua", "netify-proc-python"]));
    assert_eq!(license["expire_at"]["date"], format!("{until} 00:00:00"));
}

#[test]
fn renew_sends_a_date_or_a_duration_or_neither() {
    let hub = HubEmulator::start(Options::new());
    hub.add_license(LicenseSpec::new(SERIAL).expires_in(std::time::Duration::from_secs(3_600)));
    let rig = Rig::api(&hub);
    let until = day(5);
    for (args, sent) in [
        (vec![], json!({ "format": "netifyd" })),
        (vec!["--duration-days", "7"], json!({ "duration_days": 7, "format": "netifyd" })),
        (vec!["--expire-at", &until], json!({ "expire_at": until, "format": "netifyd" })),
    ] {
        hub.add_license(LicenseSpec::new(SERIAL).expires_in(std::time::Duration::from_secs(3_600)));
        rig.run(&[&["hub", "renew", SERIAL], &args[..]].concat()).expect(0);
        assert_eq!(body_of(&hub, Endpoint::Renew), sent);
        assert!(hub.license(SERIAL).expect("there").expire_at > now() + 3 * 86_400);
    }
}

#[test]
fn a_view_is_printed_byte_for_byte_in_both_formats() {
    for style in [BodyStyle::Compact, BodyStyle::Pretty, BodyStyle::Escaped, BodyStyle::PrettyEscaped] {
        let hub = HubEmulator::start(Options::new().body_style(style));
        let spec = LicenseSpec::new(SERIAL).issued_to("Caf\u{e9} \u{1f600}").member("odd", json!({ "a": [1.5, null] }));
        hub.add_license(spec.clone());
        let rig = Rig::api(&hub);
        for (name, format) in [("netifyd", Format::Netifyd), ("object", Format::Object)] {
            let seen = rig.run(&["hub", "view", SERIAL, "--format", name, "--json"]);
            seen.expect(0);
            // Inside the envelope the pretty style indents; what is signed is the value.
            assert_eq!(seen.json(), spec.signed(&hub.signing_key(), format).to_value(), "{style:?} {name}");
            assert!(hub.signing_key().verifies(&seen.json()), "{style:?} {name}");
            if style == BodyStyle::Compact {
                assert_eq!(seen.out.trim_end(), spec.to_json(&hub.signing_key(), format, style), "{name}");
            }
            let escaped = matches!(style, BodyStyle::Escaped | BodyStyle::PrettyEscaped);
            assert_eq!(
                seen.out.contains("Caf\\u00e9"),
                escaped,
                "as received, not decoded and written anew: {}",
                seen.out
            );
            let pretty = matches!(style, BodyStyle::Pretty | BodyStyle::PrettyEscaped);
            assert_eq!(seen.out.trim_end().contains('\n'), pretty, "{}", seen.out);
        }
        let table = rig.run(&["hub", "view", SERIAL]);
        assert!(table.expect(0).is_empty() && table.out.starts_with("SERIAL"), "{table:?}");
        assert!(table.out.contains("Caf\u{e9}") && table.out.contains("netify-proc-aggregator"), "{table:?}");
    }
}

#[test]
fn what_view_prints_can_be_installed() {
    let hub = HubEmulator::start(Options::new().body_style(BodyStyle::Pretty));
    hub.add_license(LicenseSpec::new(SERIAL).duid(test_bench::rig::DUID));
    let rig = Rig::api(&hub);
    let seen = rig.run(&["hub", "view", SERIAL, "--json"]);
    let file = rig.write("from-hub.json", &seen.out);
    rig.run(&["install", &file.display().to_string()]).expect(0);
    assert_eq!(rig.installed(), seen.out);
}

#[test]
fn delete_says_what_it_did() {
    let hub = HubEmulator::start(Options::new());
    let rig = Rig::api(&hub);
    hub.add_license(LicenseSpec::new(SERIAL));
    let done = rig.run(&["hub", "delete", SERIAL, "--json"]);
    done.expect(0);
    assert_eq!(done.json(), json!({ "deleted": SERIAL }));
    assert_eq!(hub.license(SERIAL), None);
    hub.add_license(LicenseSpec::new(SERIAL));
    let done = rig.run(&["hub", "delete", SERIAL]);
    assert_eq!((done.code, done.out.as_str()), (Some(0), "license 2026-3638-61034042 deleted\n"));
}

#[test]
fn what_was_granted_is_compared_with_what_was_asked() {
    let hub = HubEmulator::start(Options::new());
    let rig = Rig::api(&hub);
    let create = |more: &[&str]| {
        rig.run(&[&["hub", "create", "--issued-to", "A", "--entitlement", "netify-proc-lua"], more].concat())
    };
    assert_eq!(create(&["--duration-days", "7"]).expect(0), "");
    let less = LicenseSpec::new("L").entitlements(["netify-proc-lua"]).duid("E");
    let answer = || format!("{{\"status_code\":0,\"data\":{}}}", hub.sign(&less));
    hub.fault(Endpoint::Create, hub_emulator::Fault::body(answer()));
    let done = create(&["--entitlement", "netify-proc-intel", "--duid", "D", "--duration-days", "30"]);
    let err = done.expect(0);
    assert!(err.contains("the hub granted less than was asked for: it does not entitle to netify-proc-intel; it is bound to E instead of D; it ends "), "{err}");
    assert!(err.trim_end().ends_with(" already instead of in 30 days") && done.out.starts_with("SERIAL"), "{done:?}");
    hub.fault(Endpoint::Renew, hub_emulator::Fault::body(answer()));
    let renewed = rig.run(&["hub", "renew", "L", "--expire-at", "9999-12-31"]);
    assert!(renewed.expect(0).contains(" already instead of 9999-12-31"), "{renewed:?}");
    assert_eq!(body_of(&hub, Endpoint::Renew)["expire_at"], "9999-12-31");
    for (name, words) in [
        ("netify-proc-agregator", "did you mean `netify-proc-aggregator`?"),
        ("netify-proc-lua,netify-proc-intel", "is asked for as one entitlement; give each name by itself"),
    ] {
        let odd = create(&["--entitlement", name]);
        assert!(odd.err.contains("netify-licensed: warning: `") && odd.err.contains(words), "{odd:?}");
    }
}

#[test]
fn a_license_that_never_ends_is_shown_with_its_date() {
    let hub = HubEmulator::start(Options::new());
    let rig = Rig::api(&hub);
    let body = r#"{"status_code":0,"data":{"serial":"S","expire_at":{"unix":253402214400}}}"#;
    hub.fault(Endpoint::View, hub_emulator::Fault::body(body));
    let shown = rig.run(&["hub", "view", "S"]);
    assert!(shown.expect(0).is_empty() && shown.out.contains("9999-12-31 00:00:00 UTC"), "{shown:?}");
}
