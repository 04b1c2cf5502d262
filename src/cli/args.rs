//! The one definition of commands and flags: help texts, manual page and completions come from it.

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::core::hub::filter::Order;
use crate::core::hub::request::Format;
use crate::core::license::document::Serial;

/// License daemon for the Netify Agent: verifies the license, renews it ahead of expiry, installs it atomically and has
/// netifyd reload it.
#[derive(Debug, Parser)]
#[command(
    name = "netify-licensed",
    version,
    max_term_width = 100,
    after_help = "Exit codes: 0 done, or license valid; 1 operation failed; 2 usage; 3 license not usable; 4 license expired; \
5 refused by the hub; 6 installed, but netifyd's reload is not confirmed; 78 configuration error.\n\n\
Examples:\n  netify-licensed verify\n  netify-licensed renew\n  netify-licensed status\n  netify-licensed --config ./test.toml config check"
)]
pub struct Cli {
    /// Configuration file [default: /etc/netify-licensed/config.toml]
    #[arg(long, short = 'c', global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the daemon in the foreground
    ///
    /// Signals: HUP reads the configuration and the license again, USR1 renews now, TERM and INT stop.
    #[command(after_help = "Example:\n  netify-licensed run")]
    Run,
    /// Verify the installed license or FILE, offline
    ///
    /// Judges shape, signature, device and dates, in this order, and says what does not hold.
    /// Exit code: 0 valid or unchecked, 4 expired, 3 any other state.
    #[command(
        after_help = "Examples:\n  netify-licensed verify\n  netify-licensed verify /tmp/license.json\n  curl -s URL | netify-licensed verify -"
    )]
    Verify {
        /// A license file, or - for standard input [default: the installed license]
        file: Option<PathBuf>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Renew now, due or not, and wait for the outcome
    ///
    /// Asks the running daemon through its control socket; without a daemon it does the same itself, under the same lock.
    #[command(
        after_help = "Examples:\n  netify-licensed renew\n  netify-licensed renew --if-due\n  netify-licensed renew --dry-run\n  netify-licensed renew --accept-changes"
    )]
    Renew {
        /// Do nothing while the license is not due
        #[arg(long)]
        if_due: bool,
        /// Ask the hub what it has, but change nothing
        #[arg(long)]
        dry_run: bool,
        /// Also take a license that entitles to less or to something else, or that ends earlier
        #[arg(long)]
        accept_changes: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Verify FILE, install it as a renewal would be installed, and reload netifyd
    #[command(
        after_help = "Examples:\n  netify-licensed install /media/usb/license.json\n  netify-licensed install --force older.json"
    )]
    Install {
        /// A license file, or - for standard input
        file: PathBuf,
        /// Allow an older or different license; never a bad signature or a wrong device
        #[arg(long)]
        force: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Carry out one order of the daemon, read from standard input (for netify-licensed-install@.service)
    #[command(hide = true)]
    Place,
    /// Show the daemon's state, or the state on disk when none runs
    #[command(
        after_help = "Examples:\n  netify-licensed status\n  netify-licensed status --json\n  netify-licensed status --format openmetrics\n  netify-licensed status --alive"
    )]
    Status {
        /// Print JSON; short for --format json
        #[arg(long, conflicts_with = "format")]
        json: bool,
        /// How to print it
        #[arg(long, value_enum, default_value = "text")]
        format: StatusFormat,
        /// Ask only whether the daemon answers within 5 seconds: exit code 0, else 1, whatever the license is
        ///
        /// For liveness probes. A user who may not ask the daemon is told by its heartbeat file.
        #[arg(long, conflicts_with = "format")]
        alive: bool,
    },
    /// Have the daemon read configuration, keys and license again, and wait for what comes of it
    ///
    /// Exit code: 0, or 78 when the configuration has a mistake; then the old one stays in force.
    #[command(after_help = "Example:\n  netify-licensed reload")]
    Reload {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Monitoring plugin: one line, performance data, exit code 0 to 3
    ///
    /// Exit code: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.
    #[command(
        after_help = "Examples:\n  netify-licensed check --warning 2 --critical 1\n  netify-licensed check -w 2 -c 1"
    )]
    Check {
        /// Days before the expiry at which to warn
        #[arg(long, short = 'w', value_name = "DAYS", default_value_t = 1.5, value_parser = days, allow_negative_numbers = true)]
        warning: f64,
        /// Days before the expiry at which it is critical
        #[arg(long, short = 'c', value_name = "DAYS", default_value_t = 0.75, value_parser = days, allow_negative_numbers = true)]
        critical: f64,
        // The id of the flag that all commands have: here its short form is a plugin's usual one for --critical.
        /// Configuration file; before the command also -c
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Find out what does not work, from the device to the hub
    ///
    /// Tries every step by itself, even after one that failed: configuration, keys, device id, clock, name, proxy, TCP, TLS,
    /// HTTP, authentication, this device's license at the hub, netifyd, service manager, rights, space and the installed
    /// license. Changes nothing. Exit code: that of the first step that failed.
    #[command(after_help = "Examples:\n  netify-licensed doctor\n  netify-licensed doctor --bundle support.tar")]
    Doctor {
        /// Write these results, configuration, status and last log lines into a tar file, without secrets
        #[arg(long, value_name = "FILE")]
        bundle: Option<PathBuf>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print this device's id
    #[command(
        after_help = "Examples:\n  netify-licensed duid\n  netify-licensed duid --all\n  netify-licensed duid --repin"
    )]
    Duid {
        /// Show every source, its value, which one wins and why
        #[arg(long)]
        all: bool,
        /// Choose the id anew and keep it: the first usable source of today
        #[arg(long, conflicts_with = "all")]
        repin: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Create a license for this device and install it
    ///
    /// As [provision] of the configuration says. A license that the hub already has for this device is installed instead.
    #[command(after_help = "Example:\n  netify-licensed provision")]
    Provision {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Delete this device's license at the hub, then remove the file
    #[command(after_help = "Example:\n  netify-licensed retire --keep-file")]
    Retire {
        /// Leave the license file in place
        #[arg(long)]
        keep_file: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// The Licensing API's endpoints as they are, for integrators
    #[command(subcommand)]
    Hub(Hub),
    /// Validate or show the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
}

/// Formats of `status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StatusFormat {
    /// One screen.
    Text,
    /// The status document.
    Json,
    /// `OpenMetrics` 1.0.
    Openmetrics,
}

/// Formats of the hub's licenses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum HubFormat {
    /// What netifyd reads.
    Netifyd,
    /// Structured metadata.
    Object,
}

