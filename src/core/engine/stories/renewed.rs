//! What follows a renewal that the hub confirmed.

use super::*;
use crate::core::time::HOUR;

/// The daemon of a license that is due; the hub has shown the same one, and is asked to renew it.
fn renewing() -> Story {
    let mut story = due();
    story.data(&view("S-1"), &ours());
    story
}

#[test]
fn the_answer_of_a_renew_is_the_license() {
    let mut story = renewing();
    let new = license("S-1", 0, 7);
    story.data(&renewal("S-1"), &new);
    story.written(&new);
    story.reloaded(ReloadOutcome::Confirmed);
    assert_eq!(story.asked, None, "two requests");
    assert_eq!(story.engine.cx.durable.confirmed_renewal, None);
}

#[test]
fn an_answer_in_another_shape_is_looked_up() {
    let new = license("S-1", 0, 7);
    let object = String::from_utf8(new.clone()).expect("text").replace("unix", "unix_time").into_bytes();
    let other_device = license_with("S-1", 0, 7, r#""duid":"D-2","entitlements":["a","b"]"#);
    for answer in [b"null".to_vec(), b"{}".to_vec(), object, other_device, ours()] {
        let mut story = renewing();
        story.data(&renewal("S-1"), &answer);
        story.data(&view("S-1"), &new);
        story.written(&new);
    }
    // Another serial than was asked for is refused.
    let mut story = renewing();
    story.data(&renewal("S-1"), &license("S-2", 0, 7));
    assert_eq!((&story.asked, &story.install), (&None, &None));
    story.noted(Level::Warn, "it has serial S-2, and S-1 was asked for");
}

/// A cache shows the old license for ten minutes: it is looked at each minute, and not renewed again.
#[test]
fn a_renewal_that_a_cache_hides_is_waited_for() {
    let mut story = renewing();
    story.data(&renewal("S-1"), b"null");
    story.data(&view("S-1"), &ours());
    story.noted(Level::Info, "the hub renewed, but still shows the license that ends ");
    for _ in 0..10 {
        assert_eq!(story.next().0, MINUTE);
        story.wait();
        story.data(&view("S-1"), &ours());
        assert_eq!(story.asked, None, "no second renewal");
        assert_eq!(story.status().renewal.consecutive_failures, 0);
    }
    // Nor after a restart.
    let mut story = story.again(MINUTE, "other boot");
    story.data(&view("S-1"), &ours());
    assert_eq!(story.asked, None);
    story.wait();
    let new = license("S-1", 0, 7);
    story.data(&view("S-1"), &new);
    story.written(&new);
    assert_eq!(story.engine.cx.durable.confirmed_renewal, None);
}

#[test]
fn after_an_hour_the_hub_is_asked_once_more() {
    let mut story = renewing();
    story.data(&renewal("S-1"), b"null");
    story.data(&view("S-1"), &ours());
    let begin = story.moment.now.wall;
    loop {
        story.wait();
        story.data(&view("S-1"), &ours());
        if story.asked.is_some() {
            break;
        }
    }
    let waited = story.moment.now.wall.since(begin);
    assert!((HOUR..HOUR + 20 * MINUTE).contains(&waited), "{waited}");
    story.data(&renewal("S-1"), b"null");
    story.data(&view("S-1"), &ours());
    assert_eq!(story.status().renewal.consecutive_failures, 1, "twice is no cache");
}
