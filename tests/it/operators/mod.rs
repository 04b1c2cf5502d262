//! What operators see, on the real program: status, check, metrics, logs, the hook.
//!
//! `UPDATE_SCREENS=1 cargo test --test it screens` writes the screens that `docs/operating.md` shows.
#![allow(clippy::disallowed_methods, reason = "tests touch files, clocks and processes")]
#![allow(clippy::panic, clippy::format_collect, clippy::similar_names, reason = "tests may end in a sentence")]

mod bench;
pub(crate) mod canon;
mod configuration;
mod duid;
pub(crate) mod gateway;
mod hardships;
mod hook;
mod journal;
mod logs;
mod metrics;
mod nagios;
mod plugin;
mod schema;
mod screens;
mod terminal;
mod untold;
