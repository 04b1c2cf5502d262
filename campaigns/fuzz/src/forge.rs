//! Licenses that the fuzzer deals with, and the keys that sign them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer as _, SigningKey};
use netify_licensed::core::license::keys::KeyRing;
use netify_licensed::core::time::{DAY, Millis, WallTime};
use std::sync::LazyLock;

/// Where all stories begin: 2027-01-15.
pub const START: WallTime = WallTime::from_unix(1_800_000_000);

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

/// A ring of the keys with these seeds.
pub fn ring(seeds: &[u8]) -> KeyRing {
    let header = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
    let pem = |seed: &u8| {
        let der = [&header[..], key(*seed).verifying_key().as_bytes()].concat();
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der))
    };
    KeyRing::from_files(seeds.iter().map(|seed| (format!("{seed}.pem"), Ok(pem(seed).into_bytes()))))
}

/// A canonical object with the signature over it as its last member.
pub fn sign(canonical: &[u8], seed: u8) -> Vec<u8> {
    let signature = STANDARD.encode(key(seed).sign(canonical).to_bytes());
    let open = canonical.strip_suffix(b"}").expect("an object");
    let comma = if open == b"{" { "" } else { "," };
    [open, format!("{comma}\"signature\":\"{signature}\"}}").as_bytes()].concat()
}

/// A license of the pool: what it says, known without reading it.
#[derive(Debug)]
pub struct Paper {
    pub bytes: Vec<u8>,
    pub issued: WallTime,
    pub ends: WallTime,
    pub duid: Option<&'static str>,
    pub seed: u8,
}

impl Paper {
    fn new(serial: &str, life: [Millis; 2], duid: Option<&'static str>, entitlements: &[&str], seed: u8) -> Self {
        let [issued, ends] = life.map(|days| START.plus(days * DAY));
        let mut document = serde_json::json!({
            "serial": serial, "entitlements": entitlements,
            "created_at": {"unix": issued.unix()}, "expire_at": {"unix": ends.unix()},
        });
        if let Some(duid) = duid {
            document["duid"] = duid.into();
        }
        let canonical = serde_json_canonicalizer::to_vec(&document).expect("canonical");
        Self { bytes: sign(&canonical, seed), issued, ends, duid, seed }
    }
}

/// Every license of the stories: two serials, three devices, several lives, all of them once with fewer entitlements,
/// and some by a new and by a foreign key.
pub static POOL: LazyLock<Vec<Paper>> = LazyLock::new(|| {
    let mut pool = Vec::new();
    for serial in ["S-1", "S-2"] {
        for life in [[-5, 2], [-1, 6], [0, 7], [5, 12], [-10, -3], [0, 90], [30, 400], [-5, 9]] {
            for duid in [Some("D-1"), Some("D-2"), None] {
                pool.push(Paper::new(serial, life, duid, &["a", "b"], 1));
            }
            pool.push(Paper::new(serial, life, Some("D-1"), &["a"], 1));
            pool.push(Paper::new(serial, life, Some("D-1"), &["a", "b"], 2));
            pool.push(Paper::new(serial, life, Some("D-1"), &["a", "b"], 9));
        }
    }
    pool
});
