//! `hub list|view|create|renew|delete`: the five endpoints as they are.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::Exit;
use super::args::{Hub, Term};
use crate::core::answer::{self, Trouble};
use crate::core::config::{Config, HubKind};
use crate::core::license::{self, Serial};
use crate::core::report::LicenseStatus;
use crate::core::screen;
use crate::core::time::{DAY, WallTime};
use crate::edge::hub::{Call, send};
use crate::edge::places::Places;
use crate::edge::{clock, config_file};

pub(super) async fn run(path: Option<&Path>, command: Hub) -> Exit {
    let config = match config_file::load(path) {
        Ok(loaded) => loaded.config,
        Err(error) => return Exit::config(&error),
    };
    if config.hub.kind == HubKind::Relay {
        return Exit {
            code: 2,
            out: String::new(),
            err: "a relay has none of these endpoints; set hub.kind = \"api\"".to_owned(),
        };
    }
    match act(&config, command).await {
        Ok(out) => Exit::with(out),
        Err(Failure::Usage(sentence)) => Exit { code: 2, out: String::new(), err: sentence },
        Err(Failure::Hub(trouble)) => Exit { code: trouble.exit_code(), out: String::new(), err: trouble.sentence() },
    }
}

enum Failure {
    Usage(String),
    Hub(Trouble),
}

async fn act(config: &Config, command: Hub) -> Result<String, Failure> {
    match command {
        Hub::List { duid, issued_to, expiring, output } => {
            let data = fetch(config, Call::list(output.format.word())).await?;
            let items = answer::list_items(&data).map_err(Failure::Hub)?;
            let now = clock::now().wall;
            let wanted = |license: &license::License| {
                duid.as_ref().is_none_or(|duid| license.duid.as_ref() == Some(duid))
                    && issued_to.as_ref().is_none_or(|name| {
                        license
                            .issued_to
                            .as_ref()
                            .is_some_and(|issued| issued.to_lowercase().contains(&name.to_lowercase()))
                    })
                    && expiring.is_none_or(|days| license.expires_at <= now.plus(i64::from(days) * DAY))
            };
            let mut found: Vec<(license::License, Vec<u8>)> = items
                .into_iter()
                .filter_map(|item| Some((license::parse(&item).ok()?.license, item)))
                .filter(|(l, _)| wanted(l))
                .collect();
            found.sort_by(|(a, _), (b, _)| (a.expires_at, &a.serial).cmp(&(b.expires_at, &b.serial)));
            if output.json {
                let raw: Vec<_> = found.iter().map(|(_, item)| String::from_utf8_lossy(item)).collect();
                return Ok(format!("[{}]\n", raw.join(",\n")));
            }
            let rows: Vec<_> = found.iter().map(|(license, _)| LicenseStatus::claims("", license)).collect();
            Ok(screen::licenses(&rows, now))
        }
        Hub::View { serial, output } => {
            Ok(shown(&fetch(config, Call::view(&serial, output.format.word())).await?, output.json))
        }
        Hub::Create { issued_to, entitlements, duid, description, notes, renewable, transferable, term, output } => {
            let mut body = term_members(&term)?;
            body.insert("issued_to".to_owned(), json!(issued_to));
            body.insert("entitlements".to_owned(), json!(entitlements));
            body.insert("format".to_owned(), json!(output.format.word()));
            let text = [("duid", duid), ("description", description), ("notes", notes)];
            body.extend(text.into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(value?)))));
            let flags = [("renewable", renewable), ("transferable", transferable)];
            body.extend(flags.into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(value?)))));
            Ok(shown(&fetch(config, Call::create(body)).await?, output.json))
        }
        Hub::Renew { serial, term, output } => {
            let mut body = term_members(&term)?;
            body.insert("format".to_owned(), json!(output.format.word()));
            Ok(shown(&fetch(config, Call::renew(&serial, body)).await?, output.json))
        }
        Hub::Delete { serial, json } => deleted(config, &serial, json).await,
    }
}

async fn deleted(config: &Config, serial: &Serial, as_json: bool) -> Result<String, Failure> {
    fetch(config, Call::delete(serial)).await?;
    Ok(if as_json {
        format!("{}\n", json!({ "deleted": serial.as_str() }))
    } else {
        format!("license {serial} deleted\n")
    })
}

async fn fetch(config: &Config, call: Call) -> Result<Vec<u8>, Failure> {
    let answer = send(config, &Places::from_environment(), call).await.map_err(|error| Failure::Hub(error.into()))?;
    answer::api_data(&answer, clock::now().wall).map_err(Failure::Hub)
}

/// `expire_at` or `duration_days`, checked before anything is sent.
fn term_members(term: &Term) -> Result<Map<String, Value>, Failure> {
    let mut members = Map::new();
    if let Some(date) = &term.expire_at {
        let day = Some(date).filter(|date| date.len() == 10).and_then(|date| WallTime::from_date(date));
        match day {
            None => return Err(Failure::Usage(format!("--expire-at {date}: not a date; write YYYY-MM-DD"))),
            Some(day) if day <= clock::now().wall => {
                return Err(Failure::Usage(format!("--expire-at {date}: this day is not in the future")));
            }
            Some(_) => members.insert("expire_at".to_owned(), json!(date)),
        };
    }
    if let Some(days) = term.duration_days {
        members.insert("duration_days".to_owned(), json!(days));
    }
    Ok(members)
}

fn shown(data: &[u8], as_json: bool) -> String {
    match license::parse(data) {
        Ok(document) if !as_json => {
            screen::licenses(&[LicenseStatus::claims("", &document.license)], clock::now().wall)
        }
        _ => String::from_utf8_lossy(data).into_owned() + "\n",
    }
}
