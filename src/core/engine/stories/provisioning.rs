//! A license for a device that has none: found at the hub by the device's id, made when there is none.

use super::*;

/// A command on a device without a license.
fn asking() -> (Story, RequestId) {
    let mut story = Story::command(PROVISION, FileContent::Missing);
    let id = story.request(Request::Provision);
    (story, id)
}

/// The daemon there, which last tried to create one at this time; its clock is believed or not.
fn daemon(tried: Option<Millis>) -> Story {
    let durable = Durable {
        provision_tried_at: tried.map(|span| START.plus(span)),
        boot_id: "boot".to_owned(),
        ..Durable::default()
    };
    Story::begin(PROVISION, true, None, durable).on_device(FileContent::Missing)
}

#[test]
fn what_the_hub_has_is_taken_and_the_later_one() {
    let (mut story, id) = asking();
    let (late, foreign) = (license("S-2", 0, 9), license_with("S-9", 0, 30, r#""duid":"D-2","entitlements":["a"]"#));
    story.listed(&[license("S-1", 0, 7), late.clone(), foreign, b"7".to_vec()]);
    story.data(&view("S-2"), &late);
    story.written(&late);
    story.reloaded(ReloadOutcome::Confirmed);
    story.replied(id, 0, "license S-2 fetched and installed");
}

#[test]
fn where_there_is_none_one_is_made_and_confirmed() {
    let (mut story, id) = asking();
    story.listed(&[]);
    story.data(&creation(), br#"{"serial":"S-1"}"#);
    let new = license("S-1", 0, 7);
    story.data(&view("S-1"), &new);
    story.written(&new);
    story.reloaded(ReloadOutcome::Confirmed);
    story.replied(id, 0, "license S-1 created and installed");
    assert_eq!(story.engine.cx.durable.provision_tried_at, Some(START));
}

#[test]
fn a_creation_that_names_no_serial_is_looked_up() {
    for (listed, gone) in [(true, false), (true, true), (false, false)] {
        let (mut story, id) = asking();
        story.listed(&[]);
        story.data(&creation(), b"{}");
        let new = license("S-1", 0, 7);
        if !listed {
            story.listed(&[]);
            story.replied(id, 1, "the hub lists no license for device D-1");
            continue;
        }
        story.listed(std::slice::from_ref(&new));
        if gone {
            // It was made a moment ago: a second one is not.
            story.answer(&view("S-1"), 404, GONE.to_vec());
            story.replied(id, 5, "HTTP 404");
            assert_eq!(story.asked, None);
        } else {
            story.data(&view("S-1"), &new);
            story.written(&new);
        }
    }
}

#[test]
fn a_license_that_is_listed_and_not_there_is_made_anew() {
    let (mut story, _) = asking();
    story.listed(&[license("S-1", 0, 7)]);
    story.answer(&view("S-1"), 404, GONE.to_vec());
    assert_eq!(story.asked, Some(creation()));
}

#[test]
fn one_that_has_ended_is_renewed_or_replaced() {
    for (members, status) in [("", 409), ("", 500), (r#""renewable":false,"#, 0)] {
        let (mut story, id) = asking();
        let old = license_with("S-1", -9, -2, &format!(r#"{members}"duid":"D-1","entitlements":["a"]"#));
        story.listed(std::slice::from_ref(&old));
        story.data(&view("S-1"), &old);
        if status != 0 {
            story.answer(&renewal("S-1"), status, br#"{"status_code":17}"#.to_vec());
        }
        if status == 500 {
            story.replied(id, 1, "HTTP 500");
            assert_eq!(story.asked, None, "the hub may renew it yet");
        } else {
            assert_eq!(story.asked, Some(creation()));
        }
    }
}

#[test]
fn one_that_serves_is_left_as_it_is() {
    for members in ["", r#""renewable":false,"#] {
        let ours = license_with("S-1", 0, 7, &format!(r#"{members}"duid":"D-1","entitlements":["a"]"#));
        let mut story = Story::command(PROVISION, FileContent::Bytes(ours.clone()));
        let id = story.request(Request::Provision);
        story.listed(std::slice::from_ref(&ours));
        story.data(&view("S-1"), &ours);
        story.reloaded_if_asked();
        story.replied(id, 0, "the installed license is the latest that the hub has; nothing was changed");
    }
}

#[test]
fn a_new_one_that_ends_sooner_is_not_installed() {
    let ours = license("S-1", 0, 9);
    let mut story = Story::command(PROVISION, FileContent::Bytes(ours));
    let id = story.request(Request::Provision);
    story.listed(&[]);
    story.data(&creation(), br#"{"serial":"S-2"}"#);
    story.data(&view("S-2"), &license("S-2", 0, 7));
    story.reloaded_if_asked();
    story.replied(id, 0, "no later than the installed one, which stays");
    assert!(story.install.is_none());
}

#[test]
fn a_device_that_forgets_its_id_gets_none() {
    let (mut story, id) = asking();
    story.device(Err("gone"));
    story.listed(&[]);
    story.replied(id, 1, "this device's id is not known, so its license cannot be found");

    let (mut story, id) = asking();
    story.listed(&[license("S-1", 0, 7)]);
    story.device(Err("gone"));
    story.answer(&view("S-1"), 404, GONE.to_vec());
    story.replied(id, 1, "this device's id is not known, so no license can be made for it");
}

#[test]
fn the_daemon_makes_one_a_day_at_most() {
    // Never, and a day ago; by a clock that was ten years ahead.
    for tried in [None, Some(-DAY), Some(3_650 * DAY)] {
        let mut story = daemon(tried);
        story.listed(&[]);
        assert_eq!(story.asked, Some(creation()), "{tried:?}");
    }
    let mut story = daemon(Some(DAY));
    story.listed(&[]);
    assert_eq!(story.asked, None, "a day ahead is no proof of a wrong clock");
    let mut story = daemon(Some(-DAY + 1));
    story.listed(&[]);
    assert_eq!(story.asked, None, "an attempt to renew, which finds nothing");
    assert_eq!(story.status().renewal.last_attempt.as_ref().map(|last| last.outcome), Some(Word::NotFound));
    // The day was over when the attempt began; then the clock was set back.
    let mut story = daemon(Some(-DAY));
    story.moment.now.wall = START.plus(-1);
    story.listed(&[]);
    let error = story.status().renewal.last_attempt.as_ref().and_then(|last| last.error.clone());
    assert!(error.is_some_and(|error| error.contains("once a day at most")));
}

#[test]
fn a_clock_that_is_not_believed_makes_no_new_day() {
    let durable = Durable { provision_tried_at: Some(START), boot_id: "boot".to_owned(), ..Durable::default() };
    let mut story = Story::begin(PROVISION, true, None, durable);
    story.moment.now.wall = WallTime::from_unix(0);
    story = story.on_device(FileContent::Missing);
    story.listed(&[]);
    assert_eq!(story.asked, None);
}

/// Our clock is set ten years ahead, believed, and set back: to the hub it is the same day.
#[test]
fn the_hub_s_clock_counts_the_days() {
    let mut story = daemon(None);
    let hub = |story: &Story| START.plus(story.moment.now.boot.since(BootTime(60_000)));
    let creates = |story: &mut Story, ahead: Millis| {
        let now = hub(story);
        story.moment.now.wall = now.plus(ahead);
        story.dated(&HubRequest::List, b"[]", now);
        let asked = story.asked == Some(creation());
        if asked {
            story.away();
        }
        story.pass(story.next().0);
        asked
    };
    assert!(creates(&mut story, 0));
    assert_eq!([(); 2].map(|()| creates(&mut story, 3_650 * DAY)), [false, false]);
    while hub(&story) < START.plus(DAY) {
        assert!(!creates(&mut story, 0));
    }
    assert!(creates(&mut story, 0));
}

#[test]
fn a_license_that_the_hub_has_lost_is_made_anew() {
    let ours = license("S-1", -6, 1);
    let mut story = Story::command(PROVISION, FileContent::Bytes(ours.clone()));
    let id = story.renew();
    story.answer(&view("S-1"), 404, GONE.to_vec());
    story.listed(&[]);
    story.answer(&creation(), 403, br#"{"status_message":"No."}"#.to_vec());
    story.reloaded_if_asked();
    story.replied(id, 5, "HTTP 403");

    // The daemon does so too; not where it may not, nor for a serial that was set.
    for (text, tried, made) in [
        (PROVISION.to_owned(), None, true),
        (PROVISION.to_owned(), Some(0), false),
        (TRANSPORT.to_owned(), None, false),
        (format!("{PROVISION}[license]\nserial = \"S-1\"\n"), None, false),
    ] {
        let set = text.contains("serial");
        let durable = Durable {
            provision_tried_at: tried.map(|span: Millis| START.plus(span)),
            boot_id: "boot".to_owned(),
            ..Durable::default()
        };
        let mut story = Story::begin(&text, true, None, durable).on_device(FileContent::Bytes(ours.clone()));
        story.answer(&view("S-1"), 404, GONE.to_vec());
        if !set {
            story.listed(&[]);
        }
        assert_eq!(story.asked, made.then(creation), "{text}");
    }
}

#[test]
fn a_list_of_several_pages_makes_none() {
    let (mut story, id) = asking();
    story.data(&HubRequest::List, br#"{"data":[],"next":"2"}"#);
    story.replied(id, 1, "lists a part of its licenses only");
}

#[test]
fn creations_by_hand_have_a_floor() {
    let (mut story, id) = asking();
    while story.engine.cx.volatile.manual.take(crate::core::schedule::rate_limit::MANUAL).is_ok() {}
    story.listed(&[]);
    story.replied(id, 1, "too many renewals in a row");
}
