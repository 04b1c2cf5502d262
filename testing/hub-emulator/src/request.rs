//! Reads one HTTP/1.1 request from a connection (RFC 9112), strictly enough never to trip over a bad one.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::endpoint::percent_decode;

/// Largest head and largest body that are read.
const HEAD_LIMIT: usize = 32 * 1024;
const BODY_LIMIT: usize = 1024 * 1024;

/// A request as it came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `POST`, …
    pub method: String,
    /// The path without the query, not decoded.
    pub path: String,
    /// The query without `?`, not decoded; empty if there is none.
    pub query: String,
    /// Names and values in order, as sent.
    pub headers: Vec<(String, String)>,
    /// The body after any transfer coding.
    pub body: Vec<u8>,
    /// HTTP/1.0, where connections end after one answer.
    pub(crate) old_version: bool,
}

impl Request {
    /// The first header of this name, whatever its case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The decoded value of a query parameter.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<String> {
        self.query.split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (percent_decode(key, true) == name).then(|| percent_decode(value, true))
        })
    }

    /// The body as text, with replacement characters for what is not UTF-8.
    #[must_use]
    pub fn body_text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn wants_close(&self) -> bool {
        self.old_version || self.header("connection").is_some_and(|value| value.to_ascii_lowercase().contains("close"))
    }
}

/// Why no request could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReadFailure {
    /// The client went away, between requests or within one.
    Gone,
    /// Not HTTP, or a body that contradicts its framing.
    Malformed,
    /// Head or body over the limit.
    TooLarge,
}

/// Reads the next request; `buffer` keeps what came after the last one.
pub(crate) async fn read<S>(stream: &mut S, buffer: &mut Vec<u8>) -> Result<Request, ReadFailure>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut request, head_len) = loop {
        if let Some(parsed) = parse_head(buffer)? {
            break parsed;
        }
        if buffer.len() > HEAD_LIMIT {
            return Err(ReadFailure::TooLarge);
        }
        more(stream, buffer).await?;
    };
    buffer.drain(..head_len);
    if request.header("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue")) {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.map_err(|_| ReadFailure::Gone)?;
        stream.flush().await.map_err(|_| ReadFailure::Gone)?;
    }
    let chunked = request.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked"));
    request.body = if chunked {
        read_chunks(stream, buffer).await?
    } else {
        let length = match request.header("content-length") {
            None => 0,
            Some(text) => text.trim().parse::<usize>().map_err(|_| ReadFailure::Malformed)?,
        };
        take(stream, buffer, length).await?
    };
    Ok(request)
}

fn parse_head(buffer: &[u8]) -> Result<Option<(Request, usize)>, ReadFailure> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut parser = httparse::Request::new(&mut headers);
    let length = match parser.parse(buffer) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(ReadFailure::TooLarge),
        Err(_) => return Err(ReadFailure::Malformed),
    };
    let target = parser.path.unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let headers = parser
        .headers
        .iter()
        .map(|header| (header.name.to_owned(), String::from_utf8_lossy(header.value).into_owned()))
        .collect();
    let request = Request {
        method: parser.method.unwrap_or_default().to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers,
        body: Vec::new(),
        old_version: parser.version == Some(0),
    };
    Ok(Some((request, length)))
}

async fn more<S: AsyncRead + Unpin>(stream: &mut S, buffer: &mut Vec<u8>) -> Result<(), ReadFailure> {
    match stream.read_buf(buffer).await {
        Ok(0) | Err(_) => Err(ReadFailure::Gone),
        Ok(_) => Ok(()),
    }
}

async fn take<S: AsyncRead + Unpin>(
    stream: &mut S,
    buffer: &mut Vec<u8>,
    length: usize,
) -> Result<Vec<u8>, ReadFailure> {
    if length > BODY_LIMIT {
        return Err(ReadFailure::TooLarge);
    }
    while buffer.len() < length {
        more(stream, buffer).await?;
    }
    Ok(buffer.drain(..length).collect())
}

async fn take_line<S: AsyncRead + Unpin>(stream: &mut S, buffer: &mut Vec<u8>) -> Result<String, ReadFailure> {
    loop {
        if let Some(end) = buffer.windows(2).position(|pair| pair == b"\r\n") {
            let line = String::from_utf8_lossy(&buffer[..end]).into_owned();
            buffer.drain(..end + 2);
            return Ok(line);
        }
        if buffer.len() > HEAD_LIMIT {
            return Err(ReadFailure::TooLarge);
        }
        more(stream, buffer).await?;
    }
}

async fn read_chunks<S: AsyncRead + Unpin>(stream: &mut S, buffer: &mut Vec<u8>) -> Result<Vec<u8>, ReadFailure> {
    let mut body = Vec::new();
    loop {
        let line = take_line(stream, buffer).await?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(size, 16).map_err(|_| ReadFailure::Malformed)?;
        if size == 0 {
            // Trailers end with an empty line.
            while !take_line(stream, buffer).await?.is_empty() {}
            return Ok(body);
        }
        if body.len().saturating_add(size) > BODY_LIMIT {
            return Err(ReadFailure::TooLarge);
        }
        body.extend(take(stream, buffer, size).await?);
        if !take_line(stream, buffer).await?.is_empty() {
            return Err(ReadFailure::Malformed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(bytes: &[u8]) -> Vec<Result<Request, ReadFailure>> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (mut client, mut server) = tokio::io::duplex(bytes.len() + 64);
            client.write_all(bytes).await.unwrap();
            client.shutdown().await.unwrap();
            let mut buffer = Vec::new();
            let mut seen = Vec::new();
            loop {
                let read = read(&mut server, &mut buffer).await;
                let failed = read.is_err();
                seen.push(read);
                if failed {
                    return seen;
                }
            }
        })
    }

    #[test]
    fn two_requests_on_one_connection() {
        let seen = read_all(
            b"GET /a?x=1&y=a%20b HTTP/1.1\r\nX-Api-Key: k\r\n\r\nPOST /b HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi",
        );
        let first = seen[0].as_ref().unwrap();
        assert_eq!((first.path.as_str(), first.header("x-api-key")), ("/a", Some("k")));
        assert_eq!(first.parameter("y").as_deref(), Some("a b"));
        assert_eq!(seen[1].as_ref().unwrap().body, b"hi");
        assert_eq!(seen[2], Err(ReadFailure::Gone));
    }

    #[test]
    fn chunked_bodies() {
        let head = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        let seen = read_all(&[head.as_slice(), b"2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\nT: 1\r\n\r\n"].concat());
        assert_eq!(seen[0].as_ref().unwrap().body, b"hello");
        let seen = read_all(&[head.as_slice(), b"2\r\nhello\r\n"].concat());
        assert_eq!(seen[0], Err(ReadFailure::Malformed));
    }

    #[test]
    fn nonsense_is_refused() {
        assert_eq!(read_all(b"\x16\x03\x01nonsense\r\n\r\n")[0], Err(ReadFailure::Malformed));
        assert_eq!(read_all(b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n")[0], Err(ReadFailure::Malformed));
        assert_eq!(read_all(b"GET / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n")[0], Err(ReadFailure::TooLarge));
        let long = [b"GET / HTTP/1.1\r\nA: ".as_slice(), &vec![b'a'; HEAD_LIMIT]].concat();
        assert_eq!(read_all(&long)[0], Err(ReadFailure::TooLarge));
    }
}
