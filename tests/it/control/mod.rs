//! The daemon's control: its socket, shared work, signals, a second daemon, a new configuration.
#![allow(clippy::disallowed_methods, reason = "tests touch files, clocks and processes")]

mod configuration;
mod hostile;
mod last_good;
mod peers;
mod shared;

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use hub_emulator::{HubEmulator, LicenseSpec, Options};
use serde_json::Value;
use test_bench::rig::{DUID, Rig, SERIAL};

/// One day.
const DAY: Duration = Duration::from_secs(86_400);

/// A device with a license that is not due, and its hub, which has the same one.
fn device() -> (HubEmulator, Rig) {
    let hub = HubEmulator::start(Options::new());
    let rig = Rig::api(&hub);
    offer(&hub, 0);
    rig.run(&["renew"]).expect(0);
    hub.clear_requests();
    (hub, rig)
}

/// The hub gets a license that ends a minute later with each number; by `renew` it is fetched, and not renewed again.
fn offer(hub: &HubEmulator, number: u32) {
    let ends = DAY * 6 + Duration::from_secs(60) * number;
    hub.add_license(LicenseSpec::new(SERIAL).duid(DUID).issued_ago(DAY).expires_in(ends).renewable(false));
}

/// One line to the control socket, and the answer.
fn ask(socket: &Path, line: &str) -> io::Result<Value> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(test_bench::rig::PATIENCE))?;
    stream.write_all(format!("{line}\n").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(serde_json::from_str(&answer).unwrap_or(Value::String(answer)))
}
