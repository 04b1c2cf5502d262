//! `status` and `check`: from the daemon, else from its status file, else from the state on disk.

use std::path::Path;

use serde_json::json;

use crate::cli::args::StatusFormat;
use crate::cli::client::STUCK;
use crate::core::config::ConfigError;
use crate::core::control::{Answer, Command};
use crate::core::license::verify::State;
use crate::core::report::check::{self, Origin, Thresholds, Verdict};
use crate::core::report::status::Status;
use crate::core::report::{metrics, screen};
use crate::core::text;
use crate::daemon::driver::{Driver, Role};
use crate::edge::config_file::{self, Loaded};
use crate::edge::control::client::{self, ALIVE, AskError};
use crate::edge::dirs::Places;
use crate::edge::file::license;
use crate::edge::file::state::Store;
use crate::edge::{clock, heartbeat, process, terminal};
use crate::exit::Exit;

/// Where a status comes from that was made on the spot.
const NO_DAEMON: &str = "no daemon runs; this is the state on disk";
/// The same where one runs that has not published anything.
const SILENT_DAEMON: &str = "the daemon does not answer; this is the state on disk";
/// Why what a daemon left behind is shown instead.
const LITTLE: &str = "no daemon runs, and this user may not read everything";

/// A status with its origin, when that is not the running daemon.
struct Seen {
    status: Status,
    from: Option<String>,
    /// The daemon runs and does not answer: one sentence.
    stuck: Option<String>,
    /// Not the license, but this user's rights make it unreadable: that says nothing about the license.
    is_blind: bool,
}

pub(super) async fn status(path: Option<&Path>, format: StatusFormat) -> Exit {
    let seen = match see(path).await {
        Ok(seen) => seen,
        Err(exit) => return exit,
    };
    Exit::with(match format {
        StatusFormat::Json => text::pretty_json(&seen.status) + "\n",
        StatusFormat::Openmetrics => metrics::openmetrics(&seen.status),
        StatusFormat::Text => screen::status(&seen.status, clock::now().wall, terminal::paint(), seen.from.as_deref()),
    })
}

/// Whether the daemon's event loop turns: any answer says so, also that of a daemon that is still starting.
pub(super) async fn alive(path: Option<&Path>, as_json: bool) -> Exit {
    let places = Places::from_environment();
    let loaded = config_file::load(path);
    // A configuration that is refused says nothing about the daemon, which goes on with the one before.
    let config = config_file::to_find_the_daemon(path, &loaded).unwrap_or_default();
    let socket = config.control_socket(&places.runtime);
    let (is_alive, message) = match client::ask(&socket, Command::Status, ALIVE).await {
        Ok(_) => (true, "the daemon answers".to_owned()),
        Err(AskError::NoDaemon) => (false, format!("no daemon listens on {}", socket.display())),
        Err(AskError::Silent(sentence) | AskError::Broken(sentence)) => (false, sentence),
        Err(AskError::Denied(sentence)) => {
            let file = heartbeat::path(&places.runtime);
            match heartbeat::is_fresh(&places.runtime) {
                Some(true) => (true, format!("the daemon has written {}", file.display())),
                Some(false) => (false, format!("{}: the daemon has not written it for 11 minutes", file.display())),
                None => (false, sentence),
            }
        }
    };
    let code = u8::from(!is_alive);
    if as_json {
        return Exit { code, ..Exit::with(format!("{}\n", json!({ "alive": is_alive, "message": message }))) };
    }
    Exit::outcome(code, message, false)
}

pub(super) async fn check(path: Option<&Path>, warning: f64, critical: f64, as_json: bool) -> Exit {
    let verdict = if critical > warning {
        check::unknown("--critical must lie between 0 and --warning")
    } else {
        match see(path).await {
            Err(exit) => check::unknown(&exit.err),
            Ok(seen) if seen.is_blind && !process::is_root() => {
                let reason = seen.status.problems.first().cloned().unwrap_or_default();
                check::unknown(&format!("{reason}; no daemon runs, so only root can tell"))
            }
            Ok(seen) => {
                let thresholds = Thresholds { warning, critical };
                let origin = Origin { from: seen.from.as_deref(), stuck: seen.stuck.as_deref() };
                check::judge(&seen.status, thresholds, clock::now().wall, origin)
            }
        }
    };
    said(verdict, as_json)
}

/// To monitoring 2 means CRITICAL: a mistake in its own command line is UNKNOWN, and one line as well.
pub(super) fn misused(words: &str) -> Exit {
    let mistake = words.lines().next().unwrap_or_default();
    let verdict = check::unknown(mistake.strip_prefix("error: ").unwrap_or(mistake));
    said(verdict, std::env::args_os().any(|argument| argument == "--json"))
}

