//! From a name to a connection on which requests can be sent: name, TCP, proxy, TLS. Each step knows whom it talks to.

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::ext::ReasonPhrase;
use hyper::header::{HOST, PROXY_AUTHORIZATION};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

use crate::core::config::Hub;
use crate::edge::hub::error::{ConnectError, Failure, Leg, NameError, TlsError};
use crate::edge::hub::proxy::Proxy;

/// After this the next address is tried as well (RFC 8305, section 5).
const NEXT_ADDRESS: Duration = Duration::from_millis(250);

/// What bytes go through, whatever it is made of.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Connects to the hub within hub.connect-timeout.
pub(super) async fn connect(
    hub: &Hub,
    proxy: Option<&Proxy>,
    tls: Option<&Arc<ClientConfig>>,
) -> Result<Box<dyn Stream>, Failure> {
    let until = Instant::now() + hub.connect_timeout.duration();
    if let Some(socket) = hub.url.socket() {
        let connecting = within(until, UnixStream::connect(socket)).await;
        return match connecting {
            Some(Ok(stream)) => Ok(Box::new(stream)),
            Some(Err(error)) => Err(Failure::Connect { leg: Leg::Hub, reason: ConnectError::Io(error) }),
            None => Err(Failure::Connect { leg: Leg::Hub, reason: ConnectError::Timeout }),
        };
    }
    let url = hub.url.as_url();
    let port = url.port_or_known_default().unwrap_or_default();
    let host = bare(url.host_str().unwrap_or_default());
    let mut stream: Box<dyn Stream> = match proxy {
        None => Box::new(tcp(&Leg::Hub, host, port, until).await?),
        Some(proxy) => {
            let leg = Leg::Proxy(proxy.setting, proxy.place());
            let proxy_host = bare(proxy.url.host_str().unwrap_or_default());
            let proxy_port = proxy.url.port_or_known_default().unwrap_or_default();
            let mut stream: Box<dyn Stream> = Box::new(tcp(&leg, proxy_host, proxy_port, until).await?);
            if let Some(config) = tls.filter(|_| proxy.url.scheme() == "https") {
                stream = encrypt(stream, config, proxy_host, leg, until).await?;
            }
            let broken = || Failure::ProxyBroken { setting: proxy.setting };
            let target = format!("{}:{port}", url.host_str().unwrap_or_default());
            within(until, tunnel(stream, proxy, &target)).await.unwrap_or_else(|| Err(broken()))?
        }
    };
    if let Some(config) = tls {
        stream = encrypt(stream, config, host, Leg::Hub, until).await?;
    }
    Ok(stream)
}

/// [`None`] when the time is over.
async fn within<T>(until: Instant, work: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout_at(until, work).await.ok()
}

/// An IPv6 address without its brackets.
fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

async fn tcp(leg: &Leg, host: &str, port: u16, until: Instant) -> Result<TcpStream, Failure> {
    let failed = |reason| Failure::Name { leg: leg.clone(), host: host.to_owned(), reason };
    let addresses = match within(until, addresses(host, port)).await {
        Some(Ok(addresses)) => addresses,
        Some(Err(reason)) => return Err(failed(reason)),
        None => return Err(failed(NameError::NoAnswer)),
    };
    let reason = match within(until, dial(addresses)).await {
        Some(Ok(stream)) => return Ok(stream),
        Some(Err(error)) => ConnectError::Io(error),
        None => ConnectError::Timeout,
    };
    Err(Failure::Connect { leg: leg.clone(), reason })
}

/// `localhost` is this machine, whatever a resolver says (RFC 6761, section 6.3).
pub(super) async fn addresses(host: &str, port: u16) -> Result<Vec<SocketAddr>, NameError> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![(address, port).into()]);
    }
    if host.eq_ignore_ascii_case("localhost") {
        return Ok(vec![(Ipv4Addr::LOCALHOST, port).into(), (Ipv6Addr::LOCALHOST, port).into()]);
    }
    let found: Vec<SocketAddr> = lookup_host((host, port)).await.map_err(|error| why(&error))?.collect();
    if found.is_empty() { Err(NameError::Unknown) } else { Ok(found) }
}

