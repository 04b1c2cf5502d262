//! Where log lines go: the journal natively, plain text for procd and terminals, or JSON lines.

mod journal;
mod writer;

use std::io::IsTerminal;
use std::os::unix::net::UnixDatagram;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, reload};

use crate::core::config::{Log, LogFormat, LogLevel};
use journal::{Journal, SOCKET};
use writer::Sink;

pub use writer::{end, is_started, lost};

static LEVEL: std::sync::OnceLock<reload::Handle<LevelFilter, tracing_subscriber::Registry>> =
    std::sync::OnceLock::new();

const fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}

/// Changes the level of a running process.
pub fn set_level(level: LogLevel) {
    if let Some(handle) = LEVEL.get() {
        let _ = handle.reload(filter(level));
    }
}

/// Whether standard error is the stream to the journal that `JOURNAL_STREAM` names by device and inode
/// (systemd.exec(5)). The variable alone is inherited by whatever a service starts, wherever its output goes.
fn is_journal_connected() -> bool {
    let named = std::env::var("JOURNAL_STREAM").ok();
    let own = rustix::fs::fstat(std::io::stderr()).ok();
    named.zip(own).is_some_and(|(named, own)| named == format!("{}:{}", own.st_dev, own.st_ino))
}

/// Starts logging for the rest of the process.
pub fn start(log: &Log) {
    let (level, handle) = reload::Layer::new(filter(log.level));
    let _ = LEVEL.set(handle);
    let wants_journal = match log.format {
        LogFormat::Journald => true,
        LogFormat::Auto => is_journal_connected(),
        LogFormat::Text | LogFormat::Json => false,
    };
    let own = tracing_subscriber::filter::filter_fn(|meta| meta.target().starts_with("netify_licensed"));
    let registry = tracing_subscriber::registry().with(level);
    if wants_journal && let Ok(socket) = journal_socket() {
        let journal = Journal(writer::start(Sink::Journal(socket)));
        let _ = registry.with(journal.with_filter(own)).try_init();
        return;
    }
    let terminal = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let is_json = log.format == LogFormat::Json;
    let writer = writer::start(if is_json { Sink::Json } else { Sink::Text });
    let lines = tracing_subscriber::fmt::layer().with_target(false).with_writer(writer);
    let result = if is_json {
        registry.with(lines.json().flatten_event(true).with_filter(own)).try_init()
    } else {
        // procd and the journal add the time themselves.
        registry.with(lines.with_ansi(terminal).without_time().with_filter(own)).try_init()
    };
    // A second start in one process (tests) keeps the first.
    let _ = result;
}

fn journal_socket() -> std::io::Result<UnixDatagram> {
    // Whether there is one; connecting never waits, as sending does while the journal is stuck.
    UnixDatagram::unbound()?.connect(SOCKET)?;
    UnixDatagram::unbound()
}
