//! `place`: the installer's side of the daemon's privilege separation; it believes nobody.

use std::path::Path;

use crate::core::config::TrustMode;
use crate::core::license::document;
use crate::core::license::json::MAX_BYTES;
use crate::core::license::verify::Verifier;
use crate::edge::config_file;
use crate::edge::file::license;
use crate::edge::helper::{Order, Outcome, read_order};
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
    let loaded = config_file::load(path).map_err(|error| error.to_string())?;
    let target = loaded.config.license.path.as_path();
    match read_order(MAX_BYTES)? {
        Order::Remove => license::remove(target),
        Order::Install { bytes, modified } => {
            let keys = loaded.keys().map_err(|error| error.to_string())?;
            // The device is the daemon's to judge: this sandbox sees too little of it.
            let claimed = document::parse(&bytes).ok().and_then(|document| document.license.duid);
            let verifier = Verifier {
                keys: (loaded.config.trust.mode == TrustMode::Signature).then_some(keys),
                duid: claimed,
                require_device_binding: loaded.config.trust.require_device_binding,
            };
            let license = verifier
                .check(&bytes)
                .map_err(|rejection| format!("the license is {}: {}", rejection.state, rejection.reason))?;
            license::install(target, &license, modified)
        }
    }
}
