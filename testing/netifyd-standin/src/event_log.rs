//! Writing events: one JSON object per line, to a file, to standard output, or both.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::cli::{Options, about};

/// Where the events go. Opened once, before privileges are dropped.
#[derive(Debug)]
pub(crate) struct EventLog {
    file: Option<File>,
    verbose: bool,
}

impl EventLog {
    pub(crate) fn open(options: &Options) -> io::Result<Self> {
        let open = |path| {
            OpenOptions::new().append(true).create(true).open(path).map_err(about("cannot open the events file", path))
        };
        let file = options.events.as_deref().map(open).transpose()?;
        Ok(Self { file, verbose: options.verbose })
    }

    /// Writes event `name` with the members of the object `fields`.
    ///
    /// Each line is one `write`: supervisor and daemon share file and pipe without mixing their lines. A reader
    /// that has gone away is no reason to fail.
    pub(crate) fn write(&self, name: &str, fields: Value) {
        let mut event = json!({ "event": name, "unix_ms": unix_ms(), "pid": std::process::id() });
        if let (Some(event), Value::Object(fields)) = (event.as_object_mut(), fields) {
            event.extend(fields);
        }
        let line = format!("{event}\n");
        if let Some(mut file) = self.file.as_ref() {
            let _ = file.write_all(line.as_bytes());
        }
        if self.verbose {
            print(&line);
        }
    }

    /// The `ready` event; without `--verbose` the bare word on standard output, which starters wait for.
    pub(crate) fn ready(&self) {
        self.write("ready", json!({}));
        if !self.verbose {
            print("ready\n");
        }
    }
}

fn print(line: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
