//! The HTTP client: the five endpoints of the Licensing API and the relay's GET.
//!
//! No redirects (a redirect would carry the key to another host), no decompression, bounded bodies, one total timeout.

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Method, Response};
use serde_json::Value;
use url::Url;
use zeroize::Zeroizing;

use crate::core::config::{Config, Hub, HubKind};
use crate::core::engine::HubRequest;
use crate::core::hub::redaction::Redaction;
use crate::core::hub::request::{Format, NewLicense, Renewal, Term};
use crate::core::hub::response::{RawAnswer, TransportError};
use crate::core::license::document::Serial;
use crate::core::license::json::MAX_BYTES;
use crate::edge::dirs::Places;
use crate::edge::hub::{error, http};
use crate::edge::secret;

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
    let (headers, redaction) = credentials(config, places).map_err(local)?;
    let client = http::client(&config.hub, places).map_err(local)?;
    let url = address(&config.hub, &call).map_err(local)?;
    let shown = shown(&url);
    let mut request = client.request(call.method.clone(), url).headers(headers);
    if let Some(body) = &call.body {
        request = request.header("content-type", "application/json").body(body.to_string());
    }
    let failed =
        |error: &reqwest::Error| TransportError { message: error::sentence(error, &shown, &config.hub), local: false };
    let mut response = request.send().await.map_err(|error| failed(&error))?;
    let mut answer = RawAnswer { redaction, ..head(&response, shown.clone()) };
    // An error says all that matters in its head: whatever its body is like, its status and its Retry-After count.
    let is_error = !response.status().is_success();
    let too_large = || {
        let remedy =
            if call.limit == MAX_LIST { "set license.serial, so that no list is needed" } else { "check hub.url" };
        let what = if call.limit == MAX_LIST { "too long a list" } else { "no license" };
        let message = format!("{shown}: the answer is larger than {} bytes, which is {what}; {remedy}", call.limit);
        TransportError { message, local: false }
    };
    // One that announces its size need not be read to be refused.
    if !is_error && response.content_length().is_some_and(|length| length > call.limit as u64) {
        return Err(too_large());
    }
    loop {
        match response.chunk().await {
            Ok(None) => return Ok(answer),
            Ok(Some(chunk)) if answer.body.len() + chunk.len() <= call.limit => answer.body.extend_from_slice(&chunk),
            Ok(Some(_)) | Err(_) if is_error => return Ok(answer),
            Ok(Some(_)) => return Err(too_large()),
            Err(error) => return Err(failed(&error)),
        }
    }
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
        redaction: Redaction::default(),
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

/// Headers that prove who we are, and what must not come back from them: some servers quote what they were sent.
fn credentials(config: &Config, places: &Places) -> Result<(HeaderMap, Redaction), String> {
    use base64::Engine as _;
    let (mut headers, mut redaction) = (HeaderMap::new(), Redaction::default());
    let hub = &config.hub;
    let mut add = |name: HeaderName, before: &[u8], secret: &[u8], what: &str| {
        let whole = Zeroizing::new([before, secret].concat());
        let mut value =
            HeaderValue::from_bytes(&whole).map_err(|_| format!("{what} cannot be sent in an HTTP header"))?;
        value.set_sensitive(true);
        headers.insert(name, value);
        redaction.hide(secret);
        Ok::<_, String>(())
    };
    if hub.kind == HubKind::Api {
        let key = secret::api_key(places, hub.api_key_file.as_ref())?;
        add(HeaderName::from_static("x-api-key"), b"", key.expose(), "the API key")?;
    }
    if let (Some(user), Some(file)) = (&hub.username, &hub.password_file) {
        let password = secret::password(places, file)?;
        let pair = Zeroizing::new([user.as_bytes(), b":", password.expose()].concat());
        let text = Zeroizing::new(base64::engine::general_purpose::STANDARD.encode(&*pair));
        add(AUTHORIZATION, b"Basic ", text.as_bytes(), "the password")?;
        redaction.hide(password.expose());
    } else if let Some(file) = &hub.bearer_token_file {
        let token = secret::token(places, file)?;
        add(AUTHORIZATION, b"Bearer ", token.expose(), "the token")?;
    }
    Ok((headers, redaction))
}
