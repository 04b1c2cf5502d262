//! Reload by SIGHUP.

use super::Asked;
use super::process::Netifyd;
use crate::core::config::Reload;

pub(super) fn reload(settings: &Reload) -> Result<Asked, String> {
    match Netifyd::find(settings) {
        Err(reason) => Ok(Asked::NotRunning(format!("netifyd does not run ({reason})"))),
        Ok(process) => process.hang_up().map(|()| Asked::Process(process)),
    }
}
