//! `status` and `check`: from the daemon, else from its status file, else from the state on disk.

use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::Exit;
use super::args::StatusFormat;
use crate::core::check::{self, Thresholds};
use crate::core::metrics;
use crate::core::protocol::Command;
use crate::core::report::Status;
use crate::core::screen;
use crate::core::verify::State;
use crate::driver::{Driver, Role};
use crate::edge::config_file::{self, Loaded};
use crate::edge::control;
use crate::edge::places::Places;
use crate::edge::{clock, lock, terminal};

/// Longest wait for the daemon.
const PATIENCE: Duration = Duration::from_secs(5);

/// A status with its origin, when that is not the running daemon.
struct Seen {
    status: Status,
    from: Option<String>,
}

pub(super) async fn status(path: Option<&Path>, format: StatusFormat) -> Exit {
    let loaded = match config_file::load(path) {
        Ok(loaded) => loaded,
        Err(error) => return Exit::config(&error),
    };
    let seen = match see(loaded).await {
        Ok(seen) => seen,
        Err(exit) => return exit,
    };
    Exit::with(match format {
        StatusFormat::Json => serde_json::to_string_pretty(&seen.status).unwrap_or_default() + "\n",
        StatusFormat::Openmetrics => metrics::openmetrics(&seen.status),
        StatusFormat::Text => screen::status(&seen.status, clock::now().wall, terminal::paint(), seen.from.as_deref()),
    })
}

pub(super) async fn check(path: Option<&Path>, warning: f64, critical: f64, as_json: bool) -> Exit {
    let verdict = if critical > warning || !warning.is_finite() || critical < 0.0 {
        check::unknown("--critical must lie between 0 and --warning")
    } else {
        match config_file::load(path) {
            Err(error) => check::unknown(&error.to_string()),
            Ok(loaded) => match see(loaded).await {
                Err(exit) => check::unknown(&exit.err),
                Ok(seen) => check::judge(
                    &seen.status,
                    Thresholds { warning, critical },
                    clock::now().wall,
                    seen.from.as_deref(),
                ),
            },
        }
    };
    let out = if as_json { json!({ "exit": verdict.exit, "line": verdict.line }).to_string() } else { verdict.line };
    Exit { code: verdict.exit, out: out + "\n", err: String::new() }
}

async fn see(loaded: Loaded) -> Result<Seen, Exit> {
    let places = Places::from_environment();
    let socket = loaded.config.control_socket(&places.runtime);
    if let Ok(answer) = control::ask(&socket, Command::Status, PATIENCE).await
        && let Some(status) = answer.status
    {
        return Ok(Seen { status: *status, from: None });
    }
    let file = loaded.config.status_file(&places.runtime);
    let published = terminal::read_status(&file);
    // A daemon that may not be asked, but whose word is on disk.
    if let Some(status) = published
        .clone()
        .filter(|status| lock::holder(&places.lock()).is_some_and(|holder| Some(holder.pid) == status.pid))
    {
        return Ok(Seen { status, from: Some(format!("from {}, as the daemon may not be asked", file.display())) });
    }
    let config = loaded.config.clone();
    let keys = loaded.keys().map_err(|error| Exit::config(&error))?;
    let (mut driver, mut results) = Driver::new(config, keys, places, Role::Look);
    while !driver.device_known() {
        match results.recv().await {
            Some(event) => driver.handle(event),
            None => break,
        }
    }
    match (driver.engine().status().cloned(), published) {
        (Some(status), Some(published))
            if status.state == State::Unreadable && published.state != State::Unreadable =>
        {
            Ok(Seen {
                status: published,
                from: Some(format!("from {}, as the license file cannot be read and no daemon runs", file.display())),
            })
        }
        (Some(status), _) => Ok(Seen { status, from: Some("no daemon runs".to_owned()) }),
        (None, _) => Err(Exit::failed("the state cannot be told".to_owned())),
    }
}
