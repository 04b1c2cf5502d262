//! What is asked at the wrong moment, or cannot be had, is answered in words; who asks for the same, joins.

use super::*;

#[test]
fn a_relay_neither_creates_nor_deletes() {
    let mut story = Story::command(RELAY, FileContent::Missing);
    let id = story.request(Request::Provision);
    story.replied(id, 2, "a relay cannot create licenses");
    let id = story.request(Request::Retire { keep_file: false });
    story.replied(id, 2, "a relay cannot delete licenses");
    assert_eq!(story.asked, None);
}

#[test]
fn provision_needs_to_know_for_whom_and_what() {
    for (text, words) in [
        ("[license]\nserial = \"S-1\"\n", "license.serial names the license of this device"),
        ("", "needs provision.issued-to and provision.entitlements"),
        ("[provision]\nissued-to = \"x\"\n", "needs provision.issued-to and provision.entitlements"),
    ] {
        let mut story = Story::command(text, FileContent::Missing);
        let id = story.request(Request::Provision);
        story.replied(id, 78, words);
        assert_eq!(story.asked, None);
    }
}

#[test]
fn without_serial_and_device_there_is_nothing_to_ask_for() {
    let mut story = Story::begin(TRANSPORT, true, None, Durable::default());
    // What is asked before the file was read is answered after it.
    let early = story.renew();
    assert!(story.replies.is_empty());
    story.device(Err("no such file"));
    story.step(Event::File(FileContent::Missing));
    story.replied(early, 1, "no such file");
    let advice = story.status().advice.join(" ");
    assert!(advice.contains("set device.duid or license.serial"), "{advice}");
    assert!(story.status().problems.iter().any(|problem| problem.contains("no such file")));
    assert_eq!(story.status().renewal.reason.as_deref(), Some("there is neither a serial nor a device id to ask for"));
    // Every minute the device is looked at again; the same sentence is not logged again.
    let (reads, notes) = (story.reads, story.notes.len());
    story.step(Event::Poll);
    assert_eq!(story.reads, reads + 1);
    for _ in 0..2 {
        story.device(Err("no such file"));
    }
    let said = story.notes.iter().filter(|(_, text)| text.contains("no such file")).count();
    assert!(said <= 2 && story.notes.len() <= notes + 1, "{:?}", story.notes);
    story.device(Ok("D-1"));
    assert_eq!(story.asked, Some(HubRequest::List), "now it can be found");
    let reads = story.reads;
    story.step(Event::Poll);
    assert_eq!(story.reads, reads);
}

/// Nothing was sent, so nobody is spared by a longer wait.
#[test]
fn a_secret_that_is_put_in_its_place_is_found_within_minutes() {
    let mut story = Story::daemon(TRANSPORT, FileContent::Missing);
    for _ in 0..20 {
        assert!(story.asked.take().is_some());
        let error = TransportError { message: "no key".to_owned(), local: true };
        story.step(Event::Answer(story.io, Err(error)));
        let deadline = story.engine.next_deadline().expect("the next attempt");
        assert!(deadline.after <= 5 * MINUTE, "{deadline:?}");
        story.pass(deadline.after);
    }
}

