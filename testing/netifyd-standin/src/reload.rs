//! From a reload request to what the script makes of it.

use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Instant;
use std::{fs, thread};

use serde_json::{Value, json};

use crate::behavior::{Script, Step};
use crate::cli::Options;
use crate::event_log::EventLog;
use crate::license::{self, Loaded};
use crate::{lock, run_files};

/// The stand-in's state, shared by its threads.
#[derive(Debug)]
pub(crate) struct Reloader {
    options: Options,
    pub(crate) log: EventLog,
    scripted: Mutex<Scripted>,
    state: Mutex<State>,
    messages: mpsc::Sender<Message>,
    /// A byte is written here after each message.
    wake: UnixStream,
}

#[derive(Debug)]
struct Scripted {
    script: Script,
    /// The behavior file's content as last read or written: only a change by others is news.
    seen: String,
}

#[derive(Debug)]
struct State {
    since: Instant,
    loaded: Option<Loaded>,
}

/// What the thread that does everything is told.
#[derive(Debug)]
pub(crate) enum Message {
    Reload(Accepted),
    /// TERM or INT.
    Stop,
}

/// A reload that was not turned down.
#[derive(Debug)]
pub(crate) struct Accepted {
    step: Step,
    by: &'static str,
    restart: bool,
    /// The end of a client that [`Step::Hang`] leaves without an answer.
    until: Option<mpsc::Receiver<()>>,
}

impl Reloader {
    /// Also returns the queue of messages, and what is readable while one waits.
    pub(crate) fn new(options: &Options, log: EventLog) -> io::Result<(Self, mpsc::Receiver<Message>, UnixStream)> {
        let (messages, queue) = mpsc::channel();
        let (wake, woken) = UnixStream::pair()?;
        let scripted = Scripted { script: options.behavior.clone(), seen: String::new() };
        let state = State { since: Instant::now(), loaded: None };
        let (scripted, state) = (Mutex::new(scripted), Mutex::new(state));
        Ok((Self { options: options.clone(), log, scripted, state, messages, wake }, queue, woken))
    }

    /// Loads the license now, for the reason `by`, and reports it.
    pub(crate) fn load(&self, by: &str) {
        match license::load(&self.options.license) {
            Ok(loaded) => {
                let mut fields = loaded.to_json();
                fields["by"] = by.into();
                let mut state = lock(&self.state);
                state.loaded = Some(loaded);
                drop(state);
                self.log.write("loaded", fields);
            }
            Err(error) => self.log.write("load-failed", json!({ "error": error, "by": by })),
        }
    }

    /// Seconds since the start, or since the last restart.
    pub(crate) fn uptime(&self) -> u64 {
        lock(&self.state).since.elapsed().as_secs()
    }

    /// Whether replies are spread over lines.
    pub(crate) const fn is_debug(&self) -> bool {
        self.options.debug
    }

    /// Takes the next step of the script for a reload request and reports both.
    pub(crate) fn request(&self, by: &'static str, restart: bool) -> Step {
        let mut scripted = lock(&self.scripted);
        self.refresh(&mut scripted);
        let step = scripted.script.take();
        self.write_back(&mut scripted);
        let name = if restart { "restart-requested" } else { "reload-requested" };
        self.log.write(name, json!({ "by": by, "behavior": step.to_string() }));
        match step {
            Step::Refuse(code) => self.log.write("refused", json!({ "by": by, "code": code })),
            Step::Hang | Step::Forget | Step::Garbage | Step::Cut => {
                self.log.write("ignored", json!({ "by": by, "behavior": step.to_string() }));
            }
            Step::Ok | Step::Slow(_) | Step::Stuck | Step::Die | Step::DieLater(_) => {}
        }
        step
    }

    /// Queues what `step` still has to do.
    pub(crate) fn queue(&self, step: Step, by: &'static str, restart: bool) {
        // Without a client to wait for, what hangs is stuck.
        let step = if step == Step::Hang { Step::Stuck } else { step };
        if matches!(step, Step::Ok | Step::Slow(_) | Step::Stuck | Step::Die | Step::DieLater(_)) {
            self.send(Message::Reload(Accepted { step, by, restart, until: None }));
        }
    }

    /// Queues a reload that does nothing until the other end of this channel is gone.
    pub(crate) fn block(&self, until: mpsc::Receiver<()>) {
        let accepted = Accepted { step: Step::Hang, by: "socket", restart: false, until: Some(until) };
        self.send(Message::Reload(accepted));
    }

    pub(crate) fn send(&self, message: Message) {
        // Both ends live as long as the process.
        let _ = self.messages.send(message);
        let _ = (&self.wake).write_all(&[0]);
    }

    /// Carries out a queued reload. Until this returns, nobody is served.
    pub(crate) fn carry_out(self: &Arc<Self>, accepted: Accepted) {
        let Accepted { step, by, restart, until } = accepted;
        match step {
            Step::Die => self.die("on reload"),
            Step::Slow(wait) => thread::sleep(wait),
            Step::Stuck => loop {
                thread::park();
            },
            Step::Hang => {
                // The client's end is what is waited for, and nothing is ever sent.
                let _ = until.map(|until| until.recv());
                return;
            }
            _ => {}
        }
        if restart {
            let mut state = lock(&self.state);
            (state.since, state.loaded) = (Instant::now(), None);
        }
        self.load(by);
        if let Step::DieLater(wait) = step {
            let doomed = Arc::clone(self);
            thread::spawn(move || {
                thread::sleep(wait);
                doomed.die("after a reload")
            });
        }
    }

    /// The data of a `status` reply: netifyd's members, and nothing about licenses.
    pub(crate) fn status(&self) -> Value {
        let mut data = run_files::agent_status(self.uptime());
        data["agent_version"] = format!("Netify Agent/v{} (stand-in)", run_files::VERSION).into();
        data
    }

    fn die(&self, why: &str) -> ! {
        self.log.write("dying", json!({ "why": why }));
        // As netifyd: a reload that fails ends it like any other stop, with 0.
        std::process::exit(0)
    }

    fn file(&self) -> Option<&PathBuf> {
        self.options.behavior_file.as_ref()
    }

    /// Adopts the behavior file when somebody else has changed it. An empty file says nothing.
    fn refresh(&self, scripted: &mut Scripted) {
        let Some(Ok(text)) = self.file().map(fs::read_to_string) else {
            return;
        };
        if text == scripted.seen || text.trim().is_empty() {
            return;
        }
        match Script::parse(text.trim()) {
            Ok(script) => scripted.script = script,
            Err(error) => self.log.write("behavior-invalid", json!({ "error": error })),
        }
        scripted.seen = text;
    }

    /// Leaves what is left of the script to a successor.
    fn write_back(&self, scripted: &mut Scripted) {
        let Some(path) = self.file() else { return };
        let text = format!("{}\n", scripted.script);
        if text == scripted.seen {
            return;
        }
        match run_files::replace(path, &text) {
            Ok(()) => scripted.seen = text,
            Err(error) => {
                let error = format!("cannot write back {}: {error}", path.display());
                self.log.write("problem", json!({ "error": error }));
            }
        }
    }
}
