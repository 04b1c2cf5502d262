//! `doctor --bundle`: what a maintainer would ask for, in one tar file that holds no secret.

use std::path::Path;
use std::time::Duration;

use crate::core::config::{Command, render};
use crate::core::report::doctor::Examination;
use crate::core::report::screen::Paint;
use crate::core::report::status::Status;
use crate::edge::config_file::Loaded;
use crate::edge::dirs::Places;
use crate::edge::file::state;
use crate::edge::{clock, process, secret, service_manager};

/// Lines of the log that are taken along.
const LINES: &str = "300";
/// Longest time for reading them.
const LOG_TIMEOUT: Duration = Duration::from_secs(10);

/// Writes the bundle, for its owner alone.
pub(super) async fn write(
    file: &Path,
    loaded: Result<&Loaded, String>,
    status: Option<&Status>,
    seen: &Examination,
    places: &Places,
) -> Result<(), String> {
    let config = loaded.as_ref().ok().map(|loaded| loaded.config.clone()).unwrap_or_default();
    let redaction = secret::redaction(&config.hub, places);
    let configuration = match loaded {
        Ok(loaded) => render(&loaded.config),
        // The file itself may hold anything in any place.
        Err(error) => format!("# refused: {error}\n"),
    };
    let status = status.and_then(|status| serde_json::to_string_pretty(status).ok()).unwrap_or_default();
    let version = format!("netify-licensed {}\n{}", env!("CARGO_PKG_VERSION"), process::kernel());
    let parts = [
        ("doctor.txt", seen.screen(Paint(false))),
        ("doctor.json", format!("{:#}\n", seen.document())),
        ("status.json", status),
        ("configuration.toml", configuration),
        ("log.txt", log().await),
        ("version.txt", version),
    ];
    let bytes = archive(&parts.map(|(name, text)| (name, redaction.applied(&text))))
        .map_err(|error| format!("{}: the bundle cannot be packed: {}", file.display(), crate::edge::reason(&error)))?;
    let file = std::path::absolute(file).map_err(|error| format!("{}: {error}", file.display()))?;
    state::replace(&file, &bytes, 0o600, false)
}

fn archive(parts: &[(&str, String)]) -> std::io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    let now = u64::try_from(clock::now().wall.unix()).unwrap_or(0);
    for (name, text) in parts {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o600);
        header.set_mtime(now);
        archive.append_data(&mut header, Path::new("netify-licensed").join(name), text.as_bytes())?;
    }
    archive.into_inner()
}

/// The daemon's last log lines, from whoever keeps them.
async fn log() -> String {
    let words: &[&str] = if service_manager::is_systemd() {
        &["/usr/bin/journalctl", "--unit=netify-licensed.service", "--no-pager", "--output=short-iso", "--lines", LINES]
    } else {
        &["/sbin/logread", "-e", "netify-licensed"]
    };
    let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
    let Ok(command) = Command::try_from(words) else { return String::new() };
    match process::run(&command, &[], Vec::new(), LOG_TIMEOUT).await {
        Ok(done) => String::from_utf8_lossy(&done.stdout).into_owned(),
        Err(why) => format!("the log cannot be read: {why}\n"),
    }
}
