//! Bounds, and what no change to a genuine license can achieve.

use std::collections::BTreeSet;

use netify_licensed::core::license::document::{self, License};
use netify_licensed::core::license::json::{self, MAX_BYTES};
use netify_licensed::core::license::keys::KeyRing;

use super::forge::{Dice, LICENSE, pem, signed, trusting, with_member};

fn refusal(bytes: &[u8]) -> json::JsonError {
    json::parse_object(bytes).expect_err("refused")
}

/// Every document of the matrix is judged on a stack that no recursion worth the name fits on.
#[test]
fn a_small_stack_is_enough_for_every_document() {
    let judge = || {
        for case in super::matrix() {
            let _ = case.judged();
        }
    };
    let thread = std::thread::Builder::new().stack_size(192 * 1024).spawn(judge).expect("a thread");
    thread.join().expect("no stack was exhausted");
}

/// The size is looked at before anything else: ten megabytes of anything get the same answer as spaces.
#[test]
fn size_is_judged_before_the_content() {
    for byte in [b' ', b'[', b'"', b'9', 0x00, 0xff] {
        let error = refusal(&vec![byte; 10 << 20]);
        assert!(error.reason.starts_with("larger than"), "{error}");
        assert_eq!(error.position, None);
    }
}

/// Depth is refused at the bracket that goes too deep; what follows is never read, however broken.
#[test]
fn depth_is_judged_before_any_recursion() {
    for depth in [33_usize, 100, 1_000, 60_000] {
        for tail in ["", "]", "}}}}", "\"", "nonsense", "9e999", "\\"] {
            let text = format!("{}{tail}", "[".repeat(depth));
            let error = refusal(text.as_bytes());
            assert_eq!((error.reason.as_str(), error.position), ("nested deeper than 32 levels", Some((1, 33))));
        }
    }
    let alternating = "{\"a\":[".repeat(5_000);
    assert_eq!(refusal(alternating.as_bytes()).position, Some((1, 16 * 6 + 1)));
}

/// Brackets that are not nested cost nothing in depth, closing ones do not buy any.
#[test]
fn closing_brackets_buy_no_depth() {
    let text = format!("{}{}", "]".repeat(1_000), "[".repeat(33));
    assert_eq!(refusal(text.as_bytes()).position, Some((1, 1_033)));
}

/// No name, however long, and no other text of the document makes a reason long or puts control characters into it.
#[test]
fn reasons_are_one_short_clean_line() {
    let long = "\\u001b]0;owned\\u0007\\n".repeat(1_000);
    let documents = [
        with_member(LICENSE, &format!("\"{long}\":1,\"{long}\":2")).into_bytes(),
        signed(&LICENSE.replace("DEV-1", &long)),
        with_member(LICENSE, &format!("\"x\":{}", "9".repeat(10_000))).into_bytes(),
        with_member(LICENSE, &format!("\"x\":{}.0", "9".repeat(10_000))).into_bytes(),
        with_member(LICENSE, &format!("\"signature\":\"{long}\"")).into_bytes(),
        with_member(LICENSE, "\"\\u202e\\u2066\":1,\"\\u202e\\u2066\":1").into_bytes(),
    ];
    for bytes in documents {
        let reason = trusting(&[1]).check(&bytes).expect_err("flawed").reason;
        assert!(reason.len() < 700, "{} bytes: {}", reason.len(), &reason[..200]);
        let hostile = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        assert!(!reason.contains(hostile), "{reason:?}");
    }
}

/// What a license means to this program and to everybody else: all of its members.
fn meaning(bytes: &[u8]) -> (License, serde_json::Map<String, serde_json::Value>) {
    let document = document::parse(bytes).expect("a license");
    (document.license, document.signed)
}

