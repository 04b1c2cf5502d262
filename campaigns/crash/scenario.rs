//! What is interrupted: the command, what was there before it, what must be there after it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;
use std::time::Duration;

use hub_emulator::{Endpoint, HubEmulator, LicenseSpec, Options};
use rustix::fs::XattrFlags;

use test_bench::device::{DAY, Device, finish, sign, spec};

/// Owner and group of the license before and after, where the test may choose them.
const OWNER: (u32, u32) = (12_345, 23_456);
/// Its mode.
const MODE: u32 = 0o640;
/// An attribute that it has, where the file system knows any.
const ATTRIBUTE: (&str, &[u8]) = ("user.netify-test", b"kept");

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// `install FILE`, in place of an older license.
    Install,
    /// `install FILE` on a device without license and without netifyd's directory.
    FirstInstall,
    /// `install FILE` of a license that is older than the installed one: refused.
    Refused,
    /// `renew` without a daemon: the hub is asked to renew.
    Renew,
}

/// A device that is put back to the same beginning again and again.
pub(crate) struct Scenario {
    pub(crate) device: Device,
    hub: HubEmulator,
    work: Work,
    spec: LicenseSpec,
    old: Vec<u8>,
    given: Vec<u8>,
    file: PathBuf,
    state: BTreeMap<PathBuf, Vec<u8>>,
}

impl Scenario {
    pub(crate) fn new(work: Work) -> Self {
        let hub = HubEmulator::start(Options::new());
        let device = Device::new(&hub.signing_key(), Some(&hub.url()));
        // Six and a half days long and almost over: due.
        let spec = spec(DAY / 2).issued_ago(6 * DAY);
        let old = sign(device.key(), &spec);
        let given = device.genuine(if work == Work::Refused { DAY / 4 } else { 5 * DAY });
        let file = device.document("new.json", &given);
        device.install(&old);
        let state = fs::read_dir(device.path("state")).expect("the state directory");
        let state =
            state.flatten().map(|entry| (entry.path(), fs::read(entry.path()).expect("a state file"))).collect();
        Self { device, hub, work, spec, old, given, file, state }
    }

    /// Puts everything back to the beginning.
    pub(crate) fn reset(&self) {
        for directory in ["state", "run", "netifyd"] {
            let directory = self.device.path(directory);
            let _ = fs::remove_dir_all(&directory);
            fs::create_dir(&directory).expect("a directory");
        }
        for name in ["loaded", "reloads"] {
            let _ = fs::remove_file(self.device.path(name));
        }
        if self.work == Work::FirstInstall {
            fs::remove_dir(self.device.path("netifyd")).expect("removed");
            return;
        }
        for (path, content) in &self.state {
            fs::write(path, content).expect("the state is written");
        }
        let license = self.device.license_path();
        fs::write(&license, &self.old).expect("the license is written");
        fs::set_permissions(&license, fs::Permissions::from_mode(MODE)).expect("chmod");
        if rustix::process::geteuid().is_root() {
            chown(&license, Some(OWNER.0), Some(OWNER.1)).expect("chown");
        }
        // Not every file system has attributes.
        let _ = rustix::fs::lsetxattr(&license, ATTRIBUTE.0, ATTRIBUTE.1, XattrFlags::empty());
        self.hub.add_license(self.spec.clone());
        self.hub.clear_requests();
    }

    /// The command that is interrupted: exit code and outputs.
    pub(crate) fn act(&self, wrapper: &[String]) -> (i32, String) {
        let file = self.file.to_string_lossy();
        match self.work {
            Work::Renew => finish(&mut self.device.wrapped(wrapper, &["renew"])),
            _ => finish(&mut self.device.wrapped(wrapper, &["install", &file])),
        }
    }

