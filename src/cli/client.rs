//! `renew`, `install`, `provision`, `retire`: by the daemon if one runs, else by the same code under the same lock; and
//! `reload`, by the daemon alone.

use std::path::Path;
use std::pin::pin;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::cli::ended_by;
use crate::core::config::Config;
use crate::core::control::{self, Answer, Command};
use crate::core::engine::{Event, Request};
use crate::core::text::hex;
use crate::core::time::{MINUTE, Millis};
use crate::daemon::driver::{Driver, Role};
use crate::edge::config_file::{self, InForce};
use crate::edge::control::client::{self, ALIVE, AskError, Connection};
use crate::edge::dirs::Places;
use crate::edge::file::lock::{self, Holder, Lock, LockError};
use crate::edge::helper::{self, Order};
use crate::edge::signals::Ending;
use crate::edge::{clock, process, terminal};
use crate::exit::Exit;

/// Longest wait for another command, or for a daemon that is starting.
const PATIENCE: Millis = MINUTE;
/// A wait of this length is explained on a terminal.
const SILENCE: Duration = Duration::from_secs(2);
/// How often a daemon that is at work has to show that its event loop turns.
const ALIVE_EVERY: Duration = Duration::from_secs(10);
/// Longest wait for a reload when Ctrl-C ends a command.
const LAST_WAIT: Duration = Duration::from_secs(5);
/// What to do about a daemon that does not answer.
pub(super) const STUCK: &str = "it is stopped or stuck; restart the service netify-licensed";

/// Asks the daemon, and explains on a terminal what takes long. An answer that does not come is waited for as long as a
/// healthy daemon can need and no longer than its event loop turns.
async fn by_daemon(socket: &Path, config: &Config, command: Command) -> Result<Answer, AskError> {
    let connection = Connection::open(socket).await?;
    let peer = connection.peer();
    // The daemon gives up first, and says what it waits for.
    let longest = config.longest_request().saturating_add(ALIVE_EVERY.as_secs().cast_signed() * 1_000);
    let longest = Duration::from_millis(longest.unsigned_abs());
    let mut answer = pin!(connection.ask(command, longest));
    let mut pause = SILENCE;
    loop {
        tokio::select! {
            biased;
            answer = &mut answer => return answer,
            () = tokio::time::sleep(pause) => {}
        }
        if pause == SILENCE {
            let limit = longest.as_secs();
            terminal::say(&format!("waiting for {peer}, {limit} s at most; `netify-licensed status` shows its work"));
        }
        pause = ALIVE_EVERY;
        tokio::select! {
            biased;
            answer = &mut answer => return answer,
            alive = client::ask(socket, Command::Status, ALIVE) => {
                if let Err(AskError::Silent(sentence)) = alive {
                    return Err(AskError::Silent(sentence));
                }
            }
        }
    }
}

pub(super) async fn ask(path: Option<&Path>, ending: &Ending, name: &str, request: Request, as_json: bool) -> Exit {
    let loaded = config_file::load(path);
    let places = Places::from_environment();
    let config = match config_file::to_find_the_daemon(path, &loaded) {
        Ok(config) => config,
        Err(error) => return Exit::outcome(78, error.to_string(), as_json),
    };
    let socket = config.control_socket(&places.runtime);
    if let Err(sentence) = allowed_by_root(&places, &request) {
        return Exit::outcome(1, sentence, as_json);
    }
    let deadline = clock::now().boot.plus(PATIENCE);
    let is_over = || clock::now().boot >= deadline;
    loop {
        match by_daemon(&socket, &config, Command::of(&request)).await {
            Ok(answer) => return Exit::outcome(answer.exit, answer.message, as_json),
            Err(AskError::Denied(sentence)) => return Exit::outcome(1, sentence, as_json),
            Err(AskError::Silent(sentence)) => return Exit::outcome(1, format!("{sentence}; {STUCK}"), as_json),
            Err(AskError::Broken(sentence)) if is_over() => {
                return Exit::outcome(1, sentence, as_json);
            }
            Err(AskError::Broken(_) | AskError::NoDaemon) => {}
        }
        match locked(&places, name).await {
            Ok(lock) => {
                let hold = ending.hold();
                let exit = alone(lock, path, places, request, ending, as_json).await;
                drop(hold);
                return exit;
            }
            // The daemon holds the lock but does not listen yet, or not any more.
            Err(LockError::Held(_)) if !is_over() => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Err(LockError::Held(holder)) => {
                let (who, lock) = (who(holder.as_ref()), places.lock());
                let text = format!("{who} holds {} and does not answer on {}", lock.display(), socket.display());
                return Exit::outcome(1, text, as_json);
            }
            Err(LockError::Failed(sentence)) => return Exit::outcome(1, sentence, as_json),
        }
    }
}

