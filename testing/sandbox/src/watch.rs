//! What happens on stage, from four sources in one queue.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel as queue};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use hub_emulator::{Endpoint, HubEmulator, LoggedRequest};
use netifyd_standin::{Event, Standin};
use serde_json::Value;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;
use test_support::Proc;

/// How long a watcher waits for news before it looks whether it is still wanted.
const NAP: Duration = Duration::from_millis(200);

/// Something that happened.
#[derive(Debug)]
pub(crate) enum Happening {
    /// The hub answered a request, or let it drop.
    Asked(LoggedRequest),
    /// netifyd reported something.
    Netifyd(Event),
    /// The daemon logged something.
    Log(LogLine),
    /// The daemon ended.
    Ended,
    /// Somebody wants the sandbox to end, with this signal.
    Stop(i32),
}

/// One line of the daemon's log.
#[derive(Debug, Clone)]
pub(crate) struct LogLine {
    /// `INFO`, `WARN`, …; `ERROR` for what is no log line at all, such as a panic.
    pub(crate) level: String,
    /// The message.
    pub(crate) message: String,
    /// The license's state, as the line's field `state` has it.
    pub(crate) state: String,
}

impl LogLine {
    fn parse(line: &str) -> Self {
        let json: Value = serde_json::from_str(line).unwrap_or_default();
        let member = |name: &str| json.get(name).and_then(Value::as_str).map(str::to_owned);
        Self {
            level: member("level").unwrap_or_else(|| "ERROR".to_owned()),
            message: member("message").unwrap_or_else(|| line.to_owned()),
            state: member("state").unwrap_or_default(),
        }
    }
}

/// The queue; signals arrive on it from now on.
pub(crate) fn channel() -> io::Result<(Sender<Happening>, Receiver<Happening>)> {
    let (sender, receiver) = queue();
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP, SIGQUIT])?;
    let stops = sender.clone();
    thread::spawn(move || {
        for signal in signals.forever() {
            // Nobody listens any more while everything is being put away.
            let _ = stops.send(Happening::Stop(signal));
        }
    });
    Ok((sender, receiver))
}

/// The threads that watch; they end with this.
#[derive(Debug, Default)]
pub(crate) struct Watchers {
    enough: Arc<AtomicBool>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Watchers {
    fn spawn(&self, work: impl FnOnce(&AtomicBool) + Send + 'static) {
        let enough = Arc::clone(&self.enough);
        let thread = thread::spawn(move || work(&enough));
        self.threads.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(thread);
    }

    /// Reports every request once it has been answered.
    pub(crate) fn hub(&self, hub: Arc<HubEmulator>, sender: Sender<Happening>) {
        self.spawn(move |enough| {
            let (mut answered, mut last) = (0, None);
            while !enough.load(Ordering::Relaxed) {
                if hub.count(Endpoint::Any) < answered {
                    answered = 0; // Somebody cleared the log through the emulator's controls.
                }
                if !hub.wait_for_answers(Endpoint::Any, answered + 1, NAP) {
                    continue;
                }
                let known = last;
                for request in hub.requests().into_iter().filter(|request| request.done && Some(request.number) > known)
                {
                    last = Some(request.number);
                    answered += 1;
                    if sender.send(Happening::Asked(request)).is_err() {
                        return;
                    }
                }
            }
        });
    }

    /// Reports netifyd's events.
    pub(crate) fn netifyd(&self, netifyd: Arc<Standin>, sender: Sender<Happening>) {
        self.spawn(move |enough| {
            let mut seen = 0;
            while !enough.load(Ordering::Relaxed) {
                match netifyd.wait_for_since(seen, "news", NAP, |_| true) {
                    Ok(event) => {
                        seen += 1;
                        if sender.send(Happening::Netifyd(event)).is_err() {
                            return;
                        }
                    }
                    Err(error) if error.kind() == io::ErrorKind::TimedOut => {}
                    Err(_) => return,
                }
            }
        });
    }

    /// Reports the daemon's log lines, and its end.
    pub(crate) fn daemon(&self, daemon: Arc<Proc>, sender: Sender<Happening>) {
        self.spawn(move |enough| {
            let mut seen = 0;
            while !enough.load(Ordering::Relaxed) {
                let news = daemon.wait_for_lines(
                    |lines| lines.get(seen..).filter(|news| !news.is_empty()).map(<[_]>::to_vec),
                    NAP,
                    "news",
                );
                match news {
                    Ok(lines) => {
                        seen += lines.len();
                        for line in lines {
                            if sender.send(Happening::Log(LogLine::parse(&line.text))).is_err() {
                                return;
                            }
                        }
                    }
                    Err(error) if error.kind() == io::ErrorKind::TimedOut => {}
                    Err(_) => {
                        let _ = sender.send(Happening::Ended);
                        return;
                    }
                }
            }
        });
    }

    /// Ends the watching.
    pub(crate) fn stop(&self) {
        self.enough.store(true, Ordering::Relaxed);
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        for thread in threads {
            // A watcher that panicked has nothing more to say.
            let _ = thread.join();
        }
    }
}
