//! A connection to the hub in single steps, for `doctor`: name, TCP, tunnel, TLS. No request is sent.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::Url;
use x509_cert::Certificate;
use x509_cert::der::Decode;

use crate::core::config::Hub;
use crate::core::time::WallTime;
use crate::edge::dirs::Places;
use crate::edge::hub::error::{Leg, NameError};
use crate::edge::hub::proxy::Proxy;
use crate::edge::hub::{connect, sentence, tls};
use crate::edge::reason;

/// Longest head of a proxy's response in bytes.
const MAX_HEAD: usize = 8 * 1024;

/// A server's certificate in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// RFC 4514.
    pub subject: String,
    /// RFC 4514.
    pub issuer: String,
    /// End of its validity.
    pub ends: WallTime,
}

/// The proxy on the way to the hub, and the setting that names it.
pub fn proxy(hub: &Hub) -> Result<Option<(Url, &'static str)>, String> {
    Ok(Proxy::of(hub)?.map(|proxy| (proxy.url, proxy.setting)))
}

/// The addresses of a name.
pub async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    connect::addresses(host, port).await.map_err(|error| {
        match error {
            NameError::Unknown => "no name server knows it",
            NameError::NoAnswer => "the name servers do not answer",
        }
        .to_owned()
    })
}

/// The first address that takes a connection.
pub async fn connect(addresses: &[SocketAddr]) -> Result<(TcpStream, SocketAddr), String> {
    let mut refused = String::new();
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok((stream, *address)),
            Err(error) => refused = format!("{address}: {}", reason(&error)),
        }
    }
    Err(refused)
}

/// Has a proxy open a tunnel (RFC 9110, section 9.3.6). Fails with the proxy's status line.
pub async fn tunnel(stream: &mut TcpStream, proxy: &Url, host: &str, port: u16) -> Result<(), String> {
    use base64::Engine as _;
    use zeroize::Zeroizing;
    let decoded = |text| percent_encoding::percent_decode_str(text).collect::<Vec<u8>>();
    let mut head = Zeroizing::new(format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n"));
    if !proxy.username().is_empty() {
        let pair = Zeroizing::new(
            [decoded(proxy.username()), b":".to_vec(), decoded(proxy.password().unwrap_or_default())].concat(),
        );
        let encoded = Zeroizing::new(base64::engine::general_purpose::STANDARD.encode(&*pair));
        head.push_str("Proxy-Authorization: Basic ");
        head.push_str(&encoded);
        head.push_str("\r\n");
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).await.map_err(|error| reason(&error))?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") && answer.len() < MAX_HEAD {
        match stream.read_u8().await {
            Ok(byte) => answer.push(byte),
            Err(error) => return Err(format!("it closed the connection ({})", reason(&error))),
        }
    }
    let line = String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned();
    let status = line.split(' ').nth(1).unwrap_or_default();
    if line.starts_with("HTTP/1.") && status.starts_with('2') { Ok(()) } else { Err(line) }
}

/// Speaks TLS as a request would. Returns the protocol version and the server's certificate.
pub async fn handshake(
    stream: TcpStream,
    host: &str,
    hub: &Hub,
    places: &Places,
) -> Result<(String, Option<Described>), (String, String)> {
    let local = |message: String| (message, "correct the configuration".to_owned());
    let tls::Tls { config, broken } = tls::setup(hub, places).map_err(local)?;
    match speak(stream, host, config).await {
        Ok((version, certificates)) => Ok((version, certificates.first().and_then(describe))),
        Err(error) => {
            let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
            Err(match tls {
                Some(tls) => sentence::of_library(tls, &Leg::Hub, hub, &broken),
                None => (format!("the connection broke: {}", reason(&error)), "check the server".to_owned()),
            })
        }
    }
}

/// The certificate that a server shows, whatever it is worth: the handshake is broken off when it is there.
pub async fn shown_certificate(stream: TcpStream, host: &str) -> Option<Described> {
    let seen = Arc::new(Seen::default());
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .ok()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&seen) as Arc<dyn ServerCertVerifier>)
        .with_no_client_auth();
    let _ = speak(stream, host, Arc::new(config)).await;
    let certificate = seen.0.lock().ok()?.take()?;
    describe(&certificate)
}

async fn speak(
    stream: TcpStream,
    host: &str,
    config: Arc<ClientConfig>,
) -> std::io::Result<(String, Vec<CertificateDer<'static>>)> {
    let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let name = ServerName::try_from(bare).map_err(std::io::Error::other)?;
    let mut stream = TlsConnector::from(config).connect(name, stream).await?;
    let (_, connection) = stream.get_ref();
    let version = match connection.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_2) => "TLS 1.2",
        _ => "TLS 1.3",
    };
    let certificates =
        connection.peer_certificates().unwrap_or_default().iter().map(|der| der.clone().into_owned()).collect();
    // A client certificate that the server refuses is told only after a TLS 1.3 handshake.
    let mut byte = [0];
    let patience = std::time::Duration::from_millis(300);
    if let Ok(Err(error)) = tokio::time::timeout(patience, stream.read(&mut byte)).await
        && error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<rustls::Error>)
    {
        return Err(error);
    }
    Ok((version.to_owned(), certificates))
}

fn describe(der: &CertificateDer<'_>) -> Option<Described> {
    let certificate = Certificate::from_der(der).ok()?;
    let fields = certificate.tbs_certificate();
    let ends = fields.validity().not_after.to_unix_duration().as_secs();
    Some(Described {
        subject: fields.subject().to_string(),
        issuer: fields.issuer().to_string(),
        ends: WallTime::from_unix(i64::try_from(ends).ok()?),
    })
}

/// Accepts no certificate, and keeps the one that it was shown.
#[derive(Debug, Default)]
struct Seen(Mutex<Option<CertificateDer<'static>>>);

impl ServerCertVerifier for Seen {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if let Ok(mut seen) = self.0.lock() {
            *seen = Some(end_entity.clone().into_owned());
        }
        Err(rustls::Error::General("seen".to_owned()))
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("seen".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("seen".to_owned()))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}
