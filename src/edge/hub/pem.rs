//! Certificates and private keys from PEM files.

use std::path::Path;

use rustls::pki_types::pem::{self, PemObject, SectionKind};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::core::license::keys::pem_reason;
use crate::core::text::without_mark;
use crate::edge::file::open;
use crate::edge::helper::{Item, client};

/// Largest file of certificates in bytes: a distribution's whole store has a quarter of that.
const MAX: usize = 1024 * 1024;

/// The certificates of a file, and one sentence for each that is broken.
#[derive(Default)]
pub(super) struct Certificates {
    pub(super) good: Vec<CertificateDer<'static>>,
    pub(super) broken: Vec<String>,
}

/// Reads a file of certificates that decides whom this program trusts. One broken block does not cost the others.
pub(super) fn certificates(path: &Path, item: Item) -> Result<Certificates, String> {
    client::trusted_file(path, MAX, item).map(|content| of(&content)).map_err(|refused| refused.clause())
}

/// Reads a file of the system's store.
pub(super) fn of_the_system(path: &Path) -> std::io::Result<Certificates> {
    open::read(path, MAX).map(|content| of(&content))
}

fn of(content: &[u8]) -> Certificates {
    let mut found = Certificates::default();
    for (at, section) in CertificateDer::pem_slice_iter(content).enumerate() {
        match section {
            Ok(certificate) => found.good.push(certificate),
            Err(error) => found.broken.push(broken(at + 1, pem_reason(&error))),
        }
    }
    found
}

/// A sentence about the certificate with this number in its file.
pub(super) fn broken(number: usize, why: &str) -> String {
    format!("certificate {number} in it is broken: {why}")
}

/// The first private key of a PEM text. The error says what is there instead.
pub(super) fn private_key(text: &[u8]) -> Result<PrivateKeyDer<'static>, &'static str> {
    let text = without_mark(text);
    let has = |words: &[u8]| text.windows(words.len()).any(|window| window == words);
    if has(b"BEGIN ENCRYPTED PRIVATE KEY") || has(b"Proc-Type: 4,ENCRYPTED") {
        return Err(
            "the key is encrypted, and nobody is there to type its passphrase; write it without one: openssl pkey -in OLD -out NEW",
        );
    }
    match PrivateKeyDer::from_pem_slice(text) {
        Ok(key) => Ok(key),
        Err(pem::Error::NoItemsFound) => Err(instead(text)),
        Err(error) => Err(pem_reason(&error)),
    }
}

fn instead(text: &[u8]) -> &'static str {
    match <(SectionKind, Vec<u8>)>::from_pem_slice(text) {
        Ok((SectionKind::Certificate, _)) => {
            "it holds a certificate and no private key; are hub.client-cert and hub.client-key mixed up?"
        }
        Ok((SectionKind::PublicKey, _)) => "it holds a public key; the private one is wanted",
        _ => "it holds no private key in PEM, such as openssl genpkey writes",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_private_key_is_named() {
        let section = |label: &str| format!("-----BEGIN {label}-----\nMIIB\n-----END {label}-----\n");
        for (text, words) in [
            (section("ENCRYPTED PRIVATE KEY"), "is encrypted"),
            (
                "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nMIIB\n-----END RSA PRIVATE KEY-----\n"
                    .to_owned(),
                "is encrypted",
            ),
            (section("CERTIFICATE"), "holds a certificate"),
            (section("PUBLIC KEY"), "holds a public key"),
            ("secret\n".to_owned(), "holds no private key"),
            ("-----BEGIN PRIVATE KEY-----\nMIIB\n".to_owned(), "no line that begins with -----END"),
            ("-----BEGIN PRIVATE KEY-----\n%%\n-----END PRIVATE KEY-----\n".to_owned(), "not base64"),
        ] {
            let error = private_key(text.as_bytes()).expect_err("no key");
            assert!(error.contains(words), "{text}: {error}");
        }
        let marked = format!("\u{feff}{}", section("PRIVATE KEY").replace('\n', "\r\n"));
        assert!(private_key(marked.as_bytes()).is_ok());
    }
}
