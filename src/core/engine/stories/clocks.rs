//! What a wrong clock wrote is refuted by a right one; an outage is measured by the clock that does not step.

use super::*;
use crate::core::license::verify::State;
use crate::core::time::SECOND;

/// A daemon that nobody's synchronization vouches for, with this last good time.
fn doubting(last_good: WallTime) -> Story {
    let durable = Durable { boot_id: "boot".to_owned(), last_good_time: Some(last_good), ..Durable::default() };
    let mut story = Story::begin(TRANSPORT, true, None, durable);
    story.moment.evidence.kernel_synchronized = Some(false);
    story.on_device(FileContent::Bytes(license("S-1", 0, 7)))
}

/// The last good time was once 400 days ahead: one answer of the hub, and the clock is believed again.
#[test]
fn a_last_good_time_that_lies_in_the_future_is_refuted_by_the_hub() {
    let mut story = doubting(START.plus(400 * DAY));
    assert_eq!(story.status().state, State::ClockUntrusted);
    story.reloaded_if_asked();
    story.dated(&view("S-1"), &license("S-1", 0, 7), START.plus(SECOND));
    assert_eq!(story.status().state, State::Unchecked);
    assert_eq!(story.saved.0.last_good_time, Some(START), "what is on disk would be believed after the next start");
    let story = story.again(MINUTE, "boot");
    assert_eq!(story.status().state, State::Unchecked);
}

#[test]
fn a_cache_a_refusal_and_a_page_tell_no_time() {
    let date = Some(START.rfc3339());
    let data = [&br#"{"status_code":0,"data":"#[..], &license("S-1", 0, 7), b"}"].concat();
    for answer in [
        RawAnswer { status: 200, age: Some("60".to_owned()), body: data.clone(), ..RawAnswer::default() },
        RawAnswer { status: 403, body: data.clone(), ..RawAnswer::default() },
        RawAnswer { status: 200, body: b"<html>".to_vec(), ..RawAnswer::default() },
    ] {
        let mut story = doubting(START.plus(400 * DAY));
        story.asked = None;
        story.step(Event::Answer(story.io, Ok(RawAnswer { date: date.clone(), ..answer })));
        assert_eq!(story.status().state, State::ClockUntrusted);
    }
}

/// An outage that began in 1970 by the wall clock lasted 50 years, and the wait after it was a third of what was left.
#[test]
fn an_outage_is_measured_by_elapsed_time() {
    let mut story = due();
    story.away();
    // The clock is set, ten years ahead and back.
    story.moment.now.wall = START.plus(MINUTE);
    story.moment.now.boot = BootTime(60_000 + MINUTE);
    let began = story.engine.cx.volatile.outage.clone().expect("an outage");
    assert_eq!((began.boot_id.as_str(), began.boot), ("boot", 60_000));
    story.wait();
    story.away();
    assert_eq!(story.engine.cx.volatile.outage, Some(began), "it goes on");
}

#[test]
fn a_missing_key_is_no_outage_of_the_hub() {
    let mut story = due();
    story.asked = None;
    let error = TransportError { message: "no key".to_owned(), local: true };
    story.step(Event::Answer(story.io, Err(error)));
    assert_eq!(story.engine.cx.volatile.outage, None);
}

/// A reload of the configuration every minute, or a timer that asks every minute, is no attempt every minute.
#[test]
fn what_comes_every_minute_does_not_cut_every_wait() {
    let mut story = due();
    let mut asked = 0;
    for minute in 0..(24 * 60) {
        if minute % 2 == 0 {
            let config = config(TRANSPORT);
            story.step(Event::Configured(Box::new(config), KeyRing::from_files([])));
            story.device(Ok("D-1"));
        } else {
            story.request(Request::Renew { if_due: true, dry_run: false, accept_changes: false });
        }
        if story.asked.is_some() {
            asked += 1;
            story.away();
        }
        story.pass(MINUTE);
        if story.asked.is_some() {
            asked += 1;
            story.away();
        }
    }
    assert!((30..300).contains(&asked), "{asked} attempts a day");
    assert!(story.replies.values().all(|reply| reply.exit == 1), "it is due, and nothing came");
}
