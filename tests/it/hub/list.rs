//! `hub list`: filters, order, table and JSON.

use std::time::Duration;

use hub_emulator::{Endpoint, Fault, HubEmulator, LicenseSpec, Options};
use serde_json::Value;

use test_bench::rig::Rig;

const DAY: Duration = Duration::from_secs(86_400);

fn hub() -> HubEmulator {
    let hub = HubEmulator::start(Options::new());
    for (serial, days, duid, name) in
        [("C", 20, "x", "Acme Inc."), ("B", 3, "y", "ACME Ltd"), ("A", 20, "x", "Caf\u{e9}"), ("E", 6, "z", "Bar")]
    {
        hub.add_license(LicenseSpec::new(serial).duid(duid).issued_to(name).expires_in(DAY * days));
    }
    hub.add_license(LicenseSpec::new("D").expired_ago(DAY));
    hub.add_license_of("somebody-else", LicenseSpec::new("X").expires_in(DAY));
    hub
}

fn serials(value: &Value) -> Vec<&str> {
    value.as_array().expect("an array").iter().map(|license| license["serial"].as_str().expect("a serial")).collect()
}

#[test]
fn filters_and_order() {
    let hub = hub();
    let rig = Rig::api(&hub);
    for (args, expected) in [
        (vec![], vec!["D", "B", "E", "A", "C"]),
        (vec!["--duid", "x"], vec!["A", "C"]),
        (vec!["--issued-to", "acme"], vec!["B", "C"]),
        (vec!["--issued-to", "CAF\u{c9}"], vec!["A"]),
        (vec!["--expiring", "7"], vec!["D", "B", "E"]),
        (vec!["--expiring", "0"], vec!["D"]),
        (vec!["--expiring", "7", "--issued-to", "acme"], vec!["B"]),
        (vec!["--duid", "nobody"], vec![]),
    ] {
        for format in ["netifyd", "object"] {
            let json = ["hub", "list", "--json", "--format", format];
            let listed = rig.run(&[&json[..], &["--sort", "expires"], &args[..]].concat());
            listed.expect(0);
            assert_eq!(serials(&listed.json()), expected, "{args:?} {format}");
            // Without an order it is the hub's.
            let listed = rig.run(&[&json[..], &args[..]].concat());
            let list = listed.json();
            let mut unsorted = serials(&list);
            unsorted.sort_unstable();
            let mut sorted = expected.clone();
            sorted.sort_unstable();
            assert_eq!(unsorted, sorted, "{args:?} {format}");
        }
        let table = rig.run(&[&["hub", "list"], &args[..]].concat());
        table.expect(0);
        let rows: Vec<&str> = table.out.lines().skip(1).filter_map(|line| line.split_whitespace().next()).collect();
        assert_eq!(rows, expected, "{args:?}: {}", table.out);
    }
    assert_eq!(hub.count(Endpoint::List), hub.count(Endpoint::Any), "one GET, and no other request");
}

#[test]
fn orders_and_limits() {
    let hub = hub();
    let rig = Rig::api(&hub);
    for (args, expected) in [
        (vec!["--sort", "serial"], vec!["A", "B", "C", "D", "E"]),
        (vec!["--sort", "issued-to", "--limit", "3"], vec!["C", "B", "E"]),
        (vec!["--sort", "duid", "--duid", "x"], vec!["A", "C"]),
        (vec!["--limit", "0"], vec![]),
        (vec!["--entitlement", "nothing"], vec![]),
        (vec!["--entitlement", "netify-proc-aggregator", "--limit", "1"], vec!["D"]),
    ] {
        let table = rig.run(&[&["hub", "list"], &args[..]].concat());
        table.expect(0);
        let rows: Vec<&str> = table.out.lines().skip(1).filter_map(|line| line.split_whitespace().next()).collect();
        let shown = if args[0] == "--sort" && args[1] == "issued-to" { rows.len() == 3 } else { rows == expected };
        assert!(shown, "{args:?}: {}", table.out);
        let listed = rig.run(&[&["hub", "list", "--json"], &args[..]].concat());
        listed.expect(0);
        assert_eq!(listed.json().as_array().map(Vec::len), Some(rows.len()), "{args:?}");
    }
}