/// One flipped bit either makes the license not genuine or changes nothing that it says.
#[test]
fn no_single_bit_changes_the_meaning_of_a_genuine_license() {
    let (genuine, verifier) = (signed(LICENSE), trusting(&[1]));
    let (meant, mut survived) = (meaning(&genuine), BTreeSet::new());
    for at in 0..genuine.len() {
        for bit in 0..8 {
            let mut changed = genuine.clone();
            changed[at] ^= 1 << bit;
            if let Ok(license) = verifier.check(&changed) {
                assert_eq!(meaning(license.bytes()), meant, "bit {bit} of byte {at}");
                survived.insert((at, bit));
            }
        }
    }
    assert_eq!(survived, BTreeSet::new(), "a canonical document has no bit without a meaning");
}

#[test]
fn no_part_of_a_genuine_license_is_genuine() {
    let (genuine, verifier) = (signed(LICENSE), trusting(&[1]));
    for length in 0..genuine.len() {
        assert!(verifier.check(&genuine[..length]).is_err(), "the first {length} bytes");
        assert!(length == 0 || verifier.check(&genuine[length..]).is_err(), "from byte {length}");
    }
}

/// Random edits, splices of two genuine licenses included.
#[test]
fn no_random_edit_changes_the_meaning_of_a_genuine_license() {
    let verifier = trusting(&[1]);
    let other = LICENSE.replace("1800600000", "1900600000").replace("DEV-1", "DEV-2");
    let (genuine, second, mut dice) = (signed(LICENSE), signed(&other), Dice(7));
    let (meant, mut survived) = (meaning(&genuine), 0);
    for _ in 0..20_000 {
        let mut changed = genuine.clone();
        for _ in 0..=dice.below(3) {
            let at = dice.below(changed.len());
            match dice.below(4) {
                0 => changed.insert(at, b" \n\t\r{}[],:\"\\0123456789eE.-"[dice.below(26)]),
                1 => drop(changed.remove(at)),
                2 => {
                    let from = dice.below(second.len());
                    let to = (from + 1 + dice.below(40)).min(second.len());
                    let end = (at + dice.below(40)).min(changed.len());
                    changed.splice(at..end, second[from..to].iter().copied());
                }
                _ => changed[at] = u8::try_from(dice.below(256)).unwrap_or(0),
            }
        }
        if let Ok(license) = verifier.check(&changed) {
            assert_eq!(meaning(license.bytes()), meant, "{}", String::from_utf8_lossy(&changed));
            survived += 1;
        }
    }
    assert!(survived > 10, "white space between tokens must survive: {survived}");
}

#[test]
fn the_judged_bytes_are_kept_as_they_came() {
    let pretty = [b"\n ", &signed(LICENSE)[..], b"\r\n"].concat();
    assert_eq!(trusting(&[1]).check(&pretty).expect("genuine").bytes(), pretty);
    assert!(pretty.len() < MAX_BYTES);
}

/// Keys for which anyone can sign never get into the ring, in any spelling.
#[test]
fn small_order_keys_are_not_trusted() {
    let hex = |text: &str| -> [u8; 32] {
        let byte = |i: usize| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).expect("hexadecimal");
        std::array::from_fn(byte)
    };
    let small = [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000080",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    ];
    for text in small {
        let ring = KeyRing::from_files([("weak.pem".to_owned(), Ok(pem(hex(text)).into_bytes()))]);
        assert!(ring.is_empty(), "{text}");
        assert!(ring.problems[0].starts_with("weak.pem: the key is"), "{:?}", ring.problems);
    }
}

/// The name of the key that signed is its first eight bytes of SHA-256, whichever keys stand beside it.
#[test]
fn rotation_names_the_key_that_signed() {
    let old = trusting(&[1]).check(&signed(LICENSE)).expect("genuine");
    let both = trusting(&[2, 1, 3]).check(&signed(LICENSE)).expect("genuine");
    assert_eq!(old.key_id(), both.key_id());
    assert_eq!(old.key_id().map(str::len), Some(16));
}
