//! The control interface under `/_emulator/`, for scripts and people.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::clock::ceil_seconds;
use crate::json::BodyStyle;
use crate::license::{Format, LicenseSpec};
use crate::outcome::Answer;
use crate::request::Request;
use crate::rule::FaultRule;
use crate::server::Command;
use crate::shared::Shared;
use crate::sync::lock;

/// `POST /_emulator/down`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Down {
    seconds: f64,
}

/// `POST /_emulator/licenses`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct NewLicense {
    serial: String,
    duid: Option<String>,
    issued_to: Option<String>,
    entitlements: Option<Vec<String>>,
    renewable: Option<bool>,
    transferable: Option<bool>,
    /// Seconds from now; negative for the past.
    expires_in: Option<i64>,
    /// Seconds before now.
    issued_ago: Option<i64>,
    /// The API key that it belongs to.
    owner: Option<String>,
}

/// `POST /_emulator/clock`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Clock {
    offset: i64,
}

/// `POST /_emulator/lifetime`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Lifetime {
    seconds: Option<f64>,
}

fn fine(value: &Value) -> Answer {
    Answer::new(200, "application/json", BodyStyle::Pretty.write(value) + "\n")
}

fn wrong(status: u16, why: &str) -> Answer {
    Answer::new(status, "application/json", json!({ "message": why }).to_string() + "\n")
}

fn read<'a, T: Deserialize<'a>>(request: &'a Request) -> Result<T, Answer> {
    serde_json::from_slice(&request.body).map_err(|error| wrong(400, &error.to_string()))
}

fn span(seconds: f64) -> Result<Duration, Answer> {
    Duration::try_from_secs_f64(seconds).map_err(|_| wrong(400, "seconds must be a positive number"))
}

/// Answers a control request; the command, if any, is for the listener once the answer is out.
pub(crate) fn handle(shared: &Shared, path: &str, request: &Request) -> (Answer, Option<Command>) {
    let mut command = None;
    let answer = route(shared, path, request, &mut command).unwrap_or_else(|refusal| refusal);
    (answer, command)
}

fn route(shared: &Shared, path: &str, request: &Request, command: &mut Option<Command>) -> Result<Answer, Answer> {
    match (request.method.as_str(), path) {
        ("POST", "faults") => {
            let rule: FaultRule = read(request)?;
            let mut faults = lock(&shared.faults);
            faults.push(rule);
            Ok(fine(&json!({ "faults": faults.rules() })))
        }
        ("GET", "faults") => Ok(fine(&json!({ "faults": lock(&shared.faults).rules() }))),
        ("DELETE", "faults") => {
            lock(&shared.faults).clear();
            Ok(fine(&json!({ "faults": [] })))
        }
        ("GET", "requests") => Ok(fine(&requests(shared))),
        ("DELETE", "requests") => {
            shared.log.clear();
            Ok(fine(&json!({ "requests": [] })))
        }
        ("POST", "down") => {
            let down: Down = read(request)?;
            let span = span(down.seconds)?;
            *command = Some(Command::Down(Some(span), None));
            Ok(fine(&json!({ "down": down.seconds })))
        }
        ("GET", "licenses") => Ok(fine(&licenses(shared))),
        ("POST", "licenses") => add(shared, request),
        ("POST", "clock") => {
            let clock: Clock = read(request)?;
            lock(&shared.hub).options.clock_offset = clock.offset;
            Ok(fine(&json!({ "offset": clock.offset })))
        }
        ("POST", "lifetime") => {
            let lifetime: Lifetime = read(request)?;
            lock(&shared.hub).options.lifetime = lifetime.seconds.map(span).transpose()?;
            Ok(fine(&json!({ "seconds": lifetime.seconds })))
        }
        ("GET", "public-key") => Ok(Answer::new(200, "application/x-pem-file", lock(&shared.hub).key.public_key_pem())),
        (method, _) => match path.strip_prefix("licenses/") {
            Some(serial) if method == "DELETE" => {
                lock(&shared.hub).licenses.retain(|held| held.spec.serial != serial);
                Ok(fine(&licenses(shared)))
            }
            Some(rest) if method == "POST" && rest.ends_with("/renew") => {
                let serial = rest.trim_end_matches("/renew");
                if lock(&shared.hub).renew_now(serial) {
                    return Ok(fine(&licenses(shared)));
                }
                Err(wrong(404, "no license with this serial"))
            }
            _ => Err(wrong(404, "no such control: see hub-emulator --help")),
        },
    }
}

fn requests(shared: &Shared) -> Value {
    let entries: Vec<Value> = shared
        .log
        .all()
        .into_iter()
        .map(|entry| {
            json!({
                "number": entry.number,
                "endpoint": entry.endpoint,
                "method": entry.request.method,
                "path": entry.request.path,
                "query": entry.request.query,
                "headers": entry.request.headers,
                "body": entry.request.body_text(),
                "at_millis": entry.at_millis,
                "status": entry.status,
                "done": entry.done,
            })
        })
        .collect();
    json!({ "requests": entries, "connections": shared.log.connections() })
}

fn licenses(shared: &Shared) -> Value {
    let hub = lock(&shared.hub);
    let all: Vec<Value> =
        hub.licenses.iter().map(|held| held.spec.signed(&hub.key, Format::Netifyd).to_value()).collect();
    json!({ "licenses": all })
}

fn add(shared: &Shared, request: &Request) -> Result<Answer, Answer> {
    let new: NewLicense = read(request)?;
    let mut hub = lock(&shared.hub);
    let now = hub.now();
    let mut spec = LicenseSpec::new(new.serial);
    let lifetime = hub.options.lifetime.map_or(7 * crate::clock::DAY, ceil_seconds);
    spec.created_at = Some(now.saturating_sub(new.issued_ago.unwrap_or(0)));
    spec.expire_at = now.saturating_add(new.expires_in.unwrap_or(lifetime));
    spec.duid = new.duid;
    spec.issued_to = new.issued_to.unwrap_or(spec.issued_to);
    spec.entitlements = new.entitlements.unwrap_or(spec.entitlements);
    spec.renewable = new.renewable;
    spec.transferable = new.transferable;
    let owner = new.owner.unwrap_or_else(|| hub.first_key());
    hub.add(owner, spec);
    drop(hub);
    Ok(fine(&licenses(shared)))
}
