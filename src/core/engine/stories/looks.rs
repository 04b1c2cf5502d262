//! When the engine looks at the license file, when it wants to be stepped, and what it takes for loaded.

use super::*;
use crate::core::state::ReloadPause;
use crate::core::time::SECOND;

fn ours() -> Vec<u8> {
    license("S-1", 0, 7)
}

/// The daemon with nothing to do for days.
fn quiet() -> Story {
    let mut story = Story::daemon(TRANSPORT, FileContent::Bytes(ours()));
    story.reloaded_if_asked();
    story
}

/// Time until the engine wants to be stepped, and why.
fn deadline(story: &Story) -> Option<(Millis, Why)> {
    story.engine.next_deadline().map(|deadline| (deadline.after, deadline.why))
}

#[test]
fn a_changed_file_is_read_once_it_is_left_alone() {
    let mut story = quiet();
    let reads = story.reads;
    story.step(Event::FileChanged);
    assert_eq!(deadline(&story), Some((SECOND, Why::FileSettles)));
    story.pass(SECOND - 1);
    assert_eq!(story.reads, reads);
    story.pass(1);
    assert_eq!(story.reads, reads + 1);
    story.pass(SECOND);
    assert_eq!(story.reads, reads + 1, "once");
}

#[test]
fn a_file_that_changes_all_the_time_is_read_all_the_same() {
    let mut story = quiet();
    let reads = story.reads;
    for _ in 0..9 {
        story.step(Event::FileChanged);
        story.pass(500);
    }
    assert_eq!(story.reads, reads);
    story.step(Event::FileChanged);
    assert_eq!(deadline(&story), Some((500, Why::FileSettles)));
    story.pass(500);
    assert_eq!(story.reads, reads + 1, "after five seconds");
}

#[test]
fn nobody_looks_while_somebody_writes() {
    let mut story = quiet();
    story.step(Event::FileChanged);
    let reads = story.reads;
    story.engine.write(super::super::writer::Job::Candidate(Vec::new()));
    assert_eq!(story.engine.writer.jobs.len(), 1);
    story.step(Event::Tick);
    assert_eq!(story.reads, reads, "it settles");
    // The hub's license is judged after the one that is being written.
    let mut story = due();
    story.give(license("S-1", 0, 8), false);
    story.data(&view("S-1"), &license("S-1", 0, 9));
    let reads = story.reads;
    story.written(&license("S-1", 0, 8));
    assert_eq!(story.reads, reads + 1);
    story.written(&license("S-1", 0, 9));
    assert_eq!(story.reads, reads + 1, "nobody waits any more");
}

