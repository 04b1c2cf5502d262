//! Real file systems that refuse: full, read-only, layered, bind-mounted, out of quota, forbidden, missing. Each test
//! that mounts runs again as root in a mount namespace of its own, so nothing is mounted outside.
#![allow(clippy::disallowed_methods, reason = "the tests touch files and start programs")]

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use hub_emulator::{Endpoint, HubEmulator, Options, SigningKey};
use test_bench::device::{DAY, Device, PATIENCE, finish, is_root, sign, spec};
use test_support::wait_until;

/// Set for the test's second life in a mount namespace.
const INSIDE: &str = "FILESYSTEMS_INSIDE";

/// Whether the test is inside its namespace; outside it is run again there, and its outcome taken over.
fn inside(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    if !is_root(test) || !test_bench::device::has("unshare", test) {
        return false;
    }
    let exe = std::env::current_exe().expect("this program");
    let mut again = Command::new("unshare");
    again.args(["--mount", "--propagation", "private", "--"]).arg(exe);
    again.args(["--exact", "--nocapture", &test_bench::test_name(module_path!(), test)]).env(INSIDE, "1");
    let (code, output) = finish(&mut again);
    if output.contains("Operation not permitted") && !output.contains("running 1 test") {
        eprintln!("SKIPPED: {test} needs a mount namespace: {}", output.trim());
        return false;
    }
    assert_eq!(code, 0, "{output}");
    for line in output.lines().filter(|line| line.starts_with("SKIPPED")) {
        eprintln!("{line}");
    }
    false
}

fn mount(arguments: &[&str], target: &Path) {
    let (code, output) = finish(Command::new("mount").args(arguments).arg(target));
    assert_eq!(code, 0, "mount {arguments:?}: {output}");
}

fn device() -> Device {
    Device::new(&SigningKey::from_seed(3), None)
}

/// A license with a member of this many bytes, so that a page is not enough for it.
fn large(device: &Device, days: u32, bytes: usize) -> Vec<u8> {
    sign(device.key(), &spec(DAY * days).member("filler", "x".repeat(bytes)))
}

/// Fills the file system of a directory to the last byte.
fn fill(directory: &Path) {
    use std::io::Write;
    let mut ballast = fs::File::create(directory.join("ballast")).expect("a file");
    for size in [65_536, 4_096, 1] {
        let block = vec![1_u8; size];
        while ballast.write_all(&block).and_then(|()| ballast.sync_all()).is_ok() {}
    }
}

/// `install` of these bytes: exit code and output.
fn install(device: &Device, bytes: &[u8]) -> (i32, String) {
    let file = device.document("given.json", bytes);
    device.run(&["install", &file.to_string_lossy()])
}

/// The installation is refused with these words, and nothing has changed.
fn refused(device: &Device, new: &[u8], words: &[&str]) {
    let before = (device.license(), device.ownership());
    let (code, output) = install(device, new);
    assert_eq!(code, 1, "{output}");
    for word in words.iter().chain(&["not installed: "]) {
        assert!(output.contains(word), "{word} is not in: {output}");
    }
    assert_eq!((device.license(), device.ownership()), before, "the license has changed");
    assert_eq!(device.leftovers(), Vec::<std::path::PathBuf>::new());
    assert_eq!(device.loaded(), None, "a reload without a new license");
}

/// The installation works.
fn accepted(device: &Device, new: &[u8]) {
    let (code, output) = install(device, new);
    assert_eq!(code, 0, "{output}");
    assert_eq!(device.license().as_deref(), Some(new));
    assert_eq!(device.loaded().as_deref(), Some(new));
    assert_eq!(device.leftovers(), Vec::<std::path::PathBuf>::new());
}

/// Forgets the reload of the preparation.
fn quiet(device: &Device) {
    let _ = fs::remove_file(device.path("loaded"));
}

