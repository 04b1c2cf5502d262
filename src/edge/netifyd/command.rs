//! Reload by a program of the operator's.

use std::path::Path;

use crate::core::license::document::Serial;
use crate::edge::netifyd::reload::{Asked, Attempt};
use crate::edge::process;

/// Lines of its output that reach the log.
const LINES: usize = 20;

pub(super) async fn reload(attempt: Attempt<'_>, license: &Path, serial: Option<&str>) -> Result<Asked, String> {
    let Some(command) = &attempt.settings.command else { return Err("reload.command is not set".to_owned()) };
    let environment =
        [("LICENSE_PATH", license.display().to_string()), ("LICENSE_SERIAL", passed_on(serial).to_owned())];
    let done = process::run(command, &environment, Vec::new(), attempt.left()).await?;
    for line in done.lines().take(LINES) {
        // A program that succeeds is not reported.
        if done.success {
            tracing::debug!(program = command.program(), "{line}");
        } else {
            tracing::warn!(program = command.program(), "{line}");
        }
    }
    if done.success { Ok(Asked::Unknown) } else { Err(done.failure(command.program())) }
}

/// The serial as a program gets it: a hub chooses it, and programs put it into command lines. So only one that is made of
/// a serial's characters goes on, and none that looks like an option; else nothing.
fn passed_on(serial: Option<&str>) -> &str {
    serial.filter(|serial| serial.parse::<Serial>().is_ok() && !serial.starts_with('-')).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_serial_goes_on() {
        assert_eq!(passed_on(Some("2026-3638-61034042")), "2026-3638-61034042");
        assert_eq!(passed_on(None), "");
        for bad in ["a\nb", "$(id)", "-rf", "a b", "\u{9b}", &"x".repeat(5_000)] {
            assert_eq!(passed_on(Some(bad)), "", "{bad:?}");
        }
    }
}
