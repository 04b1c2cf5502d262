//! A device on the test bench: a directory of its own, a configuration, and the real binary.
#![allow(clippy::panic, clippy::needless_pass_by_value, reason = "a bench may fail loudly, and shall read well")]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use hub_emulator::HubEmulator;
use serde_json::Value;
use test_support::{Proc, TempDir, temp_dir, wait_until};

/// Longest wait for anything that is going to happen.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// This device's id.
pub const DUID: &str = "bench-device-0001";
/// A serial number in the vendor's form.
pub const SERIAL: &str = "2026-3638-61034042";

/// How a command ended.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Outcome {
    /// Standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("not JSON ({error}): {self:?}"))
    }

    /// Fails unless the command ended with this code, and returns its standard error.
    #[track_caller]
    pub fn expect(&self, code: i32) -> &str {
        assert_eq!(self.code, Some(code), "{self:#?}");
        &self.err
    }
}

/// See the module.
#[derive(Debug)]
pub struct Rig {
    dir: TempDir,
    settings: BTreeMap<String, BTreeMap<String, String>>,
    environment: Vec<(String, String)>,
}

impl Default for Rig {
    fn default() -> Self {
        Self::new()
    }
}

impl Rig {
    /// A device that trusts the emulator's key and checks its own clock by nothing. No hub yet.
    pub fn new() -> Self {
        let dir = temp_dir().expect("a temporary directory");
        for name in ["keys.d", "run", "state", "netifyd"] {
            // Nobody else may write to keys, whatever the umask.
            fs::DirBuilder::new().mode(0o755).create(dir.path().join(name)).expect("a directory");
        }
        let mut rig = Self { dir, settings: BTreeMap::new(), environment: Vec::new() };
        let (license, keys) = (rig.path("netifyd/license.json"), rig.path("keys.d"));
        rig.set("license.path", license.display());
        rig.set("trust.keys", format!("[{:?}]", keys.display().to_string()));
        rig.set("device.duid", DUID);
        rig.set("reload.method", "none");
        rig.set("clock.trust", "always");
        rig.set("log.format", "text");
        rig
    }

    /// A device of the emulator's Licensing API, with its key.
    pub fn api(hub: &HubEmulator) -> Self {
        let mut rig = Self::new();
        rig.trust(hub);
        rig.set("hub.url", hub.url());
        let key = rig.secret("api-key", &hub.api_key());
        rig.set("hub.api-key-file", key.display());
        rig
    }

    /// A device of a relay at this URL, without credentials.
    pub fn relay(hub: &HubEmulator, url: impl ToString) -> Self {
        let mut rig = Self::new();
        rig.trust(hub);
        rig.set("hub.kind", "relay");
        rig.set("hub.url", url.to_string());
        rig
    }

    /// Trusts what this emulator signs, and its certificate authority.
    pub fn trust(&mut self, hub: &HubEmulator) {
        self.write("keys.d/hub.pem", hub.public_key_pem());
        if let Some(tls) = hub.tls() {
            let ca = self.write("ca.pem", &tls.ca_pem);
            self.set("hub.ca-file", ca.display());
        }
    }

    /// Sets `section.key`. A value that looks like a TOML array, flag or number is written as such, else as a string.
    pub fn set(&mut self, key: &str, value: impl ToString) {
        let (section, name) = key.split_once('.').expect("section.key");
        let value = value.to_string();
        let bare = value.starts_with('[') && value.ends_with(']') || value == "true" || value == "false";
        let value = if bare || value.parse::<u32>().is_ok() { value } else { format!("{value:?}") };
        self.settings.entry(section.to_owned()).or_default().insert(name.to_owned(), value);
        self.write("config.toml", self.config());
    }

    /// Removes `section.key`.
    pub fn unset(&mut self, key: &str) {
        let (section, name) = key.split_once('.').expect("section.key");
        self.settings.get_mut(section).and_then(|section| section.remove(name)).expect("a key that is set");
        self.write("config.toml", self.config());
    }

    fn config(&self) -> String {
        let section = |(name, keys): (&String, &BTreeMap<String, String>)| {
            keys.iter().fold(format!("[{name}]\n"), |text, (key, value)| format!("{text}{key} = {value}\n"))
        };
        self.settings.iter().map(section).collect()
    }