#[test]
fn a_full_tmpfs() {
    if !inside("a_full_tmpfs") {
        return;
    }
    let device = device();
    mount(&["-t", "tmpfs", "-o", "size=128k", "netify-test"], &device.path("netifyd"));
    device.install(&device.genuine(DAY));
    quiet(&device);
    fill(&device.path("netifyd"));
    let new = large(&device, 5, 20_000);
    refused(&device, &new, &["netifyd/license.json", "no space left on device", "free some space"]);
    fs::remove_file(device.path("netifyd/ballast")).expect("removed");
    accepted(&device, &new);
}

#[test]
fn a_full_ext4() {
    if !inside("a_full_ext4") {
        return;
    }
    let device = device();
    let image = device.path("disk");
    fs::File::create(&image).and_then(|file| file.set_len(2 << 20)).expect("an image");
    let (code, output) = finish(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image));
    let (mounted, why) = finish(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(device.path("netifyd")));
    if code != 0 || mounted != 0 {
        eprintln!("SKIPPED: a_full_ext4 needs mkfs.ext4 and loop devices: {output}{why}");
        return;
    }
    device.install(&device.genuine(DAY));
    quiet(&device);
    fill(&device.path("netifyd"));
    let new = large(&device, 5, 20_000);
    refused(&device, &new, &["no space left on device", "free some space"]);
    fs::remove_file(device.path("netifyd/ballast")).expect("removed");
    accepted(&device, &new);
    let (code, output) = finish(Command::new("umount").arg(device.path("netifyd")));
    assert_eq!(code, 0, "{output}");
}

/// Injected: few kernels have a file system with quotas that a test can make.
#[test]
fn a_quota_that_is_used_up() {
    if !test_bench::device::has("strace", "a_quota_that_is_used_up") {
        return;
    }
    let device = device();
    device.install(&device.genuine(DAY));
    let (old, file) = (device.license(), device.document("given.json", &device.genuine(3 * DAY)));
    let strace = "strace -f -qq -o /dev/null -e trace=fsync -e inject=fsync:error=EDQUOT:when=1+";
    let strace: Vec<String> = strace.split(' ').map(str::to_owned).collect();
    let (code, output) = finish(&mut device.wrapped(&strace, &["install", &file.to_string_lossy()]));
    assert!(code == 1 && output.contains("free some space"), "{code} {output}");
    assert_eq!((device.license(), device.leftovers().len()), (old, 0));
}

/// Injected: the new license is in its place, so this is no failure. Some file systems cannot do it at all, which is
/// nothing to talk of.
#[test]
fn a_directory_that_cannot_be_written_to_disk_is_told() {
    if !test_bench::device::has("strace", "a_directory_that_cannot_be_written_to_disk_is_told") {
        return;
    }
    for (error, told) in [("EIO", true), ("EINVAL", false)] {
        let device = device();
        device.install(&device.genuine(DAY));
        let new = device.genuine(3 * DAY);
        let directory = device.path("netifyd").display().to_string();
        // -D: the daemon is the child, and strace goes when it goes.
        let strace = format!("strace -D -f -qq -o /dev/null -P {directory} -e inject=fsync:error={error}");
        let strace: Vec<String> = strace.split(' ').map(str::to_owned).collect();
        let daemon = device.daemon_under(&strace);
        let file = device.document("given.json", &new);
        let (code, output) = device.run(&["install", &file.to_string_lossy()]);
        assert_eq!((code, device.license()), (0, Some(new)), "{output}");
        daemon.wait_for_line(|line| line.contains("installed, ends"), PATIENCE).expect("the daemon did it");
        let said = daemon.output().contains(&format!("{directory}: the directory cannot be written to disk"));
        assert_eq!(said, told, "{error}: {}", daemon.output());
    }
}

