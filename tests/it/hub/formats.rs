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
