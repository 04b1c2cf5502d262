//! systemd: `ReloadUnit`, which waits for the job's result.

use super::Asked;
use super::process::Netifyd;
use crate::core::config::{Command, Reload};
use crate::edge::process;

/// What systemd says about a unit.
struct Unit {
    loaded: bool,
    active: bool,
    main_pid: i32,
}

fn unit(settings: &Reload) -> String {
    if settings.service.ends_with(".service") {
        settings.service.clone()
    } else {
        format!("{}.service", settings.service)
    }
}

/// Whether systemd knows the unit.
pub(super) async fn knows(settings: &Reload) -> bool {
    show(settings).await.is_ok_and(|unit| unit.loaded)
}

pub(super) async fn reload(settings: &Reload) -> Result<Asked, String> {
    let name = unit(settings);
    let before = show(settings).await?;
    if !before.loaded {
        return Ok(Asked::NotRunning(format!("{name} is not installed")));
    }
    if !before.active {
        return Ok(Asked::NotRunning(format!("{name} does not run")));
    }
    let process = Netifyd::open(before.main_pid, settings).ok();
    let done = systemctl(&["reload", "--", &name], settings).await?;
    if !done.success {
        return Err(format!("systemctl reload {name}: {} ({})", done.status, done.last_words()));
    }
    Ok(process.map_or(Asked::Confirmed, Asked::Process))
}

async fn show(settings: &Reload) -> Result<Unit, String> {
    let name = unit(settings);
    let done =
        systemctl(&["show", "-p", "LoadState", "-p", "ActiveState", "-p", "MainPID", "--", &name], settings).await?;
    if !done.success {
        return Err(format!("systemctl show {name}: {} ({})", done.status, done.last_words()));
    }
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    let value = |key: &str| {
        text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).unwrap_or_default().to_owned()
    };
    Ok(Unit {
        loaded: value("LoadState") == "loaded",
        active: matches!(value("ActiveState").as_str(), "active" | "reloading"),
        main_pid: value("MainPID").parse().unwrap_or(0),
    })
}

async fn systemctl(arguments: &[&str], settings: &Reload) -> Result<process::Finished, String> {
    let program = ["/usr/bin/systemctl", "/bin/systemctl"].into_iter().find(|path| std::path::Path::new(path).exists());
    let program = program.ok_or("systemctl is not installed; set reload.method")?;
    let argv = [program, "--no-ask-password", "--no-pager"]
        .iter()
        .chain(arguments)
        .map(|&word| word.to_owned())
        .collect::<Vec<_>>();
    process::run(&Command::try_from(argv)?, &[], Vec::new(), settings.timeout.duration()).await
}