#[test]
fn a_read_only_mount_and_the_daemon_that_waits_for_its_end() {
    if !inside("a_read_only_mount_and_the_daemon_that_waits_for_its_end") {
        return;
    }
    let hub = HubEmulator::start(Options::new());
    let device = Device::new(&hub.signing_key(), Some(&hub.url()));
    device.configure(&device.license_path(), Some(&hub.url()), "[renewal]\nmin-retry = \"1s\"");
    let directory = device.path("netifyd");
    mount(&["--bind", &directory.to_string_lossy()], &directory);
    let due = spec(DAY / 2).issued_ago(6 * DAY);
    device.install(&sign(device.key(), &due));
    quiet(&device);
    mount(&["-o", "remount,ro,bind"], &directory);
    let words = ["read-only file system", "remount it writable", "netifyd/license.json"];
    refused(&device, &device.genuine(3 * DAY), &words);

    // The daemon says so, keeps the old license, and renews as soon as it can, without asking the hub twice.
    let old = device.license();
    hub.add_license(due);
    let daemon = device.daemon();
    let told = |line: &str| line.contains("could not be installed") && line.contains("remount it writable");
    daemon.wait_for_line(told, PATIENCE).expect("the daemon says what is wrong");
    assert_eq!(device.license(), old);
    mount(&["-o", "remount,rw,bind"], &directory);
    wait_until(|| device.license() != old, PATIENCE, "the daemon tries again").expect("it tries again");
    wait_until(|| device.loaded() == device.license(), PATIENCE, "netifyd is told").expect("it is told");
    assert_eq!(hub.count(Endpoint::Renew), 1);
}

#[test]
fn an_overlay() {
    if !inside("an_overlay") {
        return;
    }
    let device = device();
    let old = device.genuine(DAY);
    device.install(&old);
    quiet(&device);
    chown(device.license_path(), Some(123), Some(456)).expect("chown");
    // The upper layer on a tmpfs: an overlay does not go on top of another one.
    let layers = device.path("layers");
    fs::create_dir(&layers).expect("a directory");
    mount(&["-t", "tmpfs", "netify-test"], &layers);
    for name in ["lower", "upper", "work"] {
        fs::create_dir(layers.join(name)).expect("a directory");
    }
    let lower = layers.join("lower/license.json");
    fs::copy(device.license_path(), &lower).expect("copied");
    chown(&lower, Some(123), Some(456)).expect("chown");
    let place = layers.display();
    let options = format!("lowerdir={place}/lower,upperdir={place}/upper,workdir={place}/work");
    mount(&["-t", "overlay", "-o", &options, "netify-test"], &device.path("netifyd"));
    let ownership = device.ownership();
    accepted(&device, &device.genuine(3 * DAY));
    assert_eq!(device.ownership(), ownership);
    assert_eq!(fs::read(&lower).expect("the lower layer"), old, "the lower layer stays as it was");
}

#[test]
fn a_license_file_that_is_a_mount_point() {
    if !inside("a_license_file_that_is_a_mount_point") {
        return;
    }
    let device = device();
    device.install(&device.genuine(DAY));
    quiet(&device);
    let outside = device.path("outside.json");
    fs::copy(device.license_path(), &outside).expect("copied");
    mount(&["--bind", &outside.to_string_lossy()], &device.license_path());
    let new = device.genuine(3 * DAY);
    refused(&device, &new, &["netifyd/license.json", "is a mount point", "mount its directory instead"]);
    let (code, output) = finish(Command::new("umount").arg(device.license_path()));
    assert_eq!(code, 0, "{output}");
    accepted(&device, &new);
}

#[test]
fn full_state_and_runtime_directories_stop_no_renewal() {
    if !inside("full_state_and_runtime_directories_stop_no_renewal") {
        return;
    }
    let device = device();
    device.install(&device.genuine(DAY));
    for name in ["state", "run"] {
        mount(&["-t", "tmpfs", "-o", "size=32k", "netify-test"], &device.path(name));
        fill(&device.path(name));
    }
    accepted(&device, &large(&device, 5, 20_000));
}

