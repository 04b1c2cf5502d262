//! Programs that a test writes.

use std::io;
use std::path::Path;
use std::process::Command;

/// Makes a file executable for everybody, so that it can be started at once.
///
/// The kernel does not execute a file that any process has open for writing. Where tests run in threads, a child that
/// another thread is starting holds every descriptor of this process until it has called exec, the one with which the
/// file was written too. So another process, which has one thread, writes the file anew.
pub fn make_executable(path: &Path) -> io::Result<()> {
    let script = r#"cp "$0" "$0.new" && chmod 0755 "$0.new" && mv -f "$0.new" "$0""#;
    let output = Command::new("/bin/sh").args(["-c", script]).arg(path).output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!("{}: {}", path.display(), String::from_utf8_lossy(&output.stderr).trim())))
}
