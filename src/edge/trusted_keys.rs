//! The trusted keys' files. What others may write to is not trusted.

use std::path::{Path, PathBuf};

use crate::core::config::{Config, ConfigError, TrustMode};
use crate::core::license::keys::{KeyFile, KeyRing};
use crate::edge::dirs::Places;
use crate::edge::file::trusted::{self, Refused};
use crate::edge::{helper, reason};

/// Largest key file in bytes.
const MAX: usize = 64 * 1024;

/// Reads the key ring of a configuration. In mode `signature` at least one key must be good.
pub fn load(config: &Config, path: &str, text: &str) -> Result<KeyRing, ConfigError> {
    if config.trust.mode == TrustMode::Transport {
        return Ok(KeyRing::default());
    }
    let about = |message| ConfigError::about(path, text, "trust.keys", message);
    let helper = Places::from_environment().helper;
    let files = match files(config) {
        // The daemon's own user may not read all of them; its helper may.
        files if helper.is_some() && files.iter().any(|(_, key)| key.is_err()) => {
            helper.and_then(|socket| helper::client::keys(&socket).ok()).unwrap_or(files)
        }
        files => files,
    };
    let ring = KeyRing::from_files(files);
    if !ring.is_empty() {
        return Ok(ring);
    }
    let places =
        config.trust.keys.iter().map(|place| place.as_path().display().to_string()).collect::<Vec<_>>().join(", ");
    Err(about(if ring.problems.is_empty() {
        format!(
            "no trusted key in {places}, and trust.mode is \"signature\"; put the vendor's public key there as a .pem file, or set trust.mode = \"transport\""
        )
    } else {
        format!("no trusted key can be used, and trust.mode is \"signature\": {}", ring.problems.join("; "))
    }))
}

/// All files that `trust.keys` leads to.
pub(in crate::edge) fn files(config: &Config) -> Vec<KeyFile> {
    config.trust.keys.iter().flat_map(|place| files_of(place.as_path())).collect()
}

fn files_of(place: &Path) -> Vec<KeyFile> {
    let one = |path: &Path| (path.display().to_string(), read(path));
    let bad = |problem: String| vec![(place.display().to_string(), Err(problem))];
    let meta = match std::fs::metadata(place) {
        Ok(meta) => meta,
        Err(error) => return bad(format!("cannot read this key: {}", reason(&error))),
    };
    if !meta.is_dir() {
        return vec![one(place)];
    }
    if let Err(problem) = trusted::directory(place, &meta) {
        return bad(problem);
    }
    let entries = match crate::edge::entries(place) {
        Ok(entries) => entries,
        Err(error) => return bad(format!("cannot list this directory: {}", reason(&error))),
    };
    let mut paths: Vec<PathBuf> = Vec::new();
    let keys = entries.into_iter().map(|name| place.join(name));
    for path in keys.filter(|path| path.extension().is_some_and(|end| end == "pem")) {
        paths.insert(paths.partition_point(|other| *other < path), path);
    }
    paths.iter().map(|path| one(path)).collect()
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    trusted::read(path, MAX).map_err(|refused| match refused {
        Refused::Unreadable(error) => format!("cannot read this key: {}", reason(&error)),
        Refused::Untrusted(why) => why,
    })
}
