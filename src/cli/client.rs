//! `renew`, `install`, `provision`, `retire`: by the daemon if one runs, else by the same code under the same lock.

use std::path::Path;
use std::time::Duration;

use crate::core::config::ConfigError;
use crate::core::control::Command;
use crate::core::engine::{Event, Request};
use crate::core::time::{MINUTE, Millis};
use crate::daemon::driver::{Driver, Role};
use crate::edge::clock;
use crate::edge::config_file::{self, Loaded};
use crate::edge::control::client::{self, AskError};
use crate::edge::dirs::Places;
use crate::edge::file::lock::{self, Lock, LockError};
use crate::exit::Exit;

/// Longest wait for the outcome.
const LONGEST: Duration = Duration::from_secs(600);
/// Longest wait for another command, or for a daemon that is starting.
const PATIENCE: Millis = MINUTE;

pub(super) async fn ask(path: Option<&Path>, name: &str, request: Request, as_json: bool) -> Exit {
    let loaded = config_file::load(path);
    let places = Places::from_environment();
    let socket = match config_file::to_find_the_daemon(path, &loaded) {
        Ok(config) => config.control_socket(&places.runtime),
        Err(error) => return Exit::outcome(78, error.to_string(), as_json),
    };
    let deadline = clock::now().boot.plus(PATIENCE);
    let is_over = || clock::now().boot >= deadline;
    loop {
        match client::ask(&socket, Command::of(&request), LONGEST).await {
            Ok(answer) => return Exit::outcome(answer.exit, answer.message, as_json),
            Err(AskError::Denied(sentence)) => return Exit::outcome(1, sentence, as_json),
            Err(AskError::Broken(sentence)) if is_over() => {
                return Exit::outcome(1, sentence, as_json);
            }
            Err(AskError::Broken(_) | AskError::NoDaemon) => {}
        }
        match lock::take_waiting(&places.lock(), name, Duration::from_millis(PATIENCE.unsigned_abs())).await {
            Ok(lock) => return alone(lock, loaded, places, request, as_json).await,
            // The daemon holds the lock but does not listen yet, or not any more.
            Err(LockError::Held(_)) if !is_over() => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Err(LockError::Held(holder)) => {
                let who = holder.map_or_else(
                    || "somebody".to_owned(),
                    |holder| format!("{} (process {})", holder.role, holder.pid),
                );
                return Exit::outcome(
                    1,
                    format!("{who} holds {} and does not answer on {}", places.lock().display(), socket.display()),
                    as_json,
                );
            }
            Err(LockError::Failed(sentence)) => return Exit::outcome(1, sentence, as_json),
        }
    }
}

/// Without a daemon. Only now it counts what this user may read.
async fn alone(
    lock: Lock,
    loaded: Result<Loaded, ConfigError>,
    places: Places,
    request: Request,
    as_json: bool,
) -> Exit {
    let (keys, config) = match loaded.and_then(|loaded| Ok((loaded.check_files()?, loaded.config))) {
        Ok(checked) => checked,
        Err(error) => return Exit::outcome(78, error.to_string(), as_json),
    };
    let (mut driver, mut results) = Driver::new(config, keys, places, Role::Command);
    while !driver.device_known() {
        match results.recv().await {
            Some(event) => driver.handle(event),
            None => return Exit::outcome(1, "the device id could not be looked up".to_owned(), as_json),
        }
    }
    let mut reply = driver.request(request);
    let outcome = loop {
        let after = driver.engine().next_deadline().map_or(60_000, |deadline| deadline.after.clamp(1, 60_000));
        let pause = Duration::from_millis(after.unsigned_abs());
        tokio::select! {
            biased;
            outcome = &mut reply => break outcome,
            Some(event) = results.recv() => driver.handle(event),
            () = tokio::time::sleep(pause) => driver.handle(Event::Tick),
        }
    };
    driver.stop();
    drop(lock);
    match outcome {
        Ok(reply) => Exit::outcome(reply.exit, reply.message, as_json),
        Err(_) => Exit::outcome(1, "the work ended without an outcome".to_owned(), as_json),
    }
}
