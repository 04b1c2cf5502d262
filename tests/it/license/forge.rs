//! Makes licenses, genuine and otherwise, for keys that the tests hold.

#![allow(dead_code, reason = "two test programs share it, and neither needs all of it")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer as _, SigningKey};
use netify_licensed::core::license::keys::KeyRing;
use netify_licensed::core::license::verify::{State, Verifier};
use netify_licensed::core::time::WallTime;

/// The present of all tests: 2027-01-15 08:00:00 UTC.
pub(crate) const NOW: WallTime = WallTime::from_unix(1_800_000_000);
/// The device that the tests run on.
pub(crate) const DEVICE: &str = "DEV-1";
/// A good license without its signature, in canonical form.
pub(crate) const LICENSE: &str = concat!(
    r#"{"created_at":{"unix":1799900000},"duid":"DEV-1","expire_at":{"unix":1800600000},"issued_to":"Toronto Office","#,
    r#""netify-proc-aggregator":{"not_valid_after":"2027-01-20"},"renewable":true,"serial":"2026-3638-61034042"}"#
);

/// The key made of 32 equal bytes.
pub(crate) fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

/// PEM of a raw public key, as `openssl pkey -pubout` writes it.
pub(crate) fn pem(raw: [u8; 32]) -> String {
    let header = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
    let body = STANDARD.encode([&header[..], &raw[..]].concat());
    format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n")
}

/// A ring of the keys with these seeds.
pub(crate) fn ring(seeds: &[u8]) -> KeyRing {
    let file = |seed: &u8| (format!("{seed}.pem"), Ok(pem(key(*seed).verifying_key().to_bytes()).into_bytes()));
    KeyRing::from_files(seeds.iter().map(file))
}

/// This device, which trusts the keys with these seeds.
pub(crate) fn trusting(seeds: &[u8]) -> Verifier {
    Verifier { keys: Some(ring(seeds)), duid: Some(DEVICE.to_owned()), require_device_binding: false }
}

/// This device with `trust.mode = "transport"`.
pub(crate) fn transport() -> Verifier {
    Verifier { keys: None, ..trusting(&[]) }
}

/// Canonical form of a document; duplicate members count as their last one, as careless readers take them.
pub(crate) fn canonical(text: &str) -> String {
    serde_json_canonicalizer::pipe(text).expect("readable JSON")
}

/// Base64 of the signature over exactly these bytes.
pub(crate) fn sign(message: &[u8], seed: u8) -> String {
    STANDARD.encode(key(seed).sign(message).to_bytes())
}

/// The document with one more member at its end.
pub(crate) fn with_member(text: &str, member: &str) -> String {
    let open = text.trim_end().strip_suffix('}').expect("an object").trim_end();
    let comma = if open.ends_with('{') { "" } else { "," };
    format!("{open}{comma}{member}}}")
}

/// The document with this signature.
pub(crate) fn with_signature(text: &str, signature: &str) -> Vec<u8> {
    with_member(text, &format!("\"signature\":\"{signature}\"")).into_bytes()
}

/// The document, signed by the key with seed 1.
pub(crate) fn signed(text: &str) -> Vec<u8> {
    with_signature(text, &sign(canonical(text).as_bytes(), 1))
}

/// The document with a signature of the key with seed 1 over other bytes.
pub(crate) fn signed_over(text: &str, message: impl AsRef<[u8]>) -> Vec<u8> {
    with_signature(text, &sign(message.as_ref(), 1))
}

/// [`LICENSE`] with one fragment exchanged.
pub(crate) fn license_with(from: &str, to: &str) -> String {
    exchange(LICENSE, from, to)
}

/// A text with one fragment exchanged, which must be there.
pub(crate) fn exchange(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from} is not in {text}");
    text.replacen(from, to, 1)
}

/// Puts bytes in the place of `@` in a text.
pub(crate) fn splice(text: &str, bytes: &[u8]) -> Vec<u8> {
    let (before, after) = text.split_once('@').expect("a place");
    [before.as_bytes(), bytes, after.as_bytes()].concat()
}

/// A document with what must become of it.
#[derive(Debug)]
pub(crate) struct Case {
    /// What is special about it.
    pub(crate) name: &'static str,
    /// The document.
    pub(crate) bytes: Vec<u8>,
    /// Who looks at it.
    pub(crate) verifier: Verifier,
    /// When.
    pub(crate) now: Option<WallTime>,
    /// The state that it must get.
    pub(crate) expected: State,
    /// What the reason must contain; empty where the license is authentic.
    pub(crate) reason: &'static str,
}

/// A document that this device looks at now, trusting the key with seed 1.
pub(crate) fn case(name: &'static str, bytes: impl Into<Vec<u8>>, expected: State, reason: &'static str) -> Case {
    Case { name, bytes: bytes.into(), verifier: trusting(&[1]), now: Some(NOW), expected, reason }
}

impl Case {
    /// Somebody else looks.
    pub(crate) fn by(self, verifier: Verifier) -> Self {
        Self { verifier, ..self }
    }

    /// At another time.
    pub(crate) fn at(self, now: Option<WallTime>) -> Self {
        Self { now, ..self }
    }

    /// What the library says: the state, and the reason or nothing.
    pub(crate) fn judged(&self) -> (State, String) {
        match self.verifier.check(&self.bytes) {
            Ok(license) => (license.state(self.now), String::new()),
            Err(rejection) => (rejection.state, rejection.reason),
        }
    }
}

/// Reproducible random numbers (splitmix64).
#[derive(Debug)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % limit.max(1) as u64).unwrap_or(0)
    }
}
