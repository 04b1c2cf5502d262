//! What proves who we are, and what must not come back from it: some servers quote what they were sent.

use base64::Engine as _;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use zeroize::Zeroizing;

use crate::core::config::{Config, HubKind};
use crate::core::hub::redaction::Redaction;
use crate::edge::dirs::Places;
use crate::edge::secret;

/// The secrets of an attempt.
pub(super) struct Credentials {
    pub(super) headers: HeaderMap,
    pub(super) redaction: Redaction,
    /// What a person has to look at where the other side refuses.
    pub(super) named: String,
}

impl Credentials {
    /// Read anew for each attempt, so that a rotated one needs no restart.
    pub(super) fn read(config: &Config, places: &Places) -> Result<Self, String> {
        let (mut headers, mut redaction, mut named) = (HeaderMap::new(), Redaction::default(), Vec::new());
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
        if hub.kind == HubKind::Api
            && let Some(key) = secret::api_key(places, hub)?
        {
            add(HeaderName::from_static("x-api-key"), b"", key.secret.expose(), "the API key")?;
            named.push(format!("the API key in {}", key.path.display()));
        }
        if let (Some(user), Some(file)) = (&hub.username, &hub.password_file) {
            let password = secret::password(places, file)?;
            let pair = Zeroizing::new([user.as_bytes(), b":", password.expose()].concat());
            let text = Zeroizing::new(base64::engine::general_purpose::STANDARD.encode(&*pair));
            add(AUTHORIZATION, b"Basic ", text.as_bytes(), "the password")?;
            redaction.hide(password.expose());
            named.push(format!("hub.username and the password in {}", file.as_path().display()));
        } else if let Some(file) = &hub.bearer_token_file {
            let token = secret::token(places, file)?;
            add(AUTHORIZATION, b"Bearer ", token.expose(), "the token")?;
            named.push(format!("the token in {}", file.as_path().display()));
        }
        if let Some(certificate) = hub.client_cert.as_ref().filter(|_| hub.url.is_encrypted()) {
            named.push(format!("the client certificate {}", certificate.as_path().display()));
        }
        if let Some(query) = hub.url.as_url().query() {
            redaction.hide(query.as_bytes());
            hub.url.as_url().query_pairs().for_each(|(_, value)| redaction.hide(value.as_bytes()));
            named.push("the query of hub.url".to_owned());
        }
        Ok(Self { headers, redaction, named: named.join(", and ") })
    }
}
