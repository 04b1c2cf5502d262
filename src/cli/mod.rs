//! The command line.

pub mod args;
mod client;
mod doctor;
mod hub;
mod hub_list;
mod place;
mod status;
mod verify;

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use serde_json::json;
use tokio::runtime::Runtime;

use crate::core::config::{render, sample};
use crate::core::device::duid;
use crate::core::engine::Request;
use crate::core::report::screen::Paint;
use crate::core::text;
use crate::edge;
use crate::edge::dirs::Places;
use crate::edge::file::license;
use crate::edge::file::state::Store;
use crate::edge::signals::{self, Ending, Signals};
use crate::edge::{config_file, device, process, sandbox};
use crate::exit::Exit;
use args::{Cli, Command, ConfigCommand};

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    signals::unblock();
    let command = command_name(std::env::args_os().skip(1));
    let is_check = command.as_deref() == Some(OsStr::new("check"));
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return finish(Exit::failed(format!("no event loop: {error}")), is_check),
    };
    // The daemon's before anything else: a signal that comes while it starts must not end it.
    let (signals, ignored) = {
        let _inside = runtime.enter();
        let signals = (command.as_deref() == Some(OsStr::new("run"))).then(Signals::set_up);
        (signals, signals::handle_ignored())
    };
    let exit = match Cli::try_parse() {
        Ok(cli) => match signals.transpose() {
            Ok(signals) => perform(cli, runtime, signals, ignored),
            Err(error) => Exit::failed(format!("signals cannot be handled: {error}")),
        },
        Err(error) if error.use_stderr() => {
            let _ = error.print();
            if is_check { status::misused(&error.to_string()) } else { Exit { code: 2, ..Exit::done() } }
        }
        Err(help) => Exit::with(help.to_string()),
    };
    finish(exit, is_check)
}

/// Writes what a command has to say.
fn finish(mut exit: Exit, is_check: bool) -> ExitCode {
    if let Err(error) = tell(&shown(&exit.out)) {
        let remedy = edge::remedy(&error).map_or_else(String::new, |remedy| format!("; {remedy}"));
        exit.err += &format!("\ncannot write to standard output: {}{remedy}", edge::reason(&error));
        if exit.code == 0 {
            exit.code = if is_check { 3 } else { 1 };
        }
    }
    let words = if exit.err.is_empty() {
        String::new()
    } else {
        format!("netify-licensed: {}\n", text::clean_lines(exit.err.trim()))
    };
    if edge::log::is_started() {
        edge::log::end(words);
    } else {
        let _ = std::io::stderr().lock().write_all(words.as_bytes());
    }
    ExitCode::from(exit.code)
}

fn perform(cli: Cli, runtime: Runtime, signals: Option<Signals>, ignored: u64) -> Exit {
    // Every command reads the configuration, and a proxy's password stands in it.
    process::harden();
    let local = tokio::task::LocalSet::new();
    let exit = local.block_on(&runtime, async {
        tokio::task::spawn_local(signals::reap_orphans());
        let unheard = |error| Exit::failed(format!("signals cannot be handled: {error}"));
        if matches!(cli.command, Command::Run) {
            return match signals.map_or_else(Signals::set_up, Ok) {
                Ok(signals) => crate::daemon::run(cli.config, signals).await,
                Err(error) => unheard(error),
            };
        }
        match Ending::set_up(ignored) {
            Ok(ending) => tokio::select! {
                exit = dispatch(cli, &ending) => exit,
                number = ending.received_and_free() => ended_by(number),
            },
            Err(error) => unheard(error),
        }
    });
    // A name look-up or a slow disk does not hold up the end.
    drop(local);
    runtime.shutdown_background();
    exit
}

/// The last place where text of others is cleaned, whichever way it came: everything that is printed passes here.
fn shown(out: &str) -> Cow<'_, str> {
    if !out.starts_with(['{', '[']) {
        return Cow::Owned(text::clean_screen(out, &Paint::SEQUENCES));
    }
    // JSON of ours is escaped already. The hub's goes into files byte for byte, since a license may stand in it.
    if std::io::stdout().is_terminal() { Cow::Owned(text::clean_json(out)) } else { Cow::Borrowed(out) }
}

