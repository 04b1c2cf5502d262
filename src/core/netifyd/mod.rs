//! The Netify Agent, as far as its files tell: its own status.

mod status_file;

pub use status_file::{NetifydBootstrap, NetifydSignatures, NetifydStatus, own_words};
