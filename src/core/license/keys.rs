//! The trusted public keys: PEM `SubjectPublicKeyInfo` of Ed25519 keys (RFC 8410).

use crate::core::text::hex;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::sync::{Arc, Mutex};

use ed25519_dalek::VerifyingKey;
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::{self, PemObject};
use sha2::{Digest, Sha256};

/// DER of an Ed25519 `SubjectPublicKeyInfo` up to the 32 key bytes (RFC 8410, section 4).
const ED25519_SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// One trusted key.
#[derive(Debug, Clone)]
pub struct TrustedKey {
    /// First 8 bytes of the SHA-256 of the raw key, in hex.
    pub id: String,
    /// File that it came from.
    pub origin: String,
    pub(in crate::core) key: VerifyingKey,
}

impl TrustedKey {
    /// Its PEM, as `openssl pkey -pubout` writes it.
    #[must_use]
    pub fn pem(&self) -> String {
        pem(self.key.as_bytes())
    }
}

/// The PEM of a raw public key.
fn pem(raw: &[u8; 32]) -> String {
    let der = [&ED25519_SPKI[..], &raw[..]].concat();
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der))
}

/// All trusted keys, with the files that held none.
#[derive(Debug, Clone, Default)]
pub struct KeyRing {
    keys: Vec<TrustedKey>,
    /// One sentence for each file that could not be used.
    pub problems: Vec<String>,
    good: Good,
}

/// Signatures that one of these keys made, each by the hash of what it signs: the same license is judged several times, and
/// Ed25519 is most of what that costs. Another ring knows nothing of them.
#[derive(Debug, Clone, Default)]
struct Good(Arc<Mutex<Vec<Signed>>>);

/// The hash of what was signed, and the id of the key.
type Signed = ([u8; 32], String);

/// So many are remembered: the installed license, the last good one, and what the hub sends.
const REMEMBERED: usize = 8;

/// One file of a key directory: its path, and its bytes or why they could not be had.
pub type KeyFile = (String, Result<Vec<u8>, String>);

impl KeyRing {
    /// Collects the keys of all files. A bad file is named and skipped.
    #[must_use]
    pub fn from_files(files: impl IntoIterator<Item = KeyFile>) -> Self {
        let mut ring = Self::default();
        for (path, content) in files {
            match content.and_then(|pem| keys_of(&path, &pem)) {
                Ok(keys) => {
                    for key in keys {
                        if !ring.keys.iter().any(|known| known.id == key.id) {
                            ring.keys.push(key);
                        }
                    }
                }
                Err(reason) => ring.problems.push(format!("{path}: {reason}")),
            }
        }
        ring
    }

    /// The keys, each once.
    #[must_use]
    pub fn keys(&self) -> &[TrustedKey] {
        &self.keys
    }

    /// The key that made the signature with this hash, if that was found before.
    pub(in crate::core) fn known(&self, hash: &[u8; 32]) -> Option<String> {
        let good = self.good.0.lock().ok()?;
        good.iter().find(|(known, _)| known == hash).map(|(_, id)| id.clone())
    }

    /// A signature that was found good.
    pub(in crate::core) fn remember(&self, hash: [u8; 32], id: &str) {
        if let Ok(mut good) = self.good.0.lock() {
            good.truncate(REMEMBERED - 1);
            good.insert(0, (hash, id.to_owned()));
        }
    }