/// The copy of the license does not fit, what is remembered does: neither keeps the daemon busy.
#[test]
fn a_nearly_full_state_directory_costs_nothing() {
    if !inside("a_nearly_full_state_directory_costs_nothing") {
        return;
    }
    let device = device();
    fs::write(device.license_path(), large(&device, 5, 9_000)).expect("written");
    let state = device.path("state");
    mount(&["-t", "tmpfs", "-o", "size=64k", "netify-test"], &state);
    fill(&state);
    let ballast = fs::OpenOptions::new().write(true).open(state.join("ballast")).expect("opened");
    let full = ballast.metadata().expect("its length").len();
    ballast.set_len(full - 8_192).expect("two pages are free");
    let daemon = device.daemon();
    let is_written = || state.join("state.json").exists();
    wait_until(is_written, PATIENCE, "what fits is written").expect("what fits is written");
    let told = || {
        let (_, output) = device.run(&["status"]);
        output.contains("previous-license.json: ") && output.contains("no space left on device")
    };
    wait_until(told, PATIENCE, "the status tells").expect("the status tells");
    let writes = || {
        let counts = fs::read_to_string(format!("/proc/{}/io", daemon.pid())).expect("the kernel's count");
        let count = counts.lines().find_map(|line| line.strip_prefix("syscw: ")).expect("a count");
        count.parse::<u64>().expect("a number")
    };
    let before = writes();
    for _ in 0..20 {
        assert!(told());
    }
    assert!(writes() - before < 100, "{} writes beside twenty answers", writes() - before);
}

#[test]
fn a_directory_that_is_missing_is_made() {
    let device = device();
    fs::remove_dir(device.path("netifyd")).expect("removed");
    let deep = device.path("netifyd/below/license.json");
    device.configure(&deep, None, "");
    device.install(&device.genuine(DAY));
    let meta = fs::metadata(&deep).expect("the license is there");
    assert_eq!(meta.mode() & 0o777, 0o640);
    assert_eq!(fs::metadata(deep.parent().expect("a directory")).expect("made").mode() & 0o022, 0);
}

/// Groups of the machine; the directory of the file is one of the test's own.
#[test]
fn a_first_license_is_for_the_group_that_netifyd_runs_in() {
    if !inside("a_first_license_is_for_the_group_that_netifyd_runs_in") {
        return;
    }
    let own = rustix::process::getegid().as_raw();
    let list = test_support::temp_dir().expect("a directory");
    let list = list.path().join("group");
    fs::write(&list, "").expect("written");
    mount(&["--bind", &list.to_string_lossy()], Path::new("/etc/group"));
    for (groups, group) in [
        ("root:x:0:\nnetifyd:x:991:\nnetify:x:990:\n", 990),
        ("root:x:0:\nnetify-x:x:989:\nnetifyd:x:991:\n", 991),
        ("root:x:0:\nbroken\nnetify:x\nnetifyd:x:none:\n", own),
    ] {
        fs::write(&list, groups).expect("written");
        let device = device();
        device.install(&device.genuine(DAY));
        assert_eq!(device.ownership().1, group, "{groups}");
        device.install(&device.genuine(3 * DAY));
        assert_eq!(device.ownership().1, group, "it keeps it");
    }
    // Who cannot ask for the group does not give the license to another one.
    let device = device();
    mount(&["-t", "tmpfs", "netify-test"], Path::new("/etc"));
    device.install(&device.genuine(DAY));
    assert_eq!(device.ownership().1, own, "a machine without that list");
    fs::remove_file(device.license_path()).expect("removed");
    fs::create_dir("/etc/group").expect("a directory in the file's place");
    let file = device.document("given.json", &device.genuine(3 * DAY));
    let (code, output) = device.run(&["install", &file.to_string_lossy()]);
    assert_eq!(code, 1, "{output}");
    assert!(output.contains("cannot find netifyd's group in /etc/group for "), "{output}");
    assert!(!device.license_path().exists());
}

