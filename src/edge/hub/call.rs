//! The requests: five endpoints of the Licensing API, and the relay's GET.

use hyper::Method;
use serde_json::Value;
use url::Url;

use crate::core::config::{Config, Hub};
use crate::core::engine::HubRequest;
use crate::core::hub::request::{Format, NewLicense, Renewal, Term};
use crate::core::license::document::Serial;
use crate::core::license::json::MAX_BYTES;

/// What the envelope may add to a license.
pub(super) const ENVELOPE: usize = 1_024;

/// One request, ready to be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    pub(super) method: Method,
    path: Vec<String>,
    format: Option<Format>,
    pub(super) body: Option<Value>,
    pub(super) is_list: bool,
    /// Longest answer in bytes; a list has none, it is read entry by entry.
    pub(super) limit: usize,
}

impl Call {
    fn new(method: Method, path: &[&str]) -> Self {
        let path = path.iter().map(|&segment| segment.to_owned()).collect();
        Self { method, path, format: None, body: None, is_list: false, limit: MAX_BYTES + ENVELOPE }
    }

    /// `GET /licenses`.
    #[must_use]
    pub fn list(format: Format) -> Self {
        Self { format: Some(format), is_list: true, ..Self::new(Method::GET, &["licenses"]) }
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
        Self::new(Method::GET, &[])
    }

    /// Whether its answer is a list, of any length.
    #[must_use]
    pub const fn is_list(&self) -> bool {
        self.is_list
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

    /// Where it goes.
    pub(super) fn url(&self, hub: &Hub) -> Result<Url, String> {
        let mut url = hub.url.as_url().clone();
        if !self.path.is_empty() {
            let mut segments =
                url.path_segments_mut().map_err(|()| format!("hub.url {} cannot have a path", hub.url.text()))?;
            segments.pop_if_empty().extend(&self.path);
        }
        if let Some(format) = self.format {
            url.query_pairs_mut().append_pair("format", format.word());
        }
        Ok(url)
    }
}
