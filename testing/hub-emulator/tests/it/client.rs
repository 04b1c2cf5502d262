//! A bare HTTP client for the tests: it hides nothing of what came over the wire.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed step is a failed test")]

use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use hub_emulator::HubEmulator;
use serde_json::Value;

pub(crate) const BASE: &str = "/api/v2/integrator/licenses";
pub(crate) const LONG: Duration = Duration::from_secs(20);

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    /// After the transfer coding.
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (known, value) = line.split_once(':')?;
            known.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// Everything that the emulator sends until it ends the connection.
pub(crate) fn raw(hub: &HubEmulator, request: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(hub.address()).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream.write_all(request).unwrap();
    let mut bytes = Vec::new();
    // A reset is as good an end as any other; a timeout is not.
    if let Err(error) = stream.read_to_end(&mut bytes) {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}");
    }
    bytes
}

pub(crate) fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
    for (name, value) in headers {
        let _ = write!(text, "{name}: {value}\r\n");
    }
    if !body.is_empty() {
        let _ = write!(text, "Content-Length: {}\r\n", body.len());
    }
    format!("{text}\r\n{body}").into_bytes()
}

pub(crate) fn parse(bytes: &[u8]) -> Answer {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("an answer has a head");
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let mut answer = Answer { status, head, body: bytes[end + 4..].to_vec() };
    if answer.header("transfer-encoding") == Some("chunked") {
        let mut rest = answer.body.as_slice();
        let mut body = Vec::new();
        loop {
            let line = rest.windows(2).position(|two| two == b"\r\n").unwrap();
            let size = usize::from_str_radix(std::str::from_utf8(&rest[..line]).unwrap(), 16).unwrap();
            if size == 0 {
                break;
            }
            body.extend(&rest[line + 2..line + 2 + size]);
            rest = &rest[line + 4 + size..];
        }
        answer.body = body;
    } else if let Some(length) = answer.header("content-length") {
        assert_eq!(length.parse(), Ok(answer.body.len()));
    }
    answer
}

pub(crate) fn ask(hub: &HubEmulator, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    parse(&raw(hub, &request(method, path, headers, body)))
}

/// A request to the API with the first key; the body, if any, as JSON.
pub(crate) fn api(hub: &HubEmulator, method: &str, rest: &str, body: &str) -> Answer {
    let key = hub.api_key();
    let mut headers = vec![("x-api-key", key.as_str())];
    if !body.is_empty() {
        headers.push(("Content-Type", "application/json"));
    }
    ask(hub, method, &format!("{BASE}{rest}"), &headers, body)
}
