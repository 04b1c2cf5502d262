//! Numbers that readers disagree on, depth and size.

use netify_licensed::core::license::json::{MAX_BYTES, MAX_DEPTH};
use netify_licensed::core::license::verify::State::{Malformed, Valid};

use super::forge::{Case, LICENSE, case, sign, signed, with_member, with_signature};

/// Signed as a reader of doubles would sign it.
fn number(text: &str) -> Vec<u8> {
    signed(&with_member(LICENSE, &format!("\"x\":{text}")))
}

/// Not signed: no reader of doubles can.
fn beyond(text: &str) -> Vec<u8> {
    with_signature(&with_member(LICENSE, &format!("\"x\":{text}")), &sign(LICENSE.as_bytes(), 1))
}

/// The license with a member whose innermost bracket is at this level.
fn nested(level: usize, open: &str, close: &str) -> String {
    let inner = level - 1;
    with_member(LICENSE, &format!("\"x\":{}1{}", open.repeat(inner), close.repeat(inner)))
}

/// The signed license, padded to exactly so many bytes.
fn padded(size: usize) -> Vec<u8> {
    let mut bytes = signed(LICENSE);
    bytes.resize(size, b' ');
    bytes
}

/// As long as it may be, all of it signed.
fn filled(size: usize) -> Vec<u8> {
    let bare = signed(&with_member(LICENSE, "\"x\":\"\"")).len();
    signed(&with_member(LICENSE, &format!("\"x\":\"{}\"", "a".repeat(size - bare))))
}

pub(crate) fn cases() -> Vec<Case> {
    let disagree = "outside ±(2^53-1)";
    let range = "outside the range of a double";
    let deep = "nested deeper than 32 levels";
    let large = "larger than the 65536 bytes";
    let arrays = |level| nested(level, "[", "]");
    let objects = |level| nested(level, "{\"a\":", "}");
    vec![
        case("integer: 2^53-1", number("9007199254740991"), Valid, ""),
        case("integer: -(2^53-1)", number("-9007199254740991"), Valid, ""),
        case("integer: 2^53", number("9007199254740992"), Malformed, disagree),
        case("integer: 2^53+1", number("9007199254740993"), Malformed, disagree),
        case("integer: -2^53", number("-9007199254740992"), Malformed, disagree),
        case("integer: 2^64-1", number("18446744073709551615"), Malformed, disagree),
        case("integer: -2^63", number("-9223372036854775808"), Malformed, disagree),
        case("integer: 20 digits", number("10000000000000000000"), Malformed, disagree),
        case("integer: 400 digits", beyond(&"9".repeat(400)), Malformed, disagree),
        case("integer: deep inside", number("[{\"y\":[9007199254740992]}]"), Malformed, disagree),
        case("integer: digits in a string are text", number("\"9007199254740993, 1e999\""), Valid, ""),
        case("integer: in a name, behind an escaped quote", number("{\"\\\"9007199254740993\":1}"), Valid, ""),
        case("number: -0", number("-0"), Valid, ""),
        case("number: -0.0", number("-0.0"), Valid, ""),
        case("number: 1.5", number("1.5"), Valid, ""),
        case("number: 1e21", number("1e21"), Valid, ""),
        case("number: 1E400 in lower bounds", number("1E-400"), Valid, ""),
        case("number: the largest double", number("1.7976931348623157e308"), Valid, ""),
        case("number: the smallest double", number("5e-324"), Valid, ""),
        case("number: 1e309", beyond("1e309"), Malformed, range),
        case("number: -1e309", beyond("-1e309"), Malformed, range),
        case("number: rounds to infinity", beyond("1.7976931348623159e308"), Malformed, range),
        case("number: a huge exponent", beyond("1e99999999999999999999"), Malformed, range),
        case("number: 400 digits and a point", beyond(&format!("{}.5", "9".repeat(400))), Malformed, range),
        case("depth: 32 arrays", signed(&arrays(MAX_DEPTH)), Valid, ""),
        case("depth: 33 arrays", signed(&arrays(MAX_DEPTH + 1)), Malformed, deep),
        case("depth: 32 objects", signed(&objects(MAX_DEPTH)), Valid, ""),
        case("depth: 33 objects", signed(&objects(MAX_DEPTH + 1)), Malformed, deep),
        case("depth: 200 levels", signed(&arrays(100)), Malformed, deep),
        case("depth: 30,000 levels", arrays(30_000), Malformed, deep),
        case("depth: 30,000 opened, none closed", "[".repeat(30_000), Malformed, deep),
        case("depth: 100,000 levels", arrays(100_000), Malformed, large),
        case(
            "depth: brackets in strings are text",
            signed(&with_member(LICENSE, &format!("\"x\":\"{}\"", "[{".repeat(500)))),
            Valid,
            "",
        ),
        case(
            "depth: many short arrays",
            signed(&with_member(LICENSE, &format!("\"x\":[{}1]", "[],".repeat(9_000)))),
            Valid,
            "",
        ),
        case("size: 64 KiB", filled(MAX_BYTES), Valid, ""),
        case("size: 64 KiB and one byte", filled(MAX_BYTES + 1), Malformed, large),
        case("size: 64 KiB with white space", padded(MAX_BYTES), Valid, ""),
        case("size: 64 KiB and one space", padded(MAX_BYTES + 1), Malformed, large),
        case("size: 10 MiB", padded(10 << 20), Malformed, large),
        case("size: 10 MiB that are no text", vec![0xff; 10 << 20], Malformed, large),
    ]
}
