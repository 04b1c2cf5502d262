//! Every endpoint x every status code x both formats, with the exit code that a script sees.

use hub_emulator::{Endpoint, EnvelopeStyle, Fault, FaultRule, FieldsStyle, HubEmulator, LicenseSpec, Options};
use netify_licensed::core::config;
use netify_licensed::core::config::Config;
use netify_licensed::core::hub::request::{Format, NewLicense, Renewal};
use netify_licensed::core::hub::response::{self, RawAnswer, Trouble, TroubleKind};
use netify_licensed::core::time::WallTime;
use netify_licensed::edge::dirs::Places;
use netify_licensed::edge::hub::session::{Call, send};

use test_bench::rig::{Rig, SERIAL};

/// Status codes of the vendor's page and of proxies, with the exit code of the contract.
const CODES: [(u16, i32); 14] = [
    (200, 0),
    (400, 5),
    (401, 5),
    (403, 5),
    (404, 5),
    (405, 1),
    (408, 1),
    (409, 5),
    (422, 5),
    (429, 1),
    (500, 1),
    (502, 1),
    (503, 1),
    (504, 1),
];

/// The five endpoints as an integrator calls them, without the format.
const CALLS: [(Endpoint, &str, &[&str]); 5] = [
    (Endpoint::List, "GET /licenses", &["hub", "list"]),
    (Endpoint::View, "GET /licenses/2026-3638-61034042", &["hub", "view", SERIAL]),
    (
        Endpoint::Create,
        "POST /licenses",
        &["hub", "create", "--issued-to", "Acme", "--entitlement", "netify-proc-lua", "--duration-days", "7"],
    ),
    (Endpoint::Renew, "POST /licenses/2026-3638-61034042/renew", &["hub", "renew", SERIAL]),
    (Endpoint::Delete, "DELETE /licenses/2026-3638-61034042", &["hub", "delete", SERIAL]),
];

fn hub() -> HubEmulator {
    let hub = HubEmulator::start(Options::new().seed(5));
    hub.add_license(LicenseSpec::new(SERIAL));
    hub
}

#[test]
fn every_endpoint_code_and_format_at_a_shell() {
    let hub = hub();
    let rig = Rig::api(&hub);
    for (endpoint, line, args) in CALLS {
        for format in ["netifyd", "object"] {
            for (code, exit) in CODES {
                hub.clear_faults();
                hub.clear_requests();
                hub.add_license(LicenseSpec::new(SERIAL));
                if code != 200 {
                    hub.rule(FaultRule::always(Endpoint::Any, Fault::status(code).message("Words of the hub.")));
                }
                let own = if endpoint == Endpoint::Delete { vec![] } else { vec!["--format", format] };
                let done = rig.run(&[args, &own].concat());
                let what = format!("{line} {format} {code}: {done:?}");
                assert_eq!(done.code, Some(exit), "{what}");
                assert_eq!(done.err.is_empty(), code == 200, "{what}");
                assert_eq!(done.out.is_empty(), code != 200, "{what}");
                if code != 200 {
                    let (_, path) = line.split_once(' ').expect("a path");
                    let start = format!("netify-licensed: {}{path}: the hub answered HTTP {code} (", hub.url());
                    let end = match code {
                        401 | 403 => format!(
                            ": Words of the hub; check the API key in {}, and what it may do",
                            rig.path("api-key").display()
                        ),
                        500.. => {
                            ": Words of the hub; try again later; if it lasts, ask whoever runs the hub".to_owned()
                        }
                        _ => ": Words of the hub.".to_owned(),
                    };
                    assert!(done.err.starts_with(&start) && done.err.trim().ends_with(&end), "{what}");
                }
                let requests = hub.requests();
                assert_eq!(requests.len(), 1, "one request, whatever the answer: {what}");
                let request = &requests[0].request;
                assert_eq!(requests[0].endpoint, endpoint, "{what}");
                assert_eq!(request.header("x-api-key"), Some("emulator-key"), "{what}");
                assert_eq!(request.header("user-agent"), Some(concat!("netify-licensed/", env!("CARGO_PKG_VERSION"))));
                let in_query = matches!(endpoint, Endpoint::List | Endpoint::View);
                assert_eq!(request.parameter("format").as_deref(), in_query.then_some(format), "{what}");
                let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap_or_default();
                let in_body = matches!(endpoint, Endpoint::Create | Endpoint::Renew);
                assert_eq!(body["format"].as_str(), in_body.then_some(format), "{what}");
                assert_eq!(request.header("content-type"), in_body.then_some("application/json"), "{what}");
            }
        }
    }
}

/// The client as a library: what a caller learns of a failure.
struct Client {
    config: Config,
    places: Places,
    runtime: tokio::runtime::Runtime,
    rig: Rig,
}

