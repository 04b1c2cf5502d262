//! systemd through its own program, where the bus cannot be had. It waits for the job as well.

use crate::core::config::Command;
use crate::edge::netifyd::reload::Attempt;
use crate::edge::netifyd::unit::Unit;
use crate::edge::process;

/// What systemd says about the unit of this name.
pub(super) async fn show(attempt: Attempt<'_>, name: &str) -> Result<Unit, String> {
    let done = run(attempt, &["show", "-p", "LoadState", "-p", "ActiveState", "-p", "MainPID", "--", name]).await?;
    if !done.success {
        return Err(done.failure(&format!("systemctl show {name}")));
    }
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    let value = |key: &str| {
        text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).unwrap_or_default().to_owned()
    };
    Ok(Unit::new(&value("LoadState"), &value("ActiveState"), value("MainPID").parse().unwrap_or(0)))
}

/// Reloads the unit of this name.
pub(super) async fn reload(attempt: Attempt<'_>, name: &str) -> Result<(), String> {
    let done = run(attempt, &["reload", "--", name]).await?;
    if done.success { Ok(()) } else { Err(done.failure(&format!("systemctl reload {name}"))) }
}

async fn run(attempt: Attempt<'_>, arguments: &[&str]) -> Result<process::Finished, String> {
    let program = ["/usr/bin/systemctl", "/bin/systemctl"].into_iter().find(|path| std::path::Path::new(path).exists());
    let program = program.ok_or("systemctl is not installed; set reload.method")?;
    let argv = [program, "--no-ask-password", "--no-pager"]
        .iter()
        .chain(arguments)
        .map(|&word| word.to_owned())
        .collect::<Vec<_>>();
    process::run(&Command::try_from(argv)?, &[], Vec::new(), attempt.left()).await
}
