//! The event loop: waits for a timer, a signal, the file, a client or finished I/O, and steps the engine.

pub mod disk;
pub mod driver;
mod helper_watch;

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::core::config::ConfigError;
use crate::core::config::last_good::LastGood;
use crate::core::control::{self, Answer, Command};
use crate::core::engine::{Event, Request};
use crate::core::license::keys::KeyRing;
use crate::core::report::configuration::ConfigurationStatus;
use crate::core::report::daemon::{DaemonStatus, Watching};
use crate::core::report::heartbeat::INTERVAL;
use crate::core::report::metrics;
use crate::core::report::status::Status;
use crate::core::time::{BootTime, MINUTE, Millis, SECOND};
use crate::daemon::driver::{Driver, Role};
use crate::daemon::helper_watch::HelperWatch;
use crate::edge::config_file::{InForce, Loaded};
use crate::edge::control::server::{self, Incoming, Server};
use crate::edge::dirs::Places;
use crate::edge::file::lock::{self, Holder, Lock, LockError};
use crate::edge::file::watch::{Change, Watch};
use crate::edge::signals::Signals;
use crate::edge::{clock, config_file, heartbeat, last_good, log, process, service_manager};
use crate::exit::Exit;

/// Longest wait for a command that holds the lock.
const LOCK_PATIENCE: Duration = Duration::from_secs(120);
/// Longest wait for the disk, a reload or a hook when all else has ended. With the log's last lines, five seconds.
const LAST_WAIT: Duration = Duration::from_millis(3_500);
/// Longest wait for the disk before a client is told that its reload is done.
const DISK_PATIENCE: Duration = Duration::from_secs(2);
/// Requests of the control socket that may wait.
const BACKLOG: usize = 8;
/// How often the loop turns by itself when nothing happens: each time it tells the watchdog.
const BEAT: Duration = Duration::from_secs(300);
/// How often it looks at the license file where the kernel does not tell of changes.
const LOOK: Duration = Duration::from_secs(5);
/// How often it looks for what announces itself in no way, while there is something to look for.
const POLL: Millis = MINUTE;
/// How often it looks at everything although the kernel tells of changes.
const SAFETY: Millis = 10 * MINUTE;
/// A timer may go off early by so much.
const EARLY: Millis = SECOND;

/// Runs until SIGTERM or SIGINT.
pub async fn run(path: Option<PathBuf>, mut signals: Signals) -> Exit {
    let places = Places::from_environment();
    let in_force = match config_file::in_force(path.as_deref(), &places.state) {
        Ok(in_force) => in_force,
        Err(error) => return Exit::config(&error),
    };
    let (config, keys) = (&in_force.config, &in_force.keys);
    log::start(&config.log);
    let lock_path = places.lock();
    let lock = tokio::select! {
        biased;
        () = signals.stop() => return Exit::done(),
        lock = lock::take_waiting(&lock_path, "run", LOCK_PATIENCE) => lock,
    };
    let lock = match lock {
        Ok(lock) => lock,
        Err(LockError::Held(holder)) => {
            return Exit::failed(format!("{} holds {}; stop it first", who(holder), places.lock().display()));
        }
        Err(LockError::Failed(error)) => return Exit::failed(error),
    };
    // Should the lock's file be deleted, its holder still listens.
    let socket = config.control_socket(&places.runtime);
    if let Some(process) = server::listener(&socket) {
        let who = format!("another run (process {process}) listens on {}", socket.display());
        return Exit::failed(format!("{who}, though its lock is free; stop it first"));
    }
    for problem in &keys.problems {
        tracing::warn!("{problem}");
    }
    match Wakers::set_up(signals) {
        Ok(wakers) => serve(path, in_force, places, lock, wakers).await,
        Err(error) => Exit::failed(format!("the timers cannot be had: {error}")),
    }
}

fn who(holder: Option<Holder>) -> String {
    holder.map_or_else(|| "somebody else".to_owned(), |h| format!("another {} (process {})", h.role, h.pid))
}

/// Logs a trouble when it begins, and not again while it lasts.
fn tell_once(known: &mut Option<String>, trouble: Option<&String>) {
    if let Some(trouble) = trouble.filter(|trouble| known.as_ref() != Some(trouble)) {
        tracing::error!("{trouble}");
    }
    *known = trouble.cloned();
}

