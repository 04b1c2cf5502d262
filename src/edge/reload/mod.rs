//! Having netifyd read its new license, and making sure that it survived that.

mod command;
mod procd;
mod process;
mod signal;
mod socket;
mod systemd;

use std::path::Path;
use std::time::Duration;

use crate::core::config::{Config, Reload, ReloadMethod};
use crate::core::engine::{ReloadOutcome, ReloadReport};
use process::Netifyd;

/// How long netifyd must live on after a reload to count as well.
const SURVIVES: Duration = Duration::from_secs(2);
/// How often to look for a netifyd that its supervisor brings back.
const LOOK: Duration = Duration::from_millis(200);

/// What a method brought about.
#[derive(Debug)]
enum Asked {
    /// netifyd was asked; this is the process, where the method knows it.
    Process(Netifyd),
    /// The service manager did it and says that netifyd is active.
    Confirmed,
    /// netifyd was asked, by a program that knows more than we do.
    Unknown,
    /// There is no netifyd to ask: one clause.
    NotRunning(String),
}

/// Reloads netifyd as configured and confirms it.
pub async fn reload(config: &Config, serial: Option<&str>) -> ReloadReport {
    let rules = &config.reload;
    let method = match rules.method {
        ReloadMethod::Auto => choose(rules).await,
        fixed => Some(fixed),
    };
    let Some(method) = method else {
        let outcome = ReloadOutcome::NotRunning("no running netifyd was found".to_owned());
        return ReloadReport { method: "auto".to_owned(), outcome };
    };
    let label = name(method, rules);
    if method == ReloadMethod::None {
        return ReloadReport { method: label, outcome: ReloadOutcome::Disabled };
    }
    let work = async {
        let asked = match method {
            ReloadMethod::Systemd => systemd::reload(rules).await,
            ReloadMethod::Procd => procd::reload(rules).await,
            ReloadMethod::Socket => socket::reload(rules).await,
            ReloadMethod::Signal => signal::reload(rules),
            _ => command::reload(rules, config.license.path.as_path(), serial).await,
        };
        match asked {
            Ok(asked) => confirm(rules, asked).await,
            Err(reason) => ReloadOutcome::Failed(reason),
        }
    };
    let limit = rules.timeout.duration();
    let outcome = tokio::time::timeout(limit, work).await.unwrap_or_else(|_| {
        ReloadOutcome::Failed(format!("no confirmation within reload.timeout ({} s)", limit.as_secs_f32()))
    });
    ReloadReport { method: label, outcome }
}

fn name(method: ReloadMethod, settings: &Reload) -> String {
    let word = format!("{method:?}").to_lowercase();
    if settings.method == ReloadMethod::Auto { format!("auto: {word}") } else { word }
}

/// What fits the running system: the service manager that runs netifyd, else its control socket, else a signal.
async fn choose(settings: &Reload) -> Option<ReloadMethod> {
    if Path::new("/run/systemd/system").is_dir() && systemd::knows(settings).await {
        return Some(ReloadMethod::Systemd);
    }
    if Path::new("/sbin/procd").exists() && procd::script(settings).exists() {
        return Some(ReloadMethod::Procd);
    }
    if socket::answers(settings).await {
        return Some(ReloadMethod::Socket);
    }
    Netifyd::find(settings).ok().map(|_| ReloadMethod::Signal)
}

/// The process that was asked lives on, or another one has taken its place.
async fn confirm(settings: &Reload, asked: Asked) -> ReloadOutcome {
    let process = match asked {
        Asked::NotRunning(reason) => return ReloadOutcome::NotRunning(reason),
        Asked::Confirmed => return ReloadOutcome::Confirmed,
        Asked::Process(process) => process,
        // A command of the operator's: if netifyd can be found, it must survive; if not, the command's word stands.
        Asked::Unknown => match Netifyd::find(settings) {
            Ok(process) => process,
            Err(_) => return ReloadOutcome::Confirmed,
        },
    };
    if !process.ends_within(SURVIVES).await {
        return match socket::health(settings).await {
            Ok(()) => ReloadOutcome::Confirmed,
            Err(reason) => ReloadOutcome::Failed(reason),
        };
    }
    // It died of the reload. Its supervisor, if it has one, brings it back; the caller's timeout ends this wait.
    let patience = settings.timeout.duration().mul_f32(0.8);
    let returned = tokio::time::timeout(patience, async {
        loop {
            tokio::time::sleep(LOOK).await;
            let Ok(next) = Netifyd::find(settings) else { continue };
            if next.pid() != process.pid() && !next.ends_within(SURVIVES).await {
                return next.pid();
            }
        }
    })
    .await;
    match returned {
        Ok(pid) => ReloadOutcome::Restarted(format!("process {} ended and {pid} took its place", process.pid())),
        Err(_) => {
            ReloadOutcome::Failed(format!("netifyd (process {}) ended on reload and did not come back", process.pid()))
        }
    }
}
