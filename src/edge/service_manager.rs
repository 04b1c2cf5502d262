//! What the service manager is told (`sd_notify(3)`). Without one, nothing happens.

use std::time::Duration;

use sd_notify::NotifyState;

/// Whether systemd started this process as a service (systemd.exec(5), `$INVOCATION_ID`).
#[must_use]
pub fn is_service() -> bool {
    std::env::var_os("INVOCATION_ID").is_some()
}

/// Start-up is done.
pub fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// One line for `systemctl status`.
pub fn status(status: &str) {
    tell(&[NotifyState::Status(status)]);
}

/// The configuration is read again.
pub fn reloading() {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    #[allow(clippy::useless_conversion)]
    let micros = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1_000;
    let stamp = format!("MONOTONIC_USEC={micros}");
    tell(&[NotifyState::Reloading, NotifyState::Custom(&stamp)]);
}

/// The end begins.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// The loop is alive.
pub fn alive() {
    tell(&[NotifyState::Watchdog]);
}

/// Whether systemd manages this machine (`sd_booted(3)`).
#[must_use]
pub fn is_systemd() -> bool {
    std::path::Path::new("/run/systemd/system").is_dir()
}

/// How often the service manager wants to hear that, halved; [`None`] without a watchdog.
#[must_use]
pub fn watchdog_interval() -> Option<Duration> {
    let timeout = sd_notify::watchdog_enabled()?;
    Some(timeout / 2)
}

fn tell(states: &[NotifyState<'_>]) {
    // Nobody listens, or it went away: the service manager notices by itself.
    let _ = sd_notify::notify(states);
}