/// What wakes the loop up by itself: the signals that mean something, and the timers.
struct Wakers {
    signals: Signals,
    alarm: clock::Alarm,
    heartbeat: clock::Heartbeat,
}

impl Wakers {
    fn set_up(signals: Signals) -> std::io::Result<Self> {
        Ok(Self { signals, alarm: clock::Alarm::new()?, heartbeat: clock::Heartbeat::every(beat())? })
    }
}

/// The distance of two beats when nothing happens.
fn beat() -> Duration {
    service_manager::watchdog_interval().map_or(BEAT, |interval| interval.min(BEAT))
}

/// When something was last done that is done regularly.
struct Regular {
    heartbeat: BootTime,
    poll: BootTime,
    look: BootTime,
}

/// A configuration that was read again, and where the answer goes.
type Reread = (Result<(KeyRing, Loaded), ConfigError>, Option<oneshot::Sender<Answer>>);

/// What the loop works with.
struct Daemon {
    path: Option<PathBuf>,
    driver: Driver,
    watch: Watch,
    /// `renewal.active-file`, if there is one.
    active_watch: Option<Watch>,
    server: Option<Server>,
    lock: Lock,
    /// What keeps it from listening, from holding its lock, and from writing its heartbeat: logged when it begins.
    troubles: [Option<String>; 3],
    regular: Regular,
    control_sender: mpsc::Sender<Incoming>,
    reload_sender: mpsc::UnboundedSender<Reread>,
    announced: bool,
    helper: HelperWatch,
}

/// The loop.
async fn serve(path: Option<PathBuf>, in_force: InForce, places: Places, lock: Lock, mut wakers: Wakers) -> Exit {
    let (reload_sender, mut reread) = mpsc::unbounded_channel();
    let (control_sender, mut control) = mpsc::channel::<Incoming>(BACKLOG);
    let now = clock::now().boot;
    let own = vec![places.lock(), in_force.config.control_socket(&places.runtime)];
    let watch = Watch::new(in_force.config.license.path.as_path(), own);
    let (helper_sender, mut helper_looked_at) = mpsc::unbounded_channel();
    let helper = HelperWatch::new(places.helper.clone(), in_force.digest(), helper_sender);
    let (driver, mut results) = Driver::new(in_force.config.clone(), in_force.keys.clone(), places, Role::Daemon);
    let mut daemon = Daemon {
        path,
        driver,
        watch,
        active_watch: None,
        server: None,
        lock,
        troubles: [None, None, None],
        regular: Regular { heartbeat: now, poll: now, look: now },
        control_sender,
        reload_sender,
        announced: false,
        helper,
    };
    daemon.begins_with(&in_force);
    daemon.watch_active_file();
    daemon.helper.look();
    daemon.listen();
    daemon.write_heartbeat();
    daemon.tell_of_the_watch();
    loop {
        daemon.before_sleep(&wakers);
        tokio::select! {
            biased;
            _ = wakers.signals.terminate.recv() => break,
            _ = wakers.signals.interrupt.recv() => break,
            // The timers before what may come in any number.
            result = wakers.alarm.wait() => {
                despite_failure(result).await;
                daemon.driver.handle(Event::Tick);
            }
            result = wakers.heartbeat.beat() => {
                despite_failure(result).await;
                service_manager::alive();
                daemon.do_what_is_regular();
            }
            Some(trouble) = helper_looked_at.recv() => daemon.driver.set_helper_trouble(trouble),
            Some(event) = results.recv() => daemon.driver.handle(event),
            () = role_changed(&mut daemon.active_watch) => daemon.look_at_role(),
            change = daemon.watch.changed() => {
                daemon.look();
                match change {
                    // Whatever the stamp says: two writes within a tick of the file system's clock look like one.
                    Change::License => daemon.driver.handle(Event::FileChanged),
                    Change::Runtime => daemon.stay_reachable(),
                }
            }
            _ = wakers.signals.hang_up.recv() => daemon.reload_config(None),
            Some((loaded, answer)) = reread.recv() => {
                let done = daemon.apply(loaded);
                let disk = daemon.driver.disk().clone();
                tokio::task::spawn_local(async move {
                    // What is kept of it is on the disk by then, unless that hangs.
                    let _ = tokio::time::timeout(DISK_PATIENCE, disk.barrier()).await;
                    // The client may have left.
                    let _ = answer.map(|answer| answer.send(done));
                });
            }
            _ = wakers.signals.renew.recv() => {
                tracing::info!("renewing now, as SIGUSR1 asks for");
                let renew = Request::Renew { if_due: false, dry_run: false, accept_changes: false };
                daemon.driver.request_unheard(renew);
            }
            Some(incoming) = control.recv() => daemon.answer(incoming),
        }
    }
    service_manager::stopping();
    tracing::info!("stopping");
    daemon.driver.stop();
    heartbeat::remove(&daemon.driver.places().runtime);
    // A reload that is cut short may leave netifyd with half a configuration.
    let last = async { tokio::join!(daemon.driver.written(), process::all_ended()) };
    let is_late = tokio::time::timeout(LAST_WAIT, last).await.is_err();
    let left = daemon.driver.unwritten();
    if is_late && !left.is_empty() {
        tracing::error!("stopped before this had ended, because the disk does not answer: {}", left.join(", "));
    }
    Exit::done()
}

