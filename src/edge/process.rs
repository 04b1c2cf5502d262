//! Running a program without a shell: a timeout ends its whole process group.

use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::reason;
use crate::core::config::Command;

/// Most output that is kept of a program, in bytes.
const MAX_OUTPUT: u64 = 64 * 1024;

/// Nothing of this process is ever written to a core file: it handles a key that can delete licenses.
pub fn harden() {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    // An old kernel or a strict sandbox may refuse; then its own rules hold.
    let _ = setrlimit(Resource::Core, none);
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
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
    let name = |who: &str| std::fs::read_to_string(format!("/proc/{who}/comm")).ok();
    match rustix::process::test_kill_process(process) {
        Err(rustix::io::Errno::SRCH) => false,
        // Other users' processes may be hidden (hidepid in proc(5)); then it must do that it exists.
        _ => name(&pid.to_string()).is_none_or(|theirs| Some(theirs) == name("self")),
    }
}

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
    /// The end of what it had to say, in one line.
    #[must_use]
    pub fn last_words(&self) -> String {
        let text = if self.stderr.trim_ascii().is_empty() { &self.stdout } else { &self.stderr };
        let text = String::from_utf8_lossy(text);
        let line = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default().trim();
        line.chars().filter(|c| !c.is_control()).take(300).collect()
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

/// Runs `command` with more environment and with `input` on its standard input.
pub async fn run(
    command: &Command,
    environment: &[(&str, String)],
    input: Vec<u8>,
    timeout: Duration,
) -> Result<Finished, String> {
    let program = command.program();
    let mut child = tokio::process::Command::new(program)
        .args(command.arguments())
        .envs(environment.iter().map(|(name, value)| (*name, value)))
        .env_remove("CREDENTIALS_DIRECTORY")
        // Only the daemon itself speaks to the service manager.
        .env_remove("NOTIFY_SOCKET")
        .env_remove("WATCHDOG_USEC")
        .env_remove("WATCHDOG_PID")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("{program}: cannot be started: {}", reason(&error)))?;
    let group = Group(child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)));
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let feed = async {
        if let Some(mut stdin) = stdin {
            // A program that does not read its input is no failure.
            let _ = stdin.write_all(&input).await;
        }
    };
    let drain = |pipe: Option<_>| async move {
        let mut kept = Vec::new();
        if let Some(pipe) = pipe {
            read_some(pipe, &mut kept).await;
        }
        kept
    };
    let drain_error = |pipe: Option<_>| async move {
        let mut kept = Vec::new();
        if let Some(pipe) = pipe {
            read_some(pipe, &mut kept).await;
        }
        kept
    };
    let everything = async {
        // The program's own end counts; a grandchild that keeps the pipes open does not hold us up.
        let output = async { tokio::join!(feed, drain(stdout), drain_error(stderr)) };
        tokio::pin!(output);
        let status = tokio::select! {
            status = child.wait() => status,
            ((), out, err) = &mut output => {
                return (child.wait().await, out, err);
            }
        };
        let ((), out, err) = tokio::time::timeout(Duration::from_millis(200), &mut output).await.unwrap_or_default();
        (status, out, err)
    };
    let Ok((status, stdout, stderr)) = tokio::time::timeout(timeout, everything).await else {
        drop(group);
        return Err(format!(
            "{program}: not done after {} s, so it was ended with all its children",
            timeout.as_secs().max(1)
        ));
    };
    let status = status.map_err(|error| format!("{program}: cannot be waited for: {}", reason(&error)))?;
    let mut group = group;
    group.0 = None;
    Ok(Finished { success: status.success(), status: status.to_string(), stdout, stderr })
}

async fn read_some(pipe: impl tokio::io::AsyncRead + Unpin, kept: &mut Vec<u8>) {
    let mut limited = pipe.take(MAX_OUTPUT);
    let _ = limited.read_to_end(kept).await;
    // What is too much is read and thrown away, so that the program can end.
    let mut rest = limited.into_inner();
    let mut sink = [0_u8; 4_096];
    while matches!(rest.read(&mut sink).await, Ok(read) if read > 0) {}
}
