//! A device in a temporary directory: configuration, trusted key, license file, state, and a reload that leaves a mark.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use hub_emulator::{BodyStyle, Format, LicenseSpec, SigningKey};
use netify_licensed::core::license::keys::KeyRing;
use netify_licensed::core::license::verify::{Authentic, Verifier};
use test_support::{Proc, TempDir};

/// The device's id.
pub const DUID: &str = "device-under-test";
/// The license's serial.
pub const SERIAL: &str = "2026-3638-61034042";
/// Longest wait for anything.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// One day.
pub const DAY: Duration = Duration::from_secs(86_400);

/// See the module's documentation.
#[derive(Debug)]
pub struct Device {
    root: TempDir,
    key: SigningKey,
    verifier: Verifier,
}

impl Device {
    /// A device that trusts `key` and asks the hub at `hub`; nothing is installed yet.
    pub fn new(key: &SigningKey, hub: Option<&str>) -> Self {
        Self::in_directory(test_support::temp_dir().expect("a temporary directory"), key, hub)
    }

    /// A device below this directory.
    pub fn in_directory(root: TempDir, key: &SigningKey, hub: Option<&str>) -> Self {
        let pem = key.public_key_pem();
        let ring = KeyRing::from_files([("hub.pem".to_owned(), Ok(pem.clone().into_bytes()))]);
        let verifier = Verifier { keys: Some(ring), duid: Some(DUID.to_owned()), require_device_binding: true };
        let device = Self { root, key: key.clone(), verifier };
        for directory in ["keys.d", "run", "state", "netifyd"] {
            fs::create_dir(device.path(directory)).expect("a directory");
        }
        fs::write(device.path("keys.d/hub.pem"), pem).expect("the key is written");
        for (name, mode) in [("keys.d", 0o755), ("keys.d/hub.pem", 0o644)] {
            fs::set_permissions(device.path(name), fs::Permissions::from_mode(mode)).expect("chmod");
        }
        fs::write(device.path("api-key"), "emulator-key\n").expect("the API key is written");
        fs::set_permissions(device.path("api-key"), fs::Permissions::from_mode(0o600)).expect("chmod");
        device.configure(&device.license_path(), hub, "");
        device
    }

    /// Writes the configuration, with `more` at its end.
    pub fn configure(&self, license: &Path, hub: Option<&str>, more: &str) {
        let root = self.root.path().display();
        // Nobody listens on the discard port.
        let hub = hub.unwrap_or("http://127.0.0.1:9/api");
        let text = format!(
            r#"[license]
path = "{license}"
[device]
duid = "{DUID}"
[trust]
keys = ["{root}/keys.d"]
[hub]
url = "{hub}"
api-key-file = "{root}/api-key"
[reload]
method = "command"
command = ["/bin/sh", "-c", "cp \"$LICENSE_PATH\" {root}/loading.$$ && echo >> {root}/reloads && mv {root}/loading.$$ {root}/loaded"]
pid-file = "{root}/no-netifyd.pid"
socket = "{root}/no-netifyd.sock"
[clock]
trust = "always"
[log]
format = "text"
{more}"#,
            license = license.display(),
        );
        fs::write(self.config(), text).expect("the configuration is written");
    }

    /// A path on this device.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// The configuration file.
    pub fn config(&self) -> PathBuf {
        self.path("config.toml")
    }

    /// The license file.
    pub fn license_path(&self) -> PathBuf {
        self.path("netifyd/license.json")
    }

    /// The license file's content.
    pub fn license(&self) -> Option<Vec<u8>> {
        fs::read(self.license_path()).ok()
    }

    /// What the last reload found in the license's place.
    pub fn loaded(&self) -> Option<Vec<u8>> {
        fs::read(self.path("loaded")).ok()
    }

    /// How many reloads were asked for.
    pub fn reloads(&self) -> usize {
        fs::read(self.path("reloads")).map_or(0, |marks| marks.len())
    }

    /// The key that the device trusts.
    pub const fn key(&self) -> &SigningKey {
        &self.key
    }

    /// A genuine license for this device that ends this long from now.
    pub fn genuine(&self, ends_in: Duration) -> Vec<u8> {
        sign(&self.key, &spec(ends_in))
    }

