//! Others write the license file: what is better is adopted, what is broken is put right, and nobody is fought.
#![allow(clippy::disallowed_methods, reason = "the tests touch files and start programs")]

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown};
use std::time::Duration;

use hub_emulator::{Endpoint, HubEmulator, LicenseSpec, Options, SigningKey};
use test_bench::device::{DAY, DUID, Device, PATIENCE, SERIAL, is_root, sign, spec};
use test_support::{Proc, Signal, wait_until};

/// A device with a license of three days, a daemon that watches it, and no hub.
struct Watched {
    device: Device,
    daemon: Proc,
    license: Vec<u8>,
}

impl Watched {
    fn new() -> Self {
        let device = Device::new(&SigningKey::from_seed(4), None);
        let license = device.genuine(3 * DAY);
        device.install(&license);
        let watched = Self { daemon: device.daemon(), device, license };
        watched.says(" found, ends ");
        watched
    }

    /// Waits until the file holds this.
    fn holds(&self, bytes: &[u8], what: &str) {
        let there = || self.device.license().as_deref() == Some(bytes);
        let seen = wait_until(there, PATIENCE, what);
        assert!(seen.is_ok(), "{seen:?}; the daemon said: {}", self.daemon.output());
    }

    fn is_loaded(&self, bytes: &[u8]) {
        let there = || self.device.loaded().as_deref() == Some(bytes);
        let seen = wait_until(there, PATIENCE, "netifyd is told");
        assert!(seen.is_ok(), "{seen:?}; the daemon said: {}", self.daemon.output());
    }

    fn says(&self, words: &str) {
        self.daemon.wait_for_line(|line| line.contains(words), PATIENCE).expect("the daemon says so");
    }

    /// How often the daemon has said so.
    fn said(&self, words: &str) -> usize {
        self.daemon.lines().iter().filter(|line| line.text.contains(words)).count()
    }

    /// The daemon's word for the license, through its socket.
    fn state(&self) -> String {
        let (_, output) = self.device.run(&["status", "--json"]);
        let status: serde_json::Value = serde_json::from_str(&output).expect("JSON");
        status["state"].as_str().unwrap_or_default().to_owned()
    }

    /// As editors and package managers write: a new file beside, then a rename.
    fn replace(&self, bytes: &[u8]) {
        let beside = self.device.path("netifyd/license.json.new");
        fs::write(&beside, bytes).expect("written");
        fs::rename(beside, self.device.license_path()).expect("renamed");
    }

    fn reloads_after(&self, harm: impl FnOnce()) -> usize {
        let before = self.device.reloads();
        harm();
        self.holds(&self.license, "the kept license is put back");
        self.says(" put back, ends ");
        wait_until(|| self.device.reloads() > before, PATIENCE, "netifyd is told").expect("netifyd is told");
        self.device.reloads() - before
    }
}

#[test]
fn a_torn_license_is_put_right_and_loaded_again() {
    let watched = Watched::new();
    let torn = &watched.license[..watched.license.len() / 2];
    let reloads = watched.reloads_after(|| fs::write(watched.device.license_path(), torn).expect("torn"));
    assert_eq!(reloads, 1, "netifyd may have read the torn one");
    watched.says("license state is malformed");
    assert_eq!(watched.state(), "valid");
}

#[test]
fn an_emptied_license_keeps_its_owner_and_mode() {
    let watched = Watched::new();
    let path = watched.device.license_path();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o604)).expect("chmod");
    if is_root("the owner") {
        chown(&path, Some(123), Some(456)).expect("chown");
    }
    let before = watched.device.ownership();
    watched.reloads_after(|| fs::write(&path, b"").expect("emptied"));
    assert_eq!(watched.device.ownership(), before);
}

#[test]
fn a_deleted_license_comes_back() {
    let watched = Watched::new();
    watched.reloads_after(|| fs::remove_file(watched.device.license_path()).expect("removed"));
    assert_eq!(watched.device.ownership().2, 0o640);
}

#[test]
fn a_foreign_license_does_not_stay() {
    let watched = Watched::new();
    let foreign = sign(&SigningKey::from_seed(5), &spec(9 * DAY));
    watched.reloads_after(|| watched.replace(&foreign));
    watched.says("license state is bad-signature");
    let elsewhere = sign(watched.device.key(), &spec(9 * DAY).duid("another-device"));
    watched.reloads_after(|| watched.replace(&elsewhere));
    watched.says("license state is wrong-device");
}

