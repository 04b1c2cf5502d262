//! Where device identifiers can be found.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{process, reason};
use crate::core::config::{Config, SourceName};
use crate::core::device::duid::{self, Reading, Source};
use crate::core::device::pin::{self, Machine};
use crate::edge::file::{open, path};
use crate::edge::helper::client;
use crate::edge::netifyd::serial;

/// Longest file with an identifier, in bytes.
const LONGEST: usize = 4_096;
/// Longest time for `device.duid-command`.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);

/// Reads the configured sources in order. With `all`, the sources that are not configured follow.
pub async fn readings(config: &Config, all: bool) -> Vec<Reading> {
    let device = &config.device;
    let mut found = Vec::new();
    if let Some(duid) = &device.duid {
        found.push(Reading { source: Source::Configured, content: Ok(duid.clone().into_bytes()) });
    }
    if let Some(path) = &device.duid_file {
        let content = file(path.as_path()).map(open::text);
        found.push(Reading { source: Source::File, content });
    }
    if let Some(command) = &device.duid_command {
        let content = match process::run(command, &[], Vec::new(), COMMAND_TIMEOUT).await {
            Ok(finished) if finished.success => Ok(finished.stdout),
            Ok(finished) => Err(format!("{}: {} ({})", command.program(), finished.status, finished.last_words())),
            Err(error) => Err(error),
        };
        found.push(Reading { source: Source::Command, content });
    }
    let explicit = !found.is_empty();
    if !explicit || all {
        for source in device.sources.iter().map(SourceName::source) {
            found.push(read_with(config, source).await);
        }
    }
    if all {
        for source in [Source::NetifydSerial, Source::NetifydAgent, Source::Dmi, Source::DeviceTree, Source::MachineId]
        {
            if !found.iter().any(|reading| reading.source == source) {
                found.push(read_with(config, &source).await);
            }
        }
    }
    found
}

/// What the disk is in: machine id and DMI id, where they are usable and outlive the boot. Unknown in a container, which
/// borrows both.
#[must_use]
pub fn machine() -> Machine {
    let containers = ["/run/.containerenv", "/.dockerenv", "/run/systemd/container"];
    if std::env::var_os("container").is_some() || containers.iter().any(|file| Path::new(file).exists()) {
        return Machine::default();
    }
    let judged = duid::judge(&[read(&Source::MachineId), read(&Source::Dmi)]);
    let seen = |at: usize| judged.get(at)?.duid.as_ref().ok().and_then(|id| pin::witness(id));
    // A machine id that is mounted there was made for this boot (machine-id(5)).
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let is_mount = mounts.lines().any(|line| line.split(' ').nth(4) == Some("/etc/machine-id"));
    Machine { machine_id: seen(0).filter(|_| !is_mount), dmi: seen(1) }
}

/// The same as [`readings`] of the configured sources, by the privileged helper. Only what it cannot see is read here: no
/// interface exists in its sandbox. A helper that does not answer must not make another source win, so then none is read.
pub async fn readings_by(config: &Config, helper: &Path) -> Vec<Reading> {
    let device = &config.device;
    let set = [
        device.duid.is_some().then_some(Source::Configured),
        device.duid_file.is_some().then_some(Source::File),
        device.duid_command.is_some().then_some(Source::Command),
    ];
    let mut sources: Vec<Source> = set.into_iter().flatten().collect();
    if sources.is_empty() {
        sources.extend(device.sources.iter().map(|source| source.source().clone()));
    }
    let socket = helper.to_path_buf();
    let found = tokio::task::spawn_blocking(move || client::readings(&socket, sources)).await.unwrap_or_default();
    let own = |reading: Reading| match &reading.source {
        Source::Mac(_) => read(&reading.source),
        Source::Configured => Reading { content: Ok(device.duid.clone().unwrap_or_default().into_bytes()), ..reading },
        _ => reading,
    };
    found.into_iter().map(own).collect()
}

/// netifyd's files are where its configuration says, and are read as it reads them.
async fn read_with(config: &Config, source: &Source) -> Reading {
    let content = match source {
        Source::NetifydSerial => serial::read(&config.netifyd_files.serial).await,
        Source::NetifydAgent => file(&config.netifyd_files.agent),
        _ => return read(source),
    };
    Reading { source: source.clone(), content }
}

fn read(source: &Source) -> Reading {
    let path = match source {
        Source::Dmi => PathBuf::from("/sys/class/dmi/id/product_uuid"),
        Source::DeviceTree => PathBuf::from("/sys/firmware/devicetree/base/serial-number"),
        Source::MachineId => PathBuf::from("/etc/machine-id"),
        Source::Mac(interface) => Path::new("/sys/class/net").join(interface).join("address"),
        Source::Configured | Source::File | Source::Command | Source::NetifydSerial | Source::NetifydAgent => {
            return Reading { source: source.clone(), content: Err("not configured".to_owned()) };
        }
    };
    Reading { source: source.clone(), content: file(&path) }
}

fn file(path: &Path) -> Result<Vec<u8>, String> {
    let opened = if path.starts_with("/sys") {
        // The kernel's own links. In a container all of it may belong to a user that is not known there.
        open::open(path)
    } else {
        path::open_to_publish(path)
    };
    let content = opened.and_then(|(file, _)| open::rest(file, LONGEST));
    content.map_err(|error| format!("{}: {}", path.display(), reason(&error)))
}
