//! The files that exist while the stand-in runs: PID file, control socket, status.json.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, chown};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::cli::{Options, about};

/// netifyd's version that is stood in for.
pub(crate) const VERSION: &str = "5.2.8";

/// Writes the PID file as netifyd does: it is truncated, then written.
pub(crate) fn write_pid(options: &Options) -> io::Result<()> {
    let Some(path) = options.pid_file.as_deref() else {
        return Ok(());
    };
    let write = || {
        let mut file = File::create(path)?;
        std::thread::sleep(Duration::from_millis(options.pid_gap));
        file.write_all(format!("{}\n", std::process::id()).as_bytes())
    };
    write().map_err(about("cannot write the PID file", path))
}

/// Fails while the process of the PID file is a netifyd: as for netifyd itself, its name has to begin with that.
pub(crate) fn refuse_a_second(options: &Options) -> io::Result<()> {
    let text = options.pid_file.as_deref().map(fs::read_to_string);
    let pid = text.and_then(Result::ok).and_then(|text| text.trim().parse::<u32>().ok());
    let Some(pid) = pid.filter(|pid| *pid != std::process::id()) else { return Ok(()) };
    let executable = fs::read_link(format!("/proc/{pid}/exe"));
    let is_netifyd = |path: &Path| path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"netifyd"));
    if executable.is_ok_and(|path| is_netifyd(&path)) {
        return Err(io::Error::other(format!("process {pid} is a netifyd that runs already")));
    }
    Ok(())
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

/// Makes status.json before privileges are dropped, so that it can be written afterwards. What a predecessor left stays
/// in it until the first write.
pub(crate) fn prepare_status(options: &Options) -> io::Result<()> {
    let Some(path) = options.status_file.as_deref() else {
        return Ok(());
    };
    let create = File::options().append(true).create(true).mode(0o640).open(path);
    create.map_err(about("cannot create the status file", path))?;
    give(options, path)
}

/// Writes status.json as netifyd does: in place, under a lock.
pub(crate) fn write_status(options: &Options, uptime: u64) -> io::Result<()> {
    let Some(path) = options.status_file.as_deref() else {
        return Ok(());
    };
    let mut status = agent_status(uptime);
    status["type"] = "agent_status".into();
    status["agent_version"] = VERSION.into();
    // It says that the library is loaded, and nothing about the license.
    status["license_manager"] = options.license_manager.into();
    status["signatures"] = json!({
        "apps": 199, "domains": 3374, "networks": 783, "soft_dissectors": 26, "transforms": 0,
        "version": "2026-11-02"
    });
    if let Some((code, message)) = options.bootstrap.as_deref().and_then(|text| text.split_once(':')) {
        let code: i64 = code.parse().unwrap_or_default();
        status["netify_api"] =
            json!({ "bootstrap": { "code": code, "message": message, "last_update": status["timestamp"] } });
    }
    let write = || {
        let mut file = File::options().write(true).create(true).truncate(false).mode(0o640).open(path)?;
        // Released when the file is closed.
        file.lock()?;
        file.set_len(0)?;
        file.write_all(format!("{status}\n").as_bytes())
    };
    write().map_err(about("cannot write the status file", path))
}

/// The members that status.json and the reply to `status` share.
pub(crate) fn agent_status(uptime: u64) -> Value {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    json!({
        "cpu_cores": 2, "cpu_system": 0.0, "cpu_system_prev": 0.0, "cpu_user": 0.010_084, "cpu_user_prev": 0.003_924,
        "dhc_size": 0, "dhc_status": true, "flow_count": 7, "flow_count_prev": 7, "flows_active": 7,
        "flows_expired": 0, "flows_expiring": 0, "flows_in_use": 0, "flows_purged": 0, "maxrss_kb": 12_944,
        "maxrss_kb_prev": 10_288, "timestamp": since.as_secs(), "update_imf": 1, "update_interval": 15,
        "uptime": uptime,
    })
}

/// Removes what a clean stop removes, which status.json is not; returns what could not be removed.
pub(crate) fn remove(options: &Options) -> Vec<String> {
    let own = |path: &&Path| {
        let content = fs::read_to_string(path).unwrap_or_default();
        content.trim() == std::process::id().to_string()
    };
    let pid_file = options.pid_file.as_deref().filter(own);
    let paths = [pid_file, options.socket.as_deref()];
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