    /// Whether no key is trusted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

fn keys_of(path: &str, pem: &[u8]) -> Result<Vec<TrustedKey>, String> {
    let hint = "expected an Ed25519 public key as `openssl pkey -pubout` writes it";
    let mut keys = Vec::new();
    for section in SubjectPublicKeyInfoDer::pem_slice_iter(pem) {
        let der = section.map_err(|error| format!("broken PEM ({}); {hint}", pem_reason(&error)))?;
        let raw: [u8; 32] = der
            .strip_prefix(&ED25519_SPKI[..])
            .and_then(|raw| raw.try_into().ok())
            .ok_or_else(|| format!("a public key of another kind; {hint}"))?;
        let key = VerifyingKey::from_bytes(&raw).map_err(|_| format!("the key is not a point of the curve; {hint}"))?;
        if key.is_weak() {
            return Err("the key is a small-order point, for which anyone can sign".to_owned());
        }
        keys.push(TrustedKey { id: hex(&Sha256::digest(raw)[..8]), origin: path.to_owned(), key });
    }
    if keys.is_empty() {
        let private = pem.windows(11).any(|window| window == b"PRIVATE KEY");
        return Err(if private {
            format!("a private key, which does not belong on this device; {hint}")
        } else {
            format!("no public key in it; {hint}")
        });
    }
    Ok(keys)
}

/// What is wrong with a PEM file. The library's own words are lists of numbers.
#[must_use]
pub const fn pem_reason(error: &pem::Error) -> &'static str {
    match error {
        pem::Error::MissingSectionEnd { .. } => "a section has no line that begins with -----END",
        pem::Error::IllegalSectionStart { .. } => {
            "a line that begins a section with -----BEGIN does not end with -----"
        }
        pem::Error::Base64Decode(_) => "what stands between -----BEGIN and -----END is not base64",
        pem::Error::SectionTooLarge => "a section is too long",
        _ => "it cannot be read",
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn pem(raw: &[u8; 32]) -> String {
        super::pem(raw)
    }

    fn ring(content: &str) -> KeyRing {
        KeyRing::from_files([("k.pem".to_owned(), Ok(content.as_bytes().to_vec()))])
    }

    #[test]
    fn good_signatures_are_remembered_and_not_without_end() {
        let ring = KeyRing::default();
        let same = ring.clone();
        (0..20).for_each(|number| ring.remember([number; 32], "key"));
        assert_eq!(same.known(&[19; 32]).as_deref(), Some("key"));
        assert_eq!((ring.known(&[11; 32]), KeyRing::default().known(&[19; 32])), (None, None));
        assert!(ring.known(&[12; 32]).is_some());
    }

    #[test]
    fn several_keys_in_a_file_and_the_same_key_twice() {
        let key = |seed| ed25519_dalek::SigningKey::from_bytes(&[seed; 32]).verifying_key().to_bytes();
        let one = ring(&format!("{}{}{}", pem(&key(1)), pem(&key(2)), pem(&key(1))));
        assert_eq!(one.keys().len(), 2);
        assert!(one.problems.is_empty());
        assert_eq!(one.keys()[0].id, hex(&Sha256::digest(key(1))[..8]));
    }

    #[test]
    fn bad_files_are_named() {
        for none in ["", "nothing of the kind"] {
            assert!(ring(none).problems[0].starts_with("k.pem: no public key in it"));
        }
        assert!(
            ring("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n").problems[0].contains("private key")
        );
        assert!(
            ring("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n").problems[0].contains("another kind")
        );
        assert!(ring("-----BEGIN PUBLIC KEY-----\n!!!\n").problems[0].contains("broken PEM"));
        let mut small_order = [0_u8; 32];
        small_order[0] = 1;
        assert!(ring(&pem(&small_order)).problems[0].contains("small-order"));
        let both = KeyRing::from_files([
            ("bad.pem".to_owned(), Err("permission denied".to_owned())),
            (
                "good.pem".to_owned(),
                Ok(pem(&ed25519_dalek::SigningKey::from_bytes(&[3; 32]).verifying_key().to_bytes()).into_bytes()),
            ),
        ]);
        assert_eq!((both.keys().len(), both.problems.len(), both.is_empty()), (1, 1, false));
        assert!(ring("").is_empty());
    }

    #[test]
    fn digits() {
        assert_eq!(hex(&[0x00, 0x19, 0x9a, 0xaf, 0xf0]), "00199aaff0");
    }
}
