//! Certificates made at start, and the TLS side of the listener.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rcgen::{KeyUsagePurpose, date_time_ymd};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

/// Whom the server certificate names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CertificateName {
    /// `localhost`, `127.0.0.1` and `::1`.
    #[default]
    Loopback,
    /// `wrong.example` only.
    Wrong,
}

/// When the server certificate is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Validity {
    /// 2024 to 2099.
    #[default]
    Good,
    /// Until the end of 2021.
    Expired,
    /// From 2098 on.
    NotYet,
}

/// TLS as a test wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TlsOptions {
    /// The name in the server certificate.
    pub name: CertificateName,
    /// Its dates.
    pub validity: Validity,
    /// Refuse clients without a certificate of the emulator's authority.
    pub client_certificate: bool,
}

/// What clients need, as PEM. All of it is made at start and only ever in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsMaterial {
    /// The authority to trust.
    pub ca_pem: String,
    /// A client certificate that the emulator accepts.
    pub client_cert_pem: String,
    /// Its private key (PKCS #8).
    pub client_key_pem: String,
}

/// Why TLS could not be set up.
pub(crate) type TlsError = Box<dyn std::error::Error + Send + Sync>;

fn params(names: &[&str], common_name: &str, validity: Validity) -> Result<CertificateParams, rcgen::Error> {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, common_name);
    (params.not_before, params.not_after) = match validity {
        Validity::Good => (date_time_ymd(2024, 1, 1), date_time_ymd(2099, 1, 1)),
        Validity::Expired => (date_time_ymd(2021, 1, 1), date_time_ymd(2021, 12, 31)),
        Validity::NotYet => (date_time_ymd(2098, 1, 1), date_time_ymd(2099, 1, 1)),
    };
    Ok(params)
}

/// Makes an authority, a server certificate and a client certificate, and the server's side of TLS.
pub(crate) fn prepare(options: TlsOptions) -> Result<(Arc<ServerConfig>, TlsMaterial), TlsError> {
    let mut authority = params(&[], "Hub emulator authority", Validity::Good)?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;

    let names: &[&str] = match options.name {
        CertificateName::Loopback => &["localhost", "127.0.0.1", "::1"],
        CertificateName::Wrong => &["wrong.example"],
    };
    let mut server = params(names, "Hub emulator", options.validity)?;
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let server_key = KeyPair::generate()?;
    let server = server.signed_by(&server_key, &authority)?;

    let mut client = params(&["client.example"], "Hub emulator client", Validity::Good)?;
    client.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let client_key = KeyPair::generate()?;
    let client = client.signed_by(&client_key, &authority)?;

    let material = TlsMaterial {
        ca_pem: authority.pem(),
        client_cert_pem: client.pem(),
        client_key_pem: client_key.serialize_pem(),
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
    let builder = if options.client_certificate {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(material.ca_pem.as_bytes())?)?;
        builder
            .with_client_cert_verifier(WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build()?)
    } else {
        builder.with_no_client_auth()
    };
    let key = PrivateKeyDer::try_from(server_key.serialize_der())?;
    let config = builder.with_single_cert(vec![server.der().clone()], key)?;
    Ok((Arc::new(config), material))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_combination_can_be_made() {
        for name in [CertificateName::Loopback, CertificateName::Wrong] {
            for validity in [Validity::Good, Validity::Expired, Validity::NotYet] {
                let (_, material) = prepare(TlsOptions { name, validity, client_certificate: true }).unwrap();
                assert!(material.ca_pem.starts_with("-----BEGIN CERTIFICATE-----"));
                assert!(material.client_key_pem.contains("PRIVATE KEY"));
            }
        }
    }
}
