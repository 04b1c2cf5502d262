//! `hub-emulator`: the emulator as a program of its own. See `--help`.

mod cli;
mod values;

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use hub_emulator::HubEmulator;

fn main() -> ExitCode {
    match run(&cli::Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("hub-emulator: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &cli::Cli) -> Result<(), String> {
    let hub = HubEmulator::try_start(cli.options()).map_err(|error| error.to_string())?;
    for spec in cli.licenses() {
        hub.add_license(spec);
    }
    if let Some(dir) = &cli.dir {
        write_files(dir, &hub).map_err(|error| format!("cannot write into {}: {error}", dir.display()))?;
    }
    let mut out = io::stdout();
    writeln!(out, "{}", hub.url()).and_then(|()| out.flush()).map_err(|error| format!("standard output: {error}"))?;
    if cli.until_stdin_closes {
        std::thread::spawn(|| {
            let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
            std::process::exit(0);
        });
    }
    hub.join().map_err(|error| error.to_string())
}

/// What clients need, ready to be named in a configuration.
fn write_files(dir: &Path, hub: &HubEmulator) -> io::Result<()> {
    let keys = dir.join("keys.d");
    // Clients refuse keys that others can write to, whatever the umask.
    fs::DirBuilder::new().recursive(true).mode(0o755).create(&keys)?;
    write(&keys.join("hub-emulator.pem"), &hub.public_key_pem(), 0o644)?;
    fs::write(dir.join("url"), hub.url() + "\n")?;
    write(&dir.join("api-key"), &(hub.api_key() + "\n"), 0o600)?;
    if let Some(tls) = hub.tls() {
        fs::write(dir.join("ca.pem"), &tls.ca_pem)?;
        fs::write(dir.join("client.pem"), &tls.client_cert_pem)?;
        write(&dir.join("client-key.pem"), &tls.client_key_pem, 0o600)?;
    }
    Ok(())
}

/// Clients refuse secrets that others can read, too.
fn write(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(path)?;
    file.write_all(text.as_bytes())
}
