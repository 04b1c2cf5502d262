//! Every fault, as it looks on the wire.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::client::{BASE, LONG, api, ask, raw, request};
use hub_emulator::{
    Defect, Delivery, Endpoint, EnvelopeStyle, Fault, FaultAnswer, FaultRule, Framing, HubEmulator, LicenseSpec,
    Options,
};
use serde_json::Value;

const SERIAL: &str = "2026-3638-61034042";

fn hub() -> HubEmulator {
    let hub = HubEmulator::start(Options::new().seed(1));
    hub.add_license(LicenseSpec::new(SERIAL).duid("d0").expires_in(Duration::from_secs(1800)));
    hub
}

fn view(hub: &HubEmulator, fault: Fault) -> super::client::Answer {
    hub.fault(Endpoint::View, fault);
    api(hub, "GET", &format!("/{SERIAL}"), "")
}

/// What a view with this fault sends, byte by byte.
fn view_raw(hub: &HubEmulator, fault: Fault) -> Vec<u8> {
    hub.fault(Endpoint::View, fault);
    raw(hub, &request("GET", &format!("{BASE}/{SERIAL}"), &[("x-api-key", &hub.api_key())], ""))
}

#[test]
fn statuses_in_every_envelope() {
    let hub = hub();
    let answer = view(&hub, Fault::status(503).retry_after(7));
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("7")));
    assert_eq!(view(&hub, Fault::status_as(403, EnvelopeStyle::Text)).json()["status_code"], "403.000");
    assert_eq!(view(&hub, Fault::status_as(429, EnvelopeStyle::OldNames)).json()["resp_code"], 429);
    assert_eq!(view(&hub, Fault::status_as(502, EnvelopeStyle::None)).text(), "");
    assert_eq!(view(&hub, Fault::default()).status, 200);
}

