//! Answers written by hand: what servers, proxies and portals really send, and what nobody should.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use hub_emulator::{BodyStyle, Delivery, Endpoint, Fault, FaultAnswer, Format, Framing, HubEmulator};
use hub_emulator::{LicenseSpec, Options, SigningKey};
use test_support::{RawAnswer, RawServer};

use test_bench::rig::{Outcome, Rig, SERIAL};

fn license() -> &'static str {
    static LICENSE: OnceLock<String> = OnceLock::new();
    let make = || LicenseSpec::new(SERIAL).to_json(&SigningKey::from_seed(1), Format::Netifyd, BodyStyle::Compact);
    LICENSE.get_or_init(make)
}

fn envelope() -> String {
    format!("{{\"status_code\":0,\"status_message\":\"Success.\",\"data\":{}}}", license())
}

/// A device whose hub sends this.
fn rig(answer: RawAnswer) -> (RawServer, Rig) {
    let server = RawServer::start(vec![answer]).expect("a server");
    let mut rig = Rig::new();
    rig.set("hub.url", server.url("/api"));
    rig.set("hub.timeout", "3s");
    let key = rig.secret("api-key", "raw-key");
    rig.set("hub.api-key-file", key.display());
    (server, rig)
}

fn view(answer: RawAnswer) -> Outcome {
    let (server, rig) = rig(answer);
    let done = rig.run(&["hub", "view", SERIAL, "--json"]);
    let requests = server.requests();
    assert_eq!(requests.len(), 1, "no failure is tried again by itself: {requests:?}");
    assert_eq!(requests[0].header("accept-encoding"), None, "compression is not asked for");
    assert_eq!(requests[0].target, format!("/api/licenses/{SERIAL}?format=netifyd"));
    done
}

fn raw(head: &str, body: impl AsRef<[u8]>) -> RawAnswer {
    RawAnswer::bytes([head.replace('\n', "\r\n").as_bytes(), b"\r\n\r\n", body.as_ref()].concat())
}

fn chunked(sizes: usize, trailer: &str) -> Vec<u8> {
    let mut wire = Vec::new();
    for chunk in envelope().as_bytes().chunks(sizes) {
        wire.extend(format!("{:X};name=\"va;lue\"\r\n", chunk.len()).bytes());
        wire.extend(chunk);
        wire.extend(b"\r\n");
    }
    wire.extend(format!("000\r\n{trailer}\r\n").bytes());
    wire
}

#[test]
fn every_honest_framing_is_read() {
    let length = envelope().len();
    for (name, answer) in [
        ("content-length", RawAnswer::json(200, envelope())),
        ("keep-alive", RawAnswer::keep_alive(200, &[], envelope())),
        ("end of connection", raw("HTTP/1.1 200 OK\nConnection: close", envelope())),
        ("HTTP/1.0", raw("HTTP/1.0 200 OK", envelope())),
        ("folded fields", raw(&format!("HTTP/1.1 200 OK\nX-Folded: a\n  b\nContent-Length: {length}"), envelope())),
        ("no reason phrase", raw(&format!("HTTP/1.1 200 \nContent-Length: {length}"), envelope())),
        ("chunks of one byte", raw("HTTP/1.1 200 OK\nTransfer-Encoding: chunked", chunked(1, ""))),
        ("chunks with trailer", raw("HTTP/1.1 200 OK\ntransfer-ENCODING:chunked", chunked(7, "X-Sum: 1\r\n"))),
        (
            "informational answers first",
            raw("HTTP/1.1 100 Continue\n\nHTTP/1.1 103 Early Hints\nLink: </x>\n\nHTTP/1.1 200 OK", envelope()),
        ),
        ("another type", RawAnswer::http(200, &[("Content-Type", "text/plain; charset=utf-8")], envelope())),
        (
            "no type and odd fields",
            RawAnswer::http(
                200,
                &[
                    ("X-Name", "\u{e9}\u{fc}"),
                    ("Retry-After", ""),
                    ("Date", "soon"),
                    ("Set-Cookie", "a=b"),
                    ("Set-Cookie", "c=d"),
                ],
                envelope(),
            ),
        ),
        ("identity", RawAnswer::http(200, &[("Content-Encoding", "identity")], envelope())),
        ("201", RawAnswer::json(201, envelope())),
        ("white space around", RawAnswer::json(200, format!(" \r\n\t{}\n\n", envelope()))),
    ] {
        let done = view(answer);
        assert_eq!((done.code, done.out.trim_end()), (Some(0), license()), "{name}: {done:?}");
    }
}

