//! Simulated devices: the real core, driven through years of faults, with a judge beside it.

pub mod campaign;
pub mod clock;
pub mod device;
pub mod fingerprint;
pub mod fleet;
mod happen;
pub mod happening;
pub mod hub;
pub mod license;
pub mod netifyd;
pub mod oracle;
mod perform;
pub mod random;
pub mod sabotage;
pub mod stage;
pub mod statistics;
pub mod world;
