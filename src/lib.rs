//! License daemon for the Netify Agent.
