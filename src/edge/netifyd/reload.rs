//! Having netifyd read its new license, and making sure that it survived that.

use super::{command, procd, signal, socket, systemd};
use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};

use super::process::{Netifyd, NotFound};
use crate::core::config::{Config, Reload, ReloadMethod};
use crate::core::engine::{ReloadOutcome, ReloadReport};

/// How long netifyd must live on after a reload to count as well.
const SURVIVES: Duration = Duration::from_secs(3);
/// How often to look for a netifyd that its supervisor brings back.
const LOOK: Duration = Duration::from_millis(200);

/// What a method brought about.
#[derive(Debug)]
pub(super) enum Asked {
    /// netifyd was asked; this is the process.
    Process(Netifyd),
    /// netifyd was asked, by somebody who knows its process better than we do.
    Unknown,
    /// There is no netifyd to ask: one clause.
    NotRunning(String),
}

/// A reload that is under way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attempt<'a> {
    pub(super) settings: &'a Reload,
    /// All of it ends here, confirmation included.
    deadline: Instant,
}

impl Attempt<'_> {
    pub(super) fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}

/// Reloads netifyd as configured and confirms it.
pub async fn reload(config: &Config, serial: Option<&str>) -> ReloadReport {
    let settings = &config.reload;
    let attempt = Attempt { settings, deadline: Instant::now() + settings.timeout.duration() };
    let method = match settings.method {
        ReloadMethod::Auto => choose(attempt).await,
        fixed => Ok(fixed),
    };
    let method = match method {
        Ok(method) => method,
        Err(outcome) => return ReloadReport { method: "auto".to_owned(), outcome },
    };
    let word = name(method, settings);
    if method == ReloadMethod::None {
        return ReloadReport { method: word, outcome: ReloadOutcome::Disabled };
    }
    // Who it was before: afterwards a process that is gone cannot be told from one that never was.
    let before = Netifyd::find(settings).ok();
    // Each of them keeps to the deadline itself, and says in its own words what was not done by then.
    let asked = match method {
        ReloadMethod::Systemd => systemd::reload(attempt).await,
        ReloadMethod::Procd => procd::reload(attempt).await,
        ReloadMethod::Socket => socket::reload(attempt).await,
        ReloadMethod::Signal => signal::reload(attempt).await,
        _ => command::reload(attempt, config.license.path.as_path(), serial).await,
    };
    let outcome = match asked {
        Err(reason) => ReloadOutcome::Failed(reason),
        Ok(asked) => timeout_at(attempt.deadline, confirm(attempt, method, asked, before)).await.unwrap_or_else(|_| {
            let limit = settings.timeout.duration().as_secs_f32();
            ReloadOutcome::Failed(format!("no confirmation within reload.timeout ({limit} s)"))
        }),
    };
    ReloadReport { method: word, outcome }
}

/// How netifyd would be reloaded now, and which process that is. Nothing is asked of it. An error is a clause with a remedy.
pub async fn prospect(config: &Config) -> Result<String, (String, String)> {
    let settings = &config.reload;
    let attempt = Attempt { settings, deadline: Instant::now() + settings.timeout.duration() };
    let method = match settings.method {
        ReloadMethod::Auto => choose(attempt).await.map_err(|outcome| {
            let what = match outcome {
                ReloadOutcome::NotRunning(why) | ReloadOutcome::NotAsked(why) | ReloadOutcome::Failed(why) => why,
                other => format!("{other:?}"),
            };
            (what, "start netifyd, or set reload.method to what fits this machine".to_owned())
        })?,
        fixed => fixed,
    };
    let word = name(method, settings);
    match Netifyd::find(settings) {
        Ok(_) => Ok(format!("{word}; {} runs", settings.service)),
        Err(NotFound::Gone(why) | NotFound::Misled(why)) => match method {
            // These know the process by themselves.
            ReloadMethod::Systemd if systemd::runs(attempt).await == Ok(true) => Ok(format!("{word}; it is active")),
            ReloadMethod::Command => Ok(format!("{word}; whether netifyd runs is not known: {why}")),
            _ => Err((format!("{word}; netifyd was not found: {why}"), format!("start {}", settings.service))),
        },
    }
}

