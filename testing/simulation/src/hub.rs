//! The simulated hub or relay of one device, with everything that can be wrong with it.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use netify_licensed::core::engine::HubRequest;
use netify_licensed::core::hub::response::{RawAnswer, TransportError};
use netify_licensed::core::license::verify::State;
use netify_licensed::core::time::{DAY, HOUR, MINUTE, Millis, SECOND, WallTime};

use crate::device::Device;
use crate::license::{Doc, Draft};
use crate::random::Random;

/// An answer, and how long it takes to arrive.
pub type Reply = (Result<RawAnswer, TransportError>, Millis);

/// How the hub is doing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Condition {
    /// It works.
    Good,
    /// No connection, time-outs, 5xx.
    Down,
    /// 429 or 503 with this probability; `Retry-After` in seconds, as a date if so.
    Limited { share: f64, retry_after: Option<u32>, as_date: bool },
    /// 200 with something that is no license of this device.
    WrongBody,
    /// It works, in its own time.
    Slow,
    /// Answers to renewals get lost after the renewal.
    Lossy,
    /// It refuses with this status.
    Refusing(u16),
}

/// The hub as one device sees it.
#[derive(Debug)]
pub struct Hub {
    /// How it is doing.
    pub condition: Condition,
    /// The license of this device in its latest version.
    pub current: Option<Arc<Doc>>,
    /// Versions from first to last but one.
    pub earlier: Vec<Arc<Doc>>,
    /// When the latest version was made.
    pub issued_at: Millis,
    first_created: Option<WallTime>,
}

impl Hub {
    /// A hub that works and knows nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { condition: Condition::Good, current: None, earlier: Vec::new(), issued_at: 0, first_created: None }
    }

    /// Makes a later version of the device's license.
    pub fn issue(&mut self, device: &Device, at: Millis) -> Arc<Doc> {
        let whole = |millis: Millis, unit: Millis| millis.div_euclid(unit) * unit;
        let now = WallTime(whole(at, SECOND));
        let created = *self.first_created.get_or_insert(now);
        let expires = WallTime(whole(at + device.term, if device.whole_days { DAY } else { SECOND }));
        if self.current.as_ref().is_some_and(|current| current.expires >= expires) {
            // Nothing changes when the new end is not later.
            return self.current.clone().unwrap_or_else(|| self.issue(device, at + DAY));
        }
        let doc = Doc::issue(
            &Draft {
                serial: &device.serial,
                duid: device.bound.then_some(device.duid.as_str()),
                expires,
                created: device.tells_created.then_some(if device.keeps_created { created } else { now }),
                renewable: (!device.renewable).then_some(false),
                signed: device.signed,
            },
            None,
        );
        self.issued_at = at;
        self.earlier.extend(self.current.replace(doc.clone()));
        doc
    }

    /// Takes a request at the true time `at`. `wall` is the device's clock: certificates are checked against it.
    pub fn ask(
        &mut self,
        device: &Device,
        request: &HubRequest,
        at: Millis,
        wall: WallTime,
        random: &mut Random,
    ) -> Reply {
        if device.tls && wall.since(WallTime(at)).abs() > 45 * DAY {
            return (Err(broken("certificate not valid at this time")), random.between(50, 400));
        }
        let quick = random.between(30, 2 * SECOND);
        let with_date = |mut answer: RawAnswer| {
            answer.date = device.tells_date.then(|| http_date(at));
            answer
        };
        match self.condition {
            Condition::Good => (Ok(with_date(self.serve(device, request, at))), quick),
            Condition::Slow => {
                let latency = random.between(5 * SECOND, 40 * SECOND);
                let answer = self.serve(device, request, at);
                if latency > 30 * SECOND {
                    (Err(broken("time-out")), 30 * SECOND)
                } else {
                    (Ok(with_date(answer)), latency)
                }
            }
            Condition::Lossy => {
                let answer = self.serve(device, request, at);
                let lost = matches!(request, HubRequest::Renew { .. } | HubRequest::Create { .. } | HubRequest::Relay)
                    && random.chance(0.6);
                if lost { (Err(broken("connection reset")), quick) } else { (Ok(with_date(answer)), quick) }
            }
            Condition::Limited { share, retry_after, as_date } => {
                if !random.chance(share) {
                    return (Ok(with_date(self.serve(device, request, at))), quick);
                }
                let retry_after = retry_after.map(|seconds| {
                    if as_date { http_date(at + i64::from(seconds) * SECOND) } else { seconds.to_string() }
                });
                let answer = RawAnswer {
                    status: if random.chance(0.8) { 429 } else { 503 },
                    retry_after,
                    ..RawAnswer::default()
                };
                (Ok(with_date(answer)), quick)
            }
            Condition::Refusing(status) => {
                let body = format!(r#"{{"status_code":"{status}.000","status_message":"No."}}"#).into_bytes();
                (Ok(with_date(RawAnswer { status, body, ..RawAnswer::default() })), quick)
            }
            Condition::Down => match random.next() % 4 {
                0 => (Err(broken("no route to host")), random.between(1, 3 * SECOND)),
                1 => (Err(broken("time-out")), 30 * SECOND),
                _ => {
                    let status = random.pick(&[500, 502, 503, 504, 408]);
                    (Ok(RawAnswer { status, ..RawAnswer::default() }), quick)
                }
            },
            Condition::WrongBody => (Ok(with_date(self.wrong_body(device, at, random))), quick),
        }
    }

    fn serve(&mut self, device: &Device, request: &HubRequest, at: Millis) -> RawAnswer {
        let ours = |serial: &str| serial == device.serial;
        let unknown = || RawAnswer {
            status: 404,
            body: br#"{"status_code":"404.000","status_message":"No such license."}"#.to_vec(),
            ..RawAnswer::default()
        };
        match request {
            HubRequest::Relay => {
                if self.current.as_ref().is_none_or(|current| current.expires.0 - at < device.term * 3 / 7) {
                    self.issue(device, at);
                }
                self.current.as_ref().map_or_else(unknown, |doc| RawAnswer {
                    status: 200,
                    body: doc.bytes.clone(),
                    ..RawAnswer::default()
                })
            }
            HubRequest::List => {
                let item = self
                    .current
                    .as_ref()
                    .map(|doc| String::from_utf8_lossy(&doc.bytes).into_owned())
                    .unwrap_or_default();
                success(&format!("[{item}]"))
            }
            HubRequest::View(serial) if ours(serial.as_str()) => {
                self.current.as_ref().map_or_else(unknown, |doc| success(&String::from_utf8_lossy(&doc.bytes)))
            }
            HubRequest::Renew { serial, .. } if ours(serial.as_str()) && self.current.is_some() => {
                if !device.renewable {
                    let body = br#"{"status_code":"403.000","status_message":"Not renewable."}"#.to_vec();
                    return RawAnswer { status: 403, body, ..RawAnswer::default() };
                }
                let doc = self.issue(device, at);
                success(&String::from_utf8_lossy(&doc.bytes))
            }
            HubRequest::Create { .. } => {
                let doc = self.issue(device, at);
                success(&String::from_utf8_lossy(&doc.bytes))
            }
            HubRequest::View(_) | HubRequest::Renew { .. } | HubRequest::Delete(_) => unknown(),
        }
    }

    /// Portals, proxies, other people's licenses, bit rot.
    fn wrong_body(&self, device: &Device, at: Millis, random: &mut Random) -> RawAnswer {
        let data = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes);
            if device.relay {
                RawAnswer { status: 200, body: text.into_owned().into_bytes(), ..RawAnswer::default() }
            } else {
                success(&text)
            }
        };
        let html = RawAnswer { status: 200, body: b"<html>Welcome to the hotel".to_vec(), ..RawAnswer::default() };
        let Some(current) = &self.current else { return html };
        match random.next() % 5 {
            0 => {
                let mut answer = data(&current.bytes);
                answer.body.truncate(answer.body.len() / 2);
                answer
            }
            1 => data(&foreign(device, at).bytes),
            2 => data(&tampered(current, device).bytes),
            3 => self.earlier.last().map_or(html, |doc| data(&doc.bytes)),
            _ => html,
        }
    }
}