    /// Adds a variable to the environment of all processes.
    pub fn env(&mut self, name: &str, value: impl ToString) {
        self.environment.push((name.to_owned(), value.to_string()));
    }

    /// `[provision]` of a usual device.
    pub fn set_provision(&mut self) {
        self.set("provision.issued-to", "Toronto Office");
        self.set("provision.entitlements", r#"["netify-proc-aggregator"]"#);
    }

    /// A path in the device's directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The whole directory.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The license file.
    pub fn license(&self) -> PathBuf {
        self.path("netifyd/license.json")
    }

    /// The license file's text; empty when there is none.
    pub fn installed(&self) -> String {
        fs::read_to_string(self.license()).unwrap_or_default()
    }

    /// The serial of the installed license; empty when there is none.
    pub fn installed_serial(&self) -> String {
        let license: Value = serde_json::from_str(&self.installed()).unwrap_or_default();
        license["serial"].as_str().unwrap_or_default().to_owned()
    }

    /// Writes a file.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        let mut options = fs::File::options();
        let mut file = options.write(true).create(true).truncate(true).mode(0o644).open(&path).expect("a file");
        file.write_all(content.as_ref()).expect("a file in the temporary directory");
        path
    }

    /// Writes a file that only its owner may read.
    pub fn secret(&self, name: &str, content: &str) -> PathBuf {
        let path = self.write(name, content);
        fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("a mode");
        path
    }

    /// The binary with these arguments, not started. It inherits no environment.
    pub fn command(&self, args: &[&str]) -> Command {
        self.wrapped(&[], args)
    }

    /// The same, started by another program: `wrapper` are that program and its own arguments.
    pub fn wrapped(&self, wrapper: &[&str], args: &[&str]) -> Command {
        let program = crate::program();
        let mut words = wrapper.iter().map(OsStr::new).chain([program.as_os_str()]);
        let mut command = Command::new(words.next().unwrap_or(program.as_os_str()));
        command.args(words).env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command.env("RUNTIME_DIRECTORY", self.path("run")).env("STATE_DIRECTORY", self.path("state"));
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.arg("--config").arg(self.path("config.toml")).args(args).current_dir(self.dir());
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, args: &[&str]) -> Outcome {
        let done = self.command(args).output().expect("the binary starts");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Outcome { code: done.status.code(), out: text(done.stdout), err: text(done.stderr) }
    }

    /// Starts the daemon and waits until it has published its status.
    pub fn daemon(&self) -> Proc {
        let daemon = Proc::spawn(&mut self.command(&["run"])).expect("the daemon starts");
        let pid = daemon.pid().as_raw_pid();
        wait_until(|| self.status()["pid"] == pid, PATIENCE, "the daemon's first status")
            .unwrap_or_else(|error| panic!("{error}: {}", daemon.output()));
        daemon
    }

    /// The published status; null when there is none.
    pub fn status(&self) -> Value {
        fs::read(self.path("run/status.json"))
            .ok()
            .and_then(|text| serde_json::from_slice(&text).ok())
            .unwrap_or_default()
    }

    /// Waits until the published status satisfies `wanted`.
    #[track_caller]
    pub fn wait_for_status(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let done = wait_until(|| wanted(&self.status()), PATIENCE, what);
        let status = self.status();
        assert!(done.is_ok(), "not within {PATIENCE:?}: {what}: {status:#}");
        status
    }
}

/// Unix seconds.
pub fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock after 1970");
    i64::try_from(since.as_secs()).expect("a clock of this era")
}

/// The UTC day that is so many days ahead, as `YYYY-MM-DD`.
pub fn day(ahead: i64) -> String {
    hub_emulator::clock::date(now() + ahead * 86_400)[..10].to_owned()
}

/// Says that a test did not run, past the test runner's capture.
pub fn skipped(why: &str) {
    // Nobody is left to be told when even that fails.
    let _ = writeln!(std::io::stderr(), "SKIPPED: {why}");
}

/// Where a program of the distribution is.
pub fn tool(name: &str) -> Option<PathBuf> {
    ["/usr/sbin", "/usr/bin", "/sbin", "/bin"].iter().map(|dir| Path::new(dir).join(name)).find(|path| path.exists())
}