impl From<HubFormat> for Format {
    fn from(format: HubFormat) -> Self {
        match format {
            HubFormat::Netifyd => Self::Netifyd,
            HubFormat::Object => Self::Object,
        }
    }
}

/// Orders of `hub list`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SortBy {
    /// Soonest expiry first.
    Expires,
    /// By serial number.
    Serial,
    /// By the name on the license.
    IssuedTo,
    /// By device.
    Duid,
}

impl From<SortBy> for Order {
    fn from(sort: SortBy) -> Self {
        match sort {
            SortBy::Expires => Self::Expires,
            SortBy::Serial => Self::Serial,
            SortBy::IssuedTo => Self::IssuedTo,
            SortBy::Duid => Self::Duid,
        }
    }
}

/// How an answer is printed.
#[derive(Debug, Clone, Copy, Args)]
pub struct Output {
    /// Format to ask the hub for
    #[arg(long, value_enum, default_value = "netifyd")]
    pub format: HubFormat,
    /// Print the hub's data as received
    #[arg(long)]
    pub json: bool,
}

/// "nan" and "inf" are numbers to whoever parses them.
fn days(text: &str) -> Result<f64, &'static str> {
    let days = text.parse().ok().filter(|days: &f64| days.is_finite() && *days >= 0.0);
    days.ok_or("not a number of days from 0")
}

