//! systemd, through its own program: `systemctl` speaks to it in all versions, and waits for a job's result.

use crate::core::config::Command;
use crate::edge::netifyd::process::Netifyd;
use crate::edge::netifyd::reload::{Asked, Attempt};
use crate::edge::process;

/// What systemd says of netifyd's unit, as far as a reload needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "answers of systemd that do not depend on each other")]
pub(super) struct Unit {
    pub(super) is_installed: bool,
    /// Linked to /dev/null: it cannot be started, by hand neither.
    pub(super) is_masked: bool,
    /// There is a netifyd, or one is being started: a reload waits for the start.
    pub(super) is_active: bool,
    /// It ended, and systemd will not start it again. A unit that restarts never shows this state.
    pub(super) is_down: bool,
    pub(super) main_pid: i32,
}

impl Unit {
    /// From what `systemctl show` prints.
    fn parse(text: &str) -> Self {
        let value =
            |key: &str| text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).unwrap_or_default();
        let is_restarting = value("ActiveState") == "activating" && value("SubState").starts_with("auto-restart");
        Self {
            is_installed: value("LoadState") == "loaded",
            is_masked: value("LoadState") == "masked",
            is_active: !is_restarting
                && matches!(value("ActiveState"), "active" | "reloading" | "refreshing" | "activating"),
            is_down: matches!(value("ActiveState"), "inactive" | "failed"),
            main_pid: value("MainPID").parse().unwrap_or(0),
        }
    }
}

/// The unit's name.
pub(super) fn name(service: &str) -> String {
    if service.ends_with(".service") { service.to_owned() } else { format!("{service}.service") }
}

/// What to say of a unit that is masked.
pub(super) fn masked(name: &str) -> String {
    format!("{name} is masked; run: systemctl unmask {name}")
}

/// Whether systemd runs the unit at the moment; [`Err`] when it cannot be asked: one clause.
pub(super) async fn runs(attempt: Attempt<'_>) -> Result<bool, String> {
    show(attempt).await.map(|unit| unit.is_active)
}

pub(super) async fn reload(attempt: Attempt<'_>) -> Result<Asked, String> {
    let name = name(&attempt.settings.service);
    let before = show(attempt).await?;
    if before.is_masked && !before.is_active {
        return Ok(Asked::NotRunning(masked(&name)));
    }
    if !before.is_installed && !before.is_active {
        return Ok(Asked::NotRunning(format!("{name} is not installed")));
    }
    if !before.is_active {
        return Ok(Asked::NotRunning(format!("{name} does not run")));
    }
    let process = Netifyd::of_manager(before.main_pid);
    let done = run(attempt, &["reload", "--", &name]).await;
    match (done, process) {
        (Ok(done), Ok(process)) if done.success => Ok(Asked::Process(process)),
        (Ok(done), Err(_)) if done.success => Ok(Asked::Unknown),
        // The job fails, too, when netifyd dies of it: whether it comes back is still to be seen.
        (_, Ok(process)) if process.has_ended() => Ok(Asked::Process(process)),
        // systemd's first line says what became of the job; the last one only where to read more.
        (Ok(done), _) => Err(format!("systemctl reload {name}: {}", done.first_words())),
        (Err(reason), _) => Err(format!("systemd's reload job of {name} did not end: {reason}")),
    }
}

/// What systemd says about the unit.
pub(super) async fn show(attempt: Attempt<'_>) -> Result<Unit, String> {
    let name = name(&attempt.settings.service);
    let properties = ["show", "-p", "LoadState", "-p", "ActiveState", "-p", "SubState", "-p", "MainPID", "--", &name];
    let done = run(attempt, &properties).await?;
    if !done.success {
        return Err(done.failure(&format!("systemctl show {name}")));
    }
    Ok(Unit::parse(&String::from_utf8_lossy(&done.stdout)))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_of_a_unit() {
        let unit = |active: &str, sub: &str| {
            let text = format!("LoadState=loaded\nActiveState={active}\nSubState={sub}\nMainPID=7\n");
            let unit = Unit::parse(&text);
            assert_eq!((unit.is_installed, unit.main_pid), (true, 7));
            (unit.is_active, unit.is_down)
        };
        for active in ["active", "reloading", "refreshing", "activating"] {
            assert_eq!(unit(active, "running"), (true, false), "{active}");
        }
        for active in ["deactivating", "maintenance", ""] {
            assert_eq!(unit(active, "dead"), (false, false), "{active}");
        }
        for active in ["inactive", "failed"] {
            assert_eq!(unit(active, "dead"), (false, true), "{active}");
        }
        assert_eq!(unit("activating", "auto-restart"), (false, false), "there is none yet");
        assert_eq!(unit("activating", "auto-restart-queued"), (false, false));
        assert!(!Unit::parse("LoadState=not-found\n").is_installed);
        let masked = Unit::parse("LoadState=masked\nActiveState=inactive\n");
        assert!(masked.is_masked && !masked.is_installed && !masked.is_active);
    }

    #[test]
    fn a_name_is_a_service_unless_it_says_so() {
        assert_eq!(name("netifyd"), "netifyd.service");
        assert_eq!(name("netify-agent@eth0.service"), "netify-agent@eth0.service");
    }
}
