//! Whether netifyd runs, and what it says of itself.

use std::fs::File;
use std::io::Result;
use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

use super::process::{Netifyd, NotFound};
use super::reload::Attempt;
use super::{procd, socket, systemd};
use crate::core::config::{Config, ReloadMethod};
use crate::core::netifyd::{NetifydStatus, own_words};
use crate::edge::clock;
use crate::edge::file::open;

/// Longest time for a service manager to answer.
const ANSWER: Duration = Duration::from_secs(5);
/// Largest status.json that is read, in bytes: it has a part for each network interface.
const LARGEST: usize = 256 * 1024;
/// netifyd holds its lock for as long as one write takes.
const LOCKED: (u32, Duration) = (10, Duration::from_millis(20));

/// Looks at netifyd. What cannot be seen stays unknown.
pub async fn look(config: &Config) -> NetifydStatus {
    let attempt = Attempt { settings: &config.reload, deadline: Instant::now() + ANSWER };
    let (runs, process) = running(attempt).await;
    if runs == Some(false) {
        return NetifydStatus { running: runs, ..NetifydStatus::default() };
    }
    let age = process.and_then(|process| process.age()).and_then(|age| i64::try_from(age.as_millis()).ok());
    let seen = match read(&config.netifyd_files.status).await {
        Ok(bytes) => own_words(&bytes, clock::now().wall, age),
        Err(_) => NetifydStatus::default(),
    };
    NetifydStatus { running: runs, ..seen }
}

/// Whether it runs, where that is known, and its process.
async fn running(attempt: Attempt<'_>) -> (Option<bool>, Option<Netifyd>) {
    let found = Netifyd::find(attempt.settings);
    let is_gone = matches!(found, Err(NotFound::Gone(_)));
    if let Ok(process) = found {
        return (Some(true), Some(process));
    }
    // No PID file where we look for it: the service manager knows, or the socket.
    let method = attempt.settings.method;
    let is_auto = method == ReloadMethod::Auto;
    if method == ReloadMethod::Systemd || is_auto && Path::new("/run/systemd/system").is_dir() {
        if let Ok(unit) = systemd::show(attempt).await
            && (unit.is_active || unit.is_installed || !is_auto)
        {
            let process = Netifyd::of_manager(unit.main_pid).ok().filter(|_| unit.is_active);
            return (Some(unit.is_active), process);
        }
        if !is_auto {
            return (None, None);
        }
    }
    let has_procd = Path::new("/sbin/procd").exists() && procd::script(attempt.settings).exists();
    if method == ReloadMethod::Procd || is_auto && has_procd {
        return (procd::runs(attempt).await.ok(), None);
    }
    if socket::listener(attempt.settings).await.is_some() {
        return (Some(true), None);
    }
    let can_tell = matches!(method, ReloadMethod::Auto | ReloadMethod::Socket | ReloadMethod::Signal);
    (is_gone.then_some(false).filter(|_| can_tell), None)
}

/// All of the file, under the lock that netifyd takes to write it.
async fn read(path: &Path) -> Result<Vec<u8>> {
    let (file, _) = open::open(path)?;
    for _ in 0..LOCKED.0 {
        match File::try_lock_shared(&file) {
            Ok(()) => break,
            Err(std::fs::TryLockError::WouldBlock) => tokio::time::sleep(LOCKED.1).await,
            Err(std::fs::TryLockError::Error(error)) => return Err(error),
        }
    }
    open::rest(file, LARGEST)
}
