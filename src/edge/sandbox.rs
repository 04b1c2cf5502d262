//! What the sandbox of the packaged services refuses of a configuration, so that `config check` can say it before.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use crate::core::config::{AbsolutePath, Config};
use crate::edge::service_manager;

/// The daemon's unit, and the one that writes the license.
const DAEMON: &str = "netify-licensed.service";
const WRITER: &str = "netify-licensed-install@check.service";
/// Where the examples are.
const EXAMPLES: &str = "/usr/share/doc/netify-licensed/examples";
/// Longest wait for the service manager.
const PATIENCE: Duration = Duration::from_secs(5);

/// One sentence for each path that a service may not write to, with the drop-in that lets it. Nothing where the packaged
/// services are not there, or the service manager does not answer.
pub async fn refusals(config: &Config) -> Vec<String> {
    let mut found = Vec::new();
    if !service_manager::is_systemd() {
        return found;
    }
    let status = [
        ("status.metrics-textfile", &config.status.metrics_textfile),
        ("status.file", &config.status.file),
        ("status.socket", &config.status.socket),
    ];
    let status = status.map(|(key, path)| (DAEMON, "metrics-textfile.conf", key, path.as_ref()));
    let license = (WRITER, "other-license-path.conf", "license.path", Some(&config.license.path));
    for (unit, example, key, path) in status.into_iter().chain([license]) {
        let Some(path) = path.map(AbsolutePath::as_path) else { continue };
        if writable(unit).await.is_some_and(|places| !places.iter().any(|place| path.starts_with(place))) {
            let (path, unit) = (path.display(), unit.replace("check", ""));
            found.push(format!(
                "{key}: the sandbox of {unit} refuses to write {path}; the drop-in {EXAMPLES}/{example} allows it (systemctl edit {unit})"
            ));
        }
    }
    found
}

/// Where a unit may write; [`None`] where it is not sandboxed or not known.
async fn writable(unit: &str) -> Option<Vec<String>> {
    let program = ["/usr/bin/systemctl", "/bin/systemctl"].into_iter().find(|path| Path::new(path).exists())?;
    let properties = "LoadState,ProtectSystem,ReadWritePaths,RuntimeDirectory,StateDirectory";
    let mut command = tokio::process::Command::new(program);
    command.args(["--no-ask-password", "--no-pager", "show", "-p", properties, "--", unit]).kill_on_drop(true);
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output();
    let output = tokio::time::timeout(PATIENCE, output).await.ok()?.ok()?;
    parse(&String::from_utf8_lossy(&output.stdout))
}

fn parse(text: &str) -> Option<Vec<String>> {
    let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).unwrap_or_default();
    if value("LoadState") != "loaded" || value("ProtectSystem") != "strict" {
        return None;
    }
    let paths = value("ReadWritePaths").split_whitespace().map(|path| path.trim_start_matches(['-', '+']).to_owned());
    let below =
        |parent: &str, names: &str| names.split_whitespace().map(|name| format!("{parent}/{name}")).collect::<Vec<_>>();
    let own = [below("/run", value("RuntimeDirectory")), below("/var/run", value("RuntimeDirectory"))];
    Some(paths.chain(own.concat()).chain(below("/var/lib", value("StateDirectory"))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_unit_may_write_is_read_off_its_properties() {
        let unit = "LoadState=loaded\nProtectSystem=strict\nReadWritePaths=-/srv/a /srv/b\nRuntimeDirectory=n\nStateDirectory=n\n";
        let places = ["/srv/a", "/srv/b", "/run/n", "/var/run/n", "/var/lib/n"];
        assert_eq!(parse(unit), Some(places.map(str::to_owned).to_vec()));
        for other in ["", &unit.replace("loaded", "not-found"), &unit.replace("strict", "no")] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
