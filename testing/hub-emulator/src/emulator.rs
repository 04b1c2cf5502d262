//! The handle that tests hold.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc::unbounded_channel;

use crate::endpoint::{Endpoint, RelayPath};
use crate::fault::Fault;
use crate::hub::Hub;
use crate::license::LicenseSpec;
use crate::log::{LoggedRequest, RequestLog};
use crate::options::Options;
use crate::rule::{FaultQueue, FaultRule};
use crate::server::{self, Command, Door};
use crate::shared::Shared;
use crate::signer::SigningKey;
use crate::sync::lock;
use crate::tls::{self, TlsMaterial};

/// Why an emulator did not start.
#[derive(Debug)]
pub enum StartError {
    /// Only loopback addresses are served: the emulator has no business on a network.
    NotLoopback(SocketAddr),
    /// The address could not be bound, or the thread not started.
    Io(SocketAddr, io::Error),
    /// The certificates could not be made.
    Tls(String),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotLoopback(address) => {
                write!(f, "{address} is not a loopback address; use 127.0.0.1 or [::1]")
            }
            Self::Io(address, error) => write!(f, "cannot listen on {address}: {error}"),
            Self::Tls(error) => write!(f, "cannot set up TLS: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

/// A running emulator; it stops when this is dropped.
pub struct HubEmulator {
    shared: Arc<Shared>,
    address: SocketAddr,
    tls: Option<TlsMaterial>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl fmt::Debug for HubEmulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HubEmulator").field("url", &self.url()).finish_non_exhaustive()
    }
}

impl HubEmulator {
    /// Starts an emulator on a thread of its own.
    ///
    /// # Panics
    /// When it cannot start; [`HubEmulator::try_start`] returns the reason instead.
    #[must_use]
    pub fn start(options: Options) -> Self {
        Self::try_start(options).expect("the hub emulator starts")
    }