/// As a shell reports a process that a signal ended.
fn ended_by(number: i32) -> Exit {
    Exit { code: 128 + u8::try_from(number).unwrap_or(0), ..Exit::done() }
}

fn tell(words: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(words.as_bytes()).and_then(|()| out.flush()) {
        // Whoever reads our output may have left (head, grep -q): that is no failure of ours.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        told => told,
    }
}

/// The command, by the arguments alone: they need not make sense.
fn command_name(mut arguments: impl Iterator<Item = OsString>) -> Option<OsString> {
    while let Some(argument) = arguments.next() {
        if argument == "--config" || argument == "-c" {
            arguments.next();
        } else if !argument.as_encoded_bytes().starts_with(b"-") {
            return Some(argument);
        }
    }
    None
}

async fn dispatch(cli: Cli, ending: &Ending) -> Exit {
    let path = cli.config.as_deref();
    match cli.command {
        Command::Run => unreachable!("it has signals of its own"),
        Command::Verify { file, json } => verify::verify(path, file.as_deref(), json).await,
        Command::Renew { if_due, dry_run, accept_changes, json } => {
            client::ask(path, ending, "renew", Request::Renew { if_due, dry_run, accept_changes }, json).await
        }
        Command::Install { file, force, json } => match document(&file) {
            Ok(bytes) => client::ask(path, ending, "install", Request::Install { bytes, force }, json).await,
            Err(sentence) => Exit::outcome(1, sentence, json),
        },
        Command::Provision { json } => client::ask(path, ending, "provision", Request::Provision, json).await,
        Command::Retire { keep_file, json } => {
            client::ask(path, ending, "retire", Request::Retire { keep_file }, json).await
        }
        Command::Place => place::place(path).await,
        Command::Reload { json } => client::reload(path, json).await,
        Command::Status { json, alive: true, .. } => status::alive(path, json).await,
        Command::Status { json, format, alive: false } => {
            status::status(path, if json { args::StatusFormat::Json } else { format }).await
        }
        Command::Check { warning, critical, json, config: _ } => status::check(path, warning, critical, json).await,
        Command::Doctor { bundle, json } => doctor::doctor(path, bundle.as_deref(), json).await,
        Command::Duid { repin: true, json, .. } => client::ask(path, ending, "duid", Request::Repin, json).await,
        Command::Duid { all, json, .. } => duid(path, all, json).await,
        Command::Hub(command) => hub::run(path, command).await,
        Command::Config(ConfigCommand::Check { json }) => config_check(path, json).await,
        Command::Config(ConfigCommand::Show { json }) => config_show(path, json),
        Command::Config(ConfigCommand::Example) => Exit::with(sample()),
        Command::Config(ConfigCommand::Keep) => config_keep(path),
    }
}

/// A document from a file or standard input; at most one byte more than a license may have.
fn document(path: &Path) -> Result<Vec<u8>, String> {
    use crate::core::engine::FileContent;
    if path.as_os_str() == "-" {
        return license::read_stdin().map_err(|error| format!("standard input: {}", crate::edge::reason(&error)));
    }
    match license::read(path) {
        FileContent::Bytes(bytes) => Ok(bytes),
        FileContent::Missing => Err(format!("{}: there is no such file", path.display())),
        FileContent::Unreadable(sentence) => Err(sentence),
    }
}