fn said(verdict: Verdict, as_json: bool) -> Exit {
    let out = if as_json { text::json(&json!({ "exit": verdict.exit, "line": verdict.line })) } else { verdict.line };
    Exit { code: verdict.exit, out: out + "\n", err: String::new() }
}

/// The status for `doctor`, whoever tells it.
pub(super) async fn seen(path: Option<&Path>) -> Option<Status> {
    see(path).await.ok().map(|seen| seen.status)
}

/// The best that this user may see. Monitoring runs without rights: what it may not read must not hide what it may.
async fn see(path: Option<&Path>) -> Result<Seen, Exit> {
    let places = Places::from_environment();
    let loaded = config_file::load(path);
    let config = config_file::to_find_the_daemon(path, &loaded).map_err(|error| Exit::config(&error))?;
    let (socket, file) = (config.control_socket(&places.runtime), config.status_file(&places.runtime));
    let (mut stuck, mut is_silent) = (None, false);
    let why = match client::ask(&socket, Command::Status, ALIVE).await {
        Ok(Answer { status: Some(status), .. }) => {
            return Ok(Seen { status: *status, from: None, stuck: None, is_blind: false });
        }
        Ok(answer) => answer.message,
        Err(AskError::Denied(_)) => {
            if heartbeat::is_fresh(&places.runtime) == Some(false) {
                let file = heartbeat::path(&places.runtime);
                let written = format!("{}: the daemon has not written it for 11 minutes", file.display());
                stuck = Some(format!("{written}; {STUCK}"));
            }
            "this user may not ask the daemon".to_owned()
        }
        Err(AskError::Silent(sentence)) => {
            (stuck, is_silent) = (Some(format!("{sentence}; {STUCK}")), true);
            "the daemon does not answer".to_owned()
        }
        Err(AskError::NoDaemon) => format!("the daemon does not listen on {}", socket.display()),
        Err(AskError::Broken(sentence)) => sentence,
    };
    // It may be old.
    let mut published = terminal::read_status(&file);
    let runs = published.as_ref().is_some_and(|status| status.pid.is_some_and(process::is_ours));
    // A socket without a process behind it denies as well.
    stuck = stuck.filter(|_| runs || is_silent);
    if let Some(status) = &mut published {
        status.age(clock::now().wall);
    }
    let told = |status, why: &str, stuck| {
        let from = Some(format!("from {}, as {why}", file.display()));
        Ok(Seen { status, from, stuck, is_blind: false })
    };
    match published {
        Some(mut status) if runs || is_silent => {
            if let Some(how) = &stuck {
                status.with_stuck_daemon(how);
            }
            told(status, &why, stuck)
        }
        Some(mut status) => {
            // What its daemon left behind.
            status.without_daemon();
            match on_disk(loaded, places, None).await {
                Ok((seen, may_read_all)) if !seen.is_blind => {
                    let same = seen.status.license.sha256 == status.license.sha256;
                    if may_read_all || !same { Ok(seen) } else { told(status, LITTLE, None) }
                }
                Err(exit) if process::is_root() => Err(exit),
                _ => told(status, LITTLE, None),
            }
        }
        None => on_disk(loaded, places, stuck).await.map(|(seen, _)| seen),
    }
}

/// The state as a daemon would see it that starts now, and whether this user may read all that it takes.
async fn on_disk(
    loaded: Result<Loaded, ConfigError>,
    places: Places,
    stuck: Option<String>,
) -> Result<(Seen, bool), Exit> {
    let loaded = loaded.map_err(|error| Exit::config(&error))?;
    let keys = loaded.keys().map_err(|error| Exit::config(&error))?;
    let may_read_all = Store::new(&places).is_readable();
    let is_forbidden = license::is_forbidden(loaded.config.license.path.as_path());
    let (mut driver, mut results) = Driver::new(loaded.config, keys, places, Role::Look);
    while driver.engine().status().is_none() || !driver.netifyd_seen() {
        match results.recv().await {
            Some(event) => driver.handle(event),
            None => break,
        }
    }
    let mut status =
        driver.engine().status().cloned().ok_or_else(|| Exit::failed("the state cannot be told".to_owned()))?;
    let from = if let Some(how) = &stuck {
        status.with_stuck_daemon(how);
        SILENT_DAEMON
    } else {
        status.without_daemon();
        NO_DAEMON
    };
    let is_blind = status.state == State::Unreadable && is_forbidden;
    Ok((Seen { status, from: Some(from.to_owned()), stuck, is_blind }, may_read_all))
}
