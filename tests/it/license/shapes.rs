//! JSON that is no license, and licenses with members missing or of another kind.

use netify_licensed::core::license::verify::State::{Malformed, Unsigned, Valid};

use super::forge::{Case, LICENSE, case, license_with, signed};

pub(crate) fn cases() -> Vec<Case> {
    let changed = |from: &str, to: &str| signed(&license_with(from, to));
    let expiry = |value: &str| changed("{\"unix\":1800600000}", value);
    let whole = String::from_utf8(signed(LICENSE)).expect("text");
    let seconds = "`expire_at.unix` is not a number of seconds since 1970";
    vec![
        case("the signed license itself", signed(LICENSE), Valid, ""),
        case("file: empty", "", Malformed, "EOF"),
        case("file: white space", " \r\n\t ", Malformed, "EOF"),
        case(
            "file: HTML",
            "<!DOCTYPE html><title>Welcome to the hotel</title>",
            Malformed,
            "expected value (line 1, column 1)",
        ),
        case(
            "file: gzip",
            b"\x1f\x8b\x08\x00\x00\x00\x00\x00".to_vec(),
            Malformed,
            "not valid UTF-8 (line 1, column 2)",
        ),
        case("file: PEM", "-----BEGIN PUBLIC KEY-----\n", Malformed, "(line 1, column"),
        case("file: an array with the license", format!("[{whole}]"), Malformed, "a JSON array instead of an object"),
        case(
            "file: a string with the license",
            serde_json::to_string(&whole).expect("text"),
            Malformed,
            "a JSON string instead of an object",
        ),
        case("file: a number", "1", Malformed, "a JSON number instead of an object"),
        case("file: null", "null", Malformed, "a JSON null instead of an object"),
        case("file: true", "true", Malformed, "a JSON boolean instead of an object"),
        case("file: an empty object", "{}", Malformed, "no member `serial`"),
        case(
            "file: the hub's envelope",
            format!(r#"{{"status_code":0,"status_message":"Success.","data":{whole}}}"#),
            Malformed,
            "this looks like the hub's envelope",
        ),
        case(
            "file: the hub's refusal",
            r#"{"status_code":"403.000","status_message":"Denied."}"#,
            Malformed,
            "no member `serial`",
        ),
        case("serial: missing", changed(",\"serial\":\"2026-3638-61034042\"", ""), Malformed, "no member `serial`"),
        case("serial: in another case", changed("serial", "Serial"), Malformed, "no member `serial`"),
        case("serial: empty", changed("2026-3638-61034042", ""), Malformed, "no member `serial`"),
        case("serial: null", changed("\"2026-3638-61034042\"", "null"), Malformed, "no member `serial`"),
        case("serial: a number", changed("\"2026-3638-61034042\"", "2026"), Malformed, "`serial` is not a string"),
        case(
            "serial: inside another member",
            changed("\"serial\":\"2026-3638-61034042\"", "\"x\":{\"serial\":\"S\"}"),
            Malformed,
            "no member `serial`",
        ),
        case("expiry: missing", changed("expire_at", "expires_at"), Malformed, "no member `expire_at`"),
        case("expiry: null", expiry("null"), Malformed, "no member `expire_at`"),
        case("expiry: a string", expiry("\"2027-01-20\""), Malformed, "`expire_at` is not an object"),
        case("expiry: a number", expiry("1800600000"), Malformed, "`expire_at` is not an object"),
        case("expiry: an array", expiry("[1800600000]"), Malformed, "`expire_at` is not an object"),
        case("expiry: an empty object", expiry("{}"), Malformed, "`expire_at` has neither `unix` nor `unix_time`"),
        case("expiry: a date only", expiry(r#"{"date":"2027-01-20 00:00:00"}"#), Malformed, "neither"),
        case("expiry: a string of digits", expiry(r#"{"unix":"1800600000"}"#), Malformed, seconds),
        case("expiry: negative", expiry(r#"{"unix":-1}"#), Malformed, seconds),
        case("expiry: a fraction", expiry(r#"{"unix":1800600000.5}"#), Malformed, seconds),
        case(
            "expiry: an exponent",
            expiry(r#"{"unix":1.8006e9}"#),
            Malformed,
            "written with a fraction or an exponent",
        ),
        case("expiry: true", expiry(r#"{"unix":true}"#), Malformed, seconds),
        case("expiry: in milliseconds", expiry(r#"{"unix":1800600000000}"#), Malformed, seconds),
        case("expiry: the year 10000", expiry(r#"{"unix":253402300800}"#), Malformed, seconds),
        case("expiry: the last second of 9999", expiry(r#"{"unix":253402300799}"#), Valid, ""),
        case(
            "expiry: two that disagree",
            expiry(r#"{"unix":1800600000,"unix_time":1900600000}"#),
            Malformed,
            "disagree",
        ),
        case("expiry: two that agree", expiry(r#"{"unix":1800600000,"unix_time":1800600000}"#), Valid, ""),
        case("expiry: unix_time", expiry(r#"{"unix_time":1800600000,"date":"2027-01-22 06:40:00"}"#), Valid, ""),
        case(
            "issue date: a string",
            changed("{\"unix\":1799900000}", "\"2027-01-14\""),
            Malformed,
            "`created_at` is not an object",
        ),
        case("issue date: negative", changed("1799900000", "-5"), Malformed, "`created_at.unix`"),
        case("device: a number", changed("\"DEV-1\"", "1"), Malformed, "`duid` is not a string"),
        case("device: a list", changed("\"DEV-1\"", "[\"DEV-1\"]"), Malformed, "`duid` is not a string"),
        case("holder: an object", changed("\"Toronto Office\"", "{}"), Malformed, "`issued_to` is not a string"),
        case("renewable: a word", changed("true", "\"yes\""), Malformed, "`renewable` is neither true nor false"),
        case("renewable: a number", changed("true", "1"), Malformed, "`renewable` is neither true nor false"),
        case(
            "transferable: a number",
            changed("\"renewable\":true", "\"transferable\":0"),
            Malformed,
            "`transferable`",
        ),
        case(
            "version: a list",
            changed("\"renewable\":true", "\"version\":[1]"),
            Malformed,
            "`version` is not a string",
        ),
        case("version: a number", changed("\"renewable\":true", "\"version\":1.1"), Valid, ""),
        case("signature: missing", LICENSE, Unsigned, "carries no signature"),
        case("signature: in another case", signed_as("Signature"), Unsigned, "carries no signature"),
        case(
            "signature: inside another member",
            license_with("\"renewable\":true", "\"x\":{\"signature\":\"AAAA\"}"),
            Unsigned,
            "carries no signature",
        ),
        case(
            "signature: null",
            license_with("\"renewable\":true", "\"signature\":null"),
            Malformed,
            "`signature` is not a string",
        ),
        case(
            "signature: a number",
            license_with("\"renewable\":true", "\"signature\":7"),
            Malformed,
            "`signature` is not a string",
        ),
        case(
            "signature: a list",
            license_with("\"renewable\":true", "\"signature\":[\"AAAA\"]"),
            Malformed,
            "`signature` is not a string",
        ),
    ]
}

fn signed_as(member: &str) -> Vec<u8> {
    let text = String::from_utf8(signed(LICENSE)).expect("text");
    text.replace("\"signature\"", &format!("\"{member}\"")).into_bytes()
}
