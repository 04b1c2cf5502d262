//! Reload by SIGHUP.

use crate::edge::netifyd::process::{Netifyd, NotFound};
use crate::edge::netifyd::reload::{Asked, Attempt};
use crate::edge::netifyd::socket;

pub(super) async fn reload(attempt: Attempt<'_>) -> Result<Asked, String> {
    match Netifyd::locate(attempt.settings).await {
        Ok(process) => process.hang_up().map(|()| Asked::Process(process)),
        Err(NotFound::Misled(why) | NotFound::Empty(why)) => Err(misled(&why)),
        Err(NotFound::Gone(why)) => match socket::listener(attempt.settings).await {
            Some(who) => Err(format!(
                "{who} runs, but the PID file does not lead to it ({why}); set reload.pid-file to netifyd's own, or reload.method = \"auto\""
            )),
            None => Ok(Asked::NotRunning(format!("netifyd does not run ({why})"))),
        },
    }
}

/// A PID file that is not netifyd's, or leads to what cannot be looked at, may hide one that runs.
pub(super) fn misled(why: &str) -> String {
    format!(
        "netifyd cannot be found by its PID file ({why}); set reload.pid-file to netifyd's own, or another reload.method, or remove that file"
    )
}
