//! The sentence about a request that got no answer: what failed, whose part it is, what to do. Never a library's word.

use std::io::ErrorKind;

use rustls::{AlertDescription, CertificateError, Error, PeerIncompatible};

use crate::core::config::Hub;
use crate::core::text::one_line;
use crate::core::time::WallTime;
use crate::edge::hub::error::{ConnectError, Failure, HttpError, Leg, NameError, TlsError};
use crate::edge::hub::tls::UnusableKey;
use crate::edge::reason;

/// What this program can do, for servers that can not.
const ABLE: &str = "TLS 1.2 or 1.3 with AES-GCM or ChaCha20-Poly1305, X25519, P-256 or P-384, and a certificate for a key of RSA from 2048 bits on, ECDSA with P-256 or P-384, or Ed25519";

/// `url` is shown as it is. `broken` is what could not be read of hub.ca-file.
pub(super) fn sentence(failure: &Failure, url: &str, hub: &Hub, broken: &[String]) -> String {
    let (what, remedy) = match failure {
        Failure::Name { leg, host, reason } => name(leg, host, reason),
        Failure::Connect { leg, reason } => connect(leg, reason, hub),
        Failure::Tls { leg, reason } => tls(leg, reason, hub, broken),
        Failure::Refused { setting, status: 407, .. } => (
            "the proxy asks for a user name and a password, or does not take those it got (HTTP 407)".to_owned(),
            format!("check them in {setting}"),
        ),
        Failure::Refused { setting, status, reason } => {
            let reason = if reason.is_empty() { String::new() } else { format!(" {}", one_line(reason)) };
            (
                format!("the proxy does not let us through (HTTP {status}{reason})"),
                format!("check {setting}, and whether the proxy allows this host and port"),
            )
        }
        Failure::ProxyBroken { setting } => (
            "the proxy closed the connection, or does not speak HTTP".to_owned(),
            format!(
                "check scheme and port in {setting}: http:// is right for most proxies, https:// for those with a certificate"
            ),
        ),
        Failure::Http(reason) => http(reason, hub, broken),
    };
    format!("{url}: {what}; {remedy}")
}

fn who(leg: &Leg) -> &'static str {
    match leg {
        Leg::Hub => "the server",
        Leg::Proxy(..) => "the proxy",
    }
}

fn name(leg: &Leg, host: &str, reason: &NameError) -> (String, String) {
    let (whose, setting) = match leg {
        Leg::Hub => ("the host name", "hub.url"),
        Leg::Proxy(setting, _) => ("the proxy's name", *setting),
    };
    let host = one_line(host);
    match reason {
        NameError::Unknown => (
            format!("{whose} {host} cannot be resolved: no name server knows it"),
            format!("check the name in {setting}"),
        ),
        NameError::NoAnswer => (
            format!("{whose} {host} cannot be resolved: the name servers do not answer ({})", name_servers()),
            "check them, and this machine's way to them (DNS, port 53)".to_owned(),
        ),
    }
}

/// Those of resolv.conf(5), where the first three count.
fn name_servers() -> String {
    let text = std::fs::read("/etc/resolv.conf").unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let server = |line: &str| line.trim().strip_prefix("nameserver").map(|rest| one_line(rest.trim()));
    let servers: Vec<String> = text.lines().filter_map(server).take(3).collect();
    if servers.is_empty() {
        "/etc/resolv.conf names none, so this machine itself was asked".to_owned()
    } else {
        format!("asked were {}", servers.join(", "))
    }
}

fn connect(leg: &Leg, reason: &ConnectError, hub: &Hub) -> (String, String) {
    let to = match leg {
        Leg::Hub if hub.url.socket().is_some() => " to the socket".to_owned(),
        Leg::Hub => String::new(),
        Leg::Proxy(_, place) => format!(" to the proxy {place}"),
    };
    match (reason, leg) {
        (ConnectError::Timeout, Leg::Hub) => (
            "no connection within hub.connect-timeout".to_owned(),
            "check the network, a firewall, or whether a proxy is needed (hub.proxy)".to_owned(),
        ),
        (ConnectError::Timeout, Leg::Proxy(setting, _)) => {
            (format!("no connection{to} within hub.connect-timeout"), format!("check the network and {setting}"))
        }
        (ConnectError::Io(error), Leg::Proxy(setting, _)) => {
            (format!("no connection{to} ({})", reason_of(error)), format!("check the network and {setting}"))
        }
        (ConnectError::Io(error), Leg::Hub) => (
            format!("no connection{to} ({})", reason_of(error)),
            "check the network, and whether the server is up".to_owned(),
        ),
    }
}

fn reason_of(error: &std::io::Error) -> String {
    reason(error)
}