#[test]
fn a_newer_license_is_adopted_loaded_and_kept() {
    let watched = Watched::new();
    let newer = watched.device.genuine(5 * DAY);
    watched.replace(&newer);
    watched.is_loaded(&newer);
    watched.says("adopted");
    let kept = watched.device.path("state/previous-license.json");
    wait_until(|| fs::read(&kept).is_ok_and(|bytes| bytes == newer), PATIENCE, "it is kept").expect("it is kept");
    fs::remove_file(watched.device.license_path()).expect("removed");
    watched.holds(&newer, "the adopted license comes back");
}

#[test]
fn an_older_license_is_left_alone_and_reported() {
    let watched = Watched::new();
    let (older, reloads) = (watched.device.genuine(2 * DAY), watched.device.reloads());
    watched.replace(&older);
    watched.says("another writer installed an older license, which is left alone");
    assert_eq!(watched.state(), "valid");
    // Something that comes later has been done: so the older one was left alone, not merely not yet replaced.
    let newer = watched.device.genuine(5 * DAY);
    assert_eq!(watched.device.license().as_deref(), Some(&older[..]));
    assert_eq!(watched.device.reloads(), reloads, "nobody asked netifyd to load it");
    watched.replace(&newer);
    watched.is_loaded(&newer);
    assert_eq!(watched.said(" put back, ends "), 0);
}

#[test]
fn an_editor_that_moves_the_old_file_aside_is_not_disturbed() {
    let watched = Watched::new();
    let (path, newer) = (watched.device.license_path(), watched.device.genuine(5 * DAY));
    fs::rename(&path, watched.device.path("netifyd/license.json~")).expect("renamed");
    watched.replace(&newer);
    watched.is_loaded(&newer);
    assert_eq!(watched.said(" put back, ends "), 0, "{}", watched.daemon.output());
}

#[test]
fn a_slow_writer_is_not_fought() {
    let watched = Watched::new();
    let newer = watched.device.genuine(5 * DAY);
    let mut file = fs::File::create(watched.device.license_path()).expect("truncated");
    // Two seconds in all, twice the time after which a quiet file is judged.
    for part in newer.chunks(newer.len().div_ceil(10)) {
        file.write_all(part).expect("a part");
        std::thread::sleep(Duration::from_millis(200));
    }
    drop(file);
    watched.is_loaded(&newer);
    assert_eq!(watched.said(" put back, ends "), 0, "{}", watched.daemon.output());
}

#[test]
fn the_directory_may_vanish_and_return() {
    let watched = Watched::new();
    let directory = watched.device.path("netifyd");
    // Gone: the daemon makes it again.
    watched.reloads_after(|| fs::remove_dir_all(&directory).expect("removed"));
    // Replaced by another one, as by an upgrade: what stands in that one counts, now and later.
    let newer = watched.device.genuine(5 * DAY);
    fs::rename(&directory, watched.device.path("netifyd.old")).expect("renamed");
    fs::create_dir(&directory).expect("made");
    watched.replace(&newer);
    watched.is_loaded(&newer);
    let newest = watched.device.genuine(7 * DAY);
    watched.replace(&newest);
    watched.is_loaded(&newest);
}

#[test]
#[ignore = "expects 0.1.0 in a point that 0.2.0 changed; to be adapted or to be proved a fault"]
fn three_heals_an_hour_then_only_reports() {
    let watched = Watched::new();
    let path = watched.device.license_path();
    for heal in 1..=3 {
        fs::write(&path, b"{").expect("torn");
        watched.holds(&watched.license, "the license is put back");
        let told = || watched.said(" put back, ends ") == heal;
        wait_until(told, PATIENCE, "the daemon says so").expect("the daemon says so");
    }
    fs::write(&path, b"{").expect("torn");
    watched.says("put right three times within an hour and is broken again");
    assert_eq!(watched.device.license().as_deref(), Some(&b"{"[..]));
    assert_eq!((watched.state().as_str(), watched.said(" put back, ends ")), ("malformed", 3));
    // Neither does a restart begin to count anew.
    watched.daemon.signal(test_support::Signal::TERM).expect("stops");
    watched.daemon.wait_exit(PATIENCE).expect("stopped");
    let again = watched.device.daemon();
    let words = "put right three times within an hour";
    again.wait_for_line(|line| line.contains(words), PATIENCE).expect("it only reports");
    assert_eq!(watched.device.license().as_deref(), Some(&b"{"[..]));
    // Whoever brings a good one is welcome.
    let newer = watched.device.genuine(5 * DAY);
    watched.replace(&newer);
    watched.is_loaded(&newer);
}

