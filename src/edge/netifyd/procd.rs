//! `OpenWrt`: the init script, which does netifyd's configuration step first.

use std::path::PathBuf;

use crate::core::config::{Command, Reload};
use crate::edge::netifyd::reload::{Asked, Attempt};
use crate::edge::process;

pub(super) fn script(settings: &Reload) -> PathBuf {
    PathBuf::from("/etc/init.d").join(&settings.service)
}

pub(super) async fn reload(attempt: Attempt<'_>) -> Result<Asked, String> {
    let script = script(attempt.settings);
    if !script.exists() {
        return Ok(Asked::NotRunning(format!("{} is not installed", attempt.settings.service)));
    }
    let run = |action: &str| Command::try_from(vec![script.display().to_string(), action.to_owned()]);
    let running = process::run(&run("running")?, &[], Vec::new(), attempt.left()).await?;
    if !running.success {
        return Ok(Asked::NotRunning(format!("the service {} does not run", attempt.settings.service)));
    }
    let done = process::run(&run("reload")?, &[], Vec::new(), attempt.left()).await?;
    if done.success { Ok(Asked::Unknown) } else { Err(done.failure(&format!("{} reload", script.display()))) }
}