fn tls(leg: &Leg, failure: &TlsError, hub: &Hub, broken: &[String]) -> (String, String) {
    let setting = match leg {
        Leg::Hub => "hub.url",
        Leg::Proxy(setting, _) => setting,
    };
    let who = who(leg);
    match failure {
        TlsError::Library(error) => of_library(error, leg, hub, broken),
        TlsError::Broken => (
            format!("{who} closed the connection instead of speaking TLS"),
            format!("check scheme and port in {setting}, and whether a firewall in between forbids TLS to this host"),
        ),
        TlsError::Timeout => (
            format!("{who} does not finish TLS within hub.connect-timeout"),
            format!("check the network and {setting}"),
        ),
        TlsError::Name => (
            format!("the host in {setting} cannot stand in a certificate"),
            "write a host name or an address".to_owned(),
        ),
    }
}

pub(super) fn of_library(error: &Error, leg: &Leg, hub: &Hub, broken: &[String]) -> (String, String) {
    let who = who(leg);
    let say = |what: String, remedy: &str| (what, remedy.to_owned());
    let setting = match leg {
        Leg::Hub => "hub.url",
        Leg::Proxy(setting, _) => setting,
    };
    match error {
        Error::InvalidCertificate(bad) => of_certificate(bad, leg, broken),
        Error::NoCertificatesPresented => say(format!("{who} shows no certificate"), "check the server"),
        Error::InvalidMessage(_) => {
            (format!("{who} does not speak TLS at that port"), format!("check scheme and port in {setting}"))
        }
        Error::AlertReceived(AlertDescription::ProtocolVersion)
        | Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
            | PeerIncompatible::Tls12NotOffered
            | PeerIncompatible::Tls12NotOfferedOrEnabled,
        ) => say(format!("{who} offers no TLS 1.2 or 1.3"), "turn one of them on there"),
        Error::AlertReceived(alert) => of_alert(*alert, leg, hub),
        Error::PeerIncompatible(_) => {
            (format!("{who} and this program have no way of TLS in common"), format!("set up {ABLE} there"))
        }
        Error::DecryptError | Error::PeerSentOversizedRecord | Error::PeerMisbehaved(_) => (
            format!("{who} breaks the rules of TLS"),
            "check the server, and whether something in between changes the connection".to_owned(),
        ),
        Error::InappropriateMessage { .. } | Error::InappropriateHandshakeMessage { .. } => (
            format!("{who} sends something else than TLS wants at this point"),
            "check the server, and whether something in between changes the connection".to_owned(),
        ),
        _ => (format!("TLS with {who} failed"), format!("check the server; it needs {ABLE}")),
    }
}

/// What the other side says in TLS itself.
fn of_alert(alert: AlertDescription, leg: &Leg, hub: &Hub) -> (String, String) {
    use AlertDescription as Alert;
    let who = who(leg);
    let own = hub.client_cert.as_ref().map(|file| file.as_path().display().to_string());
    let both = "set hub.client-cert and hub.client-key".to_owned();
    match (alert, own) {
        (Alert::CertificateRequired | Alert::NoCertificate, None) => {
            (format!("{who} asks for a client certificate"), both)
        }
        (Alert::CertificateExpired, Some(own)) => (
            format!("{who} does not take the client certificate: it has expired, or its clock differs"),
            format!("renew the certificate in {own} (hub.client-cert)"),
        ),
        (Alert::CertificateRevoked, Some(own)) => (
            format!("{who} does not take the client certificate: it is revoked"),
            format!("replace the certificate in {own} (hub.client-cert)"),
        ),
        (
            Alert::UnknownCA
            | Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateUnknown
            | Alert::CertificateRequired
            | Alert::NoCertificate
            | Alert::DecryptError
            | Alert::AccessDenied,
            Some(own),
        ) => (
            format!("{who} does not take the client certificate"),
            format!("check {own} (hub.client-cert): the server may not trust the authority that signed it"),
        ),
        (Alert::UnrecognisedName, _) => {
            (format!("{who} does not know the host name it is asked for"), "check the host name in hub.url".to_owned())
        }
        (Alert::HandshakeFailure | Alert::InsufficientSecurity | Alert::IllegalParameter, own) => {
            let certificate = match own {
                Some(own) => format!("or it does not take the client certificate {own} (hub.client-cert)"),
                None => format!("or it asks for a client certificate: then {both}"),
            };
            (
                format!("{who} refuses the TLS handshake: it finds no cipher, curve or signature in common"),
                format!("set up {ABLE} there, {certificate}"),
            )
        }
        (Alert::InternalError, _) => (format!("{who} has an error of its own in TLS"), "look at its log".to_owned()),
        (_, Some(own)) => (
            format!("{who} breaks off TLS"),
            format!("look at its log; it may not take the client certificate {own} (hub.client-cert)"),
        ),
        (_, None) => {
            (format!("{who} breaks off TLS"), format!("look at its log; if it asks for a client certificate, {both}"))
        }
    }
}

