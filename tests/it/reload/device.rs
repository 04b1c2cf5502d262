//! A device with a netifyd beside it, and licenses to install.

use std::cell::Cell;
use std::time::Duration;

use hub_emulator::{BodyStyle, Format, LicenseSpec, SigningKey};
use netifyd_standin::{Builder, Standin};

use test_bench::rig::{DUID, Outcome, PATIENCE, Rig, SERIAL};

/// One day.
const DAY: Duration = Duration::from_secs(86_400);
/// `reload.timeout`, the shortest there is; netifyd must survive three seconds of it.
pub(crate) const TIMEOUT: &str = "5s";

/// See the module.
#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) rig: Rig,
    key: SigningKey,
    /// Licenses made so far: each one ends a minute after the one before.
    made: Cell<u32>,
}

impl Device {
    /// With this `reload.method`.
    pub(crate) fn new(method: &str) -> Self {
        let mut rig = Rig::new();
        let key = SigningKey::from_seed(6);
        rig.write("keys.d/hub.pem", key.public_key_pem());
        let (pid_file, socket) = (rig.path("netifyd/netifyd.pid"), rig.path("netifyd/netifyd.sock"));
        rig.set("reload.method", method);
        rig.set("reload.pid-file", pid_file.display());
        rig.set("reload.socket", socket.display());
        rig.set("reload.timeout", TIMEOUT);
        // Nobody listens on the discard port.
        rig.set("hub.url", "http://127.0.0.1:9/api");
        rig.set("hub.api-key-file", "/dev/null");
        Self { rig, key, made: Cell::new(0) }
    }

    /// A netifyd that takes reloads as this script says, still to be completed and started.
    pub(crate) fn netifyd(&self, script: &str) -> Builder {
        // What a predecessor left of its script.
        let _ = std::fs::remove_file(self.rig.path("netifyd/behavior"));
        Standin::builder().dir(self.rig.path("netifyd")).license_path(self.rig.license()).behavior(script)
    }

    /// A genuine license, newer than all before.
    pub(crate) fn license(&self) -> String {
        self.made.set(self.made.get() + 1);
        let ends = DAY * 3 + Duration::from_secs(60) * self.made.get();
        let spec = LicenseSpec::new(SERIAL).duid(DUID).issued_ago(DAY).expires_in(ends);
        spec.to_json(&self.key, Format::Netifyd, BodyStyle::Pretty)
    }

    /// `install` of a new license.
    pub(crate) fn install(&self) -> Outcome {
        let file = self.rig.write("given.json", self.license());
        self.rig.run(&["install", &file.display().to_string()])
    }

    /// `install` that ends with this code and says this.
    #[track_caller]
    pub(crate) fn installs(&self, code: i32, words: &str) -> Outcome {
        let outcome = self.install();
        assert_eq!(outcome.code, Some(code), "{outcome:#?}");
        let text = format!("{}{}", outcome.out, outcome.err);
        assert!(text.contains(words), "{words:?} is not in {outcome:#?}");
        outcome
    }

    /// `install` of a new license, started by these programs.
    pub(crate) fn install_behind(&self, wrapper: &[&str]) -> Outcome {
        let file = self.rig.write("given.json", self.license());
        let done = self.rig.wrapped(wrapper, &["install", &file.display().to_string()]).output().expect("it starts");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Outcome { code: done.status.code(), out: text(done.stdout), err: text(done.stderr) }
    }

    /// Lets the user nobody install here.
    pub(crate) fn open_up(&self) {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(self.rig.dir(), mode).expect("chmod");
        for owned in ["", "run", "state", "netifyd"] {
            let path = self.rig.path(owned);
            rustix::fs::chown(path, Some(rustix::fs::Uid::from_raw(65_534)), None).expect("chown");
        }
    }

    /// Waits until netifyd has loaded what is installed.
    #[track_caller]
    pub(crate) fn is_loaded_by(&self, netifyd: &Standin) {
        let installed = sha256(self.rig.installed().as_bytes());
        let loaded = netifyd.wait_for_load(&installed, PATIENCE);
        assert!(loaded.is_ok(), "{loaded:?}: {:#?}", netifyd.events());
    }

    /// Whether netifyd has loaded what is installed.
    pub(crate) fn was_loaded_by(&self, netifyd: &Standin) -> bool {
        let installed = sha256(self.rig.installed().as_bytes());
        netifyd.loads().iter().any(|load| load.sha256 == installed)
    }
}

/// Starts a program as nobody, where /proc shows nobody else's processes: so does the packaged sandbox.
pub(crate) const HIDDEN: &[&str] = &[
    "unshare",
    "--mount",
    "sh",
    "-c",
    "mount -t proc -o hidepid=2 proc /proc && exec setpriv --reuid=65534 --regid=65534 --clear-groups \"$@\"",
    "sh",
];

/// All cases at once: they spend their time with waiting.
pub(crate) fn each<T: Sync>(cases: &[T], test: impl Fn(&T) + Sync) {
    std::thread::scope(|scope| {
        for case in cases {
            scope.spawn(|| test(case));
        }
    });
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes).iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}
