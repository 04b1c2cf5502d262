//! `duid`: which of the device's identifiers counts, and why.

use super::gateway::{DUID, Gateway, code, err, out};

#[test]
fn what_is_set_wins_over_every_source() {
    let gateway = Gateway::new();
    let table = out(&gateway.run(&["duid", "--all"]));
    assert!(table.contains(&format!("* device.duid     {DUID}  (wins: it is set)\n")), "{table}");
    assert!(!table.contains("not in device.sources") && !table.contains("the first usable one"), "{table}");
    let json: serde_json::Value =
        serde_json::from_slice(&gateway.run(&["duid", "--all", "--json"]).stdout).expect("JSON");
    let wins: Vec<_> = json["sources"].as_array().into_iter().flatten().filter(|one| one["wins"] == true).collect();
    assert!(wins.len() == 1 && wins[0]["source"] == "device.duid", "{json}");
}

#[test]
fn its_program_is_started_once() {
    let mut gateway = Gateway::new();
    let log = gateway.path("started");
    let script = format!("echo x >> {}; echo D-1", log.display());
    gateway.unset("device.duid").set_raw("device.duid-command", &format!("[\"/bin/sh\", \"-c\", {script:?}]"));
    for (arguments, starts) in [(&["duid"][..], 1), (&["duid", "--all"], 2), (&["duid", "--json"], 3)] {
        let output = gateway.run(arguments);
        assert!(code(&output) == 0 && out(&output).contains("D-1") && err(&output).is_empty(), "{output:?}");
        let started = std::fs::read_to_string(&log).unwrap_or_default().lines().count();
        assert_eq!(started, starts, "{arguments:?}");
    }
    gateway.set_raw("device.duid-command", "[\"/bin/false\"]");
    let output = gateway.run(&["duid", "--all"]);
    assert!(code(&output) == 1 && !out(&output).contains('*'), "{output:?}");
    assert!(
        err(&output).starts_with("netify-licensed: no source gives a device id (device.duid-command: "),
        "{output:?}"
    );
}
