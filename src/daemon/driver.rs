//! Carries out what the engine decides and tells it what came of it. The daemon and the commands share it.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, mpsc, oneshot};

use crate::core::config::Config;
use crate::core::control::Answer;
use crate::core::device::duid;
use crate::core::engine::{
    Action, Engine, Event, FileContent, HubRequest, IoId, Level, ReloadOutcome, ReloadReport, Reply, Request,
    RequestId, Room, Start, StateFile,
};
use crate::core::hub::response::TransportError;
use crate::core::license::keys::KeyRing;
use crate::core::license::verify::State;
use crate::core::report::configuration::ConfigurationStatus;
use crate::core::report::daemon::{DaemonStatus, Watching};
use crate::core::report::metrics;
use crate::core::report::status::Status;
use crate::core::text;
use crate::core::time::WallTime;
use crate::daemon::disk::Disk;
use crate::edge::dirs::Places;
use crate::edge::file::state::{self, Store};
use crate::edge::file::{active, license, space};
use crate::edge::helper::{Order, client as helper};
use crate::edge::hub::session::{Call, ListReader, Session};
use crate::edge::netifyd::{self, reload};
use crate::edge::{clock, device, log, process, service_manager};

/// Longest time for a hook.
const HOOK_TIMEOUT: Duration = Duration::from_secs(10);
/// Changes that a hook may be behind.
const HOOK_NEWS: usize = 16;

/// What the run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The daemon: acts by itself, publishes, logs.
    Daemon,
    /// A command: does what it was asked for.
    Command,
    /// A look at the state: writes nothing.
    Look,
}

/// The engine with its hands.
#[derive(Debug)]
pub struct Driver {
    engine: Engine,
    places: Places,
    store: Store,
    disk: Disk,
    role: Role,
    queue: VecDeque<Event>,
    sender: mpsc::UnboundedSender<Event>,
    replies: Vec<(RequestId, oneshot::Sender<Reply>)>,
    last_id: RequestId,
    device_known: bool,
    netifyd_seen: bool,
    /// Lookups of the device id that were begun, and the last one whose result was told.
    lookups: u64,
    lookup_told: Rc<Cell<u64>>,
    /// The session of the attempt that is under way.
    session: Rc<RefCell<Option<Rc<Session>>>>,
    /// The last reload, and the look after it.
    reloading: Option<tokio::task::AbortHandle>,
    /// The hook's turn, and what it has yet to be told.
    hook_turn: Rc<Mutex<()>>,
    hook_news: Rc<RefCell<VecDeque<Status>>>,
    /// Reports that could not be written, each with the reason: said once, not at every change of the status.
    unpublished: Vec<(&'static str, String)>,
    configuration: ConfigurationStatus,
    watching: DaemonStatus,
    /// Lines that the log had lost when the reports were last written.
    lost_lines: u64,
    /// What keeps the privileged helper from its work: one sentence.
    helper_trouble: Option<String>,
    /// What the helper last read of the license.
    last_read: LastRead,
}

impl Driver {
    /// Reads what is remembered and begins. Results of what takes time arrive on the returned channel.
    #[must_use]
    pub fn new(config: Config, keys: KeyRing, places: Places, role: Role) -> (Self, mpsc::UnboundedReceiver<Event>) {
        let store = Store::new(&places);
        if role != Role::Look {
            store.sweep();
            if places.installer.is_none() {
                license::sweep(config.license.path.as_path());
            }
        }
        let (durable, durable_trouble) = store.durable();
        let (volatile, volatile_trouble) = store.volatile();
        let (sender, receiver) = mpsc::unbounded_channel();
        let start = Start {
            config,
            keys,
            durable,
            memory_lost: durable_trouble.is_some(),
            volatile,
            kept: store.kept(),
            boot_id: clock::boot_id(),
            daemon: role == Role::Daemon,
            // The DMI id is root's to read.
            machine: places.helper.as_deref().map_or_else(device::machine, helper::machine),
        };
        let (engine, actions) = Engine::new(start, clock::moment());
        let mut driver = Self {
            engine,
            places,
            store,
            disk: Disk::default(),
            role,
            queue: VecDeque::new(),
            sender,
            replies: Vec::new(),
            last_id: 0,
            device_known: false,
            netifyd_seen: false,
            lookups: 0,
            lookup_told: Rc::default(),
            session: Rc::default(),
            reloading: None,
            hook_turn: Rc::default(),
            hook_news: Rc::default(),
            unpublished: Vec::new(),
            configuration: ConfigurationStatus::default(),
            watching: DaemonStatus::default(),
            lost_lines: 0,
            helper_trouble: None,
            last_read: LastRead::default(),
        };
        for trouble in [durable_trouble, volatile_trouble].into_iter().flatten() {
            driver.note(Level::Warn, &trouble);
        }
        driver.queue.push_back(Event::ActiveFile(active::look(driver.engine.config().renewal.active_file.as_ref())));
        driver.perform(actions);
        driver.drain();
        (driver, receiver)
    }

