//! License documents of the simulated hub, and what the world knows about each of them.

use std::sync::{Arc, LazyLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer as _, SigningKey};
use netify_licensed::core::license::keys::KeyRing;
use netify_licensed::core::license::verify::State;
use netify_licensed::core::text::hex;
use netify_licensed::core::time::WallTime;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

static KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::from_bytes(&[7; 32]));
static RING: LazyLock<KeyRing> = LazyLock::new(|| {
    let spki =
        [&[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00][..], KEY.verifying_key().as_bytes()]
            .concat();
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(spki));
    KeyRing::from_files([("simulated.pem".to_owned(), Ok(pem.into_bytes()))])
});

/// The key ring of every simulated device.
#[must_use]
pub fn key_ring() -> KeyRing {
    RING.clone()
}

/// What is written into a document.
#[derive(Debug, Clone)]
pub struct Draft<'a> {
    /// Serial number.
    pub serial: &'a str,
    /// Device, if the license is bound to one.
    pub duid: Option<&'a str>,
    /// Expiry, whole seconds.
    pub expires: WallTime,
    /// Issue date as it is written, if it is.
    pub created: Option<WallTime>,
    /// `renewable`, if it is said.
    pub renewable: Option<bool>,
    /// Whether it carries a real signature.
    pub signed: bool,
}

/// A document with the truth about it.
#[derive(Debug, PartialEq, Eq)]
pub struct Doc {
    /// As it travels and as it lies on disk.
    pub bytes: Vec<u8>,
    /// Of the bytes, in hex.
    pub sha256: String,
    /// Serial number.
    pub serial: String,
    /// Expiry.
    pub expires: WallTime,
    /// Issue date as it is written.
    pub created: Option<WallTime>,
    /// What a device must say of it apart from its dates: `None` when it is genuine and for that device.
    pub flaw: Option<State>,
}

impl Doc {
    /// Makes a document, signed if the draft says so.
    #[must_use]
    pub fn issue(draft: &Draft<'_>, flaw: Option<State>) -> Arc<Self> {
        let mut members = Map::new();
        members.insert("serial".to_owned(), draft.serial.into());
        members.insert("issued_to".to_owned(), "Simulated".into());
        members.insert("expire_at".to_owned(), json!({"unix": draft.expires.unix()}));
        members.insert("netify-proc-aggregator".to_owned(), json!({"not_valid_after": draft.expires.date()}));
        if let Some(created) = draft.created {
            members.insert("created_at".to_owned(), json!({"unix": created.unix()}));
        }
        if let Some(duid) = draft.duid {
            members.insert("duid".to_owned(), duid.into());
        }
        if let Some(renewable) = draft.renewable {
            members.insert("renewable".to_owned(), renewable.into());
        }
        if draft.signed {
            let message = serde_json_canonicalizer::to_vec(&members).unwrap_or_default();
            members.insert("signature".to_owned(), STANDARD.encode(KEY.sign(&message).to_bytes()).into());
        }
        let bytes = Value::Object(members).to_string().into_bytes();
        Arc::new(Self::with_bytes(bytes, draft.serial, draft.expires, draft.created, flaw))
    }

    /// The same document with other bytes, which spoil it.
    #[must_use]
    pub fn spoiled(&self, bytes: Vec<u8>, flaw: State) -> Arc<Self> {
        Arc::new(Self::with_bytes(bytes, &self.serial, self.expires, self.created, Some(flaw)))
    }

    fn with_bytes(
        bytes: Vec<u8>,
        serial: &str,
        expires: WallTime,
        created: Option<WallTime>,
        flaw: Option<State>,
    ) -> Self {
        let sha256 = Self::digest(&bytes);
        Self { bytes, sha256, serial: serial.to_owned(), expires, created, flaw }
    }

    /// SHA-256 in hex.
    #[must_use]
    pub fn digest(bytes: &[u8]) -> String {
        hex(&Sha256::digest(bytes))
    }

    /// Whether a device may use it, its dates aside.
    #[must_use]
    pub const fn is_genuine(&self) -> bool {
        self.flaw.is_none()
    }
}
