//! Turns a request, and perhaps a fault, into what goes over the wire.

use std::time::Duration;

use crate::clock::http_date;
use crate::endpoint::Route;
use crate::fault::{Delivery, Fault, FaultAnswer, Framing};
use crate::gzip;
use crate::hub::Hub;
use crate::outcome::{Answer, Outcome, Payload, Writer};
use crate::request::Request;

const PORTAL: &str = "<!DOCTYPE html>\n<html><head><title>Guest network</title></head>\n\
    <body><h1>Welcome</h1><p>Please accept the terms to continue.</p></body></html>\n";

/// What goes over the wire, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) wire: Wire,
    pub(crate) delivery: Delivery,
    pub(crate) framing: Framing,
    pub(crate) delay: Duration,
}

/// An answer, or bytes that need not be one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wire {
    Answer(Answer),
    Raw(Vec<u8>),
}

impl Reply {
    pub(crate) fn plain(answer: Answer) -> Self {
        let Fault { delivery, framing, delay, .. } = Fault::default();
        Self { wire: Wire::Answer(answer), delivery, framing, delay }
    }

    /// The status that the client gets to see, if any.
    pub(crate) fn status(&self) -> Option<u16> {
        match (&self.wire, self.delivery) {
            (_, Delivery::CutBefore | Delivery::LostAnswer | Delivery::Hang) | (Wire::Raw(_), _) => None,
            (Wire::Answer(answer), _) => Some(answer.status),
        }
    }
}

/// Carries the request out, or pretends to, and words the reply.
pub(crate) fn reply(hub: &mut Hub, route: &Route, request: &Request, fault: Option<Fault>) -> Reply {
    let fault = fault.unwrap_or_default();
    let truth = if fault.carries_out() {
        hub.handle(route, request)
    } else {
        // The true answer without its effects.
        hub.clone().handle(route, request)
    };
    let wire = match &fault.answer {
        Some(FaultAnswer::Raw(raw)) => Wire::Raw(raw.bytes().to_vec()),
        answer => {
            let date = http_date(hub.now());
            Wire::Answer(disfigure(hub, &truth, answer.as_ref()).with("Date", date))
        }
    };
    Reply { wire, delivery: fault.delivery, framing: fault.framing, delay: fault.delay }
}

fn disfigure(hub: &Hub, truth: &Outcome, fault: Option<&FaultAnswer>) -> Answer {
    let mut writer =
        Writer { options: &hub.options, key: &hub.key, now: hub.now(), envelope: hub.options.envelope, defect: None };
    match fault {
        None | Some(FaultAnswer::Raw(_)) => writer.write(truth),
        Some(FaultAnswer::Status(status)) => {
            writer.envelope = status.envelope.unwrap_or(writer.envelope);
            writer.write(&Outcome {
                message: status.message.clone(),
                retry_after: status.retry_after,
                bare: truth.bare,
                ..Outcome::status(status.code)
            })
        }
        Some(FaultAnswer::Html) => Answer::new(200, "text/html; charset=utf-8", PORTAL),
        Some(FaultAnswer::Empty) => Answer::new(200, "application/json", ""),
        Some(FaultAnswer::TruncatedJson) => {
            let mut answer = writer.write(truth);
            answer.body.truncate(answer.body.len() / 2);
            answer
        }
        Some(FaultAnswer::Huge(size)) => {
            let mut answer = writer.write(truth);
            let size = (*size).max(answer.body.len());
            answer.body.resize(size, b' ');
            answer
        }
        Some(FaultAnswer::NullData) => writer.write(&Outcome { bare: truth.bare, ..Outcome::success(Payload::Null) }),
        Some(FaultAnswer::License(defect)) => {
            writer.defect = Some(*defect);
            writer.write(truth)
        }
        Some(FaultAnswer::Gzip) => {
            let mut answer = writer.write(truth);
            answer.body = gzip::encode(&answer.body);
            answer.with("Content-Encoding", "gzip")
        }
        Some(FaultAnswer::Redirect(status, location)) => {
            Answer::new(*status, "text/html", "").with("Location", location.as_str())
        }
        Some(FaultAnswer::Body(body)) => {
            let mut answer = Answer::new(body.code, &body.content_type, body.body.as_bytes());
            answer.headers.extend(body.headers.iter().cloned());
            answer
        }
    }
}