    /// Looks at the file that makes this node the active one.
    pub fn look_at_role(&mut self) {
        let seen = active::look(self.engine.config().renewal.active_file.as_ref());
        self.handle(Event::ActiveFile(seen));
    }

    /// The engine, to look at.
    #[must_use]
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Whether the device id was looked up.
    #[must_use]
    pub const fn device_known(&self) -> bool {
        self.device_known
    }

    /// Whether netifyd was looked at.
    #[must_use]
    pub const fn netifyd_seen(&self) -> bool {
        self.netifyd_seen
    }

    /// Tells the engine what happened and does what it wants done.
    pub fn handle(&mut self, event: Event) {
        self.queue.push_back(event);
        self.drain();
    }

    /// A new configuration. Reports that have moved are not left behind: whoever still reads them would be deceived.
    pub fn configure(&mut self, config: Config, keys: KeyRing) {
        let before = self.reports();
        self.handle(Event::Configured(Box::new(config), keys));
        let now = self.reports();
        if before == now {
            return;
        }
        self.publish();
        for moved in before.iter().filter(|path| !now.contains(path)) {
            if let Err(error) = state::remove(moved) {
                tracing::warn!("what is no longer written stays behind: {error}");
            }
        }
    }

    /// What the status says of the configuration from now on.
    pub fn set_configuration(&mut self, configuration: ConfigurationStatus) {
        if self.configuration != configuration {
            self.configuration = configuration;
            self.perform(vec![Action::Publish]);
        }
    }

    /// What the status says of the watch from now on.
    pub fn set_watching(&mut self, watching: DaemonStatus) {
        if self.watching != watching {
            self.watching = watching;
            self.perform(vec![Action::Publish]);
        }
    }

    /// How a change of the license file is noticed.
    #[must_use]
    pub const fn watching(&self) -> Option<Watching> {
        self.watching.watch
    }

    /// Writes reports again that could not be written, and those that do not know of lines that the log lost.
    pub fn publish_again(&mut self) {
        if !self.unpublished.is_empty() || log::lost() != self.lost_lines {
            self.perform(vec![Action::Publish]);
        }
    }

    /// What the status says of the configuration.
    #[must_use]
    pub const fn configuration(&self) -> &ConfigurationStatus {
        &self.configuration
    }

    /// Files that are published.
    fn reports(&self) -> Vec<PathBuf> {
        let config = self.engine.config();
        let metrics = config.status.metrics_textfile.as_ref().map(|file| file.as_path().to_path_buf());
        [config.status_file(&self.places.runtime)].into_iter().chain(metrics).collect()
    }

    /// Asks the engine for something; the answer arrives on the returned channel.
    pub fn request(&mut self, request: Request) -> oneshot::Receiver<Reply> {
        let (sender, receiver) = oneshot::channel();
        self.last_id += 1;
        self.replies.push((self.last_id, sender));
        self.handle(Event::Request(self.last_id, request));
        receiver
    }