#[test]
fn wrong_bodies() {
    let hub = hub();
    let html = view(&hub, Fault::answer(FaultAnswer::Html));
    assert_eq!((html.status, html.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert!(view(&hub, Fault::answer(FaultAnswer::Empty)).body.is_empty());
    let cut = view(&hub, Fault::answer(FaultAnswer::TruncatedJson));
    assert!(cut.text().starts_with("{\"status_code\"") && serde_json::from_slice::<Value>(&cut.body).is_err());
    assert_eq!(view(&hub, Fault::answer(FaultAnswer::Huge(2_000_000))).body.len(), 2_000_000);
    assert_eq!(view(&hub, Fault::answer(FaultAnswer::NullData)).json()["data"], Value::Null);
    let packed = view(&hub, Fault::answer(FaultAnswer::Gzip));
    assert_eq!((packed.header("content-encoding"), &packed.body[..2]), (Some("gzip"), &[0x1f, 0x8b][..]));
    let moved = view(&hub, Fault::redirect("http://127.0.0.1:1/x"));
    assert_eq!((moved.status, moved.header("location")), (302, Some("http://127.0.0.1:1/x")));
    assert_eq!(view(&hub, Fault::body("[]")).text(), "[]");
    assert_eq!(view_raw(&hub, Fault::raw("SSH-2.0-x\r\n")), b"SSH-2.0-x\r\n");
}

#[test]
fn wrong_licenses_and_the_right_one_afterwards() {
    let hub = hub();
    let key = hub.signing_key();
    let other = view(&hub, Fault::license(Defect::OtherDevice)).json()["data"].clone();
    assert!(key.verifies(&other) && other["duid"] != "d0");
    assert!(!key.verifies(&view(&hub, Fault::license(Defect::Tampered)).json()["data"]));
    hub.fault(Endpoint::List, Fault::license(Defect::OtherKey));
    assert!(!key.verifies(&api(&hub, "GET", "", "").json()["data"][0]));
    assert!(key.verifies(&api(&hub, "GET", "", "").json()["data"][0]));
}

#[test]
fn a_lost_answer_was_carried_out_and_a_cut_request_was_not() {
    let hub = hub();
    let before = hub.license(SERIAL).unwrap();
    let renew = |delivery| {
        hub.fault(Endpoint::Renew, Fault::delivery(delivery));
        let path = format!("{BASE}/{SERIAL}/renew");
        let bytes = raw(&hub, &request("POST", &path, &[("x-api-key", &hub.api_key())], ""));
        assert!(bytes.is_empty());
        hub.license(SERIAL).unwrap()
    };
    assert_eq!(renew(Delivery::CutBefore), before);
    assert!(renew(Delivery::LostAnswer).expire_at > before.expire_at);
    assert_eq!(hub.requests_for(Endpoint::Renew)[1].status, None);
}

#[test]
fn effects_can_be_had_or_not_with_any_answer() {
    let hub = hub();
    let rest = format!("/{SERIAL}");
    hub.fault(Endpoint::Delete, Fault::license(Defect::Unsigned).carry_out(false));
    assert_eq!(api(&hub, "DELETE", &rest, "").status, 200);
    assert_eq!(hub.licenses().len(), 1);
    hub.fault(Endpoint::Delete, Fault::status(500).carry_out(true));
    assert_eq!(api(&hub, "DELETE", &rest, "").status, 500);
    assert!(hub.licenses().is_empty());
}

#[test]
fn deliveries_and_framings() {
    let hub = hub();
    let whole = view(&hub, Fault::default()).json()["data"].clone();
    let half = view_raw(&hub, Fault::delivery(Delivery::CutHalf));
    let text = String::from_utf8_lossy(&half).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let length = head.split("Content-Length: ").nth(1).unwrap().lines().next().unwrap();
    assert_eq!(length.parse::<usize>().unwrap() / 2, body.len());
    let chunked = view(&hub, Fault::framing(Framing::Chunked));
    assert_eq!((chunked.header("content-length"), &chunked.json()["data"]), (None, &whole));
    let endless = view(&hub, Fault::framing(Framing::UntilClose));
    assert_eq!((endless.header("content-length"), &endless.json()["data"]), (None, &whole));
    let dripped = view(&hub, Fault::delivery(Delivery::Drip(1)));
    assert_eq!(dripped.json()["data"], whole);
    let begun = Instant::now();
    assert_eq!(view(&hub, Fault::delay(Duration::from_millis(150))).json()["data"], whole);
    assert!(begun.elapsed() >= Duration::from_millis(150));
}

#[test]
fn a_hanging_request_is_seen_but_never_answered() {
    use std::io::{Read, Write};
    let hub = hub();
    hub.fault(Endpoint::Any, Fault::delivery(Delivery::Hang));
    let mut stream = TcpStream::connect(hub.address()).unwrap();
    stream.write_all(&request("GET", BASE, &[], "")).unwrap();
    assert!(hub.wait_for(Endpoint::List, 1, LONG));
    stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    assert_eq!(stream.read(&mut [0; 1]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn refused_connections_and_the_way_back() {
    let hub = hub();
    hub.set_down(true);
    let refused = TcpStream::connect(hub.address()).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    hub.set_down(true);
    hub.set_down(false);
    assert_eq!(api(&hub, "GET", "", "").status, 200);
    hub.down_for(Duration::from_millis(50));
    let begun = Instant::now();
    while TcpStream::connect(hub.address()).is_err() {
        assert!(begun.elapsed() < LONG, "it never came back");
    }
    assert!(begun.elapsed() >= Duration::from_millis(30));
}

#[test]
fn going_down_cuts_those_who_are_connected() {
    use std::io::Read;
    let hub = hub();
    let mut idle = TcpStream::connect(hub.address()).unwrap();
    assert!(hub.wait_for_connections(1, LONG));
    idle.set_read_timeout(Some(LONG)).unwrap();
    hub.set_down(true);
    assert_eq!(idle.read(&mut [0; 1]).unwrap(), 0);
}

#[test]
fn one_connection_carries_many_requests() {
    let hub = hub();
    let one = format!("GET {BASE} HTTP/1.1\r\nx-api-key: {}\r\n\r\n", hub.api_key());
    let last = request("GET", BASE, &[], "");
    let bytes = raw(&hub, &[one.as_bytes(), one.as_bytes(), &last].concat());
    let statuses = String::from_utf8(bytes).unwrap().matches("HTTP/1.1 200").count();
    assert_eq!((statuses, hub.count(Endpoint::List), hub.connections()), (2, 3, 1));
}

#[test]
fn nonsense_never_stops_the_emulator() {
    let hub = hub();
    assert!(raw(&hub, b"\x00\x01\x02\r\n\r\n").starts_with(b"HTTP/1.1 400"));
    assert!(
        raw(&hub, b"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n").starts_with(b"HTTP/1.1 400")
    );
    assert!(raw(&hub, b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n").starts_with(b"HTTP/1.1 413"));
    let odd = format!("{BASE}/%ff%00%zz/renew?format=%");
    assert_eq!(ask(&hub, "POST", &odd, &[("x-api-key", &hub.api_key())], "").status, 404);
    assert_eq!(ask(&hub, "GET", "/", &[], "").status, 404);
    assert_eq!(api(&hub, "GET", "", "").status, 200);
}

#[test]
fn rules_that_skip_and_rules_that_last() {
    let hub = hub();
    hub.rule(FaultRule::always(Endpoint::List, Fault::status(500)).after(1));
    let statuses: Vec<u16> = (0..4).map(|_| api(&hub, "GET", "", "").status).collect();
    assert_eq!(statuses, [200, 500, 500, 500]);
    assert_eq!(hub.faults().len(), 1);
    hub.clear_faults();
    assert_eq!(api(&hub, "GET", "", "").status, 200);
}