/// Tells the privileged helper what root wants: what it does not do at the daemon's word alone, since that may be taken
/// over. Without root the license file cannot be removed, and then it is better not deleted at the hub.
fn allowed_by_root(places: &Places, request: &Request) -> Result<(), String> {
    let Some(helper) = places.helper_of_the_package() else { return Ok(()) };
    let allow = |what: String| helper::client::order(&helper, &Order::Allow(what));
    match request {
        Request::Retire { keep_file: false } if !process::is_root() => Err(control::RETIRE_AS_ROOT.to_owned()),
        Request::Retire { keep_file: false } => {
            allow(helper::REMOVE.to_owned()).map_err(|error| format!("nothing was done: {error}"))
        }
        // The helper has a pin of its own, which no other user can move.
        Request::Repin if process::is_root() => helper::client::order(&helper, &Order::Repin),
        Request::Repin => {
            Err("nothing was done: only root can move the pin; run `netify-licensed duid --repin` as root".to_owned())
        }
        // Should this fail, the helper says why it does not take the license.
        Request::Install { bytes, force: true } if process::is_root() => allow(hex(&Sha256::digest(bytes))).or(Ok(())),
        _ => Ok(()),
    }
}

fn who(holder: Option<&Holder>) -> String {
    holder.map_or_else(|| "another process".to_owned(), |holder| format!("{} (process {})", holder.role, holder.pid))
}

/// The lock of those who write, once no other command holds it.
async fn locked(places: &Places, name: &str) -> Result<Lock, LockError> {
    let path = places.lock();
    let mut taken = pin!(lock::take_waiting(&path, name, Duration::from_millis(PATIENCE.unsigned_abs())));
    tokio::select! {
        biased;
        lock = &mut taken => return lock,
        () = tokio::time::sleep(SILENCE) => {}
    }
    let who = who(lock::holder(&path).as_ref());
    terminal::say(&format!("waiting for {who}, which holds {}, {} s at most", path.display(), PATIENCE / 1_000));
    taken.await
}

/// Has the daemon read its configuration again. It is asked where the file says, where the last good configuration had it
/// listen (the file may have moved the socket already, or have a mistake), and where it listens by default.
pub(super) async fn reload(path: Option<&Path>, as_json: bool) -> Exit {
    let loaded = config_file::load(path);
    let places = Places::from_environment();
    let in_file = loaded.as_ref().ok().map(|loaded| loaded.config.clone());
    let mut asked = Vec::new();
    for config in in_file.into_iter().chain(config_file::last_good(path, &places.state)).chain([Config::default()]) {
        let socket = config.control_socket(&places.runtime);
        if asked.contains(&socket) {
            continue;
        }
        match by_daemon(&socket, &config, Command::ReloadConfig).await {
            Ok(answer) => return Exit::outcome(answer.exit, answer.message, as_json),
            Err(AskError::Silent(sentence)) => return Exit::outcome(1, format!("{sentence}; {STUCK}"), as_json),
            Err(AskError::Denied(sentence) | AskError::Broken(sentence)) => return Exit::outcome(1, sentence, as_json),
            Err(AskError::NoDaemon) => asked.push(socket),
        }
    }
    match loaded {
        Err(error) => Exit::outcome(78, error.to_string(), as_json),
        Ok(_) => Exit::outcome(1, "no daemon runs; it reads the configuration when it starts".to_owned(), as_json),
    }
}

/// Without a daemon. Only now it counts what this user may read.
async fn alone(
    lock: Lock,
    path: Option<&Path>,
    places: Places,
    request: Request,
    ending: &Ending,
    as_json: bool,
) -> Exit {
    let InForce { config, keys, refused, .. } = match config_file::in_force(path, &places.state) {
        Ok(in_force) => in_force,
        Err(error) => return Exit::outcome(78, error.to_string(), as_json),
    };
    let (mut driver, mut results) = Driver::new(config, keys, places, Role::Command);
    while !driver.device_known() {
        tokio::select! {
            event = results.recv() => match event {
                Some(event) => driver.handle(event),
                None => return Exit::outcome(1, "the device id could not be looked up".to_owned(), as_json),
            },
            number = ending.received() => return ended_by(number),
        }
    }
    let mut reply = driver.request(request);
    let outcome = loop {
        let after = driver.engine().next_deadline().map_or(60_000, |deadline| deadline.after.clamp(1, 60_000));
        let pause = Duration::from_millis(after.unsigned_abs());
        tokio::select! {
            biased;
            outcome = &mut reply => break outcome,
            number = ending.received() => {
                driver.stop();
                driver.written().await;
                // A reload that is cut short may leave netifyd with half a configuration.
                let _ended = tokio::time::timeout(LAST_WAIT, process::all_ended()).await;
                return ended_by(number);
            }
            Some(event) = results.recv() => driver.handle(event),
            () = tokio::time::sleep(pause) => driver.handle(Event::Tick),
        }
    };
    driver.stop();
    driver.written().await;
    drop(lock);
    let mut exit = match outcome {
        Ok(reply) => Exit::outcome(reply.exit, reply.message, as_json),
        Err(_) => Exit::outcome(1, "the work ended without an outcome".to_owned(), as_json),
    };
    if let Some(error) = refused {
        exit.err = format!("warning: the last good configuration was used: {error}\n{}", exit.err);
    }
    exit
}
