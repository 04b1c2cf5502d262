use super::*;

fn spec() -> LicenseSpec {
    LicenseSpec::new("2026-3638-61034042").created_at(1_774_830_914).expire_at(1_780_012_800).duid("AA-BB")
}

#[test]
fn the_object_format_is_the_vendors_example() {
    let doc = spec().unsigned(Format::Object).to_value();
    assert_eq!(doc["expire_at"], json!({"unix_time": 1_780_012_800, "date": "2026-05-29 00:00:00"}));
    assert_eq!(doc["created_at"], json!({"unix_time": 1_774_830_914, "date": "2026-03-30 00:35:14"}));
    assert_eq!(doc["entitlements"], json!(["netify-proc-aggregator", "application-signatures"]));
    assert_eq!((&doc["renewable"], &doc["transferable"]), (&json!(true), &json!(false)));
}

#[test]
fn the_netifyd_format_has_entitlements_on_top_and_no_unset_flags() {
    let doc = spec().unsigned(Format::Netifyd);
    assert_eq!(doc.get("netify-proc-aggregator"), Some(&json!({"not_valid_after": "2026-05-29"})));
    assert_eq!(doc.get("expire_at"), Some(&json!({"unix": 1_780_012_800, "date": "2026-05-29 00:00:00"})));
    assert_eq!(doc.get("entitlements"), None);
    assert_eq!(doc.get("renewable"), None);
    let doc = spec().renewable(false).expire_at(1_780_012_801).unsigned(Format::Netifyd);
    assert_eq!(doc.get("renewable"), Some(&json!(false)));
    assert_eq!(doc.get("application-signatures"), Some(&json!({"not_valid_after": "2026-05-30"})));
}

#[test]
fn each_defect_is_only_its_own() {
    let key = SigningKey::from_seed(1);
    let now = 1_779_000_000;
    let made = |defect| spec().defective(defect, &key, Format::Netifyd, now).to_value();
    for signed in [Defect::OtherDevice, Defect::OtherSerial, Defect::Older, Defect::Expired, Defect::NotYetValid] {
        assert!(key.verifies(&made(signed)), "{signed:?}");
    }
    for unsigned in [Defect::Tampered, Defect::Unsigned, Defect::OtherKey] {
        assert!(!key.verifies(&made(unsigned)), "{unsigned:?}");
    }
    assert_eq!(made(Defect::OtherDevice)["duid"], "another-device");
    assert_eq!(made(Defect::Older)["expire_at"]["unix"], 1_780_012_800 - 30 * DAY);
    assert_eq!(made(Defect::Expired)["expire_at"]["unix"], now - 3600);
    assert!(made(Defect::NotYetValid)["created_at"]["unix"].as_i64() > Some(now));
    assert_eq!(made(Defect::Unsigned).get("signature"), None);
    assert!(made(Defect::OtherKey).get("signature").is_some());
}

#[test]
fn every_style_of_the_text_carries_the_same_signature() {
    let key = SigningKey::from_seed(1);
    let spec = spec().issued_to("Café Zürich/東京");
    for style in [BodyStyle::Compact, BodyStyle::Pretty, BodyStyle::Escaped] {
        let text = spec.to_json(&key, Format::Netifyd, style);
        assert!(key.verifies(&serde_json::from_str(&text).unwrap()), "{text}");
    }
}
