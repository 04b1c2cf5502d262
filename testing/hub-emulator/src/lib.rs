//! An emulator of the vendor's Licensing API, for tests and for people without an API key.
//!
//! It follows the vendor's page, not this project's client: five endpoints, two license formats, the envelope, every
//! documented status. What breaks in the field can be ordered per request: see [`Fault`]. It also serves the paths of
//! a license relay ([`RelayPath`]), speaks TLS on request ([`TlsOptions`]), and signs with a key of its own.
//!
//! ```
//! use std::time::Duration;
//! use hub_emulator::{Defect, Endpoint, Fault, HubEmulator, LicenseSpec, Options};
//!
//! let hub = HubEmulator::start(Options::new().lifetime(Duration::from_secs(10)));
//! hub.add_license(LicenseSpec::new("2026-3638-61034042").duid("my-device").expires_in(Duration::from_secs(1800)));
//! // The first renewal gets a 503, the second a license for somebody else, the third is fine.
//! hub.fault(Endpoint::Renew, Fault::status(503).retry_after(1));
//! hub.fault(Endpoint::Renew, Fault::license(Defect::OtherDevice));
//!
//! // Point the client at hub.url() with the key hub.api_key(), and trust hub.public_key_pem(); then
//! // hub.wait_for(Endpoint::Renew, 3, Duration::from_secs(30)) blocks until it has asked three times.
//! assert!(hub.url().starts_with("http://127.0.0.1:"));
//! assert_eq!(hub.count(Endpoint::Any), 0);
//! ```
//!
//! Licenses can be built without any server:
//!
//! ```
//! use hub_emulator::{BodyStyle, Format, LicenseSpec, SigningKey};
//!
//! let key = SigningKey::from_seed(1);
//! let expired = LicenseSpec::new("2026-0001-00000001").expired_ago(std::time::Duration::from_secs(60));
//! let file = expired.to_json(&key, Format::Netifyd, BodyStyle::Pretty);
//! assert!(file.contains("\"not_valid_after\""));
//! ```

mod admin;
mod apply;
mod body;
pub mod clock;
mod connection;
mod emulator;
mod endpoint;
mod fault;
mod gzip;
mod hub;
pub mod json;
pub mod license;
mod log;
mod options;
mod outcome;
mod relay;
mod request;
mod rule;
mod send;
mod server;
mod shared;
pub mod signer;
mod sync;
pub mod tls;

pub use emulator::{HubEmulator, StartError};
pub use endpoint::{Endpoint, RelayPath};
pub use fault::{BodyFault, Delivery, Fault, FaultAnswer, Framing, RawBytes, StatusFault};
pub use json::{BodyStyle, Document};
pub use license::{Defect, Format, LicenseSpec};
pub use log::LoggedRequest;
pub use options::{ApiKey, EnvelopeStyle, FieldsStyle, Options, RateLimit, RelayOptions, RetryAfterStyle};
pub use request::Request;
pub use rule::FaultRule;
pub use signer::SigningKey;
pub use tls::{CertificateName, TlsMaterial, TlsOptions, Validity};