#[test]
fn the_table_is_aligned_and_dates_are_relative_too() {
    let hub = hub();
    let table = Rig::api(&hub).run(&["hub", "list"]).out;
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 6, "{table}");
    let column = |line: &str, word: &str| line.find(word).map(|at| line[..at].chars().count());
    let expires = column(lines[0], "EXPIRES").expect("a heading");
    for line in &lines[1..] {
        assert_eq!(column(line, "20"), Some(expires), "{table}");
    }
    assert!(lines[1].contains("(1 day ago)") && lines[2].contains("(in 2 days 23 h)"), "{table}");
    assert!(!table.contains('\u{1b}'), "no colors in a pipe: {table}");
}

#[test]
fn other_shapes_of_a_list() {
    let hub = hub();
    let rig = Rig::api(&hub);
    let license = hub.sign(&LicenseSpec::new("W"));
    for data in [
        format!("[{license}]"),
        format!("{{\"licenses\":[{license}],\"page\":1}}"),
        format!("{{\"data\":[{license}]}}"),
        format!("{{\"items\" : [ {license} ]}}"),
    ] {
        hub.fault(Endpoint::List, Fault::body(format!("{{\"status_code\":0,\"data\":{data}}}")));
        let listed = rig.run(&["hub", "list", "--json"]);
        listed.expect(0);
        assert_eq!(listed.out.trim(), format!("[{license}]"), "the entry as received");
    }
    for empty in ["null", "[]"] {
        hub.fault(Endpoint::List, Fault::body(format!("{{\"status_code\":0,\"data\":{empty}}}")));
        assert_eq!(rig.run(&["hub", "list", "--json"]).out.trim(), "[]");
    }
    for odd in ["5", "{}", "\"x\"", "{\"licenses\":{}}"] {
        hub.fault(Endpoint::List, Fault::body(format!("{{\"status_code\":0,\"data\":{odd}}}")));
        assert!(rig.run(&["hub", "list"]).expect(1).contains("instead of a list of licenses"), "{odd}");
    }
}

#[test]
fn entries_that_are_no_licenses_are_told_and_the_others_shown() {
    let hub = hub();
    let rig = Rig::api(&hub);
    let license = hub.sign(&LicenseSpec::new("W").issued_to("\u{1b}[31mred\u{202e}"));
    let body = || Fault::body(format!("{{\"status_code\":0,\"data\":[{{\"serial\":\"odd\"}},{license}]}}"));
    hub.fault(Endpoint::List, body());
    let table = rig.run(&["hub", "list"]);
    assert_eq!(table.code, Some(0));
    assert!(table.out.contains("\nW  "), "{table:?}");
    assert!(!table.out.contains('\u{1b}'), "a name cannot color the terminal: {table:?}");
    assert_eq!(
        table.err.trim(),
        "netify-licensed: odd in the hub's list cannot be read as a license: no member `expire_at`"
    );
    hub.fault(Endpoint::List, body());
    assert_eq!(serials(&rig.run(&["hub", "list", "--json"]).json()), ["odd", "W"]);
    hub.fault(Endpoint::List, body());
    assert_eq!(serials(&rig.run(&["hub", "list", "--json", "--expiring", "30"]).json()), ["W"]);
}

#[test]
fn a_list_of_a_thousand_fits_and_an_entry_without_end_does_not() {
    let hub = hub();
    let rig = Rig::api(&hub);
    for number in 0..1_500 {
        hub.add_license(LicenseSpec::new(format!("2026-0000-{number:08}")).duid("a-device"));
    }
    let listed = rig.run(&["hub", "list", "--json"]);
    listed.expect(0);
    assert!(listed.out.len() > 600_000 && serials(&listed.json()).len() == 1_505, "{}", listed.out.len());
    hub.fault(Endpoint::List, Fault::answer(hub_emulator::FaultAnswer::Huge(1024 * 1024)));
    assert!(rig.run(&["hub", "list"]).expect(1).contains("one entry of the list is longer than any license"));
}
