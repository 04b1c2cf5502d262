//! Bugs that renewal daemons had in the field are planted one by one: the judge finds each of them.

use simulation::campaign::Campaign;
use simulation::sabotage::Sabotage;

/// What the judge says of a device with this bug.
fn verdict(sabotage: Sabotage) -> Vec<String> {
    let campaign = Campaign { first: 1, devices: 40, years: 3, sabotage, stop_at_first: true, at_most: None };
    campaign.run().violations.into_iter().map(|(_, violation)| violation.message).collect()
}

#[track_caller]
fn is_caught(sabotage: Sabotage, words: &str) {
    let verdict = verdict(sabotage);
    assert!(verdict.iter().any(|message| message.contains(words)), "{sabotage:?}: {verdict:?}");
}

#[test]
#[cfg_attr(debug_assertions, ignore = "slow without optimization: cargo test --profile sim -p simulation")]
fn redrawn_jitter() {
    is_caught(Sabotage::RedrawnJitter, "fell due at");
}

#[test]
#[cfg_attr(debug_assertions, ignore = "slow without optimization: cargo test --profile sim -p simulation")]
fn backoff_reset_by_an_error() {
    is_caught(Sabotage::BackoffReset, "requests in 24 hours");
}

#[test]
#[cfg_attr(debug_assertions, ignore = "slow without optimization: cargo test --profile sim -p simulation")]
fn retry_after_ignored() {
    is_caught(Sabotage::RetryAfterIgnored, "asked for patience");
}

#[test]
#[cfg_attr(debug_assertions, ignore = "slow without optimization: cargo test --profile sim -p simulation")]
fn reload_forgotten_after_a_crash() {
    is_caught(Sabotage::ReloadForgotten, "has not loaded the license on disk");
}

#[test]
#[cfg_attr(debug_assertions, ignore = "slow without optimization: cargo test --profile sim -p simulation")]
fn spread_anchored_to_boot() {
    is_caught(Sabotage::SpreadFromBoot, "fell due at");
}

#[test]
#[cfg_attr(debug_assertions, ignore = "slow without optimization: cargo test --profile sim -p simulation")]
fn without_a_bug_nothing_is_found() {
    assert_eq!(verdict(Sabotage::None), Vec::<String>::new());
}
