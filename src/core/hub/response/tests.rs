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
    let body =
        "{\"status_code\": 0, \"status_message\": \"Success.\", \"data\": {\n  \"b\": 1.0,\n  \"a\": \"\\u00e9\" }\n}";
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
    assert_eq!(t.sentence(), "the hub answered HTTP 422 (Validation Error): Validation error. (expire_at: too far)");
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
        assert_eq!(trouble(&answer(status, "{}")).kind, TroubleKind::Refusal);
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
        let message = trouble(&answer).message;
        assert!(message.starts_with("https://hub.example/licenses/S: the hub answered HTTP "), "{message}");
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
    let ends = |status, body: &str| {
        let trouble = trouble(&answer(status, body));
        (trouble.exit_code(), trouble.may_pass())
    };
    for status in [400, 401, 403, 404, 409, 422] {
        assert_eq!(ends(status, "{}"), (5, false));
        for page in ["", "<html>", "no", "[]", "\"no\""] {
            assert_eq!(ends(status, page), (1, true), "{status} {page}: whoever stands in front");
        }
    }
    for status in [408, 429, 500, 502, 503, 504] {
        assert_eq!((ends(status, ""), ends(status, "{}")), ((1, true), (1, true)));
    }
    assert_eq!(ends(405, "{}"), (1, false));
}