/// The standard library gives getaddrinfo(3)'s code in words only: those of `EAI_AGAIN` in glibc and in musl.
fn why(error: &io::Error) -> NameError {
    let text = error.to_string();
    if text.contains("emporary failure") || text.contains("Try again") {
        NameError::NoAnswer
    } else {
        NameError::Unknown
    }
}

/// The first address that answers. The families take turns, so that a broken IPv6 costs a moment and no more.
async fn dial(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let (six, four): (Vec<_>, Vec<_>) = addresses.iter().copied().partition(SocketAddr::is_ipv6);
    let (first, second) = if addresses.first().is_some_and(SocketAddr::is_ipv6) { (six, four) } else { (four, six) };
    let mut waiting = Vec::new();
    for at in 0..first.len().max(second.len()) {
        waiting.extend(first.get(at).into_iter().chain(second.get(at)).copied());
    }
    let mut waiting = waiting.into_iter();
    let mut trying = JoinSet::new();
    let mut refused = None;
    loop {
        if let Some(address) = waiting.next() {
            trying.spawn(TcpStream::connect(address));
        } else if trying.is_empty() {
            return Err(refused.unwrap_or_else(|| io::ErrorKind::AddrNotAvailable.into()));
        }
        let has_more = waiting.len() > 0;
        tokio::select! {
            Some(tried) = trying.join_next() => match tried {
                Ok(Ok(stream)) => {
                    // A request is written in one piece; nothing is gained by waiting for more of it.
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Ok(Err(error)) => refused = refused.or(Some(error)),
                Err(_) => {}
            },
            () = tokio::time::sleep(NEXT_ADDRESS), if has_more => {}
        }
    }
}

async fn encrypt(
    stream: Box<dyn Stream>,
    config: &Arc<ClientConfig>,
    host: &str,
    leg: Leg,
    until: Instant,
) -> Result<Box<dyn Stream>, Failure> {
    let Ok(name) = ServerName::try_from(host.to_owned()) else {
        return Err(Failure::Tls { leg, reason: TlsError::Name });
    };
    match within(until, TlsConnector::from(Arc::clone(config)).connect(name, stream)).await {
        Some(Ok(stream)) => Ok(Box::new(stream)),
        Some(Err(error)) => Err(Failure::of_handshake(leg, &error)),
        None => Err(Failure::Tls { leg, reason: TlsError::Timeout }),
    }
}

/// CONNECT (RFC 9110, section 9.3.6).
async fn tunnel(stream: Box<dyn Stream>, proxy: &Proxy, target: &str) -> Result<Box<dyn Stream>, Failure> {
    let broken = || Failure::ProxyBroken { setting: proxy.setting };
    let (mut sender, connection) = http1::Builder::new().handshake(TokioIo::new(stream)).await.map_err(|_| broken())?;
    // It ends with the tunnel.
    tokio::spawn(connection.with_upgrades());
    let mut request = Request::builder().method(Method::CONNECT).uri(target).header(HOST, target);
    if let Some(value) = proxy.authorization() {
        request = request.header(PROXY_AUTHORIZATION, value);
    }
    let request = request.body(Empty::<Bytes>::new()).map_err(|_| broken())?;
    let response = sender.send_request(request).await.map_err(|_| broken())?;
    let status = response.status();
    if !status.is_success() {
        let said = response.extensions().get::<ReasonPhrase>().map(ReasonPhrase::as_bytes);
        let reason = said.map_or_else(
            || status.canonical_reason().unwrap_or_default().to_owned(),
            |said| String::from_utf8_lossy(said).into_owned(),
        );
        return Err(Failure::Refused { setting: proxy.setting, status: status.as_u16(), reason });
    }
    let upgraded = hyper::upgrade::on(response).await.map_err(|_| broken())?;
    Ok(Box::new(TokioIo::new(upgraded)))
}
