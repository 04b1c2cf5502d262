//! Stories told to the engine: anything may happen, in any order, at any time; the model in [`crate::world`] watches.

use netify_licensed::core::hub::response::{RawAnswer, TransportError};
use netify_licensed::core::config::{HubKind, TrustMode};
use netify_licensed::core::engine::{Event, FileContent, HubRequest, ReloadOutcome, ReloadReport, Request, StateFile};
use netify_licensed::core::time::{DAY, HOUR, MINUTE, Millis, SECOND};

use crate::cursor::Cursor;
use crate::forge::POOL;
use crate::world::World;

const SPANS: [Millis; 12] =
    [1, SECOND, 5 * SECOND, 30 * SECOND, MINUTE, 10 * MINUTE, HOUR, 6 * HOUR, DAY, 3 * DAY, 7 * DAY, 40 * DAY];
/// Steps of a story; longer inputs bring nothing new.
const LONGEST: usize = 120;

pub fn run(data: &[u8]) {
    let mut cursor = Cursor::new(data);
    let mut world = World::new(file(&mut cursor));
    for _ in 0..LONGEST {
        if cursor.is_empty() {
            break;
        }
        happen(&mut world, &mut cursor);
        world.rest();
    }
    settle(&mut world);
}

fn happen(world: &mut World, cursor: &mut Cursor<'_>) {
    match cursor.below(20) {
        0 | 1 => {
            world.pass(*cursor.one(&SPANS));
            world.step(Event::Tick);
        }
        2 => {
            if let Some(deadline) = world.engine.next_deadline() {
                world.pass(deadline.after);
                world.step(Event::Tick);
            }
        }
        3 => {
            let span = *cursor.one(&SPANS);
            world.set_clock(if cursor.yes() { span } else { -span });
            world.step(Event::Tick);
        }
        4 => {
            let evidence = &mut world.moment.evidence;
            evidence.kernel_synchronized = *cursor.one(&[Some(true), Some(false), None]);
            (evidence.timesync_marker, evidence.has_rtc) = (cursor.byte() > 200, cursor.yes());
            world.moment.random = f64::from(cursor.byte()) / 256.0;
            world.step(Event::Tick);
        }
        5 | 6 => world.tell_file(),
        7 => {
            world.duid = *cursor.one(&[Some("D-1"), Some("D-1"), Some("D-2"), None]);
            world.tell_device();
        }
        8..=10 => answer(world, cursor),
        11 => world.end_install(true, true),
        12 => {
            let replaced = cursor.yes();
            world.end_install(false, replaced);
        }
        13 => reloaded(world, cursor),
        14 => {
            world.file = file(cursor);
            world.step(Event::FileChanged);
        }
        15 | 16 => world.request(request(cursor)),
        17 => {
            reconfigure(world, cursor);
            world.configure();
        }
        18 => {
            let done = cursor.yes();
            world.end_remove(done);
            let file = if cursor.yes() { StateFile::Kept } else { StateFile::Memory };
            let full = if cursor.yes() { Err("the state directory is full".to_owned()) } else { Ok(()) };
            world.step(Event::Wrote(file, full));
        }
        _ => {
            let reboot = cursor.yes();
            world.restart(reboot);
        }
    }
}

fn paper(cursor: &mut Cursor<'_>) -> Vec<u8> {
    let number = usize::from(cursor.byte());
    POOL[number % POOL.len()].bytes.clone()
}

fn file(cursor: &mut Cursor<'_>) -> FileContent {
    match cursor.below(8) {
        0 => FileContent::Missing,
        1 => FileContent::Unreadable("permission denied".to_owned()),
        2 => FileContent::Bytes(b"<html>".to_vec()),
        3 => {
            let mut torn = paper(cursor);
            torn.truncate(usize::from(cursor.byte()));
            FileContent::Bytes(torn)
        }
        _ => FileContent::Bytes(paper(cursor)),
    }
}

fn request(cursor: &mut Cursor<'_>) -> Request {
    match cursor.below(6) {
        0 | 1 => Request::Renew { if_due: cursor.yes(), dry_run: cursor.yes() },
        2 => Request::Install { bytes: paper(cursor), force: cursor.yes() },
        3 => Request::Provision,
        4 => Request::Retire { keep_file: cursor.yes() },
        _ => Request::Reread,
    }
}

