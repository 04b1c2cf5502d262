//! A session: one connection, and one reading of certificates and secrets, for all requests of an attempt.
//!
//! It is dropped with the attempt: a rotated secret needs no restart, and an idle daemon holds none. No redirects (a
//! redirect would carry the key to another host), no decompression, bounded bodies, one total timeout.

use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes, Incoming};
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout, timeout_at};
use url::Url;

pub use crate::edge::hub::call::Call;

use crate::core::config::{Config, Hub};
use crate::core::hub::reader::{Keep, Unread, reduce};
use crate::core::hub::response::{RawAnswer, TransportError};
use crate::edge::dirs::Places;
use crate::edge::hub::connect::connect;
use crate::edge::hub::credentials::Credentials;
use crate::edge::hub::error::{Failure, HttpError};
use crate::edge::hub::proxy::Proxy;
use crate::edge::hub::sentence::sentence;
use crate::edge::hub::tls::{self, Tls};

/// Most bytes of a list that are kept.
const KEPT: usize = 1024 * 1024;
/// Most entries of a list that the daemon looks at, and the longest time for them.
const MOST_ENTRIES: usize = 500_000;
const LIST_TIME: Duration = Duration::from_secs(600);
/// So much of a body that is no list is kept, to name it.
const START: usize = 4_096;
/// Chunks of a body that wait to be read.
const WAITING: usize = 4;

type Sender = SendRequest<Full<Bytes>>;

/// See the module.
pub struct Session {
    hub: Hub,
    credentials: Credentials,
    proxy: Option<Proxy>,
    tls: Option<Tls>,
    connection: Mutex<Option<Sender>>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

/// Sends one request in a session of its own.
pub async fn send(config: &Config, places: &Places, call: Call) -> Result<RawAnswer, TransportError> {
    Session::open(config, places)?.send(&call).await
}

/// How a list is read.
pub struct ListReader {
    /// Most entries; none for no bound.
    pub most: Option<usize>,
    /// Sees each entry as received, and decides whether it stays in the answer's body.
    pub keep: Box<dyn FnMut(&str) -> bool + Send>,
}

impl std::fmt::Debug for ListReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ListReader").field("most", &self.most).finish_non_exhaustive()
    }
}

impl ListReader {
    /// Keeps what this decides, within the daemon's bounds.
    #[must_use]
    pub fn bounded(keep: impl FnMut(&str) -> bool + Send + 'static) -> Self {
        Self { most: Some(MOST_ENTRIES), keep: Box::new(keep) }
    }
}

impl Session {
    /// Reads secrets and certificates; connects at the first request. It may wait for a disk.
    pub fn open(config: &Config, places: &Places) -> Result<Self, TransportError> {
        let local = |message: String| TransportError { message, local: true };
        let hub = config.hub.clone();
        let credentials = Credentials::read(config, places).map_err(local)?;
        let tls = if hub.url.is_encrypted() { Some(tls::setup(&hub, places).map_err(local)?) } else { None };
        let proxy = Proxy::of(&hub).map_err(local)?;
        Ok(Self { hub, credentials, proxy, tls, connection: Mutex::new(None) })
    }

    /// Sends one request and reads its answer. A list is kept as a whole; see [`Session::list`] for long ones.
    pub async fn send(&self, call: &Call) -> Result<RawAnswer, TransportError> {
        let reader = call.is_list.then(|| ListReader::bounded(|_| true));
        self.exchange(call, reader).await
    }

    /// Sends the request for a list and reads its answer entry by entry, in bounded memory.
    pub async fn list(&self, call: &Call, reader: ListReader) -> Result<RawAnswer, TransportError> {
        self.exchange(call, Some(reader)).await
    }

