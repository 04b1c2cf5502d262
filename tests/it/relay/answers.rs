//! What a relay answers, and what it must not do to an installed license.

use std::time::Duration;

use hub_emulator::{BodyStyle, Defect, Delivery, Endpoint, EnvelopeStyle, Fault, FaultAnswer, Format, HubEmulator};
use hub_emulator::{LicenseSpec, Options};

use super::device;
use test_bench::rig::{DUID, SERIAL};

const DAY: Duration = Duration::from_secs(86_400);

#[test]
fn the_body_is_installed_byte_for_byte() {
    for style in [BodyStyle::Compact, BodyStyle::Pretty, BodyStyle::Escaped, BodyStyle::PrettyEscaped] {
        let hub = HubEmulator::start(Options::new().body_style(style));
        let spec = LicenseSpec::new(SERIAL).issued_to("Caf\u{e9}").duid(DUID);
        hub.add_license(spec.clone());
        let rig = device(&hub);
        rig.run(&["renew"]).expect(0);
        assert_eq!(rig.installed(), spec.to_json(&hub.signing_key(), Format::Netifyd, style));
    }
}

#[test]
fn nothing_but_a_later_license_touches_the_installed_one() {
    let hub = HubEmulator::start(Options::new());
    let spec = LicenseSpec::new(SERIAL).duid(DUID).issued_ago(DAY * 6).expires_in(DAY);
    hub.add_license(spec);
    let rig = device(&hub);
    rig.run(&["renew"]).expect(0);
    let installed = rig.installed();
    for (fault, code, words) in [
        (Fault::answer(FaultAnswer::Html), 1, "the relay answered HTTP 200 with an HTML page"),
        (Fault::answer(FaultAnswer::Empty), 1, "with an empty body"),
        (Fault::answer(FaultAnswer::TruncatedJson), 1, "no complete JSON"),
        (Fault::answer(FaultAnswer::NullData), 1, "with other JSON"),
        (Fault::answer(FaultAnswer::Gzip), 1, "gzip encoding"),
        (Fault::answer(FaultAnswer::Huge(70_000)), 1, "larger than 66560 bytes"),
        (Fault::body("[]"), 1, "with other JSON"),
        (Fault::body(r#"{"message":"Maintenance"}"#), 3, "no member `serial`"),
        (Fault::body(r#"{"status_code":0,"data":{}}"#), 1, "other JSON instead of a license"),
        (
            Fault::status(500).message("Unable to get license"),
            1,
            "HTTP 500 (Internal Server Error): Unable to get license",
        ),
        (Fault::status_as(500, EnvelopeStyle::None), 1, "HTTP 500 (Internal Server Error)"),
        (Fault::status(502), 1, "HTTP 502"),
        (Fault::status(404), 5, "HTTP 404"),
        (Fault::status_as(404, EnvelopeStyle::None), 1, "which is not the relay's word"),
        (Fault::status(401), 5, "HTTP 401"),
        (Fault::status(204), 1, "HTTP 204"),
        (Fault::delivery(Delivery::CutHalf), 1, "the connection broke"),
        (Fault::license(Defect::Tampered), 3, "bad-signature"),
        (Fault::license(Defect::Unsigned), 3, "unsigned"),
        (Fault::license(Defect::OtherKey), 3, "bad-signature"),
        (Fault::license(Defect::OtherDevice), 3, "wrong-device"),
        (Fault::license(Defect::OtherSerial), 1, "no later license yet"),
        (Fault::license(Defect::NotYetValid), 3, "valid only"),
        (Fault::license(Defect::Expired), 1, "no later license yet"),
        (Fault::license(Defect::Older), 1, "no later license yet"),
    ] {
        hub.fault(Endpoint::Relay, fault.clone());
        let done = rig.run(&["renew"]);
        assert!(done.expect(code).contains(words), "{fault:?}: {done:?}");
        assert_eq!(rig.installed(), installed, "{fault:?}");
    }
    assert!(hub.renew_license(SERIAL));
    rig.run(&["renew"]).expect(0);
    assert_ne!(rig.installed(), installed);
}

#[test]
fn the_same_license_again_is_no_change() {
    let hub = HubEmulator::start(Options::new());
    hub.add_license(LicenseSpec::new(SERIAL));
    let rig = device(&hub);
    rig.run(&["renew"]).expect(0);
    let again = rig.run(&["renew"]);
    assert_eq!(again.code, Some(0), "it is not due: {again:?}");
    assert!(again.out.contains("no later license yet"), "{again:?}");
    let preview = rig.run(&["renew", "--dry-run"]);
    assert!(preview.code == Some(0) && preview.out.contains("no later license yet"), "{preview:?}");
    for args in [&["renew", "--if-due"][..], &["renew", "--if-due", "--dry-run"]] {
        let done = rig.run(args);
        assert!(
            done.code == Some(0) && done.out.contains("nothing to do: the license is due in"),
            "{args:?}: {done:?}"
        );
    }
    assert_eq!(hub.count(Endpoint::Any), 3, "`--if-due` asked nothing");
}

#[test]
fn a_license_that_is_due_has_its_dry_run() {
    let hub = HubEmulator::start(Options::new());
    hub.add_license(LicenseSpec::new(SERIAL));
    let rig = device(&hub);
    let preview = rig.run(&["renew", "--if-due", "--dry-run"]);
    assert!(preview.code == Some(0) && preview.out.starts_with("dry run: "), "no license is a reason: {preview:?}");
    assert!(!rig.license().exists() && hub.count(Endpoint::Any) == 1);
}

#[test]
fn without_checking_signatures_every_report_says_so() {
    let hub = HubEmulator::start(Options::new());
    hub.add_license(LicenseSpec::new(SERIAL));
    let mut rig = device(&hub);
    rig.set("trust.mode", "transport");
    hub.fault(Endpoint::Relay, Fault::license(Defect::OtherKey));
    rig.run(&["renew"]).expect(0);
    assert_eq!(rig.run(&["verify", "--json"]).json()["state"], "unchecked");
    assert!(rig.run(&["status"]).out.contains("the signature is not checked"));
}