    /// The same for a client that may leave before: then the engine is told. A remark is added to the reply.
    pub fn request_of(&mut self, request: Request, remark: Option<String>, answer: oneshot::Sender<Answer>) {
        let reply = self.request(request);
        let (id, events) = (self.last_id, self.sender.clone());
        tokio::task::spawn_local(async move {
            let mut answer = answer;
            let reply = tokio::select! {
                reply = reply => reply,
                () = answer.closed() => {
                    // The receiver lives as long as the run.
                    let _ = events.send(Event::RequesterLeft(id));
                    return;
                }
            };
            let ended = |_| Answer::words(1, "the daemon ended before it was done");
            let mut reply = reply.map_or_else(ended, Answer::from);
            reply.message.extend(remark);
            let _ = answer.send(reply);
        });
    }

    /// The same where nobody waits for the reply.
    pub fn request_unheard(&mut self, request: Request) {
        drop(self.request(request));
        self.handle(Event::RequesterLeft(self.last_id));
    }

    /// What is left to write when the run ends.
    pub fn stop(&mut self) {
        let actions = self.engine.stop();
        self.perform(actions);
    }

    fn drain(&mut self) {
        while let Some(event) = self.queue.pop_front() {
            if !self.is_news(&event) {
                continue;
            }
            self.device_known |= matches!(event, Event::Device(_));
            self.netifyd_seen |= matches!(event, Event::Netifyd(_));
            // A report that could not be written is written as soon as there is room, not at the next change.
            let writes_again = matches!(event, Event::Poll) && !self.unpublished.is_empty();
            if writes_again {
                self.publish();
            }
            if let Event::RequesterLeft(left) = &event {
                self.replies.retain(|(id, _)| id != left);
            }
            let actions = self.engine.step(clock::moment(), event);
            self.perform(actions);
        }
        if !self.engine.has_attempt() {
            // With it go its connection, its secrets and its certificates.
            self.session.take();
        }
    }

    fn perform(&mut self, actions: Vec<Action>) {
        for action in actions {
            self.do_one(action);
        }
    }

