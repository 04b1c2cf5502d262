//! The helper's side: reads one order from standard input and carries it out. It believes its own configuration and keys,
//! and nobody who asks.

use std::io::{Error, ErrorKind};
use std::path::Path;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::memory::Memory;
use super::{Item, MAX_LINE, Order, Outcome, REMOVE, parse};
use crate::core::accept::verdict::{Refused, Terms, Verdict, weigh};
use crate::core::clock::trust::{self, Known};
use crate::core::config::{AbsolutePath, ClockTrust, Config, TrustMode};
use crate::core::device::duid::{self, Source};
use crate::core::engine::FileContent;
use crate::core::license::document;
use crate::core::license::document::Serial;
use crate::core::license::json::MAX_BYTES;
use crate::core::license::keys::KeyRing;
use crate::core::license::verify::{Authentic, Verifier};
use crate::core::time::WallTime;
use crate::edge::config_file::{self, InForce, Loaded};
use crate::edge::dirs::Places;
use crate::edge::file::{license, trusted};
use crate::edge::netifyd::reload;
use crate::edge::secret::{self, Secret};
use crate::edge::{clock, device, last_good, reason, trusted_keys};

/// Why an order is not carried out.
const FOR_ROOT: &str = "only root may have this done; run the command as root";
/// Longest time for an order to arrive.
const PATIENCE: Duration = Duration::from_secs(5);
/// Largest certificate file in bytes.
const MAX_PEM: usize = 1024 * 1024;

/// Carries out the order on standard input.
pub async fn serve(path: Option<&Path>) -> Outcome {
    obey(path).await.unwrap_or_else(|error| Outcome::Failed { error })
}

async fn obey(path: Option<&Path>) -> Result<Outcome, String> {
    let asked_by_root = is_root();
    let order = read_order()?;
    if !asked_by_root && matches!(order, Order::Allow(_) | Order::Repin) {
        return Err(FOR_ROOT.to_owned());
    }
    let places = Places { installer: None, helper: None, ..Places::from_environment() };
    let in_force = config_file::in_force_by(Loaded::keys, path, &places.state).map_err(|error| error.to_string())?;
    if let Some(good) = &in_force.to_keep {
        // Without it this order can be carried out all the same.
        let _ = last_good::keep(&places.state, good);
    }
    let helper = Helper { config: &in_force.config, memory: Memory::new(&places), places, asked_by_root };
    match order {
        Order::Install { bytes, modified } => helper.install(&in_force.keys, &bytes, modified).await,
        Order::Remove => helper.remove().await,
        Order::Reload { serial, is_asked } => helper.reload(serial, is_asked).await,
        Order::Identify => Ok(helper.identify().await),
        Order::Machine => Ok(Outcome::Machine { machine: device::machine() }),
        Order::Read(item) => helper.read(&in_force, item),
        Order::Ping => Ok(Outcome::Pong {
            configuration: in_force.digest(),
            refused: in_force.refused.map(|error| error.to_string()),
        }),
        Order::Allow(what) => helper.memory.allow(&what).map(|()| Outcome::Done),
        Order::Repin => helper.repin().await,
    }
}

/// Whether root is at the other end of the socket. Without a socket whoever runs this program is.
fn is_root() -> bool {
    let peer = rustix::net::sockopt::socket_peercred(std::io::stdin()).map(|peer| peer.uid.as_raw());
    let own = rustix::process::geteuid().as_raw();
    peer.map_or(true, |peer| peer == 0 || peer == own)
}

fn read_order() -> Result<Order, String> {
    let text = read_within(PATIENCE, MAX_LINE + MAX_BYTES + 1);
    parse(&text.map_err(|error| format!("the order cannot be read: {}", reason(&error)))?)
}

