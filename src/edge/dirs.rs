//! Where things are: the directories that systemd hands over, else the usual ones.

use std::path::{Path, PathBuf};

/// Where the packaged service has it (systemd/netify-licensed-install.socket).
const PACKAGED_HELPER: &str = "/run/netify-licensed-install.sock";

/// The directories of a run.
#[derive(Debug, Clone)]
pub struct Places {
    /// `$RUNTIME_DIRECTORY` or `/run/netify-licensed`.
    pub runtime: PathBuf,
    /// `$STATE_DIRECTORY` or `/var/lib/netify-licensed`.
    pub state: PathBuf,
    /// `$CREDENTIALS_DIRECTORY`.
    pub credentials: Option<PathBuf>,
    /// `$NETIFY_LICENSED_INSTALLER`, else the helper: the socket of the service that writes the license; without it the
    /// program does.
    pub installer: Option<PathBuf>,
    /// `$NETIFY_LICENSED_HELPER`: the socket of the privileged helper, for all that takes root. It counts for the license
    /// as well, also where a drop-in of 0.1.0 has cleared the other variable to have the daemon write by itself.
    pub helper: Option<PathBuf>,
}

impl Places {
    /// From the environment (systemd.exec(5)).
    #[must_use]
    pub fn from_environment() -> Self {
        Self {
            runtime: directory("RUNTIME_DIRECTORY").unwrap_or_else(|| volatile().join("netify-licensed")),
            state: directory("STATE_DIRECTORY").unwrap_or_else(|| "/var/lib/netify-licensed".into()),
            credentials: directory("CREDENTIALS_DIRECTORY"),
            installer: directory("NETIFY_LICENSED_INSTALLER").or_else(|| directory("NETIFY_LICENSED_HELPER")),
            helper: directory("NETIFY_LICENSED_HELPER"),
        }
    }

    /// The helper's socket as a command at a shell finds it.
    #[must_use]
    pub fn helper_of_the_package(&self) -> Option<PathBuf> {
        self.helper.clone().or_else(|| Some(PathBuf::from(PACKAGED_HELPER)).filter(|socket| socket.exists()))
    }

    /// The lock between the daemon and every command that writes.
    #[must_use]
    pub fn lock(&self) -> PathBuf {
        self.runtime.join("lock")
    }
}

/// `/run`, or `/var/run` on systems that do not have it yet (`OpenWrt` before 24.10).
fn volatile() -> PathBuf {
    let run = Path::new("/run");
    if run.is_dir() { run.to_path_buf() } else { "/var/run".into() }
}

/// The first of the colon-separated directories.
fn directory(name: &str) -> Option<PathBuf> {
    let value = std::env::var_os(name)?;
    let first = std::env::split_paths(&value).next()?;
    first.is_absolute().then_some(first)
}

/// Creates a directory and its parents, for its owner and those who may look.
pub fn create(path: &Path, mode: u32) -> Result<(), String> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(mode).create(path).map_err(|error| {
        let remedy = crate::edge::remedy(&error).map_or_else(String::new, |remedy| format!("; {remedy}"));
        format!("{}: cannot create this directory: {}{remedy}", path.display(), crate::edge::reason(&error))
    })
}
