//! Signatures that are no signatures, and genuine ones over something else.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
use netify_licensed::core::license::verify::State::{
    BadSignature, Expired, Malformed, Unchecked, Unsigned, Valid, WrongDevice,
};

use super::forge::{
    Case, LICENSE, NOW, canonical, case, exchange, license_with, sign, signed, signed_over, transport, trusting,
    with_member, with_signature,
};

/// Made by `data/points.py` for [`LICENSE`] and the key with seed 1.
const HONEST: &str = "0KdpBpHh9BvwsbSDd+YsmVRHkgCBGTuhxJzHxHl+7yspWBb4dN6XrDeRSh4z5puyzSu69jKOk4xjEyBrg5YGCg==";
const S_PLUS_L: &str = "0KdpBpHh9BvwsbSDd+YsmVRHkgCBGTuhxJzHxHl+7ysWLAxVj0GqBA4uQsER4HrHzSu69jKOk4xjEyBrg5YGGg==";
const S_PLUS_7L: &str = "0KdpBpHh9BvwsbSDd+YsmVRHkgCBGTuhxJzHxHl+7yukI8+CLZQYFRTbD5NJu7REziu69jKOk4xjEyBrg5YGeg==";
const R_IDENTITY: &str = "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABwvKoTAaZBItH7E1W5//D3EFBx8qm22EPDosx2tRzyCg==";
const R_ORDER_2: &str = "7P///////////////////////////////////////39PjAJ1r2D6RI9OvWNcmFvQdgcaRaex7ZE3BDHKiC+iBw==";
const R_NOT_CANONICAL: &str =
    "7v///////////////////////////////////////38WELriPtHBbWe271N9Kj1xtHzVdIH5SM0LrfBDZdZ0Bg==";
const R_NEGATIVE_ZERO: &str =
    "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAIA7qIu76j7OOvMltuUkk0L3z6ufmnT4p0X8FIHw1lxZCg==";
const R_MIXED_ORDER: &str = "+LvIIlNj8ggASte0b+xLGTMHg/F3K401wAyHlYkqfuJ9mPLB5FxwxethtJJmYrJwfQgeGGklpdvV9Y12/qDvCA==";

fn carrying(signature: &str) -> Vec<u8> {
    with_signature(LICENSE, signature)
}

/// The genuine signature, its bytes changed.
fn with_bytes(change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut raw = STANDARD.decode(HONEST).expect("base64");
    change(&mut raw);
    carrying(&STANDARD.encode(raw))
}

fn written(encode: impl FnOnce(&[u8]) -> String) -> Vec<u8> {
    carrying(&encode(&STANDARD.decode(HONEST).expect("base64")))
}

