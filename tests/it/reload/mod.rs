//! Every way to have netifyd reload, on the real program with a stand-in for netifyd: it does, refuses, hangs, dies, is
//! not there, or is somebody else.
#![allow(clippy::disallowed_methods, reason = "tests touch files and start processes")]

mod auto;
mod command;
mod conf;
mod device;
mod kills;
mod late_installer;
mod outcomes;
mod procd;
mod process_ids;
mod systemctl;
mod systemd;