    fn do_one(&mut self, action: Action) {
        let writes = self.role != Role::Look;
        match action {
            Action::ReadLicense => {
                let path = self.engine.config().license.path.to_path_buf();
                let (helper, last) = (self.places.helper.clone(), Arc::clone(&self.last_read));
                self.on_disk("reading the license", move || read_license(&path, helper.as_deref(), &last), Event::File);
            }
            Action::ReadDevice => {
                let (config, sender) = (self.engine.config().clone(), self.sender.clone());
                self.lookups += 1;
                let (turn, told) = (self.lookups, Rc::clone(&self.lookup_told));
                let helper = self.places.helper.clone();
                tokio::task::spawn_local(async move {
                    let readings = match helper {
                        Some(socket) => device::readings_by(&config, &socket).await,
                        None => device::readings(&config, false).await,
                    };
                    // One that took longer than the one after it is of a configuration before.
                    if told.get() < turn {
                        told.set(turn);
                        // The receiver lives as long as the run.
                        let _ = sender.send(Event::Device(duid::judge(&readings)));
                    }
                });
            }
            Action::Ask(io, request) => self.ask(io, &request),
            // What still opens one for the request before holds the old cell.
            Action::CloseSession => self.session = Rc::default(),
            Action::Install { license, modified } if writes => {
                let (path, socket) = (self.engine.config().license.path.to_path_buf(), self.places.installer.clone());
                let modified = modified.map(WallTime::unix);
                let install = move || match &socket {
                    Some(socket) => {
                        helper::order(socket, &Order::Install { bytes: license.bytes().to_vec(), modified })
                    }
                    None => license::install(&path, &license, modified),
                };
                self.on_disk("installing the license", install, Event::Installed);
            }
            Action::ProbeLicense { bytes } => {
                let path = self.engine.config().license.path.as_path();
                // The installer's service may write where this process may not.
                let room =
                    if self.places.installer.is_some() { Room::Unknown } else { space::room(path, bytes as u64) };
                self.queue.push_back(Event::Probed(room));
            }
            Action::Remove { keep_file } if writes => {
                let (path, socket) = (self.engine.config().license.path.to_path_buf(), self.places.installer.clone());
                let store = self.store.clone();
                let remove = move || {
                    store.forget_kept().and_then(|()| match &socket {
                        _ if keep_file => Ok(()),
                        Some(socket) => helper::order(socket, &Order::Remove),
                        None => license::remove(&path),
                    })
                };
                self.on_disk("removing the license", remove, Event::Removed);
            }
            Action::Reload { serial, is_asked } if writes => {
                let (config, sender) = (self.engine.config().clone(), self.sender.clone());
                let helper = self.places.helper.clone().filter(|_| self.role == Role::Daemon);
                let disk = self.disk.clone();
                let reloading = tokio::task::spawn_local(async move {
                    // What is saved before it must be on the disk: a crash meanwhile may not forget that it is owed.
                    disk.barrier().await;
                    let report = match helper {
                        Some(socket) => reload_by(socket, &config, serial, is_asked).await,
                        None => reload::reload(&config, serial.as_deref(), is_asked).await,
                    };
                    let _ = sender.send(Event::Reloaded(report.clone()));
                    if let Some(late) = reload::watch(&config, &report).await {
                        let _ = sender.send(Event::EndedLater(late));
                    }
                });
                // A newer reload looks after netifyd from now on.
                if let Some(before) = self.reloading.replace(reloading.abort_handle()) {
                    before.abort();
                }
            }
            Action::LookAtNetifyd => {
                let (config, sender) = (self.engine.config().clone(), self.sender.clone());
                tokio::task::spawn_local(async move {
                    let _ = sender.send(Event::Netifyd(netifyd::look(&config).await));
                });
            }
            Action::Keep(license) if writes => {
                let store = self.store.clone();
                let keep = move || store.keep(license.bytes());
                self.on_disk("keeping a copy of the license", keep, |result| Event::Wrote(StateFile::Kept, result));
            }
            Action::SaveDurable(durable) if writes => {
                let store = self.store.clone();
                let save = move || store.save_durable(&durable);
                self.on_disk("writing the state", save, |result| Event::Wrote(StateFile::Memory, result));
            }
            Action::SaveVolatile(volatile) if writes => {
                if let Err(error) = self.store.save_volatile(&volatile) {
                    tracing::debug!("{error}");
                }
            }
            Action::Publish if self.role == Role::Daemon => self.publish(),
            Action::Hook if self.role == Role::Daemon => self.run_hook(),
            Action::Reply(id, reply) => {
                if let Some(at) = self.replies.iter().position(|(waiting, _)| *waiting == id) {
                    let (_, sender) = self.replies.swap_remove(at);
                    // Whoever asked may have left.
                    let _ = sender.send(reply);
                }
            }
            Action::Note(level, text) => self.note(level, &text),
            _ => {}
        }
    }

    /// Sends a request in the session of the attempt; the first one opens it.
    fn ask(&self, io: IoId, request: &HubRequest) {
        let (config, places, sender) = (self.engine.config().clone(), self.places.clone(), self.sender.clone());
        let call = Call::of(request, &config);
        let (open, sought) = (Rc::clone(&self.session), self.engine.sought());
        let disk = self.disk.clone();
        tracing::debug!("asking the hub");
        tokio::task::spawn_local(async move {
            // A limit of requests that is not on the disk yet would not hold after a crash.
            disk.barrier().await;
            let kept = open.borrow().clone();
            let session = match kept {
                Some(session) => Ok(session),
                // Certificates and secrets lie on a disk, which may be slow.
                None => match tokio::task::spawn_blocking(move || Session::open(&config, &places)).await {
                    Ok(opened) => opened.map(Rc::new),
                    Err(_) => Err(TransportError { message: "the hub could not be asked".to_owned(), local: true }),
                },
            };
            let answer = match session {
                Ok(session) => {
                    *open.borrow_mut() = Some(Rc::clone(&session));
                    if call.is_list() {
                        let reader = ListReader::bounded(move |entry| sought.is_in(entry));
                        session.list(&call, reader).await
                    } else {
                        session.send(&call).await
                    }
                }
                Err(error) => Err(error),
            };
            let _ = sender.send(Event::Answer(io, answer));
        });
    }

