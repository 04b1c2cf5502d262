//! `run`: the stair between the floors. One loop waits for whatever comes first and steps the engine.

use std::path::PathBuf;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};

use crate::command::Exit;
use crate::core::engine::{Event, Request};
use crate::core::metrics;
use crate::core::protocol::{Answer, Command};
use crate::driver::{Driver, Role};
use crate::edge::control::{Incoming, Server};
use crate::edge::lock::{self, LockError};
use crate::edge::places::Places;
use crate::edge::watch::{POLL, Watch};
use crate::edge::{clock, config_file, log, process, service};

/// Longest wait for a command that holds the lock.
const LOCK_PATIENCE: Duration = Duration::from_secs(120);
/// Requests of the control socket that may wait.
const BACKLOG: usize = 8;

/// Runs until SIGTERM or SIGINT.
pub async fn run(path: Option<PathBuf>) -> Exit {
    let (config, keys) = match config_file::load(path.as_deref()).and_then(|loaded| Ok((loaded.check_files()?, loaded))) {
        Ok((keys, loaded)) => (loaded.config, keys),
        Err(error) => return Exit::config(&error),
    };
    log::start(&config.log);
    process::harden();
    let places = Places::from_environment();
    let _lock = match lock::take_waiting(&places.lock(), "run", LOCK_PATIENCE).await {
        Ok(lock) => lock,
        Err(LockError::Held(Some(holder))) => {
            return Exit::failed(format!("another {} (process {}) holds {}; stop it first", holder.role, holder.pid, places.lock().display()));
        }
        Err(LockError::Held(None)) => return Exit::failed(format!("somebody else holds {}", places.lock().display())),
        Err(LockError::Failed(error)) => return Exit::failed(error),
    };
    for problem in &keys.problems {
        tracing::warn!("{problem}");
    }
    let signals = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup(), SignalKind::user_defined1()].map(signal);
    let [Ok(mut terminate), Ok(mut interrupt), Ok(mut hang_up), Ok(mut renew_now)] = signals else {
        return Exit::failed("signal handlers cannot be installed".to_owned());
    };
    let alarm = match clock::Alarm::new() {
        Ok(alarm) => alarm,
        Err(error) => return Exit::failed(format!("no timer: {error}")),
    };
    let (file_sender, mut file_changed) = mpsc::unbounded_channel();
    let (control_sender, mut control) = mpsc::channel::<Incoming>(BACKLOG);
    let mut watch = Watch::new(config.license.path.as_path(), file_sender.clone());
    let (mut driver, mut results) = Driver::new(config, keys, places, Role::Daemon);
    let mut server = listen(&driver, &control_sender);
    let interval = service::watchdog_interval().map_or(POLL, |interval| interval.min(POLL));
    let mut tick = tokio::time::interval_at(Instant::now() + interval, interval);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last_poll = Instant::now();
    let mut announced = false;
    loop {
        if std::mem::take(&mut driver.file_was_read) {
            watch.acknowledge();
        }
        if !announced && driver.engine().status().is_some() {
            announced = true;
            service::ready(&driver.engine().status().map(crate::core::report::Status::line).unwrap_or_default());
        }
        if let Some(deadline) = driver.engine().next_deadline() {
            tracing::trace!(after_ms = deadline.after, why = deadline.why, "sleeping");
            if let Err(error) = alarm.set(clock::now().wall, deadline.after) {
                tracing::error!("the timer cannot be set: {error}");
            }
        }
        tokio::select! {
            biased;
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            Some(event) = results.recv() => driver.handle(event),
            result = alarm.wait() => {
                if let Err(error) = result {
                    tracing::error!("the timer failed: {error}");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                driver.handle(Event::Tick);
            }
            _ = tick.tick() => {
                service::alive();
                if last_poll.elapsed() + Duration::from_secs(1) >= POLL {
                    last_poll = Instant::now();
                    if watch.poll() {
                        driver.handle(Event::FileChanged);
                    }
                    driver.handle(Event::Poll);
                }
            }
            Some(()) = file_changed.recv() => {
                while file_changed.try_recv().is_ok() {}
                if watch.poll() {
                    driver.handle(Event::FileChanged);
                }
            }
            _ = hang_up.recv() => {
                let answer = reload_config(path.as_deref(), &mut driver, &mut watch, &file_sender);
                if answer.exit == 0 {
                    server = relisten(server, &driver, &control_sender);
                }
            }
            _ = renew_now.recv() => {
                tracing::info!("renewing now, as SIGUSR1 asks for");
                drop(driver.request(Request::Renew { if_due: false, dry_run: false }));
            }
            Some(incoming) = control.recv() => {
                if let Command::ReloadConfig = incoming.command {
                    let answer = reload_config(path.as_deref(), &mut driver, &mut watch, &file_sender);
                    if answer.exit == 0 {
                        server = relisten(server, &driver, &control_sender);
                    }
                    let _ = incoming.answer.send(answer);
                } else {
                    answer(&mut driver, incoming);
                }
            }
        }
    }
    service::stopping();
    tracing::info!("stopping");
    driver.stop();
    drop(server);
    Exit::done()
}

