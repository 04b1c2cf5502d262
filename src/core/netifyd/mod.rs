//! The Netify Agent, as far as its files tell: its configuration, its serial, its own status.

mod conf;
pub mod serial;
mod status_file;

pub use conf::{Conf, Paths};
pub use status_file::{NetifydBootstrap, NetifydSignatures, NetifydStatus, own_words};