    /// Does what may wait for a disk, and tells the engine what came of it.
    fn on_disk<T: Send + 'static>(
        &self,
        what: &'static str,
        work: impl FnOnce() -> T + Send + 'static,
        event: impl FnOnce(T) -> Event + 'static,
    ) {
        let sender = self.sender.clone();
        // The receiver lives as long as the run.
        self.disk.run(what, work, move |result| drop(sender.send(event(result))));
    }

    /// The engine is told of changes only.
    fn is_news(&self, event: &Event) -> bool {
        match event {
            Event::Wrote(file, result) => result.as_ref().err().map(String::as_str) != self.engine.state_trouble(*file),
            _ => true,
        }
    }

    /// Reads and writes beside the event loop.
    #[must_use]
    pub const fn disk(&self) -> &Disk {
        &self.disk
    }

    /// Waits until all reads and writes have ended.
    pub async fn written(&self) {
        self.disk.idle().await;
    }

    /// Reads and writes that have not ended.
    #[must_use]
    pub fn unwritten(&self) -> Vec<&'static str> {
        self.disk.left()
    }

    /// Whether something may be over that announces itself in no way: then it is looked for each minute.
    #[must_use]
    pub fn is_restless(&self) -> bool {
        let unwritten =
            [StateFile::Kept, StateFile::Memory].iter().any(|file| self.engine.state_trouble(*file).is_some());
        let status = self.engine.status();
        let odd = status.is_none_or(|status| status.state == State::Unreadable || status.device.duid.is_none());
        unwritten || odd || !self.unpublished.is_empty()
    }

    fn publish(&mut self) {
        let Some(status) = self.status() else { return };
        self.lost_lines = status.daemon.log_lines_lost.unwrap_or(0);
        let config = self.engine.config();
        let text = text::pretty_json(&status) + "\n";
        let file = config.status_file(&self.places.runtime);
        let written = state::write(&file, text.as_bytes(), 0o644, false);
        let textfile = config.status.metrics_textfile.as_ref();
        let metrics =
            textfile.map(|file| state::replace(file.as_path(), metrics::prometheus(&status).as_bytes(), 0o644, false));
        self.published("the status", written);
        self.published("the metrics", metrics.unwrap_or(Ok(())));
        service_manager::status(&status.line());
    }

    fn published(&mut self, what: &'static str, result: Result<(), String>) {
        let before = self.unpublished.iter().position(|(known, _)| *known == what);
        let before = before.map(|at| self.unpublished.swap_remove(at).1);
        match (result, before) {
            (Ok(()), None) => {}
            (Ok(()), Some(_)) => tracing::info!("{what} can be published again"),
            (Err(error), before) => {
                if before.as_ref() != Some(&error) {
                    tracing::warn!("{what} cannot be published: {error}");
                }
                self.unpublished.push((what, error));
            }
        }
    }

    /// The status of this process.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        let mut status = self.engine.status().cloned()?;
        status.problems.extend(self.helper_trouble.clone());
        let daemon = DaemonStatus { log_lines_lost: Some(log::lost()), ..self.watching.clone() };
        let status = Status { pid: Some(std::process::id()), daemon, ..status };
        Some(status.with_configuration(&self.configuration))
    }

    /// What keeps the privileged helper from its work from now on, if anything does.
    pub fn set_helper_trouble(&mut self, trouble: Option<String>) {
        if self.helper_trouble == trouble {
            return;
        }
        match &trouble {
            Some(trouble) => self.note(Level::Warn, trouble),
            None => self.note(Level::Info, "the privileged helper can do its work again"),
        }
        self.helper_trouble = trouble;
        self.perform(vec![Action::Publish]);
    }

    fn run_hook(&self) {
        let (Some(command), Some(status)) = (self.engine.config().hooks.on_change.clone(), self.status()) else {
            return;
        };
        let mut waiting = self.hook_news.borrow_mut();
        if waiting.len() >= HOOK_NEWS {
            // A hook that is too slow for all of it hears of the last state at least.
            waiting.pop_back();
            return waiting.push_back(status);
        }
        waiting.push_back(status);
        let (turn, news) = (Rc::clone(&self.hook_turn), Rc::clone(&self.hook_news));
        tokio::task::spawn_local(async move {
            // One after the other: the last one to end has seen the last state.
            let _turn = turn.lock().await;
            let input = serde_json::to_vec(&news.borrow_mut().pop_front()).unwrap_or_default();
            match process::run(&command, &[], input, HOOK_TIMEOUT).await {
                Ok(done) if done.success => {}
                Ok(done) => {
                    tracing::warn!("hooks.on-change: {}: {} ({})", command.program(), done.status, done.last_words());
                }
                Err(error) => tracing::warn!("hooks.on-change: {error}"),
            }
        });
    }

    fn note(&self, level: Level, text: &str) {
        if self.role != Role::Daemon {
            return;
        }
        let status = self.engine.status();
        // Fields without a value are left out.
        let serial = status.and_then(|status| status.license.serial.as_deref());
        let state = status.map(|status| status.state.word());
        match level {
            Level::Error => tracing::error!(license.serial = serial, state, "{text}"),
            Level::Warn => tracing::warn!(license.serial = serial, state, "{text}"),
            Level::Info => tracing::info!(license.serial = serial, state, "{text}"),
            Level::Debug => tracing::debug!(license.serial = serial, state, "{text}"),
        }
    }

    /// The runtime and state directories.
    #[must_use]
    pub const fn places(&self) -> &Places {
        &self.places
    }

    /// The control socket of the configuration in force.
    #[must_use]
    pub fn control_socket(&self) -> PathBuf {
        self.engine.config().control_socket(&self.places.runtime)
    }
}

