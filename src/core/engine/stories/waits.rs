//! When the next attempt is, and why then.

use super::*;
use crate::core::time::HOUR;

/// The daemon of a license that ends in a day and is due; the hub is being asked.
fn due() -> Story {
    Story::daemon(TRANSPORT, FileContent::Bytes(ours()))
}

fn ours() -> Vec<u8> {
    license("S-1", -6, 1)
}

impl Story {
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