impl Default for Hub {
    fn default() -> Self {
        Self::new()
    }
}

/// A license of somebody else's device that ends later than ours.
#[must_use]
pub fn foreign(device: &Device, at: Millis) -> Arc<Doc> {
    let expires = WallTime((at + 2 * device.term).div_euclid(SECOND) * SECOND);
    let draft = Draft {
        serial: "SIM-other",
        duid: Some("duid-other"),
        expires,
        created: None,
        renewable: None,
        signed: device.signed,
    };
    Doc::issue(&draft, Some(State::WrongDevice))
}

/// Our license with a later end that nobody signed; without signatures, a document with its end torn off.
#[must_use]
pub fn tampered(doc: &Arc<Doc>, device: &Device) -> Arc<Doc> {
    let text = String::from_utf8_lossy(&doc.bytes).into_owned();
    if device.signed {
        let from = format!("\"unix\":{}", doc.expires.unix());
        let to = format!("\"unix\":{}", doc.expires.unix() + 86_400_000);
        return doc.spoiled(text.replace(&from, &to).into_bytes(), State::BadSignature);
    }
    doc.spoiled(text.replace("\"serial\"", "\"cereal\"").into_bytes(), State::Malformed)
}

fn success(data: &str) -> RawAnswer {
    let body = format!(r#"{{"status_code":0,"status_message":"Success.","data":{data}}}"#).into_bytes();
    RawAnswer { status: 200, body, ..RawAnswer::default() }
}

fn broken(what: &str) -> TransportError {
    TransportError { message: format!("the hub cannot be reached: {what}"), local: false }
}

fn http_date(at: Millis) -> String {
    let timestamp = Timestamp::from_millisecond(at).unwrap_or(Timestamp::UNIX_EPOCH);
    DateTimePrinter::new().timestamp_to_rfc9110_string(&timestamp).unwrap_or_default()
}

/// Draws what goes wrong next, and for how long.
pub fn trouble(random: &mut Random) -> (Condition, Millis) {
    match random.next() % 10 {
        0..=3 => (Condition::Down, random.magnitude(10 * MINUTE, 6 * DAY)),
        4 => {
            let retry_after = random.chance(0.8).then(|| u32::try_from(random.magnitude(10, 200_000)).unwrap_or(300));
            let share = random.pick(&[0.3, 0.8, 1.0]);
            (Condition::Limited { share, retry_after, as_date: random.chance(0.3) }, random.magnitude(HOUR, 3 * DAY))
        }
        5 => (Condition::WrongBody, random.magnitude(10 * MINUTE, 3 * DAY)),
        6 => (Condition::Slow, random.magnitude(HOUR, 3 * DAY)),
        7 | 8 => (Condition::Lossy, random.magnitude(HOUR, 8 * DAY)),
        _ => {
            (Condition::Refusing(random.pick(&[400, 401, 403, 404, 409, 422])), random.magnitude(10 * MINUTE, 2 * DAY))
        }
    }
}