    /// What must hold right after an interruption.
    pub(crate) fn judge(&self, code: i32, output: &str) -> Result<(), String> {
        let done = matches!(code, 0 | 6);
        let installed = match self.device.license() {
            None if self.work == Work::FirstInstall => false,
            None => return Err("the license is gone".to_owned()),
            Some(bytes) => {
                self.whole(&bytes)?;
                self.kept_its_attributes()?;
                bytes != self.old
            }
        };
        ensure(code != 101, || "it panicked".to_owned())?;
        ensure(!done || installed, || format!("exit code {code}, but the old license is installed"))?;
        ensure(code != 0 || self.device.loaded() == self.device.license(), || {
            "exit code 0, but not loaded".to_owned()
        })?;
        ensure(!output.contains("not installed") || !installed, || "told \"not installed\", but it is".to_owned())?;
        ensure(code == -1 || !output.trim().is_empty(), || "not a word was said".to_owned())
    }

    /// The next run, undisturbed; afterwards everything is as if nothing had happened.
    pub(crate) fn recover(&self) -> Result<(), String> {
        self.end_the_rest();
        let file = self.file.to_string_lossy();
        let (code, output) = match self.work {
            Work::Renew => self.device.run(&["renew", "--if-due"]),
            _ => self.device.run(&["install", &file]),
        };
        let expected = if self.work == Work::Refused { 3 } else { 0 };
        ensure(code == expected, || format!("the next run ends with {code}: {output}"))?;
        let license = self.device.license().ok_or("the license is gone after the next run")?;
        self.whole(&license)?;
        self.kept_its_attributes()?;
        let leftovers = self.device.leftovers();
        ensure(leftovers.is_empty(), || format!("left over after the next run: {leftovers:?}"))?;
        if self.work == Work::Refused {
            return ensure(license == self.old, || "an older license was installed".to_owned());
        }
        ensure(license != self.old, || "the next run left the old license".to_owned())?;
        ensure(self.device.loaded().as_ref() == Some(&license), || "the reload that was owed was not made".to_owned())?;
        let kept = fs::read(self.device.path("state/previous-license.json")).unwrap_or_default();
        ensure(kept == license, || "the kept copy is another license".to_owned())?;
        let renewals = self.hub.count(Endpoint::Renew);
        ensure(self.work != Work::Renew || renewals == 1, || format!("the hub was asked to renew {renewals} times"))
    }

    /// A reload that was cut short is not repeated within ten seconds. That has tests of its own; here they are over.
    fn end_the_rest(&self) {
        let path = self.device.path("run/session.json");
        let Ok(text) = fs::read(&path) else { return };
        let Ok(mut session) = serde_json::from_slice::<serde_json::Value>(&text) else { return };
        if let Some(session) = session.as_object_mut()
            && session.remove("reload_pause").is_some_and(|pause| !pause.is_null())
        {
            fs::write(&path, serde_json::to_vec(session).expect("JSON")).expect("the session is written");
        }
    }

    fn whole(&self, bytes: &[u8]) -> Result<(), String> {
        let license = self.device.check(bytes)?;
        let older = self.device.check(&self.old)?;
        let known = match self.work {
            Work::Renew => bytes == self.old || license.license().expires_at > older.license().expires_at,
            Work::Refused => bytes == self.old,
            Work::Install | Work::FirstInstall => bytes == self.old || bytes == self.given,
        };
        ensure(known, || "the license is neither the old one nor the new one".to_owned())
    }

    fn kept_its_attributes(&self) -> Result<(), String> {
        let (uid, gid, mode) = self.device.ownership();
        ensure(mode == MODE, || format!("its mode is {mode:o}"))?;
        if self.work == Work::FirstInstall {
            return Ok(());
        }
        let root = rustix::process::geteuid().is_root();
        ensure(!root || (uid, gid) == OWNER, || format!("it belongs to {uid}:{gid}"))?;
        let mut value = [0; 32];
        match rustix::fs::lgetxattr(self.device.license_path(), ATTRIBUTE.0, &mut value) {
            Ok(length) => ensure(&value[..length] == ATTRIBUTE.1, || "its attribute is another one".to_owned()),
            Err(rustix::io::Errno::OPNOTSUPP) => Ok(()),
            Err(error) => Err(format!("its attribute is lost: {error}")),
        }
    }
}

pub(crate) fn ensure(holds: bool, complaint: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(complaint()) }
}

/// Longest time for one point, next run included.
pub(crate) const LONGEST: Duration = Duration::from_secs(30);
