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

fn died() -> ReloadOutcome {
    ReloadOutcome::Died("netifyd (process 7) ended on reload and did not come back".to_owned())
}

fn seen(running: bool) -> Event {
    Event::Netifyd(NetifydStatus { running: Some(running), ..NetifydStatus::default() })
}

/// Nothing is owed to one that is down: it reads the license when it starts. The alarm stays until it is seen running.
#[test]
fn a_netifyd_that_died_of_a_reload_is_an_alarm_until_it_runs_again() {
    let mut story = told();
    story.reloaded(died());
    let status = story.status();
    assert_eq!((status.healthy, status.reload.pending, status.reload.died), (false, false, true));
    assert!(status.problems.iter().any(|problem| problem.contains("ended on reload")), "{:?}", status.problems);
    assert!(status.advice.iter().any(|advice| advice.contains("Restart=always")), "{:?}", status.advice);
    // It is looked for every ten seconds, however often that was in vain.
    for _ in 0..3 {
        assert_eq!(story.engine.next_deadline().map(|deadline| deadline.after), Some(10_000));
        let looks = story.looks;
        story.pass(10_000);
        assert_eq!(story.looks, looks + 1);
        story.step(seen(false));
        assert!(!story.status().healthy && !story.reload);
    }
    // The mark outlives a restart of ours.
    let mut again = story.again(1_000, "boot");
    assert!(again.status().reload.died);
    again.step(seen(true));
    let status = again.status();
    assert_eq!((status.healthy, status.reload.died), (true, false));
    assert_eq!(status.reload.last_outcome, Some(ReloadWord::Restarted));
    assert!(again.engine.waiting().iter().all(|waiting| !matches!(
        waiting,
        crate::core::engine::Waiting::Until(_, crate::core::engine::Why::NetifydLook)
    )));
}

/// The answer was given; the status, `check` and the mark tell of what came later.
#[test]
fn a_death_after_the_evidence_changes_no_answer() {
    let (mut story, id) = telling();
    story.reloaded(ReloadOutcome::Confirmed);
    story.replied(id, 0, "netifyd reloaded (signal)");
    let mut story = told();
    story.reloaded(ReloadOutcome::Confirmed);
    assert!(story.status().healthy);
    story.step(Event::EndedLater(ReloadReport::new("signal", died())));
    assert!(!story.status().healthy && story.status().reload.died);
    story.step(seen(true));
    story.step(Event::EndedLater(ReloadReport::new("signal", ReloadOutcome::Restarted("it was restarted".to_owned()))));
    assert_eq!(story.status().reload.last_outcome, Some(ReloadWord::Restarted));
    assert!(story.status().healthy);
}

/// A netifyd that still reloads is waited for, and not asked again for the same license.
#[test]
fn a_reload_without_an_end_is_asked_for_once() {
    let mut story = told();
    assert!(!story.is_asked, "the first time");
    story.reloaded(ReloadOutcome::StillRunning("no answer".to_owned()));
    assert!(story.status().reload.pending && !story.status().healthy);
    assert_eq!(until_asked(&mut story), 10_000);
    assert!(story.is_asked, "its answer is waited for");
    story.reloaded(ReloadOutcome::StillRunning("no answer".to_owned()));
    // Another license is another matter.
    story.give(license("S-1", 0, 9), false);
    story.written(&license("S-1", 0, 9));
    until_asked(&mut story);
    assert!(!story.is_asked);
    story.reloaded(ReloadOutcome::Confirmed);
    assert!(!story.status().reload.pending && story.status().healthy);
}

/// What it says of itself, and what that means.
#[test]
fn a_netifyd_without_its_license_manager_is_a_problem() {
    let mut story = told();
    story.reloaded(ReloadOutcome::Confirmed);
    assert!(story.status().problems.iter().all(|problem| !problem.contains("license manager")));
    let words = NetifydStatus {
        running: Some(true),
        version: Some("5.2.8".to_owned()),
        license_manager: Some(false),
        ..NetifydStatus::default()
    };
    story.step(Event::Netifyd(words.clone()));
    let status = story.status();
    assert_eq!(status.netifyd, words);
    assert!(
        status.problems.iter().any(|problem| problem.contains("license_manager is false")),
        "{:?}",
        status.problems
    );
    assert!(status.advice.iter().any(|advice| advice.contains("path_license_manager")), "{:?}", status.advice);
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

/// It reads the license when it starts, so nothing is owed and nothing is repeated.
#[test]
fn nothing_is_owed_to_a_netifyd_that_does_not_run() {
    let mut story = Story::daemon(TRANSPORT, FileContent::Bytes(license("S-1", 0, 7)));
    story.give(license("S-1", 0, 9), false);
    story.written(&license("S-1", 0, 9));
    story.reloaded(away());
    let status = story.status();
    assert_eq!((status.reload.pending, status.reload.last_outcome), (false, Some(ReloadWord::NotRunning)));
    assert!(status.healthy, "it may be off on purpose");
    assert!(status.problems.iter().any(|problem| problem.contains("netifyd does not run")), "{:?}", status.problems);
    story.pass(DAY);
    assert!(!story.reload);
    story.step(seen(true));
    assert!(
        story.status().problems.iter().all(|problem| !problem.contains("netifyd")),
        "{:?}",
        story.status().problems
    );
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
}

/// Whatever ends the daemon again and again must not reload netifyd again and again.
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
