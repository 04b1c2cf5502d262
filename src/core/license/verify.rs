//! The judgement of a license, always in the same order: shape, signature, device, dates.
//!
//! A forged license is therefore never called expired. What passes the first three becomes an [`Authentic`] license,
//! and only this module makes those: nothing else can be installed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Verifier as _};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::core::license::document::{self, Document, License};
use crate::core::license::keys::KeyRing;
use crate::core::text::hex;
use crate::core::text::one_line;
use crate::core::time::{MINUTE, Millis, WallTime};

/// How far in the future an issue date may lie before the license counts as not yet valid: clocks differ a little.
pub const CLOCK_TOLERANCE: Millis = 5 * MINUTE;

/// The order of the Ed25519 group, little-endian (RFC 8032, section 5.1).
const GROUP_ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// The one vocabulary for what a license is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Signed by a trusted key, for this device, within its dates.
    Valid,
    /// As valid, but `trust.mode = "transport"`: the signature was not checked.
    Unchecked,
    /// Genuine, for this device, past its end.
    Expired,
    /// Genuine, for this device, issued in the future.
    NotYetValid,
    /// There is no file.
    Missing,
    /// The file cannot be read.
    Unreadable,
    /// Not a license document.
    Malformed,
    /// A license document without a signature.
    Unsigned,
    /// No trusted key made this signature.
    BadSignature,
    /// Genuine, but for another device.
    WrongDevice,
    /// Genuine and for this device; the clock cannot be believed, so its dates cannot be judged.
    ClockUntrusted,
}

impl State {
    /// All states, for metrics.
    pub const ALL: [Self; 11] = [
        Self::Valid,
        Self::Unchecked,
        Self::Expired,
        Self::NotYetValid,
        Self::Missing,
        Self::Unreadable,
        Self::Malformed,
        Self::Unsigned,
        Self::BadSignature,
        Self::WrongDevice,
        Self::ClockUntrusted,
    ];

    /// The word that users see.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Unchecked => "unchecked",
            Self::Expired => "expired",
            Self::NotYetValid => "not-yet-valid",
            Self::Missing => "missing",
            Self::Unreadable => "unreadable",
            Self::Malformed => "malformed",
            Self::Unsigned => "unsigned",
            Self::BadSignature => "bad-signature",
            Self::WrongDevice => "wrong-device",
            Self::ClockUntrusted => "clock-untrusted",
        }
    }

    /// Whether netifyd's plugins work with it.
    #[must_use]
    pub const fn is_usable(self) -> bool {
        matches!(self, Self::Valid | Self::Unchecked)
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

/// What a license is checked against, apart from the dates.
#[derive(Debug, Clone, Default)]
pub struct Verifier {
    /// Trusted keys; `None` with `trust.mode = "transport"`.
    pub keys: Option<KeyRing>,
    /// This device's id, when it is known.
    pub duid: Option<String>,
    /// Whether a license without `duid` is refused.
    pub require_device_binding: bool,
}

/// A license whose shape, signature and device hold. Made by [`Verifier::check`] alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authentic {
    bytes: Vec<u8>,
    license: License,
    key_id: Option<String>,
    sha256: String,
}

impl Authentic {
    /// The bytes as they were received.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What the license says.
    #[must_use]
    pub const fn license(&self) -> &License {
        &self.license
    }

    /// The key that signed it; `None` when signatures are not checked.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// SHA-256 of the bytes, in hex.
    #[must_use]
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// The state by its dates. `now` is `None` when the clock cannot be believed.
    #[must_use]
    pub fn state(&self, now: Option<WallTime>) -> State {
        let Some(now) = now else { return State::ClockUntrusted };
        if now >= self.license.expires_at {
            State::Expired
        } else if self.license.created_at.is_some_and(|created| created.since(now) > CLOCK_TOLERANCE) {
            State::NotYetValid
        } else if self.key_id.is_some() {
            State::Valid
        } else {
            State::Unchecked
        }
    }
}

