//! TLS to the hub: the roots of the system or of `hub.ca-file`, the client's certificate, the algorithms.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring::{ALL_KX_GROUPS, cipher_suite, sign};
use rustls::crypto::{CryptoProvider, GetRandomFailed, KeyProvider, SecureRandom, WebPkiSupportedAlgorithms};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::SigningKey;
use rustls::{ClientConfig, RootCertStore, SignatureScheme};
use webpki::ring as algorithms;

use crate::core::config::Hub;
use crate::edge::dirs::Places;
use crate::edge::file::trusted;
use crate::edge::secret;

/// Largest file of certificates in bytes: a distribution's whole store has a quarter of that.
const MAX_PEM: usize = 1024 * 1024;

/// What the library needs even where the hub is not asked over TLS.
pub(in crate::edge) fn config(hub: &Hub, places: &Places, encrypted: bool) -> Result<ClientConfig, String> {
    let roots = if encrypted { roots(hub)? } else { RootCertStore::empty() };
    let builder = ClientConfig::builder_with_provider(Arc::new(provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS cannot be set up: {error}"))?
        .with_root_certificates(roots);
    match (&hub.client_cert, &hub.client_key) {
        (Some(certificate), Some(key)) if encrypted => {
            let chain = certificates(certificate.as_path(), "hub.client-cert")?;
            let pem = secret::private_key(places, key)?;
            let key = PrivateKeyDer::from_pem_slice(pem.expose()).map_err(|error| {
                format!("hub.client-key: {}: no private key in PEM: {error}", key.as_path().display())
            })?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| format!("hub.client-cert and hub.client-key do not fit: {error}"))
        }
        _ => Ok(builder.with_no_client_auth()),
    }
}

/// The certificates that the hub's own must lead to.
pub(in crate::edge) fn roots(hub: &Hub) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    let (certificates, origin) = match &hub.ca_file {
        Some(file) => {
            (certificates(file.as_path(), "hub.ca-file")?, format!("hub.ca-file: {}", file.as_path().display()))
        }
        None => (rustls_native_certs::load_native_certs().certs, "the system's certificate store".to_owned()),
    };
    let (good, _) = store.add_parsable_certificates(certificates);
    if good == 0 {
        let own = hub.ca_file.is_some();
        let remedy = if own { "write it there in PEM" } else { "install ca-certificates or set hub.ca-file" };
        return Err(format!("{origin} holds no certificate; {remedy}"));
    }
    Ok(store)
}

fn certificates(path: &Path, key: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let content =
        trusted::read(path, MAX_PEM).map_err(|refused| format!("{key}: {}: {}", path.display(), refused.clause()))?;
    CertificateDer::pem_slice_iter(&content)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| format!("{key}: {}: broken PEM: {error}", path.display()))
}

/// As the library has it, with AES-GCM alone: every server speaks it (RFC 8446, section 9.1), and without
/// ChaCha20-Poly1305 the program is 60 kB smaller.
pub(super) fn provider() -> CryptoProvider {
    CryptoProvider {
        cipher_suites: vec![
            cipher_suite::TLS13_AES_256_GCM_SHA384,
            cipher_suite::TLS13_AES_128_GCM_SHA256,
            cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
            cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
            cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
            cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        ],
        kx_groups: ALL_KX_GROUPS.to_vec(),
        signature_verification_algorithms: SIGNATURES,
        secure_random: &System,
        key_provider: &System,
    }
}

/// The kernel's random numbers, and any private key that the library can use.
#[derive(Debug)]
struct System;

impl SecureRandom for System {
    fn fill(&self, mut buffer: &mut [u8]) -> Result<(), GetRandomFailed> {
        while !buffer.is_empty() {
            let filled = rustix::rand::getrandom(&mut *buffer, rustix::rand::GetRandomFlags::empty());
            buffer = &mut buffer[filled.map_err(|_| GetRandomFailed)?..];
        }
        Ok(())
    }
}

impl KeyProvider for System {
    fn load_private_key(&self, key: PrivateKeyDer<'static>) -> Result<Arc<dyn SigningKey>, rustls::Error> {
        sign::any_supported_type(&key)
    }
}

/// What a certificate or a handshake may be signed with.
static SIGNATURES: WebPkiSupportedAlgorithms = WebPkiSupportedAlgorithms {
    all: &[
        algorithms::ED25519,
        algorithms::ECDSA_P256_SHA256,
        algorithms::ECDSA_P256_SHA384,
        algorithms::ECDSA_P384_SHA256,
        algorithms::ECDSA_P384_SHA384,
        algorithms::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
        algorithms::RSA_PSS_2048_8192_SHA384_LEGACY_KEY,
        algorithms::RSA_PSS_2048_8192_SHA512_LEGACY_KEY,
        algorithms::RSA_PKCS1_2048_8192_SHA256,
        algorithms::RSA_PKCS1_2048_8192_SHA384,
        algorithms::RSA_PKCS1_2048_8192_SHA512,
        algorithms::RSA_PKCS1_2048_8192_SHA256_ABSENT_PARAMS,
        algorithms::RSA_PKCS1_2048_8192_SHA384_ABSENT_PARAMS,
        algorithms::RSA_PKCS1_2048_8192_SHA512_ABSENT_PARAMS,
    ],
    // In TLS 1.2 a scheme does not fix the curve; in TLS 1.3 the first one counts.
    mapping: &[
        (SignatureScheme::ED25519, &[algorithms::ED25519]),
        (SignatureScheme::ECDSA_NISTP256_SHA256, &[algorithms::ECDSA_P256_SHA256, algorithms::ECDSA_P384_SHA256]),
        (SignatureScheme::ECDSA_NISTP384_SHA384, &[algorithms::ECDSA_P384_SHA384, algorithms::ECDSA_P256_SHA384]),
        (SignatureScheme::RSA_PSS_SHA256, &[algorithms::RSA_PSS_2048_8192_SHA256_LEGACY_KEY]),
        (SignatureScheme::RSA_PSS_SHA384, &[algorithms::RSA_PSS_2048_8192_SHA384_LEGACY_KEY]),
        (SignatureScheme::RSA_PSS_SHA512, &[algorithms::RSA_PSS_2048_8192_SHA512_LEGACY_KEY]),
        (SignatureScheme::RSA_PKCS1_SHA256, &[algorithms::RSA_PKCS1_2048_8192_SHA256]),
        (SignatureScheme::RSA_PKCS1_SHA384, &[algorithms::RSA_PKCS1_2048_8192_SHA384]),
        (SignatureScheme::RSA_PKCS1_SHA512, &[algorithms::RSA_PKCS1_2048_8192_SHA512]),
    ],
};