#[test]
fn what_was_torn_while_the_daemon_was_away_is_put_right_at_its_start() {
    let device = Device::new(&SigningKey::from_seed(4), None);
    let license = device.genuine(3 * DAY);
    device.install(&license);
    fs::remove_file(device.path("loaded")).expect("removed");
    fs::write(device.license_path(), &license[..40]).expect("torn");
    let daemon = device.daemon();
    let done = || device.loaded().as_ref() == Some(&license);
    wait_until(done, PATIENCE, "it is put right and loaded")
        .unwrap_or_else(|error| panic!("{error}: {}", daemon.output()));
}

#[test]
fn without_a_kept_copy_the_hub_has_one() {
    let hub = HubEmulator::start(Options::new());
    let device = Device::new(&hub.signing_key(), Some(&hub.url()));
    let known = spec(3 * DAY);
    hub.add_license(known.clone());
    device.install(&sign(device.key(), &known));
    fs::remove_file(device.path("state/previous-license.json")).expect("removed");
    fs::write(device.license_path(), b"<html>").expect("torn");
    let daemon = device.daemon();
    let whole = || device.license().is_some_and(|bytes| device.check(&bytes).is_ok());
    wait_until(whole, PATIENCE, "it is fetched").unwrap_or_else(|error| panic!("{error}: {}", daemon.output()));
    wait_until(|| device.loaded() == device.license(), PATIENCE, "netifyd is told").expect("netifyd is told");
    assert_eq!(hub.count(Endpoint::Renew), 0, "what is not due is not renewed");
}

/// The daemon has not looked yet when it is asked to write.
#[test]
fn a_newer_license_that_was_just_put_there_is_not_overwritten() {
    let watched = Watched::new();
    let (newer, between) = (watched.device.genuine(9 * DAY), watched.device.genuine(5 * DAY));
    let file = watched.device.document("between.json", &between);
    watched.replace(&newer);
    let (code, output) = watched.device.run(&["install", &file.to_string_lossy()]);
    assert_eq!(code, 3, "{output}");
    assert_eq!(watched.device.license(), Some(newer));
}

#[test]
fn what_the_hub_has_does_not_replace_a_newer_license_that_was_just_put_there() {
    let hub = HubEmulator::start(Options::new());
    let device = Device::new(&hub.signing_key(), Some(&hub.url()));
    device.install(&device.genuine(3 * DAY));
    let daemon = device.daemon();
    daemon.wait_for_line(|line| line.contains(" found, ends "), PATIENCE).expect("it looked");
    hub.add_license(spec(5 * DAY));
    hub.fault(Endpoint::View, hub_emulator::Fault::delay(Duration::from_millis(300)));
    let renew = Proc::spawn(&mut device.command(&["renew", "--dry-run"])).expect("started");
    assert!(renew.wait_exit(PATIENCE).expect("an end").success(), "the hub's is later than what is there");
    hub.fault(Endpoint::View, hub_emulator::Fault::delay(Duration::from_millis(300)));
    let renew = Proc::spawn(&mut device.command(&["renew"])).expect("started");
    assert!(hub.wait_for(Endpoint::View, 2, PATIENCE));
    let newer = device.genuine(9 * DAY);
    fs::write(device.path("netifyd/new"), &newer).expect("written");
    fs::rename(device.path("netifyd/new"), device.license_path()).expect("renamed");
    renew.wait_exit(PATIENCE).expect("an end");
    assert!(device.check(&device.license().expect("a license")).is_ok_and(|license| {
        license.license().expires_at >= device.check(&newer).expect("genuine").license().expires_at
    }));
}

