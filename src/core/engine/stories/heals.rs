//! A broken file is put right from the kept copy, and nobody is fought over it.

use super::*;
use crate::core::license::verify::State;

#[test]
fn the_daemon_puts_a_broken_file_right() {
    for file in [FileContent::Missing, FileContent::Bytes(b"<html>".to_vec())] {
        let mut story = keeping(TRANSPORT, true, file);
        story.written(&license("S-1", 0, 7));
        story.noted(Level::Info, "license S-1 put back");
        assert_eq!(story.status().state, State::Unchecked);
    }
}

#[test]
fn a_command_heals_nothing_nor_does_a_copy_of_another_serial() {
    let story = keeping(TRANSPORT, false, FileContent::Missing);
    assert!(story.install.is_none());
    let other = format!("{TRANSPORT}[license]\nserial = \"S-2\"\n");
    assert!(keeping(&other, true, FileContent::Missing).install.is_none());
    let same = format!("{TRANSPORT}[license]\nserial = \"S-1\"\n");
    assert!(keeping(&same, true, FileContent::Missing).install.is_some());
}

#[test]
fn a_heal_that_fails_is_tried_again() {
    let mut story = keeping(TRANSPORT, true, FileContent::Missing);
    assert!(story.install.take().is_some());
    story.step(Event::Installed(Err("no space left on device".to_owned())));
    story.noted(Level::Warn, "license S-1 could not be installed: no space left on device");
    let reads = story.reads;
    story.pass(29_999);
    assert_eq!(story.reads, reads);
    story.pass(1);
    assert_eq!(story.reads, reads + 1);
    story.step(Event::File(FileContent::Missing));
    assert!(story.install.is_some());
}

#[test]
fn a_broken_file_is_replaced_by_the_best_that_is_known() {
    // The hub's, unless ours ends later.
    for (theirs, wanted) in [((0, 7), (0, 7)), ((-1, 7), (-1, 7)), ((0, 6), (0, 7))] {
        let mut story = keeping(TRANSPORT, false, FileContent::Missing);
        story.renew();
        story.data(&view("S-1"), &license("S-1", theirs.0, theirs.1));
        story.written(&license("S-1", wanted.0, wanted.1));
    }
}

/// Between the last look and now somebody may have put a better one there.
#[test]
fn the_kept_license_comes_back_by_a_fresh_look_only() {
    let mut story = Story::daemon(TRANSPORT, FileContent::Bytes(license("S-1", 0, 7)));
    story.reloaded_if_asked();
    story.step(Event::File(FileContent::Bytes(license("S-1", -1, 6))));
    story.file = FileContent::Bytes(license("S-1", 2, 9));
    story.pass(5 * DAY);
    assert_eq!(story.install, None);
    assert_eq!(story.kept.as_ref().map(Authentic::bytes), Some(&license("S-1", 2, 9)[..]), "it is adopted");
}

/// The daemon of a license that is due; its file was put right three times just now, and the hub is away.
fn quarrel() -> Story {
    let mut story = keeping(TRANSPORT, true, FileContent::Bytes(license("S-1", 0, 7)));
    story.reloaded_if_asked();
    story.pass(story.next().0);
    story.away();
    for _ in 0..3 {
        story.step(Event::File(FileContent::Missing));
        story.written(&license("S-1", 0, 7));
        story.reloaded_if_asked();
    }
    story
}

#[test]
fn who_keeps_breaking_the_file_is_not_fought() {
    let mut story = quarrel();
    story.step(Event::File(FileContent::Missing));
    assert_eq!((story.install.as_ref(), story.asked.as_ref()), (None, None));
    story.noted(Level::Error, "was put right three times within an hour and is broken again");
    assert_eq!(story.next(), (60 * MINUTE, "somebody else keeps writing the license file"));
    // A good license ends that.
    story.step(Event::File(FileContent::Bytes(license("S-1", -30, 7))));
    assert_eq!(story.next().1, "attempt 1 failed (outage), backing off");
}

#[test]
fn nor_is_who_keeps_installing_an_older_license() {
    let mut story = quarrel();
    story.step(Event::File(FileContent::Bytes(license("S-1", -1, 6))));
    story.pass(2 * MINUTE);
    assert_eq!((story.install.as_ref(), story.asked.as_ref()), (None, Some(&view("S-1"))), "the hub is asked instead");
}

#[test]
fn the_hubs_license_in_a_broken_files_place_counts_as_putting_it_right() {
    for (kept, file, heals) in [
        (true, FileContent::Missing, 1),
        (true, FileContent::Bytes(license("S-1", 0, 7)), 0),
        (false, FileContent::Missing, 0),
    ] {
        let text = format!("{TRANSPORT}[license]\nserial = \"S-1\"\n");
        let durable = Durable { boot_id: "boot".to_owned(), ..Durable::default() };
        let kept = kept.then(|| license("S-1", 0, 7));
        let mut story = Story::begin(&text, false, kept, durable).on_device(file);
        story.renew();
        story.data(&view("S-1"), &license("S-1", 0, 9));
        assert!(story.install.is_some());
        assert_eq!(story.engine.cx.volatile.heals.len(), heals);
    }
}

#[test]
fn the_rest_after_three_heals_is_the_rest_of_the_hour() {
    let next = |heals: &[Millis]| {
        let moment = Story::begin(TRANSPORT, false, None, Durable::default()).moment;
        let volatile =
            Volatile { heals: heals.iter().map(|ago| START.plus(-ago * MINUTE)).collect(), ..Volatile::default() };
        let durable = Durable { boot_id: "boot".to_owned(), ..Durable::default() };
        let (config, keys, kept) = (config(TRANSPORT), KeyRing::from_files([]), Some(license("S-1", -6, 1)));
        let boot_id = "boot".to_owned();
        let start = Start {
            config,
            keys,
            durable,
            memory_lost: false,
            volatile,
            kept,
            boot_id,
            daemon: false,
            machine: Machine::default(),
        };
        let story = Story::start(start, moment).on_device(FileContent::Missing);
        let (wait, why) = story.next();
        (wait.max(0), why.contains("somebody else keeps writing"))
    };
    assert_eq!(next(&[10]), (0, false));
    assert_eq!(next(&[10, 5]), (0, false));
    assert_eq!(next(&[10, 5, 1]), (50 * MINUTE, true));
    assert_eq!(next(&[60, 5, 1]), (0, false), "an hour ago is over");
    // By a clock that was ahead.
    assert_eq!(next(&[-10, 5, 1]), (0, false));
}
