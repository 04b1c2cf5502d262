//! `place`: the installer's side of the daemon's privilege separation; it believes nobody.

use std::path::Path;

use crate::core::config::TrustMode;
use crate::core::license::document;
use crate::core::license::json::MAX_BYTES;
use crate::core::license::verify::Verifier;
use crate::edge::config_file;
use crate::edge::config_file::{InForce, Loaded};
use crate::edge::dirs::Places;
use crate::edge::file::license;
use crate::edge::helper::{Order, Outcome, read_order};
use crate::edge::last_good;
use crate::exit::Exit;

pub(super) fn place(path: Option<&Path>) -> Exit {
    let outcome = Outcome::from(obey(path));
    let err = match &outcome {
        Outcome::Done => String::new(),
        Outcome::Failed { error } => error.clone(),
    };
    // The answer is the outcome: a refused order is no failure of this service.
    Exit { code: 0, out: serde_json::to_string(&outcome).unwrap_or_default() + "\n", err }
}

fn obey(path: Option<&Path>) -> Result<(), String> {
    let state = Places::from_environment().state;
    let in_force = config_file::in_force_by(Loaded::keys, path, &state).map_err(|error| error.to_string())?;
    if let Some(good) = &in_force.to_keep {
        // Without it this order can be carried out all the same.
        let _ = last_good::keep(&state, good);
    }
    let InForce { config, keys, .. } = in_force;
    let target = config.license.path.as_path();
    match read_order(MAX_BYTES)? {
        Order::Remove => license::remove(target),
        Order::Install { bytes, modified } => {
            // The device is the daemon's to judge: this sandbox sees too little of it.
            let claimed = document::parse(&bytes).ok().and_then(|document| document.license.duid);
            let verifier = Verifier {
                keys: (config.trust.mode == TrustMode::Signature).then_some(keys),
                duid: claimed,
                require_device_binding: config.trust.require_device_binding,
            };
            let license = verifier
                .check(&bytes)
                .map_err(|rejection| format!("the license is {}: {}", rejection.state, rejection.reason))?;
            license::install(target, &license, modified)
        }
    }
}
