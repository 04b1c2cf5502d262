//! A broken file is put right from the kept copy, and nobody is fought over it.

use super::*;
use crate::core::license::verify::State;
use crate::core::schedule::rate_limit::{RESTORE, Rate};

/// A bucket from which all tokens are wanted.
const RESTORE_ALL: Rate = Rate { capacity: 1, interval: RESTORE.interval };

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

/// A restore that could not be written, and what can be seen of the file system since.
fn failed_restore() -> Story {
    let mut story = keeping(TRANSPORT, true, FileContent::Missing);
    assert!(story.install.take().is_some());
    story.step(Event::Installed(Err("no space left on device".to_owned())));
    story
}

#[test]
fn a_restore_that_fails_is_tried_again() {
    let mut story = failed_restore();
    story.noted(Level::Warn, "license S-1 could not be installed: no space left on device");
    let restore = &story.status().restore;
    assert_eq!((restore.pending, restore.reason.as_deref()), (true, Some("no space left on device")));
    assert!(story.status().problems.iter().any(|problem| problem.contains("waits to be restored: no space left")));
    story.pass(29_999);
    assert!(!story.probe);
    story.pass(1);
    assert!(std::mem::take(&mut story.probe));
    // Nothing is written while it can be seen that nothing would fit.
    for _ in 0..100 {
        story.step(Event::Probed(Room::Blocked("read-only".to_owned())));
        assert_eq!((story.install.as_ref(), story.status().restore.reason.as_deref()), (None, Some("read-only")));
        story.pass(30_000);
        assert!(std::mem::take(&mut story.probe));
    }
    story.step(Event::Probed(Room::Free));
    story.written(&license("S-1", 0, 7));
    assert!(!story.status().restore.pending && story.status().restore.reason.is_none());
}

#[test]
fn where_only_a_write_can_tell_the_tries_back_off_to_an_hour() {
    let mut story = failed_restore();
    let (mut writes, mut gap, mut longest) = (1, 0, 0);
    for _ in 0..(24 * 60 * 2) {
        story.pass(30_000);
        gap += 30_000;
        while std::mem::take(&mut story.probe) {
            story.step(Event::Probed(if writes % 2 == 0 { Room::Free } else { Room::Unknown }));
        }
        if story.install.take().is_some() {
            (writes, longest, gap) = (writes + 1, gap.max(longest), 0);
            story.step(Event::Installed(Err("rename failed".to_owned())));
        }
    }
    assert!((25..40).contains(&writes), "{writes} writes a day");
    assert!((60 * MINUTE..=61 * MINUTE).contains(&longest), "{longest}");
    // A failed write takes no token: three restores are still free.
    assert!(story.engine.cx.volatile.restores.is_full());
}

#[test]
fn while_a_restore_waits_the_hub_is_asked_when_it_is_time() {
    let durable = Durable { boot_id: "boot".to_owned(), ..Durable::default() };
    let mut story = Story::begin(TRANSPORT, true, Some(ours()), durable).on_device(FileContent::Missing);
    assert!(story.install.take().is_some());
    story.step(Event::Installed(Err("rename failed".to_owned())));
    assert_eq!(story.asked, Some(view("S-1")), "the license is due");
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
fn who_keeps_breaking_the_file_is_not_fought_and_the_license_comes_back_within_the_hour() {
    let mut story = quarrel();
    story.step(Event::File(FileContent::Missing));
    assert_eq!((story.install.as_ref(), story.asked.as_ref()), (None, None));
    story.noted(Level::Error, "it was restored three times and is broken again");
    assert_eq!(story.next(), (60 * MINUTE, "another process keeps changing the license file"));
    let restore = &story.status().restore;
    assert_eq!(restore.next_at.map(|at| at.0.since(story.moment.now.wall)), Some(60 * MINUTE));
    story.pass(60 * MINUTE - 1);
    assert_eq!(story.install, None);
    story.pass(1);
    story.written(&license("S-1", 0, 7));
    // And again, an hour later, as long as that goes on.
    story.reloaded_if_asked();
    story.step(Event::File(FileContent::Missing));
    assert_eq!(story.install, None);
    story.pass(60 * MINUTE);
    story.written(&license("S-1", 0, 7));
    // A good license of another process ends that.
    let mut story = quarrel();
    story.step(Event::File(FileContent::Missing));
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

/// Only a restore that got onto the disk and was undone takes a token.
#[test]
fn a_restore_that_lasts_takes_no_token() {
    let mut story = keeping(TRANSPORT, true, FileContent::Missing);
    let tokens = |story: &Story| story.engine.cx.volatile.restores.wait(RESTORE_ALL);
    story.written(&license("S-1", 0, 7));
    assert_eq!(tokens(&story), 0);
    story.step(Event::File(FileContent::Missing));
    assert!(tokens(&story) > 0, "it was undone");
    // A person's or another process's better license undoes nothing.
    let mut story = keeping(TRANSPORT, true, FileContent::Missing);
    story.written(&license("S-1", 0, 7));
    story.step(Event::File(FileContent::Bytes(license("S-1", 0, 9))));
    story.step(Event::File(FileContent::Missing));
    assert_eq!(tokens(&story), 0);
}

#[test]
fn the_hubs_license_in_a_broken_files_place_counts_as_a_restore() {
    for (kept, file, restored) in [
        (true, FileContent::Missing, true),
        (true, FileContent::Bytes(license("S-1", 0, 7)), false),
        (false, FileContent::Missing, false),
    ] {
        let text = format!("{TRANSPORT}[license]\nserial = \"S-1\"\n");
        let durable = Durable { boot_id: "boot".to_owned(), ..Durable::default() };
        let kept = kept.then(|| license("S-1", 0, 7));
        let mut story = Story::begin(&text, false, kept, durable).on_device(file);
        story.renew();
        story.data(&view("S-1"), &license("S-1", 0, 9));
        story.written(&license("S-1", 0, 9));
        assert_eq!(story.engine.cx.volatile.restored.is_some(), restored);
    }
}
