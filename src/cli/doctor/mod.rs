//! `doctor`: from the device to the hub, step by step. Changes nothing.

mod local;
mod network;

use std::path::Path;
use std::time::Instant;

use crate::core::config::{Config, ConfigError};
use crate::core::report::doctor::{Examination, Fault, Found, Step};
use crate::core::report::status::Status;
use crate::edge::config_file::{self, Loaded};
use crate::edge::dirs::Places;
use crate::edge::terminal;
use crate::exit::Exit;

/// Collects the steps with their times.
struct Doctor {
    seen: Examination,
    began: Instant,
}

impl Doctor {
    #[allow(clippy::disallowed_methods, reason = "the time that a step takes is shown, and decides nothing")]
    fn new() -> Self {
        Self { seen: Examination::default(), began: Instant::now() }
    }

    /// A step that has just been tried.
    #[allow(clippy::disallowed_methods, reason = "the time that a step takes is shown, and decides nothing")]
    fn step(&mut self, name: &'static str, found: Found) {
        let took = i64::try_from(self.began.elapsed().as_millis()).unwrap_or(i64::MAX);
        let took = if matches!(found, Found::NotTried(_)) { 0 } else { took };
        self.seen.0.push(Step { name, found, took });
        self.began = Instant::now();
    }
}

pub(super) async fn doctor(path: Option<&Path>, as_json: bool) -> Exit {
    let places = Places::from_environment();
    let seen = examine(path, &places).await;
    let out = if as_json { format!("{:#}\n", seen.document()) } else { seen.screen(terminal::paint()) };
    Exit { code: seen.exit_code(), out, err: String::new() }
}

async fn examine(path: Option<&Path>, places: &Places) -> Examination {
    let mut doctor = Doctor::new();
    let loaded = config_file::load(path);
    doctor.step("configuration", local::configuration(path, loaded.as_ref()));
    doctor.step("keys", local::keys(loaded.as_ref()));
    let config = config(&loaded);
    let status = super::status::seen(path).await;
    doctor.step("device id", local::device(config.as_ref(), status.as_ref()).await);
    doctor.step("clock", local::clock(config.as_ref(), status.as_ref()));
    match &config {
        Some(config) => network::examine(&mut doctor, config, places, status.as_ref()).await,
        None => {
            for name in network::STEPS {
                doctor.step(name, not_configured());
            }
        }
    }
    doctor.step("netifyd", local::netifyd(config.as_ref(), status.as_ref()).await);
    doctor.step("service manager", local::service_manager(config.as_ref(), places, status.as_ref()));
    doctor.step("rights", local::rights(config.as_ref(), places));
    doctor.step("space", local::space(config.as_ref(), places));
    doctor.step("license", local::license(status.as_ref()));
    doctor.seen
}

/// Nothing is asked with a configuration that is not the operator's.
fn config(loaded: &Result<Loaded, ConfigError>) -> Option<Config> {
    loaded.as_ref().ok().map(|loaded| loaded.config.clone())
}

fn not_configured() -> Found {
    Found::NotTried("the configuration is refused".to_owned())
}

/// A step on the words of a problem that the daemon, or the state on disk, reports.
fn bad(what: impl Into<String>, remedy: impl Into<String>) -> Found {
    Found::Bad(Fault::new(what, remedy))
}

type Seen<'a> = Option<&'a Status>;