impl Client {
    fn new(hub: &HubEmulator) -> Self {
        let rig = Rig::api(hub);
        let text = std::fs::read_to_string(rig.path("config.toml")).expect("the configuration");
        let places = Places {
            runtime: rig.path("run"),
            state: rig.path("state"),
            credentials: None,
            installer: None,
            helper: None,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("an event loop");
        Self { config: config::parse(&text, "config.toml").expect("a configuration"), places, runtime, rig }
    }

    fn ask(&self, call: Call) -> RawAnswer {
        self.runtime.block_on(send(&self.config, &self.places, call)).expect("an answer")
    }

    fn trouble(&self, endpoint: Endpoint) -> Trouble {
        let serial = SERIAL.parse().expect("a serial");
        let new = NewLicense { issued_to: "A".to_owned(), entitlements: vec!["x".to_owned()], ..NewLicense::default() };
        let now = WallTime::from_unix(1_780_012_800);
        match endpoint {
            Endpoint::List => response::api_list(&self.ask(Call::list(Format::Object)), now).map(drop),
            Endpoint::View => response::api_license(&self.ask(Call::view(&serial, Format::Object)), now).map(drop),
            Endpoint::Create => response::api_data(&self.ask(Call::create(&new)), now).map(drop),
            Endpoint::Renew => response::api_data(&self.ask(Call::renew(&serial, &Renewal::default())), now).map(drop),
            _ => response::api_data(&self.ask(Call::delete(&serial)), now).map(drop),
        }
        .expect_err("a failure")
    }
}

#[test]
fn a_failure_tells_whether_and_when_to_try_again_in_every_envelope() {
    let hub = hub();
    let client = Client::new(&hub);
    for (endpoint, _, _) in CALLS {
        for (code, exit) in CODES.into_iter().skip(1) {
            for style in [EnvelopeStyle::Integer, EnvelopeStyle::Text, EnvelopeStyle::OldNames, EnvelopeStyle::None] {
                hub.clear_faults();
                let fault = Fault::status_as(code, style).retry_after(120).message("Words of the hub.");
                hub.rule(FaultRule::always(Endpoint::Any, fault));
                let trouble = client.trouble(endpoint);
                let what = format!("{endpoint:?} {code} {style:?}: {trouble:?}");
                assert_eq!(trouble.http_status, Some(code), "{what}");
                // Without JSON it is whatever stands in front of the hub.
                let is_page = style == EnvelopeStyle::None;
                assert_eq!(i32::from(trouble.exit_code()), if is_page { 1 } else { exit }, "{what}");
                assert_eq!(trouble.may_pass(), is_page || matches!(code, 408 | 429 | 500..), "{what}");
                assert_eq!(trouble.kind == TroubleKind::RateLimited, matches!(code, 429 | 503), "{what}");
                assert_eq!(trouble.retry_after, matches!(code, 429 | 503).then_some(120_000), "{what}");
                assert_eq!(trouble.message.ends_with("Words of the hub."), style != EnvelopeStyle::None, "{what}");
                assert!(trouble.message.starts_with(&hub.url()), "{what}");
                assert!(!format!("{trouble:?}").contains("emulator-key"), "{what}");
            }
        }
    }
    drop(client.rig);
}

#[test]
fn validation_errors_name_their_fields_in_every_shape() {
    let hub = hub();
    let rig = Rig::api(&hub);
    for style in [FieldsStyle::Objects, FieldsStyle::Texts, FieldsStyle::Map] {
        hub.reconfigure(|options| options.fields_style = style);
        let done = rig.run(&["hub", "renew", SERIAL, "--duration-days", "300"]);
        let err = done.expect(5);
        assert!(err.contains("HTTP 422 (Validation Error)"), "{style:?}: {err}");
        assert!(err.trim().ends_with("(duration_days: The longest term of this key is 7 days)"), "{style:?}: {err}");
    }
}

#[test]
fn the_hubs_own_rules_reach_the_shell() {
    let hub = HubEmulator::start(
        Options::new().api_key(hub_emulator::ApiKey::new("k").only(["netify-proc-lua"]).without_flag_rights()),
    );
    let rig = Rig::api(&hub);
    let create = |more: &[&str]| rig.run(&[&["hub", "create", "--issued-to", "A"], more].concat());
    assert!(create(&["--entitlement", "netify-proc-intel"]).expect(5).contains("may not grant netify-proc-intel"));
    assert!(
        create(&["--entitlement", "netify-proc-lua", "--renewable", "false"])
            .expect(5)
            .contains("may not set renewable")
    );
    create(&["--entitlement", "netify-proc-lua"]).expect(0);
    assert_eq!(hub.licenses().len(), 1);
    assert!(rig.run(&["hub", "view", "2020-0000-00000000"]).expect(5).contains("HTTP 404 (Not Found)"));
}
