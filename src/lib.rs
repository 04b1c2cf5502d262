//! License daemon for the Netify Agent.
pub mod core;
