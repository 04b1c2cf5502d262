//! The HTTP library set up for the hub: no redirects, the proxy.

use reqwest::{Client, redirect};

use crate::core::config::Hub;
use crate::edge::dirs::Places;
use crate::edge::hub::{error, tls};

/// A client for one request; it is dropped with its certificates and secrets.
pub(in crate::edge) fn client(hub: &Hub, places: &Places) -> Result<Client, String> {
    let encrypted = hub.url.as_url().scheme() == "https";
    let mut builder = Client::builder()
        .user_agent(concat!("netify-licensed/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .connect_timeout(hub.connect_timeout.duration())
        .timeout(hub.timeout.duration())
        .pool_max_idle_per_host(0)
        // A user agent unfolds what an old server or a proxy folds (RFC 9112, section 5.2).
        .http1_allow_obsolete_multiline_headers_in_responses(true)
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
    builder
        .tls_backend_preconfigured(tls::config(hub, places, encrypted)?)
        .build()
        .map_err(|error| format!("the HTTP client cannot be set up: {}", error::reasons(&error)))
}

fn no_proxy_at_all() -> bool {
    let list = std::env::var("NO_PROXY").or_else(|_| std::env::var("no_proxy")).unwrap_or_default();
    list.split(',').any(|entry| entry.trim() == "*")
}
