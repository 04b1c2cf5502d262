//! The log's thread and what it writes to. The event loop hands lines over and never waits for their reader.

use std::io::{self, Write};
use std::os::unix::net::UnixDatagram;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use tracing::Level;
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};

use super::journal::{Entry, SOCKET};

/// Lines that wait for the reader, at most. A day without trouble has fewer than fifty.
const BUFFERED: usize = 256;
/// Longest wait for the reader when the program ends.
const LAST_WAIT: Duration = Duration::from_millis(1_500);

/// Lines that the full buffer dropped.
static DROPPED: OnceLock<ErrorCounter> = OnceLock::new();
/// Lines that could not be written: the reader has left, or the disk is full.
static FAILED: AtomicU64 = AtomicU64::new(0);
static GUARD: Mutex<Option<WorkerGuard>> = Mutex::new(None);

/// Lines of the log that were lost since the start.
#[must_use]
pub fn lost() -> u64 {
    let dropped = DROPPED.get().map_or(0, ErrorCounter::dropped_lines);
    FAILED.load(Ordering::Relaxed).saturating_add(u64::try_from(dropped).unwrap_or(u64::MAX))
}

/// Whether this process logs.
#[must_use]
pub fn is_started() -> bool {
    DROPPED.get().is_some()
}

/// Writes what is still to be logged, then the last words of the program. It waits for their reader for a moment only.
pub fn end(words: String) {
    let guard = GUARD.lock().ok().and_then(|mut guard| guard.take());
    let (ended, wait) = mpsc::channel::<()>();
    // Dropping the guard could wait for ever as well: it complains on standard output, perhaps to the same reader.
    std::thread::spawn(move || {
        drop(guard);
        let _ = io::stderr().lock().write_all(words.as_bytes());
        drop(ended);
    });
    let _ = wait.recv_timeout(LAST_WAIT);
}

/// Starts the log's thread.
pub(super) fn start(sink: Sink) -> NonBlocking {
    let builder = NonBlockingBuilder::default().lossy(true).buffered_lines_limit(BUFFERED).thread_name("log");
    let (writer, guard) = builder.finish(Counting { sink, told: 0 });
    let _ = DROPPED.set(writer.error_counter());
    if let Ok(mut kept) = GUARD.lock() {
        *kept = Some(guard);
    }
    writer
}

/// Where lines go.
#[derive(Debug)]
pub(super) enum Sink {
    /// Plain text on standard error.
    Text,
    /// JSON lines on standard error.
    Json,
    /// Entries of the journal.
    Journal(UnixDatagram),
}

impl Sink {
    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        match self {
            Self::Text | Self::Json => io::stderr().lock().write_all(line),
            // By name each time: a journal that was restarted listens on a new socket.
            Self::Journal(socket) => socket.send_to(line, SOCKET).map(drop),
        }
    }

    /// A line in this form.
    fn line(&self, text: &str) -> Vec<u8> {
        match self {
            Self::Text => format!(" WARN {text}\n").into_bytes(),
            Self::Json => {
                let time = jiff::Timestamp::try_from(std::time::SystemTime::now()).unwrap_or_default().to_string();
                let line = serde_json::json!({ "timestamp": time, "level": "WARN", "message": text });
                format!("{line}\n").into_bytes()
            }
            Self::Journal(_) => Entry::message(Level::WARN, text),
        }
    }
}

/// Counts what is lost and says so as soon as lines are read again.
#[derive(Debug)]
struct Counting {
    sink: Sink,
    told: u64,
}

impl Write for Counting {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.write_all(line).map(|()| line.len())
    }

    fn write_all(&mut self, line: &[u8]) -> io::Result<()> {
        if self.sink.write(line).is_err() {
            FAILED.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        }
        let lost = lost();
        if lost > self.told {
            let text = format!("{} lines of the log were lost: its reader did not take them in time", lost - self.told);
            if self.sink.write(&self.sink.line(&text)).is_ok() {
                self.told = lost;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
