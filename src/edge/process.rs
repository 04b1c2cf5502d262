//! Running a program without a shell: a timeout ends its whole process group.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Notify, RwLock, RwLockWriteGuard};

use super::reason;
use crate::core::config::Command;
use crate::core::text::clean;
use crate::edge::file::trusted;

/// Most output that is kept of a program, in bytes.
const MAX_OUTPUT: usize = 64 * 1024;
/// Most characters of a line that are passed on.
const MAX_LINE: usize = 300;

/// Nothing of this process is ever written to a core file: it handles a key that can delete licenses.
pub fn harden() {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    // An old kernel or a strict sandbox may refuse; then its own rules hold.
    let _ = setrlimit(Resource::Core, none);
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

/// Name and release of the kernel, and the machine (uname(2)).
#[must_use]
pub fn kernel() -> String {
    let name = rustix::system::uname();
    [name.sysname(), name.release(), name.machine()].map(|part| part.to_string_lossy().into_owned()).join(" ")
}

/// Whether this process may do everything.
#[must_use]
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Whether a process with this id runs this program, as far as any user can tell.
#[must_use]
pub fn is_ours(pid: u32) -> bool {
    let Some(process) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return false };
    let about = |who: &str, what: &str| std::fs::read_to_string(format!("/proc/{who}/{what}")).ok();
    let name = |who: &str| about(who, "comm");
    // One that has ended keeps its id until its parent asks for it. The name in proc_pid_stat(5) may hold a parenthesis.
    let has_ended = |stat: String| stat.rsplit_once(") ").is_some_and(|(_, fields)| fields.starts_with(['Z', 'X']));
    match rustix::process::test_kill_process(process) {
        Err(rustix::io::Errno::SRCH) => false,
        _ if about(&pid.to_string(), "stat").is_some_and(has_ended) => false,
        // Other users' processes may be hidden (hidepid in proc(5)); then it must do that it exists.
        _ => name(&pid.to_string()).is_none_or(|theirs| Some(theirs) == name("self")),
    }
}

/// How long the output of a program that has ended is waited for.
const LATE_OUTPUT: Duration = Duration::from_millis(200);

/// How a program ended.
#[derive(Debug)]
pub struct Finished {
    /// Whether it exited with 0.
    pub success: bool,
    /// `exit status 3`, `signal 9`.
    pub status: String,
    /// Beginning of its standard output.
    pub stdout: Vec<u8>,
    /// Beginning of its standard error.
    pub stderr: Vec<u8>,
}

impl Finished {
    /// What it wrote, errors last; without control characters, empty lines, and what makes a line endless.
    pub fn lines(&self) -> impl Iterator<Item = String> + '_ {
        [&self.stdout, &self.stderr].into_iter().flat_map(|output| lines(output))
    }

    /// The end of what it had to say, in one line.
    #[must_use]
    pub fn last_words(&self) -> String {
        lines(&self.stderr).next_back().or_else(|| lines(&self.stdout).next_back()).unwrap_or_default()
    }

    /// The beginning of what it had to say, in one line.
    #[must_use]
    pub fn first_words(&self) -> String {
        lines(&self.stderr).next().or_else(|| lines(&self.stdout).next()).unwrap_or_else(|| self.status.clone())
    }

    /// One clause about a failure of `what`.
    #[must_use]
    pub fn failure(&self, what: &str) -> String {
        let words = self.last_words();
        let words = if words.is_empty() { words } else { format!(": {words}") };
        format!("{what} ended with {}{words}", self.status)
    }
}

fn lines(output: &[u8]) -> impl DoubleEndedIterator<Item = String> + '_ {
    let clean = |line: &[u8]| -> String { clean(&String::from_utf8_lossy(line)).chars().take(MAX_LINE).collect() };
    output.split(|&byte| byte == b'\n').map(clean).filter(|line| !line.trim().is_empty())
}

thread_local! {
    /// Children that [`run`] waits for.
    static OWN: RefCell<BTreeSet<i32>> = const { RefCell::new(BTreeSet::new()) };
}
/// One of them has ended.
static ENDED: Notify = Notify::const_new();

/// Whether [`run`] waits for this process.
pub(in crate::edge) fn is_own_child(pid: i32) -> bool {
    OWN.with_borrow(|own| own.contains(&pid))
}

/// Waits until [`run`] no longer waits for one of its children.
pub(in crate::edge) async fn one_ended() {
    ENDED.notified().await;
}

/// A child that is waited for.
struct Own(i32);

impl Own {
    fn new(pid: Pid) -> Self {
        let pid = pid.as_raw_nonzero().get();
        OWN.with_borrow_mut(|own| own.insert(pid));
        Self(pid)
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        OWN.with_borrow_mut(|own| own.remove(&self.0));
        ENDED.notify_one();
    }
}

/// Ends the group when the future is dropped or the time is up.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// Read by each program that runs.
static RUNNING: RwLock<()> = RwLock::const_new(());

