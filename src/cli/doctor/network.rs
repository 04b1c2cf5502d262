//! The steps over the network, each with a short limit.

use std::time::Duration;

use tokio::time::timeout;

use super::{Doctor, Seen, bad};
use crate::core::config::{Config, HubKind};
use crate::core::hub::list::Sought;
use crate::core::hub::request::Format;
use crate::core::hub::response::{self, RawAnswer, Trouble};
use crate::core::license::document::{self, Serial};
use crate::core::report::doctor::{Fault, Found};
use crate::core::text::one_line;
use crate::edge::clock;
use crate::edge::dirs::Places;
use crate::edge::hub::probe::{self, Described};
use crate::edge::hub::session::{Call, ListReader, Session};

/// The steps of this file.
pub(super) const STEPS: [&str; 7] = ["name", "proxy", "TCP", "TLS", "HTTP", "authentication", "license at the hub"];
/// Longest time for each step but the request.
const STEP: Duration = Duration::from_secs(5);

fn not_tried(why: &str) -> Found {
    Found::NotTried(why.to_owned())
}

pub(super) async fn examine(doctor: &mut Doctor, config: &Config, places: &Places, status: Seen<'_>) {
    connection(doctor, config, places).await;
    request(doctor, config, places, status).await;
}

/// Name, proxy, TCP, TLS.
async fn connection(doctor: &mut Doctor, config: &Config, places: &Places) {
    let hub = &config.hub;
    let url = hub.url.as_url();
    let (host, port) = (url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or(443));
    let encrypted = url.scheme() == "https";
    let (proxy, setting) = match probe::proxy(hub) {
        Ok(found) => found.map_or((None, "hub.url"), |(proxy, setting)| (Some(proxy), setting)),
        Err(why) => return unreachable(doctor, bad(why, "correct it, or remove it")),
    };
    // Behind a proxy the proxy looks the hub's name up.
    let (peer, peer_port) = match &proxy {
        Some(proxy) => (proxy.host_str().unwrap_or_default().to_owned(), proxy.port_or_known_default().unwrap_or(80)),
        None => (host.to_owned(), port),
    };
    let found = timeout(STEP, probe::resolve(&peer, peer_port)).await;
    let remedy = || format!("check the name in {setting} and the name servers in /etc/resolv.conf");
    let addresses = match found {
        Ok(Ok(addresses)) if !addresses.is_empty() => {
            let shown: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
            doctor.step("name", Found::Good(format!("{peer} is {}", shown.join(", "))));
            addresses
        }
        Ok(Ok(_)) => return unreachable(doctor, bad(format!("{peer} has no address"), remedy())),
        Ok(Err(why)) => return unreachable(doctor, bad(format!("{peer} cannot be resolved ({why})"), remedy())),
        Err(_) => {
            let what = format!("no name server answered within {} s about {peer}", STEP.as_secs());
            return unreachable(doctor, bad(what, remedy()));
        }
    };
    let connected = match timeout(STEP, probe::connect(&addresses)).await {
        Ok(done) => done,
        Err(_) => Err(format!("{}: no connection within {} s", addresses[0], STEP.as_secs())),
    };
    let refused =
        |why: &str, what: &str| bad(why.to_owned(), format!("check the network, a firewall, and whether {what} is up"));
    let (mut stream, address) = match (connected, &proxy) {
        (Ok(connected), _) => connected,
        (Err(why), Some(_)) => {
            doctor.step("proxy", refused(&why, "the proxy"));
            doctor.step("TCP", not_tried("the proxy does not answer"));
            return doctor.step("TLS", not_tried("the proxy does not answer"));
        }
        (Err(why), None) => {
            doctor.step("proxy", Found::Good("none is set".to_owned()));
            doctor.step("TCP", refused(&why, "the server"));
            return doctor.step("TLS", not_tried("there is no connection"));
        }
    };
    if let Some(proxy) = &proxy {
        let opened = timeout(STEP, probe::tunnel(&mut stream, proxy, host, port)).await;
        let why = match opened {
            Ok(Ok(())) => None,
            Ok(Err(line)) => Some(one_line(&line)),
            Err(_) => Some(format!("no answer within {} s", STEP.as_secs())),
        };
        if let Some(why) = why {
            let what = format!("the proxy {peer}:{peer_port} opens no way to {host}:{port}: {why}");
            doctor
                .step("proxy", bad(what, format!("check {setting}, its user and password, and what the proxy allows")));
            doctor.step("TCP", not_tried("the proxy opens no way"));
            return doctor.step("TLS", not_tried("the proxy opens no way"));
        }
        doctor.step("proxy", Found::Good(format!("{peer}:{peer_port} opens a way to {host}:{port}")));
    } else {
        doctor.step("proxy", Found::Good("none is set".to_owned()));
    }
    doctor.step("TCP", Found::Good(address.to_string()));
    if !encrypted {
        return doctor.step("TLS", Found::Good("not used: plain HTTP on this machine".to_owned()));
    }
    let spoken = timeout(STEP, probe::handshake(stream, host, hub, places)).await;
    let found = match spoken {
        Ok(Ok((version, certificate))) => {
            let words = certificate.map(|certificate| format!(", {}", words(&certificate))).unwrap_or_default();
            Found::Good(format!("{version}{words}"))
        }
        Ok(Err((what, remedy))) => {
            let shown = if proxy.is_some() { None } else { certificate(&addresses, host).await };
            bad(shown.map_or_else(|| what.clone(), |shown| format!("{what}: {}", words(&shown))), remedy)
        }
        Err(_) => bad(format!("no TLS within {} s", STEP.as_secs()), "check scheme and port in hub.url"),
    };
    doctor.step("TLS", found);
}

