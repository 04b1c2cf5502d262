//! The files that exist while the stand-in runs: PID file, control socket, status.json.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::UnixListener;
use std::path::Path;

use serde_json::{Value, json};

use crate::cli::{Options, about};

/// Writes the PID file in one step: nobody ever reads half of it.
pub(crate) fn write_pid(options: &Options) -> io::Result<()> {
    let Some(path) = options.pid_file.as_deref() else {
        return Ok(());
    };
    replace(path, &format!("{}\n", std::process::id())).map_err(about("cannot write the PID file", path))
}

/// Binds the control socket, in place of one that a dead predecessor left behind.
pub(crate) fn bind(options: &Options) -> io::Result<Option<UnixListener>> {
    let Some(path) = options.socket.as_deref() else {
        return Ok(None);
    };
    let bind = || {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(path)?;
        fs::set_permissions(path, Permissions::from_mode(0o660))?;
        give(options, path)?;
        Ok(Some(listener))
    };
    bind().map_err(about("cannot listen on the control socket", path))
}

/// Writes status.json; before privileges are dropped, so that it can be written again afterwards.
pub(crate) fn write_status(options: &Options, uptime: u64) -> io::Result<()> {
    let Some(path) = options.status_file.as_deref() else {
        return Ok(());
    };
    // `license_manager` says that the library is loaded, and nothing about the license.
    let status: Value = json!({ "version": "stand-in", "uptime": uptime, "license_manager": true });
    fs::write(path, format!("{status}\n")).map_err(about("cannot write the status file", path))?;
    give(options, path)
}

/// Removes what a clean stop removes; returns what could not be removed.
pub(crate) fn remove(options: &Options) -> Vec<String> {
    let own = |path: &&Path| {
        let content = fs::read_to_string(path).unwrap_or_default();
        content.trim() == std::process::id().to_string()
    };
    let pid_file = options.pid_file.as_deref().filter(own);
    let paths = [pid_file, options.socket.as_deref(), options.status_file.as_deref()];
    let left = |path: &&Path| fs::remove_file(path).is_err_and(|error| error.kind() != io::ErrorKind::NotFound);
    paths.into_iter().flatten().filter(left).map(|path| path.display().to_string()).collect()
}

/// Replaces a small file by rename.
pub(crate) fn replace(path: &Path, content: &str) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    fs::write(&beside, content)?;
    fs::rename(&beside, path)
}

fn give(options: &Options, path: &Path) -> io::Result<()> {
    match options.user {
        Some(account) if rustix::process::geteuid().is_root() => chown(path, Some(account.uid), Some(account.gid)),
        _ => Ok(()),
    }
}
