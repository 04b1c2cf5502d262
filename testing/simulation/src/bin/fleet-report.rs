//! Prints what a fleet does to its hub, and draws it.
#![allow(clippy::disallowed_methods, reason = "a report writes files")]

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use simulation::fleet::plot;
use simulation::fleet::report::Report;

#[derive(Debug, Parser)]
#[command(about = "Renews the licenses of a whole fleet with the real core, and with the cron job of today")]
struct Arguments {
    /// Devices.
    #[arg(long, default_value_t = 1_000_000)]
    devices: u64,
    /// Directory for fleet.svg and fleet.md; nothing is written without it.
    #[arg(long)]
    out: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let report = Report::run(arguments.devices);
    let text = report.text();
    print!("{text}");
    if let Some(directory) = arguments.out {
        let head = "# What a fleet does to its hub\n\nMade by `cargo run --profile sim -p simulation --bin fleet-report -- --out docs`, \
                    with the daemon's real engine on every device.\n\n![Renewals a minute](fleet.svg)\n\n";
        let written = std::fs::write(directory.join("fleet.svg"), plot::svg(&report))
            .and_then(|()| std::fs::write(directory.join("fleet.md"), format!("{head}{text}")));
        if let Err(error) = written {
            eprintln!("{}: {error}", directory.display());
            return ExitCode::FAILURE;
        }
    }
    if report.is_kept() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
