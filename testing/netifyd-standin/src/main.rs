//! The stand-in's executable; everything is in the library.

use std::process::ExitCode;

use clap::Parser;
use netifyd_standin::{Options, run};

fn main() -> ExitCode {
    run(&Options::parse())
}
