//! `hub.kind = "relay"`: a GET of one URL returns the bare license.
#![allow(clippy::disallowed_methods, reason = "tests touch files and start processes")]

mod answers;
mod changes;
mod credentials;
mod daemon;
mod nginx;
mod serials;
mod standby;

use hub_emulator::{HubEmulator, RelayPath};
use test_bench::rig::Rig;

/// A device of the relay's open path.
fn device(hub: &HubEmulator) -> Rig {
    Rig::relay(hub, hub.relay_url(RelayPath::Open))
}
