//! License daemon for the Netify Agent.
//!
//! Two layers, one direction: [`core`] decides and has no I/O, [`edge`] has the I/O and no decisions, and [`daemon`] drives
//! them. The steps of a license through the files:
//!
//! device id ([`core::device`], [`edge::device`]) → read and verify ([`edge::file::license`], [`core::license`]) → decide
//! ([`core::clock`], [`core::schedule`]) → ask the hub ([`edge::hub`]) and read its response ([`core::hub`]) → accept
//! ([`core::accept`]) → write ([`core::engine`], [`edge::file::license`]) → reload ([`edge::netifyd`]) → report
//! ([`core::report`]).

pub mod cli;
pub mod core;
pub mod daemon;
pub mod edge;
pub mod exit;
