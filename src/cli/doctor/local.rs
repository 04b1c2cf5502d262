//! The steps on this device.

use std::path::{Path, PathBuf};

use super::{Seen, bad, not_configured};
use crate::core::config::{Config, ConfigError, DEFAULT_PATH, ReloadMethod, TrustMode};
use crate::core::device::duid;
use crate::core::license::verify::State;
use crate::core::report::doctor::{Fault, Found};
use crate::core::state::word::ReloadWord;
use crate::edge::config_file::Loaded;
use crate::edge::dirs::Places;
use crate::edge::file::space;
use crate::edge::netifyd::reload;
use crate::edge::{device, process, service_manager};

type Read<'a> = Result<&'a Loaded, &'a ConfigError>;

pub(super) fn configuration(path: Option<&Path>, loaded: Read<'_>) -> Found {
    let name = path.unwrap_or(Path::new(DEFAULT_PATH)).display();
    match loaded {
        Ok(_) if path.is_none() && !Path::new(DEFAULT_PATH).exists() => {
            Found::Good(format!("there is no {name}, so the defaults are in force"))
        }
        Ok(_) => Found::Good(name.to_string()),
        Err(error) => Found::Bad(Fault::of_sentence(&error.to_string(), 78)),
    }
}

pub(super) fn keys(loaded: Read<'_>) -> Found {
    let Ok(loaded) = loaded else { return not_configured() };
    if loaded.config.trust.mode == TrustMode::Transport {
        return Found::Good("trust.mode is \"transport\": signatures are not checked".to_owned());
    }
    match loaded.check_files() {
        Ok(ring) if ring.problems.is_empty() => {
            let ids: Vec<&str> = ring.keys().iter().map(|key| key.id.as_str()).collect();
            Found::Good(ids.join(", "))
        }
        Ok(ring) => bad(ring.problems.join("; "), "replace or remove these key files"),
        Err(error) => Found::Bad(Fault::of_sentence(&error.to_string(), 78)),
    }
}

pub(super) async fn device(config: Option<&Config>, status: Seen<'_>) -> Found {
    let Some(config) = config else { return not_configured() };
    // The daemon may read more than this user may.
    if let Some(duid) = status.and_then(|status| status.device.duid.clone()) {
        let source = status.and_then(|status| status.device.source.clone()).unwrap_or_default();
        return Found::Good(format!("{duid} (from {source})"));
    }
    let judged = duid::judge(&device::readings(config, false).await);
    match duid::winner(&judged) {
        Some((duid, source)) => Found::Good(format!("{duid} (from {source})")),
        None => bad(duid::none_usable(&judged), "run `netify-licensed duid --all`, and set [device]"),
    }
}

pub(super) fn clock(config: Option<&Config>, status: Seen<'_>) -> Found {
    let Some(status) = status else {
        return if config.is_some() {
            Found::NotTried("the state cannot be read".to_owned())
        } else {
            not_configured()
        };
    };
    let now = crate::edge::clock::now().wall;
    if status.clock.trusted {
        Found::Good(format!("{now}: {}", status.clock.why))
    } else {
        bad(format!("{now} cannot be believed: {}", status.clock.why), "set the clock, or start a time service")
    }
}

pub(super) async fn netifyd(config: Option<&Config>, status: Seen<'_>) -> Found {
    let Some(config) = config else { return not_configured() };
    if config.reload.method == ReloadMethod::None {
        return Found::Good("reload.method is \"none\": netifyd is not told of a new license".to_owned());
    }
    let pending = status.is_some_and(|status| status.reload.pending);
    match reload::prospect(config).await {
        Ok(words) if pending => {
            let last = status.and_then(|status| status.reload.last_outcome).map(ReloadWord::as_str).unwrap_or_default();
            let what = format!("{words}, but a reload is still owed (last: {last})");
            Found::Bad(Fault::new(what, "read the log of netifyd").with_exit(6))
        }
        Ok(words) => Found::Good(words),
        Err((what, remedy)) => Found::Bad(Fault::new(what, remedy).with_exit(6)),
    }
}

pub(super) fn service_manager(config: Option<&Config>, places: &Places, status: Seen<'_>) -> Found {
    let Some(config) = config else { return not_configured() };
    let manager = if service_manager::is_systemd() {
        "systemd"
    } else if Path::new("/sbin/procd").exists() {
        "procd"
    } else {
        "none found"
    };
    let start = match manager {
        "systemd" => "systemctl start netify-licensed",
        "procd" => "/etc/init.d/netify-licensed start",
        _ => "run `netify-licensed run` under a supervisor that starts it again",
    };
    if let Some(pid) = status.and_then(|status| status.pid).filter(|pid| process::is_ours(*pid)) {
        return Found::Good(format!("{manager}; the daemon runs as process {pid}"));
    }
    let socket = config.control_socket(&places.runtime);
    bad(format!("{manager}; no daemon answers on {}", socket.display()), start)
}

/// The directories that a renewal writes into.
fn directories(config: &Config, places: &Places) -> Vec<PathBuf> {
    let license = config.license.path.as_path().parent().map(Path::to_path_buf);
    license.into_iter().chain([places.state.clone(), places.runtime.clone()]).collect()
}

pub(super) fn rights(config: Option<&Config>, places: &Places) -> Found {
    let Some(config) = config else { return not_configured() };
    let mut names = Vec::new();
    for directory in directories(config, places) {
        if directory.exists() && !space::may_write(&directory) {
            let what = format!("this user may not write into {}", directory.display());
            let remedy = if process::is_root() {
                "make it writable for root (attributes: lsattr, chattr -i)"
            } else {
                "run doctor as root, or as the daemon's user"
            };
            return bad(what, remedy);
        }
        names.push(directory.display().to_string());
    }
    Found::Good(format!("may write into {}", names.join(", ")))
}

pub(super) fn space(config: Option<&Config>, places: &Places) -> Found {
    let Some(config) = config else { return not_configured() };
    // The daemon makes its own two itself.
    let own = [&places.state, &places.runtime];
    for directory in directories(config, places) {
        if own.contains(&&directory) && !directory.exists() {
            continue;
        }
        if let Some((what, remedy)) = space::trouble(&directory) {
            return bad(what, remedy);
        }
    }
    Found::Good("enough for license, state and status".to_owned())
}

pub(super) fn license(status: Seen<'_>) -> Found {
    let Some(status) = status else { return Found::NotTried("the state cannot be read".to_owned()) };
    let words = format!("{}, {}", status.state.word(), status.license.path);
    let exit = match status.state {
        State::Valid | State::Unchecked => {
            let ends = status.license.expires_at.map(|at| format!(", ends {}", at.0)).unwrap_or_default();
            return Found::Good(format!("{words}{ends}"));
        }
        State::Expired => 4,
        _ => 3,
    };
    let remedy = status.advice.first().cloned().unwrap_or_else(|| "run `netify-licensed status`".to_owned());
    Found::Bad(Fault::new(words, remedy).with_exit(exit))
}
