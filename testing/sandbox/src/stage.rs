//! Everything that runs, in one temporary directory, and its orderly end.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use hub_emulator::{HubEmulator, LicenseSpec, Options};
use netifyd_standin::Standin;
use tempfile::TempDir;
use test_support::{Proc, Signal};

use crate::story::End;
use crate::timeline::Timeline;
use crate::watch::{Happening, Watchers};

/// How long a license lives.
pub(crate) const LIFE: Duration = Duration::from_secs(12);
/// The license on stage.
pub(crate) const SERIAL: &str = "2026-3638-61034042";
/// The device on stage.
const DUID: &str = "sandbox-4c4c4544";
/// The daemon promises to end within a second of SIGTERM.
const STOPS_WITHIN: Duration = Duration::from_secs(1);
/// After this it is killed.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where things are.
#[derive(Debug)]
pub(crate) struct Places {
    /// The temporary directory.
    pub(crate) root: PathBuf,
    pub(crate) license: PathBuf,
    pub(crate) config: PathBuf,
    pub(crate) runtime: PathBuf,
    state: PathBuf,
    /// Holds a `netify-licensed` that knows all of this.
    pub(crate) bin: PathBuf,
}

impl Places {
    fn below(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            license: root.join("etc/netifyd/license.json"),
            config: root.join("etc/netify-licensed/config.toml"),
            runtime: root.join("run/netify-licensed"),
            state: root.join("lib/netify-licensed"),
            bin: root.join("bin"),
        }
    }

    /// The program with this configuration and these directories.
    pub(crate) fn command(&self) -> Command {
        Command::new(self.bin.join("netify-licensed"))
    }
}

/// The running cast. Put away on drop, in whatever way the sandbox ends.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) hub: Arc<HubEmulator>,
    pub(crate) netifyd: Arc<Standin>,
    pub(crate) daemon: Arc<Proc>,
    pub(crate) places: Places,
    watchers: Watchers,
    // Removed after all that lives in it: fields are dropped in this order.
    _dir: TempDir,
}

impl Stage {
    /// Starts hub, netifyd and daemon, in this order.
    pub(crate) fn set(program: &Path, behavior: &str, happenings: Sender<Happening>) -> Result<Self, End> {
        let dir = tempfile::Builder::new().prefix("netify-sandbox-").tempdir()?;
        let places = Places::below(dir.path());
        let hub = HubEmulator::try_start(Options::new().lifetime(LIFE))
            .map_err(|error| End::Failed(format!("the hub emulator does not start: {error}")))?;
        let spec = LicenseSpec::new(SERIAL).duid(DUID).expires_in(LIFE);
        hub.add_license(spec.clone());
        furnish(&places, &hub, program)?;
        fs::write(&places.license, hub.sign(&spec))?;
        let netifyd = Standin::builder()
            .dir(dir.path().join("run/netifyd"))
            .license_path(&places.license)
            .behavior(behavior)
            .supervise(Duration::from_millis(300))
            .start()?;
        // In a process group of its own, so that Ctrl-C reaches the sandbox alone.
        let daemon = Proc::spawn(places.command().arg("run").process_group(0))?;
        let (hub, netifyd, daemon) = (Arc::new(hub), Arc::new(netifyd), Arc::new(daemon));
        let watchers = Watchers::default();
        watchers.netifyd(Arc::clone(&netifyd), happenings.clone());
        watchers.daemon(Arc::clone(&daemon), happenings.clone());
        watchers.hub(Arc::clone(&hub), happenings);
        Ok(Self { hub, netifyd, daemon, places, watchers, _dir: dir })
    }

    /// The daemon's clean end, checked.
    pub(crate) fn close(&mut self, timeline: &Timeline) -> Result<(), End> {
        let asked = Instant::now();
        self.daemon.signal(Signal::TERM)?;
        let exit = self.daemon.wait_exit(PATIENCE)?;
        let took = asked.elapsed();
        if !exit.success() || took > STOPS_WITHIN {
            return Err(End::Failed(format!("on SIGTERM the daemon ended after {took:.1?} with {exit}")));
        }
        timeline.proof("stopped", &format!("exit code 0, {} ms after SIGTERM", took.as_millis()));
        Ok(())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if self.daemon.is_running()
            && self.daemon.signal(Signal::TERM).is_ok()
            && self.daemon.wait_exit(PATIENCE).is_err()
        {
            let _ = self.daemon.signal(Signal::KILL);
            let _ = self.daemon.wait_exit(PATIENCE);
        }
        let _ = self.netifyd.stop();
        self.watchers.stop();
    }
}

/// Directories, configuration, keys, and the command with which people reach the daemon.
fn furnish(places: &Places, hub: &HubEmulator, program: &Path) -> io::Result<()> {
    let etc = places.root.join("etc/netify-licensed");
    let keys = etc.join("keys.d");
    let netifyd = places.root.join("run/netifyd");
    for dir in [&keys, &places.root.join("etc/netifyd"), &places.runtime, &places.state, &places.bin, &netifyd] {
        // Nobody else may write to keys and above them, whatever the umask.
        fs::DirBuilder::new().recursive(true).mode(0o755).create(dir)?;
    }
    let mut trusted = OpenOptions::new().write(true).create_new(true).mode(0o644).open(keys.join("hub.pem"))?;
    trusted.write_all(hub.public_key_pem().as_bytes())?;
    let mut key = OpenOptions::new().write(true).create_new(true).mode(0o600).open(etc.join("api-key"))?;
    key.write_all(hub.api_key().as_bytes())?;
    fs::write(&places.config, config(places, &etc, &netifyd, &hub.url()))?;
    let wrapper = places.bin.join("netify-licensed");
    let text = format!(
        r#"#!/bin/sh
# What a service manager around the sandbox said was not meant for what runs in it.
unset CREDENTIALS_DIRECTORY NOTIFY_SOCKET WATCHDOG_USEC WATCHDOG_PID JOURNAL_STREAM
export RUNTIME_DIRECTORY='{}' STATE_DIRECTORY='{}'
exec '{}' --config '{}' "$@"
"#,
        places.runtime.display(),
        places.state.display(),
        program.display(),
        places.config.display(),
    );
    fs::write(&wrapper, text)?;
    fs::set_permissions(&wrapper, Permissions::from_mode(0o755))
}

/// What differs from the defaults: the places, the hub, and waits that fit licenses of seconds.
fn config(places: &Places, etc: &Path, netifyd: &Path, url: &str) -> String {
    let (etc, netifyd, license) = (etc.display(), netifyd.display(), places.license.display());
    format!(
        r#"[license]
path = "{license}"

[device]
duid = "{DUID}"

[trust]
keys = ["{etc}/keys.d"]

[hub]
url = "{url}"
api-key-file = "{etc}/api-key"

[renewal]
min-retry = "250ms"
max-retry = "1s"

[reload]
method = "socket"
socket = "{netifyd}/netifyd.sock"
pid-file = "{netifyd}/netifyd.pid"

[clock]
# A machine that has just booted may doubt its clock; nobody here depends on it.
trust = "always"

[log]
format = "json"
"#
    )
}
