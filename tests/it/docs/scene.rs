//! The gateways that the pages' commands run on: `<!-- scene NAME -->` chooses one.

use std::fs::{self, File};
use std::process::Command;

use hub_emulator::RelayPath;
use netify_licensed::core::report::status::Status;
use test_support::Proc;

use crate::operators::gateway::{DAY, Gateway, program};

/// Directories of the pages' commands that are the gateway's, not this machine's.
const MOVED: [&str; 4] = ["/tmp/", "/etc/netify", "/media/", "./"]; // The gateway itself may be below the first.

pub(crate) struct Scene {
    pub(crate) gateway: Gateway,
    daemon: Option<Proc>,
}

impl Scene {
    pub(crate) fn set(name: &str) -> Self {
        let mut gateway = Gateway::new();
        let mut daemon = None;
        match name {
            "usual" => {
                gateway.install_fresh();
                gateway.start_netifyd("ok");
                daemon = Some(gateway.daemon());
            }
            // Everything can be tried, and no reload takes its time.
            "everything" => {
                gateway.set("provision.issued-to", "Toronto Office").set("reload.method", "none");
                gateway.set_raw("provision.entitlements", "[\"netify-proc-aggregator\"]");
                gateway.install_fresh();
                daemon = Some(gateway.daemon());
            }
            // Configured, and without a license anywhere.
            "new device" => {
                gateway.set("provision.issued-to", "Toronto Office").set("provision.description", "Rack 4");
                gateway.set_raw("provision.entitlements", "[\"netify-proc-aggregator\"]");
                gateway.start_netifyd("ok");
            }
            // Somebody makes licenses for others, and has none.
            "staging" => {
                gateway.write("devices.txt", "4c4c4544-0001 Toronto Office\n4c4c4544-0002 Montreal Office\n");
            }
            // A cron script fetched a license from a relay and reloads netifyd; the relay has a newer one.
            "cron" => {
                gateway.start_netifyd("ok");
                let (old, new) = (gateway.spec(-6 * DAY, DAY), gateway.spec(-DAY, 6 * DAY));
                gateway.write("etc/netifyd/license.json", &gateway.hub.sign(&old));
                gateway.hub.add_license(new);
                gateway.write("etc/netify-licensed/relay-password", "relay-secret");
                gateway.mode("etc/netify-licensed/relay-password", 0o600);
                let password = gateway.path("etc/netify-licensed/relay-password").display().to_string();
                let url = gateway.hub.relay_url(RelayPath::Enterprise);
                gateway.unset("hub.api-key-file").set("hub.kind", "relay").set("hub.url", &url);
                gateway.set("hub.username", "system").set("hub.password-file", &password);
                gateway.set("trust.mode", "transport");
            }
            // Without any network: a license on a stick.
            "offline" => {
                gateway.start_netifyd("ok");
                gateway.hub.set_down(true);
                fs::create_dir_all(gateway.path("media/usb")).expect("created");
                gateway.write("media/usb/license.json", &gateway.hub.sign(&gateway.spec(-DAY, 6 * DAY)));
            }
            _ => panic!("there is no scene `{name}`"),
        }
        let scene = Self { gateway, daemon };
        scene.provide_program();
        scene
    }

    /// The program as people call it.
    fn provide_program(&self) {
        fs::create_dir_all(self.gateway.path("bin")).expect("created");
        let config = self.gateway.config();
        let script = format!(
            "#!/bin/sh\n[ \"$1\" != --config ] || exec {program} \"$@\"\nexec {program} --config {config} \"$@\"\n",
            program = program().display(),
            config = config.display()
        );
        self.gateway.write("bin/netify-licensed", &script);
        let path = self.gateway.path("bin/netify-licensed");
        test_support::make_executable(&path).expect("a program");
    }

    /// Files that the pages' commands name.
    pub(crate) fn prepare_files(&self) {
        fs::create_dir_all(self.gateway.path("media/usb")).expect("created");
        fs::create_dir_all(self.gateway.path("tmp")).expect("created");
        let license = fs::read(self.gateway.license_path()).expect("a license");
        for below in ["media/usb/license.json", "tmp/license.json", "older.json"] {
            fs::write(self.gateway.path(below), &license).expect("written");
        }
        for below in ["test.toml", "new.toml"] {
            fs::copy(self.gateway.config(), self.gateway.path(below)).expect("copied");
        }
    }

    /// The installed license, to be read; an empty file when there is none any more.
    pub(crate) fn license(&self) -> File {
        File::open(self.gateway.license_path()).or_else(|_| File::open("/dev/null")).expect("a file")
    }

    /// A command line of a page.
    pub(crate) fn shell(&self, line: &str) -> Command {
        let root = self.gateway.root().display().to_string();
        let mut line = format!(" {line}");
        for place in MOVED {
            line = line.replace(&format!(" {place}"), &format!(" {root}/{}", place.trim_start_matches(['.', '/'])));
        }
        let mut command = Command::new("sh");
        self.gateway.prepare(&mut command);
        let path = std::env::var("PATH").unwrap_or_default();
        command.args(["-c", &line]).current_dir(&root).env("PATH", format!("{root}/bin:{path}"));
        command
    }

    /// Waits until the daemon, if there is one, has nothing more to do.
    pub(crate) fn settle(&self) {
        if self.daemon.is_some() {
            self.gateway.wait_for("nothing is under way", |status| {
                let reason = status.renewal.reason.as_deref();
                status.pid.is_some() && !status.reload.pending && reason != Some("an attempt is under way")
            });
        }
    }

    pub(crate) fn status(&self) -> Status {
        let output = self.gateway.run(&["status", "--json"]);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
    }

    /// What is left of this machine in a screen.
    pub(crate) fn canonical(&self, screen: &str) -> String {
        let relay = self.gateway.hub.relay_url(RelayPath::Enterprise);
        screen.replace(&relay, "https://relay.example/enterprise/license")
    }
}
