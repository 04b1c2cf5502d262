//! A device with a netifyd beside it, and licenses to install.

use std::cell::Cell;
use std::time::Duration;

use hub_emulator::{BodyStyle, Format, LicenseSpec, SigningKey};
use netifyd_standin::{Builder, Standin};

use crate::rig::{DUID, Outcome, PATIENCE, Rig, SERIAL};

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
    /// With this `reload.method`. No bus is found, unless a test sets one up.
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
        rig.env("DBUS_SYSTEM_BUS_ADDRESS", format!("unix:path={}", rig.path("no-bus").display()));
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
