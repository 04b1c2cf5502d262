//! The listener: takes connections, and can vanish and come back on the same port.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tokio_rustls::TlsAcceptor;

use crate::connection::serve;
use crate::shared::Shared;

/// What the listener is told.
#[derive(Debug)]
pub(crate) enum Command {
    /// Refuse connections, for a while or until [`Command::Up`].
    Down(Option<Duration>, Option<Sender<io::Result<()>>>),
    Up(Option<Sender<io::Result<()>>>),
    Stop,
}

/// The port, and whether anybody listens on it.
#[derive(Debug)]
pub(crate) struct Door {
    address: SocketAddr,
    listener: Option<TcpListener>,
    /// Bound, but never listening: keeps the port while nobody listens, so that the kernel refuses connections and
    /// gives the port to no one else.
    _anchor: TcpSocket,
}

fn bind(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    // Anchor and listener share the port.
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    Ok(socket)
}

impl Door {
    /// Takes the port and listens on it. Needs a runtime.
    pub(crate) fn new(wanted: SocketAddr) -> io::Result<Self> {
        // Sharing would also let a second emulator in at the same fixed port: ask for it alone first.
        drop(std::net::TcpListener::bind(wanted)?);
        let anchor = bind(wanted)?;
        let mut door = Self { address: anchor.local_addr()?, listener: None, _anchor: anchor };
        door.open()?;
        Ok(door)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    fn open(&mut self) -> io::Result<()> {
        if self.listener.is_none() {
            self.listener = Some(bind(self.address)?.listen(1024)?);
        }
        Ok(())
    }

    fn shut(&mut self) -> io::Result<()> {
        match self.listener.take() {
            Some(listener) => Ok(rustix::net::shutdown(&listener, rustix::net::Shutdown::Both)?),
            None => Ok(()),
        }
    }

    async fn accept(&self) -> io::Result<TcpStream> {
        match &self.listener {
            Some(listener) => listener.accept().await.map(|(stream, _)| stream),
            None => std::future::pending().await,
        }
    }
}

/// Runs until it is told to stop or cannot go on.
pub(crate) async fn run(
    shared: Arc<Shared>,
    mut door: Door,
    tls: Option<Arc<ServerConfig>>,
    mut commands: UnboundedReceiver<Command>,
) -> io::Result<()> {
    let acceptor = tls.map(TlsAcceptor::from);
    let mut connections = JoinSet::new();
    let mut back_at = None;
    loop {
        tokio::select! {
            command = commands.recv() => match command {
                None | Some(Command::Stop) => return Ok(()),
                Some(Command::Down(span, done)) => {
                    let result = door.shut();
                    // Those who are connected are cut off before the door is reported shut.
                    connections.shutdown().await;
                    back_at = span.map(|span| Instant::now() + span);
                    report(done, result)?;
                }
                Some(Command::Up(done)) => {
                    back_at = None;
                    report(done, door.open())?;
                }
            },
            () = wait_until(back_at), if back_at.is_some() => {
                back_at = None;
                door.open()?;
            }
            accepted = door.accept() => if let Ok(stream) = accepted {
                shared.log.connected();
                connections.spawn(connect(Arc::clone(&shared), stream, acceptor.clone()));
            },
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
}

/// Tells whoever asked how it went; a failure that nobody asked about ends the emulator.
fn report(done: Option<Sender<io::Result<()>>>, result: io::Result<()>) -> io::Result<()> {
    match done {
        // Whoever asked may have stopped waiting.
        Some(done) => drop(done.send(result)),
        None => result?,
    }
    Ok(())
}

async fn wait_until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

async fn connect(shared: Arc<Shared>, stream: TcpStream, acceptor: Option<TlsAcceptor>) {
    // Drips must leave byte by byte.
    let _ = stream.set_nodelay(true);
    match acceptor {
        None => serve(&shared, stream).await,
        Some(acceptor) => match acceptor.accept(stream).await {
            Ok(stream) => serve(&shared, stream).await,
            Err(_) => shared.log.handshake_failed(),
        },
    }
}