/// What arrives on standard input until its end, at most so many bytes, in this time.
fn read_within(time: Duration, most: usize) -> std::io::Result<Vec<u8>> {
    let (stdin, deadline) = (std::io::stdin(), Instant::now() + time);
    let (mut text, mut buffer) = (Vec::new(), [0; 8_192]);
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).map_err(|_| Error::from(ErrorKind::TimedOut))?;
        if poll(&mut [PollFd::new(&stdin, PollFlags::IN)], Some(&timeout))? == 0 {
            return Err(ErrorKind::TimedOut.into());
        }
        let read = rustix::io::read(&stdin, &mut buffer)?;
        text.extend_from_slice(&buffer[..read]);
        if read == 0 {
            return Ok(text);
        }
        if text.len() > most {
            return Err(Error::other("it is too long"));
        }
    }
}

struct Helper<'a> {
    config: &'a Config,
    memory: Memory,
    places: Places,
    asked_by_root: bool,
}

impl Helper<'_> {
    async fn install(&self, keys: &KeyRing, bytes: &[u8], modified: Option<i64>) -> Result<Outcome, String> {
        let _lock = self.memory.write_lock().await?;
        let verifier = self.verifier(keys, bytes).await;
        let license = verifier
            .check(bytes)
            .map_err(|rejection| format!("the license is {}: {}", rejection.state, rejection.reason))?;
        let target = self.config.license.path.as_path();
        let installed = match license::read(target) {
            FileContent::Bytes(bytes) => verifier.check(&bytes).ok(),
            FileContent::Missing | FileContent::Unreadable(_) => None,
        };
        self.weigh(&license, installed.as_ref())?;
        license::install(target, &license, modified)?;
        if let Some(duid) = license.license().duid.as_deref().filter(|_| self.memory.pinned(self.config).is_none()) {
            // The license is in place, and the next one pins as well.
            let _ = self.memory.pin(self.config, duid);
        }
        Ok(Outcome::Done)
    }

    async fn remove(&self) -> Result<Outcome, String> {
        let _lock = self.memory.write_lock().await?;
        if !self.asked_by_root && !self.memory.is_allowed(REMOVE) {
            return Err(FOR_ROOT.to_owned());
        }
        self.memory.forget_allowed()?;
        license::remove(self.config.license.path.as_path()).map(|()| Outcome::Done)
    }

    /// Refuses what would leave the device with less than it has. A change for another license that is as genuine is the
    /// daemon's to wait with. Where signatures are not checked, nothing can be weighed that a taken-over daemon has not
    /// made itself.
    fn weigh(&self, license: &Authentic, installed: Option<&Authentic>) -> Result<(), String> {
        let now = self.now(license);
        let force = self.asked_by_root || self.memory.is_allowed(license.sha256());
        let configured = self.config.license.serial.as_ref().map(Serial::as_str);
        let is_usable = installed.is_some_and(|installed| installed.state(now).is_usable());
        match weigh(license, &Terms { installed, configured, asked: None, now, force }) {
            // A license that has ended is put back by the daemon where a broken one lies: that is no loss.
            Verdict::Refused(Refused::Expired { .. } | Refused::NotYetValid { .. }) if !is_usable => Ok(()),
            Verdict::Refused(why) => Err(format!("the license is refused: {why}")),
            Verdict::Worse(difference) if self.config.trust.mode == TrustMode::Signature && !force => {
                Err(format!("the installed license is worth more: {difference}; root may use `install --force`"))
            }
            Verdict::Worse(_) | Verdict::Same | Verdict::Better(_) | Verdict::Changed(_) => Ok(()),
        }
    }

    /// The time, if this clock can be believed.
    fn now(&self, license: &Authentic) -> Option<WallTime> {
        let moment = clock::moment();
        let known = Known { last_good: None, created_at: license.license().created_at };
        let always = self.config.clock.trust == ClockTrust::Always;
        trust::judge(moment.now, &moment.evidence, &known, always).trusted.then_some(moment.now.wall)
    }

    async fn verifier(&self, keys: &KeyRing, bytes: &[u8]) -> Verifier {
        let duid = match self.memory.pinned(self.config) {
            Some(pinned) => Some(pinned),
            // No interface is seen here, so its address cannot be told from another's: the first license decides.
            None if self.is_by_interface() => document::parse(bytes).ok().and_then(|document| document.license.duid),
            None => self.device().await,
        };
        Verifier {
            keys: (self.config.trust.mode == TrustMode::Signature).then(|| keys.clone()),
            duid,
            require_device_binding: self.config.trust.require_device_binding,
        }
    }

    fn is_by_interface(&self) -> bool {
        let device = &self.config.device;
        let is_set = device.duid.is_some() || device.duid_file.is_some() || device.duid_command.is_some();
        !is_set && device.sources.iter().any(|source| matches!(source.source(), Source::Mac(_)))
    }

    /// The device id as it is read now.
    async fn device(&self) -> Option<String> {
        let judged = duid::judge(&device::readings(self.config, false).await);
        duid::winner(&judged).map(|(duid, _)| duid.to_owned())
    }

    async fn identify(&self) -> Outcome {
        let readings = device::readings(self.config, false).await;
        let source =
            |reading: duid::Reading| (reading.source.to_string(), reading.content.map(|id| STANDARD.encode(id)));
        Outcome::Readings { sources: readings.into_iter().map(source).collect() }
    }

    async fn repin(&self) -> Result<Outcome, String> {
        if self.is_by_interface() {
            // Not to be read here: the next license pins.
            return self.memory.forget_pin().map(|()| Outcome::Done);
        }
        let duid = self.device().await.ok_or("no source gives a device id; `netify-licensed duid --all` says why")?;
        self.memory.pin(self.config, &duid).map(|()| Outcome::Done)
    }

    async fn reload(&self, serial: Option<Serial>, is_asked: bool) -> Result<Outcome, String> {
        let longest = self.config.reload.timeout.duration();
        let _lock = self.memory.reload_lock(longest).await?;
        // A netifyd that was asked is only waited for.
        if !self.asked_by_root && !is_asked {
            tokio::time::sleep(self.memory.begin_reload()?).await;
        }
        let report = reload::reload(self.config, serial.as_ref().map(Serial::as_str), is_asked).await;
        Ok(Outcome::Reloaded { report })
    }

    fn read(&self, in_force: &InForce, item: Item) -> Result<Outcome, String> {
        let hub = &self.config.hub;
        let secret = |file: &Option<AbsolutePath>, read: fn(&Places, &AbsolutePath) -> Result<Secret, String>| {
            let file = file.as_ref().ok_or_else(|| format!("no {} is set", item.word()))?;
            read(&self.places, file).map(|secret| Outcome::content(secret.expose()))
        };
        let public = |file: &Option<AbsolutePath>| {
            let file = file.as_ref().ok_or_else(|| format!("no {} is set", item.word()))?.as_path();
            let content = trusted::read(file, MAX_PEM);
            content
                .map(|content| Outcome::content(&content))
                .map_err(|refused| format!("{}: {}", file.display(), refused.clause()))
        };
        match item {
            Item::License => Ok(match license::read(self.config.license.path.as_path()) {
                FileContent::Bytes(bytes) => Outcome::content(&bytes),
                FileContent::Missing => Outcome::Missing,
                FileContent::Unreadable(error) => Outcome::Unreadable { error },
            }),
            Item::Configuration => Ok(Outcome::content(in_force.text.as_bytes())),
            Item::Keys => {
                let files = trusted_keys::files(self.config).into_iter();
                let files = files.map(|(path, key)| (path, key.map(|bytes| STANDARD.encode(bytes))));
                Ok(Outcome::Keys { files: files.collect() })
            }
            Item::ApiKey => secret(&hub.api_key_file, secret::token),
            Item::Password => secret(&hub.password_file, secret::password),
            Item::BearerToken => secret(&hub.bearer_token_file, secret::token),
            Item::ClientKey => secret(&hub.client_key, secret::private_key),
            Item::CaFile => public(&hub.ca_file),
            Item::ClientCert => public(&hub.client_cert),
        }
    }
}
