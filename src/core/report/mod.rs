//! What users see: the status document, the screen, the monitoring plugin's line, the metrics.

pub mod check;
pub mod configuration;
pub mod daemon;
pub mod doctor;
pub mod heartbeat;
pub mod metrics;
pub mod screen;
pub mod status;
