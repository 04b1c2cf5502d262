//! Why no answer came, in one sentence: what failed, at which URL, what to do. TLS failures are told by their type.

use std::error::Error;

use rustls::{AlertDescription, CertificateError};

use crate::core::config::Hub;
use crate::core::text::one_line;

/// What failed, and what to do about it.
pub(super) type Explained = (&'static str, String);

/// The sentence about a request that got no answer. `url` is shown as it is.
pub(in crate::edge) fn sentence(error: &reqwest::Error, url: &str, hub: &Hub) -> String {
    let ((what, remedy), detail) = if let Some(tls) = tls_error(error) {
        (of_tls(tls, hub), one_line(&tls.to_string()))
    } else {
        let reasons = reasons(error);
        (of_network(error, &reasons, hub), reasons)
    };
    format!("{url}: {what} ({detail}); {remedy}")
}

/// The innermost reasons of an error, without URLs and the numbers of the operating system.
pub(in crate::edge) fn reasons(error: &reqwest::Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut source = error.source();
    while let Some(inner) = source {
        let text = without_number(&inner.to_string());
        // The library's own layers say where, not why.
        if !text.starts_with("client error (") && !parts.contains(&text) {
            parts.push(text);
        }
        source = inner.source();
    }
    let from = parts.len().saturating_sub(2);
    if parts.is_empty() { "no reason given".to_owned() } else { one_line(&parts[from..].join(": ")) }
}

fn without_number(text: &str) -> String {
    match text.split_once(" (os error ").and_then(|(before, after)| Some((before, after.split_once(')')?.1))) {
        Some((before, after)) => format!("{before}{after}"),
        None => text.to_owned(),
    }
}

/// The TLS library's error, wherever in the chain it is wrapped; an I/O error hides what it wraps from `source()`.
fn tls_error(error: &reqwest::Error) -> Option<&rustls::Error> {
    fn inside<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
        let wrapped = || inside(error.downcast_ref::<std::io::Error>()?.get_ref()?);
        error.downcast_ref().or_else(wrapped)
    }
    let mut source = error.source();
    while let Some(inner) = source {
        if let Some(found) = inside(inner) {
            return Some(found);
        }
        source = inner.source();
    }
    None
}

pub(super) fn of_tls(error: &rustls::Error, hub: &Hub) -> Explained {
    use CertificateError as Bad;
    let (what, remedy) = match error {
        rustls::Error::InvalidCertificate(bad) => match bad {
            Bad::Expired | Bad::ExpiredContext { .. } => {
                ("the server's TLS certificate has expired", "check this machine's clock and the server's certificate")
            }
            Bad::NotValidYet | Bad::NotValidYetContext { .. } => (
                "the server's TLS certificate is not valid yet",
                "check this machine's clock and the server's certificate",
            ),
            Bad::NotValidForName | Bad::NotValidForNameContext { .. } => {
                ("the server's TLS certificate is for another name", "check the host name in hub.url")
            }
            Bad::UnknownIssuer | Bad::BadSignature => (
                "the server's TLS certificate is not signed by an authority that is trusted here",
                "check the server, or set hub.ca-file to the authority that signed it",
            ),
            _ => ("the server's TLS certificate does not hold", "check the server's certificate"),
        },
        rustls::Error::AlertReceived(AlertDescription::CertificateRequired) => {
            ("the server asks for a client certificate", "set hub.client-cert and hub.client-key")
        }
        rustls::Error::AlertReceived(_) if hub.client_cert.is_some() => (
            "the server broke TLS off",
            "check hub.client-cert: the server may not trust the authority that signed it, or it has expired",
        ),
        rustls::Error::InvalidMessage(_) => ("the server does not speak TLS", "check scheme and port in hub.url"),
        _ => ("TLS with the server failed", "it needs TLS 1.2 or 1.3 there; check the server and hub.url"),
    };
    (what, remedy.to_owned())
}

fn of_network(error: &reqwest::Error, reasons: &str, hub: &Hub) -> Explained {
    let lower = reasons.to_ascii_lowercase();
    let proxy = proxy(hub);
    let setting = proxy.unwrap_or("hub.proxy");
    let (what, remedy) = if lower.contains("proxy authorization required") {
        ("the proxy asks for a user name and a password", format!("check them in {setting}"))
    } else if lower.contains("tunnel error") {
        ("the proxy does not let us through", format!("check {setting}, and what the proxy allows"))
    } else if error.is_timeout() && error.is_connect() {
        ("no connection within hub.connect-timeout", "check the network, a firewall, or hub.proxy".to_owned())
    } else if error.is_timeout() {
        ("no complete answer within hub.timeout", "the server or the line is slow".to_owned())
    } else if ["dns", "lookup address", "name resolution"].iter().any(|word| lower.contains(word)) {
        ("the host name cannot be resolved", "check the name in hub.url and the name servers".to_owned())
    } else if error.is_connect() {
        let remedy = match proxy {
            Some(proxy) => format!("check the network and {proxy}"),
            None => "check the network, and whether the server is up".to_owned(),
        };
        ("no connection", remedy)
    } else {
        ("the connection broke", "check the server and what lies between, or try again".to_owned())
    };
    (what, remedy)
}

/// Where the proxy that may be in the way is set.
fn proxy(hub: &Hub) -> Option<&'static str> {
    if hub.url.as_url().scheme() != "https" {
        return None;
    }
    if hub.proxy.is_some() {
        return Some("hub.proxy");
    }
    let set = |name: &&'static str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"].into_iter().find(set)
}
