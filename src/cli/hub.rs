//! `hub list|view|create|renew|delete`: the five endpoints as they are.

use std::path::Path;

use serde_json::json;

use crate::cli::args::{self, Hub};
use crate::cli::hub_list::{Wanted, list_licenses};
use crate::core::config::{Config, HubKind};
use crate::core::hub::filter::{Filter, Order};
use crate::core::hub::granted::{self, Asked};
use crate::core::hub::request::{NewLicense, Renewal, Term};
use crate::core::hub::response::{self, RawAnswer, Trouble};
use crate::core::license::document;
use crate::core::report::screen;
use crate::core::report::status::LicenseStatus;
use crate::core::text;
use crate::edge::dirs::Places;
use crate::edge::hub::session::{Call, send};
use crate::edge::{clock, config_file, terminal};
use crate::exit::Exit;

pub(super) async fn run(path: Option<&Path>, command: Hub) -> Exit {
    let config = match config_file::load(path) {
        Ok(loaded) => loaded.config,
        Err(error) => return Exit::config(&error),
    };
    if config.hub.kind == HubKind::Relay {
        let err = "a relay has none of these endpoints; set hub.kind = \"api\"".to_owned();
        return Exit { code: 2, out: String::new(), err };
    }
    match act(&config, command).await {
        Ok(exit) => exit,
        Err(Failure::Usage(sentence)) => Exit { code: 2, out: String::new(), err: sentence },
        Err(Failure::Hub(trouble)) => Exit { code: trouble.exit_code(), out: String::new(), err: trouble.sentence() },
    }
}

enum Failure {
    Usage(String),
    Hub(Trouble),
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        Self::Hub(trouble)
    }
}

async fn act(config: &Config, command: Hub) -> Result<Exit, Failure> {
    match command {
        Hub::List { duid, issued_to, expiring, entitlement, sort, limit, output } => {
            let wanted = Wanted {
                filter: Filter { duid, issued_to, expiring, entitlement },
                order: sort.map(Order::from),
                limit,
                as_json: output.json,
            };
            Ok(list_licenses(config, Call::list(output.format.into()), wanted).await?)
        }
        Hub::View { serial, output } => {
            let answer = ask(config, Call::view(&serial, output.format.into())).await?;
            Ok(shown(&response::api_license(&answer, clock::now().wall)?, output.json))
        }
        Hub::Create { issued_to, entitlements, duid, description, notes, renewable, transferable, term, output } => {
            let (term, format) = (wanted(term)?, output.format.into());
            let new =
                NewLicense { issued_to, entitlements, duid, description, notes, renewable, transferable, term, format };
            for warning in &granted::odd_names(&new.entitlements) {
                terminal::warn(warning);
            }
            let answer = ask(config, Call::create(&new)).await?;
            let asked = Asked {
                entitlements: &new.entitlements,
                duid: new.duid.as_deref(),
                term: new.term.as_ref(),
                renewable: new.renewable,
                transferable: new.transferable,
            };
            Ok(granted(&response::api_data(&answer, clock::now().wall)?, output.json, &asked))
        }
        Hub::Renew { serial, term, output } => {
            let renewal = Renewal { term: wanted(term)?, format: output.format.into() };
            let answer = ask(config, Call::renew(&serial, &renewal)).await?;
            let asked = Asked { term: renewal.term.as_ref(), ..Asked::default() };
            Ok(granted(&response::api_data(&answer, clock::now().wall)?, output.json, &asked))
        }
        Hub::Delete { serial, json } => {
            let answer = ask(config, Call::delete(&serial)).await?;
            response::api_data(&answer, clock::now().wall)?;
            Ok(Exit::with(if json {
                format!("{}\n", json!({ "deleted": serial.as_str() }))
            } else {
                format!("license {serial} deleted\n")
            }))
        }
    }
}

async fn ask(config: &Config, call: Call) -> Result<RawAnswer, Trouble> {
    send(config, &Places::from_environment(), call).await.map_err(Trouble::from)
}

/// `--expire-at` or `--duration-days`, checked before anything is sent.
fn wanted(term: args::Term) -> Result<Option<Term>, Failure> {
    let until = |date: String| {
        Term::until(&date, clock::now().wall).map_err(|error| Failure::Usage(format!("--expire-at {error}")))
    };
    Ok(match term.expire_at.map(until).transpose()? {
        Some(until) => Some(until),
        None => term.duration_days.map(Term::Days),
    })
}

/// What came, and on standard error what of the wishes is missing in it.
fn granted(data: &[u8], as_json: bool, asked: &Asked<'_>) -> Exit {
    let missing = document::parse(data).map(|document| asked.missing_in(&document.license, clock::now().wall));
    let missing = missing.unwrap_or_default();
    let err = if missing.is_empty() {
        String::new()
    } else {
        format!("the hub granted less than was asked for: {}", missing.join("; "))
    };
    Exit { err, ..shown(data, as_json) }
}

fn shown(data: &[u8], as_json: bool) -> Exit {
    let raw = || String::from_utf8_lossy(data).into_owned() + "\n";
    Exit::with(match document::parse(data) {
        _ if as_json => raw(),
        Ok(document) => screen::licenses(&[LicenseStatus::claims("", &document.license)], clock::now().wall),
        Err(_) if data == b"null" => "done; the hub sends no license back, `hub view` shows it\n".to_owned(),
        // Only what is asked for as JSON goes out byte for byte.
        Err(_) => text::clean_lines(&raw()),
    })
}
