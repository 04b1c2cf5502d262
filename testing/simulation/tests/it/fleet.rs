//! The fleet report's promises, on a fleet that is small enough for every run of the tests.
//!
//! In a small fleet chance decides over a busiest minute, so half hours are compared; the report itself has the minutes.

use simulation::fleet::report::{Report, mean};

#[test]
fn a_small_fleet_keeps_the_promises() {
    let devices = if cfg!(debug_assertions) { 200 } else { 5_000 };
    let report = Report::run(devices);
    for pair in &report.pairs {
        let (load, from) = &pair.daemon;
        assert_eq!((load.lapsed, load.in_time), (0, devices), "{}", pair.title);
        let Some(limit) = pair.limit else { continue };
        let busiest = load.busiest_half_hour(*from);
        let chance = 5.0 * (mean(devices) / 30.0).sqrt() + 1.0;
        assert!(busiest <= limit * mean(devices) + chance, "{}: {busiest} renewals a minute", pair.title);
    }
    let text = report.text();
    assert!(text.contains("| 24 hours of outage at the worst moment | cron job |"), "{text}");
}