/// Waits for all programs to end. None is started meanwhile, nor as long as the result is kept.
pub async fn all_ended() -> RwLockWriteGuard<'static, ()> {
    RUNNING.write().await
}

/// Whether a program that is started here may see this variable. Not where secrets lie, nor what holds one (the URL of a
/// proxy has its password, and is spelled in both cases), nor what only the daemon itself uses to speak to the service
/// manager and to the helper.
fn is_for_children(name: &OsStr) -> bool {
    let name = name.to_string_lossy().to_ascii_uppercase();
    let own = ["CREDENTIALS_DIRECTORY", "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"].contains(&name.as_str());
    !own && !name.starts_with("NETIFY_LICENSED_") && (!name.ends_with("_PROXY") || name == "NO_PROXY")
}

/// Runs `command` with more environment and with `input` on its standard input.
pub async fn run(
    command: &Command,
    environment: &[(&str, String)],
    input: Vec<u8>,
    timeout: Duration,
) -> Result<Finished, String> {
    let _running = RUNNING.read().await;
    let program = command.program();
    trusted::program(Path::new(program)).map_err(|why| format!("{program}: not run: {why}"))?;
    let withheld = std::env::vars_os().map(|(name, _)| name).filter(|name| !is_for_children(name));
    let mut prepared = tokio::process::Command::new(program);
    withheld.for_each(|name| {
        prepared.env_remove(name);
    });
    let mut child = prepared
        .args(command.arguments())
        .envs(environment.iter().map(|(name, value)| (*name, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("{program}: cannot be started: {}", reason(&error)))?;
    let group = Group(child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)));
    let _own = group.0.map(Own::new);
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let feed = async {
        if let Some(mut stdin) = stdin {
            // A program that does not read its input is no failure.
            let _ = stdin.write_all(&input).await;
        }
    };
    let (out, err) = (RefCell::default(), RefCell::default());
    let everything = async {
        // The program's own end counts; a grandchild that keeps the pipes open does not hold us up.
        let output = async { tokio::join!(feed, read_some(stdout, &out), read_some(stderr, &err)) };
        tokio::pin!(output);
        tokio::select! {
            status = child.wait() => {
                let _ = tokio::time::timeout(LATE_OUTPUT, &mut output).await;
                status
            }
            _ = &mut output => child.wait().await,
        }
    };
    let ended = tokio::time::timeout(timeout, everything).await;
    let (stdout, stderr) = (out.into_inner(), err.into_inner());
    let Ok(status) = ended else {
        drop(group);
        let finished = Finished { success: false, status: String::new(), stdout, stderr };
        let words = finished.last_words();
        let words = if words.is_empty() { words } else { format!("; its last words: {words}") };
        // Whole seconds, so that the same reason reads the same each time.
        let limit = timeout.as_secs_f32().ceil();
        return Err(format!("{program}: not done after {limit} s, so it was ended with all its children{words}"));
    };
    let status = status.map_err(|error| format!("{program}: cannot be waited for: {}", reason(&error)))?;
    let mut group = group;
    group.0 = None;
    Ok(Finished { success: status.success(), status: status.to_string(), stdout, stderr })
}

/// Keeps the beginning of what comes. The rest is read and thrown away, so that the program can end.
async fn read_some(pipe: Option<impl tokio::io::AsyncRead + Unpin>, kept: &RefCell<Vec<u8>>) {
    let Some(mut pipe) = pipe else { return };
    let mut buffer = [0_u8; 4_096];
    while let Ok(read @ 1..) = pipe.read(&mut buffer).await {
        let mut kept = kept.borrow_mut();
        let room = MAX_OUTPUT - kept.len();
        kept.extend_from_slice(&buffer[..read.min(room)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_get_no_credentials_from_the_environment() {
        let may_see = |name: &str| is_for_children(OsStr::new(name));
        for name in ["HTTPS_PROXY", "https_proxy", "http_proxy", "ALL_PROXY", "CREDENTIALS_DIRECTORY", "NOTIFY_SOCKET"]
        {
            assert!(!may_see(name), "{name}");
        }
        for name in ["PATH", "LANG", "no_proxy", "LICENSE_PATH", "STATE_DIRECTORY"] {
            assert!(may_see(name), "{name}");
        }
    }

    #[test]
    fn a_process_that_has_ended_is_not_ours_any_more() {
        let program = std::env::current_exe().expect("this program");
        let mut child = std::process::Command::new(program)
            .arg("--list")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("it starts");
        let pid = child.id();
        assert!(is_ours(std::process::id()));
        let stat = || std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let ended = test_support::wait_until(|| stat().contains(") Z "), Duration::from_secs(20), "it has ended");
        assert!(ended.is_ok() && !is_ours(pid), "{ended:?}: {}", stat());
        child.wait().expect("it ended");
    }
}