#[test]
fn bodies_that_are_no_answer_are_named_as_what_they_are() {
    let gzip = [("Content-Encoding", "gzip"), ("Content-Type", "application/json")];
    for (answer, words) in [
        (
            RawAnswer::http(200, &[("Content-Type", "text/html; charset=utf-8")], "<!DOCTYPE html><p>Welcome"),
            "an HTML page",
        ),
        (RawAnswer::json(200, "  <html>"), "an HTML page"),
        (RawAnswer::http(200, &[("Content-Type", "TEXT/HTML")], "Welcome"), "an HTML page"),
        (RawAnswer::json(200, ""), "an empty body"),
        (RawAnswer::json(200, " \n"), "an empty body"),
        (RawAnswer::json(204, ""), "instead of a license"),
        (RawAnswer::http(200, &gzip, b"\x1f\x8b\x08\0\0\0\0\0"), "a body in gzip encoding, which was not asked for"),
        (RawAnswer::json(200, &envelope()[..100]), "100 bytes that are no complete JSON"),
        (
            RawAnswer::json(200, [b"{\"status_message\":\"\xff\",", &envelope().as_bytes()[1..]].concat()),
            "no complete JSON",
        ),
        (RawAnswer::json(200, envelope() + "}"), "no complete JSON"),
        (RawAnswer::json(200, "[".repeat(50_000)), "50000 bytes that are no complete JSON"),
        (RawAnswer::json(200, "[]"), "other JSON"),
        (RawAnswer::json(200, "null"), "other JSON"),
        (RawAnswer::json(200, license()), "other JSON instead of its envelope"),
        (RawAnswer::json(200, r#"{"status_code":0,"data":null}"#), "instead of a license"),
        (RawAnswer::json(200, r#"{"status_code":0,"data":{},"data":{}}"#), "HTTP 200"),
        (RawAnswer::json(200, r#"{"status_code":9,"status_message":"Odd."}"#), "with status code 9: Odd."),
        (raw("HTTP/1.1 301 Moved\nLocation: /elsewhere\nContent-Length: 0", ""), "a redirect to 127.0.0.1"),
        (raw("HTTP/1.1 304 Not Modified", ""), "HTTP 304"),
        (raw("HTTP/1.1 599 Odd\nContent-Length: 0", ""), "HTTP 599"),
    ] {
        let done = view(answer);
        let err = done.expect(1);
        assert!(err.contains(words) && err.contains("/api/licenses/2026"), "{words}: {err}");
        assert!(done.out.is_empty() && err.lines().count() == 1, "{done:?}");
    }
    let refused = view(RawAnswer::json(200, r#"{"status_code":"403.000","status_message":"Denied."}"#));
    assert!(refused.expect(5).contains("HTTP 403 (Forbidden): Denied;"), "a 200 may carry a refusal: {refused:?}");
}

#[test]
fn words_of_others_do_not_act_on_the_terminal() {
    let body = r#"{"status_message":"a\u001b]0;title\u0007\r\nroot@host# \u202e","status_fields":["\u001b[2J"]}"#;
    let done = view(RawAnswer::json(400, body));
    let err = done.expect(5);
    assert!(
        err.trim_end().chars().all(|c| !c.is_control() && c != '\u{202e}') && err.contains("root@host#"),
        "{err:?}"
    );
    let long = view(RawAnswer::json(400, format!("{{\"message\":\"{}\"}}", "x".repeat(50_000))));
    assert!(long.expect(5).len() < 1_000);
}

#[test]
fn data_that_is_no_license_does_not_act_on_the_terminal_either() {
    let data = "{\n  \"a\": \"b\u{202e}c\u{9b}d\u{2028}\"\n}";
    let (_server, rig) = rig(RawAnswer::json(200, format!("{{\"status_code\":0,\"data\":{data}}}")));
    let done = rig.run(&["hub", "create", "--issued-to", "A", "--entitlement", "x"]);
    assert_eq!((done.code, done.out.as_str()), (Some(0), "{\n  \"a\": \"bcd\"\n}\n"), "{done:?}");
}

#[test]
fn broken_messages_are_outages() {
    let length = envelope().len();
    for (name, answer) in [
        ("cut at once", RawAnswer::cut()),
        ("cut in the head", RawAnswer::bytes("HTTP/1.1 200 OK\r\nContent-Le")),
        ("cut in the body", raw(&format!("HTTP/1.1 200 OK\nContent-Length: {length}"), &envelope()[..50])),
        ("cut in a chunk", raw("HTTP/1.1 200 OK\nTransfer-Encoding: chunked", "ff\r\n{\"status_code\":0")),
        ("no last chunk", raw("HTTP/1.1 200 OK\nTransfer-Encoding: chunked", "2\r\n{}\r\n")),
        ("a chunk size that is none", raw("HTTP/1.1 200 OK\nTransfer-Encoding: chunked", "zz\r\n{}\r\n0\r\n\r\n")),
        ("a chunk of 2^64", raw("HTTP/1.1 200 OK\nTransfer-Encoding: chunked", "10000000000000000\r\n{}\r\n")),
        ("two lengths", raw(&format!("HTTP/1.1 200 OK\nContent-Length: {length}\nContent-Length: 5"), envelope())),
        ("a length below zero", raw("HTTP/1.1 200 OK\nContent-Length: -1", envelope())),
        (
            "a thousand fields",
            raw(&("HTTP/1.1 200 OK\n".to_owned() + &"X-A: b\n".repeat(1_000) + "Content-Length: 2"), "{}"),
        ),
        ("a field of a mebibyte", raw(&format!("HTTP/1.1 200 OK\nX-A: {}", "b".repeat(1 << 20)), "{}")),
        ("another protocol", RawAnswer::bytes("SSH-2.0-OpenSSH_9.2p1\r\n")),
        ("HTTP/2", RawAnswer::bytes(b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x64".to_vec())),
        ("NUL", RawAnswer::bytes(vec![0; 4_096])),
    ] {
        let done = view(answer);
        let err = done.expect(1);
        assert!(err.starts_with("netify-licensed: http://127.0.0.1:"), "{name}: {err}");
        assert!(err.contains("; ") && err.lines().count() == 1, "what and what to do: {name}: {err}");
    }
}

#[test]
fn bodies_are_bounded_whether_they_say_so_or_not() {
    let padded = |size: usize| envelope() + &" ".repeat(size - envelope().len());
    let limit = 64 * 1024 + 1024;
    view(RawAnswer::json(200, padded(limit))).expect(0);
    for answer in [
        RawAnswer::json(200, padded(limit + 1)),
        raw("HTTP/1.1 200 OK", padded(limit + 1)),
        raw(
            "HTTP/1.1 200 OK\nTransfer-Encoding: chunked",
            format!("{:x}\r\n{}\r\n0\r\n\r\n", limit + 1, padded(limit + 1)),
        ),
        // Refused for its announcement alone: not a byte of it is waited for.
        raw("HTTP/1.1 200 OK\nContent-Length: 9999999999", "{").then_hang(),
    ] {
        let begin = Instant::now();
        assert!(view(answer).expect(1).contains("larger than 66560 bytes"));
        assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
    }
}

#[test]
fn the_total_timeout_cuts_what_hangs_and_what_drips() {
    let hub = HubEmulator::start(Options::new());
    hub.add_license(LicenseSpec::new(SERIAL));
    let mut rig = Rig::api(&hub);
    rig.set("hub.timeout", "400ms");
    for delivery in [Delivery::Hang, Delivery::Drip(40)] {
        for framing in [Framing::Length, Framing::Chunked, Framing::UntilClose] {
            hub.fault(Endpoint::View, Fault::delivery(delivery).framed(framing));
            let begin = Instant::now();
            let done = rig.run(&["hub", "view", SERIAL]);
            assert!(done.expect(1).contains("no complete answer within hub.timeout"), "{delivery:?}: {done:?}");
            let took = begin.elapsed();
            assert!((Duration::from_millis(400)..Duration::from_secs(3)).contains(&took), "{delivery:?}: {took:?}");
        }
    }
}

#[test]
fn the_emulators_faults_have_their_exit_codes_and_words() {
    let hub = HubEmulator::start(Options::new());
    hub.add_license(LicenseSpec::new(SERIAL));
    let rig = Rig::api(&hub);
    for (fault, words) in [
        (Fault::delivery(Delivery::CutBefore), "the connection broke"),
        (Fault::delivery(Delivery::LostAnswer), "the connection broke"),
        (Fault::delivery(Delivery::CutHalf), "the connection broke"),
        (Fault::answer(FaultAnswer::Html), "an HTML page"),
        (Fault::answer(FaultAnswer::Empty), "an empty body"),
        (Fault::answer(FaultAnswer::TruncatedJson), "no complete JSON"),
        (Fault::answer(FaultAnswer::NullData), "instead of a license"),
        (Fault::answer(FaultAnswer::Gzip), "gzip encoding"),
        (Fault::answer(FaultAnswer::Huge(200_000)), "larger than"),
        (Fault::raw(*b"nonsense\r\n\r\n"), "does not speak HTTP"),
    ] {
        hub.fault(Endpoint::View, fault.clone());
        let done = rig.run(&["hub", "view", SERIAL]);
        assert!(done.expect(1).contains(words), "{fault:?}: {done:?}");
    }
    for framing in [Framing::Chunked, Framing::UntilClose] {
        hub.fault(Endpoint::View, Fault::framing(framing));
        rig.run(&["hub", "view", SERIAL]).expect(0);
    }
    hub.set_down(true);
    let done = rig.run(&["hub", "view", SERIAL]);
    assert!(done.expect(1).contains("no connection (") && done.err.contains("whether the server is up"), "{done:?}");
}
