//! The license file in other hands: unreadable, replaced, judged again.

use super::*;
use crate::core::license::verify::State;

const SIGNATURE: &str = "[trust]\nmode = \"signature\"\n";

fn unreadable() -> FileContent {
    FileContent::Unreadable("permission denied".to_owned())
}

#[test]
fn nothing_is_judged_before_the_device_is_known() {
    let mut story = Story::begin(TRANSPORT, true, None, Durable::default());
    story.step(Event::File(FileContent::Bytes(license("S-1", 0, 7))));
    assert!(story.engine.cx.file.is_unknown());
    // A run that ends so early leaves no mark.
    assert!(story.engine.stop().iter().all(|action| !matches!(action, Action::SaveDurable(d) if d.serial.is_some())));
}

#[test]
fn another_configuration_judges_again() {
    let mut story = Story::daemon(TRANSPORT, FileContent::Bytes(license("S-1", 0, 7)));
    assert_eq!(story.status().state, State::Unchecked);
    story.step(Event::Configured(Box::new(config(SIGNATURE)), KeyRing::from_files([])));
    assert_eq!(story.status().state, State::Unsigned);
    assert_eq!(story.engine.config(), &config(SIGNATURE));
    story.noted(Level::Warn, "license state is unsigned");
    story.step(Event::Configured(Box::new(config(TRANSPORT)), KeyRing::from_files([])));
    assert_eq!(story.status().state, State::Unchecked);
    assert_eq!(story.engine.config(), &config(TRANSPORT));
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
fn install_says_what_is_lost_and_why_not() {
    let mut story = Story::command(TRANSPORT, FileContent::Bytes(license("S-1", 0, 7)));
    let less = license_with("S-1", 0, 9, r#""duid":"D-1","entitlements":["a"]"#);
    let id = story.give(less.clone(), false);
    story.replied(id, 3, "not installed: it no longer entitles to b; --force");
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
    assert!(story.kept.is_none() && story.engine.cx.durable.serial.is_none());
    assert_eq!(story.status().state, State::Unsigned);
}

#[test]
fn an_older_license_of_somebody_is_left_alone_until_it_is_due() {
    let mut story = Story::daemon(TRANSPORT, FileContent::Bytes(license("S-1", 0, 7)));
    story.reloaded_if_asked();
    let older = license("S-1", -1, 6);
    story.step(Event::File(FileContent::Bytes(older.clone())));
    story.noted(Level::Warn, "another writer installed an older license, which is left alone");
    assert!(!story.reload, "netifyd is not told");
    assert!(
        story.status().problems.iter().any(|problem| problem.contains("another writer installed an older license"))
    );
    story.pass(5 * DAY);
    story.written(&license("S-1", 0, 7));
}

/// What was seen between may have been read by netifyd, whoever crashes and starts again meanwhile.
#[test]
fn another_license_in_between_is_remembered_over_a_crash() {
    let ours = FileContent::Bytes(license("S-1", 0, 7));
    let mut story = Story::daemon(TRANSPORT, ours.clone());
    story.reloaded_if_asked();
    assert!(story.engine.cx.durable.loaded.is_some());
    story.step(Event::File(FileContent::Bytes(license("S-1", -1, 6))));
    let remembered = story.engine.cx.durable.clone();
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
    story.reloaded_if_asked();
    let full = || Err("the state directory is full".to_owned());
    let problems = |story: &Story| story.status().problems.iter().filter(|problem| problem.contains("is full")).count();
    for (file, saves, kept) in [(StateFile::Kept, 0, true), (StateFile::Memory, 1, false)] {
        story.step(Event::Wrote(file, full()));
        assert_eq!((problems(&story), story.engine.state_trouble(file)), (1, Some("the state directory is full")));
        (story.kept, story.saves) = (None, 0);
        // One file that is written is no reason to write the other one, and neither is time that goes by.
        let other = if kept { StateFile::Memory } else { StateFile::Kept };
        story.step(Event::Wrote(other, Ok(())));
        story.step(Event::Tick);
        assert_eq!((story.kept.as_ref(), story.saves), (None, 0));
        story.step(Event::Poll);
        let written = story.kept.take();
        assert_eq!(
            (written.map(|kept| kept.bytes().to_vec()), story.saves),
            (kept.then(|| license("S-1", 0, 7)), saves)
        );
        story.step(Event::Wrote(file, Ok(())));
        story.saves = 0;
        story.step(Event::Poll);
        assert_eq!((problems(&story), story.kept.as_ref(), story.saves), (0, None, 0));
    }
    story.step(Event::Wrote(StateFile::Memory, full()));
    story.saves = 0;
    story.end();
    assert_eq!(story.saves, 1, "once more at the end");
}

#[test]
fn what_changes_in_the_file_is_logged() {
    let first = license("S-1", 0, 7);
    let mut story = Story::daemon(TRANSPORT, FileContent::Bytes(first.clone()));
    story.noted(Level::Info, "license S-1 found, ends 2027-01-22");
    let same_end = license_with("S-1", -1, 7, r#""duid":"D-1","entitlements":["a","b"]"#);
    story.step(Event::File(FileContent::Bytes(same_end)));
    story.noted(Level::Info, "license S-1 adopted, ends 2027-01-22");
    assert!(!story.notes.iter().any(|(_, text)| text.contains("no longer entitles")));
    story.step(Event::File(FileContent::Bytes(license_with("S-1", 0, 9, r#""duid":"D-1","entitlements":["a"]"#))));
    story.noted(
        Level::Warn,
        "license S-1 adopted, ends 2027-01-24 08:00:00 UTC (in 9 days); it no longer entitles to b",
    );
    let mut story = Story::command(TRANSPORT, FileContent::Bytes(b"{".to_vec()));
    let still = "the license file was changed and is still malformed: ";
    assert!(!story.notes.iter().any(|(_, text)| text.contains(still)));
    story.step(Event::File(FileContent::Bytes(b"<html>".to_vec())));
    story.noted(Level::Warn, still);
}

/// Left alone while it was too early, it is a license like any other once its time has come.
#[test]
fn a_license_whose_time_comes_is_adopted_unless_a_better_one_is_kept() {
    for (kept, adopted) in [(7, true), (30, false), (40, false)] {
        let durable = Durable { boot_id: "boot".to_owned(), ..Durable::default() };
        let file = license("S-1", 1, 30);
        let mut story = Story::begin(TRANSPORT, true, Some(license("S-1", 0, kept)), durable)
            .on_device(FileContent::Bytes(file.clone()));
        story.noted(Level::Warn, "which is left alone");
        story.pass(DAY / 2);
        // A clock that is not believed makes nothing ripe.
        let now = story.moment.now.wall;
        story.moment.now.wall = WallTime::from_unix(0);
        story.step(Event::Tick);
        story.moment.now.wall = now;
        story.step(Event::Tick);
        assert!(story.kept.is_none() && !story.reload, "too early");
        story.asked = None;
        story.pass(DAY / 2);
        assert_eq!(story.kept.as_ref().is_some_and(|kept| kept.bytes() == file), adopted, "{kept}");
        assert_eq!(story.reload, adopted, "{kept}");
    }
}

/// Some hubs keep the date of the first issue through all renewals: it tells nothing about this version.
#[test]
fn the_beginning_of_a_version_is_remembered() {
    let issue = |story: &Story| story.saved.0.issues.first().map(|issue| issue.at);
    let adopting = |new: Vec<u8>, unset: bool| {
        let mut story = Story::daemon(TRANSPORT, FileContent::Bytes(license("S-1", 0, 7)));
        assert_eq!(issue(&story), Some(START), "its own date");
        story.moment.now.wall = if unset { WallTime::from_unix(0) } else { START.plus(DAY) };
        story.step(Event::File(FileContent::Bytes(new)));
        story.reloaded_if_asked();
        issue(&story)
    };
    assert_eq!(adopting(license("S-1", 1, 30), false), Some(START.plus(DAY)));
    assert_eq!(adopting(license("S-1", -1, 30), false), Some(START.plus(-DAY)), "another date is its own");
    assert_eq!(adopting(license("S-1", 0, 30), false), Some(START.plus(DAY)), "when it came");
    assert_eq!(adopting(license("S-1", 0, 30), true), Some(START.plus(23 * DAY)), "no clock: the shortest life");
    let story = Story::daemon(TRANSPORT, FileContent::Bytes(undated(0)));
    assert_eq!(issue(&story), Some(START.plus(-7 * DAY)), "nor one by which it ends now");
    // Seen again, it is the newest once more, with its date.
    let mut story = Story::daemon(TRANSPORT, FileContent::Bytes(license("S-1", 0, 7)));
    for (from, to) in [(1, 8), (0, 7), (1, 8)] {
        story.step(Event::File(FileContent::Bytes(license("S-1", from, to))));
    }
    let issues: Vec<WallTime> = story.engine.cx.durable.issues.iter().map(|issue| issue.at).collect();
    assert_eq!(issues, [START.plus(DAY), START]);
    assert_eq!(story.saved.0.serial.as_ref().map(crate::core::license::document::Serial::as_str), Some("S-1"));
}

/// Licenses come and never get onto the full disk: the beginning of the one that lies there stays known.
#[test]
fn what_could_not_be_written_displaces_nothing() {
    let mut story = Story::daemon(TRANSPORT, FileContent::Bytes(undated(7)));
    story.reloaded_if_asked();
    let due = |story: &Story| story.status().renewal.due_at;
    let before = due(&story);
    for days in 8..13 {
        story.pass(60 * MINUTE);
        story.give(undated(days), false);
        assert!(story.install.take().is_some());
        story.step(Event::Installed(Err("no space left on device".to_owned())));
        assert_eq!(due(&story), before);
    }
    assert_eq!(story.engine.cx.durable.issues.len(), crate::core::state::ISSUES);
}

/// A date in the future would poison the next boot's clock where there is no real-time clock.
#[test]
fn a_file_is_dated_by_the_best_clock() {
    let dated = |hub: Option<Millis>, unset: bool| {
        let mut story = Story::begin(TRANSPORT, false, None, Durable::default());
        if unset {
            story.moment.now.wall = WallTime::from_unix(2_000_000_000);
            story.moment.evidence =
                Evidence { kernel_synchronized: Some(false), timesync_marker: false, has_rtc: false };
        }
        let mut story = story.on_device(FileContent::Bytes(license("S-1", -6, 1)));
        story.renew();
        let new = license("S-1", 0, 7);
        match hub {
            Some(behind) => story.dated(&view("S-1"), &new, START.plus(-behind)),
            None => story.data(&view("S-1"), &new),
        }
        assert!(story.install.is_some());
        story.modified
    };
    assert_eq!(dated(None, false), None, "now");
    assert_eq!(dated(Some(5 * MINUTE), false), None);
    assert_eq!(dated(Some(5 * MINUTE + 1_000), false), Some(START.plus(-5 * MINUTE - 1_000)));
    assert_eq!(dated(Some(-DAY), false), None, "this clock is behind");
    assert_eq!(dated(None, true), Some(START), "its issue date is no lie");
}

#[test]
fn a_given_license_is_no_attempt_and_is_kept_though_the_configuration_changed() {
    let mut story = Story::command(TRANSPORT, FileContent::Missing);
    let new = license("S-1", 0, 7);
    story.give(new.clone(), false);
    story.step(Event::Configured(Box::new(config(TRANSPORT)), KeyRing::from_files([])));
    story.written(&new);
    assert_eq!(story.kept.as_ref().map(Authentic::bytes), Some(&new[..]));
    assert!(story.status().renewal.last_attempt.is_none());
    assert!(!story.engine.cx.durable.issues[0].own_renewal);
}

/// A license from the future came and went: what is back is no older one than what counted all the time.
#[test]
fn what_was_left_alone_is_no_measure_for_what_comes_after_it() {
    let ours = license("S-1", 0, 7);
    let mut story = Story::daemon(TRANSPORT, FileContent::Bytes(ours.clone()));
    story.reloaded_if_asked();
    story.step(Event::File(FileContent::Bytes(license("S-1", 1, 30))));
    story.noted(Level::Warn, "a license that is not valid yet, which is left alone");
    assert!(!story.reload);
    story.step(Event::File(FileContent::Bytes(ours)));
    assert!(story.reload, "netifyd may have read the other one");
    assert!(story.status().problems.iter().all(|problem| !problem.contains("older")), "{:?}", story.status().problems);
}

/// The license's own date tells that the clock is behind: by that clock nothing is too early.
#[test]
fn a_license_is_not_too_early_by_a_clock_that_it_refutes() {
    let mut story = Story::daemon(TRANSPORT, FileContent::Bytes(license("S-1", 0, 7)));
    story.reloaded_if_asked();
    story.moment.evidence.kernel_synchronized = Some(false);
    let new = license("S-1", 3, 10);
    story.step(Event::File(FileContent::Bytes(new.clone())));
    assert_eq!(story.status().state, State::ClockUntrusted);
    assert_eq!(story.kept.as_ref().map(Authentic::bytes), Some(&new[..]), "it is adopted");
    assert!(story.reload);
}
