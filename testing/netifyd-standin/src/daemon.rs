//! The daemon: sets itself up in netifyd's order, then one thread takes signals and another one does everything else.

use std::io::{self, Read};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, Signal as Taken};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, getpid, getppid, kill_process, set_parent_process_death_signal};
use serde_json::json;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2};

use crate::cli::Options;
use crate::control;
use crate::event_log::EventLog;
use crate::reload::{Message, Reloader};
use crate::run_files;

/// Runs until TERM or INT.
pub(crate) fn run(options: &Options) -> io::Result<()> {
    let log = EventLog::open(options)?;
    // Before the PID file exists: whoever reads it may signal at once, and HUP would kill. All threads inherit this.
    SigSet::all().thread_block()?;
    run_files::refuse_a_second(options)?;
    run_files::write_pid(options)?;
    run_files::prepare_status(options)?;
    if let Some(account) = options.user {
        account.assume()?;
    }
    if let Some(parent) = options.supervised_by {
        follow(parent)?;
    }
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    log.write("started", json!({ "uid": uid, "gid": gid, "behavior": options.behavior.to_string() }));

    let (reloader, queue, wake) = Reloader::new(options, log)?;
    let reloader = Arc::new(reloader);
    let instance = Instance { options: options.clone(), reloader: Arc::clone(&reloader), queue, wake };
    thread::spawn(move || instance.run());
    // The supervisor's children have no standard input of their own.
    if options.until_eof && options.supervised_by.is_none() {
        stop_at_eof();
    }
    loop {
        match SigSet::all().wait()? {
            Taken::SIGHUP => {
                let step = reloader.request("signal", false);
                reloader.queue(step, "signal", false);
            }
            Taken::SIGTERM | Taken::SIGINT => reloader.send(Message::Stop),
            other => reloader.log.write("signal", json!({ "signal": name(other as i32) })),
        }
    }
}

/// The thread that accepts connections, reloads, writes status.json, and stops.
struct Instance {
    options: Options,
    reloader: Arc<Reloader>,
    queue: mpsc::Receiver<Message>,
    /// Readable while a message waits.
    wake: UnixStream,
}

impl Instance {
    fn run(self) {
        if let Err(error) = self.live() {
            eprintln!("netifyd (stand-in): {error}");
            std::process::exit(1);
        }
        let left = run_files::remove(&self.options);
        self.reloader.log.write("stopped", json!({ "left_behind": left }));
        std::process::exit(0);
    }

    fn live(&self) -> io::Result<()> {
        self.reloader.load("start");
        thread::sleep(Duration::from_millis(self.options.capture_delay));
        self.write_status();
        let listener = run_files::bind(&self.options)?;
        self.reloader.log.ready();
        let interval = Duration::from_millis(self.options.update_interval);
        let mut next_status = Instant::now() + interval;
        let mut ends = None;
        loop {
            let now = Instant::now();
            if ends.is_some_and(|at| at <= now) {
                self.write_status();
                return Ok(());
            }
            let until = ends.map_or(next_status, |at: Instant| at.min(next_status));
            match self.wait(listener.as_ref(), until.saturating_duration_since(now))? {
                Woken::Message => match self.queue.recv() {
                    Ok(Message::Stop) => ends = Some(Instant::now() + Duration::from_millis(self.options.stop_delay)),
                    Ok(Message::Reload(accepted)) => self.reloader.carry_out(accepted),
                    Err(_) => return Ok(()),
                },
                Woken::Client(connection) => control::serve(connection, &self.reloader),
                Woken::Time => {
                    if next_status <= Instant::now() {
                        self.write_status();
                        next_status += interval;
                    }
                }
            }
        }
    }

    /// One event, messages first.
    fn wait(&self, listener: Option<&UnixListener>, time: Duration) -> io::Result<Woken> {
        let mut polled = vec![PollFd::new(&self.wake, PollFlags::IN)];
        polled.extend(listener.map(|listener| PollFd::new(listener, PollFlags::IN)));
        let time = Timespec::try_from(time).map_err(io::Error::other)?;
        poll(&mut polled, Some(&time))?;
        let ready: Vec<bool> = polled.iter().map(|fd| fd.revents().contains(PollFlags::IN)).collect();
        if ready[0] {
            (&self.wake).read_exact(&mut [0])?;
            return Ok(Woken::Message);
        }
        match listener.filter(|_| ready.get(1) == Some(&true)) {
            Some(listener) => Ok(Woken::Client(listener.accept()?.0)),
            None => Ok(Woken::Time),
        }
    }

    fn write_status(&self) {
        if let Err(error) = run_files::write_status(&self.options, self.reloader.uptime()) {
            self.reloader.log.write("problem", json!({ "error": error.to_string() }));
        }
    }
}

enum Woken {
    Message,
    Client(UnixStream),
    Time,
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
