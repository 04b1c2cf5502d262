//! Which path means which operation.

use serde::{Deserialize, Serialize};

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Endpoint {
    /// `GET …/licenses`
    List,
    /// `POST …/licenses`
    Create,
    /// `GET …/licenses/{serial}`
    View,
    /// `POST …/licenses/{serial}/renew`
    Renew,
    /// `DELETE …/licenses/{serial}`
    Delete,
    /// A relay path.
    Relay,
    /// Any other path or method.
    Unknown,
    /// In rules and counts: all of the above.
    Any,
}

impl Endpoint {
    /// Whether a request for `actual` is meant by this.
    #[must_use]
    pub fn covers(self, actual: Endpoint) -> bool {
        self == Self::Any || self == actual
    }
}

/// Which credentials a relay path asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelayPath {
    /// `/api/netifyd/license`: none.
    Open,
    /// `/enterprise/license`: Basic.
    Enterprise,
    /// `/community/license`: Basic.
    Community,
    /// `/bearer/license`: bearer token.
    Bearer,
}

impl RelayPath {
    /// The path.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::Open => "/api/netifyd/license",
            Self::Enterprise => "/enterprise/license",
            Self::Community => "/community/license",
            Self::Bearer => "/bearer/license",
        }
    }

    fn of(path: &str) -> Option<Self> {
        [Self::Open, Self::Enterprise, Self::Community, Self::Bearer].into_iter().find(|relay| relay.path() == path)
    }
}

/// Where a request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    /// One of the five endpoints; the serial, decoded, where the path has one.
    Api(Endpoint, String),
    Relay(RelayPath),
    Admin(String),
    /// A known path with a method that it does not have; the methods that it has.
    WrongMethod(&'static str),
    Nowhere,
}

impl Route {
    pub(crate) fn endpoint(&self) -> Endpoint {
        match self {
            Self::Api(endpoint, _) => *endpoint,
            Self::Relay(_) => Endpoint::Relay,
            _ => Endpoint::Unknown,
        }
    }

    /// Finds the route of a request; `renew_without_suffix` as in the options.
    pub(crate) fn find(method: &str, path: &str, base: &str, renew_without_suffix: bool) -> Self {
        if let Some(rest) = path.strip_prefix("/_emulator/") {
            return Self::Admin(rest.to_owned());
        }
        if let Some(relay) = RelayPath::of(path) {
            return if method == "GET" { Self::Relay(relay) } else { Self::WrongMethod("GET") };
        }
        let Some(rest) = path.strip_prefix(base).and_then(|rest| rest.strip_prefix("/licenses")) else {
            return Self::Nowhere;
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.is_empty() {
            return match method {
                "GET" => Self::Api(Endpoint::List, String::new()),
                "POST" => Self::Api(Endpoint::Create, String::new()),
                _ => Self::WrongMethod("GET, POST"),
            };
        }
        let Some(rest) = rest.strip_prefix('/') else {
            return Self::Nowhere;
        };
        let (serial, action) = rest.split_once('/').unwrap_or((rest, ""));
        let serial = percent_decode(serial, false);
        match (action, method) {
            ("", "GET") => Self::Api(Endpoint::View, serial),
            ("", "DELETE") => Self::Api(Endpoint::Delete, serial),
            ("", "POST") if renew_without_suffix => Self::Api(Endpoint::Renew, serial),
            ("", _) => Self::WrongMethod("GET, DELETE"),
            ("renew", "POST") => Self::Api(Endpoint::Renew, serial),
            ("renew", _) => Self::WrongMethod("POST"),
            _ => Self::Nowhere,
        }
    }
}

/// Decodes `%XX` (RFC 3986) and, in queries, `+`; what is not valid stays as it is.
pub(crate) fn percent_decode(text: &str, plus_is_blank: bool) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let pair = bytes.get(at + 1..at + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        match (byte, pair.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (b'%', Some(value)) => {
                out.push(value);
                at += 3;
                continue;
            }
            (b'+', _) if plus_is_blank => out.push(b' '),
            _ => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(method: &str, path: &str) -> Route {
        Route::find(method, path, "/api/v2/integrator", false)
    }

    #[test]
    fn the_five_endpoints() {
        let serial = || "2026-1-2".to_owned();
        let base = "/api/v2/integrator/licenses";
        assert_eq!(find("GET", base), Route::Api(Endpoint::List, String::new()));
        assert_eq!(find("POST", base), Route::Api(Endpoint::Create, String::new()));
        assert_eq!(find("GET", &format!("{base}/2026-1-2")), Route::Api(Endpoint::View, serial()));
        assert_eq!(find("POST", &format!("{base}/2026-1-2/renew")), Route::Api(Endpoint::Renew, serial()));
        assert_eq!(find("DELETE", &format!("{base}/2026%2D1-2")), Route::Api(Endpoint::Delete, serial()));
    }

    #[test]
    fn wrong_methods_and_paths() {
        let base = "/api/v2/integrator/licenses";
        assert_eq!(find("PUT", base), Route::WrongMethod("GET, POST"));
        assert_eq!(find("POST", &format!("{base}/x")), Route::WrongMethod("GET, DELETE"));
        assert_eq!(find("GET", &format!("{base}/x/renew")), Route::WrongMethod("POST"));
        for nowhere in ["/", "/api/v2/integrator/licensesx", "/api/v2/integrator/licenses/x/y", "/licenses"] {
            assert_eq!(find("GET", nowhere), Route::Nowhere, "{nowhere}");
        }
        let lenient = Route::find("POST", &format!("{base}/x"), "/api/v2/integrator", true);
        assert_eq!(lenient, Route::Api(Endpoint::Renew, "x".to_owned()));
    }

    #[test]
    fn broken_escapes_stay() {
        assert_eq!(percent_decode("a%2", false), "a%2");
        assert_eq!(percent_decode("%zz+%41", true), "%zz A");
        assert_eq!(percent_decode("%é", false), "%é");
    }
}
