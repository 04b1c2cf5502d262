//! The HTTP client: the five endpoints of the Licensing API and the relay's GET.
//!
//! No redirects (a redirect would carry the key to another host), no decompression, bounded bodies, one total timeout.

use std::error::Error as _;
use std::sync::Arc;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Method, Response, redirect};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use url::Url;

use super::places::Places;
use super::{reason, secret};
use crate::core::answer::{RawAnswer, TransportError};
use crate::core::config::{Config, Hub, HubKind};
use crate::core::engine::HubRequest;
use crate::core::json::MAX_BYTES;
use crate::core::license::Serial;
use crate::core::licensing::{Format, NewLicense, Renewal, Term};

/// Largest answer to a list, in bytes.
const MAX_LIST: usize = 1024 * 1024;
/// What the envelope may add to a license.
const ENVELOPE: usize = 1_024;

/// One request, ready to be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    method: Method,
    path: Vec<String>,
    format: Option<Format>,
    body: Option<Value>,
    limit: usize,
}

impl Call {
    fn new(method: Method, path: &[&str]) -> Self {
        let path = path.iter().map(|&segment| segment.to_owned()).collect();
        Self { method, path, format: None, body: None, limit: MAX_BYTES + ENVELOPE }
    }

    /// `GET /licenses`.
    #[must_use]
    pub fn list(format: Format) -> Self {
        Self { format: Some(format), limit: MAX_LIST, ..Self::new(Method::GET, &["licenses"]) }
    }

    /// `GET /licenses/{serial}`.
    #[must_use]
    pub fn view(serial: &Serial, format: Format) -> Self {
        Self { format: Some(format), ..Self::new(Method::GET, &["licenses", serial.as_str()]) }
    }

    /// `POST /licenses/{serial}/renew`.
    #[must_use]
    pub fn renew(serial: &Serial, renewal: &Renewal) -> Self {
        Self { body: Some(renewal.body()), ..Self::new(Method::POST, &["licenses", serial.as_str(), "renew"]) }
    }

    /// `POST /licenses`.
    #[must_use]
    pub fn create(license: &NewLicense) -> Self {
        Self { body: Some(license.body()), ..Self::new(Method::POST, &["licenses"]) }
    }

    /// `DELETE /licenses/{serial}`.
    #[must_use]
    pub fn delete(serial: &Serial) -> Self {
        Self::new(Method::DELETE, &["licenses", serial.as_str()])
    }

    /// `GET` of the relay's URL.
    #[must_use]
    pub fn relay() -> Self {
        Self { limit: MAX_BYTES, ..Self::new(Method::GET, &[]) }
    }

    /// What the daemon asks for.
    #[must_use]
    pub fn of(request: &HubRequest, config: &Config) -> Self {
        match request {
            HubRequest::List => Self::list(Format::Netifyd),
            HubRequest::View(serial) => Self::view(serial, Format::Netifyd),
            HubRequest::Renew { serial, term_days } => {
                Self::renew(serial, &Renewal { term: term_days.map(Term::Days), format: Format::Netifyd })
            }
            HubRequest::Create { duid } => Self::create(&NewLicense::for_device(&config.provision, duid)),
            HubRequest::Delete(serial) => Self::delete(serial),
            HubRequest::Relay => Self::relay(),
        }
    }
}

/// Sends one request. The client, its certificates and its secrets are made for it and dropped with it: a rotated key
/// needs no restart, and an idle daemon holds none of it.
pub async fn send(config: &Config, places: &Places, call: Call) -> Result<RawAnswer, TransportError> {
    let local = |message: String| TransportError { message, local: true };
    let headers = credentials(config, places).map_err(local)?;
    let client = client(&config.hub, places).map_err(local)?;
    let url = address(&config.hub, &call).map_err(local)?;
    let shown = shown(&url);
    let mut request = client.request(call.method.clone(), url).headers(headers);
    if let Some(body) = &call.body {
        request = request.header("content-type", "application/json").body(body.to_string());
    }
    let failed =
        |error: &reqwest::Error| TransportError { message: describe(error, &shown, &config.hub), local: false };
    let mut response = request.send().await.map_err(|error| failed(&error))?;
    let mut answer = head(&response, shown.clone());
    while let Some(chunk) = response.chunk().await.map_err(|error| failed(&error))? {
        if answer.body.len() + chunk.len() > call.limit {
            let message = format!("{shown}: the answer is larger than {} bytes, so it is no license", call.limit);
            return Err(TransportError { message, local: false });
        }
        answer.body.extend_from_slice(&chunk);
    }
    Ok(answer)
}

fn head(response: &Response, url: String) -> RawAnswer {
    let text = |name: reqwest::header::HeaderName| {
        response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
    };
    RawAnswer {
        url,
        status: response.status().as_u16(),
        retry_after: text(RETRY_AFTER),
        date: text(reqwest::header::DATE),
        content_type: text(reqwest::header::CONTENT_TYPE),
        content_encoding: text(reqwest::header::CONTENT_ENCODING),
        location_host: text(reqwest::header::LOCATION)
            .and_then(|location| response.url().join(&location).ok())
            .and_then(|url| url.host_str().map(str::to_owned)),
        body: Vec::new(),
    }
}

fn address(hub: &Hub, call: &Call) -> Result<Url, String> {
    let mut url = hub.url.as_url().clone();
    if !call.path.is_empty() {
        let mut segments =
            url.path_segments_mut().map_err(|()| format!("hub.url {} cannot have a path", hub.url.text()))?;
        segments.pop_if_empty().extend(&call.path);
    }
    if let Some(format) = call.format {
        url.query_pairs_mut().append_pair("format", format.word());
    }
    Ok(url)
}