#[test]
fn the_installed_license_has_a_serial_to_ask_for() {
    let mut story = Story::begin(TRANSPORT, false, None, Durable::default());
    story.device(Err("no such file"));
    story.step(Event::File(FileContent::Bytes(license_with("S-1", -6, 1, r#""entitlements":["a"]"#))));
    story.renew();
    assert_eq!(story.asked, Some(view("S-1")));
    // And so has the one that was there before, as long as no other device is known.
    let durable = Durable { boot_id: "boot".to_owned(), serial: "S-1".parse().ok(), ..Durable::default() };
    let mut story = Story::begin(TRANSPORT, false, None, durable);
    story.device(Err("no such file"));
    story.step(Event::File(FileContent::Missing));
    story.renew();
    assert_eq!(story.asked, Some(view("S-1")));
}

#[test]
fn a_serial_is_enough() {
    let text = format!("{TRANSPORT}[license]\nserial = \"S-1\"\n");
    let mut story = Story::begin(&text, false, None, Durable::default());
    story.device(Err("none"));
    story.step(Event::File(FileContent::Missing));
    let id = story.renew();
    // Without a device id, a list would not help.
    story.answer(&view("S-1"), 404, GONE.to_vec());
    story.replied(id, 5, "HTTP 404");
}

#[test]
fn a_renewal_is_joined_by_who_wants_the_same() {
    let (old, new) = (license("S-1", -5, 2), license("S-1", 0, 7));
    let mut story = Story::command(TRANSPORT, FileContent::Bytes(old));
    let first = story.renew();
    let other = story.request(Request::Renew { if_due: false, dry_run: true, accept_changes: false });
    story.replied(other, 1, "another attempt is under way");
    let second = story.renew();
    story.data(&view("S-1"), &new);
    let third = story.renew();
    let given = story.give(license("S-1", 0, 9), false);
    story.replied(given, 1, "another license is being installed right now");
    story.written(&new);
    story.reloaded(ReloadOutcome::Confirmed);
    for id in [first, second, third] {
        story.replied(id, 0, "license S-1 fetched and installed");
    }
}

#[test]
fn nothing_begins_while_a_given_license_is_written() {
    let mut story = Story::command(TRANSPORT, FileContent::Missing);
    let new = license("S-1", 0, 7);
    let given = story.give(new.clone(), false);
    let late = story.renew();
    story.replied(late, 1, "a license is being installed right now");
    story.written(&new);
    story.reloaded(ReloadOutcome::Disabled);
    story.replied(given, 0, "so netifyd was not told");
}

#[test]
fn if_due_does_nothing_before() {
    let mut story = Story::command(TRANSPORT, FileContent::Bytes(license("S-1", 0, 7)));
    story.reloaded_if_asked();
    let id = story.request(Request::Renew { if_due: true, dry_run: false, accept_changes: false });
    story.reloaded_if_asked();
    story.replied(id, 0, "nothing to do: the license is due in ");
    assert_eq!(story.asked, None);
    let mut story = Story::command(TRANSPORT, FileContent::Bytes(license("S-1", -6, 1)));
    story.request(Request::Renew { if_due: true, dry_run: false, accept_changes: false });
    assert_eq!(story.asked, Some(view("S-1")));
}

/// Nobody checks who chose it.
#[test]
fn a_serial_speaks_to_no_terminal() {
    let hostile = license(r"S\u001b[31m\n|1", 0, 7);
    let mut story = Story::daemon(TRANSPORT, FileContent::Missing);
    story.away();
    let id = story.give(hostile.clone(), false);
    story.written(&hostile);
    story.reloaded(ReloadOutcome::Confirmed);
    story.replied(id, 0, "license S [31m |1 installed, ends ");
    let mut found = Story::daemon(TRANSPORT, FileContent::Bytes(hostile));
    found.step(Event::File(FileContent::Bytes(license(r"S\u001b[31m\n|1", 0, 8))));
    for (_, text) in story.notes.iter().chain(&found.notes) {
        assert!(!text.contains(char::is_control), "{text:?}");
    }
}

#[test]
fn whoever_is_refused_is_told_what_to_do() {
    for (status, words) in [
        (401, "; `netify-licensed renew` tries a new one at once"),
        (422, "; `netify-licensed hub list` shows"),
        (429, ""),
    ] {
        let mut story = Story::command(TRANSPORT, FileContent::Bytes(ours()));
        story.reloaded_if_asked();
        let id = story.renew();
        story.answer(&view("S-1"), status, b"{}".to_vec());
        story.reloaded_if_asked();
        let text = story.reply(id).1;
        assert!(text.contains(words) && (status != 429 || !text.contains("above")), "{text}");
    }
}

/// What has ended is refused with --force as well.
#[test]
fn force_is_offered_where_it_helps() {
    for (to, hint) in [(5, true), (-1, false)] {
        let mut story = Story::command(TRANSPORT, FileContent::Bytes(license("S-1", 0, 7)));
        let id = story.give(license("S-2", -2, to), false);
        assert_eq!(story.reply(id).1.contains("--force"), hint, "{}", story.reply(id).1);
    }
}

/// The kept copy is due in days; that is nothing to netifyd, which has no license.
#[test]
fn if_due_puts_right_what_is_broken() {
    for file in [FileContent::Missing, FileContent::Bytes(b"junk".to_vec())] {
        let mut story = keeping(TRANSPORT, false, file);
        let id = story.request(Request::Renew { if_due: true, dry_run: false, accept_changes: false });
        story.data(&view("S-1"), &license("S-1", 0, 5));
        story.written(&license("S-1", 0, 7));
        story.reloaded(ReloadOutcome::Confirmed);
        story.replied(id, 0, "license S-1 put back, ends ");
    }
    let unreadable = FileContent::Unreadable("license.json: is a directory".to_owned());
    let mut story = keeping(TRANSPORT, false, unreadable);
    let id = story.request(Request::Renew { if_due: true, dry_run: false, accept_changes: false });
    story.replied(id, 3, "license.json: is a directory");
    assert_eq!(story.asked, None);
    // Nor does a renewal that brought nothing make it readable.
    let id = story.renew();
    for to in [view("S-1"), renewal("S-1"), view("S-1")] {
        story.data(&to, &license("S-1", 0, 7));
    }
    story.replied(id, 3, "license.json: is a directory");
    let id = story.renew();
    story.answer(&view("S-1"), 401, b"{}".to_vec());
    story.replied(id, 5, "HTTP 401");
}

#[test]
fn a_dry_run_changes_nothing() {
    let old = license("S-1", -5, 2);
    let mut story = Story::command(TRANSPORT, FileContent::Bytes(old.clone()));
    let dry = |story: &mut Story, theirs: &[u8]| {
        let id = story.request(Request::Renew { if_due: false, dry_run: true, accept_changes: false });
        story.data(&view("S-1"), theirs);
        assert!(story.install.is_none() && story.asked.is_none());
        story.reply(id).1.to_owned()
    };
    assert!(dry(&mut story, &license("S-1", 0, 7)).contains("it would be installed"));
    assert!(dry(&mut story, &old).contains("it would be asked to renew"));
    let fixed = license_with("S-1", -5, 2, r#""duid":"D-1","renewable":false,"entitlements":["a","b"]"#);
    assert!(dry(&mut story, &fixed).contains("is not renewable"));
}

#[test]
fn an_answer_that_nobody_waits_for_is_dropped() {
    let mut story = Story::command(TRANSPORT, FileContent::Missing);
    story.step(Event::Answer(story.io, Ok(RawAnswer { status: 200, ..RawAnswer::default() })));
    story.step(Event::Installed(Ok(())));
    story.step(Event::Removed(Ok(())));
    assert!(story.asked.is_none() && story.replies.is_empty() && story.status().license.serial.is_none());
}

#[test]
fn a_serial_that_fits_no_url_is_not_asked_for() {
    let odd = license("S 1/../2", -5, 2);
    let mut story = Story::command(TRANSPORT, FileContent::Bytes(odd.clone()));
    let id = story.renew();
    story.listed(&[odd]);
    story.replied(id, 1, "the hub lists no license for device D-1");
    assert_eq!(story.engine.cx.durable.serial, None);
    let text = format!("{TRANSPORT}[license]\nserial = \"S-1\"\n");
    let mut story = Story::command(&text, FileContent::Missing);
    let id = story.renew();
    story.data(&view("S-1"), &license("S 1", -9, -2));
    story.replied(id, 3, "the hub's license is refused: it has serial S 1, and S-1 was asked for");
}

/// Its signature decides over a license, and a code that nobody knows does not.
#[test]
fn a_license_beside_an_odd_code_is_a_license() {
    let (old, new) = (license("S-1", -5, 2), license("S-1", 0, 7));
    let mut story = Story::command(TRANSPORT, FileContent::Bytes(old));
    story.renew();
    story.answer(&view("S-1"), 200, [&br#"{"status_code":17,"data":"#[..], &new, b"}"].concat());
    story.written(&new);
}

#[test]
fn a_relay_is_called_one() {
    let mut story = Story::command(RELAY, FileContent::Missing);
    let id = story.renew();
    story.answer(&HubRequest::Relay, 200, license_with("S-1", 0, 7, r#""duid":"D-2""#));
    story.replied(id, 3, "the relay's license is wrong-device");
}

#[test]
fn a_renewal_by_hand_is_not_asked_for_without_end() {
    let old = license("S-1", -5, 2);
    let mut story = Story::command(TRANSPORT, FileContent::Bytes(old.clone()));
    while story.engine.cx.volatile.manual.take(crate::core::schedule::rate_limit::MANUAL).is_ok() {}
    let id = story.renew();
    story.data(&view("S-1"), &old);
    story.reloaded_if_asked();
    story.replied(id, 1, "too many renewals in a row");
    assert_eq!(story.asked, None);
}

#[test]
fn an_early_renewal_may_reach_no_further() {
    let mut story = Story::command(TRANSPORT, FileContent::Bytes(license("S-1", 0, 7)));
    let id = story.renew();
    story.data(&view("S-1"), &license("S-1", 0, 7));
    story.data(&renewal("S-1"), b"{}");
    story.data(&view("S-1"), &license("S-1", 0, 7));
    story.reloaded_if_asked();
    story.replied(id, 0, "the hub renewed, but its license still ends");
    assert_eq!(story.status().renewal.consecutive_failures, 0);
}

#[test]
fn a_renewal_that_brings_nothing_is_a_failure_once_the_license_is_due() {
    let renewed_in_vain = |story: &mut Story, ours: &[u8]| {
        story.data(&view("S-1"), ours);
        story.data(&renewal("S-1"), b"{}");
        story.data(&view("S-1"), ours);
        story.reloaded_if_asked();
        story.status().renewal.consecutive_failures
    };
    let ours = license("S-1", 0, 7);
    let mut story = Story::daemon(TRANSPORT, FileContent::Bytes(ours.clone()));
    story.reloaded_if_asked();
    story.pass(story.next().0);
    assert_eq!(renewed_in_vain(&mut story, &ours), 1);
    // By hand at this very moment, too.
    let mut story = Story::command(TRANSPORT, FileContent::Bytes(ours.clone()));
    story.pass(story.next().0);
    let id = story.renew();
    assert_eq!(renewed_in_vain(&mut story, &ours), 1);
    story.replied(id, 3, "the hub renewed, but its license still ends");
}

/// A relay's clients cannot ask for a serial: what is better is taken whatever its serial, unless one is configured.
#[test]
fn a_relays_better_license_is_taken_whatever_its_serial() {
    let serial = format!("{RELAY}[license]\nserial = \"S-1\"\n");
    for (text, taken) in [(RELAY, true), (&serial, false)] {
        let mut story = Story::command(text, FileContent::Bytes(license("S-1", -6, 1)));
        let id = story.renew();
        story.answer(&HubRequest::Relay, 200, license("S-2", 0, 7));
        assert_eq!(story.install.is_some(), taken, "{text}");
        if !taken {
            story.reloaded_if_asked();
            story.replied(id, 3, "it has serial S-2, and license.serial is S-1");
        }
    }
    let mut story = Story::command(TRANSPORT, FileContent::Bytes(license("S-1", -11, 1)));
    story.renew();
    story.data(&view("S-1"), &license("S-2", 0, 7));
    assert_eq!(story.install, None, "a hub was asked for one");
}
