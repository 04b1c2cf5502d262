//! Bytes that are no UTF-8, escapes that are no characters, and more than one document.

use netify_licensed::core::license::verify::State::Malformed;

use super::forge::{Case, LICENSE, case, exchange, license_with, signed, splice};

/// The license with raw bytes in the holder's name; its signature does not matter any more.
fn name(bytes: &[u8]) -> Vec<u8> {
    splice(&exchange(LICENSE, "Toronto Office", "@"), bytes)
}

fn escaped(escape: &str) -> Vec<u8> {
    license_with("Toronto Office", escape).into_bytes()
}

fn utf16(to_bytes: fn(u16) -> [u8; 2], mark: bool) -> Vec<u8> {
    let mark = if mark { Some(0xfeff) } else { None };
    mark.into_iter().chain(LICENSE.encode_utf16()).flat_map(to_bytes).collect()
}

pub(crate) fn cases() -> Vec<Case> {
    let utf8 = "not valid UTF-8 (line 1, column ";
    let good = signed(LICENSE);
    let then = |tail: &[u8]| [&good[..], tail].concat();
    vec![
        case("UTF-8: overlong slash", name(b"\xc0\xaf"), Malformed, utf8),
        case("UTF-8: overlong NUL", name(b"\xc0\x80"), Malformed, utf8),
        case("UTF-8: overlong in three bytes", name(b"\xe0\x80\xaf"), Malformed, utf8),
        case("UTF-8: overlong in four bytes", name(b"\xf0\x80\x80\xaf"), Malformed, utf8),
        case("UTF-8: overlong quote", name(b"\xc0\xa2"), Malformed, utf8),
        case("UTF-8: a high surrogate", name(b"\xed\xa0\x80"), Malformed, utf8),
        case("UTF-8: a pair of surrogates (CESU-8)", name(b"\xed\xa0\xbd\xed\xb8\x80"), Malformed, utf8),
        case("UTF-8: beyond U+10FFFF", name(b"\xf4\x90\x80\x80"), Malformed, utf8),
        case("UTF-8: five bytes", name(b"\xf8\x88\x80\x80\x80"), Malformed, utf8),
        case("UTF-8: truncated before the quote", name(b"\xe2\x82"), Malformed, utf8),
        case("UTF-8: truncated at the end of the file", then(b"\xe2\x82"), Malformed, utf8),
        case("UTF-8: a continuation alone", name(b"\x80"), Malformed, utf8),
        case("UTF-8: 0xFF", name(b"\xff"), Malformed, utf8),
        case("UTF-8: 0xFE", name(b"\xfe"), Malformed, utf8),
        case("Latin-1", name(b"Qu\xe9bec"), Malformed, utf8),
        case("UTF-8: in a member's name", splice(&exchange(LICENSE, "issued_to", "@"), b"\xff"), Malformed, utf8),
        case("UTF-8: between tokens", splice(&exchange(LICENSE, ",", ",@"), b"\xff"), Malformed, utf8),
        case("escape: a high surrogate alone", escaped("\\ud83d"), Malformed, "(line 1, column"),
        case("escape: a low surrogate alone", escaped("\\ude00"), Malformed, "(line 1, column"),
        case("escape: surrogates in the wrong order", escaped("\\ude00\\ud83d"), Malformed, "(line 1, column"),
        case("escape: a high surrogate and a letter", escaped("\\ud83dx"), Malformed, "(line 1, column"),
        case("escape: a high surrogate and another escape", escaped("\\ud83d\\u0041"), Malformed, "surrogate"),
        case("escape: two high surrogates", escaped("\\ud83d\\ud83d"), Malformed, "surrogate"),
        case(
            "escape: a surrogate in a member's name",
            license_with("issued_to", "\\ud800"),
            Malformed,
            "(line 1, column",
        ),
        case("escape: \\x", escaped("\\x41"), Malformed, "escape"),
        case("escape: \\U", escaped("\\U00000041"), Malformed, "escape"),
        case("escape: three digits", escaped("\\u041"), Malformed, "escape"),
        case("escape: octal", escaped("\\101"), Malformed, "escape"),
        case("byte order mark", [b"\xef\xbb\xbf", &good[..]].concat(), Malformed, "byte order mark (line 1, column 1)"),
        case(
            "UTF-16, little-endian, with mark",
            utf16(u16::to_le_bytes, true),
            Malformed,
            "not valid UTF-8 (line 1, column 1)",
        ),
        case(
            "UTF-16, big-endian, with mark",
            utf16(u16::to_be_bytes, true),
            Malformed,
            "not valid UTF-8 (line 1, column 1)",
        ),
        case("UTF-16, little-endian", utf16(u16::to_le_bytes, false), Malformed, "line 1, column 2"),
        case("UTF-16, big-endian", utf16(u16::to_be_bytes, false), Malformed, "line 1, column 1"),
        case("NUL in a string", name(b"\0"), Malformed, "control character"),
        case("NUL between tokens", splice(&exchange(LICENSE, ",", ",@"), b"\0"), Malformed, "line 1, column"),
        case("NUL at the end", then(b"\0"), Malformed, "trailing characters"),
        case("NUL, escaped, in a string", signed(&license_with("Toronto", "Tor\\u0000onto")), Malformed, "NUL"),
        case("NUL, escaped, in a name", signed(&license_with("issued_to", "issued\\u0000_to")), Malformed, "NUL"),
        case("NUL, escaped, deep inside", signed(&license_with("true", "[{\"a\":[\"\\u0000\"]}]")), Malformed, "NUL"),
        case("line feed in a string", name(b"\n"), Malformed, "control character"),
        case("tab in a string", name(b"\t"), Malformed, "control character"),
        case("escape character in a string", name(b"\x1b[2J"), Malformed, "control character"),
        case("a byte behind it", then(b"x"), Malformed, "trailing characters"),
        case("a brace behind it", then(b"}"), Malformed, "trailing characters"),
        case("a comma behind it", then(b","), Malformed, "trailing characters"),
        case("a second document", then(&good), Malformed, "trailing characters"),
        case("a second document on its own line", then(&[b"\n", &good[..]].concat()), Malformed, "(line 2, column 1)"),
        case("NBSP behind it", then("\u{a0}".as_bytes()), Malformed, "trailing characters"),
    ]
}