fn reconfigure(world: &mut World, cursor: &mut Cursor<'_>) {
    let config = &mut world.config;
    match cursor.below(7) {
        0 => config.trust.mode = *cursor.one(&[TrustMode::Signature, TrustMode::Transport]),
        1 => world.trusted = cursor.one(&[&[1][..], &[1, 2], &[2], &[]]).to_vec(),
        2 => config.trust.require_device_binding = cursor.yes(),
        3 => config.hub.kind = *cursor.one(&[HubKind::Api, HubKind::Relay]),
        4 => {
            config.license.serial =
                cursor.one(&[None, Some("S-1"), Some("S-2")]).and_then(|serial| serial.parse().ok());
        }
        5 => {
            config.provision.enabled = cursor.yes();
            config.provision.issued_to = Some("Fuzz".to_owned());
            config.provision.entitlements = vec!["a".to_owned(), "b".to_owned()];
        }
        _ => config.renewal.term_days = *cursor.one(&[None, Some(30)]),
    }
}

fn reloaded(world: &mut World, cursor: &mut Cursor<'_>) {
    if !std::mem::take(&mut world.reload) {
        return;
    }
    let why = || "fuzz".to_owned();
    let outcome = match cursor.below(6) {
        0 => ReloadOutcome::Confirmed,
        1 => ReloadOutcome::Restarted(why()),
        2 => ReloadOutcome::NotRunning(why()),
        3 => ReloadOutcome::Failed(why()),
        4 => ReloadOutcome::NotAsked(why()),
        _ => ReloadOutcome::Disabled,
    };
    world.step(Event::Reloaded(ReloadReport { method: "signal".to_owned(), outcome }));
}

/// The hub answers what it was asked, or anything else.
fn answer(world: &mut World, cursor: &mut Cursor<'_>) {
    let Some(asked) = world.ask.take() else { return };
    let good = |body: Vec<u8>| RawAnswer { status: 200, body, ..RawAnswer::default() };
    let envelope = |data: &[u8]| [&br#"{"status_code":0,"status_message":"Success.","data":"#[..], data, b"}"].concat();
    let mut answer = match cursor.below(8) {
        0 => {
            let error = TransportError { message: "connection refused".to_owned(), local: cursor.yes() };
            return world.step(Event::Answer(world.io, Err(error)));
        }
        1 => RawAnswer {
            status: *cursor.one(&[400, 401, 403, 404, 404, 404, 409, 422, 429, 500, 503]),
            ..RawAnswer::default()
        },
        2 => good(cursor.one(&[&b"<html>"[..], b"{}", b"null", b"[]", b"{\"data\":null,\"status_code\":0}"]).to_vec()),
        _ if asked == HubRequest::Relay => good(paper(cursor)),
        _ if asked == HubRequest::List => {
            let papers: Vec<Vec<u8>> = (0..cursor.below(4)).map(|_| paper(cursor)).collect();
            good(envelope(&[&b"["[..], &papers.join(&b","[..]), b"]"].concat()))
        }
        _ => good(envelope(&paper(cursor))),
    };
    answer.retry_after = cursor.one(&[None, None, Some("120"), Some("999999999")]).map(str::to_owned);
    answer.date = cursor
        .one(&[None, None, Some("Fri, 15 Jan 2027 08:00:00 GMT"), Some("Fri, 15 Jan 2038 08:00:00 GMT")])
        .map(str::to_owned);
    world.step(Event::Answer(world.io, Ok(answer)));
}

/// From here on everything that was begun ends, and the hub is away: whoever waits gets a reply.
pub(crate) fn settle(world: &mut World) {
    for _ in 0..60 {
        if world.reads > 0 {
            world.tell_file();
        }
        if world.device_reads > 0 {
            world.tell_device();
        }
        if world.ask.take().is_some() {
            let error = TransportError { message: "connection refused".to_owned(), local: false };
            world.step(Event::Answer(world.io, Err(error)));
        }
        world.end_install(true, true);
        world.end_remove(true);
        if std::mem::take(&mut world.reload) {
            let outcome = ReloadOutcome::Confirmed;
            world.step(Event::Reloaded(ReloadReport { method: "signal".to_owned(), outcome }));
        }
        world.rest();
        world.pass(world.engine.next_deadline().map_or(MINUTE, |deadline| deadline.after));
    }
    assert!(world.waiting.is_empty(), "nobody answers {:?}", world.waiting);
}
