//! Hub answers: classification, then verification and acceptance of what they bring.

use netify_licensed::core::accept::verdict::{Terms, Verdict, weigh};
use netify_licensed::core::hub::redaction::Redaction;
use netify_licensed::core::hub::response::{
    RawAnswer, Trouble, TroubleKind, api_data, api_license, api_list, relay_data,
};
use netify_licensed::core::license::verify::{Authentic, Verifier};

use crate::cursor::Cursor;
use crate::forge::{POOL, START, ring};

fn check_trouble(trouble: &Trouble) {
    let texts = std::iter::once(&trouble.message).chain(&trouble.fields);
    for text in texts {
        assert!(!text.is_empty() && text.len() < 3_000 && !text.contains(char::is_control), "{text:?}");
    }
    assert!(trouble.fields.len() <= 16);
    assert!(trouble.retry_after.is_none_or(|wait| wait >= 0));
    assert!(matches!((trouble.kind, trouble.exit_code()), (TroubleKind::Refusal, 5) | (_, 1)));
    assert_ne!(trouble.kind, TroubleKind::Local, "an answer came, so it was sent");
}

fn is_part_of(part: &[u8], whole: &[u8]) -> bool {
    part.is_empty() || whole.windows(part.len()).any(|window| window == part)
}

fn accept(verifier: &Verifier, installed: &Authentic, data: &[u8]) {
    let Ok(candidate) = verifier.check(data) else { return };
    assert_eq!(candidate.bytes(), data);
    for now in [None, Some(START)] {
        let terms = Terms { installed: Some(installed), configured: None, asked: None, now, force: false };
        let verdict = weigh(&candidate, &terms);
        match &verdict {
            Verdict::Better(difference) => {
                assert!(
                    difference.lost.is_empty() || !installed.state(now).is_usable(),
                    "the installed one still serves"
                );
                assert!(now.is_none() || candidate.state(now).is_usable());
            }
            Verdict::Changed(_) | Verdict::Worse(_) => assert!(now.is_none() || candidate.state(now).is_usable()),
            Verdict::Same => assert_eq!(data, installed.bytes()),
            Verdict::Refused(refused) => assert!(!refused.to_string().contains(char::is_control)),
        }
        let got = candidate.license().serial.as_str();
        assert_eq!(weigh(&candidate, &Terms { configured: Some(got), asked: Some(got), ..terms }), verdict);
        let forced = weigh(&candidate, &Terms { force: true, ..terms });
        assert_eq!(forced, verdict, "no serial is configured, and nothing else is waived");
    }
}

pub fn run(data: &[u8]) {
    let mut cursor = Cursor::new(data);
    let statuses = [200, 200, 200, 201, 204, 301, 400, 401, 403, 404, 408, 409, 422, 425, 429, 500, 502, 503, 504, 999];
    let texts =
        [None, Some("120"), Some("-1"), Some("99999999999"), Some("Fri, 15 Jan 2027 08:00:00 GMT"), Some("soon")];
    let text = |cursor: &mut Cursor<'_>| cursor.one(&texts).map(str::to_owned);
    let answer = RawAnswer {
        url: "https://hub.example/licenses".to_owned(),
        status: *cursor.one(&statuses),
        retry_after: text(&mut cursor),
        date: text(&mut cursor),
        content_type: cursor.yes().then(|| "text/html; charset=utf-8".to_owned()),
        content_encoding: cursor.yes().then(|| "gzip\u{1b}".to_owned()),
        location_host: cursor.yes().then(|| "portal.example".to_owned()),
        body: cursor.rest().to_vec(),
        redaction: Redaction::default(),
    };
    let keys = Some(ring(&[1]));
    let signed = Verifier { keys, duid: Some("D-1".to_owned()), require_device_binding: false };
    let transport = Verifier { keys: None, ..signed.clone() };
    let installed = signed.check(&POOL[0].bytes).expect("genuine");
    let mut licenses = Vec::new();
    for data in [api_data(&answer, START), api_license(&answer, START), relay_data(&answer, START)] {
        match data {
            Ok(data) => licenses.push(data),
            Err(trouble) => check_trouble(&trouble),
        }
    }
    match api_list(&answer, START) {
        Ok(list) => licenses.extend(list.items),
        Err(trouble) => check_trouble(&trouble),
    }
    assert!(licenses.is_empty() || answer.status / 100 == 2);
    for license in licenses {
        assert!(license == b"null" || is_part_of(&license, &answer.body), "bytes are kept as they came");
        for verifier in [&signed, &transport] {
            accept(verifier, &installed, &license);
        }
    }
}
