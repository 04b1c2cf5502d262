//! The five endpoints, both formats, every documented status, over real sockets.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::time::Duration;

use super::client::{BASE, api, ask};
use hub_emulator::{ApiKey, BodyStyle, Endpoint, Fault, HubEmulator, LicenseSpec, Options, RetryAfterStyle};
use serde_json::{Value, json};

const SERIAL: &str = "2026-3638-61034042";
const CREATE: &str = r#"{"issued_to":"Acme Inc.","entitlements":["netify-proc-flow-actions"],"duid":"d1"}"#;

fn hub() -> HubEmulator {
    let hub = HubEmulator::start(Options::new().seed(1));
    hub.add_license(LicenseSpec::new(SERIAL).duid("d0"));
    hub
}

fn fields(answer: &super::client::Answer) -> Vec<String> {
    let body = answer.json();
    let list = body["status_fields"].as_array().unwrap();
    list.iter().map(|entry| entry["field"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_license_lives_from_create_to_delete() {
    let hub = hub();
    let key = hub.signing_key();
    let created = api(&hub, "POST", "", CREATE);
    assert_eq!(created.status, 200, "{}", created.text());
    assert_eq!(created.json()["status_code"], 0);
    let license = created.json()["data"].clone();
    assert!(key.verifies(&license));
    assert_eq!(license["entitlements"], json!(["netify-proc-flow-actions"]));
    let serial = license["serial"].as_str().unwrap().to_owned();

    let list = api(&hub, "GET", "", "").json();
    assert_eq!(list["data"].as_array().unwrap().len(), 2);
    let viewed = api(&hub, "GET", &format!("/{serial}"), "").json();
    assert_eq!(viewed["data"]["expire_at"]["unix"], license["expire_at"]["unix_time"]);
    assert!(viewed["data"]["netify-proc-flow-actions"]["not_valid_after"].is_string());
    assert!(key.verifies(&viewed["data"]));

    let renewed = api(&hub, "POST", &format!("/{serial}/renew"), r#"{"format":"netifyd"}"#);
    assert!(renewed.json()["data"]["netify-proc-flow-actions"].is_object());

    assert_eq!(api(&hub, "DELETE", &format!("/{serial}"), "").json()["data"], Value::Null);
    assert_eq!(api(&hub, "GET", &format!("/{serial}"), "").status, 404);
    assert_eq!(hub.licenses().len(), 1);
    assert_eq!(hub.count(Endpoint::View), 2);
    assert_eq!(hub.requests_for(Endpoint::View)[1].status, Some(404));
}

#[test]
fn formats_and_their_defaults() {
    let hub = hub();
    let view = |query: &str| api(&hub, "GET", &format!("/{SERIAL}{query}"), "").json()["data"].clone();
    assert!(view("")["expire_at"]["unix"].is_i64());
    assert!(view("?format=netifyd")["expire_at"]["unix"].is_i64());
    assert!(view("?format=object")["expire_at"]["unix_time"].is_i64());
    assert!(api(&hub, "GET", "?format=object", "").json()["data"][0]["entitlements"].is_array());
    assert!(api(&hub, "GET", "", "").json()["data"][0]["application-signatures"].is_object());
    let renew = |query: &str, body: &str| api(&hub, "POST", &format!("/{SERIAL}/renew{query}"), body).json();
    assert!(renew("", "")["data"]["entitlements"].is_array());
    assert!(renew("?format=netifyd", "")["data"]["expire_at"]["unix"].is_i64());
    assert_eq!(fields(&api(&hub, "GET", "?format=xml", "")), ["format"]);
}

#[test]
fn every_documented_status() {
    let hub = hub();
    let renew = format!("/{SERIAL}/renew");
    assert_eq!(api(&hub, "GET", "", "").status, 200);
    assert_eq!(api(&hub, "POST", "", "{nonsense").status, 400);
    assert_eq!(ask(&hub, "POST", BASE, &[("x-api-key", "emulator-key")], CREATE).status, 400);
    assert_eq!(ask(&hub, "GET", BASE, &[], "").status, 401);
    assert_eq!(ask(&hub, "GET", BASE, &[("X-API-KEY", "wrong")], "").status, 401);
    assert_eq!(api(&hub, "POST", "", r#"{"issued_to":"A","entitlements":["unheard-of"]}"#).status, 403);
    assert_eq!(api(&hub, "GET", "/2001-0000-00000000", "").status, 404);
    let wrong_method = api(&hub, "PUT", "", "{}");
    assert_eq!((wrong_method.status, wrong_method.header("allow")), (405, Some("GET, POST")));
    hub.add_license(LicenseSpec::new("fixed").renewable(false));
    assert_eq!(api(&hub, "POST", "/fixed/renew", "").status, 409);
    assert_eq!(api(&hub, "POST", &renew, r#"{"duration_days":8}"#).status, 422);
    hub.reconfigure(|options| {
        options.rate_limit = Options::new().rate_limit(1, Duration::from_secs(600)).rate_limit;
    });
    assert_eq!(api(&hub, "GET", "", "").status, 200);
    let busy = api(&hub, "GET", "", "");
    let wait: u64 = busy.header("retry-after").unwrap().parse().unwrap();
    assert!(busy.status == 429 && (590..=600).contains(&wait), "{busy:?}");
    hub.reconfigure(|options| options.retry_after = RetryAfterStyle::HttpDate);
    assert!(api(&hub, "GET", "", "").header("retry-after").unwrap().ends_with(" GMT"));
    hub.reconfigure(|options| options.rate_limit = None);
    hub.fault(Endpoint::List, Fault::status(500).message("Out of cheese."));
    let broken = api(&hub, "GET", "", "");
    assert_eq!((broken.status, broken.json()["status_message"].as_str()), (500, Some("Out of cheese.")));
}

#[test]
fn wrong_fields_are_all_named() {
    let hub = hub();
    assert_eq!(fields(&api(&hub, "POST", "", "{}")), ["issued_to", "entitlements"]);
    let wrong = r#"{"issued_to":7,"entitlements":[],"expire_at":"soon","duid":"","renewable":1,"format":"x"}"#;
    let expected = ["issued_to", "entitlements", "expire_at", "duid", "renewable", "format"];
    assert_eq!(fields(&api(&hub, "POST", "", wrong)), expected);
    assert_eq!(hub.licenses().len(), 1);
}

#[test]
fn a_key_sees_and_grants_only_what_is_its_own() {
    let limited = ApiKey::new("second").only(["netify-sink-mqtt"]).without_flag_rights();
    let hub = HubEmulator::start(Options::new().api_key(ApiKey::new("first")).api_key(limited));
    hub.add_license(LicenseSpec::new(SERIAL));
    let json_type = ("Content-Type", "application/json");
    let second = |method: &str, rest: &str, body: &str| {
        ask(&hub, method, &format!("{BASE}{rest}"), &[("x-api-key", "second"), json_type], body)
    };
    assert_eq!(second("GET", "", "").json()["data"], json!([]));
    for (method, rest) in [("GET", ""), ("POST", "/renew"), ("DELETE", "")] {
        assert_eq!(second(method, &format!("/{SERIAL}{rest}"), "").status, 404);
    }
    assert_eq!(second("POST", "", CREATE).status, 403);
    let flag = r#"{"issued_to":"A","entitlements":["netify-sink-mqtt"],"renewable":true}"#;
    assert_eq!(second("POST", "", flag).status, 403);
    assert_eq!(second("POST", "", r#"{"issued_to":"A","entitlements":["netify-sink-mqtt"]}"#).status, 200);
}

#[test]
fn short_lives_count_from_each_renewal() {
    let hub = HubEmulator::start(Options::new().lifetime(Duration::from_secs(10)).clock_offset(-86_400));
    hub.add_license(LicenseSpec::new(SERIAL).created_at(0).expire_at(5));
    let renew = || api(&hub, "POST", &format!("/{SERIAL}/renew"), "").json()["data"].clone();
    let at = |license: &Value, member: &str| license[member]["unix_time"].as_i64().unwrap();
    let renewed = renew();
    assert_eq!(at(&renewed, "expire_at") - at(&renewed, "created_at"), 10);
    let yesterday = LicenseSpec::new("").created_at.unwrap() - 86_400;
    assert!((yesterday - 60..=yesterday).contains(&at(&renewed, "created_at")));
    hub.reconfigure(|options| options.keep_created_at = true);
    hub.add_license(LicenseSpec::new(SERIAL).created_at(0).expire_at(5));
    assert_eq!(at(&renew(), "created_at"), 0);
}

#[test]
fn conflicts_and_the_vendors_own_curl_example() {
    let mut options = Options::new();
    options.one_license_per_duid = true;
    options.renew_without_suffix = true;
    let hub = HubEmulator::start(options);
    assert_eq!(api(&hub, "POST", "", CREATE).status, 200);
    assert_eq!(api(&hub, "POST", "", CREATE).status, 409);
    let serial = hub.licenses()[0].serial.clone();
    assert_eq!(api(&hub, "POST", &format!("/{serial}"), r#"{"duration_days":7}"#).status, 200);
    assert_eq!(hub.count(Endpoint::Renew), 1);
}

#[test]
fn the_bytes_of_data_can_be_of_any_style() {
    let key = hub_emulator::SigningKey::from_seed(1);
    for style in [BodyStyle::Compact, BodyStyle::Pretty, BodyStyle::Escaped, BodyStyle::PrettyEscaped] {
        let hub = HubEmulator::start(Options::new().seed(1).body_style(style));
        hub.add_license(LicenseSpec::new(SERIAL).issued_to("Café Zürich/東京"));
        let answer = api(&hub, "GET", &format!("/{SERIAL}"), "");
        assert!(key.verifies(&answer.json()["data"]), "{style:?}");
        let pretty = matches!(style, BodyStyle::Pretty | BodyStyle::PrettyEscaped);
        assert_eq!(answer.text().contains("\n        \"serial\": "), pretty, "{style:?}");
        let escaped = matches!(style, BodyStyle::Escaped | BodyStyle::PrettyEscaped);
        assert_eq!(answer.text().contains(r"Caf\u00e9 Z\u00fcrich\/"), escaped, "{style:?}");
    }
}

#[test]
fn the_date_follows_the_emulators_clock() {
    let hub = HubEmulator::start(Options::new());
    hub.reconfigure(|options| options.clock_offset = -50 * 365 * 86_400);
    let date = api(&hub, "GET", "", "").header("date").unwrap().to_owned();
    assert!(date.contains(" 197"), "{date}");
}

#[test]
fn only_loopback_is_served() {
    let options = Options { listen: "0.0.0.0:0".parse().unwrap(), ..Options::new() };
    let error = HubEmulator::try_start(options).unwrap_err().to_string();
    assert!(error.contains("not a loopback address"), "{error}");
}