fn name(method: ReloadMethod, settings: &Reload) -> String {
    let word = format!("{method:?}").to_lowercase();
    if settings.method == ReloadMethod::Auto { format!("auto: {word}") } else { word }
}

/// What fits the running system: the service manager that runs netifyd, else its control socket, else a signal.
async fn choose(attempt: Attempt<'_>) -> Result<ReloadMethod, ReloadOutcome> {
    let mut unasked = None;
    if Path::new("/run/systemd/system").is_dir() {
        // Half of the time is left for what else fits.
        let late = || Err("systemd did not answer in time".to_owned());
        match timeout(attempt.left() / 2, systemd::runs(attempt)).await.unwrap_or_else(|_| late()) {
            Ok(true) => return Ok(ReloadMethod::Systemd),
            Ok(false) => {}
            Err(why) => unasked = Some(why),
        }
    }
    if Path::new("/sbin/procd").exists() && procd::script(attempt.settings).exists() {
        return Ok(ReloadMethod::Procd);
    }
    if socket::listener(attempt.settings).await.is_some() {
        return Ok(ReloadMethod::Socket);
    }
    match (Netifyd::find(attempt.settings), unasked) {
        (Ok(_), _) => Ok(ReloadMethod::Signal),
        // Who cannot be asked has not said that netifyd does not run.
        (Err(_), Some(why)) => Err(ReloadOutcome::NotAsked(format!("whether netifyd runs is not known: {why}"))),
        (Err(NotFound::Misled(why)), None) => Err(ReloadOutcome::NotAsked(signal::misled(&why))),
        (Err(NotFound::Gone(_)), None) => Err(ReloadOutcome::NotRunning("no running netifyd was found".to_owned())),
    }
}

/// The process that was asked lives on and is well, or another one has taken its place.
async fn confirm(attempt: Attempt<'_>, method: ReloadMethod, asked: Asked, before: Option<Netifyd>) -> ReloadOutcome {
    let process = match asked {
        Asked::NotRunning(reason) => return ReloadOutcome::NotRunning(reason),
        Asked::Process(process) => Some(process),
        Asked::Unknown => before.or_else(|| Netifyd::find(attempt.settings).ok()),
    };
    let Some(process) = process else {
        if method == ReloadMethod::Systemd {
            tokio::time::sleep(SURVIVES).await;
            match systemd::runs(attempt).await {
                Ok(true) => {}
                Ok(false) => return ReloadOutcome::Failed("systemd no longer calls netifyd active".to_owned()),
                Err(why) => return ReloadOutcome::Failed(why),
            }
        }
        // The word of whoever reloaded it stands.
        return healthy(attempt).await;
    };
    if !process.ends_within(SURVIVES).await {
        return healthy(attempt).await;
    }
    // It died of the reload. Its supervisor, if it has one, brings it back.
    let back = async {
        loop {
            tokio::time::sleep(LOOK).await;
            let next = match method {
                ReloadMethod::Systemd => systemd::process(attempt).await,
                _ => Netifyd::find(attempt.settings).ok(),
            };
            let Some(next) = next else { continue };
            if next.pid() != process.pid() && !next.ends_within(SURVIVES).await {
                return next.pid();
            }
        }
    };
    // A little less than all: what comes of this wait has words of its own.
    match timeout(attempt.left().mul_f32(0.95), back).await {
        Ok(pid) => ReloadOutcome::Restarted(format!("process {} ended and {pid} took its place", process.pid())),
        Err(_) => {
            ReloadOutcome::Failed(format!("netifyd (process {}) ended on reload and did not come back", process.pid()))
        }
    }
}

async fn healthy(attempt: Attempt<'_>) -> ReloadOutcome {
    match socket::health(attempt).await {
        Ok(()) => ReloadOutcome::Confirmed,
        Err(reason) => ReloadOutcome::Failed(reason),
    }
}
