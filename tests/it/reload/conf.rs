//! netifyd's own configuration: our paths follow it, and its status.json is read where it says.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use super::device::Device;

/// A device whose netifyd has its files in `state`, which only netifyd's configuration says.
fn device(more: &str) -> Device {
    let mut device = Device::new("auto");
    let state = device.rig.path("netifyd").display().to_string();
    let text = format!(
        "# Netify Agent\n[netifyd]\npath_state_volatile = {state}\npath_state_persistent = {state}\n{more}\n[netify-api]\nenable = no\n"
    );
    let file = device.rig.write("netifyd.conf", text);
    device.rig.set("netifyd.config-file", file.display());
    device.rig.unset("reload.pid-file");
    device.rig.unset("reload.socket");
    device.rig.unset("reload.timeout");
    device
}

#[test]
fn our_paths_follow() {
    let device = device("profile = ${path_state_persistent}/profile.conf");
    device.rig.write("netifyd/profile.conf", "[netifyd]\npath_server_socket = ${path_state_volatile}/netifyd.sock\n");
    let netifyd = device.netifyd("ok").start().expect("netifyd starts");
    device.installs(0, "netifyd reloaded (auto: socket): its control socket answered");
    device.is_loaded_by(&netifyd);
    let shown = device.rig.run(&["config", "show"]).out;
    let (dir, conf) = (device.rig.path("netifyd"), device.rig.path("netifyd.conf"));
    let (dir, conf) = (dir.display(), conf.display());
    for words in [
        format!("# From {conf}\npid-file = \"{dir}/netifyd.pid\"\n"),
        format!("# From {conf}\nsocket = \"{dir}/netifyd.sock\"\n"),
        format!("# serial.uuid: {dir}/serial.uuid (from {conf})\n"),
        format!("# status.json: {dir}/status.json (from {conf})\n"),
    ] {
        assert!(shown.contains(&words), "{words:?} is not in {shown}");
    }
}

#[test]
fn what_an_operator_has_set_stays() {
    let mut device = device("path_pid_file = /nowhere/netifyd.pid");
    let pid_file = device.rig.path("netifyd/netifyd.pid");
    device.rig.set("reload.pid-file", pid_file.display());
    let netifyd = device.netifyd("ok").without_socket().start().expect("netifyd starts");
    device.installs(0, "netifyd reloaded (auto: signal)");
    device.is_loaded_by(&netifyd);
}

/// license.path never follows: a difference is told.
#[test]
fn another_place_of_the_license() {
    let mut device = device("");
    device.rig.set("license.path", device.rig.path("license.json").display());
    let shown = device.rig.run(&["status"]).out;
    let theirs = device.rig.path("netifyd/license.json");
    assert!(shown.contains(&format!("and netifyd reads {} (path_state_persistent", theirs.display())), "{shown}");
}

/// A file that others can write, or that is broken, changes nothing, and that is told.
#[test]
fn a_file_that_is_not_used() {
    let device = device("");
    let conf = device.rig.path("netifyd.conf");
    let text = std::fs::read_to_string(&conf).expect("it is there");
    let refused = |words: &str| {
        let shown = device.rig.run(&["config", "show"]).out;
        assert!(shown.contains(words) && shown.contains("\npid-file = \"/var/run/netifyd/netifyd.pid\"\n"), "{shown}");
        assert!(device.rig.run(&["status"]).out.contains("netifyd's configuration is not used: "));
    };
    std::fs::set_permissions(&conf, std::fs::Permissions::from_mode(0o666)).expect("chmod");
    refused("# Not used: ");
    std::fs::set_permissions(&conf, std::fs::Permissions::from_mode(0o644)).expect("chmod");
    device.rig.write("netifyd.conf", text + "this is no setting\n");
    refused("line 8 is no setting");
    std::fs::remove_file(&conf).expect("removed");
    let shown = device.rig.run(&["config", "show"]).out;
    assert!(
        shown.contains("\npid-file = \"/var/run/netifyd/netifyd.pid\"\n") && !shown.contains("# Not used"),
        "{shown}"
    );
}

/// What netifyd says of itself.
#[test]
fn a_license_manager_that_is_not_loaded_is_a_warning() {
    let device = device("");
    let builder = device.netifyd("ok").update_interval(Duration::from_secs(1)).without_license_manager();
    let netifyd = builder.bootstrap(7, "no such license").start().expect("netifyd starts");
    let _daemon = device.rig.daemon();
    device.installs(0, "netifyd reloaded");
    let status = device.rig.wait_for_status("netifyd's words", |status| status["netifyd"]["license_manager"] == false);
    let seen = &status["netifyd"];
    assert_eq!((&seen["running"], &seen["version"]), (&true.into(), &"5.2.8".into()), "{seen}");
    assert_eq!(seen["bootstrap"], serde_json::json!({ "code": 7, "message": "no such license" }));
    assert!(seen["signatures"]["apps"].is_u64(), "{seen}");
    let shown = device.rig.run(&["status"]).out;
    assert!(shown.contains("license_manager is false") && shown.contains("set path_license_manager"), "{shown}");
    let check = device.rig.run(&["check"]);
    assert!(check.code == Some(1) && check.out.contains("netifyd_license_manager=0"), "{check:#?}");
    drop(netifyd);
}

/// serial.uuid as netifyd reads it.
#[test]
fn a_serial_that_is_a_program() {
    let mut device = device("path_uuid_serial = ${path_state_persistent}/serial.sh");
    device.rig.unset("device.duid");
    device.rig.set("device.sources", r#"["netifyd-serial"]"#);
    let duid = |device: &Device| device.rig.run(&["duid"]);
    let script = device.rig.write("netifyd/serial.sh", "#!/bin/sh\necho 4c4c4544-0042-3510-8052-b4c04f4d3733\n");
    let mode = |mode| std::fs::set_permissions(&script, std::fs::Permissions::from_mode(mode)).expect("chmod");
    // Without the bit its text would be cut to 32 characters, as netifyd does.
    mode(0o755);
    let told = duid(&device);
    if rustix::process::geteuid().is_root() {
        assert_eq!(told.out.trim(), "4c4c4544-0042-3510-8052-b4c04f4", "{told:#?}");
        mode(0o775);
        assert!(duid(&device).err.contains("others may write to it"), "{:#?}", duid(&device));
        mode(0o755);
        device.rig.write("netifyd/serial.sh", "#!/bin/sh\nexit 3\n");
        assert!(duid(&device).err.contains("ended with exit status: 3"));
    } else {
        assert!(told.err.contains("it is a program, which only root runs"), "{told:#?}");
    }
    mode(0o644);
    device.rig.write("netifyd/serial.sh", "AI-7B-3C-44\n");
    assert!(duid(&device).err.contains("12 bytes, and netifyd reads 32"), "{:#?}", duid(&device));
    device.rig.write("netifyd/serial.sh", "4c4c4544004235108052b4c04f4d3733\n");
    assert_eq!(duid(&device).out.trim(), "4c4c4544004235108052b4c04f4d3733");
}
