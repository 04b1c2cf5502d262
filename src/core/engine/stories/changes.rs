//! Licenses that would take something away, from a relay and from a hub.

use super::*;
use crate::core::accept::pending::PendingChange;
use crate::core::time::HOUR;

/// Serial S-1 of the relay, with these entitlements.
fn entitled(serial: &str, from: i64, to: i64, names: &[&str]) -> Vec<u8> {
    let names: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    license_with(serial, from, to, &format!(r#""duid":"D-1","entitlements":[{}]"#, names.join(",")))
}

/// A relay's client with a license of a week that ends in this many days; it has just asked.
fn client(days: i64) -> Story {
    let mut story = Story::daemon(RELAY, FileContent::Bytes(license("S-1", days - 7, days)));
    if story.asked.is_none() {
        story.wait();
    }
    story
}

fn pending(story: &Story) -> &PendingChange {
    story.engine.cx.durable.pending_change.as_ref().expect("a change that waits")
}

#[test]
fn a_reduced_license_waits_and_is_then_taken_by_itself() {
    let mut story = client(3);
    let less = entitled("S-1", 0, 7, &["a"]);
    story.answer(&HubRequest::Relay, 200, less.clone());
    assert_eq!(story.install, None);
    story.noted(Level::Warn, "the relay has a changed license, S-1: it no longer entitles to b, it ends ");
    let status = story.status();
    let change = status.pending_change.clone().expect("told");
    assert_eq!((&*change.serial, &change.lost[..], &change.gained[..]), ("S-1", &["b".to_owned()][..], &[][..]));
    let accept_at = change.accept_at.expect("by itself").0;
    let left = START.plus(3 * DAY).since(change.offered_since.0);
    assert_eq!(accept_at.since(change.offered_since.0), left / 4 / 1_000 * 1_000);
    assert!(status.healthy && status.problems.iter().any(|problem| problem.contains("renew --accept-changes")));
    assert_eq!(status.renewal.last_attempt.as_ref().map(|last| last.outcome.as_str()), Some("change-pending"));
    // It is asked in between, and again when the time has come.
    while story.install.is_none() {
        assert!(story.moment.now.wall <= accept_at.plus(SECOND), "taken in time");
        story.wait();
        story.answer(&HubRequest::Relay, 200, less.clone());
    }
    assert!(story.moment.now.wall >= accept_at);
    story.written(&less);
    story.noted(Level::Warn, "; it no longer entitles to b");
    assert_eq!((story.status().pending_change.as_ref(), &story.engine.cx.durable.pending_change), (None, &None));
    let news = story.notes.iter().filter(|(_, text)| text.contains("has a changed license"));
    assert_eq!(news.count(), 1, "logged once");
}

#[test]
fn close_to_the_end_a_reduced_license_is_taken_at_once() {
    let mut story =
        Story::daemon(RELAY, FileContent::Bytes(license_with("S-1", -7, 0, r#""duid":"D-1","entitlements":["a"]"#)));
    let installed = || {
        let end = START.plus(5 * MINUTE).unix();
        let text = format!(
            r#"{{"serial":"S-1","created_at":{{"unix":{}}},"expire_at":{{"unix":{end}}},"duid":"D-1","entitlements":["a","b"]}}"#,
            START.plus(-7 * DAY).unix()
        );
        text.into_bytes()
    };
    assert!(story.asked.take().is_some());
    story = Story::daemon(RELAY, FileContent::Bytes(installed()));
    let less = entitled("S-1", 0, 7, &["a"]);
    story.answer(&HubRequest::Relay, 200, less.clone());
    story.written(&less);
}

#[test]
fn a_person_takes_a_change_at_once() {
    let old = || FileContent::Bytes(license("S-1", -2, 5));
    let less = entitled("T-1", 0, 7, &["a", "c"]);
    let mut story = Story::command(RELAY, old());
    let id = story.renew();
    story.answer(&HubRequest::Relay, 200, less.clone());
    story.reloaded_if_asked();
    story.replied(id, 1, "it no longer entitles to b, it newly entitles to c");
    story.replied(id, 1, "`netify-licensed renew --accept-changes`");
    assert_eq!(story.install, None);
    let id = story.request(Request::Renew { if_due: false, dry_run: true, accept_changes: true });
    story.answer(&HubRequest::Relay, 200, less.clone());
    story.reloaded_if_asked();
    story.replied(id, 0, "dry run: the relay has a license that ends");
    let id = story.request(Request::Renew { if_due: false, dry_run: false, accept_changes: true });
    story.answer(&HubRequest::Relay, 200, less.clone());
    story.written(&less);
    story.reloaded(ReloadOutcome::Confirmed);
    story.replied(id, 0, "it no longer entitles to b");
}

/// More, under a new serial, before it is due: nothing is lost, so nobody has to accept it.
#[test]
fn an_upgraded_plan_is_taken_by_a_plain_renewal() {
    let mut story = Story::command(RELAY, FileContent::Bytes(license("S-1", -2, 5)));
    story.renew();
    let more = entitled("T-1", 0, 7, &["a", "b", "c"]);
    story.answer(&HubRequest::Relay, 200, more.clone());
    story.written(&more);
}

#[test]
fn a_restart_does_not_begin_the_wait_anew() {
    let mut story = client(3);
    let less = entitled("S-1", 0, 7, &["a"]);
    story.answer(&HubRequest::Relay, 200, less.clone());
    let since = pending(&story).offered_since;
    let mut story = story.again(HOUR, "other boot");
    assert_eq!(
        story.status().pending_change.as_ref().map(|change| change.offered_since.0),
        Some(since).map(|at| WallTime::from_unix(at.unix()))
    );
    story.answer(&HubRequest::Relay, 200, less);
    assert_eq!(pending(&story).offered_since, since);
}

#[test]
fn only_an_authentic_license_withdraws_an_offer() {
    let mut story = client(3);
    story.answer(&HubRequest::Relay, 200, entitled("S-1", 0, 7, &["a"]));
    let offered = pending(&story).clone();
    for body in [b"<html>".to_vec(), b"{\"message\":\"no\"}".to_vec()] {
        story.wait();
        story.answer(&HubRequest::Relay, 200, body);
        assert_eq!(pending(&story), &offered);
    }
    story.wait();
    story.answer(&HubRequest::Relay, 200, license("S-1", -4, 3));
    assert_eq!(story.engine.cx.durable.pending_change, None);
    story.noted(Level::Info, "offers the changed license no longer");
}

#[test]
fn an_earlier_end_is_never_taken_by_itself() {
    let mut story = client(3);
    story.answer(&HubRequest::Relay, 200, entitled("S-1", 0, 2, &["a", "b", "c"]));
    assert_eq!(story.status().pending_change.as_ref().expect("told").accept_at, None);
    for _ in 0..3 {
        story.wait();
        story.answer(&HubRequest::Relay, 200, entitled("S-1", 0, 2, &["a", "b", "c"]));
        assert_eq!(story.install, None);
    }
}

/// The hub took an entitlement away and did not renew: it is asked to, and what it makes waits like any other change.
#[test]
fn a_hub_that_reduced_a_license_is_asked_to_renew_it() {
    let mut story = Story::daemon(TRANSPORT, FileContent::Bytes(license("S-1", -4, 3)));
    if story.asked.is_none() {
        story.wait();
    }
    story.data(&view("S-1"), &entitled("S-1", -4, 3, &["a", "c"]));
    story.data(&renewal("S-1"), b"null");
    story.data(&view("S-1"), &entitled("S-1", 0, 10, &["a", "c"]));
    assert_eq!(story.install, None);
    assert!(pending(&story).ends_later);
    // It is not asked to renew again.
    story.wait();
    story.data(&view("S-1"), &entitled("S-1", 0, 10, &["a", "c"]));
    assert_eq!((&story.asked, &story.install), (&None, &None));
}

const ELSEWHERE: &str =
    "[trust]\nmode = \"transport\"\n[hub]\nkind = \"relay\"\nurl = \"https://relay.example/enterprise\"\n";

/// Another URL is a person's word: its first license is taken at once, also one that ends earlier, and only the first.
#[test]
fn the_first_license_of_a_new_source_may_be_a_changed_one() {
    let mut story = Story::daemon(RELAY, FileContent::Bytes(license("S-1", 0, 7)));
    story.reloaded_if_asked();
    assert_eq!(story.asked, None, "it is not due");
    story.step(Event::Configured(Box::new(config(ELSEWHERE)), KeyRing::from_files([])));
    story.away();
    story.wait();
    let other = entitled("T-1", 0, 5, &["a", "c"]);
    story.answer(&HubRequest::Relay, 200, other.clone());
    story.written(&other);
    story.reloaded_if_asked();
    story.wait();
    story.answer(&HubRequest::Relay, 200, entitled("T-1", 0, 9, &["a"]));
    assert_eq!(story.install, None, "the change was used up");
}

#[test]
fn a_source_that_changed_while_no_daemon_ran_is_noticed_at_start() {
    let story = Story::daemon(RELAY, FileContent::Bytes(license("S-1", 0, 7)));
    let saved = story.saved.0.clone();
    assert_eq!(story.asked, None);
    let mut story = Story::begin(ELSEWHERE, true, None, saved).on_device(FileContent::Bytes(license("S-1", 0, 7)));
    // What is worse stays left alone, and uses the change up.
    story.answer(&HubRequest::Relay, 200, entitled("S-1", 0, 5, &["a"]));
    assert_eq!((&story.asked, &story.install), (&None, &None));
    assert!(story.engine.cx.durable.source.as_ref().is_some_and(|source| !source.is_new));
    assert!(story.next().0 > DAY, "{:?}", story.next());
}
