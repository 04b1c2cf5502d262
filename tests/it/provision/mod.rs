//! `provision`, `retire`, and what the daemon does by itself: a device gets one license, and gives back one.
#![allow(clippy::disallowed_methods, reason = "tests touch files and start processes")]

mod by_command;
mod by_daemon;
mod entitlements;
mod retire;

use hub_emulator::{Endpoint, HubEmulator};

/// The requests so far, in order.
fn sequence(hub: &HubEmulator) -> Vec<Endpoint> {
    hub.requests().iter().map(|entry| entry.endpoint).collect()
}
