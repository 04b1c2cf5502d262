//! A thousand devices, ten years each, all faults: every promise holds after every step.

use simulation::campaign::Campaign;
use simulation::sabotage::Sabotage;

/// How many devices: an unoptimized build takes twenty times as long, there a sample does. `SIMULATED_DEVICES` overrides.
#[allow(clippy::disallowed_methods, reason = "a test may look at the environment")]
fn devices() -> u64 {
    let wanted = std::env::var("SIMULATED_DEVICES").ok().and_then(|number| number.parse().ok());
    wanted.unwrap_or(if cfg!(debug_assertions) { 3 } else { 1_000 })
}

#[test]
fn ten_years_with_all_faults() {
    let devices = devices();
    let campaign =
        Campaign { first: 1, devices, years: 10, sabotage: Sabotage::None, stop_at_first: false, at_most: None };
    let outcome = campaign.run();
    let broken: Vec<String> = outcome
        .violations
        .iter()
        .map(|(seed, violation)| format!("{violation}\n  cargo run --profile sim -p simulation -- replay {seed}"))
        .collect();
    assert!(broken.is_empty(), "{} of {devices} devices:\n{}", broken.len(), broken.join("\n"));
    assert_eq!(outcome.devices, devices);
    let seen = outcome.statistics;
    assert!(devices < 100 || seen.spread.is_even(), "renewals by tenth of the spread: {:?}", seen.spread.tenths);
    assert!(seen.crashes > devices && seen.renewals > devices && seen.reloads > devices, "faults happened: {seen:?}");
}
