//! What is told to people: what is wrong, and what they can do about it. Nothing else: a sentence too many hides the
//! others.

use super::*;

const UNCHECKED: &str = "the signature is not checked (trust.mode = \"transport\")";
const AGAIN: &str = "the daemon tries again by itself; `netify-licensed renew` does so at once";

fn ours(from: i64, to: i64) -> FileContent {
    FileContent::Bytes(license("S-1", from, to))
}

fn fixed(from: i64, to: i64) -> FileContent {
    FileContent::Bytes(license_with("S-1", from, to, r#""duid":"D-1","renewable":false,"entitlements":["a","b"]"#))
}

/// Problems but for the one that all stories have, and advice.
fn told(story: &Story) -> (Vec<&str>, Vec<&str>) {
    let status = story.status();
    let problems = status.problems.iter().map(String::as_str).filter(|problem| *problem != UNCHECKED).collect();
    (problems, status.advice.iter().map(String::as_str).collect())
}

/// The beginnings of what is told, one for one.
#[track_caller]
fn tells(story: &Story, problems: &[&str], advice: &[&str]) {
    let told = told(story);
    let alike = |told: &[&str], wanted: &[&str]| {
        told.len() == wanted.len() && told.iter().zip(wanted).all(|(told, wanted)| told.starts_with(wanted))
    };
    assert!(alike(&told.0, problems) && alike(&told.1, advice), "{told:#?}");
}

#[test]
fn a_license_that_is_well_is_not_talked_of() {
    let mut story = Story::daemon(TRANSPORT, ours(0, 7));
    story.reloaded_if_asked();
    assert_eq!(story.status().problems, [UNCHECKED]);
    tells(&story, &[], &[]);
    assert!(story.status().healthy);
}

#[test]
fn each_state_of_the_file_has_its_sentences() {
    let path = "/etc/netifyd/license.json: ";
    let shown = |text: &str, file: FileContent| Story::command(text, file);
    let none = "`netify-licensed renew` fetches it, `netify-licensed provision` creates one, ";
    let of = |words: &str| format!("{path}{words}");
    let missing = of("there is no license");
    tells(&shown(TRANSPORT, FileContent::Missing), &[&missing], &[none]);
    tells(&shown(RELAY, FileContent::Missing), &[&missing], &["`netify-licensed renew` fetches it from the relay"]);
    let unreadable = FileContent::Unreadable("permission denied".to_owned());
    tells(&shown(TRANSPORT, unreadable), &["permission denied"], &["let the daemon's user read the file"]);
    let html = FileContent::Bytes(b"<html>".to_vec());
    tells(&shown(TRANSPORT, html), &[path], &["`netify-licensed renew` fetches it anew, "]);
    let foreign = FileContent::Bytes(license_with("S-1", 0, 7, r#""duid":"D-2""#));
    tells(&shown(TRANSPORT, foreign), &[path], &["if the license came from another device"]);
    let ended = of("the license expired at 2027-01-14");
    tells(&shown(TRANSPORT, ours(-8, -1)), &[&ended], &["`netify-licensed renew` asks the hub now"]);
    let early = of("the license was issued at 2027-01-16 08:00:00 UTC, which is in the future");
    tells(&shown(TRANSPORT, ours(1, 8)), &[&early], &["compare this machine's clock"]);
    // What is final says so, and what to do instead.
    let new = "ask the issuer for a new license";
    tells(&shown(TRANSPORT, fixed(0, 7)), &["the license is not renewable and ends 2027-01-22"], &[new]);
    tells(&shown(TRANSPORT, fixed(-7, 0)), &[&of("the license expired at"), "the license is not renewable"], &[new]);
    let story = shown(TRANSPORT, fixed(-7, 0));
    assert!(told(&story).0.contains(&"the license is not renewable"), "it has ended");
}

#[test]
fn a_signature_of_an_unknown_key_is_compared_with_the_keys() {
    let text = "[trust]\nmode = \"signature\"\nkeys = [\"/etc/vendor.d\"]\n";
    let signature = format!(r#""duid":"D-1","signature":"{}==""#, "A".repeat(86));
    let story = Story::command(text, FileContent::Bytes(license_with("S-1", 0, 7, &signature)));
    assert_eq!(story.status().state, crate::core::license::verify::State::BadSignature);
    let advice = told(&story).1;
    assert!(advice.len() == 1 && advice[0].contains("belongs into /etc/vendor.d as a .pem file"), "{advice:?}");
    assert!(!told(&story).0.iter().any(|problem| problem.contains("is not checked")));
    let unsigned = Story::command(text, ours(0, 7));
    assert!(told(&unsigned).1[0].contains("if it comes without a signature, ask the issuer"));
}

/// The daemon of a license that has ended, after this answer.
fn after(text: &str, file: FileContent, answer: Answer) -> Story {
    let mut story = Story::daemon(text, file);
    story.reloaded_if_asked();
    assert!(story.asked.take().is_some());
    story.step(Event::Answer(story.io, answer));
    story
}

type Answer = Result<RawAnswer, TransportError>;

/// One by which nothing was sent, or nothing came back.
fn unsent(local: bool) -> Answer {
    Err(TransportError { message: "it did not go".to_owned(), local })
}

#[test]
fn each_failure_of_an_attempt_has_its_advice() {
    let answered = |status: u16, body: &str| -> Answer {
        Ok(RawAnswer { status, body: body.as_bytes().to_vec(), ..RawAnswer::default() })
    };
    let serial = format!("{TRANSPORT}[license]\nserial = \"S-1\"\n");
    let key = format!("{TRANSPORT}[hub]\napi-key-file = \"/etc/key\"\n");
    let url = "https://hub.netify.ai/api/v2/integrator";
    let portal = |url: &str, who: &str| {
        vec![format!(
            "look at {url} from this device: a portal may want a login, or a proxy answers in the {who}'s place"
        )]
    };
    let one = |text: &str| vec![text.to_owned()];
    let html = "<html>";
    let at_once = "`netify-licensed renew` tries a new one at once; systemd hands a credential over when the service";
    let foreign = r#"{"status_code":0,"data":{"serial":"S-1","duid":"D-2","expire_at":{"unix":1900000000}}}"#;
    let relayed = r#"{"serial":"S-1","duid":"D-2","expire_at":{"unix":1900000000}}"#;
    for (text, answer, wanted) in [
        (TRANSPORT, answered(401, "{}"), one(at_once)),
        (TRANSPORT, answered(403, "{}"), one(at_once)),
        (&key, answered(403, "{}"), one(at_once)),
        (RELAY, answered(403, "{}"), one(at_once)),
        (RELAY, answered(403, html), one(AGAIN)),
        (TRANSPORT, answered(404, ""), one(AGAIN)),
        (&serial, answered(404, "{}"), one("`netify-licensed hub list` shows the licenses that this API key sees")),
        (TRANSPORT, answered(422, "{}"), one("`netify-licensed hub list` shows the licenses that this API key sees")),
        (RELAY, answered(404, "{}"), vec![]),
        (TRANSPORT, answered(200, html), portal(url, "hub")),
        (RELAY, answered(200, html), portal("https://relay.example/license", "relay")),
        (TRANSPORT, answered(302, ""), vec![]),
        (
            TRANSPORT,
            answered(500, ""),
            one("nothing on this device: it is tried again; if it lasts, ask whoever runs the hub"),
        ),
        (TRANSPORT, unsent(false), one(AGAIN)),
        (TRANSPORT, unsent(true), one(&format!("after that, {AGAIN}"))),
        (TRANSPORT, answered(429, ""), one("nothing on this device: the hub asks for patience")),
        (RELAY, answered(429, ""), one("nothing on this device: the relay asks for patience")),
        (
            TRANSPORT,
            answered(200, foreign),
            one("`netify-licensed hub view S-1 --json | netify-licensed verify -` judges"),
        ),
        (RELAY, answered(200, relayed), one("look at what https://relay.example/license sends")),
    ] {
        let shown = format!("{answer:?}");
        let story = after(text, ours(-8, -1), answer);
        let (problems, advice) = told(&story);
        assert!(problems.len() == 2 && problems[1].starts_with("the last attempt failed: "), "{shown}: {problems:?}");
        let alike = advice.len() == wanted.len() && advice.iter().zip(&wanted).all(|(a, w)| a.starts_with(w.as_str()));
        assert!(alike, "{shown}: {advice:?}");
    }
}

#[test]
fn a_device_without_a_license_is_told_what_the_failure_means() {
    let fetch = "`netify-licensed renew` fetches it, ";
    let story = after(TRANSPORT, FileContent::Missing, Ok(RawAnswer { status: 500, ..RawAnswer::default() }));
    tells(&story, &["/etc/netifyd/license.json: ", "the last attempt failed: "], &[fetch, "nothing on this device"]);
    let mut story = Story::daemon(TRANSPORT, FileContent::Missing);
    story.listed(&[]);
    let found = "`netify-licensed hub list` shows the devices that the hub has licenses for";
    tells(&story, &["/etc/netifyd/license.json: ", "the last attempt failed: the hub lists no license"], &[found]);
    // The file has the fault that the hub's license has, and its remedy.
    let foreign = license_with("S-1", 0, 7, r#""duid":"D-2","entitlements":["a"]"#);
    let serial = format!("{TRANSPORT}[license]\nserial = \"S-1\"\n");
    let mut story = Story::daemon(&serial, FileContent::Bytes(foreign.clone()));
    story.data(&view("S-1"), &foreign);
    assert_eq!(story.status().renewal.last_attempt.as_ref().map(|last| last.outcome), Some(Word::CandidateRefused));
    assert_eq!(told(&story).1.len(), 1, "{:?}", told(&story));
}

/// A license that serves and is not due needs no hub; one that cannot be renewed is no failure of an attempt.
#[test]
fn what_is_no_failure_is_not_told_as_one() {
    let mut story = Story::daemon(TRANSPORT, ours(0, 7));
    story.reloaded_if_asked();
    story.renew();
    story.away();
    assert_eq!(story.status().renewal.consecutive_failures, 1);
    // Who asked before its time finds here what came of it, for a day.
    tells(&story, &["the last attempt failed: connection refused"], &[AGAIN]);
    story.pass(DAY);
    story.device(Ok("D-1"));
    tells(&story, &[], &[]);
    story.pass(5 * DAY);
    tells(&story, &["the last attempt failed: connection refused"], &[AGAIN]);
    let mut story = Story::daemon(TRANSPORT, fixed(-6, 1));
    story.reloaded_if_asked();
    let FileContent::Bytes(theirs) = fixed(-6, 1) else { unreachable!("bytes") };
    story.data(&view("S-1"), &theirs);
    tells(&story, &["the license is not renewable and ends"], &["ask the issuer for a new license"]);
}

#[test]
fn a_reload_that_is_owed_is_told_with_its_remedy() {
    let told_after = |outcome: ReloadOutcome| {
        let mut story = Story::command(TRANSPORT, FileContent::Missing);
        story.give(license("S-1", 0, 7), false);
        story.written(&license("S-1", 0, 7));
        story.reloaded(outcome);
        story
    };
    let story = told_after(ReloadOutcome::NotRunning("netifyd does not run".to_owned()));
    tells(
        &story,
        &["netifyd does not run; it reads the installed license when it starts"],
        &["start the service netifyd"],
    );
    assert!(story.status().healthy);
    let story = told_after(ReloadOutcome::Failed("no answer".to_owned()));
    tells(
        &story,
        &["netifyd has not loaded the installed license: no answer"],
        &["look at the log of the service netifyd"],
    );
    assert!(!story.status().healthy);
    tells(&told_after(ReloadOutcome::Confirmed), &[], &[]);
}
