//! What is logged, and what is published: changes, once each.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::Signer as _;

use super::*;
use crate::core::license::document;
use crate::core::license::keys::tests::pem;
use crate::core::license::verify::{State, signed_bytes};

/// Far from due.
fn fresh() -> FileContent {
    FileContent::Bytes(license("S-1", 0, 7))
}

/// The attempt fails with this reason; then it is time for the next one.
fn fail(story: &mut Story, message: &str) {
    assert!(story.asked.take().is_some());
    story.step(Event::Answer(story.io, Err(TransportError { message: message.to_owned(), local: false })));
    story.pass(story.next().0);
}

/// How often this was logged, and how loud at the last time.
fn said(story: &Story, words: &str) -> (usize, Option<Level>) {
    let mut of = story.notes.iter().filter(|(level, text)| *level != Level::Debug && text.contains(words));
    (of.clone().count(), of.next_back().map(|(level, _)| *level))
}

#[test]
fn a_failure_is_logged_once_and_then_counted() {
    let mut story = due();
    fail(&mut story, "no route to host");
    for _ in 0..3 {
        fail(&mut story, "no route to host");
    }
    assert_eq!(said(&story, "no route to host"), (1, Some(Level::Warn)));
    fail(&mut story, "connection refused");
    assert_eq!(said(&story, "connection refused (3 more like the last one before)"), (1, Some(Level::Warn)));
    fail(&mut story, "no route to host");
    assert_eq!(said(&story, "no route to host"), (2, Some(Level::Warn)));
    assert_eq!(said(&story, "more like the last one"), (1, Some(Level::Warn)), "nothing was silent");
    // Another kind of failure, and the way back, are news.
    assert!(story.asked.take().is_some());
    story.step(Event::Answer(story.io, Ok(RawAnswer { status: 403, ..RawAnswer::default() })));
    story.pass(story.next().0);
    fail(&mut story, "no route to host");
    assert_eq!(said(&story, "no route to host"), (3, Some(Level::Warn)));
    // And a day later it is said again.
    let mut story = Story::daemon(TRANSPORT, FileContent::Missing);
    for _ in 0..40 {
        fail(&mut story, "no route to host");
    }
    assert_eq!(said(&story, "no route to host"), (2, Some(Level::Warn)));
}

#[test]
fn a_success_makes_every_failure_news_again() {
    let mut story = due();
    fail(&mut story, "no route to host");
    let new = license("S-1", -5, 2);
    story.data(&view("S-1"), &new);
    story.written(&new);
    story.reloaded_if_asked();
    story.pass(story.next().0);
    fail(&mut story, "no route to host");
    assert_eq!(said(&story, "no route to host"), (2, Some(Level::Warn)));
}

#[test]
fn a_reason_is_the_same_whatever_is_counted_in_it() {
    for (first, second, same) in [
        ("request 4f2a81c9 failed", "request 77ab0013 failed", true),
        ("netifyd (process 812) is gone", "netifyd (process 90133) is gone", true),
        ("HTTP 502 from there", "HTTP 503 from there", false),
        ("code 12345 of it", "code 54321 of it", false),
        ("code 123456 of it", "code 654321 of it", true),
        ("timeout at connect", "timeout at reading", false),
        ("an unusually-long word", "an extraordinary word", false),
    ] {
        let mut story = due();
        fail(&mut story, first);
        fail(&mut story, second);
        assert_eq!(said(&story, second).0 == 0, same, "{second}");
    }
}

#[test]
fn a_reload_that_works_again_makes_its_failure_news_again() {
    let mut story = Story::daemon(TRANSPORT, FileContent::Missing);
    story.away();
    for (day, times) in [(7, 1), (9, 2)] {
        story.give(license("S-1", 0, day), false);
        story.written(&license("S-1", 0, day));
        for outcome in [ReloadOutcome::Failed("no answer".to_owned()), ReloadOutcome::Confirmed] {
            story.asked = None;
            story.pass(if story.reload { 0 } else { MINUTE });
            story.reloaded(outcome);
        }
        assert_eq!(said(&story, "is not confirmed: no answer"), (times, Some(Level::Error)));
    }
}

