//! Flags, and the way from them to a daemon or a supervisor.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::behavior::Script;
use crate::privileges::Account;
use crate::{daemon, supervisor};

/// Stand-in for netifyd: PID file, signals, control socket, license reading. Runs in the foreground.
///
/// HUP reloads the license, USR1 and USR2 are only reported, TERM and INT stop cleanly.
/// Prints `ready` on standard output once PID file and socket are in place.
#[derive(Debug, Clone, clap::Parser)]
#[command(name = "netifyd")]
#[allow(clippy::struct_excessive_bools, reason = "a flag of a command line is a bool")]
pub struct Options {
    /// License file, read at start and at every reload; it may be missing.
    #[arg(long, default_value = "/etc/netifyd/license.json")]
    pub license: PathBuf,
    /// Where the daemon's PID is written.
    #[arg(long)]
    pub pid_file: Option<PathBuf>,
    /// Control socket, mode 0660.
    #[arg(long)]
    pub socket: Option<PathBuf>,
    /// status.json, as netifyd writes it: at the start, in its rhythm and at the end, but not at a reload.
    #[arg(long)]
    pub status_file: Option<PathBuf>,
    /// The rhythm of status.json.
    #[arg(long, value_name = "MS", default_value_t = 15_000)]
    pub update_interval: u64,
    /// What status.json says of the license manager's library.
    #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set)]
    pub license_manager: bool,
    /// What status.json says of the vendor's API; without this, nothing.
    #[arg(long, value_name = "CODE:MESSAGE")]
    pub bootstrap: Option<String>,
    /// How long after the PID file the socket appears: netifyd starts its captures in between.
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pub capture_delay: u64,
    /// How long the PID file is empty before the PID stands in it.
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pub pid_gap: u64,
    /// How long it goes on after TERM: without `auto_flow_expiry` netifyd waits for its flows to end.
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pub stop_delay: u64,
    /// Answer on the socket in many lines, as netifyd does with its debug flag.
    #[arg(long)]
    pub debug: bool,
    /// One JSON line per event is appended here.
    #[arg(long)]
    pub events: Option<PathBuf>,
    /// Print the events on standard output as well.
    #[arg(long)]
    pub verbose: bool,
    /// Run as this user once PID file and socket exist: `NAME`, `UID` or either with `:GID`.
    #[arg(long, value_name = "USER[:GID]", value_parser = Account::parse)]
    pub user: Option<Account>,
    /// What to do on reload, for example `ok`, `refuse:2,ok`, `die-once`, `slow:500`.
    #[arg(long, default_value = "ok", value_parser = Script::parse)]
    pub behavior: Script,
    /// The same, read at every reload; what is left is written back. Once the file exists it wins over --behavior.
    #[arg(long)]
    pub behavior_file: Option<PathBuf>,
    /// Be the parent that starts the daemon again whenever it ends. The PID file always holds the daemon's PID.
    #[arg(long)]
    pub supervise: bool,
    /// How long the supervisor waits before it starts the daemon again.
    #[arg(long, value_name = "MS", default_value_t = 100)]
    pub restart_delay: u64,
    /// Stop as on TERM when standard input ends.
    #[arg(long)]
    pub until_eof: bool,
    /// Set by the supervisor: end when the parent does.
    #[arg(long, hide = true, value_name = "PID")]
    pub(crate) supervised_by: Option<i32>,
}

/// Runs the stand-in until it is stopped; exit code 0 however it ends, 1 when it could not start.
#[must_use]
pub fn run(options: &Options) -> ExitCode {
    let result = if options.supervise { supervisor::run(options) } else { daemon::run(options) };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("netifyd (stand-in): {error}");
            ExitCode::FAILURE
        }
    }
}

/// An error with the subject it is about.
pub(crate) fn about(subject: &str, path: &std::path::Path) -> impl FnOnce(io::Error) -> io::Error {
    let context = format!("{subject} {}", path.display());
    move |error| io::Error::new(error.kind(), format!("{context}: {error}"))
}
