//! The emulator's signing key and the signature scheme `ed25519-jcs`.
//!
//! The signature covers the canonical form (RFC 8785) of the license object without its top-level `signature` member,
//! and is written as standard base64 with padding. Usable without any server.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::Signer;
use serde_json::Value;

use crate::json::Document;

/// What stands before the 32 key bytes in a `SubjectPublicKeyInfo` of Ed25519 (RFC 8410).
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// An Ed25519 key (RFC 8032) that signs licenses.
#[derive(Clone)]
pub struct SigningKey {
    inner: ed25519_dalek::SigningKey,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey").field("public", &self.public_key_bytes()).finish_non_exhaustive()
    }
}

impl SigningKey {
    /// A key from the system's random numbers.
    ///
    /// # Panics
    /// When the system has no random numbers to give.
    #[must_use]
    pub fn generate() -> Self {
        let mut secret = [0_u8; 32];
        fill_random(&mut secret);
        Self::from_bytes(&secret)
    }

    /// The same key for the same number, in every run. For tests only: anybody can compute it.
    #[must_use]
    pub fn from_seed(seed: u64) -> Self {
        let mut random = SplitMix::new(seed);
        let mut secret = [0_u8; 32];
        for chunk in secret.chunks_exact_mut(8) {
            chunk.copy_from_slice(&random.next().to_le_bytes());
        }
        Self::from_bytes(&secret)
    }

    /// A key from its 32 secret bytes.
    #[must_use]
    pub fn from_bytes(secret: &[u8; 32]) -> Self {
        Self { inner: ed25519_dalek::SigningKey::from_bytes(secret) }
    }

    /// The 32 bytes of the public key.
    #[must_use]
    pub fn public_key_bytes(&self) -> [u8; 32] {
        self.inner.verifying_key().to_bytes()
    }

    /// The public key as `openssl pkey -pubout` writes it.
    #[must_use]
    pub fn public_key_pem(&self) -> String {
        let mut der = SPKI_PREFIX.to_vec();
        der.extend_from_slice(&self.public_key_bytes());
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der))
    }

    /// The 64 bytes that sign `message` as it is.
    #[must_use]
    pub fn sign_bytes(&self, message: &[u8]) -> [u8; 64] {
        self.inner.sign(message).to_bytes()
    }

    /// The value that the member `signature` of this license needs; one that is there already is not covered.
    #[must_use]
    pub fn signature_of(&self, license: &Value) -> String {
        STANDARD.encode(self.sign_bytes(&signed_bytes(license)))
    }

    /// Sets, or replaces, the signature of a document.
    pub fn sign(&self, document: &mut Document) {
        let signature = self.signature_of(&document.to_value());
        document.set("signature", signature);
    }

    /// Sets, or replaces, the signature of a JSON object; other values come back as they are.
    #[must_use]
    pub fn sign_value(&self, mut license: Value) -> Value {
        let signature = self.signature_of(&license);
        if let Some(members) = license.as_object_mut() {
            members.insert("signature".to_owned(), Value::String(signature));
        }
        license
    }

    /// Whether this key made the signature of the document.
    #[must_use]
    pub fn verifies(&self, license: &Value) -> bool {
        license.get("signature").and_then(Value::as_str).is_some_and(|claimed| claimed == self.signature_of(license))
    }
}

/// The bytes under the signature: the canonical form without the top-level `signature`.
#[must_use]
pub fn signed_bytes(license: &Value) -> Vec<u8> {
    let mut unsigned = license.clone();
    if let Some(members) = unsigned.as_object_mut() {
        members.remove("signature");
    }
    serde_json_canonicalizer::to_vec(&unsigned).unwrap_or_default()
}

/// Fills from the system's random numbers.
pub(crate) fn fill_random(bytes: &mut [u8]) {
    rustls::crypto::ring::default_provider().secure_random.fill(bytes).expect("the system has random numbers");
}

/// Numbers that look random and repeat for the same seed (`SplitMix64`): for serials, never for secrets.
#[derive(Debug, Clone)]
pub(crate) struct SplitMix {
    state: u64,
}

impl SplitMix {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rfc_8032_test_vector_1() {
        let secret = [
            0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4, 0x44, 0x49,
            0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60,
        ];
        let key = SigningKey::from_bytes(&secret);
        assert_eq!(key.public_key_bytes()[..4], [0xd7, 0x5a, 0x98, 0x01]);
        assert_eq!(key.sign_bytes(b"")[..4], [0xe5, 0x56, 0x43, 0x00]);
        assert_eq!(key.sign_bytes(b"")[60..], [0x8e, 0x7a, 0x10, 0x0b]);
    }

    #[test]
    fn order_and_white_space_are_not_signed_but_every_value_is() {
        let key = SigningKey::from_seed(7);
        let one: Value = serde_json::from_str(r#"{"b":1,"a":"é"}"#).unwrap();
        let two: Value = serde_json::from_str(" {\"a\":\"\\u00e9\",\n \"b\":1.0, \"signature\":\"old\"}").unwrap();
        assert_eq!(key.signature_of(&one), key.signature_of(&two));
        assert_ne!(key.signature_of(&one), key.signature_of(&json!({"b": 2, "a": "é"})));
    }

    #[test]
    fn only_the_top_level_signature_is_left_out() {
        let nested = json!({"x": {"signature": "kept"}, "signature": "gone"});
        assert_eq!(signed_bytes(&nested), br#"{"x":{"signature":"kept"}}"#);
    }

    #[test]
    fn a_key_knows_its_own_signature() {
        let (mine, other) = (SigningKey::from_seed(1), SigningKey::from_seed(2));
        let license = mine.sign_value(json!({"serial": "2026-0001-00000001"}));
        assert!(mine.verifies(&license));
        assert!(!other.verifies(&license));
    }

    #[test]
    fn the_pem_is_one_line_of_base64_of_44_bytes() {
        let pem = SigningKey::generate().public_key_pem();
        let body = pem.lines().nth(1).unwrap();
        assert_eq!(STANDARD.decode(body).unwrap().len(), 44);
        assert!(body.starts_with("MCowBQYDK2VwAyEA"));
    }
}