async fn duid(path: Option<&Path>, all: bool, as_json: bool) -> Exit {
    let config = match config_file::load(path) {
        Ok(loaded) => loaded.config,
        Err(error) => return Exit::config(&error),
    };
    let judged = duid::judge(&device::readings(&config, all).await);
    // What is set comes first and stands alone; what is only shown comes last.
    let set = judged.first().map(|entry| &entry.source).filter(|source| source.is_set());
    let configured = &judged[..judged.len().min(if set.is_some() { 1 } else { config.device.sources.len() })];
    // The pin is root's and the daemon's to read; others see what would win without it.
    let pin = Store::new(&Places::from_environment()).pin(&config);
    let winner = duid::winner(configured).map(|(duid, source)| (duid.to_owned(), source.to_string()));
    let winner = pin.clone().map(|pin| (pin.duid, pin.source)).or(winner);
    if as_json {
        let sources: Vec<_> = judged
            .iter()
            .map(|entry| {
                json!({
                    "source": entry.source.to_string(),
                    "duid": entry.duid.as_ref().ok(),
                    "problem": entry.duid.as_ref().err(),
                    "wins": winner.as_ref().is_some_and(|(_, source)| *source == entry.source.to_string()),
                })
            })
            .collect();
        let document = json!({
            "duid": winner.as_ref().map(|(duid, _)| duid),
            "source": winner.as_ref().map(|(_, source)| source),
            "pinned": pin,
            "sources": sources,
        });
        return Exit { code: u8::from(winner.is_none()), out: text::pretty_json(&document) + "\n", err: String::new() };
    }
    let out = match &winner {
        _ if all => {
            let table = duid_table(&judged, configured.len(), set);
            let pinned =
                pin.map(|pin| format!("pinned: {} from {}\n", text::clean(&pin.duid), text::clean(&pin.source)));
            table + &pinned.unwrap_or_default()
        }
        Some((value, _)) => format!("{value}\n"),
        None => String::new(),
    };
    let err = if winner.is_none() { duid::none_usable(configured) } else { String::new() };
    Exit { code: u8::from(winner.is_none()), out, err }
}

/// The first `configured` ones count.
fn duid_table(judged: &[duid::Judged], configured: usize, set: Option<&duid::Source>) -> String {
    let width = judged.iter().map(|entry| entry.source.to_string().len()).max().unwrap_or(0);
    let winner = judged[..configured].iter().position(|entry| entry.duid.is_ok());
    let mut text = String::new();
    for (at, entry) in judged.iter().enumerate() {
        let (mark, why) = match (&entry.duid, set) {
            (Err(_), _) => (" ", String::new()),
            (Ok(_), Some(_)) if at == 0 => ("*", "  (wins: it is set)".to_owned()),
            (Ok(_), Some(set)) => (" ", format!("  (usable, but {set} is set)")),
            (Ok(_), None) if winner == Some(at) => ("*", "  (wins: the first usable one)".to_owned()),
            (Ok(_), None) if at < configured => (" ", "  (usable, but a source before it wins)".to_owned()),
            (Ok(_), None) => (" ", "  (usable, but not in device.sources)".to_owned()),
        };
        let value = match &entry.duid {
            Ok(value) => value.clone(),
            Err(reason) => format!("- {reason}"),
        };
        text.push_str(&format!("{mark} {:width$}  {value}{why}\n", entry.source.to_string()));
    }
    text
}

async fn config_check(path: Option<&Path>, as_json: bool) -> Exit {
    let checked = config_file::load(path).and_then(|loaded| {
        let (keys, warnings) = (loaded.check_files()?, loaded.check_what_is_waited_for(&Places::from_environment())?);
        Ok((loaded.config, keys, warnings))
    });
    match checked {
        Ok((config, mut ring, mut warnings)) => {
            let refusals = sandbox::refusals(&config).await;
            warnings.extend(refusals.iter().map(|refusal| format!("warning: {refusal}")));
            let keys: Vec<_> =
                ring.keys().iter().map(|key| format!("trusted key {} from {}", key.id, key.origin)).collect();
            if as_json {
                ring.problems.extend(warnings);
                return Exit::with(
                    text::json(&json!({ "valid": true, "keys": keys, "problems": ring.problems })) + "\n",
                );
            }
            let lines = keys.iter().chain(&ring.problems).fold(String::new(), |text, line| format!("{text}{line}\n"));
            Exit { code: 0, out: format!("{lines}the configuration is valid\n"), err: warnings.join("\n") }
        }
        Err(error) if as_json => {
            let document = json!({ "valid": false, "path": error.path, "line": error.line, "message": error.message });
            Exit { code: 78, out: text::json(&document) + "\n", err: String::new() }
        }
        Err(error) => Exit::config(&error),
    }
}

