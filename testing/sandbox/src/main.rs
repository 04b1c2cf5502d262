//! `sandbox`: the daemon at work, on one screen and within half a minute.
//!
//! A hub emulator, a stand-in for netifyd and the real `netify-licensed` live in a temporary directory, with licenses
//! of twelve seconds. Three acts: a renewal ahead of the expiry, an outage of the hub, a license file that somebody
//! edits. Every claim is checked against what the others saw: the hub's request log, netifyd's loads, status.json and
//! the bytes on disk. Exit code 0 only if all of them hold; nothing is left behind.

mod facts;
mod keep;
mod program;
mod stage;
mod story;
mod timeline;
mod watch;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use stage::Stage;
use story::{End, Story};
use timeline::{Timeline, plain};

/// Shows netify-licensed at work: renewal, outage, tampering. Takes about 25 seconds and leaves nothing behind.
///
/// Exit code: 0 if everything happened as it should, 1 if not, 130 after Ctrl-C.
#[derive(Debug, Parser)]
#[command(name = "sandbox")]
struct Options {
    /// Keep everything running afterwards and print commands to try
    #[arg(long)]
    keep: bool,
    /// Put this netify-licensed on stage instead of this checkout's
    #[arg(long, value_name = "FILE")]
    daemon: Option<PathBuf>,
    /// How netifyd takes its reloads, such as ok, slow:500 or die-once
    #[arg(long, value_name = "SCRIPT", default_value = "ok", value_parser = script)]
    netifyd: String,
}

fn script(text: &str) -> Result<String, String> {
    netifyd_standin::behavior::Script::parse(text).map(|_| text.to_owned())
}

fn main() -> ExitCode {
    let options = Options::parse();
    let timeline = Timeline::new();
    match play(&options, &timeline) {
        Ok(()) => ExitCode::SUCCESS,
        Err(End::Stopped(signal)) => {
            plain("stopped; nothing was left behind");
            ExitCode::from(u8::try_from(128 + signal).unwrap_or(1))
        }
        Err(End::Failed(why)) => {
            timeline.failed(&why);
            ExitCode::FAILURE
        }
    }
}

fn play(options: &Options, timeline: &Timeline) -> Result<(), End> {
    let daemon = program::find(options.daemon.as_deref())?;
    // Until here a signal ends the sandbox as any program: there is nothing to tidy up yet.
    let (happenings, inbox) = watch::channel()?;
    let mut stage = Stage::set(&daemon, &options.netifyd, happenings)?;
    let mut story = Story::new(&stage, inbox, timeline);
    story.tell()?;
    if options.keep {
        return keep::keep(&mut story);
    }
    drop(story);
    stage.close(timeline)
}
