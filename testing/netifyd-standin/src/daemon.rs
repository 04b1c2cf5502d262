//! The daemon: sets itself up in netifyd's order, then lives on signals.

use std::io::{self, Read};
use std::sync::Arc;
use std::thread;

use rustix::process::{Pid, Signal, getpid, getppid, kill_process, set_parent_process_death_signal};
use serde_json::json;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::Signals;

use crate::cli::Options;
use crate::control;
use crate::event_log::EventLog;
use crate::reload::Reloader;
use crate::run_files;

/// Runs until TERM or INT.
pub(crate) fn run(options: &Options) -> io::Result<()> {
    let log = EventLog::open(options)?;
    // Before the PID file exists: whoever reads it may signal at once, and HUP would kill.
    let mut signals = Signals::new([SIGHUP, SIGUSR1, SIGUSR2, SIGTERM, SIGINT])?;
    let listener = run_files::bind(options)?;
    run_files::write_status(options, 0)?;
    run_files::write_pid(options)?;
    if let Some(account) = options.user {
        account.assume()?;
    }
    if let Some(parent) = options.supervised_by {
        follow(parent)?;
    }
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    log.write("started", json!({ "uid": uid, "gid": gid, "behavior": options.behavior.to_string() }));

    let (reloader, queue) = Reloader::new(options, log);
    let reloader = Arc::new(reloader);
    reloader.load("start");
    let worker = Arc::clone(&reloader);
    thread::spawn(move || worker.work(&queue));
    if let Some(listener) = listener {
        control::serve(listener, &reloader);
    }
    // The supervisor's children have no standard input of their own.
    if options.until_eof && options.supervised_by.is_none() {
        stop_at_eof();
    }
    reloader.log.ready();

    for signal in signals.forever() {
        match signal {
            SIGHUP => {
                let step = reloader.request("signal", false);
                reloader.queue(step, "signal", false);
            }
            SIGTERM | SIGINT => break,
            other => reloader.log.write("signal", json!({ "signal": name(other) })),
        }
    }
    let left = run_files::remove(options);
    reloader.log.write("stopped", json!({ "left_behind": left }));
    Ok(())
}

/// Ends with the supervisor, however that ends. After the change of user, which clears the setting.
fn follow(parent: i32) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::TERM))?;
    if getppid().map(Pid::as_raw_pid) == Some(parent) {
        return Ok(());
    }
    Err(io::Error::other("the supervisor has ended"))
}

/// Sends TERM to this process when standard input ends.
pub(crate) fn stop_at_eof() {
    thread::spawn(|| {
        let _ = io::copy(&mut io::stdin().lock().by_ref(), &mut io::sink());
        let _ = kill_process(getpid(), Signal::TERM);
    });
}

/// The name of a signal as netifyd's manual writes it.
pub(crate) fn name(signal: i32) -> &'static str {
    match signal {
        SIGHUP => "HUP",
        SIGUSR1 => "USR1",
        SIGUSR2 => "USR2",
        SIGTERM => "TERM",
        SIGINT => "INT",
        _ => "other",
    }
}