    /// Verifies a document as the daemon does.
    pub fn check(&self, bytes: &[u8]) -> Result<Authentic, String> {
        self.verifier.check(bytes).map_err(|rejection| format!("{}: {}", rejection.state, rejection.reason))
    }

    /// The library's verifier, for readers on other threads.
    pub const fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// Writes a document beside the configuration.
    pub fn document(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).expect("the document is written");
        path
    }

    /// `netify-licensed ARGUMENTS` on this device; a wrapper such as strace(1) may stand before it.
    pub fn wrapped(&self, wrapper: &[String], arguments: &[&str]) -> Command {
        let program = crate::program();
        let mut words = wrapper.iter().map(OsStr::new).chain([program.as_os_str()]);
        let mut command = Command::new(words.next().unwrap_or(program.as_os_str()));
        command.args(words).arg("--config").arg(self.config()).args(arguments);
        command.env("RUNTIME_DIRECTORY", self.path("run")).env("STATE_DIRECTORY", self.path("state"));
        command.env_remove("CREDENTIALS_DIRECTORY").env_remove("NOTIFY_SOCKET");
        // Cargo's own: the dynamic loader would search every directory in it.
        command.env_remove("LD_LIBRARY_PATH").env("RUST_BACKTRACE", "0");
        command
    }

    /// `netify-licensed ARGUMENTS` on this device.
    pub fn command(&self, arguments: &[&str]) -> Command {
        self.wrapped(&[], arguments)
    }

    /// Runs a command to its end: exit code (-1: by a signal), and both outputs.
    pub fn run(&self, arguments: &[&str]) -> (i32, String) {
        finish(&mut self.command(arguments))
    }

    /// Installs a license by the command; it must succeed.
    pub fn install(&self, bytes: &[u8]) {
        let file = self.document("given.json", bytes);
        let (code, output) = self.run(&["install", &file.to_string_lossy()]);
        assert_eq!(code, 0, "{output}");
    }

    /// Starts the daemon and waits until it answers on its control socket.
    pub fn daemon(&self) -> Proc {
        self.daemon_under(&[])
    }

    /// The same, with a wrapper before it.
    pub fn daemon_under(&self, wrapper: &[String]) -> Proc {
        let daemon = Proc::spawn(&mut self.wrapped(wrapper, &["run"])).expect("the daemon starts");
        let socket = self.path("run/control.sock");
        let up = || std::os::unix::net::UnixStream::connect(&socket).is_ok() || !daemon.is_running();
        test_support::wait_until(up, PATIENCE, "the daemon listens").expect("the daemon listens");
        assert!(daemon.is_running(), "{}", daemon.output());
        daemon
    }

    /// Files whose names say that a writer was interrupted.
    pub fn leftovers(&self) -> Vec<PathBuf> {
        let names = |directory: &str| fs::read_dir(self.path(directory)).into_iter().flatten().flatten();
        let all = ["netifyd", "run", "state"].into_iter().flat_map(names).map(|entry| entry.path());
        all.filter(|path| path.to_string_lossy().contains(".netify-licensed-")).collect()
    }

    /// Owner, group and mode of the license file.
    pub fn ownership(&self) -> (u32, u32, u32) {
        let meta = fs::metadata(self.license_path()).expect("the license is there");
        (meta.uid(), meta.gid(), meta.mode() & 0o7777)
    }
}

/// Runs a command to its end: exit code (-1: by a signal), and both outputs.
pub fn finish(command: &mut Command) -> (i32, String) {
    let output = command.output().expect("the program starts");
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&text).into_owned())
}

/// A license for the device that ends this long from now and was issued a day before.
pub fn spec(ends_in: Duration) -> LicenseSpec {
    LicenseSpec::new(SERIAL).duid(DUID).issued_ago(DAY).expires_in(ends_in)
}

/// The license as it stands in a file.
pub fn sign(key: &SigningKey, spec: &LicenseSpec) -> Vec<u8> {
    spec.to_json(key, Format::Netifyd, BodyStyle::Pretty).into_bytes()
}

/// Whether the test runs as root; else says loudly what is skipped.
pub fn is_root(what: &str) -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        eprintln!("SKIPPED: {what} needs root");
    }
    root
}

/// Whether a program can be started; else says loudly what is skipped.
pub fn has(program: &str, what: &str) -> bool {
    let there = Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success());
    if !there {
        eprintln!("SKIPPED: {what} needs {program}");
    }
    there
}
