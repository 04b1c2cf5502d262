//! The program ends and starts again, the machine boots: what holds over that, and what is written for it.

use super::*;

/// The daemon of a license that is far from due, whose memory is on disk.
fn quiet() -> Story {
    let mut story = Story::daemon(TRANSPORT, FileContent::Bytes(license("S-1", 0, 7)));
    story.reloaded_if_asked();
    assert_eq!(story.saved.0.last_good_time, Some(START));
    story
}

#[test]
fn a_wait_holds_over_a_restart_and_not_over_a_boot() {
    let mut story = due();
    story.away();
    let (wait, why) = story.next();
    assert!(wait > MINUTE && why == "attempt 1 failed (outage), backing off", "{wait} {why}");
    let story = story.again(10_000, "boot");
    assert_eq!(story.asked, None);
    assert_eq!(story.next(), (wait - 10_000, "attempt 1 failed (outage), backing off"));
    assert_eq!(story.again(10_000, "another").asked, Some(view("S-1")));
}

/// Whoever supervises a daemon that dies of its attempts starts it again at once.
#[test]
fn an_attempt_that_was_cut_short_is_not_repeated_at_once() {
    let story = due().again(1_000, "boot");
    assert_eq!((story.asked.as_ref(), story.next().0), (None, MINUTE - 1_000));
    let mut story = Story::daemon(TRANSPORT, FileContent::Bytes(license("S-1", 0, 7)));
    story.reloaded_if_asked();
    let before = story.next();
    let before = (before.0, before.1.to_owned());
    story.renew();
    let story = story.again(0, "boot");
    assert_eq!(story.next(), (before.0, &before.1[..]), "what a person asked for is not in the way");
}

/// It is how a credential of the service manager is exchanged.
#[test]
fn a_restart_after_a_refusal_tries_again_soon() {
    let refused = |story: &mut Story| story.answer(&view("S-1"), 403, b"{}".to_vec());
    let not_ready = |story: &mut Story| {
        story.asked = None;
        let error = TransportError { message: "no key".to_owned(), local: true };
        story.step(Event::Answer(story.io, Err(error)));
    };
    for fail in [&refused as &dyn Fn(&mut Story), &not_ready] {
        let mut story = due();
        fail(&mut story);
        assert!(story.next().0 > MINUTE);
        let story = story.again(10_000, "boot");
        assert_eq!((story.asked.as_ref(), story.next().0), (None, MINUTE - 10_000));
        assert_eq!(story.again(50_000, "boot").asked, Some(view("S-1")));
    }
}

#[test]
fn renewals_by_hand_are_counted_over_restarts() {
    let old = license("S-1", -5, 2);
    let mut story = Story::command(TRANSPORT, FileContent::Bytes(old.clone()));
    while story.engine.cx.volatile.manual.take(crate::core::schedule::rate_limit::MANUAL).is_ok() {}
    let asks = |mut story: Story| {
        let id = story.renew();
        story.data(&view("S-1"), &old);
        (story.asked.take(), story.replies.remove(&id).map(|reply| reply.message))
    };
    let (asked, said) = asks(story.again(5 * MINUTE, "boot"));
    assert!(asked.is_none() && said.is_some_and(|said| said.contains("the next one may go in 1 min")));
    let mut story = Story::command(TRANSPORT, FileContent::Bytes(old.clone()));
    while story.engine.cx.volatile.manual.take(crate::core::schedule::rate_limit::MANUAL).is_ok() {}
    assert_eq!(asks(story.again(6 * MINUTE, "boot")).0, Some(renewal("S-1")));
}

/// Before the hub is asked to renew, before the file changes, and when netifyd has it: no more, for the flash.
#[test]
fn a_renewal_is_written_down_three_times() {
    let mut story = due();
    story.reloaded_if_asked();
    let saves = story.saves;
    story.data(&view("S-1"), &license("S-1", -6, 1));
    assert_eq!(story.saves, saves + 1);
    let new = license("S-1", 0, 7);
    story.data(&renewal("S-1"), &new);
    story.data(&view("S-1"), &new);
    assert_eq!(story.saves, saves + 2);
    story.written(&new);
    assert_eq!(story.saves, saves + 2, "the reload is under way");
    story.reloaded(ReloadOutcome::Confirmed);
    assert_eq!(story.saves, saves + 3);
}

/// What changes while the hub is asked is written down with the end of it.
#[test]
fn nothing_is_written_by_the_way() {
    let mut story = due();
    story.reloaded_if_asked();
    assert_eq!(story.saves, 1, "that netifyd has it");
    story.step(Event::File(FileContent::Bytes(license("S-1", -7, 0))));
    assert_eq!(story.saves, 1);
    story.away();
    assert!(story.saves > 1);
}

/// Once a day is enough: whoever starts it anew all the time does not wear out the flash.
#[test]
fn the_last_good_time_is_written_at_the_end_and_at_most_daily() {
    for (span, written) in [(0, false), (DAY, false), (DAY + 1, true)] {
        let mut story = quiet();
        story.pass(span);
        let saves = story.saves;
        story.end();
        assert_eq!(story.saves > saves, written, "{span}");
        assert_eq!(story.saved.0.last_good_time, Some(if written { START.plus(span) } else { START }));
    }
    let mut story = quiet();
    story.moment.now.wall = WallTime::from_unix(0);
    story.step(Event::Tick);
    let saves = story.saves;
    story.end();
    assert_eq!(story.saves, saves, "by a clock that is not believed");
}

/// A run that ends before the file was read has nothing to say.
#[test]
fn a_run_that_saw_nothing_writes_nothing() {
    let last_good_time = Some(START.plus(-9 * DAY));
    let durable = Durable { boot_id: "boot".to_owned(), last_good_time, ..Durable::default() };
    let mut story = Story::begin(TRANSPORT, true, None, durable);
    story.end();
    assert_eq!(story.saves, 0);
}

/// The serial of the last license is of use for this device only: a clone of its disk is another one.
#[test]
fn the_last_serial_is_remembered_for_its_device() {
    let durable = || Durable {
        boot_id: "boot".to_owned(),
        serial: "S-1".parse().ok(),
        duid: Some("D-1".to_owned()),
        ..Durable::default()
    };
    let story = Story::begin(TRANSPORT, true, None, durable()).on_device(FileContent::Missing);
    assert_eq!(story.asked, Some(view("S-1")));
    let clone = Durable { duid: Some("D-2".to_owned()), ..durable() };
    let story = Story::begin(TRANSPORT, true, None, clone).on_device(FileContent::Missing);
    assert_eq!(story.asked, Some(HubRequest::List));
}
