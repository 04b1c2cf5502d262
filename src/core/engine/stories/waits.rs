//! When the next attempt is, and why then.

use super::*;
use crate::core::time::HOUR;

#[test]
fn the_reason_is_told() {
    let why = |file, daemon| {
        let mut story = Story::begin(TRANSPORT, daemon, None, Durable::default()).on_device(file);
        story.reloaded_if_asked();
        story.next().1.to_owned()
    };
    // A command shows what it would do; the daemon is at it.
    let file = |from, to| FileContent::Bytes(license("S-1", from, to));
    assert_eq!(why(file(-6, 1), false), "the license is due for renewal");
    assert_eq!(why(file(-7, 0), false), "the license has expired");
    assert_eq!(why(file(-11, 1), false), "the license is about to expire");
    assert_eq!(why(FileContent::Missing, false), "there is no license");
    assert_eq!(why(file(0, 7), true), "the license is due for renewal");
    let mut story = due();
    story.data(&view("S-1"), &license_with("S-1", -6, 1, r#""duid":"D-1","renewable":false,"entitlements":["a","b"]"#));
    let (_, why) = story.next();
    assert!(why.starts_with("the license is due for renewal; the last attempt ended with "), "{why}");
    let kept = Some(ours());
    let durable = Durable { boot_id: "boot".to_owned(), ..Durable::default() };
    let story = Story::begin(TRANSPORT, false, kept, durable).on_device(FileContent::Missing);
    assert_eq!(story.next().1, "the license is due for renewal");
}

#[test]
fn failures_back_off_and_a_success_ends_that() {
    let mut story = due();
    let mut last = 0;
    for failures in 1..=5 {
        story.away();
        let (wait, why) = story.next();
        assert!(wait > last && why == format!("attempt {failures} failed (outage), backing off"), "{wait} {why}");
        last = wait;
        story.wait();
    }
    let new = license("S-1", 0, 7);
    story.data(&view("S-1"), &new);
    story.written(&new);
    story.reloaded(ReloadOutcome::Confirmed);
    assert_eq!(story.status().renewal.consecutive_failures, 0);
    assert_eq!(story.next().1, "the license is due for renewal");
    assert!(story.next().0 > 2 * DAY);
}

/// Whoever renewed by hand after many failures: the license is due again soon, and the hub is well.
#[test]
fn a_success_by_hand_ends_the_wait() {
    let mut story = due();
    for _ in 0..6 {
        story.away();
        story.pass(story.next().0);
    }
    story.away();
    story.renew();
    let soon = license("S-1", -5, 2);
    story.data(&view("S-1"), &soon);
    story.written(&soon);
    story.reloaded(ReloadOutcome::Confirmed);
    assert!(story.next().0 <= 2 * MINUTE, "{:?}", story.next());
}

#[test]
fn a_daemon_that_may_not_create_does_not() {
    let mut story = Story::daemon(TRANSPORT, FileContent::Missing);
    story.listed(&[]);
    assert_eq!(story.asked, None);
    let mut story = Story::daemon(PROVISION, FileContent::Missing);
    story.listed(&[]);
    assert_eq!(story.asked, Some(creation()));
}

#[test]
fn a_refusal_waits_long_and_a_failure_does_not() {
    // A day is left: an eighth of it at most, and the half of that is drawn.
    let long = DAY / 8 / 4 * 3;
    assert_eq!(wait_after(&mut due(), 500, b"{}"), MINUTE + MINUTE / 2);
    assert_eq!(wait_after(&mut due(), 403, b"{}"), long);
    assert_eq!(wait_after(&mut due(), 200, br#"{"status_code":0,"data":{"serial":"S-9"}}"#), long, "no license");
}

#[test]
fn the_closer_the_end_the_shorter_the_wait() {
    let at = |span: Millis| {
        let mut story = due();
        story.asked = None;
        story.step(Event::Answer(story.io, Err(TransportError { message: "no route".to_owned(), local: false })));
        story.pass(span);
        wait_after(&mut story, 403, b"{}")
    };
    assert_eq!(at(DAY - 16 * MINUTE), 90_000);
    assert_eq!(at(DAY - 8 * MINUTE), 45_000);
    // There is nothing to lose any more, and an hour is the longest.
    assert_eq!(at(DAY), 45 * MINUTE);
}

#[test]
fn what_was_not_ready_here_is_looked_at_every_five_minutes_at_least() {
    let mut story = due();
    let mut waits = Vec::new();
    for _ in 0..6 {
        story.asked = None;
        story.step(Event::Answer(story.io, Err(TransportError { message: "no key".to_owned(), local: true })));
        waits.push(story.next().0);
        story.pass(story.next().0);
    }
    assert_eq!(waits, [90_000, 150_000, 270_000, 5 * MINUTE, 5 * MINUTE, 5 * MINUTE]);
}

/// A license that is not renewable: the hub may have a later one some day.
#[test]
fn a_hub_without_anything_newer_is_asked_less_and_less() {
    let fixed = license_with("S-1", -6, 1, r#""duid":"D-1","renewable":false,"entitlements":["a","b"]"#);
    let waits = |believed: bool| {
        let mut story = Story::begin(TRANSPORT, true, None, Durable::default());
        if !believed {
            story.moment.now.wall = WallTime::from_unix(0);
        }
        story = story.on_device(FileContent::Bytes(fixed.clone()));
        story.reloaded_if_asked();
        let mut waits = Vec::new();
        for _ in 0..8 {
            story.data(&view("S-1"), &fixed);
            waits.push(story.next().0);
            story.pass(story.next().0);
        }
        waits
    };
    let believed = waits(true);
    assert!(believed.windows(2).all(|pair| pair[0] < pair[1]) && believed[7] > HOUR, "{believed:?}");
    assert_eq!(waits(false)[6..], [45 * MINUTE; 2], "by a clock that is not believed it may be due");
}

/// A hub that tells the time is right about it, and the license may be due all the same.
#[test]
fn by_the_hubs_clock_alone_it_is_asked_every_hour() {
    let fixed = license_with("S-1", -6, 30, r#""duid":"D-1","renewable":false,"entitlements":["a","b"]"#);
    let mut story = Story::begin(TRANSPORT, true, None, Durable::default());
    story.moment.now.wall = WallTime::from_unix(0);
    story = story.on_device(FileContent::Bytes(fixed.clone()));
    story.reloaded_if_asked();
    let mut hub = START.plus(25 * DAY);
    for _ in 0..10 {
        story.dated(&view("S-1"), &fixed, hub);
        let (wait, _) = story.next();
        assert!(wait <= HOUR, "{wait}");
        hub = hub.plus(wait);
        story.pass(wait);
    }
}

#[test]
fn what_is_not_renewable_is_said_once_and_to_whoever_asks() {
    let fixed = license_with("S-1", -6, 1, r#""duid":"D-1","renewable":false,"entitlements":["a","b"]"#);
    let mut story = Story::daemon(TRANSPORT, FileContent::Bytes(fixed.clone()));
    let said = |story: &Story| {
        story
            .notes
            .iter()
            .filter(|(level, text)| *level == Level::Warn && text.contains("is not renewable, and"))
            .count()
    };
    for _ in 0..2 {
        story.data(&view("S-1"), &fixed);
        assert_eq!(said(&story), 1);
        story.pass(story.next().0);
    }
    let id = story.renew();
    story.data(&view("S-1"), &fixed);
    assert_eq!(said(&story), 2);
    story.replied(id, 1, "is not renewable");
    let early = license_with("S-1", 0, 7, r#""duid":"D-1","renewable":false,"entitlements":["a","b"]"#);
    let mut story = Story::command(TRANSPORT, FileContent::Bytes(early.clone()));
    let id = story.renew();
    story.data(&view("S-1"), &early);
    story.replied(id, 0, "is not renewable");
}

#[test]
fn attempts_are_counted_and_the_last_five_remembered() {
    let mut story = due();
    for _ in 0..7 {
        story.away();
        story.pass(story.next().0);
    }
    assert_eq!(story.status().renewal.attempts.get(&Word::Outage), Some(&7));
    assert_eq!(story.status().renewal.history.len(), 5);
}

/// The hub has renewed already: what it costs to fetch the license again is one request.
#[test]
fn a_license_that_cannot_be_written_is_fetched_again_within_an_hour() {
    let (mut story, new) = (due(), license("S-1", 0, 7));
    let mut waits = Vec::new();
    for failures in 1..=8 {
        story.data(&view("S-1"), &new);
        assert!(story.install.take().is_some());
        story.step(Event::Installed(Err("read-only file system".to_owned())));
        assert_eq!(story.status().renewal.consecutive_failures, failures);
        assert!(story.next().1.contains("(install-failed), backing off"));
        waits.push(story.next().0);
        story.pass(story.next().0);
    }
    assert_eq!(waits[..2], [90_000, 150_000]);
    assert_eq!(waits[6..], [30 * MINUTE + MINUTE / 2; 2]);
    let id = story.renew();
    story.data(&view("S-1"), &new);
    story.install = None;
    story.step(Event::Installed(Err("read-only file system".to_owned())));
    story.replied(id, 1, "not installed: read-only file system; it is tried again in 3");
    let mut story = Story::command(TRANSPORT, FileContent::Bytes(ours()));
    let id = story.renew();
    story.data(&view("S-1"), &new);
    story.install = None;
    story.step(Event::Installed(Err("read-only file system".to_owned())));
    assert_eq!(story.reply(id), (1, "not installed: read-only file system"));
}

/// What became of the last try is told with the next.
#[test]
fn a_creation_that_was_refused_is_remembered() {
    let mut story = Story::daemon(PROVISION, FileContent::Missing);
    story.listed(&[]);
    story.answer(&creation(), 403, b"{}".to_vec());
    story.pass(story.next().0);
    story.listed(&[]);
    let error = story.status().renewal.last_attempt.as_ref().and_then(|last| last.error.clone()).unwrap_or_default();
    assert!(error.contains("the last try came to nothing: the hub answered HTTP 403"), "{error}");
}

#[test]
fn one_request_at_a_time_however_long_it_takes() {
    let mut story = due();
    story.pass(6 * HOUR);
    assert_eq!(story.asked, Some(view("S-1")));
}

/// A relay that has the same license each time, and a hub that refuses nothing and renews nothing: no failure, and still
/// nobody gets a later license.
#[test]
fn a_renewal_that_does_not_come_is_overdue_after_a_quarter() {
    let mut story = Story::daemon(RELAY, FileContent::Bytes(license("S-1", -4, 3)));
    story.reloaded_if_asked();
    let overdue = |story: &Story| story.status().problems.iter().any(|problem| problem.contains("renewal is overdue"));
    let due = story.status().renewal.due_at.expect("a due time").0;
    let end = START.plus(3 * DAY);
    while story.moment.now.wall < due.plus(end.since(due) / 4 - MINUTE) {
        assert!(!overdue(&story), "{}", story.moment.now.wall);
        if story.asked.is_some() {
            story.answer(&HubRequest::Relay, 200, license("S-1", -4, 3));
        }
        story.pass(MINUTE);
    }
    story.pass(2 * MINUTE);
    assert!(overdue(&story), "{:?}", story.status().problems);
}
