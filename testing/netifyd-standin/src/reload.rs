//! From a reload request to what the script makes of it.

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
    accepted: mpsc::Sender<Accepted>,
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
    loads: u64,
}

/// A reload that was not turned down.
#[derive(Debug)]
pub(crate) struct Accepted {
    step: Step,
    by: &'static str,
    restart: bool,
}

impl Reloader {
    /// Also returns the queue that [`Reloader::work`] takes.
    pub(crate) fn new(options: &Options, log: EventLog) -> (Self, mpsc::Receiver<Accepted>) {
        let (accepted, queue) = mpsc::channel();
        let scripted = Scripted { script: options.behavior.clone(), seen: String::new() };
        let state = State { since: Instant::now(), loaded: None, loads: 0 };
        let (scripted, state) = (Mutex::new(scripted), Mutex::new(state));
        (Self { options: options.clone(), log, scripted, state, accepted }, queue)
    }

    /// Loads the license now, for the reason `by`, and reports it.
    pub(crate) fn load(&self, by: &str) {
        match license::load(&self.options.license) {
            Ok(loaded) => {
                let mut fields = loaded.to_json();
                fields["by"] = by.into();
                let mut state = lock(&self.state);
                state.loaded = Some(loaded);
                state.loads += 1;
                drop(state);
                self.log.write("loaded", fields);
            }
            Err(error) => self.log.write("load-failed", json!({ "error": error, "by": by })),
        }
        let uptime = lock(&self.state).since.elapsed().as_secs();
        if let Err(error) = run_files::write_status(&self.options, uptime) {
            self.log.write("problem", json!({ "error": error.to_string() }));
        }
    }

    /// What the next reload will meet.
    pub(crate) fn next_step(&self) -> Step {
        let mut scripted = lock(&self.scripted);
        self.refresh(&mut scripted);
        scripted.script.peek()
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
            Step::Ok | Step::Slow(_) | Step::Die | Step::DieLater(_) => {}
        }
        step
    }

    /// Queues what `step` still has to do: netifyd, too, answers before it reloads.
    pub(crate) fn queue(&self, step: Step, by: &'static str, restart: bool) {
        if matches!(step, Step::Ok | Step::Slow(_) | Step::Die | Step::DieLater(_)) {
            // The queue lives as long as the process.
            let _ = self.accepted.send(Accepted { step, by, restart });
        }
    }

    /// Carries out the queued reloads, one after the other, until the process ends.
    pub(crate) fn work(self: &Arc<Self>, queue: &mpsc::Receiver<Accepted>) {
        for Accepted { step, by, restart } in queue {
            match step {
                Step::Die => self.die("on reload"),
                Step::Slow(wait) => thread::sleep(wait),
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
    }

    /// The data of a `status` reply.
    pub(crate) fn status(&self) -> Value {
        let state = lock(&self.state);
        json!({
            "pid": std::process::id(),
            "uptime": state.since.elapsed().as_secs(),
            "license_manager": true,
            "loads": state.loads,
            "license": state.loaded.as_ref().map(Loaded::to_json),
        })
    }

    fn die(&self, why: &str) -> ! {
        self.log.write("dying", json!({ "why": why }));
        std::process::exit(1)
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
