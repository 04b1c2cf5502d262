//! Whether the privileged helper can be asked, and works with the same configuration: looked at after each load of the
//! configuration and every ten minutes, so that a broken one is known before a renewal needs it.

use std::path::PathBuf;

use tokio::sync::mpsc::UnboundedSender;

use crate::core::report::check::HELPER;
use crate::core::time::{BootTime, MINUTE, Millis};
use crate::edge::clock;
use crate::edge::helper::client;

/// The time from one look to the next.
const EVERY: Millis = 10 * MINUTE;

/// The helper of a daemon that has one.
#[derive(Debug)]
pub(super) struct HelperWatch {
    socket: Option<PathBuf>,
    /// SHA-256 of the configuration's text that the daemon works with.
    configuration: String,
    results: UnboundedSender<Option<String>>,
    looked_at: Option<BootTime>,
}

impl HelperWatch {
    /// Looks at nothing yet.
    pub(super) const fn new(
        socket: Option<PathBuf>,
        configuration: String,
        results: UnboundedSender<Option<String>>,
    ) -> Self {
        Self { socket, configuration, results, looked_at: None }
    }

    /// Another configuration is in force: the helper has to have read it, too.
    pub(super) fn configured(&mut self, configuration: String) {
        self.configuration = configuration;
        self.looked_at = None;
        self.look();
    }

    /// Asks, if it is time to; the result comes on the channel.
    pub(super) fn look(&mut self) {
        let now = clock::now().boot;
        let Some(socket) = self.socket.clone().filter(|_| self.looked_at.is_none_or(|at| now.since(at) >= EVERY))
        else {
            return;
        };
        self.looked_at = Some(now);
        let (own, results) = (self.configuration.clone(), self.results.clone());
        tokio::task::spawn_blocking(move || {
            let trouble = match client::ping(&socket) {
                Ok(theirs) if theirs == own => None,
                Ok(_) => Some(format!(
                    "{HELPER} works with another configuration than the daemon; run: systemctl reload netify-licensed"
                )),
                Err(error) => Some(format!("{HELPER} cannot do its work: {error}")),
            };
            // The receiver lives as long as the daemon.
            let _ = results.send(trouble);
        });
    }
}
