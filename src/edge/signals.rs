//! Signals: what the parent left is reset, what ends the program is heard, and orphans are reaped in a container.

use std::cell::Cell;
use std::convert::Infallible;
use std::io;
use std::rc::Rc;

use nix::errno::Errno;
use nix::sys::signal::SigSet;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use rustix::process::{Signal as Number, getpid, kill_process};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;

use crate::edge::process;

/// SIGPIPE: the standard library ignores it in this process and resets it in children.
const PIPE: i32 = 13;
/// The last signal of Linux (signal(7)).
const LAST: i32 = 64;

/// Unblocks all signals. A parent that blocks some passes its mask on through execve(2), so the program would never hear
/// them, nor would its own children. Before any thread is started: threads inherit the mask too.
pub fn unblock() {
    // Only an invalid argument could fail (pthread_sigmask(3)).
    let _ = SigSet::empty().thread_set_mask();
}

/// Signals that the parent ignored, as a bit mask; execve(2) passes them on. Without procfs, none is known.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

const fn has(mask: u64, number: i32) -> bool {
    mask & (1 << (number - 1)) != 0
}

/// Gives every signal that the parent ignored a handler that does nothing: the same for this process, but execve(2)
/// resets it to the default in children. An ignored SIGCHLD would make the exit codes of children unknown (wait(2)).
/// Needs an event loop. Returns the mask of what was ignored.
#[must_use]
pub fn handle_ignored() -> u64 {
    let ignored = ignored();
    for number in (1..=LAST).filter(|number| has(ignored, *number) && *number != PIPE) {
        // The handler stays. What cannot have one (SIGKILL) cannot be ignored either.
        let _ = signal(SignalKind::from_raw(number));
    }
    ignored
}

/// The signals that the daemon obeys.
#[derive(Debug)]
pub struct Signals {
    /// SIGTERM: stop.
    pub terminate: Signal,
    /// SIGINT: stop.
    pub interrupt: Signal,
    /// SIGHUP: read the configuration again.
    pub hang_up: Signal,
    /// SIGUSR1: renew now.
    pub renew: Signal,
}

impl Signals {
    /// Installs the handlers. From here on none of these signals ends the process; one that comes before the daemon is
    /// ready is obeyed when it is.
    pub fn set_up() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            renew: signal(SignalKind::user_defined1())?,
        })
    }

    /// Waits for a signal that stops the daemon.
    pub async fn stop(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// What ends a command: SIGTERM, and SIGINT and SIGHUP unless the parent ignored them (nohup(1), background jobs of a
/// script). The handlers also make these signals work in a container's first process, which has no default actions.
#[derive(Debug, Clone)]
pub struct Ending(Rc<State>);

#[derive(Debug, Default)]
struct State {
    received: Cell<Option<i32>>,
    is_held: Cell<bool>,
    change: Notify,
}

impl Ending {
    /// Installs the handlers. Needs a `LocalSet`.
    pub fn set_up(ignored: u64) -> io::Result<Self> {
        let state = Rc::new(State::default());
        for kind in [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()] {
            let number = kind.as_raw_value();
            let mut signal = signal(kind)?;
            if number != SignalKind::terminate().as_raw_value() && has(ignored, number) {
                continue;
            }
            let state = Rc::clone(&state);
            tokio::task::spawn_local(async move {
                signal.recv().await;
                state.received.set(Some(number));
                state.change.notify_waiters();
            });
        }
        Ok(Self(state))
    }

    /// Waits for such a signal: its number.
    pub async fn received(&self) -> i32 {
        self.when(|state| state.received.get()).await
    }

    /// The same, once no [`Hold`] is alive.
    pub async fn received_and_free(&self) -> i32 {
        self.when(|state| state.received.get().filter(|_| !state.is_held.get())).await
    }

    async fn when(&self, condition: impl Fn(&State) -> Option<i32>) -> i32 {
        loop {
            // Registered before the look, so that no change is missed.
            let change = self.0.change.notified();
            tokio::pin!(change);
            change.as_mut().enable();
            if let Some(number) = condition(&self.0) {
                return number;
            }
            change.await;
        }
    }

    /// The holder ends by itself when it hears of a signal, and Ctrl-Z waits for it.
    #[must_use]
    pub fn hold(&self) -> Hold {
        self.0.is_held.set(true);
        Hold { ending: self.clone(), suspend: signal(SignalKind::from_raw(Number::TSTP.as_raw())).ok() }
    }
}

/// A command that holds the lock. Dropped, it lets a Ctrl-Z of the meantime stop the process, as stopped it would keep
/// every other command and the daemon from the lock.
#[derive(Debug)]
pub struct Hold {
    ending: Ending,
    suspend: Option<Signal>,
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.ending.0.is_held.set(false);
        self.ending.0.change.notify_waiters();
        let noop = std::task::Waker::noop();
        let came = |signal: &mut Signal| signal.poll_recv(&mut std::task::Context::from_waker(noop)).is_ready();
        if self.suspend.as_mut().is_some_and(came) {
            // SIGSTOP, because SIGTSTP has a handler by now.
            let _ = kill_process(getpid(), Number::STOP);
        }
    }
}

/// In a container's first process: reaps orphans, whose parents have ended. Others wait for ever.
pub async fn reap_orphans() {
    if getpid().as_raw_nonzero().get() != 1 {
        return;
    }
    let Ok(mut ended) = signal(SignalKind::child()) else { return };
    let _: Infallible = loop {
        reap();
        tokio::select! {
            _ = ended.recv() => {}
            // An own child hides those that ended after it.
            () = process::one_ended() => {}
        }
    };
}

/// Reaps until the first one that has ended is a child of ours, whose own waiter asks for its exit code.
fn reap() {
    let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    loop {
        let pid = match waitid(Id::All, look).as_ref().map(WaitStatus::pid) {
            Ok(Some(pid)) if !process::is_own_child(pid.as_raw()) => pid,
            Err(Errno::EINTR) => continue,
            _ => return,
        };
        if waitpid(pid, Some(WaitPidFlag::WNOHANG)).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_has_signal_one_in_its_lowest_bit() {
        assert_eq!([has(0x4001, 1), has(0x4001, 15), has(0x4001, 2)], [true, true, false]);
        assert!(has(1 << 63, 64));
    }
}
