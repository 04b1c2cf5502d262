//! The status document in every license state keeps to its schema.

use hub_emulator::{BodyStyle, Format, SigningKey};
use netify_licensed::core::engine::FileContent;
use netify_licensed::core::license::verify::State;

use super::bench::{Bench, NOON, signed, spec};
use super::gateway::{DAY, Gateway};

fn bytes(text: impl Into<Vec<u8>>) -> FileContent {
    FileContent::Bytes(text.into())
}

#[test]
fn every_state_has_a_document_that_keeps_to_the_schema() {
    let unsigned = spec().unsigned(Format::Netifyd).to_json(BodyStyle::Compact);
    let transport = "[trust]\nmode = \"transport\"\n";
    let made = [
        (State::Valid, "", NOON, bytes(signed(&spec()))),
        (State::Unchecked, transport, NOON, bytes(signed(&spec()))),
        (State::Expired, "", NOON + 30 * DAY, bytes(signed(&spec()))),
        (State::NotYetValid, "", NOON, bytes(signed(&spec().created_at(NOON + DAY)))),
        (State::Missing, "", NOON, FileContent::Missing),
        (
            State::Unreadable,
            "",
            NOON,
            FileContent::Unreadable("/etc/netifyd/license.json: permission denied".to_owned()),
        ),
        (State::Malformed, "", NOON, bytes("{}{}")),
        (State::Unsigned, "", NOON, bytes(unsigned)),
        (
            State::BadSignature,
            "",
            NOON,
            bytes(spec().signed(&SigningKey::from_seed(8), Format::Netifyd).to_json(BodyStyle::Compact)),
        ),
        (State::WrongDevice, "", NOON, bytes(signed(&spec().duid("other")))),
        (State::ClockUntrusted, "", 300, bytes(signed(&spec()))),
    ];
    assert_eq!(made.each_ref().map(|(state, ..)| *state), State::ALL, "every state once");
    for (state, settings, now, content) in made {
        let mut bench = Bench::start(settings, now, content);
        assert_eq!(bench.status().state, state);
        bench.fail("https://hub.example/: no connection");
        for status in &bench.published {
            let document = serde_json::to_value(status).expect("JSON");
            assert_eq!(status_schema::violations(&document), Vec::<String>::new(), "{state}: {document:#}");
        }
        let usable = state.is_usable();
        assert_eq!(
            (bench.status().healthy, bench.status().problems.is_empty()),
            (usable, state == State::Valid),
            "{state}"
        );
    }
}

#[test]
fn a_document_is_published_only_when_something_changed() {
    let mut bench = Bench::start("[reload]\nmethod = \"none\"\n", NOON, bytes(signed(&spec())));
    let before = bench.published.len();
    for _ in 0..600 {
        bench.pass(60_000);
        bench.step(netify_licensed::core::engine::Event::Poll);
    }
    assert_eq!((bench.published.len(), bench.asked), (before, 0), "ten hours in which nothing happened");
}

#[test]
fn an_untrusted_clock_is_no_news_every_minute() {
    // Behind the issue date by a month, and so by a span that changes all the time.
    let license = spec().created_at(NOON + 30 * DAY).expire_at(NOON + 37 * DAY);
    let mut bench = Bench::start("", NOON, bytes(signed(&license)));
    assert_eq!(bench.status().state, State::ClockUntrusted);
    bench.fail("https://hub.example/: no connection");
    let before = bench.published.len();
    for _ in 0..5 {
        bench.pass(1_000);
        bench.step(netify_licensed::core::engine::Event::Poll);
    }
    assert_eq!(bench.published.len(), before, "{:#?}", bench.published.last());
}

#[test]
fn the_published_document_is_the_one_that_is_printed() {
    let mut gateway = Gateway::new();
    gateway.set("reload.method", "auto");
    gateway.install_due();
    gateway.start_netifyd("ok");
    let _daemon = gateway.daemon();
    let status = gateway.wait_for("renewed and reloaded", |status| status.reload.last_outcome.is_some());
    assert_eq!(status.reload.method, "auto: signal");
    let published = gateway.published_text().expect("status.json");
    assert_eq!(status_schema::violations_in(&published), Vec::<String>::new());
    let printed = super::gateway::out(&gateway.run(&["status", "--json"]));
    assert_eq!(published, printed);
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(gateway.path("run/netify-licensed/status.json")).expect("a file").permissions(),
    );
    assert_eq!(mode & 0o777, 0o644, "monitoring reads it without rights");
}