#[test]
fn a_torn_license_is_not_called_installed() {
    let watched = Watched::new();
    let file = watched.device.document("same.json", &watched.license);
    fs::write(watched.device.license_path(), &watched.license[..40]).expect("torn");
    let (code, output) = watched.device.run(&["install", &file.to_string_lossy()]);
    assert_eq!(code, 0, "{output}");
    assert_eq!(watched.device.license().as_ref(), Some(&watched.license), "{output}");
}

#[test]
fn a_missing_license_is_measured_by_the_kept_one() {
    let device = Device::new(&SigningKey::from_seed(4), None);
    device.install(&device.genuine(9 * DAY));
    fs::remove_file(device.license_path()).expect("removed");
    let other = sign(device.key(), &spec(3 * DAY));
    let file = device.document("other.json", &other).display().to_string();
    let (code, output) = device.run(&["install", &file]);
    assert!(code == 3 && output.contains("--force"), "{output}");
    assert_eq!(device.run(&["install", "--force", &file]).0, 0);
    assert_eq!(device.license(), Some(other));
}

#[test]
#[ignore = "expects 0.1.0 in a point that 0.2.0 changed; to be adapted or to be proved a fault"]
fn a_license_whose_time_has_not_come_is_left_alone() {
    let watched = Watched::new();
    let early = LicenseSpec::new(SERIAL).duid(DUID).issued_ago(Duration::ZERO).expires_in(900 * DAY);
    let early = LicenseSpec { created_at: early.created_at.map(|at| at + 300 * 86_400), ..early };
    watched.replace(&sign(watched.device.key(), &early));
    watched.says("somebody installed a license that is not valid yet, which is left alone");
    assert_eq!(watched.state(), "not-yet-valid");
    let kept = fs::read(watched.device.path("state/previous-license.json")).expect("kept");
    assert_eq!(kept, watched.license);
    // By a clock that nobody else confirms it is not given up: it ends later than anything else.
    let valid = watched.device.document("valid.json", &watched.device.genuine(5 * DAY));
    assert_eq!(watched.device.run(&["install", &valid.to_string_lossy()]).0, 3);
}

/// The hub's clock says so, too: then it stands in no valid license's way.
#[test]
fn a_license_whose_time_has_not_come_is_no_reason_to_go_without() {
    let hub = HubEmulator::start(Options::new());
    let device = Device::new(&hub.signing_key(), Some(&hub.url()));
    device.install(&device.genuine(DAY / 4));
    let created = spec(DAY).expire_at + 300 * 86_400;
    let early = spec(900 * DAY).created_at(created);
    fs::write(device.license_path(), sign(device.key(), &early)).expect("written");
    let offered = spec(5 * DAY);
    hub.add_license(offered.clone());
    let (code, output) = device.run(&["renew"]);
    assert_eq!(code, 0, "{output}");
    let installed = device.check(&device.license().expect("a license")).expect("genuine");
    assert_eq!(installed.license().expires_at.unix(), offered.expire_at);
}

/// Nothing is put in a place before it is known what lies there.
#[test]
fn a_license_at_a_new_path_is_looked_at_before_anything_is_put_there() {
    let watched = Watched::new();
    let newer = watched.device.genuine(9 * DAY);
    let elsewhere = watched.device.document("netifyd/elsewhere.json", &newer);
    // What is broken at the old path would be put right.
    fs::remove_file(watched.device.license_path()).expect("removed");
    watched.device.configure(&elsewhere, None, "");
    watched.daemon.signal(Signal::HUP).expect("it runs");
    watched.says("configuration read again");
    watched.is_loaded(&newer);
    assert_eq!(fs::read(&elsewhere).expect("there"), newer);
}

/// A damaged memory does not tell what netifyd has loaded.
#[test]
fn a_reload_is_not_forgotten_with_a_damaged_memory() {
    let device = Device::new(&SigningKey::from_seed(4), None);
    let license = device.genuine(3 * DAY);
    device.install(&license);
    fs::write(device.path("state/state.json"), "{\"boot_").expect("damaged");
    let before = device.reloads();
    let daemon = device.daemon();
    let told = wait_until(|| device.reloads() > before, PATIENCE, "netifyd is told");
    assert!(told.is_ok(), "{}", daemon.output());
}
