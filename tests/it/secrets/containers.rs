//! Secrets and keys as Kubernetes mounts them: a directory of root's where all may write, links to links, a group.

use std::fs;

use hub_emulator::{ApiKey, HubEmulator, LicenseSpec, Options};
use test_bench::rig::{DUID, Outcome, Rig, SERIAL, skipped, tool};

/// A Secret's volume at `volume`, as the kubelet lays it out, then the program with its arguments.
const VOLUME: &str = r#"
v=$1 mode=$2 group=$3 flags=$4; shift 4
mount -t tmpfs -o mode=1777 tmpfs "$v"
mkdir "$v/..2026_11_30"
cp given-key "$v/..2026_11_30/api-key"
cp given.pem "$v/..2026_11_30/vendor.pem"
chmod "$mode" "$v/..2026_11_30/api-key"; chmod 0444 "$v/..2026_11_30/vendor.pem"
chgrp "$group" "$v/..2026_11_30/api-key"
ln -s ..2026_11_30 "$v/..data"; ln -s ..data/api-key "$v/api-key"; ln -s ..data/vendor.pem "$v/vendor.pem"
[ "$flags" = rw ] || mount -o remount,ro "$v"
exec "$@"
"#;

struct Pod {
    rig: Rig,
    _hub: HubEmulator,
}

impl Pod {
    fn new() -> Option<Self> {
        if !rustix::process::geteuid().is_root() || tool("unshare").is_none() || tool("setpriv").is_none() {
            skipped("secrets mounted as Kubernetes does: needs root, unshare and setpriv");
            return None;
        }
        let hub = HubEmulator::start(Options::new().api_key(ApiKey::new("pod-key")));
        hub.add_license_of("pod-key", LicenseSpec::new(SERIAL).duid(DUID));
        let mut rig = Rig::api(&hub);
        rig.secret("given-key", "pod-key");
        rig.write("given.pem", hub.public_key_pem());
        fs::create_dir(rig.path("volume")).expect("a directory");
        rig.set("hub.api-key-file", rig.path("volume/api-key").display());
        rig.set("trust.keys", format!("[{:?}]", rig.path("volume").display().to_string()));
        Some(Self { rig, _hub: hub })
    }

    fn run(&self, mode: &str, group: &str, flags: &str, args: &[&str]) -> Outcome {
        let volume = self.rig.path("volume").display().to_string();
        let mut words = vec!["unshare", "--mount", "--propagation=private", "sh", "-ec", VOLUME, "sh"];
        words.extend([&volume, mode, group, flags, "setpriv", "--groups", "1234", "--"]);
        let done = self.rig.wrapped(&words, args).output().expect("unshare starts");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Outcome { code: done.status.code(), out: text(done.stdout), err: text(done.stderr) }
    }
}

#[test]
fn a_secret_for_our_group_on_a_read_only_mount_is_one() {
    let Some(mut pod) = Pod::new() else { return };
    let list = ["hub", "list"];
    for (mode, group) in [("0440", "1234"), ("0440", "0"), ("0640", "1234"), ("0400", "0")] {
        let done = pod.run(mode, group, "ro", &list);
        assert_eq!(done.code, Some(0), "{mode} {group}: {done:?}");
    }
    for (mode, group, flags, remedy) in [
        ("0444", "1234", "ro", "in a Kubernetes volume set `defaultMode: 0440` and `fsGroup`"),
        ("0644", "0", "ro", "in a Kubernetes volume set `defaultMode: 0440` and `fsGroup`"),
        ("0440", "4321", "ro", "in a Kubernetes volume set `defaultMode: 0440` and `fsGroup`"),
        ("0440", "1234", "rw", "run: chmod 600"),
    ] {
        let done = pod.run(mode, group, flags, &list);
        assert!(done.expect(1).contains("others may read the secret"), "{mode} {group}: {done:?}");
        assert!(done.err.contains(remedy), "{mode} {group}: {done:?}");
    }
    pod.rig.env("INVOCATION_ID", "of-a-service");
    assert_eq!(pod.run("0440", "1234", "ro", &list).code, Some(1), "a service of systemd has credentials");
}

#[test]
fn a_directory_of_keys_may_be_a_volume() {
    let Some(pod) = Pod::new() else { return };
    for flags in ["ro", "rw"] {
        let done = pod.run("0440", "0", flags, &["config", "show"]);
        assert_eq!(done.code, Some(0), "{flags}: {done:?}");
        pod.rig.write("license.json", "{}");
        let verified = pod.run("0440", "0", flags, &["verify", "license.json"]);
        assert!(!verified.err.contains("trust.keys"), "{flags}: {verified:?}");
        assert_eq!(verified.code, Some(3), "{flags}: {verified:?}");
    }
}