pub(crate) fn cases() -> Vec<Case> {
    let (foreign, base64, small) = ("did not make this signature", "not standard base64", "small-order point");
    let canonical_s = "S is not canonical";
    vec![
        case("signature: of an independent implementation", carrying(HONEST), Valid, ""),
        case("signature: empty", carrying(""), BadSignature, "0 bytes instead of 64"),
        case("signature: all zero", with_bytes(|raw| raw.fill(0)), BadSignature, foreign),
        case("signature: all ones", with_bytes(|raw| raw.fill(0xff)), BadSignature, canonical_s),
        case("signature: 63 bytes", with_bytes(|raw| raw.truncate(63)), BadSignature, "63 bytes instead of 64"),
        case("signature: 65 bytes", with_bytes(|raw| raw.push(0)), BadSignature, "65 bytes instead of 64"),
        case(
            "signature: twice in a row",
            with_bytes(|raw| raw.extend_from_within(..)),
            BadSignature,
            "128 bytes instead of 64",
        ),
        case("signature: R and S exchanged", with_bytes(|raw| raw.rotate_left(32)), BadSignature, "signature"),
        case("signature: one bit of R", with_bytes(|raw| raw[0] ^= 1), BadSignature, foreign),
        case("signature: one bit of S", with_bytes(|raw| raw[32] ^= 1), BadSignature, foreign),
        case("signature: S and the group order", carrying(S_PLUS_L), BadSignature, canonical_s),
        case("signature: S and seven times the group order", carrying(S_PLUS_7L), BadSignature, canonical_s),
        case(
            "signature: S is the group order",
            with_bytes(|raw| raw[32..].copy_from_slice(&ORDER)),
            BadSignature,
            canonical_s,
        ),
        case("signature: S has its highest bit set", with_bytes(|raw| raw[63] |= 0x80), BadSignature, canonical_s),
        case("signature: R is the identity", carrying(R_IDENTITY), BadSignature, small),
        case("signature: R has order 2", carrying(R_ORDER_2), BadSignature, foreign),
        case("signature: R is the identity, not reduced", carrying(R_NOT_CANONICAL), BadSignature, foreign),
        case("signature: R is the identity with a sign", carrying(R_NEGATIVE_ZERO), BadSignature, foreign),
        case("signature: R with a small-order part", carrying(R_MIXED_ORDER), BadSignature, foreign),
        case("base64: without padding", written(|raw| STANDARD_NO_PAD.encode(raw)), BadSignature, base64),
        case("base64: with half the padding", carrying(&HONEST[..87]), BadSignature, base64),
        case("base64: with more padding", carrying(&format!("{HONEST}=")), BadSignature, base64),
        // The signature has both a plus sign and the padding, so only the alphabet differs.
        case("base64: for URLs", written(|raw| URL_SAFE.encode(raw)), BadSignature, base64),
        case("base64: a space in front", carrying(&format!(" {HONEST}")), BadSignature, base64),
        case("base64: a line feed behind", carrying(&format!("{HONEST}\\n")), BadSignature, base64),
        case(
            "base64: broken into lines",
            carrying(&format!("{}\\n{}", &HONEST[..64], &HONEST[64..])),
            BadSignature,
            base64,
        ),
        case("base64: trailing bits", carrying(&exchange(HONEST, "Cg==", "Ch==")), BadSignature, base64),
        case("base64: a letter of another script", carrying(&exchange(HONEST, "0K", "0\u{39a}")), BadSignature, base64),
        case(
            "hexadecimal",
            written(|raw| raw.iter().map(|byte| format!("{byte:02x}")).collect()),
            BadSignature,
            "96 bytes instead of 64",
        ),
        case("escapes in the signature are the same text", carrying(&exchange(HONEST, "+", "\\u002b")), Valid, ""),
        case("another key", with_signature(LICENSE, &sign(LICENSE.as_bytes(), 2)), BadSignature, foreign),
        case("a key that was removed", signed(LICENSE), BadSignature, "the trusted key").by(trusting(&[2])),
        case("no key at all", signed(LICENSE), BadSignature, "no key is trusted").by(trusting(&[])),
        case("two keys, the old one signed", signed(LICENSE), Valid, "").by(trusting(&[1, 2])),
        case("two keys, the new one signed", with_signature(LICENSE, &sign(LICENSE.as_bytes(), 2)), Valid, "")
            .by(trusting(&[1, 2])),
        case(
            "two keys, a third one signed",
            with_signature(LICENSE, &sign(LICENSE.as_bytes(), 3)),
            BadSignature,
            "none of the 2 trusted keys",
        )
        .by(trusting(&[1, 2])),
        case("over the bytes as they stand", signed_over(&spaced(), spaced()), BadSignature, foreign),
        case(
            "over the document with its signature",
            signed_over(LICENSE, with_member(LICENSE, "\"signature\":\"\"")),
            BadSignature,
            foreign,
        ),
        case(
            "over the document with a null signature",
            signed_over(LICENSE, canonical(&with_member(LICENSE, "\"signature\":null"))),
            BadSignature,
            foreign,
        ),
        case(
            "over the canonical form and a line feed",
            signed_over(LICENSE, format!("{LICENSE}\n")),
            BadSignature,
            foreign,
        ),
        case(
            "over base64 of the canonical form",
            signed_over(LICENSE, STANDARD.encode(LICENSE)),
            BadSignature,
            foreign,
        ),
        case("over nothing", signed_over(LICENSE, ""), BadSignature, foreign),
        case("of another license", signed_over(&license_with("DEV-1", "DEV-2"), LICENSE), BadSignature, foreign),
        case(
            "a member altered",
            signed_over(&license_with("1800600000", "1900600000"), LICENSE),
            BadSignature,
            foreign,
        ),
        case("a member added", signed_over(&with_member(LICENSE, "\"x\":null"), LICENSE), BadSignature, foreign),
        case("a member removed", signed_over(&license_with(",\"renewable\":true", ""), LICENSE), BadSignature, foreign),
        case("a member renamed", signed_over(&license_with("issued_to", "issued_tO"), LICENSE), BadSignature, foreign),
        case(
            "a date taken away",
            signed_over(&license_with("{\"not_valid_after\":\"2027-01-20\"}", "{}"), LICENSE),
            BadSignature,
            foreign,
        ),
        case(
            "a second signature deeper inside is signed",
            signed(&license_with("true", "true,\"x\":{\"signature\":\"AAAA\"}")),
            Valid,
            "",
        ),
        case(
            "a second signature deeper inside, removed",
            signed_over(LICENSE, canonical(&license_with("true", "true,\"x\":{\"signature\":\"AAAA\"}"))),
            BadSignature,
            foreign,
        ),
        case(
            "order: forged and expired",
            signed_over(&license_with("1800600000", "1799990000"), LICENSE),
            BadSignature,
            foreign,
        ),
        case("order: unsigned and expired", license_with("1800600000", "1799990000"), Unsigned, "no signature"),
        case("order: malformed and expired", license_with("1800600000}", "1799990000}}"), Malformed, "trailing"),
        case(
            "order: forged and for another device",
            signed_over(&license_with("DEV-1", "DEV-2"), LICENSE),
            BadSignature,
            foreign,
        ),
        case(
            "order: for another device and expired",
            signed(&exchange(&license_with("1800600000", "1799990000"), "DEV-1", "DEV-2")),
            WrongDevice,
            "DEV-2",
        ),
        case(
            "order: forged, by a clock that is not believed",
            signed_over(&license_with("DEV-1", "DEV-2"), LICENSE),
            BadSignature,
            foreign,
        )
        .at(None),
        case(
            "transport: signed by nobody we know",
            with_signature(LICENSE, &sign(LICENSE.as_bytes(), 9)),
            Unchecked,
            "",
        )
        .by(transport()),
        case("transport: unsigned", LICENSE, Unchecked, "").by(transport()),
        case("transport: no base64", carrying("%%%"), Unchecked, "").by(transport()),
        case("transport: still no duplicates", with_member(LICENSE, "\"serial\":\"S\""), Malformed, "twice")
            .by(transport()),
        case("transport: still this device only", license_with("DEV-1", "DEV-2"), WrongDevice, "DEV-2").by(transport()),
        case("transport: still expired", LICENSE, Expired, "").by(transport()).at(Some(NOW.plus(700_000_000))),
    ]
}

/// The group order of RFC 8032, little-endian.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

fn spaced() -> String {
    LICENSE.replace(',', ", ")
}
