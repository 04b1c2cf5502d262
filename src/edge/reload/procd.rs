//! `OpenWrt`: the init script, which does netifyd's configuration step first.

use std::path::PathBuf;

use super::Asked;
use crate::core::config::{Command, Reload};
use crate::edge::process;

pub(super) fn script(settings: &Reload) -> PathBuf {
    PathBuf::from("/etc/init.d").join(&settings.service)
}

pub(super) async fn reload(settings: &Reload) -> Result<Asked, String> {
    let script = script(settings);
    if !script.exists() {
        return Ok(Asked::NotRunning(format!("{} is not installed", settings.service)));
    }
    let run = |action: &str| Command::try_from(vec![script.display().to_string(), action.to_owned()]);
    let running = process::run(&run("running")?, &[], Vec::new(), settings.timeout.duration()).await?;
    if !running.success {
        return Ok(Asked::NotRunning(format!("the service {} does not run", settings.service)));
    }
    let done = process::run(&run("reload")?, &[], Vec::new(), settings.timeout.duration()).await?;
    if !done.success {
        return Err(format!("{} reload: {} ({})", script.display(), done.status, done.last_words()));
    }
    Ok(Asked::Unknown)
}
