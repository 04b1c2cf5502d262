//! When the next attempt is, and why then.

use super::*;
use crate::core::time::HOUR;
use crate::core::verify::State;

/// The daemon of a license that ends in a day and is due; the hub is being asked.
fn due() -> Story {
    Story::daemon(TRANSPORT, FileContent::Bytes(ours()))
}

fn ours() -> Vec<u8> {
    license("S-1", -6, 1)
}

impl Story {
    /// The hub asks for patience.
    fn limited(&mut self, seconds: u32) {
        assert!(self.asked.take().is_some());
        let retry_after = Some(seconds.to_string());
        self.step(Event::Answer(Ok(RawAnswer { status: 429, retry_after, ..RawAnswer::default() })));
    }

    /// Time goes by until the next attempt, and not a millisecond less.
    #[track_caller]
    fn wait(&mut self) {
        let (wait, _) = self.next();
        self.pass(wait - 1);
        assert_eq!(self.asked, None, "too early");
        self.pass(1);
        assert!(self.asked.is_some(), "too late");
    }
}

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

/// A hub that comes back is not asked by all of them for a renewal at once.
#[test]
fn after_an_outage_the_fleet_takes_turns_once() {
    let mut story = due();
    story.away();
    story.wait();
    story.away();
    story.wait();
    story.data(&view("S-1"), &ours());
    assert_eq!(story.asked, None);
    let (wait, why) = story.next();
    assert_eq!(why, "the hub is back after an outage, and the fleet takes turns");
    // The middle of the first seven twentieths of what is left.
    let remaining = START.plus(DAY).since(story.moment.now.wall);
    assert_eq!(wait, remaining / 20 * 7 / 2);
    story.wait();
    story.data(&view("S-1"), &ours());
    assert_eq!(story.asked, Some(renewal("S-1")), "its turn");
}

#[test]
fn a_hub_that_is_away_again_when_the_turn_comes_costs_no_other_turn() {
    let mut story = due();
    story.away();
    story.pass(3 * MINUTE);
    story.data(&view("S-1"), &ours());
    story.wait();
    story.away();
    assert_eq!(story.next().1, "attempt 2 failed (outage), backing off");
    story.pass(3 * MINUTE);
    story.data(&view("S-1"), &ours());
    assert_eq!(story.asked, Some(renewal("S-1")));
}

#[test]
fn an_outage_began_with_its_first_failure() {
    let mut story = due();
    story.moment.random = 0.0;
    for _ in 0..2 {
        story.away();
        assert_eq!(story.next().0, MINUTE);
        story.wait();
    }
    story.data(&view("S-1"), &ours());
    assert!(story.next().1.contains("takes turns"));
}

#[test]
fn nobody_takes_turns_after_a_blip_or_when_the_end_is_near() {
    for (outage, wall, turns) in [
        (2 * MINUTE - 1, 0, false),
        (2 * MINUTE, 0, true),
        (12 * HOUR, 0, false),
        (12 * HOUR - 1, 0, true),
        // A clock that is set back makes no outage.
        (2 * MINUTE, -DAY, false),
    ] {
        let mut story = due();
        story.away();
        story.moment.now.wall = story.moment.now.wall.plus(wall);
        story.pass(outage);
        story.data(&view("S-1"), &ours());
        assert_eq!(story.asked.is_none(), turns, "{outage}");
    }
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

/// The hub answers what the daemon of this license asks: the time until it asks again.
fn wait_after(story: &mut Story, status: u16, body: &[u8]) -> Millis {
    story.answer(&view("S-1"), status, body.to_vec());
    story.reloaded_if_asked();
    story.next().0
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
        story.step(Event::Answer(Err(TransportError { message: "no route".to_owned(), local: false })));
        story.pass(span);
        wait_after(&mut story, 403, b"{}")
    };
    assert_eq!(at(DAY - 16 * MINUTE), 90_000);
    assert_eq!(at(DAY - 8 * MINUTE), 45_000);
    // There is nothing to lose any more, and an hour is the longest.
    assert_eq!(at(DAY), 45 * MINUTE);
}