/// How long a license shall live.
#[derive(Debug, Clone, Args)]
pub struct Term {
    /// Expiry date
    #[arg(long, value_name = "YYYY-MM-DD", conflicts_with = "duration_days")]
    pub expire_at: Option<String>,
    /// Days from today; the longest that the key allows, otherwise
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u16).range(1..=3660))]
    pub duration_days: Option<u16>,
}

/// The endpoints.
#[derive(Debug, Subcommand)]
pub enum Hub {
    /// List the licenses of the API key
    ///
    /// As a table, soonest expiry first. As JSON, in the hub's order while they arrive, however many there are.
    #[command(
        after_help = "Examples:\n  netify-licensed hub list --expiring 7\n  netify-licensed hub list --duid 4c4c4544-0042 --json"
    )]
    List {
        /// Only licenses bound to this device
        #[arg(long, value_parser = NonEmptyStringValueParser::new())]
        duid: Option<String>,
        /// Only licenses issued to a name that contains this
        #[arg(long)]
        issued_to: Option<String>,
        /// Only licenses that end within this many days, or have ended
        #[arg(long, value_name = "DAYS")]
        expiring: Option<u16>,
        /// Only licenses that entitle to this
        #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
        entitlement: Option<String>,
        /// Order; JSON is in the hub's order otherwise
        #[arg(long, value_enum)]
        sort: Option<SortBy>,
        /// Show no more than this many
        #[arg(long, value_name = "NUMBER")]
        limit: Option<usize>,
        #[command(flatten)]
        output: Output,
    },
    /// View one license
    #[command(after_help = "Example:\n  netify-licensed hub view 2026-3638-61034042 --json > license.json")]
    View {
        /// Serial number
        serial: Serial,
        #[command(flatten)]
        output: Output,
    },
    /// Create a license
    #[command(
        after_help = "Example:\n  netify-licensed hub create --issued-to \"Toronto Office\" --entitlement netify-proc-aggregator --duration-days 30"
    )]
    Create {
        /// Name on the license
        #[arg(long, value_parser = NonEmptyStringValueParser::new())]
        issued_to: String,
        /// What it entitles to; may be given several times
        #[arg(long = "entitlement", required = true, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
        entitlements: Vec<String>,
        /// Device to bind it to
        #[arg(long, value_parser = NonEmptyStringValueParser::new())]
        duid: Option<String>,
        /// Description to store with it
        #[arg(long)]
        description: Option<String>,
        /// Note to store with it
        #[arg(long)]
        notes: Option<String>,
        /// Whether it may be renewed
        #[arg(long, value_name = "BOOL")]
        renewable: Option<bool>,
        /// Whether it may move to another device
        #[arg(long, value_name = "BOOL")]
        transferable: Option<bool>,
        #[command(flatten)]
        term: Term,
        #[command(flatten)]
        output: Output,
    },
    /// Extend a license
    #[command(after_help = "Example:\n  netify-licensed hub renew 2026-3638-61034042 --duration-days 30")]
    Renew {
        /// Serial number
        serial: Serial,
        #[command(flatten)]
        term: Term,
        #[command(flatten)]
        output: Output,
    },
    /// Delete a license for good
    #[command(after_help = "Example:\n  netify-licensed hub delete 2026-3638-61034042")]
    Delete {
        /// Serial number, typed in full: nothing else is asked
        serial: Serial,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// Commands on the configuration.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Find mistakes: exit code 0 or 78
    #[command(after_help = "Example:\n  netify-licensed --config ./new.toml config check")]
    Check {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the commented reference: every key with its meaning and default
    #[command(after_help = "Example:\n  netify-licensed config example | less")]
    Example,
    /// Make a configuration that is refused for its owner or mode alone the last good one (for maintainer scripts)
    #[command(hide = true)]
    Keep,
    /// Print the effective configuration, secrets redacted
    #[command(after_help = "Example:\n  netify-licensed config show")]
    Show {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}
