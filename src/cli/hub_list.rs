//! `hub list`: entries are looked at while they arrive, so that a list may have any length.

use std::io::{ErrorKind, Write};
use std::sync::{Arc, Mutex, PoisonError};

use crate::core::config::Config;
use crate::core::hub::filter::{self, Entry, Filter, Key, Order};
use crate::core::hub::response::{self, Trouble};
use crate::core::report::screen;
use crate::core::report::status::LicenseStatus;
use crate::core::time::WallTime;
use crate::edge::dirs::Places;
use crate::edge::hub::session::{Call, ListReader, Session};
use crate::edge::terminal::Progress;
use crate::edge::{clock, reason};
use crate::exit::Exit;

/// So many entries that are no licenses are named one by one.
const REMARKS: usize = 16;
/// After so many entries the clock is looked at.
const STRIDE: usize = 256;

/// What is wanted of the list.
pub(super) struct Wanted {
    pub(super) filter: Filter,
    pub(super) order: Option<Order>,
    pub(super) limit: Option<usize>,
    pub(super) as_json: bool,
}

/// What was found so far.
struct Found {
    wanted: Wanted,
    now: WallTime,
    seen: usize,
    shown: usize,
    /// Rows of the table.
    rows: Vec<(Key, LicenseStatus)>,
    /// Entries as received, where they are printed in an order.
    entries: Vec<(Key, String)>,
    remarks: Vec<String>,
    unreadable: usize,
    progress: Progress,
    written: std::io::Result<()>,
}

pub(super) async fn list_licenses(config: &Config, call: Call, wanted: Wanted) -> Result<Exit, Trouble> {
    let session = Session::open(config, &Places::from_environment())?;
    let found = Arc::new(Mutex::new(Found {
        wanted,
        now: clock::now().wall,
        seen: 0,
        shown: 0,
        rows: Vec::new(),
        entries: Vec::new(),
        remarks: Vec::new(),
        unreadable: 0,
        progress: Progress::default(),
        written: Ok(()),
    }));
    let inside = Arc::clone(&found);
    let look = move |entry: &str| {
        inside.lock().unwrap_or_else(PoisonError::into_inner).look(entry);
        false
    };
    let reader = ListReader { most: None, keep: Box::new(look) };
    let answer = session.list(&call, reader).await?;
    let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
    found.progress = Progress::default();
    let is_partial = response::api_list(&answer, clock::now().wall)?.is_partial;
    Ok(found.finish(is_partial))
}

impl Found {
    fn look(&mut self, entry: &str) {
        self.seen += 1;
        if self.seen.is_multiple_of(STRIDE) {
            let seen = self.seen;
            self.progress.at(|| format!("{seen} licenses so far"));
        }
        match self.wanted.filter.read(entry, self.now) {
            Entry::License(license) => match (self.wanted.as_json, self.wanted.order) {
                (true, None) => self.print(entry),
                (true, Some(order)) => self.entries.push((order.key(&license), entry.to_owned())),
                (false, order) => {
                    let key = order.unwrap_or(Order::Expires).key(&license);
                    self.rows.push((key, LicenseStatus::claims("", &license)));
                }
            },
            Entry::Other => {}
            Entry::Unreadable(remark) => {
                self.unreadable += 1;
                if self.remarks.len() < REMARKS {
                    self.remarks.push(remark);
                }
                if self.wanted.as_json && self.wanted.filter.is_open() {
                    self.print(entry);
                }
            }
        }
    }

    /// Prints an entry of the JSON list, while the next ones are still under way.
    fn print(&mut self, entry: &str) {
        if self.written.is_err() || self.wanted.limit.is_some_and(|limit| self.shown >= limit) {
            return;
        }
        let before = if self.shown == 0 { "[" } else { ",\n" };
        self.shown += 1;
        let mut out = std::io::stdout().lock();
        self.written = out.write_all(before.as_bytes()).and_then(|()| out.write_all(entry.as_bytes()));
    }

    fn finish(&mut self, is_partial: bool) -> Exit {
        let limit = self.wanted.limit.unwrap_or(usize::MAX);
        let mut out = String::new();
        if self.wanted.as_json {
            let mut entries = std::mem::take(&mut self.entries);
            filter::sort(&mut entries);
            for (_, entry) in &entries {
                self.print(entry);
            }
            out.push_str(if self.shown == 0 { "[]\n" } else { "]\n" });
        } else {
            let mut rows = std::mem::take(&mut self.rows);
            filter::sort(&mut rows);
            rows.truncate(limit);
            let rows: Vec<LicenseStatus> = rows.into_iter().map(|(_, row)| row).collect();
            out = screen::licenses(&rows, self.now);
        }
        let mut err = self.remarks.join("; ");
        if self.unreadable > self.remarks.len() {
            err = format!("{err}; and {} more", self.unreadable - self.remarks.len());
        }
        if is_partial {
            let line = if err.is_empty() { "" } else { "\n" };
            err += line;
            err += "the hub lists a part of its licenses only; what is on its other pages is not shown";
        }
        match &self.written {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => {
                Exit::failed(format!("cannot write to standard output: {}", reason(error)))
            }
            _ => Exit { code: 0, out, err },
        }
    }
}
