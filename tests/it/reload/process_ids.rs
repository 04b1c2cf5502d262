//! Whoever the PID file names is signaled only if it is netifyd, at the moment of the signal.

use std::fs;
use std::process::Command;
use std::time::Duration;

use test_support::{Proc, Signal};

use super::device::{Device, HIDDEN, each};
use test_bench::rig::{PATIENCE, skipped, tool};

/// A process that a SIGHUP would end.
fn bystander() -> Proc {
    Proc::spawn(Command::new("sleep").arg("600")).expect("sleep starts")
}

/// Its end would be seen at once: it is this process's child.
fn is_unharmed(bystander: &Proc) {
    let ended = bystander.wait_exit(Duration::from_millis(100));
    assert!(ended.is_err(), "somebody else was signaled: {ended:?}");
}

#[test]
fn a_foreign_process() {
    // Whether netifyd runs somewhere else is not known, so nobody may call this well.
    each(&["signal", "socket", "auto"], |method| {
        let device = Device::new(method);
        let bystander = bystander();
        let pid = bystander.pid().as_raw_pid();
        device.rig.write("netifyd/netifyd.pid", format!("{pid}\n"));
        device.installs(6, &format!("process {pid} is sleep, not netifyd); set reload.pid-file"));
        is_unharmed(&bystander);
    });
}

#[test]
fn a_stale_file() {
    let device = Device::new("signal");
    let ended = bystander();
    ended.signal(Signal::KILL).expect("killed");
    ended.wait_exit(PATIENCE).expect("it ends");
    let pid = ended.pid().as_raw_pid();
    device.rig.write("netifyd/netifyd.pid", format!("{pid}\n"));
    let outcome = device.install();
    assert_eq!(outcome.code, Some(0), "{outcome:#?}");
    // Had the number been given to another process meanwhile, that is not netifyd either.
    assert!(format!("{outcome:?}").contains(&format!("process {pid}")), "{outcome:#?}");
    assert!(format!("{outcome:?}").contains("netifyd does not run"), "{outcome:#?}");
}

#[test]
fn no_file_and_no_number() {
    let device = Device::new("signal");
    device.installs(0, "netifyd.pid: no such file");
    each(&["", "0\n", "1\n", "-1\n", "12x\n", "99999999999\n", "\u{0}\n"], |text| {
        let device = Device::new("signal");
        device.rig.write("netifyd/netifyd.pid", text);
        device.installs(6, "netifyd.pid: no process id in it");
    });
}

#[test]
fn no_file_but_something_else() {
    let methods = ["signal", "auto"];
    let ways = ["mkdir", "mkfifo", "ln -s /dev/zero"];
    let cases: Vec<_> = methods.iter().flat_map(|method| ways.iter().map(move |how| (*method, *how))).collect();
    each(&cases, |(method, how)| {
        let device = Device::new(method);
        let mut words = how.split(' ');
        let mut make = Command::new(words.next().expect("a program"));
        let done = make.args(words).arg(device.rig.path("netifyd/netifyd.pid")).status();
        assert!(done.is_ok_and(|status| status.success()), "{how}");
        let why = if *how == "mkdir" { "is a directory" } else { "it is not a regular file" };
        device.installs(6, &format!("netifyd.pid: {why}); set reload.pid-file"));
    });
}

/// netifyd truncates its PID file, and then writes it.
#[test]
fn a_file_that_is_being_written() {
    let device = Device::new("signal");
    let netifyd = device.netifyd("ok").start().expect("netifyd starts");
    device.rig.write("netifyd/netifyd.pid", "");
    let path = device.rig.path("netifyd/netifyd.pid");
    let pid = netifyd.pid();
    let writing = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(400));
        fs::write(path, format!("{pid}\n"))
    });
    device.installs(0, "netifyd reloaded (signal)");
    writing.join().expect("no panic").expect("written");
}

/// netifyd recognizes itself by prefix, and so do we.
#[test]
fn a_longer_name() {
    let device = Device::new("signal");
    let binary = device.rig.path("netifyd/netifyd-5.2");
    fs::copy(test_support::built("netifyd-standin", "netifyd").expect("built"), &binary).expect("copied");
    let netifyd = device.netifyd("ok").binary(&binary).start().expect("netifyd starts");
    device.installs(0, "netifyd reloaded (signal)");
    device.is_loaded_by(&netifyd);
}

/// A program of any user can be called netifyd, and answer 100.
#[test]
fn another_user_s_netifyd() {
    if !rustix::process::geteuid().is_root() {
        return skipped("a process of another user needs root");
    }
    let theirs = netifyd_standin::Standin::builder().user("nobody").start().expect("it starts");
    let device = Device::new("signal");
    device.rig.write("netifyd/netifyd.pid", format!("{}\n", theirs.pid()));
    device.installs(6, "belongs to user 65534, neither to root nor to the owner of the PID file");
    let mut device = Device::new("socket");
    device.rig.set("reload.socket", theirs.socket_path().display());
    device.installs(6, "user 65534 listens there, who is neither root nor the owner");
    device.rig.set("reload.method", "auto");
    device.installs(0, "no running netifyd was found");
    assert_eq!(theirs.count("reload-requested"), 0);
}

