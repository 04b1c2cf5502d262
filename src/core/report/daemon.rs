//! What the status says of the daemon itself.

use serde::{Deserialize, Serialize};

/// The daemon; members are null where none runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DaemonStatus {
    /// Lines of the log that were lost since its start, because the log's reader did not take them.
    pub log_lines_lost: Option<u64>,
    /// How a change of the license file is noticed.
    pub watch: Option<Watching>,
    /// Why not by inotify: one sentence.
    pub watch_trouble: Option<String>,
}

/// How a change of the license file is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Watching {
    /// At once: the kernel tells (inotify(7)).
    Inotify,
    /// By looking every 5 seconds.
    Poll,
}
