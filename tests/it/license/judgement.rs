//! Device and dates, and the order in which a license is judged.

use netify_licensed::core::license::verify::State::{
    self, BadSignature, ClockUntrusted, Expired, Malformed, NotYetValid, Unchecked, Unsigned, Valid, WrongDevice,
};
use netify_licensed::core::license::verify::Verifier;
use netify_licensed::core::time::{MINUTE, SECOND};

use super::forge::{
    Case, Dice, LICENSE, NOW, case, exchange, license_with, signed, signed_over, transport, trusting, with_member,
};

fn device(duid: Option<&str>, require: bool) -> Verifier {
    Verifier { duid: duid.map(str::to_owned), require_device_binding: require, ..trusting(&[1]) }
}

pub(crate) fn cases() -> Vec<Case> {
    let unbound = signed(&license_with("\"duid\":\"DEV-1\",", ""));
    let bound_to = |value: &str| signed(&license_with("\"DEV-1\"", value));
    let issued = |seconds: i64| signed(&license_with("1799900000", &seconds.to_string()));
    let (end, now) = (netify_licensed::core::time::WallTime::from_unix(1_800_600_000), NOW.unix());
    vec![
        case("device: another", bound_to("\"DEV-2\""), WrongDevice, "bound to device DEV-2, this is device DEV-1"),
        case("device: in another case", bound_to("\"dev-1\""), WrongDevice, "dev-1"),
        case("device: with a space behind", bound_to("\"DEV-1 \""), WrongDevice, "this is device DEV-1"),
        case("device: a prefix", bound_to("\"DEV\""), WrongDevice, "this is device DEV-1"),
        case("device: a letter that looks the same", bound_to("\"D\u{415}V-1\""), WrongDevice, "this is device DEV-1"),
        case("device: empty", bound_to("\"\""), WrongDevice, "this is device DEV-1"),
        case("device: written with escapes", bound_to("\"\\u0044EV-1\""), Valid, ""),
        case("device: ours is not known", signed(LICENSE), WrongDevice, "this device's id is not known")
            .by(device(None, false)),
        case("device: none on the license", unbound.clone(), Valid, ""),
        case("device: none on the license, ours is not known", unbound.clone(), Valid, "").by(device(None, false)),
        case("device: null on the license", bound_to("null"), Valid, ""),
        case("device: none, but it is required", unbound, WrongDevice, "require-device-binding")
            .by(device(Some("DEV-1"), true)),
        case("device: null, but it is required", bound_to("null"), WrongDevice, "require-device-binding")
            .by(device(Some("DEV-1"), true)),
        case("device: required and there", signed(LICENSE), Valid, "").by(device(Some("DEV-1"), true)),
        case(
            "device: in another member",
            signed(&license_with("\"duid\"", "\"DUID\"")),
            WrongDevice,
            "require-device-binding",
        )
        .by(device(Some("DEV-1"), true)),
        case(
            "device: control characters are not repeated",
            bound_to("\"\\u001b[2J\\n\""),
            WrongDevice,
            "bound to device [2J, this",
        ),
        case("dates: the last millisecond", signed(LICENSE), Valid, "").at(Some(end.plus(-1))),
        case("dates: the first millisecond behind", signed(LICENSE), Expired, "").at(Some(end)),
        case("dates: long expired", signed(LICENSE), Expired, "").at(Some(end.plus(i64::MAX))),
        case("dates: ended in 1970", signed(&license_with("1800600000", "0")), Expired, ""),
        case("dates: issued this second", issued(now), Valid, ""),
        case("dates: issued within the tolerance", issued(now + 300), Valid, ""),
        case("dates: issued just beyond the tolerance", issued(now + 301), NotYetValid, ""),
        case("dates: a millisecond beyond the tolerance", issued(now + 300), NotYetValid, "").at(Some(NOW.plus(-1))),
        case(
            "dates: issued tomorrow, ended yesterday",
            signed(&exchange(&license_with("1800600000", "1799990000"), "1799900000", "1800100000")),
            Expired,
            "",
        ),
        case("dates: no issue date", signed(&license_with("\"created_at\":{\"unix\":1799900000},", "")), Valid, ""),
        case("dates: before everything", signed(LICENSE), NotYetValid, "").at(Some(NOW.plus(-300 * 24 * 60 * MINUTE))),
        case(
            "dates: an entitlement that has ended does not end the license",
            signed(&license_with("2027-01-20", "2020-01-20")),
            Valid,
            "",
        ),
        case("dates: an entitlement's date that is none", signed(&license_with("2027-01-20", "never")), Valid, ""),
        case("clock: not believed", signed(LICENSE), ClockUntrusted, "").at(None),
        case("clock: not believed, would be expired", signed(&license_with("1800600000", "5")), ClockUntrusted, "")
            .at(None),
        case("clock: not believed, forged", signed_over(LICENSE, "x"), BadSignature, "did not make").at(None),
        case("clock: not believed, other device", bound_to("\"DEV-2\""), WrongDevice, "DEV-2").at(None),
        case("clock: not believed, transport", LICENSE, ClockUntrusted, "").by(transport()).at(None),
        case("clock: not believed, unsigned", LICENSE, Unsigned, "no signature").at(None),
    ]
}

