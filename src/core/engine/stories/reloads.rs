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
    assert_eq!(story.status().reload.last_outcome, Some(ReloadWord::Failed));
    assert!(story.status().problems.iter().any(|problem| problem.contains("has not come back")));
    // It is looked for every minute, however often that was in vain.
    assert!(story.engine.next_deadline().is_some_and(|deadline| deadline.after <= 60_000));
    story.pass(60_000);
    story.reloaded(ReloadOutcome::Restarted("it was restarted".to_owned()));
    assert!(!story.status().reload.pending);
}

/// Whoever could not be asked has not died of it.
#[test]
fn a_netifyd_that_was_not_asked_may_have_been_off_all_the_time() {
    let mut story = Story::daemon(TRANSPORT, FileContent::Missing);
    story.away();
    let id = story.give(license("S-1", 0, 7), false);
    story.written(&license("S-1", 0, 7));
    story.reloaded(ReloadOutcome::NotAsked("the bus does not answer".to_owned()));
    story.replied(id, 6, "netifyd's reload is not confirmed: the bus does not answer");
    story.pass(60_000);
    story.reloaded(away());
    assert_eq!(story.status().reload.last_outcome, Some(ReloadWord::NotRunning));
}

/// A netifyd that is off for days costs no write.
#[test]
fn that_netifyd_is_still_off_is_no_news() {
    let mut story = Story::daemon(TRANSPORT, FileContent::Bytes(license("S-1", 0, 7)));
    story.give(license("S-1", 0, 9), false);
    story.written(&license("S-1", 0, 9));
    story.reloaded(away());
    let before = (story.status().reload.clone(), story.hooks);
    for _ in 0..3 {
        story.pass(60_000);
        story.reloaded(away());
    }
    assert_eq!((story.status().reload.clone(), story.hooks), before);
    assert!(story.engine.next_deadline().is_some_and(|deadline| deadline.after == 60_000), "and it is looked for");
    // Another reason is.
    story.pass(60_000);
    story.reloaded(ReloadOutcome::NotRunning("netifyd.service is not installed".to_owned()));
    assert_eq!(story.status().reload.reloads.get(&ReloadWord::NotRunning), Some(&2));
    // So is another way to look.
    story.pass(60_000);
    let outcome = ReloadOutcome::NotRunning("netifyd.service is not installed".to_owned());
    assert!(std::mem::take(&mut story.reload));
    story.step(Event::Reloaded(ReloadReport { method: "socket".to_owned(), outcome }));
    assert_eq!(story.status().reload.reloads.get(&ReloadWord::NotRunning), Some(&3));
    story.pass(60_000);
    story.reloaded(ReloadOutcome::Confirmed);
    assert_eq!(story.engine.cx.volatile.reload_failures, 0);
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
    story.engine.cx.durable.loaded = None;
    let id = story.renew();
    story.answer(&view("S-1"), 403, b"{}".to_vec());
    story.reloaded(failed());
    story.replied(id, 5, "netifyd's reload is not confirmed");
    story.engine.cx.durable.loaded = Some(story.engine.cx.file.good().expect("a license").sha256().to_owned());
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

/// netifyd may have read its file while it was gone.
#[test]
fn a_license_that_was_away_during_a_reload_is_not_taken_for_loaded() {
    let mut story = Story::daemon(TRANSPORT, FileContent::Missing);
    story.away();
    let ours = license("S-1", 0, 7);
    story.give(ours.clone(), false);
    story.written(&ours);
    assert!(story.reload);
    story.step(Event::File(FileContent::Missing));
    story.written(&ours);
    story.reloaded(ReloadOutcome::Confirmed);
    story.reloaded(ReloadOutcome::Confirmed);
    assert!(!story.status().reload.pending && !story.reload);
    assert_eq!(story.status().reload.reloads.get(&ReloadWord::Confirmed), Some(&2));
}

/// The daemon that has told netifyd of a license; how that went is for the test.
fn told() -> Story {
    let mut story = Story::daemon(TRANSPORT, FileContent::Missing);
    story.away();
    story.give(license("S-1", 0, 7), false);
    story.written(&license("S-1", 0, 7));
    assert!(story.reload);
    story
}

/// Time until netifyd is asked again, which must be no sooner.
fn until_asked(story: &mut Story) -> Millis {
    let mut waited = 0;
    while !story.reload && waited < DAY {
        story.asked = None;
        story.pass(1_000);
        waited += 1_000;
    }
    waited
}

#[test]
fn a_reload_that_fails_is_repeated_less_and_less_often() {
    let mut story = told();
    let mut waits = Vec::new();
    for _ in 0..8 {
        story.reloaded(failed());
        waits.push(until_asked(&mut story) / 1_000);
    }
    assert_eq!(waits, [10, 20, 40, 80, 160, 320, 600, 600]);
    let mut story = told();
    story.reloaded(away());
    assert_eq!(until_asked(&mut story), 10_000);
    story.reloaded(away());
    assert_eq!(until_asked(&mut story), MINUTE);
}

/// Whatever ends the daemon again and again must not reload netifyd again and again. To look for one costs nobody anything.
#[test]
fn a_restart_does_not_shorten_the_wait_for_netifyd() {
    let failed = {
        let mut story = told();
        story.reloaded(failed());
        story
    };
    let mut again = failed.again(4_000, "boot");
    assert!(!again.reload);
    assert_eq!(until_asked(&mut again), 6_000);
    let mut cut_short = told().again(4_000, "boot");
    assert!(!cut_short.reload);
    assert_eq!(until_asked(&mut cut_short), 6_000);
    assert!(told().again(4_000, "another").reload, "that was another boot's");
    let mut not_running = told();
    not_running.reloaded(away());
    assert!(not_running.again(4_000, "boot").reload);
}

/// Loaded before, replaced by hand, and back: if we die now, netifyd may have the one in between.
#[test]
fn a_license_that_returns_during_a_reload_is_owed_again() {
    let (first, older) = (license("S-1", 0, 7), license("S-1", -1, 6));
    let mut story = Story::daemon(TRANSPORT, FileContent::Bytes(first.clone()));
    story.reloaded_if_asked();
    assert!(story.saved.0.loaded.is_some());
    story.give(older.clone(), true);
    story.written(&older);
    assert!(story.reload, "it is under way");
    story.give(first.clone(), false);
    assert_eq!(story.saved.0.loaded, None, "before the file changes");
    story.written(&first);
    story.reloaded(ReloadOutcome::Confirmed);
    assert!(story.reload, "again, for the license that lies there now");
    story.reloaded(ReloadOutcome::Confirmed);
    assert!(story.saved.0.loaded.is_some());
}