/// Whoever asks has it read at once, also while somebody writes it: a torn file is looked at again before it is put right.
#[test]
fn what_a_request_finds_torn_is_looked_at_again() {
    let mut story = quiet();
    story.file = FileContent::Bytes(b"{".to_vec());
    let id = story.give(license_with("S-1", 0, 9, r#""duid":"D-2""#), false);
    story.replied(id, 3, "wrong-device");
    assert_eq!(story.install, None);
    story.pass(SECOND);
    assert_eq!(story.install.as_ref().map(Authentic::bytes), Some(&ours()[..]));
    // A whole one needs no other look.
    let mut story = quiet();
    story.give(license_with("S-1", 0, 9, r#""duid":"D-2""#), false);
    let reads = story.reads;
    story.pass(SECOND);
    assert_eq!(story.reads, reads);
    story.file = FileContent::Missing;
    story.give(license("S-1", 0, 9), false);
    let (reads, install) = (story.reads, story.install.take());
    story.pass(SECOND);
    assert_eq!((install.is_some(), story.reads), (true, reads), "nor one that is being replaced");
}

#[test]
fn the_engine_wakes_when_a_license_changes_its_state() {
    let command = |from, to| Story::command(TRANSPORT, FileContent::Bytes(license("S-1", from, to)));
    let state = Why::StateTurns;
    assert_eq!(deadline(&command(1, 9)), Some((DAY - 5 * MINUTE, state)), "its time comes");
    let mut story = command(0, 10);
    let due = story.status().renewal.due_at.expect("a due time").0;
    let overdue = due.since(START) + START.plus(10 * DAY).since(due) / 4;
    assert_eq!(deadline(&story), Some((overdue, state)), "its renewal is overdue");
    story.pass(overdue);
    assert_eq!(deadline(&story), Some((9 * DAY - overdue, state)), "its last tenth begins");
    assert_eq!(deadline(&command(-99, 1)), Some((DAY, state)), "it ends");
    assert_eq!(deadline(&command(-7, 0)), None, "it has ended");
    let mut story = Story::begin(TRANSPORT, false, None, Durable::default());
    story.moment.now.wall = WallTime::from_unix(0);
    let story = story.on_device(FileContent::Bytes(ours()));
    assert_eq!(deadline(&story).map(|(_, why)| why), Some(Why::ClockReview));
}

/// netifyd starts with the machine, and reads what the file holds then.
#[test]
fn what_netifyd_has_loaded_is_known_after_a_boot_unless_a_reload_went_wrong() {
    let sha256 = quiet().engine.cx.file.good().map(|license| license.sha256().to_owned());
    let loaded = |durable: Durable, volatile: Volatile, memory_lost: bool| {
        let moment = quiet().moment;
        let (config, keys, boot_id) = (config(TRANSPORT), KeyRing::from_files([]), "boot".to_owned());
        let start = Start { config, keys, durable, memory_lost, volatile, kept: None, boot_id, daemon: true };
        let story = Story::start(start, moment).on_device(FileContent::Bytes(ours()));
        assert_eq!(story.status().reload.pending, story.reload);
        !story.reload
    };
    let of = |boot_id: &str, loaded: Option<&String>| Durable {
        boot_id: boot_id.to_owned(),
        loaded: loaded.cloned(),
        ..Durable::default()
    };
    let fine = Volatile::default;
    assert!(loaded(of("boot", sha256.as_ref()), fine(), false), "it was told in this boot");
    assert!(!loaded(of("boot", None), fine(), false));
    assert!(!loaded(of("boot", Some(&"another".to_owned())), fine(), false));
    assert!(loaded(of("another", None), fine(), false));
    assert!(loaded(Durable::default(), fine(), false), "it was there before this program");
    assert!(!loaded(Durable::default(), fine(), true), "nobody knows");
    assert!(!loaded(of("another", None), Volatile { reload_failures: 1, ..fine() }, false));
    let pause = ReloadPause { boot_id: "another".to_owned(), since: 0, until: 1 };
    assert!(!loaded(of("another", None), Volatile { reload_pause: Some(pause), ..fine() }, false));
}

/// A clock of 1970, and a hub that knows better.
#[test]
fn the_hub_tells_the_time_where_the_clock_cannot() {
    for (ends, due) in [(1, true), (60, false)] {
        let ours = license("S-1", -6, ends);
        let mut story = Story::begin(TRANSPORT, true, None, Durable::default());
        story.moment.now.wall = WallTime::from_unix(0);
        let mut story = story.on_device(FileContent::Bytes(ours.clone()));
        story.reloaded_if_asked();
        assert_eq!(story.status().state, crate::core::license::verify::State::ClockUntrusted);
        story.dated(&view("S-1"), &ours, START);
        assert_eq!(story.asked, due.then(|| renewal("S-1")));
    }
}

/// Somebody put a license there whose time has not come, by the hub's clock either: the kept one serves until then, falls
/// due, and is what others are measured by.
#[test]
fn a_license_whose_time_has_not_come_stands_in_nobodys_way() {
    let early = || {
        let durable = Durable { boot_id: "boot".to_owned(), ..Durable::default() };
        Story::begin(TRANSPORT, false, Some(ours()), durable).on_device(FileContent::Bytes(license("S-1", 1, 60)))
    };
    assert!(early().status().renewal.due_at.is_some_and(|due| due.0 < START.plus(7 * DAY)));
    for (ends, installed) in [(9, true), (6, false)] {
        let mut story = early();
        story.renew();
        story.dated(&view("S-1"), &license("S-1", 0, ends), START);
        assert_eq!(story.install.is_some(), installed, "{ends}");
    }
    // Not valid by this clock alone is not valid either.
    let mut story = early();
    story.renew();
    story.dated(&view("S-1"), &license("S-1", 0, 9), START.plus(DAY));
    assert!(story.install.is_some());
}
