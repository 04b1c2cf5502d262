//! The license file in other hands: broken, unreadable, put back, replaced, judged again.

use super::*;
use crate::core::verify::State;

const SIGNATURE: &str = "[trust]\nmode = \"signature\"\n";

fn unreadable() -> FileContent {
    FileContent::Unreadable("permission denied".to_owned())
}

/// With a kept copy of a license.
fn keeping(text: &str, daemon: bool, file: FileContent) -> Story {
    let durable = Durable { boot_id: "boot".to_owned(), ..Durable::default() };
    Story::begin(text, daemon, Some(license("S-1", 0, 7)), durable).on_device(file)
}

#[test]
fn nothing_is_judged_before_the_device_is_known() {
    let mut story = Story::begin(TRANSPORT, true, None, Durable::default());
    story.step(Event::File(FileContent::Bytes(license("S-1", 0, 7))));
    assert!(story.engine.file.is_unknown());
    // A run that ends so early leaves no mark.
    assert!(story.engine.stop().iter().all(|action| !matches!(action, Action::SaveDurable(d) if d.serial.is_some())));
}

#[test]
fn another_configuration_judges_again() {
    let mut story = Story::daemon(TRANSPORT, FileContent::Bytes(license("S-1", 0, 7)));
    assert_eq!(story.status().state, State::Unchecked);
    story.step(Event::Configured(Box::new(config(SIGNATURE)), KeyRing::from_files([])));
    assert_eq!(story.status().state, State::Unsigned);
    story.noted(Level::Warn, "license state is unsigned");
    story.step(Event::Configured(Box::new(config(TRANSPORT)), KeyRing::from_files([])));
    assert_eq!(story.status().state, State::Unchecked);
}

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
    story.pass(30_000);
    assert_eq!(story.reads, reads + 1);
    story.step(Event::File(FileContent::Missing));
    assert!(story.install.is_some());
}

#[test]
fn what_cannot_be_read_is_not_overwritten_unasked() {
    let mut story = Story::command(TRANSPORT, unreadable());
    let new = license("S-1", 0, 7);
    let id = story.give(new.clone(), false);
    story.replied(id, 3, "not installed: permission denied; --force replaces it unread");
    let id = story.give(new.clone(), true);
    story.written(&new);
    story.reloaded(ReloadOutcome::Confirmed);
    story.replied(id, 0, "license S-1 installed");
    let mut story = Story::daemon(TRANSPORT, unreadable());
    let reads = story.reads;
    story.step(Event::Poll);
    assert_eq!(story.reads, reads + 1, "it may have become readable");
}

#[test]
fn the_kept_copy_is_the_measure_of_what_cannot_be_read() {
    let mut story = keeping(TRANSPORT, false, unreadable());
    let id = story.give(license("S-1", 0, 6), false);
    story.replied(id, 3, "earlier than the installed license");
    let id = story.give(license("S-1", 0, 7), false);
    story.written(&license("S-1", 0, 7));
    story.reloaded(ReloadOutcome::Confirmed);
    story.replied(id, 0, "license S-1 installed");
    // The hub has what we have, which may be whole: it is asked for a later one.
    let mut story = keeping(TRANSPORT, false, unreadable());
    story.renew();
    story.data(&view("S-1"), &license("S-1", 0, 7));
    assert_eq!(story.asked, Some(renewal("S-1")));
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

#[test]
fn install_says_what_is_lost_and_why_not() {
    let mut story = Story::command(TRANSPORT, FileContent::Bytes(license("S-1", 0, 7)));
    let less = license_with("S-1", 0, 9, r#""duid":"D-1","entitlements":["a"]"#);
    let id = story.give(less.clone(), false);
    story.replied(id, 3, "it lacks entitlements of the installed license, which still serves: b; --force");
    let id = story.give(license("S-1", -9, -2), false);
    story.replied(id, 4, "it expired 2 days ago");
    let id = story.give(license("S-1", 1, 9), false);
    assert!(!story.reply(id).1.contains("--force"), "it would not help");
    let id = story.give(license_with("S-1", 0, 9, r#""duid":"D-2""#), true);
    story.replied(id, 3, "the license is wrong-device");
    let id = story.give(license("S-1", 0, 7), false);
    story.reloaded_if_asked();
    story.replied(id, 0, "already installed, byte for byte");
    let id = story.give(less.clone(), true);
    story.written(&less);
    story.reloaded_if_asked();
    story.replied(id, 0, "; it no longer entitles to b");
    story.noted(Level::Warn, "it no longer entitles to b");
    let id = story.give(license("S-1", 0, 12), false);
    assert!(story.install.take().is_some());
    story.step(Event::Installed(Err("no space left on device".to_owned())));
    story.replied(id, 1, "not installed: no space left on device");
}

#[test]
fn a_license_that_turns_bad_while_it_is_written_is_not_kept() {
    let mut story = Story::command(TRANSPORT, FileContent::Missing);
    let new = license("S/1", 0, 7);
    story.give(new.clone(), false);
    story.step(Event::Configured(Box::new(config(SIGNATURE)), KeyRing::from_files([])));
    // What is read meanwhile is old news.
    story.step(Event::File(FileContent::Missing));
    story.written(&new);
    assert!(story.kept.is_none() && story.engine.durable.serial.is_none());
    assert_eq!(story.status().state, State::Unsigned);
}

#[test]
fn an_older_license_of_somebody_is_left_alone_until_it_is_due() {
    let mut story = Story::daemon(TRANSPORT, FileContent::Bytes(license("S-1", 0, 7)));
    story.reloaded_if_asked();
    let older = license("S-1", -1, 6);
    story.step(Event::File(FileContent::Bytes(older.clone())));
    story.noted(Level::Warn, "somebody installed an older license, which is left alone");
    assert!(!story.reload, "netifyd is not told");
    assert!(story.status().problems.iter().any(|problem| problem.contains("somebody installed an older license")));
    story.pass(5 * DAY);
    story.written(&license("S-1", 0, 7));
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

/// What was seen between may have been read by netifyd, whoever crashes and starts again meanwhile.
#[test]
fn another_license_in_between_is_remembered_over_a_crash() {
    let ours = FileContent::Bytes(license("S-1", 0, 7));
    let mut story = Story::daemon(TRANSPORT, ours.clone());
    story.reloaded_if_asked();
    assert!(story.engine.durable.loaded.is_some());
    story.step(Event::File(FileContent::Bytes(license("S-1", -1, 6))));
    let remembered = story.engine.durable.clone();
    let mut again = Story::begin(TRANSPORT, true, Some(license("S-1", 0, 7)), remembered).on_device(ours);
    again.reloaded(ReloadOutcome::Confirmed);
}

#[test]
fn more_is_asked_for_than_the_license_has() {
    let text = "[trust]\nmode = \"transport\"\n[provision]\nentitlements = [\"a\", \"z\"]\n";
    let story = Story::daemon(text, FileContent::Bytes(license("S-1", 0, 7)));
    let problems = story.status().problems.join("; ");
    assert!(problems.contains("provision.entitlements asks for more than the license has: z"), "{problems}");
}

#[test]
fn state_that_cannot_be_written_is_written_later() {
    let mut story = Story::daemon(TRANSPORT, FileContent::Bytes(license("S-1", 0, 7)));
    story.step(Event::StateTrouble(Some("the state directory is full".to_owned())));
    assert!(story.status().problems.iter().any(|problem| problem.contains("is full")));
    story.kept = None;
    story.step(Event::StateTrouble(None));
    assert_eq!(story.kept.as_ref().map(Authentic::bytes), Some(&license("S-1", 0, 7)[..]));
}
