//! License bytes: verification, and what must hold for whatever it lets pass.

use netify_licensed::core::license::document::{self, Document};
use netify_licensed::core::license::verify::{Rejection, State, Verifier, signed_bytes};

use crate::forge;

fn clean(text: &str) -> bool {
    text.len() < 1_500 && !text.contains(char::is_control)
}

fn check_rejection(rejection: &Rejection) {
    let states = [State::Malformed, State::Unsigned, State::BadSignature, State::WrongDevice];
    assert!(states.contains(&rejection.state));
    assert!(!rejection.reason.is_empty() && clean(&rejection.reason), "{:?}", rejection.reason);
}

pub fn run(data: &[u8]) {
    let signed =
        Verifier { keys: Some(forge::ring(&[1])), duid: Some("DEV-1".to_owned()), require_device_binding: false };
    let transport = Verifier { keys: None, ..signed.clone() };
    match (signed.check(data), transport.check(data)) {
        (Ok(strict), Ok(lenient)) => {
            assert_eq!(strict.license(), lenient.license());
            assert_eq!((strict.bytes(), strict.key_id().is_some(), lenient.key_id()), (data, true, None));
        }
        (Ok(_), Err(rejection)) => unreachable!("signed, but {rejection:?}"),
        (Err(rejection), _) => check_rejection(&rejection),
    }
    let Ok(document) = document::parse(data) else { return };
    round_trip(&document);
}

/// The canonical form is a fixed point, says the same, and can be signed.
fn round_trip(document: &Document) {
    let canonical = signed_bytes(document).expect("every document has a canonical form");
    let again = match document::parse(&canonical) {
        Ok(again) => again,
        Err(error) => {
            // Numbers such as 1e15 with an exponent may become integers beyond 2^53, and short escapes may grow.
            let known = error.reason.contains("2^53") || error.reason.contains("larger than");
            assert!(known, "the canonical form is refused: {error}");
            return;
        }
    };
    assert_eq!(again.license, document.license);
    assert_eq!(signed_bytes(&again).as_deref(), Ok(&canonical[..]));
    let verifier = |seed| Verifier {
        keys: Some(forge::ring(&[seed])),
        duid: document.license.duid.clone(),
        require_device_binding: false,
    };
    let genuine = forge::sign(&canonical, 3);
    match verifier(3).check(&genuine) {
        Ok(license) => assert_eq!(license.license(), &document.license),
        Err(rejection) => assert!(rejection.reason.contains("larger than"), "{}", rejection.reason),
    }
    let foreign = verifier(4).check(&genuine).expect_err("another key");
    assert!(matches!(foreign.state, State::BadSignature | State::Malformed));
}
