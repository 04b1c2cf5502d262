//! No second license by mistake, and none deleted that other devices use.

use super::*;

/// A person asks for a license for a device that has none; the hub is asked for its list.
fn provisioning() -> (Story, RequestId) {
    let mut story = Story::command(PROVISION, FileContent::Missing);
    let id = story.request(Request::Provision);
    (story, id)
}

#[test]
fn a_list_that_is_not_whole_makes_none() {
    for hint in [
        r#""next":"2""#,
        r#""next_page_url":"https://hub.example/licenses?page=2""#,
        r#""next_cursor":"abc""#,
        r#""has_more":true"#,
        r#""total":3"#,
        r#""links":{"next":"https://hub.example/licenses?page=2"}"#,
        r#""meta":{"current_page":1,"last_page":2}"#,
        r#""meta":{"per_page":1}"#,
    ] {
        let other = String::from_utf8(license_with("S-9", 0, 7, r#""duid":"D-9""#)).expect("text");
        for body in [
            format!(r#"{{"status_code":0,"data":[{other}],{hint}}}"#),
            format!(r#"{{"status_code":0,"data":{{"licenses":[{other}],{hint}}}}}"#),
        ] {
            let (mut story, id) = provisioning();
            story.answer(&HubRequest::List, 200, body.into_bytes());
            assert_eq!(story.asked, None, "{hint}");
            story.replied(id, 1, "lists a part of its licenses only");
            story.replied(id, 1, "set license.serial");
        }
    }
    let (mut story, id) = provisioning();
    assert_eq!(story.asked.take(), Some(HubRequest::List));
    let link = Some("<https://hub.example/licenses?page=2>; rel=\"next\"".to_owned());
    let body = br#"{"status_code":0,"data":[]}"#.to_vec();
    story.step(Event::Answer(story.io, Ok(RawAnswer { status: 200, link, body, ..RawAnswer::default() })));
    story.replied(id, 1, "lists a part of its licenses only");
}

#[test]
fn another_spelling_of_this_device_makes_none() {
    const DUID: &str = "4c4c4544-0042-3510-8052-b4c04f4d3733";
    for spelling in [
        DUID.to_uppercase(),
        DUID.replace('-', ""),
        format!("{{{DUID}}}"),
        format!("urn:uuid:{DUID}"),
        format!("{{{}}}", DUID.to_uppercase()),
        format!(" {DUID}"),
    ] {
        let mut story = Story::begin(PROVISION, false, None, Durable::default());
        story.device(Ok(DUID));
        story.step(Event::File(FileContent::Missing));
        let id = story.request(Request::Provision);
        story.listed(&[license_with("S-1", 0, 7, &format!(r#""duid":"{spelling}""#))]);
        assert_eq!((&story.asked, &story.install), (&None, &None), "{spelling}");
        story.replied(
            id,
            1,
            &format!("license S-1 for device {}, which is {DUID} in another spelling", spelling.trim()),
        );
    }
}

#[test]
fn an_unbound_license_that_is_installed_counts_as_this_devices() {
    let shared = license_with("S-1", 0, 7, r#""entitlements":["a"]"#);
    let mut story = Story::command(PROVISION, FileContent::Bytes(shared.clone()));
    let id = story.request(Request::Provision);
    story.listed(std::slice::from_ref(&shared));
    story.data(&view("S-1"), &shared);
    story.reloaded_if_asked();
    story.replied(id, 0, "the latest that the hub has");
    // One that the hub does not list is not counted.
    let mut story = Story::command(PROVISION, FileContent::Bytes(shared));
    story.request(Request::Provision);
    story.listed(&[]);
    assert_eq!(story.asked, Some(creation()));
}

#[test]
fn an_unbound_license_is_not_retired() {
    let shared = license_with("S-1", 0, 7, r#""entitlements":["a"]"#);
    let mut story = Story::command(TRANSPORT, FileContent::Bytes(shared));
    let id = story.request(Request::Retire { keep_file: false });
    assert_eq!((&story.asked, story.remove), (&None, None));
    story.replied(
        id,
        1,
        "license S-1 is bound to no device, so other devices may use it; `netify-licensed hub delete S-1`",
    );
}

/// The hub spelled the device in upper case: one license is made, and no other by itself.
#[test]
fn a_creation_that_cannot_be_used_stops_further_ones() {
    let mut story = Story::daemon(PROVISION, FileContent::Missing);
    story.listed(&[]);
    story.data(&creation(), br#"{"serial":"S-1"}"#);
    let upper = license_with("S-1", 0, 7, r#""duid":"d-1""#);
    story.data(&view("S-1"), &upper);
    assert_eq!(story.status().state, crate::core::license::verify::State::Missing);
    for _ in 0..3 {
        story.pass(DAY);
        if story.asked.is_none() {
            story.wait();
        }
        story.listed(&[]);
        assert_eq!(story.asked, None, "no second one");
    }
    let said = story.status().problems.join("; ");
    assert!(said.contains("`netify-licensed hub delete S-1`") && said.contains("wrong-device"), "{said}");
    // A person tries again.
    let id = story.request(Request::Provision);
    story.listed(&[]);
    story.data(&creation(), br#"{"serial":"S-2"}"#);
    story.data(&view("S-2"), &upper);
    assert!(story.reply(id).1.contains("S-2"), "{}", story.reply(id).1);
}

#[test]
fn a_conflict_means_to_look_again() {
    let (mut story, _) = provisioning();
    story.listed(&[]);
    story.answer(&creation(), 409, b"{\"status_code\":409,\"status_message\":\"exists\"}".to_vec());
    let new = license("S-1", 0, 7);
    story.listed(std::slice::from_ref(&new));
    story.data(&view("S-1"), &new);
    story.written(&new);
}