fn unreachable(doctor: &mut Doctor, fault: Found) {
    doctor.step("name", fault);
    for name in ["proxy", "TCP", "TLS"] {
        doctor.step(name, not_tried("the address is not known"));
    }
}

async fn certificate(addresses: &[std::net::SocketAddr], host: &str) -> Option<Described> {
    timeout(STEP, async {
        let (stream, _) = probe::connect(addresses).await.ok()?;
        probe::shown_certificate(stream, host).await
    })
    .await
    .ok()?
}

fn words(certificate: &Described) -> String {
    let Described { subject, issuer, ends } = certificate;
    format!("certificate of \"{}\" by \"{}\", ends {ends}", one_line(subject), one_line(issuer))
}

/// HTTP, authentication, this device's license: by one GET.
async fn request(doctor: &mut Doctor, config: &Config, places: &Places, status: Seen<'_>) {
    if doctor.seen.0.iter().rev().take(4).any(|step| matches!(step.found, Found::Bad(_))) {
        for name in &STEPS[4..] {
            doctor.step(name, not_tried("there is no connection"));
        }
        return;
    }
    let installed = status.and_then(|status| status.license.serial.as_deref()).and_then(|text| text.parse().ok());
    let serial: Option<Serial> = config.license.serial.clone().or(installed);
    let call = match (&config.hub.kind, &serial) {
        (HubKind::Relay, _) => Call::relay(),
        (HubKind::Api, Some(serial)) => Call::view(serial, Format::Netifyd),
        (HubKind::Api, None) => Call::list(Format::Netifyd),
    };
    let sought = Sought { duid: status.and_then(|status| status.device.duid.clone()), serial: None };
    let asked = match Session::open(config, places) {
        Ok(session) if call.is_list() => {
            session.list(&call, ListReader::bounded(move |entry| sought.is_in(entry))).await
        }
        Ok(session) => session.send(&call).await,
        Err(error) => Err(error),
    };
    let answer = match asked {
        Ok(answer) => answer,
        // Nothing was sent: the credentials are missing or wrong on this side.
        Err(error) if error.local => {
            doctor.step("HTTP", not_tried("nothing can be sent without credentials"));
            doctor.step("authentication", Found::Bad(Fault::of_sentence(&error.message, 1)));
            return doctor.step(STEPS[6], not_tried("the hub was not asked"));
        }
        Err(error) => {
            doctor.step("HTTP", Found::Bad(Fault::of_sentence(&error.message, 1)));
            doctor.step("authentication", not_tried("there was no response"));
            return doctor.step(STEPS[6], not_tried("there was no response"));
        }
    };
    let now = clock::now().wall;
    let judged = match (&config.hub.kind, &serial) {
        (HubKind::Relay, _) => response::relay_data(&answer, now).map(|bytes| found_license(&bytes)),
        (HubKind::Api, Some(_)) => response::api_license(&answer, now).map(|bytes| found_license(&bytes)),
        (HubKind::Api, None) => {
            let duid = status.and_then(|status| status.device.duid.as_deref());
            let list = response::api_list(&answer, now);
            list.map(|list| listed(&list.items, answer.entries.unwrap_or(list.items.len()), duid))
        }
    };
    told(doctor, &answer, judged);
}

fn told(doctor: &mut Doctor, answer: &RawAnswer, judged: Result<Found, Trouble>) {
    let status = format!("HTTP {} from {}", answer.status, answer.url);
    match judged {
        Ok(license) => {
            doctor.step("HTTP", Found::Good(status));
            doctor.step("authentication", Found::Good("accepted".to_owned()));
            doctor.step(STEPS[6], license);
        }
        Err(trouble) => {
            let fault = Found::Bad(Fault::of_sentence(&trouble.sentence(), trouble.exit_code()));
            let unknown = || not_tried("the hub did not tell");
            match trouble.http_status {
                Some(401 | 403) => {
                    doctor.step("HTTP", Found::Good(status));
                    doctor.step("authentication", fault);
                    doctor.step(STEPS[6], unknown());
                }
                Some(404) => {
                    doctor.step("HTTP", Found::Good(status));
                    doctor.step("authentication", Found::Good("accepted".to_owned()));
                    doctor.step(STEPS[6], fault);
                }
                _ => {
                    doctor.step("HTTP", fault);
                    doctor.step("authentication", unknown());
                    doctor.step(STEPS[6], unknown());
                }
            }
        }
    }
}

fn found_license(bytes: &[u8]) -> Found {
    match document::parse(bytes) {
        Ok(document) => {
            let license = document.license;
            Found::Good(format!("{}, ends {}", one_line(license.serial.as_str()), license.expires_at))
        }
        Err(error) => Found::Bad(Fault::new(error.to_string(), "ask the hub's operator").with_exit(3)),
    }
}

fn listed(items: &[Vec<u8>], count: usize, duid: Option<&str>) -> Found {
    let own = items.iter().filter_map(|item| document::parse(item).ok()).map(|document| document.license);
    let mut own = own.filter(|license| license.duid.as_deref().is_some_and(|named| Some(named) == duid));
    if let Some(license) = own.next() {
        return Found::Good(format!("{}, ends {}", one_line(license.serial.as_str()), license.expires_at));
    }
    let what = format!("none of the {count} licenses there names this device");
    Found::Bad(Fault::new(what, "run `netify-licensed provision`, or set license.serial").with_exit(5))
}
