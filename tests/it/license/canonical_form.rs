//! What may change between hub and device without harm, what may not, and our own vectors for RFC 8785.

use netify_licensed::core::license::document;
use netify_licensed::core::license::verify::State::{BadSignature, Malformed, Valid};
use netify_licensed::core::license::verify::signed_bytes;

use super::forge::{Case, LICENSE, case, exchange, license_with, sign, signed_over, with_member, with_signature};

/// The license with a holder's name, signed under the name's first spelling and sent with the second.
fn renamed(signed: &str, sent: &str) -> Vec<u8> {
    signed_over(&license_with("Toronto Office", sent), license_with("Toronto Office", signed))
}

/// The license with one more member, signed over a canonical form that is written here by hand.
fn sent(member: &str, canonical_member: &str) -> Vec<u8> {
    signed_over(
        &with_member(LICENSE, &format!("\"x\":{member}")),
        with_member(LICENSE, &format!("\"x\":{canonical_member}")),
    )
}

pub(crate) fn cases() -> Vec<Case> {
    let reversed = {
        let members: serde_json::Map<String, serde_json::Value> = serde_json::from_str(LICENSE).expect("an object");
        let members: Vec<String> = members.iter().rev().map(|(name, value)| format!("{name:?}: {value}")).collect();
        format!("{{\n{}\n}}\n", members.join(",\n"))
    };
    let pretty = LICENSE.replace(',', ",\n\t").replace(':', " : ").replace('{', "{ \r\n").replace('}', "\n}") + "\r\n";
    let first = format!("{{\"signature\":\"{}\",{}", sign(LICENSE.as_bytes(), 1), &LICENSE[1..]);
    let foreign = "did not make this signature";
    vec![
        case("form: members in another order", signed_over(&reversed, LICENSE), Valid, ""),
        case("form: other white space", signed_over(&pretty, LICENSE), Valid, ""),
        case("form: the signature first", first, Valid, ""),
        case("form: an array in another order", sent("[2,1]", "[1,2]"), BadSignature, foreign),
        case("form: letters as escapes", renamed("Toronto", "T\\u006fr\\u006Fnt\\u006f"), Valid, ""),
        case("form: é as an escape", renamed("Québec", "Qu\\u00e9bec"), Valid, ""),
        case("form: an emoji as escaped surrogates", renamed("😀", "\\uD83D\\ude00"), Valid, ""),
        case("form: a solidus as an escape", renamed("a/b", "a\\/b"), Valid, ""),
        case("form: a line feed as a long escape", renamed("a\\nb", "a\\u000ab"), Valid, ""),
        case("form: a control character", renamed("\\u001f", "\\u001F"), Valid, ""),
        case("form: DEL stands for itself", renamed("\u{7f}", "\\u007f"), Valid, ""),
        case("form: signed over escapes", renamed("Qu\\u00e9bec", "Québec"), BadSignature, foreign),
        case("form: signed over an escaped solidus", renamed("a\\/b", "a/b"), BadSignature, foreign),
        case("unicode: composed, sent decomposed", renamed("Qu\u{e9}bec", "Que\u{301}bec"), BadSignature, foreign),
        case("unicode: decomposed, sent composed", renamed("Que\u{301}bec", "Qu\u{e9}bec"), BadSignature, foreign),
        case("unicode: compatibility forms", renamed("\u{fb01}x", "fix"), BadSignature, foreign),
        case("unicode: another script's letter", renamed("Toronto", "T\u{43e}ronto"), BadSignature, foreign),
        case("unicode: case", renamed("Toronto", "toronto"), BadSignature, foreign),
        case("unicode: a joiner that nobody sees", renamed("Toronto", "Tor\u{200d}onto"), BadSignature, foreign),
        case("unicode: a mark inside a string is text", renamed("\u{feff}x", "\u{feff}x"), Valid, ""),
        case("unicode: noncharacters", renamed("\u{ffff}\u{10ffff}", "\u{ffff}\u{10ffff}"), Valid, ""),
        case(
            "unicode: composed and decomposed are two names",
            sent("{\"e\u{301}\":1,\"\u{e9}\":2}", "{\"e\u{301}\":1,\"\u{e9}\":2}"),
            Valid,
            "",
        ),
        case(
            "order: U+1F600 before U+FB33, as UTF-16",
            sent("{\"\u{fb33}\":1,\"\u{1f600}\":2}", "{\"\u{1f600}\":2,\"\u{fb33}\":1}"),
            Valid,
            "",
        ),
        case(
            "order: U+FB33 before U+1F600, as code points",
            sent("{\"\u{1f600}\":2,\"\u{fb33}\":1}", "{\"\u{fb33}\":1,\"\u{1f600}\":2}"),
            BadSignature,
            foreign,
        ),
        case("order: by the name, not by its escape", sent("{\"\\u0062\":1,\"a\":2}", "{\"a\":2,\"b\":1}"), Valid, ""),
        case(
            "order: a name and its extension",
            sent("{\"ab\":1,\"a\":2,\"\":3,\"a\\u0001\":4}", "{\"\":3,\"a\":2,\"a\\u0001\":4,\"ab\":1}"),
            Valid,
            "",
        ),
        case("order: digits are text", sent("{\"10\":1,\"9\":2}", "{\"10\":1,\"9\":2}"), Valid, ""),
        case("number: -0 is 0", sent("-0", "0"), Valid, ""),
        case("number: -0.0 is 0", sent("-0.0", "0"), Valid, ""),
        case("number: 1.0 is 1", sent("1.0", "1"), Valid, ""),
        case("number: 1.50 is 1.5", sent("1.50", "1.5"), Valid, ""),
        case("number: 1e21 is 1e+21", sent("1E21", "1e+21"), Valid, ""),
        case("number: 1e20 is written out", sent("1e20", "100000000000000000000"), Valid, ""),
        case("number: 1e-6 is written out", sent("1e-6", "0.000001"), Valid, ""),
        case("number: 1e-7 is not", sent("0.0000001", "1e-7"), Valid, ""),
        case("number: 2^53 with an exponent", sent("9007199254740992e0", "9007199254740992"), Valid, ""),
        case("number: 2^53 without", sent("9007199254740992", "9007199254740992"), Malformed, "2^53"),
        case("number: too many digits", sent("333333333.33333329", "333333333.3333333"), Valid, ""),
        case("number: signed as it was sent", sent("1.50", "1.50"), BadSignature, foreign),
        case("number: another one", sent("1.5", "1.6"), BadSignature, foreign),
        case("number: text", sent("\"1\"", "1"), BadSignature, foreign),
        case(
            "private name of a JSON library: raw value",
            sent("{\"$serde_json::private::RawValue\":\"[1]\"}", "{\"$serde_json::private::RawValue\":\"[1]\"}"),
            Valid,
            "",
        ),
        case(
            "private name of a JSON library: number",
            sent("{\"$serde_json::private::Number\":\"1\"}", "{\"$serde_json::private::Number\":\"1\"}"),
            Valid,
            "",
        ),
        case(
            "private name of another language",
            with_signature(
                &with_member(LICENSE, "\"__proto__\":{\"duid\":\"DEV-2\"}"),
                &sign(
                    exchange(LICENSE, "{\"created_at\"", "{\"__proto__\":{\"duid\":\"DEV-2\"},\"created_at\"")
                        .as_bytes(),
                    1,
                ),
            ),
            Valid,
            "",
        ),
    ]
}

/// A document and its canonical form, for each feature that the RFC's own test files have: nested arrays, accented
/// names in dictionary order, structures, Unicode that is not normalized, values, and names beyond the basic plane.
/// `campaigns/differential/run` computes the second column again with another implementation.
const VECTORS: &str = include_str!("data/canonical.jsonl");

#[test]
fn canonical_forms_are_those_of_an_independent_implementation() {
    let mut count = 0;
    for line in VECTORS.lines() {
        let [name, text, expected]: [String; 3] = serde_json::from_str(line).expect("name, document, canonical form");
        let head = r#"{"serial":"S","expire_at":{"unix":1},"!":"#;
        let document = document::parse(format!("{head}{text}}}").as_bytes()).expect("a document");
        let canonical = signed_bytes(&document).expect("canonical");
        let expected = format!(r#"{{"!":{expected},"expire_at":{{"unix":1}},"serial":"S"}}"#);
        assert_eq!(String::from_utf8_lossy(&canonical), expected, "{name}");
        count += 1;
    }
    assert!(count >= 40, "only {count} vectors");
}
