//! Every request that came, for tests to count and to wait for.

use std::collections::{HashMap, VecDeque};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use crate::endpoint::Endpoint;
use crate::request::Request;
use crate::sync::lock;

/// Requests kept whole; the counts go on beyond.
const KEPT: usize = 10_000;

/// One request and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedRequest {
    /// Running number from 0.
    pub number: u64,
    /// What it was for.
    pub endpoint: Endpoint,
    /// Method, path, query, headers and body.
    pub request: Request,
    /// When it came, in Unix milliseconds of the emulator's clock.
    pub at_millis: i64,
    /// The status of the answer; `None` while there is none, and for cut connections and raw bytes.
    pub status: Option<u16>,
    /// Whether all that the emulator will do about it is decided.
    pub done: bool,
}

#[derive(Debug, Default)]
struct Entries {
    kept: VecDeque<LoggedRequest>,
    next: u64,
    seen: HashMap<Endpoint, u64>,
    done: HashMap<Endpoint, u64>,
    connections: u64,
    failed_handshakes: u64,
}

/// The log; every change wakes those who wait.
#[derive(Debug, Default)]
pub(crate) struct RequestLog {
    entries: Mutex<Entries>,
    changed: Condvar,
}

fn sum(counts: &HashMap<Endpoint, u64>, endpoint: Endpoint) -> u64 {
    counts.iter().filter(|(actual, _)| endpoint.covers(**actual)).map(|(_, count)| count).sum()
}

impl RequestLog {
    pub(crate) fn seen(&self, endpoint: Endpoint, request: Request, at_millis: i64) -> u64 {
        let mut entries = lock(&self.entries);
        let number = entries.next;
        entries.next += 1;
        if entries.kept.len() >= KEPT {
            entries.kept.pop_front();
        }
        entries.kept.push_back(LoggedRequest { number, endpoint, request, at_millis, status: None, done: false });
        *entries.seen.entry(endpoint).or_default() += 1;
        self.changed.notify_all();
        number
    }

    pub(crate) fn done(&self, number: u64, endpoint: Endpoint, status: Option<u16>) {
        let mut entries = lock(&self.entries);
        if let Some(entry) = entries.kept.iter_mut().rev().find(|entry| entry.number == number) {
            entry.status = status;
            entry.done = true;
        }
        *entries.done.entry(endpoint).or_default() += 1;
        self.changed.notify_all();
    }

    pub(crate) fn connected(&self) {
        lock(&self.entries).connections += 1;
        self.changed.notify_all();
    }

    pub(crate) fn handshake_failed(&self) {
        lock(&self.entries).failed_handshakes += 1;
        self.changed.notify_all();
    }

    pub(crate) fn connections(&self) -> u64 {
        lock(&self.entries).connections
    }

    pub(crate) fn failed_handshakes(&self) -> u64 {
        lock(&self.entries).failed_handshakes
    }

    pub(crate) fn all(&self) -> Vec<LoggedRequest> {
        lock(&self.entries).kept.iter().cloned().collect()
    }

    pub(crate) fn count(&self, endpoint: Endpoint) -> u64 {
        sum(&lock(&self.entries).seen, endpoint)
    }

    pub(crate) fn clear(&self) {
        let mut entries = lock(&self.entries);
        entries.kept.clear();
        entries.seen.clear();
        entries.done.clear();
    }

    fn wait(&self, timeout: Duration, reached: impl Fn(&Entries) -> bool) -> bool {
        let deadline = Instant::now() + timeout;
        let mut entries = lock(&self.entries);
        loop {
            if reached(&entries) {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let woken = self.changed.wait_timeout(entries, left);
            entries = woken.unwrap_or_else(std::sync::PoisonError::into_inner).0;
        }
    }

    pub(crate) fn wait_seen(&self, endpoint: Endpoint, count: u64, timeout: Duration) -> bool {
        self.wait(timeout, |entries| sum(&entries.seen, endpoint) >= count)
    }

    pub(crate) fn wait_done(&self, endpoint: Endpoint, count: u64, timeout: Duration) -> bool {
        self.wait(timeout, |entries| sum(&entries.done, endpoint) >= count)
    }

    pub(crate) fn wait_failed_handshakes(&self, count: u64, timeout: Duration) -> bool {
        self.wait(timeout, |entries| entries.failed_handshakes >= count)
    }

    pub(crate) fn wait_connections(&self, count: u64, timeout: Duration) -> bool {
        self.wait(timeout, |entries| entries.connections >= count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_ends_with_the_event_and_not_before() {
        let log = std::sync::Arc::new(RequestLog::default());
        assert!(!log.wait_seen(Endpoint::Renew, 1, Duration::from_millis(1)));
        let other = std::sync::Arc::clone(&log);
        let waiting = std::thread::spawn(move || other.wait_done(Endpoint::Renew, 1, Duration::from_secs(30)));
        let number = log.seen(Endpoint::Renew, Request::default(), 0);
        log.done(number, Endpoint::Renew, Some(200));
        assert!(waiting.join().unwrap());
        assert_eq!((log.count(Endpoint::Any), log.count(Endpoint::View)), (1, 0));
        assert_eq!(log.all()[0].status, Some(200));
    }

    #[test]
    fn counts_outlive_the_entries() {
        let log = RequestLog::default();
        for _ in 0..=KEPT {
            log.seen(Endpoint::List, Request::default(), 0);
        }
        assert_eq!(log.all().len(), KEPT);
        assert_eq!(log.count(Endpoint::List), KEPT as u64 + 1);
    }
}