#[test]
fn the_states_are_logged_as_they_change() {
    let story = Story::command(TRANSPORT, fresh());
    assert_eq!(said(&story, "license state is unchecked: nobody checks its signature"), (1, Some(Level::Info)));
    let mut story = Story::command(TRANSPORT, fresh());
    story.step(Event::Wrote(StateFile::Kept, Err("the state directory is full".to_owned())));
    assert_eq!(said(&story, "license state is").0, 1, "another status, and no other state");
    let mut story = Story::command(TRANSPORT, FileContent::Missing);
    story.step(Event::Tick);
    let missing = "license state is missing: /etc/netifyd/license.json: there is no license";
    assert_eq!(said(&story, missing), (1, Some(Level::Warn)));
    story.step(Event::File(FileContent::Bytes(b"{".to_vec())));
    assert_eq!(said(&story, "license state is malformed"), (1, Some(Level::Warn)));
    assert_eq!(said(&story, "license state is").0, 2);
}

/// What a line about the license has said is not said again.
#[test]
fn a_license_is_called_valid_once() {
    let key = ed25519_dalek::SigningKey::from_bytes(&[1; 32]);
    let signed = |to: i64| {
        let plain = license("S-1", 0, to);
        let bytes = signed_bytes(&document::parse(&plain).expect("a license")).expect("canonical");
        let signature = STANDARD.encode(key.sign(&bytes).to_bytes());
        [&plain[..plain.len() - 1], format!(r#","signature":"{signature}"}}"#).as_bytes()].concat()
    };
    let keys = || KeyRing::from_files([("k.pem".to_owned(), Ok(pem(key.verifying_key().as_bytes()).into_bytes()))]);
    let mut story = Story::begin("", true, None, Durable::default());
    story.step(Event::Configured(Box::new(config("")), keys()));
    story.moment.now.wall = WallTime::from_unix(0);
    story = story.on_device(FileContent::Bytes(signed(7)));
    assert_eq!(story.status().state, State::ClockUntrusted);
    story.moment.now.wall = START;
    story.step(Event::Tick);
    assert_eq!((story.status().state, story.status().license.key_id.is_some()), (State::Valid, true));
    assert_eq!(said(&story, "license state is valid"), (1, Some(Level::Info)));
    story.reloaded_if_asked();
    story.step(Event::File(FileContent::Missing));
    story.written(&signed(7));
    story.noted(Level::Info, "license S-1 put back");
    assert_eq!((story.status().state, said(&story, "license state is valid").0), (State::Valid, 1));
}

#[test]
fn the_clock_is_told_of_when_the_trust_in_it_changes() {
    let mut story = Story::command(TRANSPORT, fresh());
    assert_eq!(said(&story, "the clock can").0, 0, "as it should be");
    let now = story.moment.now.wall;
    story.moment.now.wall = WallTime::from_unix(0);
    for _ in 0..2 {
        story.step(Event::Tick);
    }
    assert_eq!(
        said(&story, "license state is clock-untrusted: the clock cannot be believed: it says 1970"),
        (1, Some(Level::Warn))
    );
    assert_eq!(said(&story, "the clock cannot be believed").0, 1, "one line says it");
    story.moment.now.wall = now;
    story.step(Event::Tick);
    assert_eq!(said(&story, "the clock can be believed: the kernel says synchronized"), (1, Some(Level::Info)));
    // Where the license's state has nothing to do with it, the clock has a line of its own.
    let mut story = Story::begin(TRANSPORT, false, None, Durable::default());
    story.moment.now.wall = WallTime::from_unix(0);
    let mut story = story.on_device(FileContent::Missing);
    assert_eq!(said(&story, "the clock cannot be believed: it says 1970"), (1, Some(Level::Warn)));
    // Its reason is told as it was first: seconds that go by are no change.
    let why = story.status().clock.why.clone();
    story.pass(DAY);
    assert_eq!(story.status().clock.why, why);
    story.moment.now.wall = START;
    story.step(Event::Tick);
    assert_eq!(story.status().clock.why, "the kernel says synchronized");
}

#[test]
fn the_hook_runs_once_for_a_change() {
    let mut story = Story::command(TRANSPORT, fresh());
    assert_eq!(story.hooks, 1);
    story.pass(MINUTE);
    assert_eq!(story.hooks, 1);
    assert_eq!(story.again(MINUTE, "boot").hooks, 0, "a restart is no change");
    let mut story = Story::command(TRANSPORT, fresh());
    story.step(Event::File(FileContent::Missing));
    assert_eq!(story.hooks, 2);
}

#[test]
fn a_clock_that_drifts_is_told_as_it_was() {
    let skew = |steps: &[Millis]| {
        let ours = license("S-1", -6, 1);
        let mut story = Story::command(TRANSPORT, FileContent::Bytes(ours.clone()));
        steps
            .iter()
            .map(|skew| {
                story.request(Request::Renew { if_due: false, dry_run: true, accept_changes: false });
                story.dated(&view("S-1"), &ours, START.plus(-skew));
                story.status().clock.skew.clone().unwrap_or_default()
            })
            .collect::<Vec<_>>()
    };
    let told = skew(&[20 * MINUTE, 22 * MINUTE, 23 * MINUTE, 5 * MINUTE, -10 * MINUTE, -11 * MINUTE, -13 * MINUTE]);
    assert!(told[0].contains("20 min ahead"), "{told:?}");
    assert_eq!(told[1], told[0]);
    assert!(told[2].contains("23 min ahead"), "{told:?}");
    assert_eq!(told[3], "");
    assert!(told[4].contains("10 min behind"), "{told:?}");
    assert_eq!(told[5], told[4]);
    assert!(told[6].contains("13 min behind"), "{told:?}");
}

#[test]
fn the_next_attempt_is_told_as_it_was_unless_it_moves_by_seconds() {
    let mut story = due();
    story.away();
    let at = story.status().renewal.next_attempt_at;
    for (step, same) in [(1_999, true), (2, false)] {
        // The wall clock is set a little.
        story.moment.now.wall = story.moment.now.wall.plus(step);
        story.step(Event::Tick);
        assert_eq!(story.status().renewal.next_attempt_at == at, same, "{step}");
    }
}

#[test]
fn the_status_tells_of_license_hub_and_reload() {
    let status = Story::command(TRANSPORT, fresh()).status().clone();
    assert_eq!(status.license.serial.as_deref(), Some("S-1"));
    assert_eq!((status.hub.kind.as_str(), status.reload.method.as_str()), ("api", "auto"));
    let foreign = FileContent::Bytes(license_with("S-2", 0, 7, r#""duid":"D-2""#));
    let status = Story::command(RELAY, foreign).status().clone();
    assert_eq!(status.license.serial.as_deref(), Some("S-2"), "as it says of itself");
    assert_eq!(status.hub.kind, "relay");
}

/// A license that serves is well, until its end is near and the hub does not answer.
#[test]
fn failures_close_to_the_end_are_not_well() {
    let mut story = due();
    story.away();
    assert!(story.status().healthy, "there is time");
    story.pass(3 * DAY / 10 - 1);
    assert!(story.status().healthy, "not in the last tenth yet");
    story.pass(1);
    assert!(!story.status().healthy);
    let mut story = Story::daemon(TRANSPORT, FileContent::Bytes(license("S-1", -11, 1)));
    assert!(story.status().healthy, "nothing has failed");
    story.away();
    assert!(!story.status().healthy);
}