/// For maintainer scripts: exit code 0 where the daemon can start with the file, or with a last good configuration.
fn config_keep(path: Option<&Path>) -> Exit {
    match config_file::keep_despite_its_mode(path, &Places::from_environment().state) {
        Ok(()) => Exit::done(),
        Err(error) => Exit::config(&error),
    }
}

fn config_show(path: Option<&Path>, as_json: bool) -> Exit {
    match config_file::load(path) {
        Ok(loaded) if as_json => Exit::with(text::pretty_json(&loaded.config) + "\n"),
        Ok(loaded) => Exit::with(render(&loaded.config)),
        Err(error) => Exit::config(&error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_has_the_usual_flags_and_all_else_the_configurations() {
        let parsed = |line: &str| Cli::try_parse_from(line.split(' ')).expect("usage");
        for (line, file) in [
            ("x check -w 5 -c 2", None),
            ("x -c f check -w 5 -c 2", Some("f")),
            ("x check --config f -w 5 -c 2", Some("f")),
            ("x --config f check -c2 -w5", Some("f")),
        ] {
            let cli = parsed(line);
            assert_eq!(cli.config.as_deref(), file.map(Path::new), "{line}");
            assert!(
                matches!(cli.command, Command::Check { warning: 5.0, critical: 2.0, json: false, .. }),
                "{line}: {cli:?}"
            );
        }
        for line in ["x status -c f", "x -c f status", "x config check -c f", "x config -c f check"] {
            assert_eq!(parsed(line).config.as_deref(), Some(Path::new("f")), "{line}");
        }
    }

    #[test]
    fn the_table_of_ids_says_why() {
        let judged = |source, id: Result<&str, &str>| duid::Judged {
            source,
            duid: id.map(str::to_owned).map_err(str::to_owned),
        };
        let dmi = || judged(duid::Source::Dmi, Err("junk"));
        let serial = || judged(duid::Source::NetifydSerial, Ok("S"));
        let agent = || judged(duid::Source::NetifydAgent, Ok("A"));
        let machine = || judged(duid::Source::MachineId, Ok("M"));
        let looked_for = "  dmi             - junk\n\
                          * netifyd-serial  S  (wins: the first usable one)\n  \
                          netifyd-agent   A  (usable, but a source before it wins)\n  \
                          machine-id      M  (usable, but not in device.sources)\n";
        assert_eq!(duid_table(&[dmi(), serial(), agent(), machine()], 3, None), looked_for);
        let given = duid::Source::Configured;
        let set = "* device.duid  G  (wins: it is set)\n  machine-id   M  (usable, but device.duid is set)\n";
        assert_eq!(duid_table(&[judged(given.clone(), Ok("G")), machine()], 1, Some(&given)), set);
        let program = duid::Source::Command;
        let failing =
            "  device.duid-command  - hangs\n  machine-id           M  (usable, but device.duid-command is set)\n";
        assert_eq!(duid_table(&[judged(program.clone(), Err("hangs")), machine()], 1, Some(&program)), failing);
    }

    #[test]
    fn monitoring_is_known_by_its_command() {
        let asks = |line: &str| command_name(line.split(' ').map(OsString::from)).is_some_and(|name| name == "check");
        assert_eq!([asks("check --warning x"), asks("-c check check -x"), asks("--config=c check -x")], [true; 3]);
        assert_eq!([asks("config check -x"), asks("--config check status -x"), asks("renew check")], [false; 3]);
        assert!(!asks("-x"));
    }
}
