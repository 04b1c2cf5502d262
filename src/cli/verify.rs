//! `verify`: offline, on the installed license or any document.

use std::path::Path;

use crate::core::clock::trust::{self, Known};
use crate::core::config::{ClockTrust, TrustMode};
use crate::core::device::duid;
use crate::core::engine::FileContent;
use crate::core::license::verify::{State, Verifier};
use crate::core::report::screen;
use crate::core::report::status::{DeviceStatus, LicenseStatus, PinStatus, Verification};
use crate::core::text;
use crate::edge::dirs::Places;
use crate::edge::file::license;
use crate::edge::file::state::Store;
use crate::edge::{clock, config_file, device, terminal};
use crate::exit::Exit;

pub(super) async fn verify(path: Option<&Path>, file: Option<&Path>, as_json: bool) -> Exit {
    let (config, keys) = match config_file::load(path).and_then(|loaded| Ok((loaded.keys()?, loaded))) {
        Ok((keys, loaded)) => (loaded.config, keys),
        Err(error) => return Exit::config(&error),
    };
    let place = file.unwrap_or_else(|| config.license.path.as_path());
    let content = if place.as_os_str() == "-" {
        license::read_stdin().map_or_else(|error| FileContent::Unreadable(error.to_string()), FileContent::Bytes)
    } else {
        license::read(place)
    };
    let judged = duid::judge(&device::readings(&config, false).await);
    let pin = Store::new(&Places::from_environment()).pin(&config);
    let winner = duid::winner(&judged).map(|(duid, source)| (duid.to_owned(), source.to_string()));
    let winner = pin.clone().map(|pin| (pin.duid, pin.source)).or(winner);
    let verifier = Verifier {
        keys: (config.trust.mode == TrustMode::Signature).then_some(keys),
        duid: winner.as_ref().map(|(duid, _)| duid.clone()),
        require_device_binding: config.trust.require_device_binding,
    };
    let name = place.display().to_string();
    let moment = clock::moment();
    let (state, license, mut problems) = match &content {
        FileContent::Missing => {
            (State::Missing, LicenseStatus::none(&name), vec![format!("{name}: there is no license")])
        }
        FileContent::Unreadable(reason) => (State::Unreadable, LicenseStatus::none(&name), vec![reason.clone()]),
        FileContent::Bytes(bytes) => match verifier.check(bytes) {
            Err(rejection) => {
                let claims = rejection.claims.as_ref();
                let license =
                    claims.map_or_else(|| LicenseStatus::none(&name), |claims| LicenseStatus::claims(&name, claims));
                (rejection.state, license, vec![rejection.reason])
            }
            Ok(license) => {
                let last_good = Store::new(&Places::from_environment()).durable().0.last_good_time;
                let known = Known { last_good, created_at: license.license().created_at };
                let trust =
                    trust::judge(moment.now, &moment.evidence, &known, config.clock.trust == ClockTrust::Always);
                let state = license.state(trust.trusted.then_some(moment.now.wall));
                let fields = license.license();
                let problem = match state {
                    State::Expired => Some(format!("the license expired at {}", fields.expires_at)),
                    State::NotYetValid => {
                        fields.created_at.map(|at| format!("the license was issued at {at}, which is in the future"))
                    }
                    State::ClockUntrusted => Some(format!("the clock cannot be believed: {}", trust.why)),
                    State::Unchecked => Some("the signature was not checked (trust.mode = \"transport\")".to_owned()),
                    _ => None,
                };
                (state, LicenseStatus::of(&name, &license), problem.into_iter().collect())
            }
        },
    };
    if winner.is_none() {
        problems.push(duid::none_usable(&judged));
    }
    let device = DeviceStatus {
        duid: winner.as_ref().map(|(duid, _)| duid.clone()),
        source: winner.map(|(_, source)| source),
        pinned: pin.map(|pin| PinStatus { source: pin.source, duid: pin.duid }),
    };
    let verification = Verification { state, license, device, problems };
    let code = match state {
        State::Valid | State::Unchecked => 0,
        State::Expired => 4,
        _ => 3,
    };
    let out = if as_json {
        text::pretty_json(&verification) + "\n"
    } else {
        screen::verification(&verification, moment.now.wall, terminal::paint())
    };
    Exit { code, out, err: String::new() }
}
