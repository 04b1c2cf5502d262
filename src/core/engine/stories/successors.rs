//! A license that is not renewed may have a successor with another serial, and one that has ended may be made anew.

use super::*;

const REFUSED: &[u8] = br#"{"status_code":"422.000","status_message":"This license cannot be renewed."}"#;

/// The hub is asked to renew a license that is due, and refuses.
fn refused(text: &str, ours: &[u8]) -> Story {
    let mut story = Story::daemon(text, FileContent::Bytes(ours.to_vec()));
    story.data(&view("S-1"), ours);
    story.answer(&renewal("S-1"), 422, REFUSED.to_vec());
    story
}

#[test]
fn a_successor_is_found_where_the_hub_refuses_the_renewal() {
    let mut story = refused(TRANSPORT, &ours());
    story.listed(&[ours(), license("S-2", 0, 5), license("S-3", 0, 9)]);
    story.data(&view("S-3"), &license("S-3", 0, 9));
    story.written(&license("S-3", 0, 9));
}

#[test]
fn a_successor_is_found_where_the_license_is_not_renewable() {
    let fixed = license_with("S-1", -6, 1, r#""duid":"D-1","renewable":false,"entitlements":["a","b"]"#);
    let mut story = Story::daemon(TRANSPORT, FileContent::Bytes(fixed.clone()));
    story.data(&view("S-1"), &fixed);
    story.listed(&[fixed, license("S-2", 0, 9)]);
    story.data(&view("S-2"), &license("S-2", 0, 9));
    story.written(&license("S-2", 0, 9));
}

#[test]
fn without_a_successor_the_refusal_is_what_is_told() {
    let mut story = refused(TRANSPORT, &ours());
    story.listed(&[ours()]);
    assert_eq!(story.status().renewal.last_attempt.as_ref().map(|last| last.outcome), Some(Word::Refused));
    // A configured serial is binding.
    let story = refused(&format!("{TRANSPORT}[license]\nserial = \"S-1\"\n"), &ours());
    assert_eq!(story.asked, None);
}

#[test]
fn one_that_has_ended_and_is_not_renewed_is_made_anew_where_that_is_configured() {
    let ended = license("S-1", -9, -1);
    let mut story = refused(PROVISION, &ended);
    story.listed(std::slice::from_ref(&ended));
    assert_eq!(story.asked, Some(creation()));
    let mut story = refused(PROVISION, &ours());
    story.listed(&[ours()]);
    assert_eq!(story.asked, None, "it has not ended");
}
