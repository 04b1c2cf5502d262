//! What was seen so far: the evidence for every claim.

use std::fs;
use std::path::PathBuf;

use hub_emulator::{Endpoint, LoggedRequest};
use netify_licensed::core::license::verify::State;
use netify_licensed::core::report::status::Status;
use netify_licensed::core::state::word::ReloadWord;
use netifyd_standin::Load;

use crate::watch::{Happening, LogLine};

/// Everything seen, in the order of its arrival.
#[derive(Debug)]
pub(crate) struct Facts {
    status_file: PathBuf,
    status_bytes: Vec<u8>,
    /// Every version of status.json that was seen; the last one is in force.
    pub(crate) statuses: Vec<Status>,
    /// The hub's request log.
    pub(crate) requests: Vec<LoggedRequest>,
    /// The licenses that netifyd loaded.
    pub(crate) loads: Vec<Load>,
    /// The daemon's log.
    pub(crate) log: Vec<LogLine>,
}

impl Facts {
    pub(crate) fn new(status_file: PathBuf) -> Self {
        let (statuses, requests, loads, log) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { status_file, status_bytes: Vec::new(), statuses, requests, loads, log }
    }

    /// Takes note of a happening.
    pub(crate) fn note(&mut self, happening: &Happening) {
        match happening {
            Happening::Asked(request) => self.requests.push(request.clone()),
            Happening::Netifyd(event) => self.loads.extend(event.load()),
            Happening::Log(line) => self.log.push(line.clone()),
            Happening::Ended | Happening::Stop(_) => {}
        }
    }

    /// Reads status.json again.
    pub(crate) fn look(&mut self) {
        let Ok(bytes) = fs::read(&self.status_file) else { return };
        if bytes == self.status_bytes {
            return;
        }
        if let Ok(status) = serde_json::from_slice(&bytes) {
            self.statuses.push(status);
            self.status_bytes = bytes;
        }
    }

    /// The status in force, if it satisfies.
    pub(crate) fn status_if(&self, wanted: impl FnOnce(&Status) -> bool) -> Option<&Status> {
        self.statuses.last().filter(|status| wanted(status))
    }

    /// When the license is due, by status.json, in Unix milliseconds.
    pub(crate) fn due(&self) -> Option<i64> {
        self.statuses.last()?.renewal.due_at.map(|at| at.0.0)
    }

    /// When the license ends, by status.json, in Unix milliseconds.
    pub(crate) fn expires(&self) -> Option<i64> {
        self.statuses.last()?.license.expires_at.map(|at| at.0.0)
    }

    /// Whether status.json says that this license (SHA-256) is valid and that netifyd has loaded it.
    pub(crate) fn all_is_well(&self, sha256: &str) -> bool {
        self.statuses.last().is_some_and(|status| {
            let confirmed = matches!(status.reload.last_outcome, Some(ReloadWord::Confirmed | ReloadWord::Restarted));
            status.state == State::Valid
                && status.license.sha256.as_deref() == Some(sha256)
                && confirmed
                && !status.reload.pending
        })
    }

    /// The renewals that the hub granted.
    pub(crate) fn renewals(&self) -> Vec<&LoggedRequest> {
        self.requests
            .iter()
            .filter(|request| request.endpoint == Endpoint::Renew && request.status == Some(200))
            .collect()
    }

    /// How often the hub was asked to renew, granted or not.
    pub(crate) fn renew_requests(&self) -> usize {
        self.requests.iter().filter(|request| request.endpoint == Endpoint::Renew).count()
    }

    /// Whether the daemon logged anything about a license of this state since the given line.
    pub(crate) fn logged_since(&self, mark: usize, state: State) -> bool {
        self.log.iter().skip(mark).any(|line| line.state == state.word())
    }
}
