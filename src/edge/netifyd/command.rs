//! Reload by a program of the operator's.

use std::path::Path;

use crate::edge::netifyd::reload::{Asked, Attempt};
use crate::edge::process;

/// Lines of its output that reach the log.
const LINES: usize = 20;

pub(super) async fn reload(attempt: Attempt<'_>, license: &Path, serial: Option<&str>) -> Result<Asked, String> {
    let Some(command) = &attempt.settings.command else { return Err("reload.command is not set".to_owned()) };
    let environment =
        [("LICENSE_PATH", license.display().to_string()), ("LICENSE_SERIAL", serial.unwrap_or_default().to_owned())];
    let done = process::run(command, &environment, Vec::new(), attempt.left()).await?;
    for line in done.lines().take(LINES) {
        // A program that succeeds is nobody's concern.
        if done.success {
            tracing::debug!(program = command.program(), "{line}");
        } else {
            tracing::warn!(program = command.program(), "{line}");
        }
    }
    if done.success { Ok(Asked::Unknown) } else { Err(done.failure(command.program())) }
}
