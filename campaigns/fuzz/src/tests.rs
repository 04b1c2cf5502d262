//! The targets on any toolchain: a few thousand random inputs, and every input that ever crashed one of them.

use netify_licensed::core::hub::response::{RawAnswer, TransportError};
use netify_licensed::core::config::sample;
use netify_licensed::core::engine::{Event, FileContent, ReloadOutcome, ReloadReport, Request};

use crate::forge::POOL;
use crate::uci::{Entry, Section};
use crate::world::World;
use crate::{configuration, control_line, engine, hub_answer, license, uci};

/// Reproducible random bytes (splitmix64).
struct Noise(u64);

impl Noise {
    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.byte()).collect()
    }

    fn byte(&mut self) -> u8 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z.to_le_bytes()[7]
    }

    /// The bytes with a few of them changed.
    fn disturb(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut changed = bytes.to_vec();
        for _ in 0..self.byte() % 4 {
            let at = usize::from(self.byte()) * changed.len() / 256;
            changed[at] = self.byte();
        }
        changed
    }
}

#[test]
fn stories() {
    let mut noise = Noise(1);
    for length in (0..1_000).map(|round| 20 + round % 400) {
        let story = noise.bytes(length);
        engine::run(&story);
    }
}

#[test]
fn documents() {
    let mut noise = Noise(2);
    for round in 0..4_000 {
        let document = noise.disturb(&POOL[round % POOL.len()].bytes);
        license::run(&document);
        let body = [&noise.bytes(6)[..], br#"{"status_code":0,"data":"#, &document, b"}"].concat();
        hub_answer::run(&body);
        hub_answer::run(&[&noise.bytes(6)[..], &document].concat());
    }
}

#[test]
fn texts() {
    let mut noise = Noise(3);
    let sample = sample();
    for _ in 0..200 {
        configuration::run(&noise.disturb(sample.as_bytes()));
        control_line::run(&noise.disturb(br#"{"v":1,"command":"renew","if_due":true,"dry_run":false}"#));
    }
}

#[test]
fn mappings() {
    let mut noise = Noise(4);
    for length in (0..2_000).map(|round| 10 + round % 200) {
        let configuration = noise.bytes(length);
        uci::run(&configuration);
    }
}

/// The target expected to read back what is not shown.
#[test]
fn a_relay_with_a_token_in_its_query() {
    configuration::run(b"[hub]\nkind = \"relay\"\nurl = \"https://relay.example/license?token=x\"\n");
}

/// An assertion of a crate that we depend on failed; as it is shipped, it has none.
#[test]
fn a_host_that_is_neither_ascii_nor_lower_case() {
    configuration::run("[hub]\nurl = \"https://Hüb.example/\"\n".as_bytes());
}

/// `config show` left the last slash of a relay's path out.
#[test]
fn a_relay_whose_path_ends_in_a_slash() {
    configuration::run(b"[hub]\nkind = \"relay\"\nurl = \"https://relay.example/license/\"\n");
}

/// Its canonical form wrote the version 1, so the same license said two things.
#[test]
fn a_license_whose_version_is_a_number_with_a_fraction_of_zero() {
    license::run(br#"{"version":1.0,"serial":"S-1","expire_at":{"unix":1800600000},"duid":"DEV-1"}"#);
}

/// Licenses of S-1 for this device: one that ends in two days and is due, and two that end later.
const DUE: usize = 0;
const WEEK: usize = 12;
const LATER: usize = 30;

fn bytes(paper: usize) -> Vec<u8> {
    POOL[paper].bytes.clone()
}

fn install(paper: usize) -> Request {
    Request::Install { bytes: bytes(paper), force: false }
}

/// A device whose license is due, with an attempt under way.
fn attempting() -> World {
    let mut world = World::new(FileContent::Bytes(bytes(DUE)));
    world.tell_device();
    world.tell_file();
    assert!(world.ask.is_some());
    world
}

/// An older license was installed over a better one that the engine had not read yet.
#[test]
fn a_request_that_comes_before_the_file_was_read() {
    let mut world = World::new(FileContent::Bytes(bytes(WEEK)));
    world.tell_device();
    world.request(install(DUE));
    world.tell_file();
    engine::settle(&mut world);
    assert_eq!(world.file, FileContent::Bytes(bytes(WEEK)));
}

/// Who asked to renew got two replies: the attempt's failure, and the success of an install that was none of its own.
#[test]
fn a_renewal_that_joins_an_attempt_during_another_install() {
    let mut world = attempting();
    world.request(install(WEEK));
    world.tell_file();
    world.request(Request::Renew { if_due: false, dry_run: false });
    world.ask = None;
    world.step(Event::Answer(world.io, Err(TransportError { message: "connection refused".to_owned(), local: false })));
    engine::settle(&mut world);
}

/// A second install began while the first one was under way, and nobody answered who had asked for the first.
#[test]
fn an_attempt_that_brings_a_license_during_another_install() {
    let mut world = attempting();
    world.request(install(WEEK));
    world.tell_file();
    world.ask = None;
    let body = [&br#"{"status_code":0,"data":"#[..], &bytes(LATER), b"}"].concat();
    world.step(Event::Answer(world.io, Ok(RawAnswer { status: 200, body, ..RawAnswer::default() })));
    world.tell_file();
    engine::settle(&mut world);
}

/// A license was believed because it had been good when its installation began; the keys had changed meanwhile.
#[test]
fn a_key_that_is_removed_during_an_install() {
    let mut world = attempting();
    world.ask = None;
    let body = [&br#"{"status_code":0,"data":"#[..], &bytes(WEEK), b"}"].concat();
    world.step(Event::Answer(world.io, Ok(RawAnswer { status: 200, body, ..RawAnswer::default() })));
    world.tell_file();
    assert!(world.install.is_some());
    world.trusted = vec![2];
    world.configure();
    world.end_install(true, true);
    engine::settle(&mut world);
    assert!(world.engine.status().is_some_and(|status| !status.state.is_usable()));
}

/// Nobody answered who waited for a reload that was no longer owed, because the license had gone meanwhile.
#[test]
fn a_license_that_goes_while_its_reload_is_awaited() {
    let mut world = attempting();
    let reloaded = |outcome| Event::Reloaded(ReloadReport { method: "signal".to_owned(), outcome });
    world.reload = false;
    world.step(reloaded(ReloadOutcome::Failed("no answer".to_owned())));
    world.request(install(WEEK));
    world.tell_file();
    world.end_install(true, true);
    world.duid = Some("D-2");
    world.tell_device();
    engine::settle(&mut world);
}

/// A second `retire` began while the first one's file was being removed; nobody answered the first.
#[test]
fn a_retire_during_a_retire() {
    let mut world = World::new(FileContent::Bytes(bytes(WEEK)));
    world.tell_device();
    world.tell_file();
    world.ask = None;
    world.request(Request::Retire { keep_file: false });
    world.ask = None;
    let body = br#"{"status_code":0,"data":null}"#.to_vec();
    world.step(Event::Answer(world.io, Ok(RawAnswer { status: 200, body, ..RawAnswer::default() })));
    world.request(Request::Retire { keep_file: false });
    world.tell_file();
    assert!(world.remove.is_some());
    world.request(Request::Retire { keep_file: true });
    world.request(install(LATER));
    assert!(world.install.is_none(), "it would be removed at once");
    engine::settle(&mut world);
}

/// A configuration of one option, mapped by every shell.
fn map(kind: &str, name: &str, value: &str) {
    for shell in 0..2 {
        let entries = vec![(name.into(), Entry::Option(value.into()))];
        uci::check(&[Section { kind: kind.into(), entries }], shell);
    }
}

/// It was a type that the mapping knew.
#[test]
fn two_types_in_one() {
    map("license device", "path", "/x");
}

/// A value that was refused could write lines of its own into the log, and end its complaint.
#[test]
fn a_complaint_is_one_line() {
    map("renewal", "term_days", "3\ndaemon.info netify-licensed: all is well\u{1b}[2J");
    map("renewal", "term_days", "3\\c4");
    map("provision", "enabled", "\r\n");
}

/// The time grew with the third power of the length: forty minutes for this one.
#[test]
fn a_long_value_with_a_quote() {
    map("provision", "notes", &["x".repeat(16_000), "\"".to_owned()].concat());
}
