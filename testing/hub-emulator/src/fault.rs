//! Faults to order: what goes wrong with a request.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::license::Defect;
use crate::options::EnvelopeStyle;

/// A status with the usual body of an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct StatusFault {
    /// HTTP status code.
    pub code: u16,
    /// How the envelope is written; `none` sends an empty body. Without it, as the options say.
    #[serde(default)]
    pub envelope: Option<EnvelopeStyle>,
    /// `Retry-After`, in seconds from now; written in the style of the options.
    #[serde(default)]
    pub retry_after: Option<u64>,
    /// The hub's words; without them the usual ones of the code.
    #[serde(default)]
    pub message: Option<String>,
}

/// A body of the test's own making, under a true head.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct BodyFault {
    /// HTTP status code.
    #[serde(default = "ok")]
    pub code: u16,
    /// `Content-Type`.
    #[serde(default = "json_type")]
    pub content_type: String,
    /// More headers.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

fn ok() -> u16 {
    200
}

fn json_type() -> String {
    "application/json".to_owned()
}

/// What is answered instead of the truth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultAnswer {
    /// An error status.
    Status(StatusFault),
    /// 200 with the HTML page of a captive portal.
    Html,
    /// 200 with an empty body.
    Empty,
    /// The first half of the true body, under a `Content-Length` that agrees.
    TruncatedJson,
    /// The true body, followed by blanks up to this many bytes.
    Huge(usize),
    /// 200 with `"data": null` (relay: `null`).
    NullData,
    /// The true answer with one thing wrong in every license of it.
    License(Defect),
    /// The true answer, gzip-encoded although nobody asked.
    Gzip,
    /// A redirect with this status and location.
    Redirect(u16, String),
    /// This body.
    Body(BodyFault),
    /// These bytes instead of an HTTP answer, then the end of the connection.
    Raw(RawBytes),
}

/// Bytes on the wire; in JSON either text or an array of numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum RawBytes {
    /// UTF-8 text.
    Text(String),
    /// Any bytes.
    Bytes(Vec<u8>),
}

impl RawBytes {
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }
}

/// How the answer travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Delivery {
    /// At once.
    #[default]
    Whole,
    /// Not at all: the connection ends, and nothing was done.
    CutBefore,
    /// Not at all: the connection ends after the operation was carried out.
    LostAnswer,
    /// The head and half of the body, then the connection ends.
    CutHalf,
    /// The head at once, then the body one byte per this many milliseconds.
    Drip(u64),
    /// Never: the connection stays open without an answer until the client gives up. Nothing is done.
    Hang,
}

/// How the end of the body is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Framing {
    /// `Content-Length`.
    #[default]
    Length,
    /// `Transfer-Encoding: chunked`, in small chunks.
    Chunked,
    /// Neither: the end of the connection.
    UntilClose,
}

/// One thing, or several together, that goes wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fault {
    pub(crate) answer: Option<FaultAnswer>,
    pub(crate) delivery: Delivery,
    pub(crate) framing: Framing,
    pub(crate) delay: Duration,
    pub(crate) carry_out: Option<bool>,
}

impl Fault {
    /// A wrong answer.
    #[must_use]
    pub fn answer(answer: FaultAnswer) -> Self {
        Self { answer: Some(answer), ..Self::default() }
    }

    /// An error status in the usual envelope.
    #[must_use]
    pub fn status(code: u16) -> Self {
        Self::answer(FaultAnswer::Status(StatusFault { code, envelope: None, retry_after: None, message: None }))
    }

    /// An error status in an envelope of this style, or without one.
    #[must_use]
    pub fn status_as(code: u16, envelope: EnvelopeStyle) -> Self {
        let envelope = Some(envelope);
        Self::answer(FaultAnswer::Status(StatusFault { code, envelope, retry_after: None, message: None }))
    }

    /// Adds `Retry-After` to an error status.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        if let Some(FaultAnswer::Status(status)) = &mut self.answer {
            status.retry_after = Some(seconds);
        }
        self
    }

    /// Gives an error status these words.
    #[must_use]
    pub fn message(mut self, words: impl Into<String>) -> Self {
        if let Some(FaultAnswer::Status(status)) = &mut self.answer {
            status.message = Some(words.into());
        }
        self
    }

    /// A redirect (302).
    #[must_use]
    pub fn redirect(location: impl Into<String>) -> Self {
        Self::answer(FaultAnswer::Redirect(302, location.into()))
    }

    /// The true answer with one thing wrong in its licenses.
    #[must_use]
    pub fn license(defect: Defect) -> Self {
        Self::answer(FaultAnswer::License(defect))
    }

    /// These bytes instead of an answer.
    #[must_use]
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self::answer(FaultAnswer::Raw(RawBytes::Bytes(bytes.into())))
    }

    /// 200 with this body, as JSON.
    #[must_use]
    pub fn body(body: impl Into<String>) -> Self {
        let content_type = json_type();
        Self::answer(FaultAnswer::Body(BodyFault { code: 200, content_type, headers: Vec::new(), body: body.into() }))
    }

    /// The true answer, delivered like this.
    #[must_use]
    pub fn delivery(delivery: Delivery) -> Self {
        Self::default().delivered(delivery)
    }

    /// The true answer, but late.
    #[must_use]
    pub fn delay(delay: Duration) -> Self {
        Self::default().delayed(delay)
    }

    /// The true answer, framed like this.
    #[must_use]
    pub fn framing(framing: Framing) -> Self {
        Self::default().framed(framing)
    }

    /// Adds a delivery.
    #[must_use]
    pub fn delivered(mut self, delivery: Delivery) -> Self {
        self.delivery = delivery;
        self
    }

    /// Adds a delay before the answer.
    #[must_use]
    pub fn delayed(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Adds a framing.
    #[must_use]
    pub fn framed(mut self, framing: Framing) -> Self {
        self.framing = framing;
        self
    }

    /// Says whether the operation is carried out all the same, against the default of [`Fault::carries_out`].
    #[must_use]
    pub fn carry_out(mut self, carry_out: bool) -> Self {
        self.carry_out = Some(carry_out);
        self
    }

    /// Whether the operation behind the request is carried out: yes where the answer is the true one, even if
    /// disfigured; no where something else answers in its place.
    #[must_use]
    pub fn carries_out(&self) -> bool {
        let by_default = match (self.delivery, &self.answer) {
            (Delivery::CutBefore | Delivery::Hang, _) => false,
            (Delivery::LostAnswer, _) | (_, None) => true,
            (_, Some(answer)) => matches!(
                answer,
                FaultAnswer::License(_) | FaultAnswer::Gzip | FaultAnswer::TruncatedJson | FaultAnswer::Huge(_)
            ),
        };
        self.carry_out.unwrap_or(by_default)
    }
}
