//! The two halves of an exchange with [`RawServer`](crate::RawServer): what came, what is sent.

use std::io::{self, BufRead};
use std::time::{Duration, Instant};

/// Larger requests than this are nothing that our clients send.
const MAX_BODY: u64 = 1024 * 1024;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct RawRequest {
    /// When its last byte had arrived.
    pub at: Instant,
    /// Method, such as `GET`.
    pub method: String,
    /// Target as sent: path and query, or `host:port` for `CONNECT`.
    pub target: String,
    /// Header fields in the order sent, names as sent.
    pub headers: Vec<(String, String)>,
    /// Body of `Content-Length` bytes.
    pub body: Vec<u8>,
}

impl RawRequest {
    /// The target without its query.
    #[must_use]
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The query without its question mark; empty when there is none.
    #[must_use]
    pub fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    /// The first header field of that name, in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The body as text; bytes that are not UTF-8 are replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Reads one request; `None` at the end of the connection.
    pub(crate) fn read(source: &mut impl BufRead) -> io::Result<Option<Self>> {
        let Some(first) = header_line(source)? else {
            return Ok(None);
        };
        let mut words = first.split(' ');
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let mut headers = Vec::new();
        while let Some(line) = header_line(source)?.filter(|line| !line.is_empty()) {
            let (name, value) = line.split_once(':').unwrap_or((&line, ""));
            headers.push((name.trim().to_owned(), value.trim().to_owned()));
        }
        let mut request = Self {
            at: Instant::now(),
            method: method.to_owned(),
            target: target.to_owned(),
            headers,
            body: Vec::new(),
        };
        let length = request.header("content-length").and_then(|value| value.parse().ok()).unwrap_or(0u64);
        if length > MAX_BODY {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "request body too large"));
        }
        request.body.resize(usize::try_from(length).unwrap_or_default(), 0);
        source.read_exact(&mut request.body)?;
        request.at = Instant::now();
        Ok(Some(request))
    }
}

fn header_line(source: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    if source.read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    Ok(Some(String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']).to_owned()))
}

/// What the server does with the connection once the bytes are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Afterwards {
    Close,
    ReadNext,
    Hang,
}

/// What the server sends, byte by byte, and what it does next.
#[derive(Debug, Clone)]
pub struct RawAnswer {
    pub(crate) delay: Duration,
    pub(crate) bytes: Vec<u8>,
    pub(crate) afterwards: Afterwards,
}

impl RawAnswer {
    /// Exactly these bytes, then the connection is closed.
    #[must_use]
    pub fn bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self { delay: Duration::ZERO, bytes: bytes.into(), afterwards: Afterwards::Close }
    }

    /// A well-formed answer: status line, `Content-Length`, `Connection: close`, the given header fields, body.
    #[must_use]
    pub fn http(status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Self {
        Self::bytes(message(status, headers, body.as_ref(), "close"))
    }

    /// [`RawAnswer::http`] with `Content-Type: application/json`.
    #[must_use]
    pub fn json(status: u16, body: impl AsRef<[u8]>) -> Self {
        Self::http(status, &[("Content-Type", "application/json")], body)
    }

    /// A well-formed answer that leaves the connection open for the next request.
    #[must_use]
    pub fn keep_alive(status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Self {
        let bytes = message(status, headers, body.as_ref(), "keep-alive");
        Self { afterwards: Afterwards::ReadNext, ..Self::bytes(bytes) }
    }

    /// The connection is closed without a byte.
    #[must_use]
    pub fn cut() -> Self {
        Self::bytes([])
    }

    /// No byte, and the connection stays open until the client or the server ends.
    #[must_use]
    pub fn hang() -> Self {
        Self::cut().then_hang()
    }

    /// After its bytes (say, half a body) the connection stays open until the client or the server ends.
    #[must_use]
    pub fn then_hang(self) -> Self {
        Self { afterwards: Afterwards::Hang, ..self }
    }

    /// Sent only `delay` after the request.
    #[must_use]
    pub fn after(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }
}

fn message(status: u16, headers: &[(&str, &str)], body: &[u8], connection: &str) -> Vec<u8> {
    use std::fmt::Write as _;
    let mut head =
        format!("HTTP/1.1 {status} Hand-Written\r\nContent-Length: {}\r\nConnection: {connection}\r\n", body.len());
    for (name, value) in headers {
        // Writing to a string cannot fail.
        let _ = write!(head, "{name}: {value}\r\n");
    }
    head.push_str("\r\n");
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}
