//! Our side of the comparison that `campaigns/differential/run` makes: one verdict for each generated document.

use std::fmt::Write as _;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use netify_licensed::core::license::keys::KeyRing;
use netify_licensed::core::license::verify::{State, Verifier, signed_bytes};
use netify_licensed::core::license::{document, json};
use serde_json::{Value, json};

/// Each line of the input is an object with `pem` and `document` (base64); each line of the output says whether the
/// document is acceptable JSON, what its signed bytes are, and the state of its signature.
#[test]
#[ignore = "campaigns/differential/run gives it documents and compares what it says"]
#[allow(clippy::disallowed_methods, reason = "a test may touch files")]
fn writes_verdicts() {
    let path = |name| std::env::var_os(name).map(PathBuf::from).expect("both paths; see campaigns/differential/run");
    let documents = std::fs::read_to_string(path("DIFFERENTIAL_DOCUMENTS")).expect("documents");
    let mut verdicts = String::new();
    for line in documents.lines() {
        let input: Value = serde_json::from_str(line).expect("one object for each line");
        let text = |name: &str| input[name].as_str().expect("text").to_owned();
        let bytes = STANDARD.decode(text("document")).expect("base64");
        let ring = KeyRing::from_files([("key".to_owned(), Ok(text("pem").into_bytes()))]);
        assert_eq!(ring.keys().len(), 1, "{:?}", ring.problems);
        let verifier = Verifier { keys: Some(ring), duid: None, require_device_binding: false };
        let (state, reason) = match verifier.check(&bytes) {
            Ok(_) => (State::Valid, String::new()),
            Err(rejection) => (rejection.state, rejection.reason),
        };
        let canonical = document::parse(&bytes).ok().map(|document| signed_bytes(&document).expect("canonical"));
        let verdict = json!({
            "json": json::parse_object(&bytes).map_or_else(|error| error.to_string(), |_| String::new()),
            "canonical": canonical.map(|canonical| STANDARD.encode(canonical)),
            "state": state.word(),
            "reason": reason,
        });
        writeln!(verdicts, "{verdict}").expect("memory");
    }
    std::fs::write(path("DIFFERENTIAL_VERDICTS"), verdicts).expect("a place to write");
}
