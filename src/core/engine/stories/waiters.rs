//! Who waits for a reply: not too many, not for ever, and not for a client that has left.

use super::*;

/// The daemon of a license that is due. The hub is asked, and does not answer.
fn asking() -> Story {
    let story = due();
    assert_eq!(story.asked, Some(view("S-1")));
    story
}

#[test]
fn one_more_than_sixty_four_is_refused_at_once() {
    let mut story = asking();
    let waiting: Vec<RequestId> = (0..64).map(|_| story.renew()).collect();
    let refused = story.renew();
    story.replied(refused, 1, "64 requests wait already");
    assert_eq!(story.replies.len(), 1);
    // A client that leaves makes room, and gets no reply.
    story.step(Event::RequesterLeft(waiting[0]));
    let late = story.renew();
    story.data(&view("S-1"), &license("S-1", -6, 8));
    story.written(&license("S-1", -6, 8));
    story.reloaded_if_asked();
    story.replied(late, 0, "netifyd reloaded");
    assert_eq!(story.replies.len(), 65, "{:?}", story.replies.keys());
    assert!(!story.replies.contains_key(&waiting[0]));
}

#[test]
fn what_a_client_asked_for_goes_on_without_it() {
    let mut story = Story::begin(TRANSPORT, true, None, Durable::default());
    let id = story.renew();
    // Before the file was read for the first time it is not even known what it means.
    story.step(Event::RequesterLeft(id));
    let mut story = story.on_device(FileContent::Bytes(license("S-1", 0, 7)));
    story.reloaded_if_asked();
    assert_eq!(story.asked, Some(view("S-1")), "it is not due, but a person asked");
}

#[test]
fn a_request_waits_as_long_as_a_healthy_daemon_can_need() {
    let mut story = asking();
    let id = story.renew();
    let longest = story.engine.config().longest_request();
    story.pass(longest - 1);
    assert!(story.replies.is_empty());
    story.pass(1);
    story.replied(id, 1, "still under way after");
    story.replied(id, 1, "the hub is being asked");
    // The work goes on.
    story.data(&view("S-1"), &license("S-1", -6, 8));
    story.written(&license("S-1", -6, 8));
    assert_eq!(story.replies.len(), 1);
}

#[test]
fn four_files_at_most_wait_to_be_installed() {
    let mut story = Story::daemon(TRANSPORT, FileContent::Bytes(license("S-1", 0, 7)));
    story.reloaded_if_asked();
    story.step(Event::FileChanged);
    for id in 100..105 {
        let request = Request::Install { bytes: license("S-1", 0, 8), force: false };
        let actions = story.engine.step(story.moment, Event::Request(id, request));
        story.absorb(actions);
    }
    assert_eq!(story.replies.len(), 1);
}

#[test]
fn a_renewal_shares_the_creation_that_is_under_way() {
    let mut story = Story::daemon(PROVISION, FileContent::Missing);
    assert_eq!(story.asked, Some(HubRequest::List), "a license is looked for, and made where there is none");
    let id = story.renew();
    story.listed(&[]);
    story.data(&creation(), &license("S-9", 0, 7));
    story.data(&view("S-9"), &license("S-9", 0, 7));
    story.written(&license("S-9", 0, 7));
    story.reloaded_if_asked();
    story.replied(id, 0, "license S-9 created and installed");
}
