//! What an answer of the hub or a relay means: data, a refusal, or an outage.
//!
//! A 200 is not yet a license: maintenance pages and captive portals answer 200 too, and are outages by their name.

use serde_json::Value;
use serde_json::value::RawValue;

use crate::core::hub::envelope::{Envelope, http_status_of};
pub use crate::core::hub::error::{TransportError, Trouble, TroubleKind};
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
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Content-Encoding`.
    pub content_encoding: Option<String>,
    /// Host of `Location`; the rest of it may hold secrets.
    pub location_host: Option<String>,
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
        _ if envelope.has_failed() => Err(failed_code(answer, &envelope)),
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
        (_, Some(envelope)) if envelope.has_failed() => Err(failed_code(answer, envelope)),
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
fn failed_code(answer: &RawAnswer, envelope: &Envelope<'_>) -> Trouble {
    let code = envelope.code().map(ToString::to_string).unwrap_or_default();
    let words = envelope.words(&answer.redaction).map(|words| format!(": {words}")).unwrap_or_default();
    let text = format!("HTTP {} with status code {}{words}", answer.status, answer.redaction.one_line(&code));
    let fields = envelope.fields(&answer.redaction);
    Trouble { fields, ..Trouble::outage(answer.named("the hub", &text), Some(answer.status)) }
}

/// The licenses of a successful list answer.
pub fn api_list(answer: &RawAnswer, now: WallTime) -> Result<List, Trouble> {
    List::read(&api_data(answer, now)?).ok_or_else(|| not_an_answer(answer, "the hub", "a list of licenses"))
}

/// The body of a successful relay answer: the bare license.
pub fn relay_data(answer: &RawAnswer, now: WallTime) -> Result<Vec<u8>, Trouble> {
    if answer.status != 200 {
        let envelope = Envelope::read(&answer.body);
        return Err(failure(answer, "the relay", envelope.as_ref(), now));
    }
    match serde_json::from_slice::<Value>(&answer.body) {
        Ok(Value::Object(_)) => Ok(answer.body.clone()),
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
    /// One sentence about this answer: which URL, who, and what was answered.
    fn named(&self, who: &str, what: &str) -> String {
        let place = if self.url.is_empty() { String::new() } else { format!("{}: ", self.url) };
        format!("{place}{who} answered {what}")
    }
}

fn failure(answer: &RawAnswer, who: &str, envelope: Option<&Envelope<'_>>, now: WallTime) -> Trouble {
    let status = answer.status;
    let kind = match status {
        429 => TroubleKind::RateLimited,
        408 | 425 => TroubleKind::Outage,
        503 if answer.retry_after.is_some() => TroubleKind::RateLimited,
        400..=499 => TroubleKind::Refusal,
        _ => TroubleKind::Outage,
    };
    // A date is read against the server's own clock where it tells it.
    let server_now = answer.date.as_deref().and_then(WallTime::parse).unwrap_or(now);
    let words = envelope.and_then(|envelope| envelope.words(&answer.redaction));
    let what = match (&answer.location_host, words) {
        (Some(host), _) if status / 100 == 3 => {
            let host = answer.redaction.one_line(host);
            format!("HTTP {status}, a redirect to {host}; redirects are not followed, set hub.url to the final address")
        }
        (_, Some(words)) => format!("HTTP {status} ({}): {words}", reason_phrase(status)),
        _ => format!("HTTP {status} ({})", reason_phrase(status)),
    };
    let message = answer.named(who, &what);
    Trouble {
        kind,
        http_status: Some(status),
        message,
        fields: envelope.map(|envelope| envelope.fields(&answer.redaction)).unwrap_or_default(),
        retry_after: answer
            .retry_after
            .as_deref()
            .filter(|_| matches!(status, 429 | 503))
            .and_then(|text| retry_after(text, server_now)),
    }
}

/// A 2xx whose body is not what was asked for, named as what it is.
fn not_an_answer(answer: &RawAnswer, who: &str, wanted: &str) -> Trouble {
    let body = answer.body.trim_ascii_start();
    let html = answer.content_type.as_deref().is_some_and(|kind| kind.to_ascii_lowercase().starts_with("text/html"))
        || body.starts_with(b"<");
    let compressed = answer.content_encoding.as_deref().filter(|encoding| !encoding.eq_ignore_ascii_case("identity"));
    let what = if body.is_empty() {
        "an empty body".to_owned()
    } else if let Some(encoding) = compressed {
        format!("a body in {} encoding, which was not asked for", answer.redaction.one_line(encoding))
    } else if html {
        "an HTML page (a captive portal, a maintenance page or a proxy?)".to_owned()
    } else if str::from_utf8(body).is_ok_and(|text| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()) {
        "other JSON".to_owned()
    } else {
        format!("{} bytes that are no complete JSON", answer.body.len())
    };
    let text = format!("HTTP {} with {what} instead of {wanted}", answer.status);
    Trouble::outage(answer.named(who, &text), Some(answer.status))
}

/// Reason phrases of RFC 9110 and RFC 6585 for what hubs and proxies answer.
const fn reason_phrase(status: u16) -> &'static str {
    match status {
        301 => "Moved Permanently",
        302 => "Found",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        409 => "Conflict",
        422 => "Validation Error",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "no standard meaning",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: WallTime = WallTime::from_unix(1_780_012_800);

    fn answer(status: u16, body: &str) -> RawAnswer {
        RawAnswer { status, body: body.as_bytes().to_vec(), ..RawAnswer::default() }
    }

    fn trouble(answer: &RawAnswer) -> Trouble {
        api_data(answer, NOW).expect_err("not data")
    }

    #[test]
    fn data_is_kept_as_received() {
        let body = "{\"status_code\": 0, \"status_message\": \"Success.\", \"data\": {\n  \"b\": 1.0,\n  \"a\": \"\\u00e9\" }\n}";
        assert_eq!(api_data(&answer(200, body), NOW), Ok(b"{\n  \"b\": 1.0,\n  \"a\": \"\\u00e9\" }".to_vec()));
        for code in ["0", "\"0\"", "200", "\"200.000\"", "null"] {
            let body = format!(r#"{{"status_code":{code},"data":{{}}}}"#);
            assert_eq!(api_data(&answer(200, &body), NOW), Ok(b"{}".to_vec()), "{code}");
        }
        assert_eq!(api_data(&answer(200, r#"{"resp_code":0,"resp_message":"ok","data":[]}"#), NOW), Ok(b"[]".to_vec()));
        assert_eq!(api_data(&answer(200, r#"{"status_code":0,"data":null}"#), NOW), Ok(b"null".to_vec()), "a delete");
    }

    #[test]
    fn refusals_carry_the_hubs_words_and_fields() {
        let t = trouble(&answer(
            422,
            r#"{"status_code":"422.000","status_message":"Validation error.","status_fields":[{"field":"expire_at","message":"too far"}]}"#,
        ));
        assert_eq!((t.kind, t.http_status, t.exit_code()), (TroubleKind::Refusal, Some(422), 5));
        assert_eq!(
            t.sentence(),
            "the hub answered HTTP 422 (Validation Error): Validation error. (expire_at: too far)"
        );
        for fields in [
            r#"{"expire_at":["too far"]}"#,
            r#"["expire_at: too far"]"#,
            r#"{"expire_at":"too far"}"#,
            r#"[{"expire_at":"too far"}]"#,
        ] {
            let t = trouble(&answer(422, &format!(r#"{{"status_message":"x","status_fields":{fields}}}"#)));
            assert_eq!(t.fields, ["expire_at: too far"], "{fields}");
        }
        for status in [400, 401, 403, 404, 405, 409, 422] {
            assert_eq!(trouble(&answer(status, "nonsense")).kind, TroubleKind::Refusal);
        }
        assert!(trouble(&answer(403, r#"{"resp_code":"403","resp_message":"No."}"#)).message.ends_with(": No."));
        assert!(trouble(&answer(500, r#"{"message":"backend down"}"#)).message.ends_with(": backend down"));
        assert!(!trouble(&answer(500, "{\"message\":\"a\\u001b[31m\\nb\"}")).message.contains('\u{1b}'));
    }

    #[test]
    fn a_200_may_carry_a_failure() {
        let t = trouble(&answer(200, r#"{"status_code":"403.000","status_message":"Denied."}"#));
        assert_eq!((t.kind, t.http_status), (TroubleKind::Refusal, Some(403)));
    }

    #[test]
    fn success_is_believed_only_with_data_or_a_code_that_says_so() {
        for code in ["0", "\"0\"", "\"0.000\"", "200", "\"204.000\""] {
            let body = format!(r#"{{"status_code":{code},"data":null}}"#);
            assert_eq!(api_data(&answer(200, &body), NOW), Ok(b"null".to_vec()), "{code}");
        }
        for code in ["17", "-1", "\"nope\"", "true", "[0]"] {
            let words = r#""status_message":"No.","status_fields":{"term":"too long"}"#;
            let t = trouble(&answer(200, &format!(r#"{{"status_code":{code},{words},"data":null}}"#)));
            assert_eq!((t.kind, t.exit_code()), (TroubleKind::Outage, 1), "{code}");
            assert_eq!(t.fields, ["term: too long"]);
            assert!(t.message.contains("with status code") && t.message.ends_with(": No."), "{}", t.message);
        }
    }

    #[test]
    fn nothing_is_no_license() {
        for data in ["null", "[]", "\"x\"", "7", "{}", "\"a:b\"", "[{\"a\":1}]"] {
            let body = format!(r#"{{"status_code":0,"data":{data}}}"#);
            let t = api_license(&answer(200, &body), NOW).expect_err("no license");
            assert_eq!(t.kind, TroubleKind::Outage, "{data}");
            assert!(t.message.contains("instead of a license"), "{}", t.message);
        }
        let said = |body: &str| api_license(&answer(200, body), NOW).expect_err("no license").message;
        assert!(said(r#"{"status_code":17,"data":null}"#).ends_with("with status code 17"));
        assert!(said("{}").ends_with("other JSON instead of its envelope with `data`"));
        assert!(
            api_list(&answer(200, r#"{"status_code":0,"data":{}}"#), NOW)
                .is_err_and(|t| t.message.contains("instead of a list"))
        );
    }

    #[test]
    fn every_message_names_the_url() {
        let at =
            |status, body: &str| RawAnswer { url: "https://hub.example/licenses/S".to_owned(), ..answer(status, body) };
        for answer in [at(403, "{}"), at(200, "<html>"), at(302, ""), at(200, r#"{"status_code":17}"#)] {
            assert!(trouble(&answer).message.starts_with("https://hub.example/licenses/S: the hub answered HTTP "));
        }
        let relay = relay_data(&at(500, "{}"), NOW).expect_err("no data");
        assert!(
            relay.message.starts_with("https://hub.example/licenses/S: the relay answered HTTP 500"),
            "{}",
            relay.message
        );
    }

    #[test]
    fn exit_codes_tell_a_refusal_from_a_failure() {
        for status in [400, 401, 403, 404, 409, 422] {
            assert_eq!((trouble(&answer(status, "")).exit_code(), trouble(&answer(status, "")).may_pass()), (5, false));
        }
        for status in [408, 429, 500, 502, 503, 504] {
            assert_eq!((trouble(&answer(status, "")).exit_code(), trouble(&answer(status, "")).may_pass()), (1, true));
        }
        assert_eq!((trouble(&answer(405, "")).exit_code(), trouble(&answer(405, "")).may_pass()), (1, false));
    }

    #[test]
    fn both_spellings_at_once_are_an_answer() {
        let body = r#"{"status_code":0,"resp_code":0,"status_message":"Success.","message":"ok","data":{"a":1}}"#;
        assert_eq!(api_data(&answer(200, body), NOW), Ok(b"{\"a\":1}".to_vec()));
        let t = trouble(&answer(403, r#"{"status_message":null,"resp_message":"Denied.","message":"no"}"#));
        assert!(t.message.ends_with(": Denied."), "{}", t.message);
    }

    #[test]
    fn a_delete_may_be_answered_with_nothing() {
        assert_eq!(api_data(&answer(204, ""), NOW), Ok(b"null".to_vec()));
        assert_eq!(trouble(&answer(200, "")).kind, TroubleKind::Outage);
        assert_eq!(trouble(&answer(204, "<html>")).kind, TroubleKind::Outage);
    }

    #[test]
    fn outages_are_named() {
        for status in [408, 500, 502, 503, 504, 301] {
            assert_eq!(trouble(&answer(status, "")).kind, TroubleKind::Outage, "{status}");
        }
        let named = |body: &str| trouble(&answer(200, body)).message;
        assert!(named("<html>Welcome to the hotel").contains("HTML page"));
        assert!(named("").contains("empty body"));
        assert!(named("{\"status_code\":0,\"data\":{").contains("no complete JSON"));
        assert!(named("[1]").contains("other JSON"));
        let gzip = RawAnswer { content_encoding: Some("gzip".to_owned()), ..answer(200, "\u{1f}") };
        assert!(trouble(&gzip).message.contains("gzip encoding"));
        let identity = RawAnswer { content_encoding: Some("Identity".to_owned()), ..answer(200, "[1]") };
        assert!(trouble(&identity).message.contains("other JSON"));
        let page = RawAnswer { content_type: Some("Text/HTML; charset=utf-8".to_owned()), ..answer(200, "Welcome") };
        assert!(trouble(&page).message.contains("HTML page"));
        let redirect = RawAnswer { location_host: Some("evil.example".to_owned()), ..answer(302, "") };
        assert!(trouble(&redirect).message.contains("redirect to evil.example; redirects are not followed"));
        let twice = trouble(&answer(200, r#"{"status_code":0,"data":{},"data":{"serial":"x"}}"#));
        assert_eq!(twice.kind, TroubleKind::Outage, "two `data` are no answer");
    }

    #[test]
    fn a_status_is_told_with_its_meaning() {
        for (status, meaning) in [
            (301, "Moved Permanently"),
            (302, "Found"),
            (307, "Temporary Redirect"),
            (308, "Permanent Redirect"),
            (400, "Bad Request"),
            (401, "Unauthorized"),
            (403, "Forbidden"),
            (404, "Not Found"),
            (405, "Method Not Allowed"),
            (407, "Proxy Authentication Required"),
            (408, "Request Timeout"),
            (409, "Conflict"),
            (422, "Validation Error"),
            (429, "Too Many Requests"),
            (500, "Internal Server Error"),
            (502, "Bad Gateway"),
            (503, "Service Unavailable"),
            (504, "Gateway Timeout"),
            (599, "no standard meaning"),
        ] {
            let told = format!("the hub answered HTTP {status} ({meaning})");
            assert_eq!(trouble(&answer(status, r#"{"message":""}"#)).message, told);
        }
        let located = RawAnswer { location_host: Some("a.example".to_owned()), ..answer(403, "") };
        assert_eq!(trouble(&located).message, "the hub answered HTTP 403 (Forbidden)");
    }

    #[test]
    fn patience_that_was_asked_for() {
        let limited = |status, text: &str| {
            let answer = RawAnswer { retry_after: Some(text.to_owned()), ..answer(status, "{}") };
            let t = trouble(&answer);
            (t.kind, t.retry_after)
        };
        assert_eq!(limited(429, "120"), (TroubleKind::RateLimited, Some(120_000)));
        assert_eq!(limited(503, " 300 "), (TroubleKind::RateLimited, Some(300_000)));
        assert_eq!(limited(429, "Fri, 29 May 2026 00:05:00 GMT"), (TroubleKind::RateLimited, Some(300_000)));
        assert_eq!(limited(429, "Fri, 29 May 2020 00:05:00 GMT"), (TroubleKind::RateLimited, Some(0)));
        assert_eq!(limited(429, "soon"), (TroubleKind::RateLimited, None));
        assert_eq!(limited(500, "120"), (TroubleKind::Outage, None));
    }

    #[test]
    fn the_servers_own_clock_counts_for_a_date() {
        let skewed = RawAnswer {
            retry_after: Some("Fri, 29 May 2026 01:00:00 GMT".to_owned()),
            date: Some("Fri, 29 May 2026 00:59:00 GMT".to_owned()),
            ..answer(429, "{}")
        };
        assert_eq!(trouble(&skewed).retry_after, Some(60_000));
    }

    #[test]
    fn relays_send_the_bare_license() {
        assert_eq!(relay_data(&answer(200, "{\"serial\": 1}\n"), NOW), Ok(b"{\"serial\": 1}\n".to_vec()));
        assert!(relay_data(&answer(200, "<html>"), NOW).is_err_and(|t| t.message.contains("HTML page")));
        let down = relay_data(&answer(500, r#"{"message":"Failed"}"#), NOW);
        assert!(down.is_err_and(|t| t.message.ends_with(": Failed") && t.kind == TroubleKind::Outage));
    }
}