#[test]
fn patience_that_is_asked_for_is_had_and_not_cut() {
    let configured = |story: &mut Story| {
        let event = Event::Configured(Box::new(config(TRANSPORT)), KeyRing::from_files([]));
        story.step(event);
        story.device(Ok("D-1"));
    };
    let mut story = due();
    story.limited(600);
    let asked_for = 10 * MINUTE + 10 * MINUTE / 4 / 2;
    assert_eq!(story.next().0, asked_for);
    configured(&mut story);
    assert_eq!(story.next().0, asked_for);
    // Whoever changes the configuration has mended what was wrong.
    let mut story = due();
    assert!(wait_after(&mut story, 403, b"{}") > MINUTE);
    configured(&mut story);
    assert_eq!(story.next().0, MINUTE);
    // A hub that has nothing newer is no trouble that could be mended.
    let mut story = due();
    let fixed = license_with("S-1", -6, 1, r#""duid":"D-1","renewable":false,"entitlements":["a","b"]"#);
    story.data(&view("S-1"), &fixed);
    let before = story.next().0;
    assert!(before > MINUTE);
    configured(&mut story);
    assert_eq!(story.next().0, before);
    // A dry run keeps to it as well, and never shortens a wait.
    let mut story = due();
    wait_after(&mut story, 403, b"{}");
    let before = story.next().0;
    story.request(Request::Renew { if_due: false, dry_run: true });
    story.away();
    assert_eq!(story.next().0, before);
    let mut story = due();
    story.away();
    story.pass(story.next().0 - 1);
    story.request(Request::Renew { if_due: false, dry_run: true });
    story.away();
    assert_eq!(story.next().0, MINUTE, "it has asked just now");
    let mut story = Story::daemon(TRANSPORT, FileContent::Bytes(license("S-1", 0, 7)));
    story.reloaded_if_asked();
    story.pass(story.next().0 - 1);
    assert_eq!(story.asked, None);
    story.request(Request::Renew { if_due: false, dry_run: true });
    story.limited(600);
    assert_eq!(story.next().0, 10 * MINUTE);
}

#[test]
fn what_was_not_ready_here_is_looked_at_every_five_minutes_at_least() {
    let mut story = due();
    let mut waits = Vec::new();
    for _ in 0..6 {
        story.asked = None;
        story.step(Event::Answer(Err(TransportError { message: "no key".to_owned(), local: true })));
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
    assert_eq!(story.status().renewal.attempts.get("outage"), Some(&7));
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

/// Somebody puts an older license there by hand, and there is less time now.
#[test]
fn a_wait_that_was_chosen_with_more_time_left_does_not_cost_another_license() {
    for by_hand in [false, true] {
        let mut story = due();
        story.limited(7_200);
        let (wait, _) = story.next();
        assert!(wait >= 2 * HOUR, "the hub asked for patience: {wait}");
        let older = license_until("S-1", HOUR);
        if by_hand {
            story.step(Event::File(FileContent::Bytes(older)));
        } else {
            story.give(older.clone(), true);
            story.written(&older);
        }
        story.reloaded_if_asked();
        let (wait, _) = story.next();
        assert!((HOUR / 4..HOUR / 3).contains(&wait), "patience, but not to the end: {wait}");
        if by_hand {
            // Left alone until it is due: then the better one that is kept comes back.
            story.pass(wait);
            story.written(&ours());
        } else {
            story.wait();
        }
    }
    // The same license is no reason to forget the hub's word.
    let mut story = due();
    story.limited(7_200);
    let before = story.next().0;
    story.step(Event::File(FileContent::Missing));
    story.written(&ours());
    assert_eq!(story.next().0, before);
}

/// Somebody who did not wait got a license that is due again soon; the hub has not taken its word back.
#[test]
fn what_a_person_got_meanwhile_does_not_end_the_patience_that_the_hub_asks_for() {
    let mut story = due();
    story.limited(7_200);
    let before = story.next().0;
    story.renew();
    story.data(&view("S-1"), &license_until("S-1", 30 * HOUR));
    story.written(&license_until("S-1", 30 * HOUR));
    assert_eq!(story.next().0, before);
}

/// An older license ends while the hub asks for patience; the better one is at hand.
#[test]
fn the_kept_license_waits_for_no_hub() {
    let mut story = due();
    story.limited(7_200);
    story.step(Event::File(FileContent::Bytes(license("S-1", -8, -1))));
    story.written(&ours());
    assert_eq!((story.status().state, &story.asked), (State::Unchecked, &None));
}

/// A license that does not tell when it was issued, and a clock that is five days ahead and believed.
#[test]
fn the_hub_s_clock_dates_what_the_hub_made() {
    let undated = |days: i64| {
        let end = START.plus(days * DAY).unix();
        format!(r#"{{"serial":"S-1","expire_at":{{"unix":{end}}},"duid":"D-1"}}"#).into_bytes()
    };
    let mut story = Story::daemon(TRANSPORT, FileContent::Bytes(undated(1)));
    story.reloaded_if_asked();
    story.renew();
    story.dated(&view("S-1"), &undated(2), START.plus(-5 * DAY));
    story.written(&undated(2));
    let due = story.status().renewal.due_at.expect("due some time").0;
    assert!(due < START.plus(DAY), "it lives a week, not two days: {due}");
}

/// A license of a week that ends so soon.
fn license_until(serial: &str, span: Millis) -> Vec<u8> {
    let [from, to] = [span - 7 * DAY, span].map(|at| START.plus(at).unix());
    let members = r#""duid":"D-1","entitlements":["a","b"]"#;
    format!(r#"{{"serial":"{serial}","created_at":{{"unix":{from}}},"expire_at":{{"unix":{to}}},{members}}}"#)
        .into_bytes()
}
