//! The plugin in a real Nagios, with the configuration that the documentation gives.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use test_support::{Proc, wait_until};

use super::gateway::{Gateway, PATIENCE, program};

/// Where the distributions put it.
const NAMES: [&str; 3] = ["nagios4", "/usr/sbin/nagios4", "nagios"];

const OBJECTS: &str = "
define timeperiod {
    timeperiod_name always
    alias always
    monday 00:00-24:00
    tuesday 00:00-24:00
    wednesday 00:00-24:00
    thursday 00:00-24:00
    friday 00:00-24:00
    saturday 00:00-24:00
    sunday 00:00-24:00
}
define contact {
    contact_name nobody
    host_notification_period always
    service_notification_period always
    host_notification_commands up
    service_notification_commands up
}
define command {
    command_name up
    command_line /bin/true
}
define host {
    host_name gateway
    address 127.0.0.1
    check_command up
    check_period always
    max_check_attempts 1
    contacts nobody
}
define service {
    name generic-service
    check_period always
    max_check_attempts 1
    check_interval 1
    retry_interval 1
    contacts nobody
    register 0
}
";

fn settings(directory: &str, user: &str) -> String {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/nagios/netify-licensed.cfg");
    format!(
        "cfg_file={directory}/objects.cfg\ncfg_file={}\nresource_file={directory}/resource.cfg\n\
         log_file={directory}/log\nobject_cache_file={directory}/cache\nstatus_file={directory}/status.dat\n\
         check_result_path={directory}/results\ntemp_file={directory}/temp\ntemp_path={directory}\nlock_file={directory}/lock\n\
         query_socket={directory}/query\nnagios_user={user}\nnagios_group={user}\nstatus_update_interval=1\ninterval_length=1\n\
         check_external_commands=0\nuse_syslog=0\nenable_notifications=0\ncheck_for_updates=0\n\
         service_inter_check_delay_method=n\nmax_service_check_spread=1\nillegal_macro_output_chars=`\n",
        example.display()
    )
}

/// The newest state of the service, as Nagios keeps it.
fn seen(directory: &Path) -> BTreeMap<String, String> {
    let text = fs::read_to_string(directory.join("status.dat")).unwrap_or_default();
    let block = text.split("servicestatus {").nth(1).unwrap_or_default();
    let lines = block.lines().take_while(|line| line.trim() != "}");
    lines
        .filter_map(|line| line.trim().split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[test]
fn nagios_reads_the_line_its_state_and_its_data() {
    let found = NAMES.iter().find(|name| Command::new(name).arg("--version").output().is_ok());
    let Some(nagios) = found else {
        return eprintln!("SKIPPED: Nagios is not installed here (apt install nagios4-core)");
    };
    let mut gateway = Gateway::new();
    gateway.set("reload.method", "none");
    gateway.install_fresh();
    let daemon = gateway.daemon();
    gateway.wait_for("valid", |status| status.healthy);

    let directory = gateway.path("nagios");
    fs::create_dir_all(directory.join("results")).expect("created");
    fs::create_dir_all(directory.join("plugins")).expect("created");
    let plugin = directory.join("plugins/netify-licensed");
    // On a gateway this is the program itself; here it has to be told where its directories are.
    let script = format!(
        "#!/bin/sh\nRUNTIME_DIRECTORY={run} STATE_DIRECTORY={state} exec {program} --config {config} \"$@\"\n",
        run = gateway.path("run/netify-licensed").display(),
        state = gateway.path("var/lib/netify-licensed").display(),
        program = program().display(),
        config = gateway.config().display(),
    );
    fs::write(&plugin, script).expect("written");
    test_support::make_executable(&plugin).expect("a program");
    let user = Command::new("id").arg("-un").output().expect("id(1)");
    let user = String::from_utf8_lossy(&user.stdout).trim().to_owned();
    let place = directory.display().to_string();
    fs::write(directory.join("objects.cfg"), OBJECTS).expect("written");
    fs::write(directory.join("resource.cfg"), format!("$USER1$={place}/plugins\n")).expect("written");
    fs::write(directory.join("nagios.cfg"), settings(&place, &user)).expect("written");
    let nagios = Proc::spawn(Command::new(nagios).arg(directory.join("nagios.cfg"))).expect("Nagios starts");

    let state = |wanted: &str| {
        let holds = || {
            seen(&directory).get("current_state").is_some_and(|state| state == wanted)
                && seen(&directory).get("has_been_checked").is_some_and(|checked| checked == "1")
        };
        let waited = wait_until(holds, PATIENCE, "Nagios sees the state");
        assert!(waited.is_ok(), "{waited:?}: {:?}; {}", seen(&directory), nagios.output());
        seen(&directory)
    };
    let well = state("0");
    assert!(well["plugin_output"].starts_with("LICENSE OK - valid, 2026-3638-61034042, ends in "), "{well:?}");
    assert!(!well["plugin_output"].contains('|'), "{well:?}");
    assert!(
        well["performance_data"].starts_with("days_left=")
            && well["performance_data"].contains(" consecutive_failures=0;;;0;"),
        "{well:?}"
    );

    // Somebody writes into the license, and the daemon cannot put it back.
    daemon.signal(test_support::Signal::TERM).expect("it runs");
    daemon.wait_exit(PATIENCE).expect("it ends");
    gateway.write("etc/netifyd/license.json", "{}");
    let broken = state("2");
    // Nagios itself makes a colon of each semicolon in the text.
    assert!(broken["plugin_output"].starts_with("LICENSE CRITICAL - malformed: "), "{broken:?}");
    assert!(broken["plugin_output"].contains("license.json: not a license: "), "{broken:?}");
}