fn of_certificate(bad: &CertificateError, leg: &Leg, broken: &[String]) -> (String, String) {
    use CertificateError as Bad;
    let whose = match leg {
        Leg::Hub => "the server's TLS certificate",
        Leg::Proxy(..) => "the proxy's TLS certificate",
    };
    let setting = match leg {
        Leg::Hub => "hub.url",
        Leg::Proxy(setting, _) => setting,
    };
    let clocks = "check this machine's clock and the server's certificate";
    let time = |time: &rustls::pki_types::UnixTime| {
        WallTime::from_unix(i64::try_from(time.as_secs()).unwrap_or(i64::MAX)).to_string()
    };
    let say = |what: String, remedy: &str| (format!("{whose} {what}"), remedy.to_owned());
    match bad {
        Bad::ExpiredContext { not_after, .. } => say(format!("has expired (it ended {})", time(not_after)), clocks),
        Bad::Expired => say("has expired".to_owned(), clocks),
        Bad::NotValidYetContext { not_before, .. } => {
            say(format!("is not valid yet (it begins {})", time(not_before)), clocks)
        }
        Bad::NotValidYet => say("is not valid yet".to_owned(), clocks),
        Bad::NotValidForNameContext { presented, .. } => {
            let names: Vec<String> = presented.iter().map(|name| plain_name(name)).collect();
            let names = if names.is_empty() { "no name at all".to_owned() } else { crate::core::text::list(&names) };
            (format!("{whose} is for another name ({names})"), format!("check the host name in {setting}"))
        }
        Bad::NotValidForName => (format!("{whose} is for another name"), format!("check the host name in {setting}")),
        Bad::UnknownIssuer | Bad::BadSignature => {
            let (about, remedy) = if broken.is_empty() {
                (String::new(), "check the server, or set hub.ca-file to the authority that signed it".to_owned())
            } else {
                let broken = broken.join("; ");
                (format!(" ({broken})"), "write it there anew, or check the server".to_owned())
            };
            (format!("{whose} is not signed by an authority that is trusted here{about}"), remedy)
        }
        Bad::InvalidPurpose | Bad::InvalidPurposeContext { .. } => {
            say("is not made for servers".to_owned(), "give the server one with the purpose serverAuth")
        }
        Bad::Revoked => say("is revoked".to_owned(), "give the server a new one"),
        Bad::BadEncoding => say("is no X.509 certificate that can be read".to_owned(), "give the server another one"),
        Bad::Other(error) if error.0.downcast_ref::<UnusableKey>().is_some() => (
            format!("the key of {whose} cannot be used: it is too short or of another kind"),
            format!("give the server another one; this program needs {ABLE}"),
        ),
        Bad::Other(error) => of_path(error.0.downcast_ref(), whose),
        _ => say(
            "or one above it is signed in a way that cannot be checked here".to_owned(),
            "give the server one that is signed with SHA-256 or better, and RSA from 2048 bits on, ECDSA with P-256 or P-384, or Ed25519",
        ),
    }
}

/// Errors that the TLS library passes on as they are.
fn of_path(error: Option<&webpki::Error>, whose: &str) -> (String, String) {
    use webpki::Error as Path;
    match error {
        Some(Path::CaUsedAsEndEntity) => (
            format!("{whose} is an authority's own"),
            "set hub.ca-file to exactly this certificate, or give the server one that the authority signed".to_owned(),
        ),
        Some(Path::EndEntityUsedAsCa) => (
            format!("{whose} is signed by a certificate that is no authority"),
            "have an authority sign it (basicConstraints CA:TRUE)".to_owned(),
        ),
        Some(Path::NameConstraintViolation) => (
            format!("{whose} is for a name that its authority may not sign"),
            "give the server another certificate".to_owned(),
        ),
        Some(Path::UnsupportedCertVersion) => (
            format!("{whose} is of an old version (X.509 v1)"),
            "make it anew with extensions: openssl writes version 3 with subjectAltName".to_owned(),
        ),
        Some(
            Path::MaximumPathDepthExceeded | Path::PathLenConstraintViolated | Path::MaximumSignatureChecksExceeded,
        ) => (format!("{whose} has too long a chain above it"), "give the server another certificate".to_owned()),
        _ => (format!("{whose} does not hold"), "check the server's certificate, and give it another one".to_owned()),
    }
}

/// The library writes `DnsName("a.example")` and `IpAddress(127.0.0.1)`.
fn plain_name(text: &str) -> String {
    let inner = text.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or(text);
    one_line(inner.trim_matches('"'))
}

fn http(error: &HttpError, hub: &Hub, broken: &[String]) -> (String, String) {
    match error {
        HttpError::Timeout => {
            ("no complete answer within hub.timeout".to_owned(), "the server or the line is slow".to_owned())
        }
        HttpError::NotHttp => (
            "what answers there does not speak HTTP".to_owned(),
            "check scheme and port in hub.url; a port for https:// does not take http://".to_owned(),
        ),
        HttpError::Tls(error) => of_library(error, &Leg::Hub, hub, broken),
        HttpError::Closed => (
            "the connection broke before the answer was complete: the server closed it".to_owned(),
            "check the server and what lies between, or try again".to_owned(),
        ),
        HttpError::Io(kind) => (
            format!("the connection broke ({})", broke(*kind)),
            "check the server and what lies between, or try again".to_owned(),
        ),
    }
}

const fn broke(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::ConnectionReset => "reset by the other side",
        ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted => "closed by the other side",
        ErrorKind::TimedOut => "nothing came any more",
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::NetworkDown => "the network is gone",
        _ => "an error of the network",
    }
}
