//! What the helper keeps by itself: its pin, what root allowed, when it last reloaded. Its directories are root's alone,
//! so nothing in them was written by the daemon's user.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::core::config::Config;
use crate::core::device::pin::Machine;
use crate::core::text::hex;
use crate::core::time::{MINUTE, Millis};
use crate::edge::dirs::Places;
use crate::edge::file::lock::{self, Lock, LockError};
use crate::edge::file::{open, state};
use crate::edge::{clock, device};

/// Largest file in bytes.
const MAX: usize = 64 * 1024;
/// How long root's word on a license counts, in milliseconds: the daemon has yet to ask for it.
const ALLOWED: Millis = 10 * MINUTE;
/// Least time from one reload to the next that the daemon asks for: netifyd loads for a while each time.
const PAUSE: Millis = 10_000;
/// Longest wait for another order that writes.
const PATIENCE: Duration = Duration::from_secs(10);

/// The device that licenses are for, made by the first accepted license that names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// The device id.
    pub duid: String,
    /// SHA-256 of the configuration's section `[device]`: a change of it chooses anew.
    pub settings: String,
    /// The machine that the disk was in: a copied disk is another device.
    #[serde(default)]
    pub machine: Machine,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Session {
    /// The boot that the times are of.
    boot_id: String,
    /// What root allows, and when: the SHA-256 of a license, or the removal.
    allowed: Option<(String, Millis)>,
    /// When the last reload began.
    reloaded_at: Option<Millis>,
}

/// The files.
#[derive(Debug, Clone)]
pub struct Memory {
    pin: PathBuf,
    session: PathBuf,
    lock: PathBuf,
    reload_lock: PathBuf,
}

impl Memory {
    /// In these directories, which the unit makes for the helper alone.
    #[must_use]
    pub fn new(places: &Places) -> Self {
        Self {
            pin: places.state.join("helper-pin.json"),
            session: places.runtime.join("helper-session.json"),
            lock: places.runtime.join("helper-lock"),
            reload_lock: places.runtime.join("helper-reload-lock"),
        }
    }

    /// One order that writes at a time.
    pub async fn write_lock(&self) -> Result<Lock, String> {
        taken(lock::take_waiting(&self.lock, "helper", PATIENCE).await)
    }

    /// One reload at a time; the second one waits as long as the first may take.
    pub async fn reload_lock(&self, longest: Duration) -> Result<Lock, String> {
        taken(lock::take_waiting(&self.reload_lock, "helper", longest).await)
    }

    /// The pinned device; none where the configuration's section `[device]` is another one by now, and on a copied disk.
    #[must_use]
    pub fn pinned(&self, config: &Config) -> Option<String> {
        let pin: Pin = serde_json::from_slice(&open::read_own(&self.pin, MAX).ok()?).ok()?;
        (pin.settings == settings(config) && !device::machine().is_other_than(&pin.machine)).then_some(pin.duid)
    }

    /// Pins a device.
    pub fn pin(&self, config: &Config, duid: &str) -> Result<(), String> {
        let pin = Pin { duid: duid.to_owned(), settings: settings(config), machine: device::machine() };
        let text = serde_json::to_vec(&pin).map_err(|error| error.to_string())?;
        state::write(&self.pin, &text, 0o600, true)
    }

    /// The next license that is accepted and names a device pins it.
    pub fn forget_pin(&self) -> Result<(), String> {
        state::remove(&self.pin)
    }

    /// Notes what root wants to have done.
    pub fn allow(&self, sha256: &str) -> Result<(), String> {
        let mut session = self.session();
        session.allowed = Some((sha256.to_owned(), clock::now().boot.0));
        self.save(&session)
    }

    /// Whether root wants this done.
    #[must_use]
    pub fn is_allowed(&self, what: &str) -> bool {
        let now = clock::now().boot.0;
        self.session().allowed.is_some_and(|(known, at)| known == what && (0..ALLOWED).contains(&(now - at)))
    }

    /// It was done: it is not done a second time.
    pub fn forget_allowed(&self) -> Result<(), String> {
        self.save(&Session { allowed: None, ..self.session() })
    }

    /// How long to wait before the next reload; notes that it begins then.
    pub fn begin_reload(&self) -> Result<Duration, String> {
        let mut session = self.session();
        let now = clock::now().boot.0;
        let begin = session.reloaded_at.map_or(now, |last| now.max(last + PAUSE)).min(now + PAUSE);
        session.reloaded_at = Some(begin);
        self.save(&session)?;
        Ok(Duration::from_millis((begin - now).unsigned_abs()))
    }

    fn session(&self) -> Session {
        let read = open::read_own(&self.session, MAX).ok().and_then(|text| serde_json::from_slice(&text).ok());
        read.filter(|session: &Session| session.boot_id == clock::boot_id()).unwrap_or_default()
    }

    fn save(&self, session: &Session) -> Result<(), String> {
        let session = Session { boot_id: clock::boot_id(), ..session.clone() };
        let text = serde_json::to_vec(&session).map_err(|error| error.to_string())?;
        state::write(&self.session, &text, 0o600, false)
    }
}

fn taken(lock: Result<Lock, LockError>) -> Result<Lock, String> {
    lock.map_err(|error| match error {
        LockError::Held(_) => "another order is under way; try again".to_owned(),
        LockError::Failed(sentence) => sentence,
    })
}

fn settings(config: &Config) -> String {
    hex(&Sha256::digest(serde_json::to_vec(&config.device).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory() -> (impl Sized, Memory) {
        let directory = test_support::temp_dir().expect("a directory");
        let places = Places {
            runtime: directory.path().join("run"),
            state: directory.path().join("state"),
            ..Places::from_environment()
        };
        let memory = Memory::new(&places);
        (directory, memory)
    }

    #[test]
    fn a_pin_stays_until_the_configuration_chooses_anew() {
        let (_directory, memory) = memory();
        let mut config = Config::default();
        assert_eq!(memory.pinned(&config), None);
        memory.pin(&config, "D-1").expect("written");
        assert_eq!(memory.pinned(&config).as_deref(), Some("D-1"));
        config.device.duid = Some("D-2".to_owned());
        assert_eq!(memory.pinned(&config), None);
    }

    #[test]
    fn root_s_word_is_for_one_thing_and_once() {
        let (_directory, memory) = memory();
        assert!(!memory.is_allowed("a"));
        memory.allow("a").expect("written");
        assert!(memory.is_allowed("a") && !memory.is_allowed("b"));
        memory.forget_allowed().expect("written");
        assert!(!memory.is_allowed("a"));
    }

    #[test]
    fn reloads_are_ten_seconds_apart() {
        let (_directory, memory) = memory();
        assert_eq!(memory.begin_reload(), Ok(Duration::ZERO));
        let wait = memory.begin_reload().expect("noted");
        assert!(wait > Duration::from_secs(5) && wait <= Duration::from_secs(10), "{wait:?}");
    }
}
