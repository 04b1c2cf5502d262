//! Why no answer came, by the step that failed and by the type of its error.

use std::error::Error;
use std::io;

/// Whom a step of the way talks to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Leg {
    /// The hub or the relay itself.
    Hub,
    /// The proxy, with the name of the setting that names it, and its host and port.
    Proxy(&'static str, String),
}

/// What failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The name servers know no such name, or do not answer.
    Name { leg: Leg, host: String, reason: NameError },
    /// No connection within the time, or refused.
    Connect { leg: Leg, reason: ConnectError },
    /// No TLS.
    Tls { leg: Leg, reason: TlsError },
    /// The proxy refuses to let through: status and reason phrase.
    Refused { setting: &'static str, status: u16, reason: String },
    /// The proxy ends or breaks the conversation before it says yes or no.
    ProxyBroken { setting: &'static str },
    /// The request was sent, and no complete answer came.
    Http(HttpError),
}

/// See [`Failure::Name`].
#[derive(Debug)]
pub(super) enum NameError {
    /// There is no such name.
    Unknown,
    /// No name server answers, or none can tell now.
    NoAnswer,
}

/// See [`Failure::Connect`].
#[derive(Debug)]
pub(super) enum ConnectError {
    /// Nothing came back within hub.connect-timeout.
    Timeout,
    /// The operating system says why.
    Io(io::Error),
}

/// See [`Failure::Tls`].
#[derive(Debug)]
pub(super) enum TlsError {
    /// The library says why.
    Library(rustls::Error),
    /// The connection broke: the other side does not speak TLS, or something in between forbids it.
    Broken,
    /// The handshake takes longer than hub.connect-timeout.
    Timeout,
    /// The host cannot be the name of a certificate.
    Name,
}

/// See [`Failure::Http`].
#[derive(Debug)]
pub(super) enum HttpError {
    /// hub.timeout is over.
    Timeout,
    /// What came is not HTTP/1, or its head is longer than any.
    NotHttp,
    /// TLS broke off after the handshake: with TLS 1.3 that is how a client certificate is refused.
    Tls(rustls::Error),
    /// The other side closed the connection before its answer was complete.
    Closed,
    /// The operating system says why it ended.
    Io(io::ErrorKind),
}

impl Failure {
    /// A failure of the TLS library's handshake.
    pub(super) fn of_handshake(leg: Leg, error: &io::Error) -> Self {
        let reason = rustls_error(error).map_or(TlsError::Broken, |inner| TlsError::Library(inner.clone()));
        Self::Tls { leg, reason }
    }

    /// A failure while a request was under way.
    pub(super) fn of_request(error: &hyper::Error) -> Self {
        let mut source: Option<&(dyn Error + 'static)> = Some(error);
        while let Some(inner) = source {
            if let Some(tls) = rustls_error(inner) {
                return Self::Http(HttpError::Tls(tls.clone()));
            }
            if let Some(io) = inner.downcast_ref::<io::Error>() {
                // The TLS layer's word for a connection that ends without saying so.
                let is_end = io.kind() == io::ErrorKind::UnexpectedEof;
                return Self::Http(if is_end { HttpError::Closed } else { HttpError::Io(io.kind()) });
            }
            source = inner.source();
        }
        Self::Http(if error.is_parse() { HttpError::NotHttp } else { HttpError::Closed })
    }
}

/// The TLS library's error; an I/O error hides what it wraps from `source()`.
fn rustls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let wrapped = || rustls_error(error.downcast_ref::<io::Error>()?.get_ref()?);
    error.downcast_ref().or_else(wrapped)
}