/// A process that cannot be looked at may be netifyd. One that has ended is none, however hidden it was.
#[test]
fn a_hidden_process() {
    if !rustix::process::geteuid().is_root() || tool("unshare").is_none() {
        return skipped("to hide a process needs root and unshare");
    }
    each(&["signal", "socket", "auto"], |method| {
        let device = Device::new(method);
        let netifyd = device.netifyd("ok").without_socket().start().expect("netifyd starts");
        let pid = netifyd.pid();
        device.open_up();
        let outcome = device.install_behind(HIDDEN);
        assert_eq!(outcome.code, Some(6), "{outcome:#?}");
        assert!(outcome.err.contains(&format!("process {pid} is hidden from us")), "{outcome:#?}");

        drop(netifyd);
        let device = Device::new(method);
        device.rig.write("netifyd/netifyd.pid", format!("{pid}\n"));
        device.open_up();
        let outcome = device.install_behind(HIDDEN);
        assert_eq!(outcome.code, Some(0), "{outcome:#?}");
    });
}

/// Before Linux 5.3, and in some sandboxes, there is no holding a process.
#[test]
fn a_process_that_cannot_be_held() {
    if tool("strace").is_none() {
        return skipped("a kernel without pidfd_open needs strace");
    }
    each(&["ENOSYS", "EPERM", "EMFILE"], |error| {
        let device = Device::new("signal");
        let netifyd = device.netifyd("ok").start().expect("netifyd starts");
        let trace = device.rig.path("trace").display().to_string();
        let inject = format!("--inject=pidfd_open:error={error}");
        let wrapper = ["strace", "-f", "-qq", "-o", &trace, "-e", "trace=pidfd_open", &inject];
        let outcome = device.install_behind(&wrapper);
        assert_eq!(outcome.code, Some(6), "{outcome:#?}");
        assert!(outcome.err.contains(&format!("process {}: ", netifyd.pid())), "{outcome:#?}");
    });
}

/// A netifyd that runs, and is not found: that is no netifyd that does not run.
#[test]
#[ignore = "14 s: tests/run long"]
fn another_sign_of_life() {
    let cases = [
        ("signal", "reload.pid-file", "the PID file does not lead to it"),
        ("socket", "reload.socket", "does not listen on "),
    ];
    each(&cases, |(method, key, words)| {
        let mut device = Device::new(method);
        let netifyd = device.netifyd("ok").start().expect("netifyd starts");
        device.rig.set(key, device.rig.path("elsewhere").display());
        device.installs(6, &format!("netifyd (process {}) runs, but {words}", netifyd.pid()));
        let status = device.rig.run(&["status", "--json"]).json();
        assert_eq!((&status["reload"]["last_outcome"], &status["healthy"]), (&"failed".into(), &false.into()));
        // What fits is found as soon as it may be.
        device.rig.set("reload.method", "auto");
        device.installs(0, "netifyd reloaded (auto: ");
        device.is_loaded_by(&netifyd);
    });
}

/// The executable may have been replaced by an upgrade of the package while netifyd runs.
#[test]
fn an_executable_that_was_replaced() {
    let device = Device::new("signal");
    let binary = device.rig.path("netifyd/netifyd");
    fs::copy(test_support::built("netifyd-standin", "netifyd").expect("built"), &binary).expect("copied");
    test_support::make_executable(&binary).expect("a program");
    let netifyd = device.netifyd("ok").binary(&binary).start().expect("netifyd starts");
    fs::remove_file(&binary).expect("removed");
    device.installs(0, "netifyd reloaded (signal)");
    device.is_loaded_by(&netifyd);
}

/// The file is read each time.
#[test]
fn a_netifyd_that_was_started_again() {
    let device = Device::new("signal");
    let first = device.netifyd("ok").start().expect("netifyd starts");
    let daemon = device.rig.daemon();
    device.installs(0, "netifyd reloaded (signal)");
    drop(first);
    let second = device.netifyd("ok").start().expect("netifyd starts again");
    device.installs(0, "netifyd reloaded (signal)");
    device.is_loaded_by(&second);
    drop(daemon);
}

/// Between the look at the process and the signal, netifyd ends and its number goes to somebody else.
#[test]
fn a_recycled_number() {
    let last = "/proc/sys/kernel/ns_last_pid";
    if tool("strace").is_none() || fs::OpenOptions::new().write(true).open(last).is_err() {
        return skipped("a recycled PID needs strace and a writable ns_last_pid (root)");
    }
    let device = Device::new("signal");
    let netifyd = device.netifyd("ok").start().expect("netifyd starts");
    let pid = netifyd.pid();
    let file = device.rig.write("given.json", device.license());
    // The signal is held up for as long as this takes.
    let trace = device.rig.path("trace").display().to_string();
    let held = "--inject=pidfd_send_signal:delay_enter=1500000";
    let wrapper = ["strace", "-f", "-qq", "-o", &trace, "-e", "trace=pidfd_send_signal", held];
    let mut command = device.rig.wrapped(&wrapper, &["install", &file.display().to_string()]);
    let installing = Proc::spawn(&mut command).expect("strace starts");
    let at_the_call = || fs::read_to_string(&trace).is_ok_and(|text| text.contains("pidfd_send_signal"));
    test_support::wait_until(at_the_call, PATIENCE, "the signal is about to be sent").expect("it comes to that");
    drop(netifyd);
    let heir = (0..200).find_map(|_| {
        fs::write(last, format!("{}", pid - 1)).ok()?;
        let child = bystander();
        (child.pid().as_raw_pid() == pid).then_some(child)
    });
    let Some(heir) = heir else { return skipped("the kernel would not give the PID away again") };
    let ended = installing.wait_exit(PATIENCE).expect("it ends");
    let output = installing.output();
    assert!(output.contains(&format!("SIGHUP to netifyd (process {pid}): no such process")), "{output}");
    assert_eq!(ended.code(), Some(6), "{output}");
    is_unharmed(&heir);
}
