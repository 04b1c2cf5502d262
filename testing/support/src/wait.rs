//! Polling, as a last resort.

use std::io;
use std::time::{Duration, Instant};

/// Calls `condition` every 10 ms until it holds, or fails with `TimedOut` naming `what`.
///
/// Only for things that announce nothing, such as a file that another process writes or an entry in `/proc`.
/// Where something can be waited for, wait for it: a line with [`Proc::wait_for_line`](crate::Proc::wait_for_line),
/// an exit with [`Proc::wait_exit`](crate::Proc::wait_exit), a request with
/// [`RawServer::wait_for_requests`](crate::RawServer::wait_for_requests).
pub fn wait_until(mut condition: impl FnMut() -> bool, timeout: Duration, what: &str) -> io::Result<()> {
    let deadline = Instant::now() + timeout;
    loop {
        if condition() {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(io::Error::new(io::ErrorKind::TimedOut, format!("not within {timeout:?}: {what}")));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}