#[test]
fn an_unprivileged_user_is_told_what_is_missing() {
    if !is_root("an_unprivileged_user_is_told_what_is_missing") {
        return;
    }
    let device = device();
    device.install(&device.genuine(DAY));
    quiet(&device);
    fs::set_permissions(device.license_path(), fs::Permissions::from_mode(0o644)).expect("chmod");
    let file = device.document("given.json", &device.genuine(3 * DAY));
    let before = (device.license(), device.ownership());
    let user: Vec<String> =
        ["setpriv", "--reuid=23456", "--regid=23456", "--clear-groups"].iter().map(|&word| word.to_owned()).collect();
    let run = || finish(&mut device.wrapped(&user, &["install", &file.to_string_lossy()]));
    fs::set_permissions(device.path(""), fs::Permissions::from_mode(0o755)).expect("chmod");
    let told = |path: &str| {
        let (code, output) = run();
        let clear = [path, "permission denied", "run as root"].iter().all(|words| output.contains(words));
        assert!(code == 1 && clear, "{code} {output}");
    };
    told("run/lock");
    for directory in ["run", "state"] {
        let entries = fs::read_dir(device.path(directory)).expect("a directory").flatten().map(|entry| entry.path());
        for path in entries.chain([device.path(directory)]) {
            chown(path, Some(23_456), Some(23_456)).expect("chown");
        }
    }
    told("netifyd/license.json");
    assert_eq!((device.license(), device.ownership()), before);
}

#[test]
fn a_symbolic_link_is_followed_and_stays() {
    let device = device();
    let link = device.path("link.json");
    symlink("netifyd/license.json", &link).expect("a link");
    device.configure(&link, None, "");
    device.install(&device.genuine(DAY));
    accepted(&device, &device.genuine(3 * DAY));
    assert!(fs::symlink_metadata(&link).expect("the link").is_symlink());
    // Others could bend the way: refused, with the element's name.
    let open = device.path("netifyd");
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).expect("chmod");
    quiet(&device);
    let words = ["link.json leads through ", "netifyd, which others can write to", "chmod go-w"];
    refused(&device, &device.genuine(5 * DAY), &words);
}

#[test]
fn what_is_no_file_is_neither_waited_for_nor_replaced_unasked() {
    let device = device();
    let path = device.license_path();
    let (code, output) = finish(Command::new("mkfifo").arg(&path));
    assert_eq!(code, 0, "{output}");
    let new = device.genuine(DAY);
    let (code, output) = install(&device, &new);
    assert!(code == 3 && output.contains("it is not a regular file") && output.contains("--force"), "{code} {output}");
    fs::remove_file(&path).expect("removed");
    fs::create_dir(&path).expect("a directory");
    let file = device.document("given.json", &new);
    let (code, output) = device.run(&["install", "--force", &file.to_string_lossy()]);
    assert!(code == 1 && output.contains("is a directory"), "{code} {output}");
    assert!(path.is_dir() && device.leftovers().is_empty());
}

#[test]
fn no_file_is_dated_in_the_future_of_the_hub() {
    // The hub's clock is right, this device's is two hours ahead.
    let behind = 7_200;
    let hub = HubEmulator::start(Options::new().clock_offset(-behind));
    let device = Device::new(&hub.signing_key(), Some(&hub.url()));
    let old = spec(DAY / 2).issued_ago(6 * DAY);
    device.install(&sign(device.key(), &old));
    hub.add_license(old);
    let (code, output) = device.run(&["renew"]);
    assert_eq!(code, 0, "{output}");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let hub_now = i64::try_from(now).expect("this age") - behind;
    let modified = fs::metadata(device.license_path()).expect("the license").mtime();
    assert!((hub_now - 60..=hub_now + 1).contains(&modified), "{modified} against {hub_now}");
}
