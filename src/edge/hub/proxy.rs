//! Which proxy is on the way to the hub: `hub.proxy`, else the environment's, as curl reads it.

use std::env::var;

use base64::Engine as _;
use hyper::header::HeaderValue;
use percent_encoding::percent_decode_str;
use url::Url;
use zeroize::Zeroizing;

use crate::core::config::{Hub, ProxyUrl};
use crate::core::hub::no_proxy;

/// Variables of the environment, the first one that is set counts.
const VARIABLES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

/// A proxy, and where it is set.
#[derive(Debug, Clone)]
pub(super) struct Proxy {
    pub(super) url: Url,
    pub(super) setting: &'static str,
}

impl Proxy {
    /// The proxy for this hub. An unencrypted request never leaves this machine, so no proxy gets to see it.
    pub(super) fn of(hub: &Hub) -> Result<Option<Self>, String> {
        if !hub.url.is_encrypted() || hub.url.socket().is_some() {
            return Ok(None);
        }
        if let Some(proxy) = &hub.proxy {
            return Ok(Some(Self { url: proxy.with_secret().clone(), setting: "hub.proxy" }));
        }
        let set = |name: &'static str| Some((name, var(name).ok().filter(|value| !value.trim().is_empty())?));
        let Some((setting, text)) = VARIABLES.into_iter().find_map(set) else { return Ok(None) };
        let exceptions = ["no_proxy", "NO_PROXY"].into_iter().find_map(|name| var(name).ok()).unwrap_or_default();
        let host = hub.url.as_url().host_str().unwrap_or_default();
        if no_proxy::covers(&exceptions, host) {
            return Ok(None);
        }
        let url = ProxyUrl::from_environment(text.trim())
            .map_err(|wanted| format!("{setting} in the environment {wanted}"))?;
        Ok(Some(Self { url: url.with_secret().clone(), setting }))
    }

    /// `Proxy-Authorization`, where the URL has a user name.
    pub(super) fn authorization(&self) -> Option<HeaderValue> {
        if self.url.username().is_empty() && self.url.password().is_none() {
            return None;
        }
        let decoded = |text: &str| Zeroizing::new(percent_decode_str(text).collect::<Vec<u8>>());
        let (user, password) = (decoded(self.url.username()), decoded(self.url.password().unwrap_or_default()));
        let pair = Zeroizing::new([&user[..], b":", &password[..]].concat());
        let text = Zeroizing::new(format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(&*pair)));
        let mut value = HeaderValue::from_str(&text).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// Host and port, for a message.
    pub(super) fn place(&self) -> String {
        let port = self.url.port_or_known_default().unwrap_or_default();
        format!("{}:{port}", self.url.host_str().unwrap_or_default())
    }
}
