//! Verification of a license against its floor: `cargo run --release -p verification-benchmark -- --bench`.
//!
//! The floor is one Ed25519 verification and one JSON parse of the same document, by the same two crates. What lies
//! above it: the strict reading, the canonical form, base64, two hashes, and what the license says, taken out.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use divan::{Bencher, black_box};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use netify_licensed::core::license::keys::KeyRing;
use netify_licensed::core::license::verify::Verifier;
use serde_json::{Value, json};

/// What stands before the 32 key bytes in a `SubjectPublicKeyInfo` of Ed25519 (RFC 8410).
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
const DUID: &str = "4c4c4544-0042-3510-8052-b4c04f4d3733";

fn main() {
    divan::main();
}

/// A signed license, as a gateway finds it: device-bound, two entitlements, the format that netifyd reads.
struct Sample {
    license: Vec<u8>,
    /// What the signature covers.
    message: Vec<u8>,
    signature: Signature,
    key: VerifyingKey,
}

impl Sample {
    fn new() -> Self {
        let mut license = json!({
            "version": "1.0",
            "serial": "2026-3638-61034042",
            "issued_to": "Toronto Office",
            "duid": DUID,
            "netify-proc-aggregator": { "not_valid_after": "2026-12-08" },
            "application-signatures": { "not_valid_after": "2026-12-08" },
            "expire_at": { "date": "2026-12-07 12:00:00", "unix": 1_796_644_800 },
            "created_at": { "date": "2026-11-30 12:00:00", "unix": 1_796_040_000 },
        });
        let signer = SigningKey::from_bytes(&[7; 32]);
        let message = serde_json_canonicalizer::to_vec(&license).unwrap_or_default();
        let signature = signer.sign(&message);
        license["signature"] = Value::String(STANDARD.encode(signature.to_bytes()));
        Self { license: license.to_string().into_bytes(), message, signature, key: signer.verifying_key() }
    }

    /// The daemon's verifier on this device, with one trusted key.
    fn verifier(&self) -> Verifier {
        let body = STANDARD.encode([&SPKI_PREFIX[..], self.key.as_bytes()].concat());
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n");
        let keys = KeyRing::from_files([("vendor.pem".to_owned(), Ok(pem.into_bytes()))]);
        Verifier { keys: Some(keys), duid: Some(DUID.to_owned()), require_device_binding: true }
    }
}

/// The whole judgement, as the daemon and every command make it.
#[divan::bench]
fn check(bencher: Bencher) {
    let sample = Sample::new();
    let verifier = sample.verifier();
    assert!(verifier.check(&sample.license).is_ok(), "a refusal would be quick");
    bencher.bench_local(|| verifier.check(black_box(&sample.license)));
}

/// One strict Ed25519 verification and one JSON parse.
#[divan::bench]
fn floor(bencher: Bencher) {
    let sample = Sample::new();
    bencher.bench_local(|| {
        let parsed = serde_json::from_slice::<Value>(black_box(&sample.license));
        let verified = sample.key.verify_strict(black_box(&sample.message), &sample.signature);
        assert!(verified.is_ok(), "the signature is good");
        parsed
    });
}