/// The URL for messages: scheme, host and path.
fn shown(url: &Url) -> String {
    let mut plain = url.clone();
    plain.set_query(None);
    plain.set_fragment(None);
    plain.into()
}

fn credentials(config: &Config, places: &Places) -> Result<HeaderMap, String> {
    use base64::Engine as _;
    let mut headers = HeaderMap::new();
    let hub = &config.hub;
    let sensitive = |bytes: &[u8], what: &str| {
        let mut value =
            HeaderValue::from_bytes(bytes).map_err(|_| format!("{what} cannot be sent in an HTTP header"))?;
        value.set_sensitive(true);
        Ok::<_, String>(value)
    };
    if hub.kind == HubKind::Api {
        let key = secret::api_key(places, hub.api_key_file.as_ref())?;
        headers.insert("x-api-key", sensitive(key.expose(), "the API key")?);
    }
    if let (Some(user), Some(file)) = (&hub.username, &hub.password_file) {
        let password = secret::from_file(places, file)?;
        let pair = zeroize::Zeroizing::new([user.as_bytes(), b":", password.expose()].concat());
        let text =
            zeroize::Zeroizing::new(format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(&*pair)));
        headers.insert(AUTHORIZATION, sensitive(text.as_bytes(), "the password")?);
    } else if let Some(file) = &hub.bearer_token_file {
        let token = secret::from_file(places, file)?;
        let text = zeroize::Zeroizing::new([b"Bearer ".as_slice(), token.expose()].concat());
        headers.insert(AUTHORIZATION, sensitive(&text, "the token")?);
    }
    Ok(headers)
}

fn client(hub: &Hub, places: &Places) -> Result<Client, String> {
    let encrypted = hub.url.as_url().scheme() == "https";
    let mut builder = Client::builder()
        .user_agent(concat!("netify-licensed/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .connect_timeout(hub.connect_timeout.duration())
        .timeout(hub.timeout.duration())
        .pool_max_idle_per_host(0)
        .http1_only();
    // An unencrypted request never leaves this machine, so no proxy gets to see it.
    builder = match &hub.proxy {
        Some(proxy) if encrypted => {
            let proxy =
                reqwest::Proxy::all(proxy.with_secret().clone()).map_err(|_| "hub.proxy cannot be used".to_owned())?;
            builder.no_proxy().proxy(proxy)
        }
        None if encrypted => builder,
        _ => builder.no_proxy(),
    };
    let roots = if encrypted { roots(hub)? } else { RootCertStore::empty() };
    builder
        .tls_backend_preconfigured(tls(hub, places, roots, encrypted)?)
        .build()
        .map_err(|error| format!("the HTTP client cannot be set up: {}", chain(&error)))
}

fn tls(hub: &Hub, places: &Places, roots: RootCertStore, encrypted: bool) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
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

fn roots(hub: &Hub) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    let (certificates, origin) = match &hub.ca_file {
        Some(file) => {
            (certificates(file.as_path(), "hub.ca-file")?, format!("hub.ca-file: {}", file.as_path().display()))
        }
        None => (rustls_native_certs::load_native_certs().certs, "the system's certificate store".to_owned()),
    };
    let (good, _) = store.add_parsable_certificates(certificates);
    if good == 0 {
        return Err(format!("{origin} holds no certificate; install ca-certificates or set hub.ca-file"));
    }
    Ok(store)
}

fn certificates(path: &std::path::Path, key: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let content = std::fs::read(path).map_err(|error| format!("{key}: {}: {}", path.display(), reason(&error)))?;
    CertificateDer::pem_slice_iter(&content)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| format!("{key}: {}: broken PEM: {error}", path.display()))
}

/// One sentence: what failed, at which URL, what to do.
fn describe(error: &reqwest::Error, shown: &str, hub: &Hub) -> String {
    let chain = chain(error);
    let lower = chain.to_ascii_lowercase();
    let (what, remedy) = if lower.contains("certificate") {
        let remedy = if lower.contains("notvalidyet") || lower.contains("not valid yet") || lower.contains("expired") {
            "check this machine's clock and the server's certificate"
        } else if lower.contains("notvalidforname") || lower.contains("not valid for name") {
            "check the host name in hub.url"
        } else if lower.contains("certificaterequired") || lower.contains("certificate required") {
            "set hub.client-cert and hub.client-key"
        } else {
            "check the server's certificate, or set hub.ca-file to the authority that signed it"
        };
        ("the TLS certificate does not hold", remedy)
    } else if error.is_timeout() && error.is_connect() {
        ("no connection within hub.connect-timeout", "check the network, a firewall, or hub.proxy")
    } else if error.is_timeout() {
        ("no complete answer within hub.timeout", "the server or the line is slow")
    } else if lower.contains("dns") || lower.contains("lookup address") || lower.contains("name resolution") {
        ("the host name cannot be resolved", "check the name in hub.url and the name servers")
    } else if hub.proxy.is_some() && (lower.contains("tunnel") || lower.contains("proxy")) {
        ("the proxy does not let us through", "check hub.proxy")
    } else if error.is_connect() {
        ("no connection", "check the network, and whether the server is up")
    } else {
        ("the connection broke", "it is tried again")
    };
    format!("{shown}: {what} ({chain}); {remedy}")
}

/// The innermost reasons of an error, without URLs.
fn chain(error: &reqwest::Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut source = error.source();
    while let Some(inner) = source {
        let text = inner.to_string();
        if !parts.contains(&text) {
            parts.push(text);
        }
        source = inner.source();
    }
    let text = match parts.len() {
        0 => "no reason given".to_owned(),
        1 | 2 => parts.join(": "),
        n => parts[n - 2..].join(": "),
    };
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect()
}