/// Waits for a change of the file that says which role this node has; for ever without one.
async fn role_changed(watch: &mut Option<Watch>) {
    match watch {
        Some(watch) => drop(watch.changed().await),
        None => std::future::pending().await,
    }
}

/// A timer that fails, which no kernel should do, must not make the loop a hot one.
async fn despite_failure(result: std::io::Result<()>) {
    if let Err(error) = result {
        tracing::error!("the timer failed: {error}");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

impl Daemon {
    /// Tells the service manager once that start-up is done, and arms the alarm.
    fn before_sleep(&mut self, wakers: &Wakers) {
        if !self.announced && self.driver.engine().status().is_some() {
            self.announced = true;
            service_manager::ready(&self.line());
        }
        if let Err(error) = wakers.heartbeat.pace(self.pace()) {
            tracing::error!("the timer cannot be set: {error}");
        }
        if let Some(deadline) = self.driver.engine().next_deadline() {
            tracing::trace!(after_ms = deadline.after, why = %deadline.why, "sleeping");
            // Not every turn of the loop steps the engine, and none of them may put its deadline off.
            let now = clock::now();
            let gone = now.boot.since(self.driver.engine().stepped_at());
            if let Err(error) = wakers.alarm.set(now.wall, deadline.after - gone) {
                tracing::error!("the timer cannot be set: {error}");
            }
        }
    }

    /// The loop beats as often as something has to be looked for.
    fn pace(&self) -> Duration {
        if self.is_blind() {
            LOOK
        } else if self.driver.is_restless() {
            beat().min(Duration::from_millis(POLL.unsigned_abs()))
        } else {
            beat()
        }
    }

    /// Whether the kernel does not tell of changes.
    fn is_blind(&self) -> bool {
        let of_role = self.active_watch.as_ref().and_then(Watch::trouble);
        self.watch.trouble().or(of_role).is_some()
    }

    fn do_what_is_regular(&mut self) {
        let now = clock::now().boot;
        let is_over = |last: BootTime, interval: Millis| now.since(last) >= interval - EARLY;
        if is_over(self.regular.heartbeat, INTERVAL) {
            self.regular.heartbeat = now;
            self.write_heartbeat();
        }
        let (is_blind, is_restless) = (self.is_blind(), self.driver.is_restless());
        if is_blind || is_over(self.regular.look, SAFETY) {
            self.regular.look = now;
            self.look_at_role();
            if self.look() {
                self.driver.handle(Event::FileChanged);
            }
        }
        if is_over(self.regular.poll, if is_blind || is_restless { POLL } else { SAFETY }) {
            self.regular.poll = now;
            self.stay_reachable();
            self.driver.handle(Event::Poll);
        }
        self.driver.publish_again();
        self.helper.look();
    }

    /// Whether the license file is another one than last time.
    fn look(&mut self) -> bool {
        let before = self.watch.trouble().map(str::to_owned);
        let changed = self.watch.look();
        if self.watch.trouble() != before.as_deref() {
            self.tell_of_the_watch();
        }
        changed
    }

    /// Says once how changes of the license file are noticed, where that is not the usual way.
    fn tell_of_the_watch(&mut self) {
        let trouble = self.watch.trouble().map(str::to_owned);
        let was_poll = self.driver.watching() == Some(Watching::Poll);
        match &trouble {
            Some(trouble) if !was_poll => tracing::warn!("{trouble}"),
            None if was_poll => tracing::info!("the kernel tells of changes of the license file again"),
            _ => {}
        }
        let watch = if trouble.is_some() { Watching::Poll } else { Watching::Inotify };
        self.driver.set_watching(DaemonStatus { watch: Some(watch), watch_trouble: trouble, log_lines_lost: None });
    }

    fn line(&self) -> String {
        self.driver.status().as_ref().map(Status::line).unwrap_or_default()
    }

    /// Listens on the control socket of the configuration in force.
    fn listen(&mut self) {
        let path = self.driver.control_socket();
        if self.server.as_ref().is_some_and(|server| server.path() == path && server.is_found()) {
            return;
        }
        self.server = None;
        // Without its socket the daemon still renews; that is its first duty.
        let listening = Server::listen(&path, self.control_sender.clone());
        tell_once(&mut self.troubles[0], listening.as_ref().err());
        self.server = listening.ok();
    }

    /// Writes the heartbeat file, for those who may not open the control socket.
    fn write_heartbeat(&mut self) {
        let written = heartbeat::write(&self.driver.places().runtime);
        tell_once(&mut self.troubles[2], written.as_ref().err());
    }

    /// Somebody who clears away the runtime directory takes socket and lock with it: both come back.
    fn stay_reachable(&mut self) {
        let renewed = self.lock.renew("run").map_err(|error| match error {
            LockError::Held(holder) => format!("the lock's file was deleted, and {} has taken it", who(holder)),
            LockError::Failed(error) => error,
        });
        if matches!(renewed, Ok(true)) {
            tracing::warn!("the lock's file was deleted; it is held again");
        }
        tell_once(&mut self.troubles[1], renewed.as_ref().err());
        self.listen();
    }

    /// Says which configuration is in force, and keeps it for a time when the file is refused.
    fn begins_with(&mut self, in_force: &InForce) {
        let mut configuration = ConfigurationStatus::loaded(in_force.loaded_at);
        if let Some(error) = &in_force.refused {
            let of = in_force.loaded_at;
            tracing::error!("the configuration is refused, the last good one of {of} is in force: {error}");
            configuration = configuration.refused(error, clock::now().wall);
        }
        if in_force.is_default {
            tracing::info!("there is no configuration file, the defaults are in force");
        }
        self.keep(in_force.to_keep.clone());
        self.driver.set_configuration(configuration);
    }

    fn keep(&self, good: Option<LastGood>) {
        let Some(good) = good else { return };
        let state = self.driver.places().state.clone();
        self.driver.disk().run(
            "keeping the configuration",
            move || last_good::keep(&state, &good),
            |kept| {
                if let Err(error) = kept {
                    tracing::warn!("a mistake in the configuration would keep the next start from succeeding: {error}");
                }
            },
        );
    }

    /// Watches `renewal.active-file` of the configuration in force, and looks at it.
    fn watch_active_file(&mut self) {
        let file = self.driver.engine().config().renewal.active_file.as_ref().map(|file| file.to_path_buf());
        self.active_watch = file.map(|file| Watch::new(&file, Vec::new()));
        self.driver.look_at_role();
    }

    /// The role follows the file at once; the watch is renewed where its directory came later.
    fn look_at_role(&mut self) {
        if let Some(watch) = &mut self.active_watch {
            watch.look();
            self.driver.look_at_role();
        }
    }

    /// Reads the configuration and what it names, beside the loop: it may lie on a disk that does not answer.
    fn reload_config(&mut self, answer: Option<oneshot::Sender<Answer>>) {
        service_manager::reloading();
        let (path, sender) = (self.path.clone(), self.reload_sender.clone());
        tokio::task::spawn_local(async move {
            let read =
                move || config_file::load(path.as_deref()).and_then(|loaded| Ok((loaded.check_files()?, loaded)));
            // It fails only when the run has ended.
            if let Ok(loaded) = tokio::task::spawn_blocking(read).await {
                let _ = sender.send((loaded, answer));
            }
        });
    }

    /// The new configuration is applied whole; or refused whole, and the old one stays.
    fn apply(&mut self, loaded: Result<(KeyRing, Loaded), ConfigError>) -> Answer {
        let answer = match loaded.and_then(|(keys, loaded)| Ok((self.listen_anew(&loaded)?, keys, loaded))) {
            Ok((server, keys, loaded)) => {
                let in_force = loaded.in_force(keys);
                self.helper.configured(in_force.digest());
                let InForce { config, keys, loaded_at, to_keep, .. } = in_force;
                let license = config.license.path.as_path();
                let own = vec![self.driver.places().lock(), config.control_socket(&self.driver.places().runtime)];
                if self.watch.file() != license || server.is_some() {
                    self.watch = Watch::new(license, own);
                    self.tell_of_the_watch();
                }
                log::set_level(config.log.level);
                self.keep(to_keep);
                let is_all = config.log.format == self.driver.engine().config().log.format;
                self.driver.configure(config, keys);
                self.watch_active_file();
                self.driver.set_configuration(ConfigurationStatus::loaded(loaded_at));
                match server {
                    Some(server) => self.server = Some(server),
                    None => self.stay_reachable(),
                }
                let rest = if is_all { "" } else { "; log.format takes a restart" };
                let text = format!("configuration read again{rest}");
                tracing::info!("{text}");
                Answer::words(0, text)
            }
            Err(error) => {
                let text = format!("the new configuration is refused, the old one stays in force: {error}");
                tracing::error!("{text}");
                let configuration = self.driver.configuration().refused(&error, clock::now().wall);
                self.driver.set_configuration(configuration);
                Answer::words(78, text)
            }
        };
        service_manager::ready(&self.line());
        answer
    }

    /// Listens where the control socket has moved to.
    fn listen_anew(&self, loaded: &Loaded) -> Result<Option<Server>, ConfigError> {
        let path = loaded.config.control_socket(&self.driver.places().runtime);
        let moved = (path != self.driver.control_socket()).then(|| Server::listen(&path, self.control_sender.clone()));
        moved.transpose().map_err(|message| loaded.about("status.socket", message))
    }

    /// What there is to say where the configuration's file does not say what is in force.
    fn about_the_file(&self) -> Option<String> {
        match config_file::load(self.path.as_deref()) {
            Ok(loaded) if loaded.config == *self.driver.engine().config() => None,
            Ok(_) => Some(
                "; the configuration file says something else by now, which `netify-licensed reload` puts in force"
                    .to_owned(),
            ),
            Err(error) => Some(format!("; the configuration file is refused, the one before it was used: {error}")),
        }
    }

    fn answer(&mut self, incoming: Incoming) {
        let Incoming { command, by_root, answer } = incoming;
        if matches!(command, Command::Retire { keep_file: false })
            && !by_root
            && self.driver.places().installer.is_some()
        {
            // The helper removes the file for root alone; nothing may be deleted at the hub before.
            let _ = answer.send(Answer::words(1, control::RETIRE_AS_ROOT));
            return;
        }
        let status = || self.driver.status();
        let reply = match command {
            Command::Status => status().map(|status| Answer { status: Some(Box::new(status)), ..Answer::words(0, "") }),
            Command::Metrics => {
                status().map(|status| Answer { metrics: Some(metrics::openmetrics(&status)), ..Answer::words(0, "") })
            }
            Command::ReloadConfig => return self.reload_config(Some(answer)),
            command => match command.request() {
                Err(refusal) => Some(Answer::words(2, refusal)),
                Ok(None) => Some(Answer::words(2, "not a request")),
                Ok(Some(request)) => {
                    // Whoever tries out a configuration must not take the answer for that of another one.
                    let is_dry = matches!(request, Request::Renew { dry_run: true, .. });
                    let remark = if is_dry { self.about_the_file() } else { None };
                    self.driver.request_of(request, remark, answer);
                    return;
                }
            },
        };
        // Whoever asked may have left.
        let _ = answer.send(reply.unwrap_or_else(|| Answer::words(1, "the daemon is still starting")));
    }
}
