//! `OpenWrt`: the init script, which does netifyd's configuration step first.

use std::path::PathBuf;

use crate::core::config::{Command, Reload};
use crate::edge::netifyd::reload::{Asked, Attempt};
use crate::edge::process;

pub(super) fn script(settings: &Reload) -> PathBuf {
    PathBuf::from("/etc/init.d").join(&settings.service)
}

/// Whether procd runs an instance of the service; [`Err`] when the script cannot tell: one clause.
pub(super) async fn runs(attempt: Attempt<'_>) -> Result<bool, String> {
    run(attempt, "running").await.map(|done| done.success)
}

pub(super) async fn reload(attempt: Attempt<'_>) -> Result<Asked, String> {
    let script = script(attempt.settings);
    if !script.exists() {
        return Ok(Asked::NotRunning(format!("{} is not installed", attempt.settings.service)));
    }
    if !runs(attempt).await? {
        return Ok(Asked::NotRunning(format!("the service {} does not run", attempt.settings.service)));
    }
    let done = run(attempt, "reload").await?;
    if done.success { Ok(Asked::Unknown) } else { Err(done.failure(&format!("{} reload", script.display()))) }
}

async fn run(attempt: Attempt<'_>, action: &str) -> Result<process::Finished, String> {
    let script = script(attempt.settings).display().to_string();
    process::run(&Command::try_from(vec![script, action.to_owned()])?, &[], Vec::new(), attempt.left()).await
}
