//! TLS to the hub: what is trusted, and the client's certificate.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, SignatureScheme};

use crate::core::config::Hub;
use crate::edge::dirs::Places;
use crate::edge::helper::Item;
use crate::edge::hub::{pem, roots};
use crate::edge::secret;

/// TLS for an attempt, and what is broken in its files all the same.
pub(super) struct Tls {
    pub(super) config: Arc<ClientConfig>,
    pub(super) broken: Vec<String>,
}

/// Reads the certificates and keys.
pub(super) fn setup(hub: &Hub, places: &Places) -> Result<Tls, String> {
    let roots::Roots { store, pinned, broken } = roots::load(hub)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let usual = WebPkiServerVerifier::builder_with_provider(store, Arc::clone(&provider));
    // The store is not empty, and there are no revocation lists.
    let usual = usual.build().map_err(|_| "the certificate store cannot be used".to_owned())?;
    let verifier = Arc::new(Verifier { usual, pinned });
    let config = builder(&provider)?.dangerous().with_custom_certificate_verifier(verifier);
    let mut config = match client_identity(hub, places, &provider)? {
        Some(identity) => config.with_client_cert_resolver(Arc::new(identity)),
        None => config.with_no_client_auth(),
    };
    // A session has one connection, so there is nothing to resume.
    config.resumption = rustls::client::Resumption::disabled();
    Ok(Tls { config: Arc::new(config), broken })
}

fn builder(
    provider: &Arc<CryptoProvider>,
) -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, String> {
    ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_safe_default_protocol_versions()
        .map_err(|_| "TLS cannot be set up".to_owned())
}

/// `hub.client-cert` with `hub.client-key`.
pub(in crate::edge) fn check_client_identity(hub: &Hub, places: &Places) -> Result<(), String> {
    client_identity(hub, places, &Arc::new(rustls::crypto::ring::default_provider())).map(drop)
}

fn client_identity(
    hub: &Hub,
    places: &Places,
    provider: &CryptoProvider,
) -> Result<Option<rustls::sign::SingleCertAndKey>, String> {
    let (Some(certificate), Some(key)) = (&hub.client_cert, &hub.client_key) else { return Ok(None) };
    let name = format!("hub.client-cert: {}", certificate.as_path().display());
    let chain =
        pem::certificates(certificate.as_path(), Item::ClientCert).map_err(|reason| format!("{name}: {reason}"))?;
    if let Some(broken) = chain.broken.first() {
        return Err(format!("{name}: {broken}"));
    }
    if chain.good.is_empty() {
        return Err(format!("{name} holds no certificate; write it there in PEM"));
    }
    let text = secret::private_key(places, key)?;
    let about_key = |why: &str| format!("hub.client-key: {}: {why}", key.as_path().display());
    let key = pem::private_key(text.expose()).map_err(about_key)?;
    let identity = rustls::sign::CertifiedKey::from_der(chain.good, key, provider).map_err(|error| match error {
        Error::InconsistentKeys(_) => {
            "hub.client-cert and hub.client-key do not belong together: the certificate is for another key".to_owned()
        }
        Error::InvalidCertificate(_) => format!(
            "{name}: {}",
            pem::broken(
                1,
                "it is no X.509 certificate of version 3; `openssl x509 -req` makes one when it is given an extension"
            )
        ),
        _ => about_key(
            "a key of a kind that cannot be used; RSA from 2048 bits on, ECDSA with P-256 or P-384, and Ed25519 can",
        ),
    })?;
    Ok(Some(identity.into()))
}

/// As the library does it, with one addition, and with errors that say which check failed.
#[derive(Debug)]
struct Verifier {
    usual: Arc<WebPkiServerVerifier>,
    pinned: Vec<CertificateDer<'static>>,
}

/// The server's key is not one that this program can use, or it does not fit the server's certificate.
#[derive(Debug)]
pub(super) struct UnusableKey;

impl std::fmt::Display for UnusableKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the server's key cannot be used")
    }
}

impl std::error::Error for UnusableKey {}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let result = self.usual.verify_server_cert(end_entity, intermediates, server_name, ocsp, now);
        match &result {
            // `openssl req -x509` makes a certificate that is an authority and a server in one. One that a person named,
            // byte for byte, needs nobody to vouch for it. Its dates were looked at before its kind was.
            Err(Error::InvalidCertificate(CertificateError::Other(error)))
                if is_authority(error) && self.pinned.iter().any(|pinned| pinned == end_entity) =>
            {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            _ => result,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.usual.verify_tls12_signature(message, cert, dss).map_err(of_handshake)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.usual.verify_tls13_signature(message, cert, dss).map_err(of_handshake)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.usual.supported_verify_schemes()
    }
}

fn is_authority(error: &OtherError) -> bool {
    matches!(error.0.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity))
}

/// The certificate holds; what the server signed with its key does not: the key is too short, or of another kind.
fn of_handshake(error: Error) -> Error {
    match error {
        Error::InvalidCertificate(_) => {
            Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(UnusableKey))))
        }
        other => other,
    }
}
