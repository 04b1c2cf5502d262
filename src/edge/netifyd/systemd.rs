//! systemd: `ReloadUnit`, which waits for the job's result.

use crate::edge::netifyd::process::Netifyd;
use crate::edge::netifyd::reload::{Asked, Attempt};
use crate::edge::netifyd::systemctl;
use crate::edge::netifyd::unit::Unit;

/// The unit's name.
fn name(attempt: Attempt<'_>) -> String {
    let service = &attempt.settings.service;
    if service.ends_with(".service") { service.clone() } else { format!("{service}.service") }
}

/// Whether systemd runs the unit at the moment; [`Err`] when it cannot be asked: one clause.
pub(super) async fn runs(attempt: Attempt<'_>) -> Result<bool, String> {
    show(attempt).await.map(|unit| unit.active)
}

/// The unit's main process.
pub(super) async fn process(attempt: Attempt<'_>) -> Option<Netifyd> {
    let unit = show(attempt).await.ok().filter(|unit| unit.active)?;
    Netifyd::of_manager(unit.main_pid).ok()
}

pub(super) async fn reload(attempt: Attempt<'_>) -> Result<Asked, String> {
    let name = name(attempt);
    let before = show(attempt).await?;
    if !before.installed {
        return Ok(Asked::NotRunning(format!("{name} is not installed")));
    }
    if !before.active {
        return Ok(Asked::NotRunning(format!("{name} does not run")));
    }
    let process = Netifyd::of_manager(before.main_pid);
    #[cfg(feature = "systemd")]
    let asked = match crate::edge::netifyd::manager::reload(attempt, &name).await {
        Err(error) if error.is_no_bus() => systemctl::reload(attempt, &name).await,
        other => other.map_err(|error| error.to_string()),
    };
    #[cfg(not(feature = "systemd"))]
    let asked = systemctl::reload(attempt, &name).await;
    match (asked, process) {
        (Ok(()), Ok(process)) => Ok(Asked::Process(process)),
        (Ok(()), Err(_)) => Ok(Asked::Unknown),
        // The job fails, too, when netifyd dies of it: whether it comes back is still to be seen.
        (Err(_), Ok(process)) if process.has_ended() => Ok(Asked::Process(process)),
        (Err(reason), _) => Err(reason),
    }
}

async fn show(attempt: Attempt<'_>) -> Result<Unit, String> {
    let name = name(attempt);
    #[cfg(feature = "systemd")]
    match crate::edge::netifyd::manager::show(attempt, &name).await {
        Err(error) if error.is_no_bus() => {}
        other => return other.map_err(|error| error.to_string()),
    }
    systemctl::show(attempt, &name).await
}
