//! Setting up a [`Standin`].

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use test_support::{Proc, built, temp_dir};

use crate::privileges::Account;
use crate::standin::{Paths, Standin};

/// How the stand-in is to be started. Everything lies in a temporary directory unless told otherwise.
#[derive(Debug, Clone)]
pub struct Builder {
    binary: Option<PathBuf>,
    dir: Option<PathBuf>,
    license_path: Option<PathBuf>,
    license: Option<Vec<u8>>,
    behavior: String,
    socket: bool,
    user: Option<String>,
    supervise: Option<Duration>,
    more: Vec<String>,
    awaited: &'static str,
}

impl Builder {
    pub(crate) fn new() -> Self {
        Self {
            binary: None,
            dir: None,
            license_path: None,
            license: None,
            behavior: "ok".into(),
            socket: true,
            user: None,
            supervise: None,
            more: Vec::new(),
            awaited: "ready",
        }
    }

    /// The executable to start, instead of the one that Cargo builds on first use.
    #[must_use]
    pub fn binary(mut self, path: impl Into<PathBuf>) -> Self {
        self.binary = Some(path.into());
        self
    }

    /// An existing directory for all files, instead of a temporary one; it is left behind.
    #[must_use]
    pub fn dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.dir = Some(path.into());
        self
    }

    /// Where the license lies; default `license.json` in the directory.
    #[must_use]
    pub fn license_path(mut self, path: impl Into<PathBuf>) -> Self {
        self.license_path = Some(path.into());
        self
    }

    /// A license that is there from the start.
    #[must_use]
    pub fn license(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.license = Some(bytes.into());
        self
    }

    /// The script of [`behavior`](crate::behavior) to start with.
    #[must_use]
    pub fn behavior(mut self, script: &str) -> Self {
        script.clone_into(&mut self.behavior);
        self
    }

    /// No control socket, as most netifyds are configured.
    #[must_use]
    pub fn without_socket(mut self) -> Self {
        self.socket = false;
        self
    }

    /// Run as this user (`NAME`, `UID` or either with `:GID`); only root can. The directory will be the user's.
    #[must_use]
    pub fn user(mut self, user: &str) -> Self {
        self.user = Some(user.to_owned());
        self
    }

    /// Start it again, after this delay, whenever it ends.
    #[must_use]
    pub fn supervise(mut self, restart_delay: Duration) -> Self {
        self.supervise = Some(restart_delay);
        self
    }

    fn flag(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        self.more.push(format!("--{name}={value}"));
        self
    }

    /// How long after the PID file the socket appears. [`Builder::start`] does not wait for that.
    #[must_use]
    pub fn capture_delay(mut self, delay: Duration) -> Self {
        self.awaited = "started";
        self.flag("capture-delay", delay.as_millis())
    }

    /// How long the PID file is empty before the PID stands in it.
    #[must_use]
    pub fn pid_gap(self, gap: Duration) -> Self {
        self.flag("pid-gap", gap.as_millis())
    }

    /// How long it goes on after TERM.
    #[must_use]
    pub fn stop_delay(self, delay: Duration) -> Self {
        self.flag("stop-delay", delay.as_millis())
    }

    /// How often status.json is written.
    #[must_use]
    pub fn update_interval(self, interval: Duration) -> Self {
        self.flag("update-interval", interval.as_millis())
    }

    /// status.json says that the license manager's library is not loaded.
    #[must_use]
    pub fn without_license_manager(self) -> Self {
        self.flag("license-manager", false)
    }

    /// status.json has what the vendor's API answered: code and message.
    #[must_use]
    pub fn bootstrap(self, code: i64, message: &str) -> Self {
        self.flag("bootstrap", format!("{code}:{message}"))
    }

    /// Replies are spread over lines, as with netifyd's debug flag.
    #[must_use]
    pub fn debug(mut self) -> Self {
        self.more.push("--debug".to_owned());
        self
    }

    /// Starts the stand-in and waits until it is ready.
    pub fn start(self) -> io::Result<Standin> {
        let binary = match &self.binary {
            Some(path) => path.clone(),
            None => built("netifyd-standin", "netifyd")?,
        };
        let temp = if self.dir.is_none() { Some(temp_dir()?) } else { None };
        let dir = self.dir.as_deref().or(temp.as_ref().map(test_support::TempDir::path));
        let dir = dir.ok_or_else(|| io::Error::other("no directory"))?.to_owned();
        let paths = Paths::below(&dir, self.license_path.clone());
        if let Some(license) = &self.license {
            fs::write(&paths.license, license)?;
        }
        if let Some(user) = &self.user {
            share(&dir, user)?;
        }
        let proc = Proc::spawn_with_stdin(&mut self.command(&binary, &paths))?;
        let standin = Standin::new(proc, paths, temp);
        standin.wait_for(self.awaited, Duration::from_secs(20), |event| event.name == self.awaited)?;
        Ok(standin)
    }

    fn command(&self, binary: &Path, paths: &Paths) -> Command {
        let mut command = Command::new(binary);
        command.args(["--verbose", "--until-eof", "--behavior", &self.behavior]).args(&self.more);
        command.arg("--license").arg(&paths.license);
        command.arg("--pid-file").arg(&paths.pid_file);
        command.arg("--status-file").arg(&paths.status_file);
        command.arg("--events").arg(&paths.events);
        command.arg("--behavior-file").arg(&paths.behavior_file);
        if self.socket {
            command.arg("--socket").arg(&paths.socket);
        }
        if let Some(user) = &self.user {
            command.args(["--user", user]);
        }
        if let Some(delay) = self.supervise {
            command.args(["--supervise", "--restart-delay", &delay.as_millis().to_string()]);
        }
        command
    }
}

/// Lets `user` into the directory, which temporary ones do not, and lets it remove its files there.
fn share(dir: &Path, user: &str) -> io::Result<()> {
    let account = Account::parse(user).map_err(io::Error::other)?;
    chown(dir, Some(account.uid), Some(account.gid))?;
    fs::set_permissions(dir, Permissions::from_mode(0o755))
}