fn listen(driver: &Driver, sender: &mpsc::Sender<Incoming>) -> Option<Server> {
    // Without its socket the daemon still renews; that is its first duty.
    Server::listen(&driver.control_socket(), sender.clone()).inspect_err(|error| tracing::error!("{error}")).ok()
}

fn relisten(server: Option<Server>, driver: &Driver, sender: &mpsc::Sender<Incoming>) -> Option<Server> {
    match server {
        Some(server) if server.path() == driver.control_socket() => Some(server),
        old => {
            drop(old);
            listen(driver, sender)
        }
    }
}

/// The new configuration is checked first, then applied whole; or refused whole, and the old one stays.
fn reload_config(
    path: Option<&std::path::Path>,
    driver: &mut Driver,
    watch: &mut Watch,
    sender: &mpsc::UnboundedSender<()>,
) -> Answer {
    service::reloading();
    let answer = match config_file::load(path).and_then(|loaded| Ok((loaded.check_files()?, loaded))) {
        Ok((keys, loaded)) => {
            if watch.file() != loaded.config.license.path.as_path() {
                *watch = Watch::new(loaded.config.license.path.as_path(), sender.clone());
            }
            log::set_level(loaded.config.log.level);
            driver.handle(Event::Configured(Box::new(loaded.config), keys));
            tracing::info!("configuration read again");
            Answer::words(0, "configuration read again")
        }
        Err(error) => {
            tracing::error!("the new configuration is refused, the old one stays in force: {error}");
            Answer::words(78, format!("the new configuration is refused, the old one stays in force: {error}"))
        }
    };
    service::ready(&driver.engine().status().map(crate::core::report::Status::line).unwrap_or_default());
    answer
}

fn answer(driver: &mut Driver, incoming: Incoming) {
    let Incoming { command, answer } = incoming;
    let status = driver.engine().status().cloned().map(|mut status| {
        status.pid = Some(std::process::id());
        status
    });
    let reply = match (&command, status) {
        (Command::Status, Some(status)) => Answer { status: Some(Box::new(status)), ..Answer::words(0, "") },
        (Command::Metrics, Some(status)) => Answer { metrics: Some(metrics::openmetrics(&status)), ..Answer::words(0, "") },
        (Command::Status | Command::Metrics, None) => Answer::words(1, "the daemon is still starting"),
        _ => match command.request() {
            Err(refusal) => Answer::words(2, refusal),
            Ok(None) => Answer::words(2, "not a request"),
            Ok(Some(request)) => {
                let reply = driver.request(request);
                tokio::task::spawn_local(async move {
                    let reply = reply.await.map_or_else(|_| Answer::words(1, "the daemon ended before it was done"), Answer::from);
                    let _ = answer.send(reply);
                });
                return;
            }
        },
    };
    let _ = answer.send(reply);
}
