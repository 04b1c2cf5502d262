//! Almost JSON: what lenient readers let pass.

use netify_licensed::core::license::verify::State::Malformed;

use super::forge::{Case, LICENSE, case, license_with, sign, signed, with_member, with_signature};

fn added(member: &str) -> Vec<u8> {
    // Unsigned on purpose where no careless reader could sign it: the shape comes first.
    with_member(LICENSE, member).into_bytes()
}

fn value(text: &str) -> Vec<u8> {
    added(&format!("\"x\":{text}"))
}

pub(crate) fn cases() -> Vec<Case> {
    let twice = |member: &str| signed(&with_member(LICENSE, member));
    let signature = sign(LICENSE.as_bytes(), 1);
    let also = |name: &str| {
        let first = with_member(LICENSE, &format!("\"{name}\":\"{signature}\""));
        with_signature(&first, &signature)
    };
    let somewhere = "(line 1, column";
    vec![
        case("twice: a member", twice(r#""serial":"OTHER""#), Malformed, "`serial` appears twice (line 1, column"),
        case("twice: the same value", twice(r#""serial":"2026-3638-61034042""#), Malformed, "`serial` appears twice"),
        case("twice: the device", twice(r#""duid":"DEV-2""#), Malformed, "`duid` appears twice"),
        case(
            "twice: inside an object",
            signed(&license_with("1800600000", "1,\"unix\":1800600000")),
            Malformed,
            "`unix` appears twice",
        ),
        case("twice: inside an array", twice(r#""x":[1,{"y":{"z":1,"z":1}}]"#), Malformed, "`z` appears twice"),
        case("twice: through an escape", twice(r#""seri\u0061l":"OTHER""#), Malformed, "`serial` appears twice"),
        case("twice: both escaped, in other case", twice(r#""\u00e9":1,"\u00E9":2"#), Malformed, "`é` appears twice"),
        case("twice: an escaped pair of surrogates", twice(r#""😀":1,"\ud83d\ude00":2"#), Malformed, "appears twice"),
        case("twice: an escaped solidus", twice(r#""a/b":1,"a\/b":2"#), Malformed, "`a/b` appears twice"),
        case("twice: the empty name", twice(r#""":1,"":2"#), Malformed, "`` appears twice"),
        case("twice: the signature", also("signature"), Malformed, "`signature` appears twice"),
        case("twice: the signature, escaped", also("sign\\u0061ture"), Malformed, "`signature` appears twice"),
        case(
            "twice: a name that looks like a position",
            twice(r#""a at line 7 column 3":1,"a at line 7 column 3":2"#),
            Malformed,
            "`a at line 7 column 3` appears twice (line 1, column",
        ),
        case("comment: //", added("\"x\":1 // comment\n"), Malformed, somewhere),
        case("comment: /* */", added("/* comment */ \"x\":1"), Malformed, somewhere),
        case("comment: #", added("\"x\":1 # comment\n"), Malformed, somewhere),
        case("single quotes", LICENSE.replace('"', "'"), Malformed, "line 1, column 2"),
        case("a name without quotes", added("x:1"), Malformed, somewhere),
        case("trailing comma in an object", added("\"x\":1,"), Malformed, "trailing comma"),
        case("trailing comma in an array", value("[1,]"), Malformed, "trailing comma"),
        case("two commas", added(",\"x\":1"), Malformed, somewhere),
        case("no comma", LICENSE.replace(",\"duid\"", " \"duid\""), Malformed, "expected `,` or `}`"),
        case("no colon", added("\"x\" 1"), Malformed, "expected `:`"),
        case("no value", value(""), Malformed, "expected value"),
        case("no end", LICENSE.trim_end_matches('}'), Malformed, "EOF"),
        case("no end of a string", &LICENSE[..LICENSE.len() - 2], Malformed, "EOF"),
        case("number: NaN", value("NaN"), Malformed, somewhere),
        case("number: Infinity", value("Infinity"), Malformed, somewhere),
        case("number: -Infinity", value("-Infinity"), Malformed, somewhere),
        case("number: hexadecimal", value("0x10"), Malformed, somewhere),
        case("number: leading zero", value("007"), Malformed, somewhere),
        case("number: plus", value("+1"), Malformed, somewhere),
        case("number: no digit before the point", value(".5"), Malformed, somewhere),
        case("number: no digit behind the point", value("1."), Malformed, somewhere),
        case("number: no exponent", value("1e"), Malformed, somewhere),
        case("number: a minus alone", value("-"), Malformed, somewhere),
        case("number: two minuses", value("--1"), Malformed, somewhere),
        case("number: underscore", value("1_000"), Malformed, somewhere),
        case("number: digits of another script", value("\u{661}\u{662}"), Malformed, somewhere),
        case("word: True", value("True"), Malformed, somewhere),
        case("word: None", value("None"), Malformed, somewhere),
        case("word: undefined", value("undefined"), Malformed, somewhere),
        case("white space: form feed", added("\u{c}\"x\":1"), Malformed, somewhere),
        case("white space: vertical tab", added("\u{b}\"x\":1"), Malformed, somewhere),
        case("white space: NBSP", added("\u{a0}\"x\":1"), Malformed, somewhere),
        case("white space: line separator", added("\u{2028}\"x\":1"), Malformed, somewhere),
        case("a name that is a number", added("1:1"), Malformed, somewhere),
        case("wrong bracket", value("[1}"), Malformed, somewhere),
        case(
            "JSON Lines",
            [&signed(LICENSE)[..], b"\n", &signed(LICENSE)[..]].concat(),
            Malformed,
            "(line 2, column 1)",
        ),
        case("JSON text sequence", [b"\x1e", &signed(LICENSE)[..]].concat(), Malformed, "(line 1, column 1)"),
        case("callback", format!("license({LICENSE})"), Malformed, "(line 1, column 1)"),
    ]
}
