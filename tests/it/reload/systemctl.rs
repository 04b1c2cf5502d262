//! A `systemctl` of the test's own, in a mount namespace. The real one is tried in `campaigns/packaging`.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::device::Device;
use test_bench::rig::{Outcome, skipped, tool};

/// Puts a script in the place of `systemctl`: `show` prints what the file `unit` of the device holds, and `reload` runs
/// `reload` with `HUP` replaced. False where that cannot be had.
#[must_use]
pub(crate) fn stand_in(device: &Device, show: &str, reload: &str) -> bool {
    if !rustix::process::geteuid().is_root() || tool("unshare").is_none() {
        skipped("a systemctl of the test's own needs root and unshare");
        return false;
    }
    let dir = device.rig.dir().display().to_string();
    let reload = reload.replace("HUP", &format!("kill -HUP $(cat {dir}/netifyd/netifyd.pid)"));
    let _ = fs::create_dir(device.rig.path("bin"));
    let script = device.rig.write(
        "bin/systemctl",
        format!(
            "#!/bin/sh\ncd {dir}\necho \"$*\" >>asked\nwhile [ \"${{1#-}}\" != \"$1\" ]; do shift; done\ncase $1 in\nshow) {show} ;;\nreload) {reload} ;;\n*) exit 99 ;;\nesac\n"
        ),
    );
    fs::set_permissions(script, fs::Permissions::from_mode(0o755)).expect("chmod");
    true
}

/// What `systemctl show` says of a unit whose main process stands in netifyd's PID file.
pub(crate) const RUNS: &str =
    "printf 'LoadState=loaded\\nActiveState=active\\nSubState=running\\nMainPID=%s\\n' $(cat netifyd/netifyd.pid)";
/// The same while that process is there; else the unit is down.
pub(crate) const RUNS_OR_NOT: &str = "pid=$(cat netifyd/netifyd.pid); if kill -0 $pid; then printf 'LoadState=loaded\\nActiveState=active\\nSubState=running\\nMainPID=%s\\n' $pid; else printf 'LoadState=loaded\\nActiveState=inactive\\nSubState=dead\\nMainPID=0\\n'; fi";
/// One that has no main process.
pub(crate) const NO_PROCESS: &str = "printf 'LoadState=loaded\\nActiveState=active\\nSubState=exited\\nMainPID=0\\n'";

/// `install` where `systemctl` is the test's, and with `is_booted` systemd has booted the machine.
pub(crate) fn install(device: &Device, is_booted: bool) -> Outcome {
    let dir = device.rig.dir().display();
    let booted = if is_booted { "mount -t tmpfs none /run && mkdir -p /run/systemd/system && " } else { "" };
    let mounts = format!("{booted}mount -t overlay overlay -o lowerdir={dir}/bin:/usr/bin /usr/bin && exec \"$@\"");
    device.install_behind(&["unshare", "--mount", "--propagation=private", "sh", "-c", &mounts, "sh"])
}

/// The requests that it got, one a line.
pub(crate) fn asked(device: &Device) -> String {
    fs::read_to_string(device.rig.path("asked")).unwrap_or_default()
}