    async fn exchange(&self, call: &Call, list: Option<ListReader>) -> Result<RawAnswer, TransportError> {
        let url = call.url(&self.hub).map_err(|message| TransportError { message, local: true })?;
        let shown = shown(&url, &self.hub);
        let until = Instant::now() + self.hub.timeout.duration();
        let failed = |failure: Failure| {
            let broken = self.tls.as_ref().map_or(&[][..], |tls| &tls.broken);
            TransportError { message: sentence(&failure, &shown, &self.hub, broken), local: false }
        };
        let (response, sender) = match timeout_at(until, self.request(call, &url)).await {
            Ok(Ok(answered)) => answered,
            Ok(Err(failure)) => return Err(failed(failure)),
            Err(_) => return Err(failed(Failure::Http(HttpError::Timeout))),
        };
        let mut answer = self.head(&response, &url, shown.clone());
        let too_large = |message: String| TransportError { message: format!("{shown}: {message}"), local: false };
        // An error says all that matters in its head: whatever its body is like, its status and its Retry-After count.
        let is_error = !response.status().is_success();
        let mut body = response.into_body();
        if let Some(list) = list.filter(|_| !is_error) {
            self.read_list(&mut body, list, &mut answer).await.map_err(|unread| match unread {
                ListError::Failed(failure) => failed(failure),
                ListError::Unread(sentence) => too_large(sentence.to_owned()),
            })?;
            *self.connection.lock().await = Some(sender);
            return Ok(answer);
        }
        let over = |limit: usize| {
            too_large(format!("the answer is larger than {limit} bytes, which is no license; check hub.url"))
        };
        // One that announces its size need not be read to be refused.
        if !is_error && body.size_hint().lower() > call.limit as u64 {
            return Err(over(call.limit));
        }
        loop {
            let frame = match timeout_at(until, body.frame()).await {
                Ok(None) => break,
                Ok(Some(Ok(frame))) => frame,
                Ok(Some(Err(_))) | Err(_) if is_error => return Ok(answer),
                Ok(Some(Err(error))) => return Err(failed(Failure::of_request(&error))),
                Err(_) => return Err(failed(Failure::Http(HttpError::Timeout))),
            };
            let Ok(data) = frame.into_data() else { continue };
            if answer.body.len() + data.len() <= call.limit {
                answer.body.extend_from_slice(&data);
            } else if is_error {
                return Ok(answer);
            } else {
                return Err(over(call.limit));
            }
        }
        // Only what was read to its end leaves the connection usable.
        *self.connection.lock().await = Some(sender);
        Ok(answer)
    }

    /// Sends a request and waits for the head of its answer. Nothing that may have reached the other side is sent again,
    /// except a GET on a connection that was kept: the other side may have closed it in the meantime.
    async fn request(&self, call: &Call, url: &Url) -> Result<(Response<Incoming>, Sender), Failure> {
        let mut request = self.head_of_request(call, url);
        if let Some(mut kept) = self.usable().await {
            match kept.try_send_request(request).await {
                Ok(response) => return Ok((response, kept)),
                Err(mut error) => match error.take_message() {
                    // It never left.
                    Some(unsent) => request = unsent,
                    None if call.method == Method::GET => request = self.head_of_request(call, url),
                    None => return Err(Failure::of_request(error.error())),
                },
            }
        }
        let stream = connect(&self.hub, self.proxy.as_ref(), self.tls.as_ref().map(|tls| &tls.config)).await?;
        let mut builder = Builder::new();
        // A user agent unfolds what an old server or a proxy folds (RFC 9112, section 5.2).
        builder.allow_obsolete_multiline_headers_in_responses(true);
        let handshake = builder.handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.map_err(|error| Failure::of_request(&error))?;
        // It ends when the sender is dropped.
        tokio::spawn(connection);
        let response = sender.send_request(request).await.map_err(|error| Failure::of_request(&error))?;
        Ok((response, sender))
    }

    /// The connection of the request before, if the other side has not closed it.
    async fn usable(&self) -> Option<Sender> {
        let mut kept = self.connection.lock().await.take()?;
        // What has arrived since, such as the end of the connection, is seen by the task that reads it.
        tokio::task::yield_now().await;
        kept.ready().await.is_ok().then_some(kept)
    }

