//! Where log lines go: the journal natively, plain text for procd and terminals, or JSON lines.

use std::io::IsTerminal;

use tracing::level_filters::LevelFilter;
use tracing_journald::{Priority, PriorityMappings};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, reload};

use crate::core::config::{Log, LogFormat, LogLevel};

/// The priorities of syslog(3) by their names; the library would make a notice of what is for information.
const USUAL: PriorityMappings = PriorityMappings {
    error: Priority::Error,
    warn: Priority::Warning,
    info: Priority::Informational,
    debug: Priority::Debug,
    trace: Priority::Debug,
};

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
    if wants_journal && let Ok(journal) = tracing_journald::layer() {
        let journal = journal
            .with_field_prefix(None)
            .with_syslog_identifier("netify-licensed".to_owned())
            .with_priority_mappings(USUAL);
        let _ = registry.with(journal.with_filter(own)).try_init();
        return;
    }
    let terminal = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let result = if log.format == LogFormat::Json {
        registry
            .with(
                tracing_subscriber::fmt::layer()
                    .json()
                    .flatten_event(true)
                    .with_target(false)
                    .with_writer(std::io::stderr)
                    .with_filter(own),
            )
            .try_init()
    } else {
        // procd and the journal add the time themselves.
        let text = tracing_subscriber::fmt::layer().with_target(false).with_ansi(terminal).with_writer(std::io::stderr);
        registry.with(text.without_time().with_filter(own)).try_init()
    };
    // A second start in one process (tests) keeps the first.
    let _ = result;
}
