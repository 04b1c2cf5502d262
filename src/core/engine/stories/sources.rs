//! Another configuration while the hub is asked.

use super::*;

fn hub(url: &str) -> String {
    format!("{TRANSPORT}[hub]\nurl = \"https://{url}/v2\"\n")
}

fn configure(story: &mut Story, text: &str) {
    story.step(Event::Configured(Box::new(config(text)), KeyRing::from_files([])));
}

/// The old hub's path with the new hub's name would hand the one's serial, and its credentials, to the other.
#[test]
fn an_attempt_begins_anew_at_another_source_and_the_late_response_is_dropped() {
    let mut story = Story::daemon(&hub("old.example"), FileContent::Bytes(ours()));
    let id = story.renew();
    assert_eq!(story.asked.take(), Some(view("S-1")));
    let late = story.io;
    configure(&mut story, RELAY);
    assert_eq!(story.asked, Some(HubRequest::Relay));
    assert_ne!(story.io, late);
    // What the old hub has is nothing to the relay.
    let body = [&br#"{"status_code":0,"data":"#[..], &license("S-1", 0, 9), b"}"].concat();
    story.step(Event::Answer(late, Ok(RawAnswer { status: 200, body, ..RawAnswer::default() })));
    assert_eq!((story.install.as_ref(), story.asked.as_ref()), (None, Some(&HubRequest::Relay)));
    story.answer(&HubRequest::Relay, 200, license("S-1", 0, 8));
    story.written(&license("S-1", 0, 8));
    story.reloaded_if_asked();
    story.replied(id, 0, "license S-1 fetched and installed");
}

#[test]
fn another_configuration_of_the_same_source_does_not_disturb_an_attempt() {
    let mut story = Story::daemon(&hub("hub.example"), FileContent::Bytes(ours()));
    let io = story.io;
    configure(&mut story, &format!("{}[renewal]\nmin-retry = \"2m\"\n", hub("hub.example")));
    assert_eq!((story.asked.as_ref(), story.io), (Some(&view("S-1")), io));
}

#[test]
fn no_license_is_deleted_at_a_source_that_nobody_meant() {
    let mut story = Story::daemon(&hub("old.example"), FileContent::Bytes(license("S-1", 0, 7)));
    story.reloaded_if_asked();
    let id = story.request(Request::Retire { keep_file: false });
    assert!(matches!(story.asked.take(), Some(HubRequest::Delete(_))));
    configure(&mut story, &hub("new.example"));
    assert_eq!(story.asked, None);
    story.replied(id, 1, "nothing was removed: the source of licenses was changed while it was asked");
}
