//! A gateway in a directory: configuration, keys, license, daemon, and a hub and a netifyd of its own.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hub_emulator::{HubEmulator, LicenseSpec, Options};
use netify_licensed::core::report::status::Status;
use netifyd_standin::Standin;
use test_support::{Proc, TempDir, built, temp_dir, wait_until};

/// The device's id, the license's serial.
pub(crate) const DUID: &str = "4c4c4544-0042-3510-8052-b4c04f4d3733";
pub(crate) const SERIAL: &str = "2026-3638-61034042";

pub(crate) const DAY: i64 = 86_400;

/// Longest wait for anything; only a failing test takes that long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_netify-licensed"))
}

/// See the module's documentation. Paths below the directory are the real ones without it.
#[derive(Debug)]
pub(crate) struct Gateway {
    pub(crate) hub: HubEmulator,
    pub(crate) netifyd: Option<Standin>,
    /// When it was set up, by the system clock: dates of its licenses are relative to this.
    pub(crate) now: i64,
    settings: BTreeMap<&'static str, String>,
    dir: TempDir,
}

impl Gateway {
    /// With a trusted key, an API key, a known device id; without license, netifyd and daemon.
    pub(crate) fn new() -> Self {
        Self::with(Options::new().seed(7).lifetime(Duration::from_secs(7 * 86_400)))
    }

    pub(crate) fn with(options: Options) -> Self {
        // Built on first use, which takes a while: before the clock is read.
        let standin = built("netifyd-standin", "netifyd");
        assert!(standin.is_ok(), "{standin:?}");
        let hub = HubEmulator::start(options);
        let dir = temp_dir().expect("a directory");
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let mut gateway =
            Self { hub, netifyd: None, now: i64::try_from(now).unwrap_or(0), settings: BTreeMap::new(), dir };
        for directory in ["etc/netifyd", "etc/netify-licensed/keys.d", "var/run/netifyd"] {
            // Nobody else may write to keys and above them, whatever the umask.
            let mut builder = fs::DirBuilder::new();
            builder.recursive(true).mode(0o755).create(gateway.path(directory)).expect("a directory");
        }
        gateway.write("etc/netify-licensed/keys.d/vendor.pem", &gateway.hub.public_key_pem());
        gateway.write("etc/netify-licensed/api-key", &gateway.hub.api_key());
        gateway.mode("etc/netify-licensed/api-key", 0o600);
        let (url, key) = (gateway.hub.url(), gateway.path("etc/netify-licensed/api-key"));
        gateway.set("hub.url", &url).set("hub.api-key-file", &key.display().to_string()).set("device.duid", DUID);
        let keys = gateway.path("etc/netify-licensed/keys.d");
        gateway.set_raw("trust.keys", &format!("[{:?}]", keys.display().to_string()));
        let license = gateway.license_path();
        gateway.set("license.path", &license.display().to_string());
        for (key, file) in [("reload.pid-file", "netifyd.pid"), ("reload.socket", "netifyd.sock")] {
            let path = gateway.path("var/run/netifyd").join(file);
            gateway.set(key, &path.display().to_string());
        }
        gateway.set("reload.method", "signal").set("reload.timeout", "5s").set("clock.trust", "always");
        gateway
    }

    /// Sets `section.key` to a text.
    pub(crate) fn set(&mut self, key: &'static str, value: &str) -> &mut Self {
        self.set_raw(key, &format!("{value:?}"))
    }

    /// Sets `section.key` to a TOML value.
    pub(crate) fn set_raw(&mut self, key: &'static str, value: &str) -> &mut Self {
        self.settings.insert(key, value.to_owned());
        self.write_config();
        self
    }

    /// Takes a setting out.
    pub(crate) fn unset(&mut self, key: &'static str) -> &mut Self {
        self.settings.remove(key);
        self.write_config();
        self
    }

    fn write_config(&self) {
        let mut text = String::new();
        let mut section = "";
        for (key, value) in &self.settings {
            let (here, name) = key.split_once('.').expect("section.key");
            if here != section {
                text.push_str(&format!("[{here}]\n"));
                section = here;
            }
            text.push_str(&format!("{name} = {value}\n"));
        }
        self.write("etc/netify-licensed/config.toml", &text);
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join(below)
    }

