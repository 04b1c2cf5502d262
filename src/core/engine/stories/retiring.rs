//! A license is given back: first at the hub, then here; and a device can have one again.

use super::*;

fn deletion() -> HubRequest {
    HubRequest::Delete("S-1".parse().expect("a serial"))
}

/// The hub has deleted the license; the file is being removed.
fn retiring(keep_file: bool) -> (Story, RequestId) {
    let mut story = Story::command(TRANSPORT, FileContent::Bytes(license("S-1", 0, 7)));
    let id = story.request(Request::Retire { keep_file });
    story.data(&deletion(), b"null");
    assert_eq!(story.remove.take(), Some(keep_file));
    (story, id)
}

#[test]
fn the_file_goes_and_netifyd_is_told() {
    let (mut story, id) = retiring(false);
    let other = story.renew();
    story.replied(other, 1, "the license is being given back right now");
    let look = story.request(Request::Reread);
    story.replied(look, 0, "is read again");
    story.step(Event::Removed(Ok(())));
    assert!(!story.replies.contains_key(&id), "netifyd is told first");
    story.reloaded(ReloadOutcome::Confirmed);
    story.replied(id, 0, "the license was deleted at the hub; its file was removed; netifyd reloaded (signal)");
    let status = story.status();
    assert_eq!(status.renewal.reason.as_deref(), Some("the license was given back"));
    assert!(status.advice.iter().any(|advice| advice.contains("was given back with `retire`")), "{:?}", status.advice);
}

#[test]
fn the_file_may_stay() {
    let (mut story, id) = retiring(true);
    story.step(Event::Removed(Ok(())));
    story.replied(id, 0, "its file was left in place");
    assert!(story.status().problems.iter().any(|problem| problem.contains("was given back with `retire`")));
}

/// Another writer put another license there, long ago or while the hub was asked: it is not the one that was deleted.
#[test]
fn another_license_stays() {
    let text = format!("[license]\nserial = \"S-1\"\n{TRANSPORT}");
    for before in ["S-1", "S-2"] {
        let mut story = Story::daemon(&text, FileContent::Bytes(license(before, 0, 6)));
        story.reloaded_if_asked();
        let id = story.request(Request::Retire { keep_file: false });
        story.file = FileContent::Bytes(license("S-2", 0, 7));
        if before != "S-1" {
            // Whether it names this device is the hub's to say.
            story.listed(&[license("S-2", 0, 7), license("S-1", 0, 6)]);
        }
        story.data(&deletion(), b"null");
        story.replied(id, 0, "the license was deleted at the hub; the file holds another one, S-2, which stays");
        assert_eq!((story.remove, story.engine.attempt.is_some(), story.saved.0.retired), (None, false, false));
    }
    // Another version of the same one is gone as well.
    let mut story = Story::daemon(&text, FileContent::Bytes(license("S-1", 0, 6)));
    story.reloaded_if_asked();
    story.request(Request::Retire { keep_file: false });
    story.file = FileContent::Bytes(license("S-1", 0, 7));
    story.data(&deletion(), b"null");
    assert_eq!((story.remove, story.engine.cx.durable.retired), (Some(false), true));
}

/// A copy that could not be written is no trouble once there is none.
#[test]
fn what_was_given_back_need_not_be_written() {
    let mut story = Story::daemon(TRANSPORT, FileContent::Bytes(license("S-1", 0, 7)));
    story.reloaded_if_asked();
    let is_full = |story: &Story| story.status().problems.iter().any(|problem| problem.contains("is full"));
    story.step(Event::Wrote(StateFile::Kept, Err("the state directory is full".to_owned())));
    assert!(is_full(&story));
    story.request(Request::Retire { keep_file: false });
    story.data(&deletion(), b"null");
    story.step(Event::Removed(Ok(())));
    story.step(Event::Poll);
    assert!(!is_full(&story), "{:?}", story.status().problems);
}

#[test]
fn a_file_that_cannot_be_removed_is_told() {
    let (mut story, id) = retiring(false);
    story.step(Event::Removed(Err("read-only file system".to_owned())));
    story.replied(id, 1, "its file could not be removed: read-only file system");
    story.noted(Level::Error, "read-only file system");
}

#[test]
fn what_the_hub_does_not_know_needs_no_deletion() {
    let mut story = Story::command(TRANSPORT, FileContent::Bytes(license("S-1", 0, 7)));
    let id = story.request(Request::Retire { keep_file: false });
    story.answer(&deletion(), 404, GONE.to_vec());
    assert_eq!(story.remove, None, "a wrong address answers the same");
    // Its list has the license all the same.
    story.listed(&[license("S-1", 0, 7)]);
    story.reloaded_if_asked();
    story.replied(id, 5, "nothing was removed: the hub answered HTTP 404");
    assert_eq!(story.remove, None);

    story.request(Request::Retire { keep_file: false });
    story.answer(&deletion(), 404, GONE.to_vec());
    story.listed(&[license("S-2", 0, 7)]);
    assert_eq!(story.remove, Some(false));
}

#[test]
fn a_refusal_removes_nothing() {
    let mut story = Story::command(TRANSPORT, FileContent::Bytes(license("S-1", 0, 7)));
    let id = story.request(Request::Retire { keep_file: false });
    story.answer(&deletion(), 403, b"{}".to_vec());
    story.reloaded_if_asked();
    story.replied(id, 5, "nothing was removed: the hub answered HTTP 403");
    assert_eq!(story.remove, None);
}

#[test]
fn without_a_file_it_is_found_by_the_device() {
    let mut story = Story::command(TRANSPORT, FileContent::Missing);
    story.request(Request::Retire { keep_file: false });
    story.listed(&[license("S-1", 0, 7)]);
    story.data(&deletion(), b"null");
    assert_eq!(story.remove, Some(false));
}

#[test]
fn what_was_given_back_stays_away_until_it_is_asked_for() {
    let ours = license("S-1", 0, 7);
    let durable = Durable { retired: true, boot_id: "boot".to_owned(), ..Durable::default() };
    let mut story = Story::begin(PROVISION, true, Some(ours.clone()), durable).on_device(FileContent::Missing);
    assert!(story.asked.is_none() && story.install.is_none(), "neither the hub nor the kept copy");
    assert_eq!(story.status().renewal.next_attempt_at, None);
    // What was deleted at the hub is no baseline: the new one may end sooner.
    let id = story.request(Request::Provision);
    story.listed(&[]);
    let new = license("S-2", 0, 5);
    story.data(&creation(), br#"{"serial":"S-2"}"#);
    story.data(&view("S-2"), &new);
    story.written(&new);
    story.reloaded(ReloadOutcome::Confirmed);
    story.replied(id, 0, "license S-2 created and installed");
    assert!(!story.engine.cx.durable.retired);
}
