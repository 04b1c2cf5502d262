//! When the hub shall be left alone: the turns after an outage, the patience that it asks for, and what ends a wait.

use super::*;
use crate::core::license::verify::State;
use crate::core::time::HOUR;

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
        // It is measured by the clock that does not step.
        (2 * MINUTE, -DAY, true),
        (2 * MINUTE - 1, DAY, false),
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
    story.request(Request::Renew { if_due: false, dry_run: true, accept_changes: false });
    story.away();
    assert_eq!(story.next().0, before);
    let mut story = due();
    story.away();
    story.pass(story.next().0 - 1);
    story.request(Request::Renew { if_due: false, dry_run: true, accept_changes: false });
    story.away();
    assert_eq!(story.next().0, MINUTE, "it has asked just now");
    let mut story = Story::daemon(TRANSPORT, FileContent::Bytes(license("S-1", 0, 7)));
    story.reloaded_if_asked();
    story.pass(story.next().0 - 1);
    assert_eq!(story.asked, None);
    story.request(Request::Renew { if_due: false, dry_run: true, accept_changes: false });
    story.limited(600);
    assert_eq!(story.next().0, 10 * MINUTE);
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
    // Another one that leaves time enough, or the same one, is no reason to forget the hub's word.
    let mut story = due();
    story.limited(7_200);
    let before = story.next().0;
    let other = license_until("S-1", 26_000_000);
    story.give(other.clone(), true);
    story.written(&other);
    story.reloaded_if_asked();
    assert_eq!(story.next().0, before);
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
    // And with nothing at hand, an end is no reason to lose patience.
    let mut story = due();
    story.limited(7_200);
    let before = story.next().0;
    story.engine.cx.last_good.license = None;
    story.step(Event::File(FileContent::Bytes(license("S-1", -8, -1))));
    assert_eq!(story.next().0, before);
}

/// A license that does not tell when it was issued, and a clock that is five days ahead and believed.
#[test]
fn the_hub_s_clock_dates_what_the_hub_made() {
    let mut story = Story::daemon(TRANSPORT, FileContent::Bytes(undated(1)));
    story.reloaded_if_asked();
    story.renew();
    story.dated(&view("S-1"), &undated(2), START.plus(-5 * DAY));
    story.written(&undated(2));
    let due = story.status().renewal.due_at.expect("due some time").0;
    assert!(due < START.plus(DAY), "it lives a week, not two days: {due}");
}

/// Found by a clock that was days ahead and believed, a week looked like half a day.
#[test]
fn a_date_that_our_clock_guessed_is_corrected_once_it_is_right() {
    let found_at = |ahead: Millis| {
        let mut story = Story::begin(TRANSPORT, true, None, Durable::default());
        story.moment.now.wall = START.plus(ahead);
        let mut story = story.on_device(FileContent::Bytes(undated(7)));
        story.reloaded_if_asked();
        story
    };
    let mut story = found_at(6 * DAY + 12 * HOUR);
    let wrong = story.status().renewal.due_at.expect("due some time").0;
    assert!(wrong > START.plus(6 * DAY + 12 * HOUR), "{wrong}");
    story.moment.now.wall = START.plus(DAY);
    story.step(Event::Tick);
    let due = story.status().renewal.due_at.expect("due some time").0;
    assert!((START.plus(3 * DAY)..START.plus(6 * DAY)).contains(&due), "{due}");
    // It is written down, and does not move again.
    assert!(story.saved.0.issues.iter().all(|issue| issue.at <= START.plus(DAY)));
    story.pass(DAY);
    assert_eq!(story.status().renewal.due_at.map(|at| at.0), Some(due));
    // What the license or the hub told is no guess, whatever our clock says of it later.
    for (first, hubs) in [(license("S-1", 2, 7), None), (undated(6), Some(undated(7)))] {
        let mut story = Story::begin(TRANSPORT, true, None, Durable::default());
        story.moment.now.wall = START.plus(3 * DAY);
        let mut story = story.on_device(FileContent::Bytes(first));
        story.reloaded_if_asked();
        if let Some(hubs) = hubs {
            story.renew();
            story.dated(&view("S-1"), &hubs, START.plus(3 * DAY));
            story.written(&hubs);
        }
        let due = story.status().renewal.due_at;
        story.moment.now.wall = START.plus(DAY);
        story.step(Event::Tick);
        assert_eq!(story.status().renewal.due_at, due);
    }
    // By a clock that falls behind, what was right stays.
    let mut story = found_at(0);
    let right = story.status().renewal.due_at;
    story.moment.now.wall = START.plus(-2 * DAY);
    story.step(Event::Tick);
    assert_eq!(story.status().renewal.due_at, right);
}

