//! What an answer of the hub or a relay means: data, a refusal, or an outage.
//!
//! A 200 is not yet a license: maintenance pages and captive portals answer 200 too, and are outages by their name.

use serde::de::IgnoredAny;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::core::hub::envelope::{Envelope, http_status_of};
pub use crate::core::hub::error::{Speaker, TransportError, Trouble, TroubleKind};
use crate::core::hub::list::List;
use crate::core::hub::redaction::Redaction;
use crate::core::time::{Millis, SECOND, WallTime};

/// An HTTP answer as it arrived.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RawAnswer {
    /// What was asked, for messages: without the query, which may hold secrets.
    pub url: String,
    /// HTTP status code.
    pub status: u16,
    /// `Retry-After`: seconds or an HTTP date.
    pub retry_after: Option<String>,
    /// `Date`.
    pub date: Option<String>,
    /// `Age` (RFC 9111): the answer comes out of a cache.
    pub age: Option<String>,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Content-Encoding`.
    pub content_encoding: Option<String>,
    /// Host of `Location`; the rest of it may hold secrets.
    pub location_host: Option<String>,
    /// That host is another one than was asked.
    pub location_is_elsewhere: bool,
    /// `Link` (RFC 8288).
    pub link: Option<String>,
    /// Of a list, how many entries it had: its body has only those that were wanted.
    pub entries: Option<usize>,
    /// What was sent to prove who this device is, in words that say where it comes from.
    pub credential: String,
    /// The body, exactly as received. Complete, if the status is a success.
    pub body: Vec<u8>,
    /// What was sent and must not be repeated in a message.
    pub redaction: Redaction,
}

/// The bytes of `data` of a successful API answer, exactly as received; `null` where success comes without data.
pub fn api_data(answer: &RawAnswer, now: WallTime) -> Result<Vec<u8>, Trouble> {
    let Some(envelope) = success(answer, now)? else { return Ok(b"null".to_vec()) };
    match (envelope.data, envelope.code()) {
        // Some hubs put an empty list beside a failure.
        _ if envelope.has_failed() => Err(failed_code(answer, "the hub", &envelope)),
        // A null is none.
        (Some(data), _) => Ok(data.get().as_bytes().to_vec()),
        (_, Some(_)) => Ok(b"null".to_vec()),
        _ => Err(not_an_answer(answer, "the hub", "its envelope with `data`")),
    }
}

/// The license of a successful API answer, exactly as received. Its signature decides over it, so an unknown code beside
/// it does not.
pub fn api_license(answer: &RawAnswer, now: WallTime) -> Result<Vec<u8>, Trouble> {
    let envelope = success(answer, now)?;
    let data = envelope.as_ref().and_then(|envelope| envelope.data).map(RawValue::get);
    match (data, &envelope) {
        (Some(data), _) if data.starts_with('{') && data.contains(':') => Ok(data.as_bytes().to_vec()),
        (_, Some(envelope)) if envelope.has_failed() => Err(failed_code(answer, "the hub", envelope)),
        (None, Some(envelope)) if envelope.code().is_none() => {
            Err(not_an_answer(answer, "the hub", "its envelope with `data`"))
        }
        _ => Err(not_an_answer(answer, "the hub", "a license")),
    }
}

/// The envelope of a 2xx that carries no other HTTP status; [`None`] for the promise that there is no body.
fn success(answer: &RawAnswer, now: WallTime) -> Result<Option<Envelope<'_>>, Trouble> {
    let envelope = Envelope::read(&answer.body);
    if answer.status / 100 != 2 {
        return Err(failure(answer, "the hub", envelope.as_ref(), now));
    }
    let Some(envelope) = envelope else {
        let done = answer.status == 204 && answer.body.is_empty();
        return if done { Ok(None) } else { Err(not_an_answer(answer, "the hub", "its JSON envelope")) };
    };
    match envelope.code().and_then(http_status_of) {
        Some(status) => {
            let inner = RawAnswer { status, ..answer.clone() };
            Err(failure(&inner, "the hub", Some(&envelope), now))
        }
        None => Ok(Some(envelope)),
    }
}

/// A 2xx whose envelope says that it failed, by a code of the hub's own.
fn failed_code(answer: &RawAnswer, who: &str, envelope: &Envelope<'_>) -> Trouble {
    let code = envelope.code().map(ToString::to_string).unwrap_or_default();
    let words = envelope.words(&answer.redaction).map(|words| format!(": {words}")).unwrap_or_default();
    let text = format!("HTTP {} with status code {}{words}", answer.status, answer.redaction.one_line(&code));
    let fields = envelope.fields(&answer.redaction);
    Trouble { fields, ..Trouble::outage(answer.named(who, &text), Some(answer.status)) }
}

/// The licenses of a successful list answer.
pub fn api_list(answer: &RawAnswer, now: WallTime) -> Result<List, Trouble> {
    List::read(&api_data(answer, now)?).ok_or_else(|| not_an_answer(answer, "the hub", "a list of licenses"))
}

/// The license of a successful relay answer: the bare one, or that of the API's envelope.
pub fn relay_data(answer: &RawAnswer, now: WallTime) -> Result<Vec<u8>, Trouble> {
    let envelope = Envelope::read(&answer.body);
    if answer.status != 200 {
        return Err(failure(answer, "the relay", envelope.as_ref(), now));
    }
    match (serde_json::from_slice::<Value>(&answer.body), envelope) {
        (Ok(Value::Object(members)), _) if members.contains_key("serial") => Ok(answer.body.clone()),
        (Ok(_), Some(envelope)) if envelope.is_the_apis() || envelope.data.is_some() => {
            if let Some(status) = envelope.code().and_then(http_status_of) {
                return Err(failure(&RawAnswer { status, ..answer.clone() }, "the relay", Some(&envelope), now));
            }
            match envelope.data.map(RawValue::get) {
                Some(data) if data.starts_with('{') && data.contains(':') => Ok(data.as_bytes().to_vec()),
                _ if envelope.has_failed() => Err(failed_code(answer, "the relay", &envelope)),
                _ => Err(not_an_answer(answer, "the relay", "a license")),
            }
        }
        (Ok(Value::Object(_)), _) => Ok(answer.body.clone()),
        _ => Err(not_an_answer(answer, "the relay", "a license")),
    }
}

/// Reads `Retry-After` (RFC 9110, section 10.2.3): seconds, however many, or a date against this machine's clock.
#[must_use]
pub fn retry_after(text: &str, now: WallTime) -> Option<Millis> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let seconds = text.parse::<u32>().unwrap_or(u32::MAX);
        return Some(i64::from(seconds) * SECOND);
    }
    WallTime::parse(text).map(|date| date.since(now).max(0))
}

impl RawAnswer {
    /// What the source's clock says: of a success with its JSON, as it came from the source itself. A refusal, a page or
    /// a cache tells nothing. Who answered is known: no URL is taken but those of TLS and of this machine.
    #[must_use]
    pub fn clock(&self) -> Option<WallTime> {
        let is_data = || serde_json::from_slice::<IgnoredAny>(&self.body).is_ok();
        let date = self.date.as_deref().and_then(WallTime::parse)?;
        (self.status / 100 == 2 && self.age.is_none() && is_data()).then_some(date)
    }

    /// One sentence about this answer: which URL, who, and what was answered.
    fn named(&self, who: &str, what: &str) -> String {
        format!("{}{who} answered {what}", self.place())
    }

    fn place(&self) -> String {
        if self.url.is_empty() { String::new() } else { format!("{}: ", self.url) }
    }

    fn status_line(&self) -> String {
        format!("HTTP {} ({})", self.status, reason_phrase(self.status))
    }

    /// The body, named.
    fn what_it_is(&self) -> String {
        let body = self.body.trim_ascii_start();
        let html = self.content_type.as_deref().is_some_and(|kind| kind.to_ascii_lowercase().starts_with("text/html"))
            || body.starts_with(b"<");
        let compressed = self.content_encoding.as_deref().filter(|encoding| !encoding.eq_ignore_ascii_case("identity"));
        if body.is_empty() {
            "an empty body".to_owned()
        } else if let Some(encoding) = compressed {
            format!("a body in {} encoding, which was not asked for", self.redaction.one_line(encoding))
        } else if html && self.status / 100 == 2 {
            "an HTML page (a captive portal, a maintenance page or a proxy?)".to_owned()
        } else if html {
            "an HTML page".to_owned()
        } else if str::from_utf8(body).is_ok_and(|text| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()) {
            "other JSON".to_owned()
        } else if self.status / 100 == 2 {
            format!("{} bytes that are no complete JSON", self.body.len())
        } else {
            "a body that is no JSON".to_owned()
        }
    }
}

fn failure(answer: &RawAnswer, who: &str, envelope: Option<&Envelope<'_>>, now: WallTime) -> Trouble {
    let status = answer.status;
    let speaker = match envelope {
        Some(envelope) if envelope.is_the_apis() => Speaker::Api,
        Some(_) => Speaker::Json,
        None => Speaker::Other,
    };
    let kind = match status {
        429 => TroubleKind::RateLimited,
        408 | 425 => TroubleKind::Outage,
        503 if answer.retry_after.is_some() => TroubleKind::RateLimited,
        400..=499 if speaker != Speaker::Other => TroubleKind::Refusal,
        _ => TroubleKind::Outage,
    };
    // A date is read against the server's own clock where it tells it.
    let server_now = answer.date.as_deref().and_then(WallTime::parse).unwrap_or(now);
    let words = envelope.and_then(|envelope| envelope.words(&answer.redaction));
    let (message, remedy) = match (&answer.location_host, words) {
        (Some(host), _) if status / 100 == 3 => redirected(answer, who, host),
        (_, words) if speaker != Speaker::Other || status < 400 => refused(answer, who, words),
        _ => in_front(answer, who),
    };
    Trouble {
        kind,
        speaker,
        http_status: Some(status),
        message,
        fields: envelope.map(|envelope| envelope.fields(&answer.redaction)).unwrap_or_default(),
        remedy,
        retry_after: answer
            .retry_after
            .as_deref()
            .filter(|_| matches!(status, 429 | 503))
            .and_then(|text| retry_after(text, server_now)),
    }
}

type Explained = (String, Option<String>);

fn redirected(answer: &RawAnswer, who: &str, host: &str) -> Explained {
    let (status, host) = (answer.status, answer.redaction.one_line(host));
    let what = format!("HTTP {status}, a redirect to {host}; redirects are not followed");
    let remedy = if answer.location_is_elsewhere {
        format!("{host} is not {who}: log in to the network if it has a portal, or ask whoever runs {who}")
    } else {
        "set hub.url to the final address".to_owned()
    };
    (answer.named(who, &what), Some(remedy))
}

/// The hub's or relay's own word.
fn refused(answer: &RawAnswer, who: &str, words: Option<String>) -> Explained {
    let named = answer.status_line();
    let what = words.map_or_else(|| named.clone(), |words| format!("{named}: {words}"));
    let is_about_credentials = matches!(answer.status, 401 | 403) && !answer.credential.is_empty();
    (answer.named(who, &what), is_about_credentials.then(|| format!("check {}, and what it may do", answer.credential)))
}

/// An error without JSON: the hub and relays answer in JSON, so it is the word of what stands in front.
fn in_front(answer: &RawAnswer, who: &str) -> Explained {
    let place = answer.place();
    let says = |words: &[u8]| answer.body.windows(words.len()).any(|window| window.eq_ignore_ascii_case(words));
    // nginx and Apache say so in a page.
    let wants_certificate = matches!(answer.status, 495 | 496)
        || (answer.status == 400 && says(b"SSL certificate"))
        || (answer.status == 403 && says(b"Post-Handshake Authentication"));
    let named = answer.status_line();
    if wants_certificate {
        let remedy = if answer.credential.contains("client certificate") {
            format!("check {}", answer.credential)
        } else {
            "set hub.client-cert and hub.client-key".to_owned()
        };
        let what = format!(
            "{place}{named}: the server in front of {who} asks for a client certificate, or does not take the one it got"
        );
        return (what, Some(remedy));
    }
    if answer.status == 400 && (says(b"plain HTTP request was sent to HTTPS port") || says(b"speaking plain HTTP")) {
        return (
            format!("{place}{named}: that port takes https:// only"),
            Some("write https:// in hub.url".to_owned()),
        );
    }
    let page = answer.what_it_is();
    let credential = if answer.credential.is_empty() { "hub.url" } else { &answer.credential };
    let remedy = match answer.status {
        511 => "log in to the network, or ask whoever runs it".to_owned(),
        407 => "set hub.proxy with a user name and a password".to_owned(),
        429 | 500.. => format!("try again later; if it lasts, ask whoever runs {who}"),
        _ => format!(
            "ask whoever runs {who} whether what stands in front of it (a firewall, a proxy, a load balancer) lets this device through, or check {credential}"
        ),
    };
    if answer.status == 511 {
        return (format!("{place}{named}: a captive portal wants a login"), Some(remedy));
    }
    (format!("{place}{named} with {page}, which is not {who}'s word"), Some(remedy))
}

/// A 2xx whose body is not what was asked for, named as what it is.
fn not_an_answer(answer: &RawAnswer, who: &str, wanted: &str) -> Trouble {
    let text = format!("HTTP {} with {} instead of {wanted}", answer.status, answer.what_it_is());
    Trouble::outage(answer.named(who, &text), Some(answer.status))
}

/// The names of the registered status codes; the vendor's own for one of them.
fn reason_phrase(status: u16) -> &'static str {
    match status {
        422 => "Validation Error",
        511 => "Network Authentication Required",
        _ => http::StatusCode::from_u16(status)
            .ok()
            .and_then(|status| status.canonical_reason())
            .unwrap_or("no standard meaning"),
    }
}

#[cfg(test)]
#[path = "response_tests.rs"]
mod tests;
