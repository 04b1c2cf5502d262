//! What is written to the flash: by a renewal, by an idle day, by a day of failures. The figures of docs/flash.md come
//! from `cargo test -p campaigns flash -- --nocapture`.
#![allow(clippy::disallowed_methods, reason = "the tests touch files and start programs")]

mod day;
mod writes;

use std::fs;
use std::path::Path;
use std::process::Command;

use hub_emulator::{Endpoint, HubEmulator, Options};
use test_bench::device::{DAY, Device, PATIENCE, finish, has, is_root, sign, spec};
use test_support::{Proc, Signal, wait_until};
use writes::Tally;

/// Most writes and renames of one renewal.
const BUDGET: usize = 10;

/// A device whose license is due, and a hub that renews it. The day's start-up work is done.
fn due() -> (Device, HubEmulator) {
    let hub = HubEmulator::start(Options::new());
    let device = Device::new(&hub.signing_key(), Some(&hub.url()));
    let license = spec(DAY / 2).issued_ago(6 * DAY);
    hub.add_license(license.clone());
    device.install(&sign(device.key(), &license));
    (device, hub)
}

/// Runs the daemon under strace(1) while `work` happens, and stops it.
fn traced(device: &Device, work: impl FnOnce()) -> Vec<(String, Tally)> {
    let list = device.path("calls");
    let words = ["strace", "-f", "-qq", "-y", "-s", "0", "-o", &list.to_string_lossy(), "-e", writes::CALLS];
    let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
    let daemon = Proc::spawn(&mut device.wrapped(&words, &["run"])).expect("the daemon starts");
    daemon.wait_for_line(|line| line.contains(" found, ends "), PATIENCE).expect("the daemon is at work");
    work();
    // The signal is for the daemon, not for strace.
    let (code, output) = device.run(&["status", "--json"]);
    assert_eq!(code, 0, "{output}");
    let status: serde_json::Value = serde_json::from_str(&output).expect("JSON");
    let pid = status["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok()).expect("the daemon's PID");
    let pid = test_support::Pid::from_raw(pid).expect("a PID");
    rustix::process::kill_process(pid, Signal::TERM).expect("it runs");
    daemon.wait_exit(PATIENCE).expect("the daemon ends");
    let text = fs::read_to_string(&list).expect("the list");
    let places = [("license", "netifyd"), ("state", "state"), ("runtime", "run")];
    places.map(|(name, place)| (name.to_owned(), Tally::below(&text, &device.path(place)))).to_vec()
}

/// Waits until a renewal is over: installed, loaded, written down.
fn renewed(device: &Device, old: &[u8]) {
    let installed = || device.license().is_some_and(|license| license != old);
    wait_until(installed, PATIENCE, "it is renewed").expect("it is renewed");
    let sha256 = device.check(&device.license().expect("a license")).expect("it verifies").sha256().to_owned();
    let state = device.path("state/state.json");
    let written = || fs::read_to_string(&state).is_ok_and(|text| text.contains(&format!("\"loaded\":\"{sha256}\"")));
    wait_until(written, PATIENCE, "it is loaded").expect("it is loaded");
}

fn table(title: &str, rows: &[(String, Tally)]) -> Tally {
    println!("{title}\n  {:10} {}", "", Tally::HEADER);
    for (name, writes) in rows {
        println!("  {name:10} {writes}");
    }
    let flash = rows.iter().filter(|(name, _)| name != "runtime").fold(Tally::default(), |sum, (_, row)| sum.plus(row));
    println!("  {:10} {flash}", "flash");
    flash
}

#[test]
fn a_renewal_writes_little() {
    if !has("strace", "a_renewal_writes_little") {
        return;
    }
    let (device, hub) = due();
    let old = device.license().expect("a license");
    let rows = traced(&device, || renewed(&device, &old));
    assert_eq!(hub.count(Endpoint::Renew), 1);
    let flash = table("start, automatic renewal, reload, end:", &rows);
    let (license, state) = (&rows[0].1, &rows[1].1);
    assert_eq!((license.writes, license.renames), (1, 1), "the license is written once");
    assert!(state.writes > 0, "the state was written, or nothing was counted");
    assert!(flash.writes + flash.renames <= BUDGET, "{flash}");
}

#[test]
fn an_idle_daemon_writes_nothing() {
    if !has("strace", "an_idle_daemon_writes_nothing") {
        return;
    }
    let (device, _hub) = due();
    device.install(&device.genuine(7 * DAY));
    let rows = traced(&device, || {
        // What happens in a long time without change: looks at the status, other files beside the license, reads of it.
        for number in 0..20 {
            fs::write(device.path("netifyd").join(format!("other-{}", number % 3)), b"x").expect("written");
            assert!(device.license().is_some());
            assert_eq!(device.run(&["status"]).0, 0);
        }
    });
    let flash = table("start, idle, end:", &rows);
    assert_eq!((flash.writes, flash.renames, flash.syncs), (0, 0, 0), "{flash}");
    assert!(rows[2].1.writes > 0, "the runtime directory is written, or nothing was counted");
}

/// Changes the state as if it were of another boot, or as if the daemon had run for days.
fn alter(device: &Device, member: &str, value: impl Into<serde_json::Value>) {
    let path = device.path("state/state.json");
    let text = fs::read_to_string(&path).expect("the state");
    let mut state: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    state[member] = value.into();
    fs::write(path, state.to_string()).expect("written");
}

#[test]
fn a_reboot_and_a_long_run_are_noted_once() {
    if !has("strace", "a_reboot_and_a_long_run_are_noted_once") {
        return;
    }
    let (device, _hub) = due();
    device.install(&device.genuine(7 * DAY));
    alter(&device, "boot_id", "another boot");
    let reboot = table("first start after a reboot:", &traced(&device, || ()));
    // The time of ten days ago, in milliseconds.
    let installed = spec(DAY).created_at.expect("an issue date");
    alter(&device, "last_good_time", (installed - 10 * 86_400) * 1_000);
    let end = table("end of a long run:", &traced(&device, || ()));
    for flash in [reboot, end] {
        assert_eq!((flash.writes, flash.renames, flash.syncs), (1, 1, 2), "{flash}");
    }
}

#[test]
fn days_of_all_kinds() {
    let idle = day::simulate(day::Kind::Idle);
    let outage = day::simulate(day::Kind::Outage);
    println!("a simulated day, every minute looked at:\n  {:10} {}", "", day::Counts::HEADER);
    println!("  {:10} {idle}\n  {:10} {outage}", "idle", "outage");
    assert_eq!((idle.flash, idle.asked), (0, 0), "{idle}");
    assert!(idle.steps > 1_400 && idle.published <= 2, "{idle}");
    assert!(outage.asked >= 4, "it tries: {outage}");
    assert_eq!(outage.flash, 0, "failures cost no flash: {outage}");
}

/// What reaches the disk, journal and metadata included. In a mount namespace of its own.
#[test]
fn a_renewal_on_ext4() {
    const TEST: &str = "a_renewal_on_ext4";
    if std::env::var_os("FLASH_INSIDE").is_none() {
        if is_root(TEST) && has("unshare", TEST) {
            let exe = std::env::current_exe().expect("this program");
            let name = test_bench::test_name(module_path!(), TEST);
            let mut again = Command::new("unshare");
            again.args(["--mount", "--propagation", "private", "--"]).arg(exe);
            let (code, output) = finish(again.args(["--exact", "--nocapture", &name]).env("FLASH_INSIDE", "1"));
            assert_eq!(code, 0, "{output}");
            for line in output.lines().filter(|line| line.contains("ext4")) {
                println!("{line}");
            }
        }
        return;
    }
    let (device, _hub) = due();
    let (image, disk) = (device.path("image"), device.path("disk"));
    fs::create_dir(&disk).expect("a directory");
    fs::File::create(&image).and_then(|file| file.set_len(32 << 20)).expect("an image");
    let (made, why) = finish(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image));
    let (mounted, output) = finish(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(&disk));
    if made != 0 || mounted != 0 {
        eprintln!("SKIPPED: {TEST} needs mkfs.ext4 and loop devices: {why}{output}");
        return;
    }
    for place in ["netifyd", "state"] {
        let from = device.path(place);
        let (code, output) = finish(Command::new("cp").arg("-a").arg(&from).arg(&disk));
        assert_eq!(code, 0, "{output}");
        let (code, output) = finish(Command::new("mount").arg("--bind").arg(disk.join(place)).arg(&from));
        assert_eq!(code, 0, "{output}");
    }
    let old = device.license().expect("a license");
    let before = sectors(&disk);
    let (code, output) = device.run(&["renew"]);
    assert_eq!(code, 0, "{output}");
    assert_ne!(device.license().expect("a license"), old);
    let written = (sectors(&disk) - before) / 2;
    println!("a renewal on ext4: {written} KiB reach the disk, journal included");
    assert!((1..=512).contains(&written), "{written} KiB");
    for place in ["netifyd", "state", "disk"] {
        let (code, output) = finish(Command::new("umount").arg(device.path(place)));
        assert_eq!(code, 0, "{output}");
    }
}

/// Sectors of 512 bytes that have reached the block device below a mount point (the kernel's Documentation/block/stat).
fn sectors(mounted: &Path) -> u64 {
    assert_eq!(finish(Command::new("sync").arg("-f").arg(mounted)).0, 0);
    let (_, device) = finish(Command::new("findmnt").args(["-n", "-o", "SOURCE", "--mountpoint"]).arg(mounted));
    let name = device.trim().trim_start_matches("/dev/").to_owned();
    let stat = fs::read_to_string(format!("/sys/block/{name}/stat")).expect("the device's counters");
    stat.split_whitespace().nth(6).and_then(|field| field.parse().ok()).expect("sectors written")
}
