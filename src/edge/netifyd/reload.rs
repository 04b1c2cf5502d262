//! Having netifyd read its new license, and what proves that it did.

use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};

use super::process::{Netifyd, NotFound};
use super::{command, evidence, procd, signal, socket, systemd};
use crate::core::config::{Config, Reload, ReloadMethod};
use crate::core::engine::{ReloadEvidence, ReloadOutcome, ReloadReport};

/// Longest time for systemd to say whether it runs netifyd, where something else may fit as well.
const CHOICE: Duration = Duration::from_secs(10);

/// What a method brought about.
#[derive(Debug)]
pub(super) enum Asked {
    /// netifyd was asked; this is the process.
    Process(Netifyd),
    /// netifyd was asked, by a program that knows its process better than we do.
    Unknown,
    /// There is no netifyd to ask: one clause.
    NotRunning(String),
}

/// A reload that is under way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attempt<'a> {
    pub(super) settings: &'a Reload,
    /// All of it ends here, confirmation included.
    pub(super) deadline: Instant,
}

impl Attempt<'_> {
    pub(super) fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}

/// Reloads netifyd as configured and waits for the first evidence that it did.
///
/// With `is_asked`, an earlier request for the same license has had no answer in time: a netifyd that still works on that
/// is waited for, and not asked again.
pub async fn reload(config: &Config, serial: Option<&str>, is_asked: bool) -> ReloadReport {
    let settings = &config.reload;
    let attempt = Attempt { settings, deadline: Instant::now() + settings.timeout.duration() };
    let method = match settings.method {
        ReloadMethod::Auto => choose(attempt).await,
        fixed => Ok(fixed),
    };
    let method = match method {
        Ok(method) => method,
        Err(outcome) => return ReloadReport::new("auto", outcome),
    };
    let word = name(method, settings);
    if method == ReloadMethod::None {
        return ReloadReport::new(&word, ReloadOutcome::Disabled);
    }
    // Who it was before: afterwards a process that is gone cannot be told from one that never was.
    let before = evidence::Before {
        process: Netifyd::find(settings).ok(),
        has_socket: socket::listener(settings).await.is_some(),
    };
    if is_asked && before.has_socket {
        return match timeout_at(attempt.deadline, socket::answers(settings)).await {
            Ok(()) => ReloadReport {
                evidence: Some(ReloadEvidence::Answered),
                process: before.process.map(|process| process.pid()),
                ..ReloadReport::new(&word, ReloadOutcome::Confirmed)
            },
            Err(_) => ReloadReport::new(&word, evidence::no_answer(attempt, before.process.as_ref())),
        };
    }
    // Each of them keeps to the deadline itself, and says in its own words what was not done by then.
    let asked = match method {
        ReloadMethod::Systemd => systemd::reload(attempt).await,
        ReloadMethod::Procd => procd::reload(attempt).await,
        ReloadMethod::Socket => socket::reload(attempt).await,
        ReloadMethod::Signal => signal::reload(attempt).await,
        _ => command::reload(attempt, config.license.path.as_path(), serial).await,
    };
    match asked {
        Err(reason) => ReloadReport::new(&word, ReloadOutcome::Failed(reason)),
        Ok(Asked::NotRunning(reason)) => ReloadReport::new(&word, ReloadOutcome::NotRunning(reason)),
        Ok(Asked::Process(process)) => evidence::gather(attempt, method, &word, Some(process), before.has_socket).await,
        Ok(Asked::Unknown) => {
            let process = before.process.or_else(|| Netifyd::find(settings).ok());
            evidence::gather(attempt, method, &word, process, before.has_socket).await
        }
    }
}

/// Looks after a netifyd whose reload was confirmed, until `reload.timeout` and ten seconds more have passed: what came of
/// it when it ends within that time.
pub async fn watch(config: &Config, report: &ReloadReport) -> Option<ReloadReport> {
    const LATE: Duration = Duration::from_secs(10);
    let settings = &config.reload;
    let word = report.method.strip_prefix("auto: ").unwrap_or(&report.method);
    let method = [ReloadMethod::Systemd, ReloadMethod::Procd, ReloadMethod::Socket, ReloadMethod::Signal];
    let method = method.into_iter().find(|method| plain(*method) == word).unwrap_or(ReloadMethod::Command);
    if !matches!(report.outcome, ReloadOutcome::Confirmed | ReloadOutcome::Restarted(_)) {
        return None;
    }
    let until = Instant::now() + settings.timeout.duration() + LATE;
    let outcome = evidence::later(settings, method, report.process, until).await?;
    Some(ReloadReport::new(&report.method, outcome))
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
        Err(NotFound::Gone(why) | NotFound::Misled(why) | NotFound::Empty(why)) => match method {
            // These know the process by themselves.
            ReloadMethod::Systemd if systemd::runs(attempt).await == Ok(true) => Ok(format!("{word}; it is active")),
            ReloadMethod::Command => Ok(format!("{word}; whether netifyd runs is not known: {why}")),
            _ => Err((format!("{word}; netifyd was not found: {why}"), format!("start {}", settings.service))),
        },
    }
}

fn name(method: ReloadMethod, settings: &Reload) -> String {
    let word = plain(method);
    if settings.method == ReloadMethod::Auto { format!("auto: {word}") } else { word }
}

fn plain(method: ReloadMethod) -> String {
    format!("{method:?}").to_lowercase()
}

/// What fits the running system: the service manager that runs netifyd, else its control socket, else a signal.
async fn choose(attempt: Attempt<'_>) -> Result<ReloadMethod, ReloadOutcome> {
    let (mut unasked, mut masked) = (None, None);
    if Path::new("/run/systemd/system").is_dir() {
        // Half of the time is left for what else fits.
        let late = || Err("systemd did not answer in time".to_owned());
        match timeout(CHOICE.min(attempt.left() / 2), systemd::show(attempt)).await.unwrap_or_else(|_| late()) {
            Ok(unit) if unit.is_active => return Ok(ReloadMethod::Systemd),
            Ok(unit) => {
                masked = unit.is_masked.then(|| systemd::masked(&systemd::name(&attempt.settings.service)));
            }
            Err(why) => unasked = Some(why),
        }
    }
    if Path::new("/sbin/procd").exists() && procd::script(attempt.settings).exists() {
        return Ok(ReloadMethod::Procd);
    }
    if socket::listener(attempt.settings).await.is_some() {
        return Ok(ReloadMethod::Socket);
    }
    match (Netifyd::locate(attempt.settings).await, unasked) {
        (Ok(_), _) => Ok(ReloadMethod::Signal),
        // Who cannot be asked has not said that netifyd does not run.
        (Err(_), Some(why)) => Err(ReloadOutcome::NotAsked(format!("whether netifyd runs is not known: {why}"))),
        (Err(NotFound::Misled(why) | NotFound::Empty(why)), None) => Err(ReloadOutcome::NotAsked(signal::misled(&why))),
        (Err(NotFound::Gone(_)), None) => {
            Err(ReloadOutcome::NotRunning(masked.unwrap_or_else(|| "no running netifyd was found".to_owned())))
        }
    }
}
