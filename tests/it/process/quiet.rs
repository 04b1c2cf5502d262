//! What wakes the daemon up, what it watches, and a disk that does not answer.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use test_bench::rig::{PATIENCE, Rig, skipped, tool};
use test_support::{Proc, Signal, wait_until};

use super::{device, offer};

/// Times that threads of the process began to run, by themselves.
fn wake_ups(process: i32) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).expect("it runs").flatten();
    let of = |task: fs::DirEntry| {
        let status = fs::read_to_string(task.path().join("status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:").map(str::to_owned));
        line.and_then(|count| count.trim().parse::<u64>().ok()).unwrap_or(0)
    };
    tasks.map(of).sum()
}

#[test]
fn an_idle_daemon_sleeps() {
    let (_hub, rig) = device();
    let daemon = rig.daemon();
    let pid = daemon.pid().as_raw_nonzero().get();
    rig.wait_for_status("watched", |status| status["daemon"]["watch"] == "inotify");
    // Threads that read and wrote files end after ten seconds without work.
    let mut before = wake_ups(pid);
    let begun = Instant::now();
    let quiet = || {
        let now = wake_ups(pid);
        let is_quiet = now == before;
        before = now;
        std::thread::sleep(Duration::from_secs(8));
        is_quiet && wake_ups(pid) == before
    };
    wait_until(quiet, Duration::from_secs(60), "eight seconds without a wake-up").expect("it sleeps");
    assert!(begun.elapsed() < Duration::from_secs(60));
}

/// A user namespace without inotify instances.
fn without_inotify() -> Option<[String; 6]> {
    let unshare = tool("unshare")?.display().to_string();
    let script = "echo 0 > /proc/sys/user/max_inotify_instances && exec \"$@\"".to_owned();
    let wrapper = [unshare, "-rU".to_owned(), "/bin/sh".to_owned(), "-c".to_owned(), script, "sh".to_owned()];
    let works = Command::new(&wrapper[0]).args(&wrapper[1..]).arg("true").output();
    if works.is_ok_and(|output| output.status.success()) {
        return Some(wrapper);
    }
    skipped("a user namespace cannot be had here");
    None
}

#[test]
fn without_inotify_the_file_is_looked_at_every_five_seconds() {
    let Some(wrapper) = without_inotify() else { return };
    let (hub, rig) = device();
    let wrapper = wrapper.each_ref().map(String::as_str);
    let daemon = Proc::spawn(&mut rig.wrapped(&wrapper, &["run"])).expect("it starts");
    daemon
        .wait_for_line(|line| line.contains("this user has no inotify instance left"), PATIENCE)
        .expect("one log line says so");
    let status = rig.wait_for_status("watched by looking", |status| status["daemon"]["watch"] == "poll");
    let trouble = status["daemon"]["watch_trouble"].as_str().unwrap_or_default();
    assert!(trouble.contains("fs.inotify.max_user_instances"), "{status:#}");
    fs::remove_file(rig.license()).expect("removed");
    let begun = Instant::now();
    wait_until(|| rig.license().exists(), PATIENCE, "the license").expect("it is found missing and restored");
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    let said = daemon.lines().iter().filter(|line| line.text.contains("inotify")).count();
    assert_eq!(said, 1, "once: {}", daemon.output());
    drop(hub);
}

#[test]
fn a_link_to_a_link_that_is_moved_is_noticed_at_once() {
    let (_hub, mut rig) = device();
    let license = rig.installed();
    for name in ["one", "two"] {
        fs::create_dir(rig.path(name)).expect("created");
        rig.write(&format!("{name}/license.json"), &license);
    }
    let link = |target: &str, name: &str| {
        let _ = fs::remove_file(rig.path("new"));
        std::os::unix::fs::symlink(rig.path(target), rig.path("new")).expect("a link");
        fs::rename(rig.path("new"), rig.path(name)).expect("renamed");
    };
    link("one", "middle");
    link("middle", "outer");
    rig.write("two/license.json", "{}");
    rig.set("license.path", rig.path("outer/license.json").display());
    let daemon = rig.daemon();
    rig.wait_for_status("valid", |status| status["state"] == "valid");
    let _ = fs::remove_file(rig.path("new"));
    std::os::unix::fs::symlink(rig.path("two"), rig.path("new")).expect("a link");
    fs::rename(rig.path("new"), rig.path("middle")).expect("renamed");
    daemon.wait_for_line(|line| line.contains("malformed"), PATIENCE).expect("it is noticed");
}

/// Mounts a file system that never answers over the state directory of a running daemon.
fn hang(rig: &Rig, daemon: &Proc) -> Option<Proc> {
    let (nsenter, python) = (tool("nsenter")?, tool("python3")?);
    let script = "import ctypes, os, sys, time\n\
        fd = os.open('/dev/fuse', os.O_RDWR)\n\
        options = b'fd=%d,rootmode=40000,user_id=0,group_id=0' % fd\n\
        libc = ctypes.CDLL(None, use_errno=True)\n\
        if libc.mount(b'hung', sys.argv[1].encode(), b'fuse', 0, options):\n    sys.exit(os.strerror(ctypes.get_errno()))\n\
        print('mounted', flush=True)\n\
        time.sleep(600)\n";
    let mut command = Command::new(nsenter);
    command.args(["-t", &daemon.pid().as_raw_nonzero().to_string(), "-m"]).arg(python).args(["-c", script]);
    let hung = Proc::spawn(command.arg(rig.path("state"))).expect("it starts");
    match hung.wait_for_line(|line| line == "mounted", PATIENCE) {
        Ok(_) => Some(hung),
        Err(error) => {
            skipped(&format!("no FUSE can be mounted here: {error}"));
            None
        }
    }
}

#[test]
fn a_disk_that_hangs_stops_neither_status_nor_the_end() {
    let Some(unshare) = tool("unshare").filter(|_| rustix::process::geteuid().is_root()) else {
        return skipped("a mount namespace needs root and unshare");
    };
    let (hub, rig) = device();
    let unshare = unshare.display().to_string();
    let daemon = Proc::spawn(&mut rig.wrapped(&[&unshare, "-m", "--"], &["run"])).expect("it starts");
    let pid = daemon.pid().as_raw_nonzero().get();
    rig.wait_for_status("the first status", |status| status["pid"] == pid);
    let Some(_hung) = hang(&rig, &daemon) else { return };
    offer(&hub, 1);
    let mut renew = rig.command(&["renew"]).spawn().expect("it starts");
    wait_until(|| !hub.requests().is_empty(), PATIENCE, "a request").expect("it asks the hub");
    // Whatever is saved hangs from here on.
    rig.run(&["status", "--alive"]).expect(0);
    rig.run(&["reload"]).expect(0);
    let begun = Instant::now();
    daemon.signal(Signal::TERM).expect("it runs");
    let exit = daemon.wait_exit(Duration::from_secs(8));
    assert!(exit.is_ok(), "{exit:?}: {}", daemon.output());
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
    assert!(daemon.output().contains("stopped before this had ended"), "{}", daemon.output());
    let _ = renew.kill();
    let _ = renew.wait();
}
