//! Reload by a program of the operator's.

use std::path::Path;

use super::Asked;
use crate::core::config::Reload;
use crate::edge::process;

pub(super) async fn reload(settings: &Reload, license: &Path, serial: Option<&str>) -> Result<Asked, String> {
    let Some(command) = &settings.command else { return Err("reload.command is not set".to_owned()) };
    let environment =
        [("LICENSE_PATH", license.display().to_string()), ("LICENSE_SERIAL", serial.unwrap_or_default().to_owned())];
    let done = process::run(command, &environment, Vec::new(), settings.timeout.duration()).await?;
    for line in
        String::from_utf8_lossy(&done.stdout).lines().chain(String::from_utf8_lossy(&done.stderr).lines()).take(20)
    {
        let line: String = line.chars().filter(|c| !c.is_control()).take(300).collect();
        tracing::debug!(program = command.program(), "{line}");
    }
    if done.success {
        Ok(Asked::Unknown)
    } else {
        let words = done.last_words();
        let words = if words.is_empty() { String::new() } else { format!(": {words}") };
        Err(format!("{} ended with {}{words}", command.program(), done.status))
    }
}
