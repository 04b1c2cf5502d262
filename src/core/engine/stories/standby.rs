//! A pair of nodes: the one on standby leaves the license to the active one, until it takes over.

use super::*;
use crate::core::license::verify::State;

const PAIR: &str = "[trust]\nmode = \"transport\"\n[renewal]\nactive-file = \"/run/ha/active\"\n";

/// A node whose file is not there, with what the sync brought.
fn standby(file: FileContent) -> Story {
    let mut story = Story::begin(PAIR, true, None, Durable::default());
    story.step(Event::ActiveFile(ActiveFile::Absent));
    story.device(Ok("D-1"));
    story.step(Event::File(file));
    story
}

/// Bound to the other node.
fn theirs() -> FileContent {
    FileContent::Bytes(license_with("S-9", 0, 7, r#""duid":"D-9""#))
}

#[test]
fn nothing_is_asked_restored_or_alarmed_on_standby() {
    for file in [FileContent::Missing, theirs(), FileContent::Bytes(ours())] {
        let mut story = standby(file);
        for _ in 0..3 {
            story.pass(DAY / 4);
            story.step(Event::Poll);
            assert_eq!((&story.asked, &story.install), (&None, &None));
        }
        let status = story.status();
        assert_eq!((status.role.as_str(), status.healthy), ("standby", true), "{:?}", status.problems);
        assert_eq!(status.renewal.next_attempt_at, None);
        assert_eq!(status.renewal.reason.as_deref(), Some("this node is on standby"));
    }
    // Nor is a copy restored against whoever syncs the file.
    let mut story = standby(FileContent::Bytes(license("S-1", 0, 7)));
    story.step(Event::File(theirs()));
    assert_eq!(story.install, None);
}

#[test]
fn its_appearance_is_take_over() {
    let mut story = standby(FileContent::Bytes(license("S-1", 0, 7)));
    story.reloaded_if_asked();
    story.step(Event::File(theirs()));
    assert_eq!(story.status().state, State::WrongDevice);
    let reads = story.reads;
    story.step(Event::ActiveFile(ActiveFile::Present));
    story.noted(Level::Info, "this node takes over");
    assert!(story.reads > reads, "the license is read");
    story.written(&license("S-1", 0, 7));
    assert_eq!(story.status().role, "active");
    // Where there is none of its own, the hub is asked.
    let mut story = standby(theirs());
    story.step(Event::ActiveFile(ActiveFile::Present));
    assert_eq!(story.asked, Some(HubRequest::List));
}

#[test]
fn what_cannot_be_looked_at_changes_no_role() {
    let unknown = || Event::ActiveFile(ActiveFile::Unknown("permission denied".to_owned()));
    let mut story = standby(theirs());
    story.step(unknown());
    assert_eq!((story.status().role.as_str(), &story.asked), ("standby", &None));
    assert!(story.status().problems.iter().any(|problem| problem.contains("permission denied")));
    let mut story = Story::begin(PAIR, true, None, Durable::default());
    story.step(unknown());
    story = story.on_device(FileContent::Missing);
    assert_eq!(story.status().role, "active", "at start");
}

#[test]
fn commands_by_hand_work_on_standby() {
    let mut story = standby(theirs());
    let id = story.renew();
    assert!(story.asked.is_some());
    story.away();
    story.reloaded_if_asked();
    assert!(story.reply(id).1.ends_with("; this node is on standby"), "{}", story.reply(id).1);
    // Without the key there is no standby.
    let mut story = Story::begin(TRANSPORT, true, None, Durable::default());
    story.step(Event::ActiveFile(ActiveFile::Absent));
    story = story.on_device(FileContent::Missing);
    assert_eq!(story.status().role, "active");
}
