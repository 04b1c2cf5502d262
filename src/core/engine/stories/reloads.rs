//! netifyd is told of every new license, and who waits for that hears how it went.

use super::*;

/// A command whose license is written; netifyd is being asked.
fn telling() -> (Story, RequestId) {
    let mut story = Story::command(TRANSPORT, FileContent::Missing);
    let new = license("S-1", 0, 7);
    let id = story.give(new.clone(), false);
    story.written(&new);
    (story, id)
}

fn failed() -> ReloadOutcome {
    ReloadOutcome::Failed("no answer".to_owned())
}

fn away() -> ReloadOutcome {
    ReloadOutcome::NotRunning("netifyd does not run".to_owned())
}

#[test]
fn a_reload_that_is_not_confirmed_is_an_exit_code_of_its_own() {
    let (mut story, id) = telling();
    story.reloaded(failed());
    story.replied(
        id,
        6,
        "license S-1 installed, ends 2027-01-22 08:00:00 UTC (in 7 days); netifyd's reload is not confirmed",
    );
    // A command does not try again by itself.
    story.pass(DAY);
    assert!(!story.reload);
}

#[test]
fn a_netifyd_that_died_of_a_reload_is_not_one_that_was_stopped() {
    let (mut story, id) = telling();
    story.reloaded(away());
    story.replied(id, 0, "it reads the new license when it starts");
    let mut story = Story::daemon(TRANSPORT, FileContent::Missing);
    story.away();
    story.give(license("S-1", 0, 7), false);
    story.written(&license("S-1", 0, 7));
    story.reloaded(failed());
    for _ in 0..3 {
        story.pass(60_000);
        story.reloaded(away());
    }
    assert_eq!(story.status().reload.last_outcome.as_deref(), Some("failed"));
    assert!(story.status().problems.iter().any(|problem| problem.contains("has not come back")));
    // It is looked for every minute, however often that was in vain.
    assert!(story.engine.next_deadline().is_some_and(|deadline| deadline.after <= 60_000));
    story.pass(60_000);
    story.reloaded(ReloadOutcome::Restarted("it was restarted".to_owned()));
    assert!(!story.status().reload.pending);
}

#[test]
fn a_license_that_goes_before_netifyd_is_told() {
    let (mut story, _) = telling();
    story.reloaded(failed());
    // The next one waits: netifyd was asked a moment ago.
    let newer = license("S-1", 0, 9);
    let id = story.give(newer.clone(), false);
    story.written(&newer);
    assert!(!story.reload);
    let refused = story.renew();
    story.answer(&view("S-1"), 403, b"{}".to_vec());
    story.step(Event::File(FileContent::Missing));
    story.replied(id, 6, "the license has changed since, so netifyd was not told");
    story.replied(refused, 5, "the license has changed since");
}

#[test]
fn the_worse_exit_code_counts() {
    let mut story = Story::command(TRANSPORT, FileContent::Bytes(license("S-1", 0, 7)));
    // Found as it is, this license was never told to netifyd by us.
    story.engine.durable.loaded = None;
    let id = story.renew();
    story.answer(&view("S-1"), 403, b"{}".to_vec());
    story.reloaded(failed());
    story.replied(id, 5, "netifyd's reload is not confirmed");
    story.engine.durable.loaded = Some(story.engine.file.good().expect("a license").sha256().to_owned());
    let id = story.renew();
    story.answer(&view("S-1"), 403, b"{}".to_vec());
    assert!(!story.reload, "nothing is owed");
    story.replied(id, 5, "HTTP 403");
}

#[test]
fn an_outage_and_a_relay_are_named() {
    let mut story = Story::daemon(RELAY, FileContent::Bytes(license("S-1", -6, 1)));
    story.reloaded_if_asked();
    story.answer(&HubRequest::Relay, 200, license_with("S-1", 0, 7, r#""duid":"D-2""#));
    let advice = story.status().advice.join("; ");
    assert!(advice.contains("look at what https://relay.example/license sends"), "{advice}");
    story.pass(DAY);
    story.away();
    assert!(story.status().problems.iter().any(|problem| problem.contains("2 attempts in a row failed")));
}
