//! Runs a test in a kernel of its own.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use test_support::{Proc, temp_dir};

use test_bench::rig::{skipped, tool};

/// Debian's package is user-mode-linux.
const KERNEL: &str = "linux.uml";
/// Longest life of a guest; it needs some seconds.
const PATIENCE: Duration = Duration::from_secs(180);
const UP: &str = "the guest is up";
const PASSED: &str = "the guest's test ended with 0";

/// Runs `story` in a guest: `test` is the name of the calling test, which is started there again.
#[track_caller]
pub(crate) fn run(test: &str, story: impl FnOnce()) {
    if is_guest() {
        return story();
    }
    let Some(kernel) = tool(KERNEL) else {
        return skipped(&format!(
            "{test} needs a kernel whose clock may be set, {KERNEL} (apt install user-mode-linux)"
        ));
    };
    let dir = temp_dir().expect("a directory");
    let guest = boot(&kernel, dir.path(), test);
    let ended = guest.wait_exit(PATIENCE);
    let said = guest.output();
    if !said.contains(UP) {
        return skipped(&format!("{test}: {KERNEL} does not start here: {}", said.lines().last().unwrap_or_default()));
    }
    assert!(said.contains(PASSED), "{test} in the guest ({ended:?}):\n{said}");
}

/// Whether this kernel's clock is ours alone. Nothing here ever sets another one.
pub(crate) fn is_guest() -> bool {
    fs::read_to_string("/proc/cpuinfo").is_ok_and(|text| text.contains("User Mode Linux"))
}

fn boot(kernel: &Path, dir: &Path, test: &str) -> Proc {
    let exe = std::env::current_exe().expect("this program's path");
    // The guest sees the host's files, read-only; /run is its own.
    let script = format!(
        "#!/bin/sh\n\
         mount -t proc none /proc; mount -t sysfs none /sys; mount -t tmpfs none /run\n\
         ip link set lo up || ifconfig lo up || busybox ifconfig lo up\n\
         echo '{UP}'\n\
         cd /run\n\
         TMPDIR=/run RUST_BACKTRACE=0 '{exe}' --exact '{test}' --include-ignored --nocapture --test-threads=1\n\
         echo \"the guest's test ended with $?\"\n\
         echo o >/proc/sysrq-trigger\n\
         sleep 60\n",
        exe = exe.display()
    );
    let init = dir.join("init");
    fs::write(&init, script).expect("a script");
    fs::set_permissions(&init, Permissions::from_mode(0o755)).expect("a mode");
    let mut command = Command::new(kernel);
    command.args(["mem=256M", "rootfstype=hostfs", "rootflags=/", "ro", "quiet", "con=null", "con0=null,fd:1"]);
    command.arg(format!("init={}", init.display()));
    // The guest's memory is a file there; /dev/shm may be small, or forbid execution.
    command.env("TMPDIR", dir).current_dir(dir);
    Proc::spawn(&mut command).expect("the kernel starts")
}