/// A week looks like an hour where nobody but a clock that is almost a week ahead, and believed, tells when it began.
#[test]
fn our_clock_alone_lowers_no_floor() {
    let ending = |at: WallTime, tells: &str| {
        let (begin, end) = (at.plus(-HOUR).unix(), at.unix());
        let created =
            if tells == "created_at" { format!(r#""created_at":{{"unix":{begin}}},"#) } else { String::new() };
        format!(r#"{{"serial":"S-1",{created}"expire_at":{{"unix":{end}}},"duid":"D-1"}}"#).into_bytes()
    };
    let renewals = |tells: &str| {
        let mut license = ending(START.plus(HOUR), tells);
        let mut story = Story::daemon(TRANSPORT, FileContent::Bytes(license.clone()));
        let mut made = 0;
        while story.moment.now.wall < START.plus(DAY) {
            story.reloaded_if_asked();
            let now = story.moment.now.wall;
            let date = (tells == "date").then(|| now.rfc3339());
            let body = |data: &[u8]| [&br#"{"status_code":0,"data":"#[..], data, b"}"].concat();
            match story.asked.take() {
                Some(asked) => {
                    if matches!(asked, HubRequest::Renew { .. }) {
                        license = ending(now.plus(HOUR), tells);
                        made += 1;
                    }
                    let body = body(&license);
                    story.step(Event::Answer(
                        story.io,
                        Ok(RawAnswer { status: 200, date, body, ..RawAnswer::default() }),
                    ));
                }
                None if story.install.is_some() => story.written(&license),
                None => story.wait(),
            }
        }
        made
    };
    assert_eq!(["nothing", "date", "created_at"].map(|tells| renewals(tells) <= 12), [true, false, false]);
}

/// Ten hours of a hub that answers every renewal with another device's license use up what the floor allows; a tenth of
/// the window is left when it is well again.
#[test]
fn a_renewal_is_kept_for_the_end() {
    let text = format!("{TRANSPORT}[renewal]\nrenew-before = \"20h\"\n");
    let (mut hub, next) = (license_until("S-1", 12 * HOUR), license_until("S-1", 7 * DAY));
    let end = START.plus(12 * HOUR);
    let mut story = Story::daemon(&text, FileContent::Bytes(hub.clone()));
    let foreign = String::from_utf8(next.clone()).expect("text").replace("D-1", "D-2").into_bytes();
    let mut spoiled = 0;
    while story.install.is_none() && story.moment.now.wall < end {
        story.reloaded_if_asked();
        match story.asked.clone() {
            Some(asked @ HubRequest::Renew { .. }) if end.since(story.moment.now.wall) > 2 * HOUR => {
                spoiled += 1;
                story.data(&asked, &foreign);
            }
            Some(asked) => {
                if asked == renewal("S-1") {
                    hub.clone_from(&next);
                }
                story.data(&asked, &hub);
            }
            None => story.wait(),
        }
    }
    assert!(spoiled >= 4, "{spoiled}");
    story.written(&next);
}

/// A license of a week that ends so soon.
fn license_until(serial: &str, span: Millis) -> Vec<u8> {
    let [from, to] = [span - 7 * DAY, span].map(|at| START.plus(at).unix());
    let members = r#""duid":"D-1","entitlements":["a","b"]"#;
    format!(r#"{{"serial":"{serial}","created_at":{{"unix":{from}}},"expire_at":{{"unix":{to}}},{members}}}"#)
        .into_bytes()
}