/// Why a license is not authentic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// `Malformed`, `Unsigned`, `BadSignature` or `WrongDevice`.
    pub state: State,
    /// One clause: what does not hold.
    pub reason: String,
    /// What the document claims, as far as it could be read. Not to be believed.
    pub claims: Option<Box<License>>,
}

impl Verifier {
    /// Judges shape, signature and device, in this order.
    pub fn check(&self, bytes: &[u8]) -> Result<Authentic, Rejection> {
        let document = document::parse(bytes).map_err(|error| Rejection {
            state: State::Malformed,
            reason: format!("not a license: {error}"),
            claims: None,
        })?;
        let reject = |state, reason| Rejection { state, reason, claims: Some(Box::new(document.license.clone())) };
        let key_id = match &self.keys {
            None => None,
            Some(keys) => Some(check_signature(&document, keys).map_err(|(state, reason)| reject(state, reason))?),
        };
        self.check_device(&document.license).map_err(|reason| reject(State::WrongDevice, reason))?;
        let sha256 = hex(&Sha256::digest(bytes));
        Ok(Authentic { bytes: bytes.to_vec(), license: document.license, key_id, sha256 })
    }

    fn check_device(&self, license: &License) -> Result<(), String> {
        match (&license.duid, &self.duid) {
            (Some(theirs), Some(ours)) if theirs == ours => Ok(()),
            (Some(theirs), Some(ours)) => {
                Err(format!("the license is bound to device {}, this is device {ours}", one_line(theirs)))
            }
            (Some(theirs), None) => {
                Err(format!("the license is bound to device {}, and this device's id is not known", one_line(theirs)))
            }
            (None, _) if self.require_device_binding => {
                Err("the license is bound to no device, and trust.require-device-binding asks for that".to_owned())
            }
            (None, _) => Ok(()),
        }
    }
}

/// The bytes that a signature covers: RFC 8785 canonical form of all members but `signature`.
pub fn signed_bytes(document: &Document) -> Result<Vec<u8>, String> {
    serde_json_canonicalizer::to_vec(&document.signed).map_err(|error| format!("no canonical form: {error}"))
}

/// Strict Ed25519 (RFC 8032): canonical base64, canonical S, no small-order points, cofactorless equation.
fn check_signature(document: &Document, keys: &KeyRing) -> Result<String, (State, String)> {
    let bad = |reason: &str| (State::BadSignature, reason.to_owned());
    let text = document
        .signature
        .as_deref()
        .ok_or_else(|| (State::Unsigned, "the license carries no signature".to_owned()))?;
    let raw = STANDARD.decode(text).map_err(|error| bad(&format!("the signature is not standard base64: {error}")))?;
    let raw: [u8; 64] =
        raw.as_slice().try_into().map_err(|_| bad(&format!("the signature has {} bytes instead of 64", raw.len())))?;
    if !raw[32..].iter().rev().lt(GROUP_ORDER.iter().rev()) {
        return Err(bad("the signature's S is not canonical (RFC 8032, section 5.1.7)"));
    }
    let message = signed_bytes(document).map_err(|reason| bad(&reason))?;
    let signature = Signature::from_bytes(&raw);
    let hash: [u8; 32] = Sha256::new().chain_update(raw).chain_update(&message).finalize().into();
    if let Some(id) = keys.known(&hash) {
        return Ok(id);
    }
    for trusted in keys.keys() {
        if trusted.key.verify_strict(&message, &signature).is_ok() {
            keys.remember(hash, &trusted.id);
            return Ok(trusted.id.clone());
        }
        if trusted.key.verify(&message, &signature).is_ok() {
            return Err(bad("the signature uses a small-order point"));
        }
    }
    Err(bad(&match keys.keys() {
        [] => {
            "no key is trusted, so no signature can be verified; put the vendor's public key into trust.keys".to_owned()
        }
        [only] => format!("the trusted key {} did not make this signature", only.id),
        several => format!("none of the {} trusted keys made this signature", several.len()),
    }))
}
