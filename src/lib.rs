//! License daemon for the Netify Agent.
//!
//! Two floors, one direction: [`core`] decides and touches nothing, [`edge`] touches and decides nothing, and
//! [`daemon`] is the stair between them. The journey of a license through the files:
//!
//! device id ([`core::duid`], [`edge::device`]) → read ([`edge::license_file`]) → verify ([`core::verify`]) → decide
//! ([`core::schedule`], [`core::engine`]) → ask the hub ([`edge::hub`]) → verify the answer ([`core::answer`]) → accept
//! ([`core::accept`]) → install ([`edge::license_file`]) → reload ([`edge::reload`]) → report ([`core::report`]).

pub mod command;
pub mod core;
pub mod daemon;
pub mod driver;
pub mod edge;
pub mod exit;
