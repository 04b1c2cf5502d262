//! The event loop: waits for a timer, a signal, the file, a client or finished I/O, and steps the engine.

pub mod driver;

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::core::config::ConfigError;
use crate::core::config::last_good::LastGood;
use crate::core::control::{Answer, Command};
use crate::core::engine::{Event, Request};
use crate::core::license::keys::KeyRing;
use crate::core::report::configuration::ConfigurationStatus;
use crate::core::report::heartbeat::INTERVAL;
use crate::core::report::metrics;
use crate::core::report::status::Status;
use crate::core::time::{MINUTE, Millis, SECOND};
use crate::daemon::driver::{Driver, Role};
use crate::edge::config_file::{InForce, Loaded};
use crate::edge::control::server::{self, Incoming, Server};
use crate::edge::dirs::Places;
use crate::edge::file::lock::{self, Holder, Lock, LockError};
use crate::edge::file::watch::{POLL, Watch};
use crate::edge::signals::Signals;
use crate::edge::{clock, config_file, heartbeat, last_good, log, process, service_manager};
use crate::exit::Exit;

/// Longest wait for a command that holds the lock.
const LOCK_PATIENCE: Duration = Duration::from_secs(120);
/// Longest wait for a reload or a hook when all else has ended.
const LAST_WAIT: Duration = Duration::from_secs(5);
/// Requests of the control socket that may wait.
const BACKLOG: usize = 8;
/// A beat this late after the last look at everything brings the next one: a second early counts as [`POLL`].
const POLL_AT: Millis = MINUTE - SECOND;

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
        Ok(Self {
            signals,
            alarm: clock::Alarm::new()?,
            heartbeat: clock::Heartbeat::every(
                service_manager::watchdog_interval().map_or(POLL, |interval| interval.min(POLL)),
            )?,
        })
    }
}

/// What the loop works with.
struct Daemon {
    path: Option<PathBuf>,
    driver: Driver,
    watch: Watch,
    server: Option<Server>,
    lock: Lock,
    /// What keeps it from listening, from holding its lock, and from writing its heartbeat: logged when it begins.
    troubles: [Option<String>; 3],
    file_sender: mpsc::UnboundedSender<()>,
    control_sender: mpsc::Sender<Incoming>,
    announced: bool,
}

/// The loop.
async fn serve(path: Option<PathBuf>, in_force: InForce, places: Places, lock: Lock, mut wakers: Wakers) -> Exit {
    let (file_sender, mut file_changed) = mpsc::unbounded_channel();
    let (control_sender, mut control) = mpsc::channel::<Incoming>(BACKLOG);
    let watch = Watch::new(in_force.config.license.path.as_path(), file_sender.clone());
    let (driver, mut results) = Driver::new(in_force.config.clone(), in_force.keys.clone(), places, Role::Daemon);
    let mut daemon = Daemon {
        path,
        driver,
        watch,
        server: None,
        lock,
        troubles: [None, None, None],
        file_sender,
        control_sender,
        announced: false,
    };
    daemon.begins_with(&in_force);
    daemon.listen();
    daemon.write_heartbeat();
    let mut last_poll = clock::now().boot;
    let mut last_heartbeat = last_poll;
    loop {
        daemon.before_sleep(&wakers.alarm);
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
                daemon.stay_reachable();
                let now = clock::now().boot;
                if now.since(last_heartbeat) >= INTERVAL - SECOND {
                    last_heartbeat = now;
                    daemon.write_heartbeat();
                }
                if now.since(last_poll) >= POLL_AT {
                    last_poll = now;
                    if daemon.watch.look() {
                        daemon.driver.handle(Event::FileChanged);
                    }
                    daemon.driver.handle(Event::Poll);
                }
            }
            Some(event) = results.recv() => daemon.driver.handle(event),
            Some(()) = file_changed.recv() => {
                while file_changed.try_recv().is_ok() {}
                // Whatever the stamp says: two writes within a tick of the file system's clock look like one.
                daemon.watch.look();
                daemon.driver.handle(Event::FileChanged);
            }
            _ = wakers.signals.hang_up.recv() => drop(daemon.reload_config()),
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
    let _ended = tokio::time::timeout(LAST_WAIT, process::all_ended()).await;
    Exit::done()
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
    fn before_sleep(&mut self, alarm: &clock::Alarm) {
        if !self.announced && self.driver.engine().status().is_some() {
            self.announced = true;
            service_manager::ready(&self.line());
        }
        if let Some(deadline) = self.driver.engine().next_deadline() {
            tracing::trace!(after_ms = deadline.after, why = %deadline.why, "sleeping");
            // Not every turn of the loop steps the engine, and none of them may put its deadline off.
            let now = clock::now();
            let gone = now.boot.since(self.driver.engine().stepped_at());
            if let Err(error) = alarm.set(now.wall, deadline.after - gone) {
                tracing::error!("the timer cannot be set: {error}");
            }
        }
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
        self.keep(in_force.to_keep.as_ref());
        self.driver.set_configuration(configuration);
    }

    fn keep(&self, good: Option<&LastGood>) {
        let kept = good.map_or(Ok(()), |good| last_good::keep(&self.driver.places().state, good));
        if let Err(error) = kept {
            tracing::warn!("a mistake in the configuration would keep the next start from succeeding: {error}");
        }
    }

    /// The new configuration is checked first, then applied whole; or refused whole, and the old one stays.
    fn reload_config(&mut self) -> Answer {
        service_manager::reloading();
        let answer = match self.new_config() {
            Ok((loaded, keys, server)) => {
                let InForce { config, keys, loaded_at, to_keep, .. } = loaded.in_force(keys);
                let license = config.license.path.as_path();
                if self.watch.file() != license {
                    self.watch = Watch::new(license, self.file_sender.clone());
                }
                log::set_level(config.log.level);
                self.keep(to_keep.as_ref());
                let is_all = config.log.format == self.driver.engine().config().log.format;
                self.driver.configure(config, keys);
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

    /// The configuration as it stands in its file, with its keys, and listening where the control socket has moved to.
    fn new_config(&self) -> Result<(Loaded, KeyRing, Option<Server>), ConfigError> {
        let loaded = config_file::load(self.path.as_deref())?;
        let keys = loaded.check_files()?;
        let path = loaded.config.control_socket(&self.driver.places().runtime);
        let moved = (path != self.driver.control_socket()).then(|| Server::listen(&path, self.control_sender.clone()));
        let moved = moved.transpose().map_err(|message| loaded.about("status.socket", message))?;
        Ok((loaded, keys, moved))
    }

    fn answer(&mut self, incoming: Incoming) {
        let Incoming { command, answer } = incoming;
        let status = || self.driver.status();
        let reply = match command {
            Command::Status => status().map(|status| Answer { status: Some(Box::new(status)), ..Answer::words(0, "") }),
            Command::Metrics => {
                status().map(|status| Answer { metrics: Some(metrics::openmetrics(&status)), ..Answer::words(0, "") })
            }
            Command::ReloadConfig => Some(self.reload_config()),
            command => match command.request() {
                Err(refusal) => Some(Answer::words(2, refusal)),
                Ok(None) => Some(Answer::words(2, "not a request")),
                Ok(Some(request)) => {
                    self.driver.request_of(request, answer);
                    return;
                }
            },
        };
        // Whoever asked may have left.
        let _ = answer.send(reply.unwrap_or_else(|| Answer::words(1, "the daemon is still starting")));
    }
}
