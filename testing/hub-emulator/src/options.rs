//! How an emulator is set up.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::json::BodyStyle;
use crate::license::ENTITLEMENTS;
use crate::tls::TlsOptions;

/// An API key and what it may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// The value of `x-api-key`.
    pub secret: String,
    /// Entitlements that it may give out.
    pub entitlements: Vec<String>,
    /// The longest term, in days: 7 to 366 with the vendor.
    pub max_term_days: u32,
    /// Whether it may send `renewable`.
    pub may_set_renewable: bool,
    /// Whether it may send `transferable`.
    pub may_set_transferable: bool,
    /// `renewable` of licenses created without saying so.
    pub renewable_by_default: bool,
}

impl ApiKey {
    /// A key for all documented entitlements, at most seven days, with every right.
    #[must_use]
    pub fn new(secret: impl Into<String>) -> Self {
        Self {
            secret: secret.into(),
            entitlements: ENTITLEMENTS.iter().map(|&name| name.to_owned()).collect(),
            max_term_days: 7,
            may_set_renewable: true,
            may_set_transferable: true,
            renewable_by_default: true,
        }
    }

    /// Allows these entitlements only.
    #[must_use]
    pub fn only<I: IntoIterator<Item: Into<String>>>(mut self, entitlements: I) -> Self {
        self.entitlements = entitlements.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the longest term.
    #[must_use]
    pub fn max_term_days(mut self, days: u32) -> Self {
        self.max_term_days = days;
        self
    }

    /// Takes the rights to send `renewable` and `transferable` away.
    #[must_use]
    pub fn without_flag_rights(mut self) -> Self {
        self.may_set_renewable = false;
        self.may_set_transferable = false;
        self
    }
}

/// How `Retry-After` is written (RFC 9110, section 10.2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RetryAfterStyle {
    /// A number of seconds.
    #[default]
    Seconds,
    /// An HTTP date by the emulator's clock.
    HttpDate,
}

/// How the members around `data` are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EnvelopeStyle {
    /// `"status_code": 403`; 0 for success.
    #[default]
    Integer,
    /// `"status_code": "403.000"`; `"0"` for success.
    Text,
    /// `resp_code` and `resp_message` of the older generation.
    OldNames,
    /// No body at all.
    None,
}

/// The shape of `status_fields`, which the vendor calls "an array of validation errors" and no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FieldsStyle {
    /// `[{"field": "issued_to", "message": "…"}]`
    #[default]
    Objects,
    /// `["issued_to: …"]`
    Texts,
    /// `{"issued_to": ["…"]}`
    Map,
}

/// At most `requests` API requests within any `window`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// How many.
    pub requests: u32,
    /// Within how long.
    pub window: Duration,
}

/// What the relay paths ask for and give out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayOptions {
    /// The license that is given out; `None` is the first one.
    pub serial: Option<String>,
    /// User of `/enterprise/license` and `/community/license`.
    pub username: String,
    /// Password of the same.
    pub password: String,
    /// Token of `/bearer/license`.
    pub token: String,
    /// Renew the license when a request finds less than this left, as relays do; `None`: never.
    pub renew_before: Option<Duration>,
}

impl Default for RelayOptions {
    fn default() -> Self {
        Self {
            serial: None,
            username: "system".to_owned(),
            password: "relay-secret".to_owned(),
            token: "relay-token".to_owned(),
            renew_before: None,
        }
    }
}

/// How an emulator is set up. Everything has a default that suits most tests.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches, each named at its use")]
pub struct Options {
    /// Loopback address; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Path before `/licenses`.
    pub base_path: String,
    /// The keys; empty means one key, `emulator-key`.
    pub api_keys: Vec<ApiKey>,
    /// Term of created and renewed licenses when the request names none; `None`: the key's longest, to midnight.
    pub lifetime: Option<Duration>,
    /// A renewed license keeps its first `created_at` instead of getting a new one.
    pub keep_created_at: bool,
    /// Seconds added to the system clock, in `Date`, in issue dates and in expiry dates.
    pub clock_offset: i64,
    /// Rate limit of the API.
    pub rate_limit: Option<RateLimit>,
    /// How `Retry-After` is written.
    pub retry_after: RetryAfterStyle,
    /// White space and escapes of bodies.
    pub body_style: BodyStyle,
    /// Member names of the envelope.
    pub envelope: EnvelopeStyle,
    /// Shape of validation errors.
    pub fields_style: FieldsStyle,
    /// Creating a second license for a DUID is a conflict (409).
    pub one_license_per_duid: bool,
    /// `POST …/licenses/{serial}` renews too, as the vendor's curl examples have it.
    pub renew_without_suffix: bool,
    /// The relay paths.
    pub relay: RelayOptions,
    /// TLS; `None` is plain HTTP.
    pub tls: Option<TlsOptions>,
    /// Seed of serials; `None` draws one.
    pub seed: Option<u64>,
    /// Seed of the signing key; `None` makes a new key.
    pub key_seed: Option<u64>,
    /// Whether `/_emulator/` is served.
    pub admin: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            base_path: "/api/v2/integrator".to_owned(),
            api_keys: Vec::new(),
            lifetime: None,
            keep_created_at: false,
            clock_offset: 0,
            rate_limit: None,
            retry_after: RetryAfterStyle::default(),
            body_style: BodyStyle::default(),
            envelope: EnvelopeStyle::default(),
            fields_style: FieldsStyle::default(),
            one_license_per_duid: false,
            renew_without_suffix: false,
            relay: RelayOptions::default(),
            tls: None,
            seed: None,
            key_seed: None,
            admin: true,
        }
    }
}

impl Options {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an API key.
    #[must_use]
    pub fn api_key(mut self, key: ApiKey) -> Self {
        self.api_keys.push(key);
        self
    }

    /// Short lives: see [`Options::lifetime`].
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = Some(lifetime);
        self
    }

    /// Sets a rate limit.
    #[must_use]
    pub fn rate_limit(mut self, requests: u32, window: Duration) -> Self {
        self.rate_limit = Some(RateLimit { requests, window });
        self
    }

    /// Sets the body style.
    #[must_use]
    pub fn body_style(mut self, style: BodyStyle) -> Self {
        self.body_style = style;
        self
    }

    /// Skews the clock.
    #[must_use]
    pub fn clock_offset(mut self, seconds: i64) -> Self {
        self.clock_offset = seconds;
        self
    }

    /// Turns TLS on.
    #[must_use]
    pub fn tls(mut self, tls: TlsOptions) -> Self {
        self.tls = Some(tls);
        self
    }

    /// The same serials and the same signing key in every run.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self.key_seed = Some(seed);
        self
    }
}