    /// Starts an emulator on a thread of its own.
    pub fn try_start(options: Options) -> Result<Self, StartError> {
        let wanted = options.listen;
        if !wanted.ip().is_loopback() {
            return Err(StartError::NotLoopback(wanted));
        }
        let io = |error| StartError::Io(wanted, error);
        let (config, material) = match options.tls {
            None => (None, None),
            Some(tls) => {
                let (config, material) = tls::prepare(tls).map_err(|error| StartError::Tls(error.to_string()))?;
                (Some(config), Some(material))
            }
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build().map_err(io)?;
        let door = {
            let _entered = runtime.enter();
            Door::new(wanted).map_err(io)?
        };
        let address = door.address();
        let (commands, inbox) = unbounded_channel();
        let shared = Arc::new(Shared {
            hub: Mutex::new(Hub::new(options)),
            faults: Mutex::new(FaultQueue::default()),
            log: RequestLog::default(),
            commands,
        });
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("hub-emulator".to_owned())
            .spawn(move || runtime.block_on(server::run(theirs, door, config, inbox)))
            .map_err(io)?;
        Ok(Self { shared, address, tls: material, thread: Some(thread) })
    }

    /// `http://127.0.0.1:PORT`
    #[must_use]
    pub fn origin(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// The base URL of the API, as in `hub.url`: `http://127.0.0.1:PORT/api/v2/integrator`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}{}", self.origin(), lock(&self.shared.hub).options.base_path)
    }

    /// The URL of a relay path.
    #[must_use]
    pub fn relay_url(&self, path: RelayPath) -> String {
        format!("{}{}", self.origin(), path.path())
    }

    /// The address of the listener.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The authority and client certificate, if TLS is on.
    #[must_use]
    pub fn tls(&self) -> Option<&TlsMaterial> {
        self.tls.as_ref()
    }

    /// The secret of the first API key.
    #[must_use]
    pub fn api_key(&self) -> String {
        lock(&self.shared.hub).first_key()
    }

    /// The key that signs licenses.
    #[must_use]
    pub fn signing_key(&self) -> SigningKey {
        lock(&self.shared.hub).key.clone()
    }

    /// The public half, as a file in `trust.keys` holds it.
    #[must_use]
    pub fn public_key_pem(&self) -> String {
        self.signing_key().public_key_pem()
    }

    /// Signs with another key from now on.
    pub fn set_signing_key(&self, key: SigningKey) {
        lock(&self.shared.hub).key = key;
    }

    /// The license as the hub would send it in netifyd format, compact.
    #[must_use]
    pub fn sign(&self, spec: &LicenseSpec) -> String {
        spec.to_json(&self.signing_key(), crate::Format::Netifyd, crate::BodyStyle::Compact)
    }

    /// Adds a license of the first API key, in place of one with the same serial.
    pub fn add_license(&self, spec: LicenseSpec) {
        let owner = self.api_key();
        self.add_license_of(owner, spec);
    }

    /// Adds a license of this API key.
    pub fn add_license_of(&self, api_key: impl Into<String>, spec: LicenseSpec) {
        lock(&self.shared.hub).add(api_key.into(), spec);
    }

    /// All licenses, of all keys.
    #[must_use]
    pub fn licenses(&self) -> Vec<LicenseSpec> {
        lock(&self.shared.hub).licenses.iter().map(|held| held.spec.clone()).collect()
    }

    /// One license.
    #[must_use]
    pub fn license(&self, serial: &str) -> Option<LicenseSpec> {
        lock(&self.shared.hub).find(serial).cloned()
    }

    /// Renews a license at the hub, without any request. `false`: there is none with this serial.
    #[must_use]
    pub fn renew_license(&self, serial: &str) -> bool {
        lock(&self.shared.hub).renew_now(serial)
    }

    /// Removes a license. `false`: there was none with this serial.
    #[must_use]
    pub fn remove_license(&self, serial: &str) -> bool {
        let mut hub = lock(&self.shared.hub);
        let before = hub.licenses.len();
        hub.licenses.retain(|held| held.spec.serial != serial);
        hub.licenses.len() < before
    }

    /// Orders a fault for the next request of an endpoint.
    pub fn fault(&self, endpoint: Endpoint, fault: Fault) {
        self.rule(FaultRule::once(endpoint, fault));
    }

    /// Orders a fault.
    pub fn rule(&self, rule: FaultRule) {
        lock(&self.shared.faults).push(rule);
    }

    /// Cancels all faults.
    pub fn clear_faults(&self) {
        lock(&self.shared.faults).clear();
    }

    /// The rules that have not run out.
    #[must_use]
    pub fn faults(&self) -> Vec<FaultRule> {
        lock(&self.shared.faults).rules().to_vec()
    }

    /// Refuses connections, and cuts those there are, until called with `false`; in force when this returns.
    ///
    /// # Panics
    /// When the listener cannot be had back, or its thread has died.
    pub fn set_down(&self, down: bool) {
        self.command(|done| if down { Command::Down(None, Some(done)) } else { Command::Up(Some(done)) });
    }

    /// Refuses connections for a while; in force when this returns.
    ///
    /// # Panics
    /// When the listener's thread has died.
    pub fn down_for(&self, span: Duration) {
        self.command(|done| Command::Down(Some(span), Some(done)));
    }

    fn command(&self, command: impl FnOnce(mpsc::Sender<io::Result<()>>) -> Command) {
        let (done, wait) = mpsc::channel();
        let sent = self.shared.commands.send(command(done));
        sent.expect("the listener runs");
        wait.recv().expect("the listener runs").expect("the listener obeys");
    }

    /// Changes options while running; `listen`, `tls`, and the seeds have had their effect already.
    pub fn reconfigure(&self, change: impl FnOnce(&mut Options)) {
        change(&mut lock(&self.shared.hub).options);
    }

    /// The last 10,000 requests, the oldest first.
    #[must_use]
    pub fn requests(&self) -> Vec<LoggedRequest> {
        self.shared.log.all()
    }

    /// Those for one endpoint.
    #[must_use]
    pub fn requests_for(&self, endpoint: Endpoint) -> Vec<LoggedRequest> {
        self.requests().into_iter().filter(|entry| endpoint.covers(entry.endpoint)).collect()
    }

    /// How many requests an endpoint has seen.
    #[must_use]
    pub fn count(&self, endpoint: Endpoint) -> u64 {
        self.shared.log.count(endpoint)
    }

    /// Forgets all requests and counts them from zero.
    pub fn clear_requests(&self) {
        self.shared.log.clear();
    }

    /// How many connections were accepted.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.shared.log.connections()
    }

    /// How many TLS handshakes failed.
    #[must_use]
    pub fn failed_handshakes(&self) -> u64 {
        self.shared.log.failed_handshakes()
    }

    /// Waits until an endpoint has seen `count` requests. `false`: not within the time.
    #[must_use]
    pub fn wait_for(&self, endpoint: Endpoint, count: u64, timeout: Duration) -> bool {
        self.shared.log.wait_seen(endpoint, count, timeout)
    }

    /// Waits until `count` requests of an endpoint have been answered, or dropped. `false`: not within the time.
    #[must_use]
    pub fn wait_for_answers(&self, endpoint: Endpoint, count: u64, timeout: Duration) -> bool {
        self.shared.log.wait_done(endpoint, count, timeout)
    }

    /// Waits until `count` connections have been accepted. `false`: not within the time.
    #[must_use]
    pub fn wait_for_connections(&self, count: u64, timeout: Duration) -> bool {
        self.shared.log.wait_connections(count, timeout)
    }

    /// Waits until `count` TLS handshakes have failed. `false`: not within the time.
    #[must_use]
    pub fn wait_for_failed_handshakes(&self, count: u64, timeout: Duration) -> bool {
        self.shared.log.wait_failed_handshakes(count, timeout)
    }

    /// Runs until the listener ends, for programs that do nothing else.
    pub fn join(mut self) -> io::Result<()> {
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(ended)) => ended,
            Some(Err(_)) => Err(io::Error::other("the emulator's thread panicked")),
            None => Ok(()),
        }
    }
}

impl Drop for HubEmulator {
    fn drop(&mut self) {
        let _ = self.shared.commands.send(Command::Stop);
        if let Some(thread) = self.thread.take() {
            // Nothing useful can be done about a failure while dropping.
            let _ = thread.join();
        }
    }
}
