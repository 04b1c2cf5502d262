//! Which device this is: what the first license named stays.

use super::*;
use crate::core::device::pin::witness;
use crate::core::license::verify::State;

const MACHINE_ID: &str = "[trust]\nmode = \"transport\"\n[device]\nsources = [\"netifyd-serial\", \"machine-id\"]\n";

fn sources(story: &mut Story, serial: Result<&str, &str>, machine: Result<&str, &str>) {
    let entry =
        |source, duid: Result<&str, &str>| Judged { source, duid: duid.map(str::to_owned).map_err(str::to_owned) };
    story.step(Event::Device(vec![entry(Source::NetifydSerial, serial), entry(Source::MachineId, machine)]));
}

/// A daemon whose license names D-1, the derived machine id; netifyd's serial is not there yet.
fn pinned() -> Story {
    let mut story = Story::begin(MACHINE_ID, true, None, Durable::default());
    sources(&mut story, Err("not found"), Ok("D-1"));
    story.step(Event::File(FileContent::Bytes(license("S-1", 0, 7))));
    story.reloaded_if_asked();
    story.noted(Level::Info, "device id D-1 from machine-id is pinned");
    story
}

/// netifyd's first-boot script writes serial.uuid after us: the license stays this device's, and renewals go on.
#[test]
fn a_source_that_appears_later_is_reported_and_not_followed() {
    let mut story = pinned();
    sources(&mut story, Ok("U-1"), Ok("D-1"));
    let status = story.status();
    assert_eq!((status.state, status.device.duid.as_deref()), (State::Unchecked, Some("D-1")));
    let pin = status.device.pinned.as_ref().expect("pinned");
    assert_eq!((pin.source.as_str(), pin.duid.as_str()), ("machine-id", "D-1"));
    let is_told =
        |problem: &String| problem.starts_with("netifyd-serial now gives the device id U-1; D-1 from machine-id");
    assert!(status.problems.iter().any(is_told), "{:?}", status.problems);
    // After a restart, too.
    let saved = story.saved.0.clone();
    let mut story = Story::begin(MACHINE_ID, true, None, saved);
    sources(&mut story, Ok("U-1"), Ok("D-1"));
    story.step(Event::File(FileContent::Bytes(license("S-1", 0, 7))));
    assert_eq!(story.status().state, State::Unchecked);
}

#[test]
fn what_cannot_be_read_or_changes_does_not_move_the_pin() {
    for machine in [Err("not found"), Ok("D-2")] {
        let mut story = pinned();
        sources(&mut story, Err("not found"), machine);
        assert_eq!((story.status().state, story.status().device.duid.as_deref()), (State::Unchecked, Some("D-1")));
    }
}

#[test]
fn a_person_moves_it() {
    let mut story = pinned();
    sources(&mut story, Ok("U-1"), Ok("D-1"));
    let id = story.request(Request::Repin);
    story.replied(id, 0, "device id U-1 from netifyd-serial is pinned; it was D-1");
    assert_eq!(story.status().state, State::WrongDevice);
    // Where no source gives one there is nothing to choose.
    let mut story = pinned();
    sources(&mut story, Err("not found"), Err("not found"));
    let id = story.request(Request::Repin);
    story.replied(id, 1, "the pin stays");
    // A change of the section does the same.
    let mut story = pinned();
    let other = format!("{TRANSPORT}[device]\nsources = [\"machine-id\"]\n");
    story.step(Event::Configured(Box::new(config(&other)), KeyRing::from_files([])));
    sources(&mut story, Err("not found"), Ok("D-2"));
    assert_eq!(story.status().device.duid.as_deref(), Some("D-2"));
    story.noted(Level::Info, "[device] has changed");
}

/// The state of a version without pins: the id of its last license is one that a source still gives.
#[test]
fn the_device_of_an_older_state_is_pinned() {
    let durable = Durable { serial: "S-1".parse().ok(), duid: Some("D-1".to_owned()), ..Durable::default() };
    let mut story = Story::begin(MACHINE_ID, true, None, durable);
    sources(&mut story, Ok("U-1"), Ok("D-1"));
    story.step(Event::File(FileContent::Bytes(license("S-1", 0, 7))));
    assert_eq!(story.status().state, State::Unchecked);
}

#[test]
fn a_copied_disk_is_another_device_with_a_spread_of_its_own() {
    let start = |durable: Durable, machine: Machine| {
        let volatile = Volatile::default();
        let start = Start {
            config: config(MACHINE_ID),
            keys: KeyRing::from_files([]),
            durable,
            memory_lost: false,
            volatile,
            kept: None,
            boot_id: "boot".to_owned(),
            daemon: true,
            machine,
        };
        let evidence = Evidence { kernel_synchronized: Some(true), timesync_marker: false, has_rtc: true };
        let now = Now { wall: START, boot: BootTime(60_000) };
        Story::start(start, Moment { now, evidence, random: 0.25 })
    };
    let machine = |name: &str| Machine { machine_id: witness(name), dmi: witness(&format!("dmi {name}")) };
    let mut story = start(Durable::default(), machine("a"));
    sources(&mut story, Err("not found"), Ok("D-1"));
    story.step(Event::File(FileContent::Bytes(license("S-1", 0, 7))));
    story.reloaded_if_asked();
    let saved = story.saved.0.clone();
    assert!(saved.identity.spread.is_some());
    let mut story = start(saved, machine("b"));
    sources(&mut story, Err("not found"), Ok("D-2"));
    story.step(Event::File(FileContent::Bytes(license("S-1", 0, 7))));
    story.noted(Level::Warn, "this disk was copied");
    assert_eq!(story.status().device.duid.as_deref(), Some("D-2"));
    assert_eq!(story.status().state, State::WrongDevice);
}

/// Devices without an id that share a license: their moments differ.
#[test]
fn devices_that_share_a_license_do_not_draw_the_same_moment() {
    let due = |spread: u64| {
        let mut durable = Durable::default();
        durable.identity.spread = Some(spread);
        let mut story = Story::begin(RELAY, true, None, durable);
        story.device(Err("not found"));
        let shared = license_with("S-1", 0, 7, r#""entitlements":["a"]"#);
        story.step(Event::File(FileContent::Bytes(shared)));
        story.status().renewal.due_at.expect("due").0
    };
    assert_ne!(due(1), due(2));
    assert_eq!(due(1), due(1));
}