/// A license with any set of flaws, in any variety of each, gets the name of the first one in the fixed order.
#[test]
#[ignore = "expects 0.1.0 in a point that 0.2.0 changed; to be adapted or to be proved a fault"]
fn the_first_flaw_in_the_order_shape_signature_device_dates_names_the_state() {
    let mut dice = Dice(3);
    let mut seen = std::collections::BTreeMap::<&str, u32>::new();
    for round in 0..4_000_u32 {
        let flaw = |bit: u32| round >> bit & 1 == 1;
        let mut text = LICENSE.to_owned();
        let mut dates = Valid;
        if flaw(3) {
            let past = if dice.below(2) == 0 { "0" } else { "1799999999" };
            text = exchange(&text, "1800600000", past);
            dates = Expired;
        } else if flaw(4) {
            text = exchange(&text, "1799900000", "1800000301");
            dates = NotYetValid;
        }
        if flaw(2) {
            let other = ["\"DEV-2\"", "\"\"", "\"dev-1\""][dice.below(3)];
            text = exchange(&text, "\"DEV-1\"", other);
        }
        let (mut bytes, mut signature) = (signed(&text), Valid);
        if flaw(1) {
            (bytes, signature) = match dice.below(3) {
                0 => (text.clone().into_bytes(), Unsigned),
                1 => (signed_over(&text, "something else"), BadSignature),
                _ => (with_member(&text, "\"signature\":\"%\"").into_bytes(), BadSignature),
            };
        }
        if flaw(0) {
            match dice.below(5) {
                0 => bytes.push(b'}'),
                1 => bytes.insert(dice.below(bytes.len()), 0xff),
                2 => bytes.insert(1, b','),
                3 => bytes.resize(70_000, b' '),
                _ => bytes = with_member(&String::from_utf8(bytes).expect("text"), "\"serial\":\"S\"").into_bytes(),
            }
        }
        let believed = !flaw(5);
        let expected = match (flaw(0), signature, flaw(2), believed) {
            (true, ..) => Malformed,
            (_, flawed @ (Unsigned | BadSignature), ..) => flawed,
            (_, _, true, _) => WrongDevice,
            (.., false) => ClockUntrusted,
            _ => dates,
        };
        let case = case("any", bytes, expected, "").at(believed.then_some(NOW));
        assert_eq!(case.judged().0, expected, "round {round}: {}", String::from_utf8_lossy(&case.bytes));
        *seen.entry(expected.word()).or_default() += 1;
        // Without signatures the rest of the order is the same.
        let unchecked = match expected {
            Unsigned | BadSignature if flaw(2) => WrongDevice,
            Unsigned | BadSignature if !believed => ClockUntrusted,
            Unsigned | BadSignature | Valid if dates == Valid => Unchecked,
            Unsigned | BadSignature => dates,
            other => other,
        };
        assert_eq!(case.by(transport()).judged().0, unchecked, "round {round}, transport");
    }
    let words: Vec<&str> = seen.keys().copied().collect();
    assert_eq!(
        words,
        [
            "bad-signature",
            "clock-untrusted",
            "expired",
            "malformed",
            "not-yet-valid",
            "unsigned",
            "valid",
            "wrong-device"
        ]
    );
}

/// Time alone moves an authentic license through not-yet-valid, valid and expired, never back.
#[test]
fn dates_are_judged_in_one_direction() {
    let license = trusting(&[1]).check(&signed(LICENSE)).expect("authentic");
    let rank = |state: State| [NotYetValid, Valid, Expired].iter().position(|s| *s == state).expect("a state of dates");
    let mut last = 0;
    for step in -2_000..2_000_i64 {
        let rank = rank(license.state(Some(NOW.plus(step * 1_000 * SECOND))));
        assert!(rank >= last, "step {step}");
        last = rank;
    }
    assert_eq!(last, 2);
}