/// Has the privileged helper reload netifyd. A serial that is none goes no further than here.
async fn reload_by(socket: PathBuf, config: &Config, serial: Option<String>, is_asked: bool) -> ReloadReport {
    let (serial, longest) = (serial.and_then(|serial| serial.parse().ok()), config.reload.timeout.duration());
    let asked = tokio::task::spawn_blocking(move || helper::reload(&socket, serial, is_asked, longest)).await;
    asked.unwrap_or_else(|_| {
        ReloadReport::new("helper", ReloadOutcome::Failed("the reload ended without an outcome".to_owned()))
    })
}

/// What the helper last read of the license; the pool's threads share it.
type LastRead = Arc<std::sync::Mutex<Option<FileContent>>>;

/// Reads the license, by the privileged helper where this user may not. A helper that cannot be asked for a while is a
/// problem of its own, and says nothing about the license: what it read last stands.
fn read_license(path: &Path, helper: Option<&Path>, last: &LastRead) -> FileContent {
    let Some(socket) = helper.filter(|_| license::is_forbidden(path)) else { return license::read(path) };
    let read = helper::license(socket);
    match (read, last.lock()) {
        (Ok(content), Ok(mut last)) => last.insert(content).clone(),
        (Ok(content), Err(_)) => content,
        (Err(error), last) => last.ok().and_then(|last| last.clone()).unwrap_or(FileContent::Unreadable(error)),
    }
}