    pub(crate) fn root(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.path("etc/netify-licensed/config.toml")
    }

    pub(crate) fn license_path(&self) -> PathBuf {
        self.path("etc/netifyd/license.json")
    }

    pub(crate) fn write(&self, below: &str, text: &str) {
        let mut options = fs::File::options();
        let file = options.write(true).create(true).truncate(true).mode(0o644).open(self.path(below));
        file.and_then(|mut file| file.write_all(text.as_bytes())).expect("written");
    }

    pub(crate) fn mode(&self, below: &str, mode: u32) {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(self.path(below), fs::Permissions::from_mode(mode)).expect("changed");
    }

    /// A license for this device that was issued and ends so many seconds from now.
    pub(crate) fn spec(&self, issued: i64, ends: i64) -> LicenseSpec {
        LicenseSpec::new(SERIAL).duid(DUID).created_at(self.now + issued).expire_at(self.now + ends)
    }

    /// Puts a license in place that the hub has as well.
    pub(crate) fn install(&self, spec: LicenseSpec) {
        self.write("etc/netifyd/license.json", &self.hub.sign(&spec));
        self.hub.add_license(spec);
    }

    /// A license that needs nothing: issued yesterday, six more days.
    pub(crate) fn install_fresh(&self) {
        self.install(self.spec(-DAY, 6 * DAY));
    }

    /// A license that is due: half a day left of seven.
    pub(crate) fn install_due(&self) {
        self.install(self.spec(-6 * DAY - DAY / 2, DAY / 2));
    }

    /// Starts a netifyd that reads the license.
    pub(crate) fn start_netifyd(&mut self, behavior: &str) {
        let builder = Standin::builder().dir(self.path("var/run/netifyd")).license_path(self.license_path());
        let standin = builder.behavior(behavior).without_socket().start();
        self.netifyd = Some(standin.expect("netifyd runs"));
    }

    /// The environment of every command.
    pub(crate) fn prepare(&self, command: &mut Command) {
        command
            .env("RUNTIME_DIRECTORY", self.path("run/netify-licensed"))
            .env("STATE_DIRECTORY", self.path("var/lib/netify-licensed"))
            .env("NO_COLOR", "1");
        for name in
            ["CREDENTIALS_DIRECTORY", "NOTIFY_SOCKET", "WATCHDOG_USEC", "JOURNAL_STREAM", "HTTPS_PROXY", "https_proxy"]
        {
            command.env_remove(name);
        }
    }

    /// The program with these arguments, after a wrapper such as `setpriv …`.
    pub(crate) fn command_as(&self, wrapper: &[&str], arguments: &[&str]) -> Command {
        self.command_of(program(), wrapper, arguments)
    }

    /// The same for a copy of the program.
    pub(crate) fn command_of(&self, program: &Path, wrapper: &[&str], arguments: &[&str]) -> Command {
        let mut words = wrapper.iter().map(std::ffi::OsStr::new).chain([program.as_os_str()]);
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words).arg("--config").arg(self.config()).args(arguments);
        self.prepare(&mut command);
        command
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.command_as(&[], arguments)
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("it runs")
    }

    /// Starts the daemon.
    pub(crate) fn daemon(&self) -> Proc {
        Proc::spawn(&mut self.command(&["run"])).expect("the daemon starts")
    }

    /// What status.json holds, if it is there.
    pub(crate) fn published(&self) -> Option<Status> {
        serde_json::from_str(&self.published_text()?).ok()
    }

    pub(crate) fn published_text(&self) -> Option<String> {
        fs::read_to_string(self.path("run/netify-licensed/status.json")).ok()
    }

    /// Waits until the published status is as wanted.
    pub(crate) fn wait_for(&self, what: &str, wanted: impl Fn(&Status) -> bool) -> Status {
        let holds = || self.published().is_some_and(|status| wanted(&status));
        let waited = wait_until(holds, PATIENCE, what);
        let last = self.published();
        assert!(waited.is_ok(), "not within {PATIENCE:?}: {what}; the last status: {last:#?}");
        last.expect("a status")
    }
}

pub(crate) fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(crate) fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub(crate) fn code(output: &Output) -> i32 {
    output.status.code().unwrap_or(-1)
}