    fn head_of_request(&self, call: &Call, url: &Url) -> Request<Full<Bytes>> {
        let target = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
        let host = match (url.host_str(), url.port()) {
            (Some(host), Some(port)) => format!("{host}:{port}"),
            (host, _) => host.unwrap_or_default().to_owned(),
        };
        let body = call.body.as_ref().map(ToString::to_string);
        let mut request = Request::new(Full::from(body.clone().unwrap_or_default()));
        request.method_mut().clone_from(&call.method);
        // The URL library lets only through what the HTTP library takes.
        *request.uri_mut() = target.parse().unwrap_or_default();
        let headers = request.headers_mut();
        headers.extend(self.credentials.headers.clone());
        let mut add = |name: HeaderName, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        };
        add(header::HOST, &host);
        add(header::USER_AGENT, concat!("netify-licensed/", env!("CARGO_PKG_VERSION")));
        // Frameworks answer a client that takes anything with an HTML page or a redirect.
        add(header::ACCEPT, "application/json");
        if call.method == Method::GET {
            add(header::CACHE_CONTROL, "no-cache");
        }
        if body.is_some() {
            add(header::CONTENT_TYPE, "application/json");
        }
        request
    }

    fn head(&self, response: &Response<Incoming>, url: &Url, shown: String) -> RawAnswer {
        let text =
            |name: HeaderName| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let location = text(header::LOCATION).and_then(|location| url.join(&location).ok());
        RawAnswer {
            url: shown,
            status: response.status().as_u16(),
            retry_after: text(header::RETRY_AFTER),
            date: text(header::DATE),
            age: text(header::AGE),
            content_type: text(header::CONTENT_TYPE),
            content_encoding: text(header::CONTENT_ENCODING),
            location_is_elsewhere: location.as_ref().is_some_and(|to| to.host_str() != url.host_str()),
            location_host: location.and_then(|to| to.host_str().map(str::to_owned)),
            link: text(header::LINK),
            entries: None,
            credential: self.credentials.named.clone(),
            body: Vec::new(),
            redaction: self.credentials.redaction.clone(),
        }
    }

    /// Hands the body to a thread that reads it as JSON, part by part.
    async fn read_list(&self, body: &mut Incoming, list: ListReader, answer: &mut RawAnswer) -> Result<(), ListError> {
        let (chunks, source) = tokio::sync::mpsc::channel::<Bytes>(WAITING);
        let most = list.most;
        let mut keep = list.keep;
        let reading = tokio::task::spawn_blocking(move || {
            let keep: &mut Keep<'_> = &mut *keep;
            reduce(Chunks { source, current: Bytes::new() }, most.unwrap_or(usize::MAX), KEPT, keep)
        });
        let until = most.map(|_| Instant::now() + LIST_TIME);
        let mut failure = None;
        let mut start = Vec::new();
        loop {
            // As long as something comes, it is not given up: how much there is, is not the line's fault.
            let next = timeout(self.hub.timeout.duration(), body.frame()).await;
            if until.is_some_and(|until| Instant::now() > until) {
                failure = Some(ListError::Unread(TOO_LONG));
                break;
            }
            let frame = match next {
                Ok(None) => break,
                Ok(Some(Ok(frame))) => frame,
                Ok(Some(Err(error))) => {
                    failure = Some(ListError::Failed(Failure::of_request(&error)));
                    break;
                }
                Err(_) => {
                    failure = Some(ListError::Failed(Failure::Http(HttpError::Timeout)));
                    break;
                }
            };
            let Ok(data) = frame.into_data() else { continue };
            start.extend_from_slice(&data[..data.len().min(START - start.len().min(START))]);
            // Whoever reads has seen enough when it hangs up.
            if chunks.send(data).await.is_err() && start.len() >= START {
                break;
            }
        }
        drop(chunks);
        let read = reading.await.unwrap_or(Err(Unread::OtherThing));
        if let Some(failure) = failure {
            return Err(failure);
        }
        match read {
            Ok(reduced) => {
                answer.body = reduced.body;
                answer.entries = Some(reduced.entries);
            }
            Err(Unread::OtherThing) => answer.body = start,
            Err(Unread::EntryTooLong) => {
                return Err(ListError::Unread("one entry of the list is longer than any license; check hub.url"));
            }
            Err(Unread::TooMany) => return Err(ListError::Unread(TOO_LONG)),
            Err(Unread::KeptTooMuch) => {
                return Err(ListError::Unread("too many licenses of the list are wanted here; set license.serial"));
            }
        }
        Ok(())
    }
}

const TOO_LONG: &str = "the list of licenses is too long; set license.serial, so that no list is needed";

enum ListError {
    Failed(Failure),
    Unread(&'static str),
}

/// A body as something to read from, for the thread that may wait.
struct Chunks {
    source: tokio::sync::mpsc::Receiver<Bytes>,
    current: Bytes,
}

impl std::io::Read for Chunks {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        while self.current.is_empty() {
            match self.source.blocking_recv() {
                Some(next) => self.current = next,
                None => return Ok(0),
            }
        }
        let count = buffer.len().min(self.current.len());
        buffer[..count].copy_from_slice(&self.current.split_to(count));
        Ok(count)
    }
}

/// The URL for messages: scheme, host and path.
fn shown(url: &Url, hub: &Hub) -> String {
    let mut plain = url.clone();
    plain.set_query(None);
    plain.set_fragment(None);
    match hub.url.socket() {
        Some(socket) => format!("unix:{}:{}", socket.display(), plain.path()),
        None => plain.into(),
    }
}
