//! `doctor`: from the device to the hub, step by step. Changes nothing.

mod bundle;
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

pub(super) async fn doctor(path: Option<&Path>, bundle: Option<&Path>, as_json: bool) -> Exit {
    let places = Places::from_environment();
    let mut doctor = Doctor::new();
    let loaded = config_file::load(path);
    let status = super::status::seen(path).await;
    let seen = examine(&mut doctor, path, &loaded, status.as_ref(), &places).await;
    let out = if as_json { format!("{:#}\n", seen.document()) } else { seen.screen(terminal::paint()) };
    let exit = Exit { code: seen.exit_code(), out, err: String::new() };
    let Some(file) = bundle else { return exit };
    let loaded = loaded.as_ref().map_err(ToString::to_string);
    match bundle::write(file, loaded, status.as_ref(), &seen, &places).await {
        Ok(()) => exit,
        Err(error) => Exit { code: exit.code.max(1), err: error, ..exit },
    }
}

async fn examine(
    doctor: &mut Doctor,
    path: Option<&Path>,
    loaded: &Result<Loaded, ConfigError>,
    status: Seen<'_>,
    places: &Places,
) -> Examination {
    doctor.step("configuration", local::configuration(path, loaded.as_ref()));
    doctor.step("keys", local::keys(loaded.as_ref()));
    let config = config(loaded);
    doctor.step("device id", local::device(config.as_ref(), status).await);
    doctor.step("clock", local::clock(config.as_ref(), status));
    match &config {
        Some(config) => network::examine(doctor, config, places, status).await,
        None => {
            for name in network::STEPS {
                doctor.step(name, not_configured());
            }
        }
    }
    doctor.step("netifyd", local::netifyd(config.as_ref(), status).await);
    doctor.step("service manager", local::service_manager(config.as_ref(), places, status));
    doctor.step("rights", local::rights(config.as_ref(), places));
    doctor.step("space", local::space(config.as_ref(), places));
    doctor.step("license", local::license(status));
    doctor.seen.clone()
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