#[test]
fn only_the_apis_envelope_says_that_a_license_is_gone() {
    for (status, body, expected) in [
        (404, r#"{"status_code":"404.000","status_message":"Not found."}"#, true),
        (404, r#"{"resp_code":404}"#, true),
        (200, r#"{"status_code":404}"#, true),
        (404, r#"{"message":"Not Found"}"#, false),
        (404, "{}", false),
        (404, "<html>", false),
        (404, "", false),
        (410, r#"{"status_code":410}"#, false),
        (403, r#"{"status_code":403}"#, false),
    ] {
        assert_eq!(trouble(&answer(status, body)).says_gone(), expected, "{status} {body}");
    }
}

#[test]
fn a_page_is_the_word_of_what_stands_in_front() {
    let said = |status, body: &str, credential: &str| {
        let url = "https://hub.example/licenses".to_owned();
        let answer = RawAnswer { url, credential: credential.to_owned(), ..answer(status, body) };
        let trouble = trouble(&answer);
        assert_eq!(trouble.kind, TroubleKind::Outage);
        trouble.sentence()
    };
    let key = "the API key in /etc/key";
    for status in [401, 403, 404] {
        let named = reason_phrase(status);
        assert_eq!(
            said(status, "<html>Attention Required! | Cloudflare", key),
            format!(
                "https://hub.example/licenses: HTTP {status} ({named}) with an HTML page, which is not the hub's word; ask whoever runs the hub whether what stands in front of it (a firewall, a proxy, a load balancer) lets this device through, or check the API key in /etc/key"
            )
        );
    }
    let certificate = "the client certificate /etc/client.pem";
    for (status, body) in [
        (400, "<html><head><title>400 No required SSL certificate was sent</title></head>"),
        (400, "<title>400 The SSL certificate error</title>"),
        (496, ""),
        (403, "<p>Reason: Cannot perform Post-Handshake Authentication.<br />"),
    ] {
        assert!(said(status, body, key).ends_with("; set hub.client-cert and hub.client-key"), "{body}");
        assert!(said(status, body, certificate).ends_with("; check the client certificate /etc/client.pem"), "{body}");
    }
    assert!(
        said(400, "<center>The plain HTTP request was sent to HTTPS port</center>", key)
            .ends_with("; write https:// in hub.url")
    );
    assert!(
        said(511, "<html>Login", key)
            .contains("HTTP 511 (Network Authentication Required): a captive portal wants a login; log in")
    );
    assert!(said(502, "<html>", key).ends_with(
        "with an HTML page, which is not the hub's word; try again later; if it lasts, ask whoever runs the hub"
    ));
    assert!(
        said(404, "not found", "").contains("with a body that is no JSON")
            && said(404, "", "").contains("or check hub.url")
    );
}

#[test]
fn the_words_of_other_frameworks_are_read() {
    for (body, words) in [
        (
            r#"{"message":"The given data was invalid.","errors":{"duration_days":["Too long.","No."]}}"#,
            "The given data was invalid. (duration_days: Too long; duration_days: No)",
        ),
        (r#"{"error":"invalid_token"}"#, "invalid_token"),
        (r#"{"error":{"code":7,"message":"Denied"}}"#, "Denied"),
        (r#"{"error":"invalid_client","error_description":"Unknown client."}"#, "invalid_client: Unknown client."),
        (
            r#"{"type":"about:blank","title":"Out of credit","detail":"30 are needed.","errors":[{"detail":"x"}]}"#,
            "Out of credit: 30 are needed. (detail: x)",
        ),
        (r#"{"title":"No","detail":"No license left."}"#, "No license left."),
        (r#"{"status_message":"A","message":"B","error":"C","title":"D"}"#, "A"),
        (r#"{"error":true,"message":null,"detail":"E"}"#, "E"),
    ] {
        let sentence = trouble(&answer(422, body)).sentence();
        assert_eq!(sentence, format!("the hub answered HTTP 422 (Validation Error): {words}"));
    }
    let refused = RawAnswer { credential: "the token in /t".to_owned(), ..answer(401, r#"{"message":"No."}"#) };
    assert_eq!(
        trouble(&refused).sentence(),
        "the hub answered HTTP 401 (Unauthorized): No; check the token in /t, and what it may do"
    );
    let later = trouble(&answer(500, r#"{"message":"Oops."}"#)).sentence();
    let told = "the hub answered HTTP 500 (Internal Server Error): Oops; try again later; if it lasts, ask whoever runs the hub";
    assert_eq!(later, told);
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
    assert!(trouble(&redirect).sentence().ends_with("redirects are not followed; set hub.url to the final address"));
    let portal = RawAnswer { location_is_elsewhere: true, ..redirect };
    let sentence = trouble(&portal).sentence();
    assert!(sentence.contains("evil.example is not the hub: log in") && !sentence.contains("hub.url"), "{sentence}");
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
        (410, "Gone"),
        (418, "I'm a teapot"),
        (451, "Unavailable For Legal Reasons"),
        (507, "Insufficient Storage"),
        (599, "no standard meaning"),
    ] {
        let told = format!("the hub answered HTTP {status} ({meaning})");
        assert_eq!(trouble(&answer(status, r#"{"message":""}"#)).message, told, "{status}");
    }
    let located = RawAnswer { location_host: Some("a.example".to_owned()), ..answer(403, "{}") };
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
    for body in [
        r#"{"status_code":0,"status_message":"Success.","data":{"serial": 1}}"#,
        r#"{"resp_code":"0","data":{"serial": 1}}"#,
        r#"{"data":{"serial": 1}}"#,
    ] {
        assert_eq!(relay_data(&answer(200, body), NOW), Ok(b"{\"serial\": 1}".to_vec()), "the API's envelope");
    }
    let refused = relay_data(&answer(200, r#"{"status_code":403,"status_message":"No."}"#), NOW);
    assert!(
        refused
            .is_err_and(|t| t.message.ends_with("the relay answered HTTP 403 (Forbidden): No.") && t.exit_code() == 5)
    );
    for (body, words) in [
        (r#"{"status_code":17,"status_message":"No."}"#, "with status code 17: No."),
        (r#"{"status_code":0,"data":{}}"#, "other JSON instead of a license"),
        (r#"{"status_code":0,"data":null}"#, "other JSON instead of a license"),
    ] {
        assert!(relay_data(&answer(200, body), NOW).is_err_and(|t| t.message.ends_with(words) && t.exit_code() == 1));
    }
    let down = relay_data(&answer(500, r#"{"message":"Failed"}"#), NOW);
    assert!(down.is_err_and(|t| t.message.ends_with(": Failed") && t.kind == TroubleKind::Outage));
}
