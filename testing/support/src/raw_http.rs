//! A loopback HTTP server with hand-written answers: a second opinion that shares no code with the hub emulator.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::raw_message::{Afterwards, RawAnswer, RawRequest};

type Answering = dyn Fn(&RawRequest, usize) -> RawAnswer + Send + Sync;

#[derive(Default)]
struct State {
    requests: Vec<RawRequest>,
    /// Clones of what is open, so that drop can close it.
    open: HashMap<SocketAddr, TcpStream>,
    stopped: bool,
}

struct Shared {
    state: Mutex<State>,
    arrived: Condvar,
    answering: Box<Answering>,
}

/// The server; it ends, with all its connections, on drop.
pub struct RawServer {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl fmt::Debug for RawServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawServer").field("address", &self.address).finish_non_exhaustive()
    }
}

impl RawServer {
    /// Answers the first request with the first answer, and so on; the last answer is repeated for ever, and an
    /// empty list cuts every connection.
    pub fn start(answers: Vec<RawAnswer>) -> io::Result<Self> {
        Self::with(move |_, index| answers.get(index).or(answers.last()).cloned().unwrap_or_else(RawAnswer::cut))
    }

    /// Answers every request as `answering` says; its second argument counts the requests before this one.
    /// Requests on several connections are answered at the same time.
    pub fn with(answering: impl Fn(&RawRequest, usize) -> RawAnswer + Send + Sync + 'static) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let shared =
            Arc::new(Shared { state: Mutex::default(), arrived: Condvar::new(), answering: Box::new(answering) });
        let acceptor = Arc::clone(&shared);
        thread::spawn(move || accept(&listener, &acceptor));
        Ok(Self { address, shared })
    }

    /// Address and port, on 127.0.0.1.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:PORT` followed by `path` (which starts with a slash, or is empty).
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// All requests so far, in the order of their arrival.
    #[must_use]
    pub fn requests(&self) -> Vec<RawRequest> {
        crate::lock(&self.shared.state).requests.clone()
    }

    /// Waits until at least `count` requests have arrived and returns all of them. To show that nothing more
    /// comes, wait for one more and expect `TimedOut`.
    pub fn wait_for_requests(&self, count: usize, timeout: Duration) -> io::Result<Vec<RawRequest>> {
        let deadline = Instant::now() + timeout;
        let mut state = crate::lock(&self.shared.state);
        while state.requests.len() < count {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let seen: Vec<String> = state.requests.iter().map(|r| format!("{} {}", r.method, r.target)).collect();
                let text = format!("not {count} requests within {timeout:?}, only {seen:?}");
                return Err(io::Error::new(io::ErrorKind::TimedOut, text));
            }
            state = match self.shared.arrived.wait_timeout(state, left) {
                Ok((state, _)) => state,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
        Ok(state.requests.clone())
    }
}

impl Drop for RawServer {
    fn drop(&mut self) {
        let mut state = crate::lock(&self.shared.state);
        state.stopped = true;
        for (_, connection) in state.open.drain() {
            // An error here means that the client was faster.
            let _ = connection.shutdown(Shutdown::Both);
        }
        drop(state);
        // One last connection, so that the acceptor looks up and sees that it is over.
        let _ = TcpStream::connect(self.address);
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for connection in listener.incoming() {
        let Ok(connection) = connection else { continue };
        let (Ok(client), Ok(clone)) = (connection.peer_addr(), connection.try_clone()) else {
            continue;
        };
        let mut state = crate::lock(&shared.state);
        if state.stopped {
            return;
        }
        state.open.insert(client, clone);
        drop(state);
        let shared = Arc::clone(shared);
        // A client that cuts its connection is an ordinary thing for a test.
        thread::spawn(move || {
            let _ = converse(&connection, &shared);
            // Forgotten before it is closed: afterwards the port may be another client's.
            crate::lock(&shared.state).open.remove(&client);
            let _ = connection.shutdown(Shutdown::Both);
        });
    }
}

fn converse(connection: &TcpStream, shared: &Shared) -> io::Result<()> {
    let mut source = BufReader::new(connection);
    let mut sink = connection;
    while let Some(request) = RawRequest::read(&mut source)? {
        let index = {
            let mut state = crate::lock(&shared.state);
            state.requests.push(request.clone());
            state.requests.len() - 1
        };
        shared.arrived.notify_all();
        let answer = (shared.answering)(&request, index);
        thread::sleep(answer.delay);
        sink.write_all(&answer.bytes)?;
        match answer.afterwards {
            Afterwards::ReadNext => {}
            Afterwards::Close => break,
            Afterwards::Hang => {
                source.read_to_end(&mut Vec::new())?;
                break;
            }
        }
    }
    Ok(())
}
