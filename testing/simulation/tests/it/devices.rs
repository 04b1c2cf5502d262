//! A thousand devices, ten years each, all faults: every promise holds after every step.

use simulation::campaign::Campaign;
use simulation::sabotage::Sabotage;

/// An unoptimized build takes twenty times as long: there a sample does.
const DEVICES: u64 = if cfg!(debug_assertions) { 20 } else { 1_000 };

#[test]
fn ten_years_with_all_faults() {
    let campaign = Campaign {
        first: 1,
        devices: DEVICES,
        years: 10,
        sabotage: Sabotage::None,
        stop_at_first: false,
        at_most: None,
    };
    let outcome = campaign.run();
    let broken: Vec<String> = outcome
        .violations
        .iter()
        .map(|(seed, violation)| format!("{violation}\n  cargo run --profile sim -p simulation -- replay {seed}"))
        .collect();
    assert!(broken.is_empty(), "{} of {DEVICES} devices:\n{}", broken.len(), broken.join("\n"));
    assert_eq!(outcome.devices, DEVICES);
    let seen = outcome.statistics;
    assert!(seen.spread.is_even(), "renewals by tenth of the spread: {:?}", seen.spread.tenths);
    assert!(seen.crashes > DEVICES && seen.renewals > DEVICES && seen.reloads > DEVICES, "faults happened: {seen:?}");
}
