//! The HTTP library set up for the hub: no redirects, TLS with the roots of the system or of `hub.ca-file`, the proxy.

use std::path::Path;
use std::sync::Arc;

use reqwest::{Client, redirect};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use super::places::Places;
use super::{no_answer, reason, secret};
use crate::core::config::Hub;

/// A client for one request; it is dropped with its certificates and secrets.
pub(super) fn client(hub: &Hub, places: &Places) -> Result<Client, String> {
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
        // The library applies `*` to names only, and a hub may be an address.
        None if encrypted && !no_proxy_at_all() => builder,
        _ => builder.no_proxy(),
    };
    let roots = if encrypted { roots(hub)? } else { RootCertStore::empty() };
    builder
        .tls_backend_preconfigured(tls(hub, places, roots, encrypted)?)
        .build()
        .map_err(|error| format!("the HTTP client cannot be set up: {}", no_answer::reasons(&error)))
}

fn no_proxy_at_all() -> bool {
    let list = std::env::var("NO_PROXY").or_else(|_| std::env::var("no_proxy")).unwrap_or_default();
    list.split(',').any(|entry| entry.trim() == "*")
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

fn certificates(path: &Path, key: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let content = std::fs::read(path).map_err(|error| format!("{key}: {}: {}", path.display(), reason(&error)))?;
    CertificateDer::pem_slice_iter(&content)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| format!("{key}: {}: broken PEM: {error}", path.display()))
}
