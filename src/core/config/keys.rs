//! The one table of configuration keys: the sample file, the manual page and the hints for typing errors come from it.

/// One key.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Section, without brackets.
    pub section: &'static str,
    /// Name within the section.
    pub name: &'static str,
    /// The default as TOML; empty when the key is unset by default.
    pub default: &'static str,
    /// A value to show, as TOML, for keys without a default.
    pub example: &'static str,
    /// What it means, in full sentences.
    pub doc: &'static str,
}

const fn key(
    section: &'static str,
    name: &'static str,
    default: &'static str,
    example: &'static str,
    doc: &'static str,
) -> Key {
    Key { section, name, default, example, doc }
}

/// Every section with one sentence.
pub const SECTIONS: [(&str, &str); 12] = [
    ("license", "The file that netifyd reads."),
    ("device", "Which of the device's identifiers is its DUID."),
    ("trust", "Whose licenses are genuine."),
    ("hub", "Where licenses come from. The API key itself never stands here."),
    ("renewal", "When to renew, and how to try again."),
    ("provision", "Creating a license for a device that has none."),
    ("netifyd", "Where netifyd's own files are."),
    ("reload", "How netifyd is told that it has a new license."),
    ("clock", "Whether this machine's clock is known to be right."),
    ("hooks", "Programs to run."),
    ("status", "Where the state is published."),
    ("log", "What is logged, and how."),
];

/// Every key, in the order of the sample file.
pub const KEYS: [Key; 50] = [
    key(
        "license",
        "path",
        "\"/etc/netifyd/license.json\"",
        "",
        "The license file. It is replaced atomically; owner and mode are kept.",
    ),
    key(
        "license",
        "serial",
        "",
        "\"2026-3638-61034042\"",
        "Serial number to keep installed. Unset: the installed license's, else the one that the hub lists for this device's DUID.",
    ),
    key(
        "device",
        "duid",
        "",
        "\"4c4c4544-0042-3510-8052-b4c04f4d3733\"",
        "The DUID itself. Excludes duid-file and duid-command.",
    ),
    key("device", "duid-file", "", "\"/etc/device-id\"", "A file that holds the DUID."),
    key(
        "device",
        "duid-command",
        "",
        "[\"/usr/bin/thing\", \"arg\"]",
        "A program that prints the DUID; no shell, ten seconds at most.",
    ),
    key(
        "device",
        "sources",
        "[\"netifyd-serial\", \"dmi\", \"device-tree\", \"machine-id\"]",
        "",
        "Where to look for the DUID when none of the above is set: the first usable one wins. Also \"netifyd-agent\" and \"mac:IFACE\". The machine id is used in a derived form only.",
    ),
    key(
        "trust",
        "mode",
        "\"signature\"",
        "",
        "\"signature\": only licenses signed by a trusted key. \"transport\": whatever the hub sends over a verified connection; every report then says that the signature was not checked.",
    ),
    key(
        "trust",
        "scheme",
        "\"ed25519-jcs\"",
        "",
        "How licenses are signed: Ed25519 (RFC 8032) over canonical JSON (RFC 8785).",
    ),
    key(
        "trust",
        "keys",
        "[\"/etc/netify-licensed/keys.d\"]",
        "",
        "PEM files with public keys, or directories of *.pem files. Nobody but root and the daemon's own user may be able to write there.",
    ),
    key("trust", "require-device-binding", "false", "", "Refuse licenses that name no device."),
    key(
        "hub",
        "kind",
        "\"api\"",
        "",
        "\"api\": the Licensing API. \"relay\": a GET of hub.url returns the license, bare or in the API's envelope.",
    ),
    key(
        "hub",
        "url",
        "\"https://hub.netify.ai/api/v2/integrator\"",
        "",
        "Base URL of the API, or the URL of the relay. Plain http:// for loopback addresses only. A socket is \"unix:/run/relay.sock\", or \"unix:/run/relay.sock:/path\".",
    ),
    key(
        "hub",
        "api-key-file",
        "",
        "\"/etc/netify-licensed/api-key\"",
        "File with the API key, readable by its owner only. The systemd credential `api-key` comes first. Read for each attempt. Not needed where a relay in front adds it and another credential is set.",
    ),
    key("hub", "username", "", "\"system-id\"", "User name for a relay with Basic authentication."),
    key("hub", "password-file", "", "\"/etc/netify-licensed/relay-password\"", "File with the password for it."),
    key(
        "hub",
        "bearer-token-file",
        "",
        "\"/etc/netify-licensed/relay-token\"",
        "File with the token for a relay with bearer authentication.",
    ),
    key(
        "hub",
        "ca-file",
        "",
        "\"/etc/netify-licensed/ca.pem\"",
        "Certificates to trust for the hub instead of the system's: authorities, or the server's own self-signed one.",
    ),
    key(
        "hub",
        "client-cert",
        "",
        "\"/etc/netify-licensed/client.pem\"",
        "Client certificate, for a hub that asks for one.",
    ),
    key("hub", "client-key", "", "\"/etc/netify-licensed/client-key.pem\"", "Its private key."),
    key(
        "hub",
        "proxy",
        "",
        "\"http://proxy.example:3128\"",
        "HTTP proxy. Unset: HTTPS_PROXY and NO_PROXY of the environment.",
    ),
    key("hub", "connect-timeout", "\"10s\"", "", "Longest wait for a connection."),
    key("hub", "timeout", "\"30s\"", "", "Longest time for a whole request."),
    key(
        "renewal",
        "renew-before",
        "",
        "\"3d\"",
        "Length of the renewal window before the expiry. Unset: half of the license's life up to 10 days, the last third above. The moment is drawn once per license from the first half of the window.",
    ),
    key("renewal", "term-days", "", "30", "Days to ask for at each renewal. Unset: the hub decides."),
    key("renewal", "min-retry", "\"1m\"", "", "Shortest wait after a failed attempt."),
    key(
        "renewal",
        "max-retry",
        "\"6h\"",
        "",
        "Longest wait after failed attempts. Close to the expiry attempts come closer together.",
    ),
    key(
        "renewal",
        "accept-changes-after",
        "\"24h\"",
        "",
        "How long a license that ends later and entitles to less, or to something else, is offered before it is installed by itself. It never waits longer than a quarter of what was left, nor into the last fifth of the renewal window. \"0s\": at once. `netify-licensed renew --accept-changes` does not wait.",
    ),
    key(
        "renewal",
        "active-file",
        "",
        "\"/run/ha/active\"",
        "For a pair of nodes of which one is active: while this file does not exist, this node is on standby, asks no hub and leaves the license to whoever copies it here. When the file appears, this node takes over.",
    ),
    key(
        "provision",
        "enabled",
        "false",
        "",
        "Let the daemon create a license when the device has none or the hub has lost it, at most once a day.",
    ),
    key("provision", "issued-to", "", "\"Toronto Office\"", "Name on the license."),
    key(
        "provision",
        "entitlements",
        "[]",
        "[\"netify-proc-aggregator\"]",
        "What the license shall entitle to, such as [\"netify-proc-aggregator\"]. Asking for more than the license has is reported, never acted on.",
    ),
    key("provision", "term-days", "", "30", "Days to ask for. Unset: the hub decides."),
    key("provision", "description", "", "\"Flow actions\"", "Description to store with it."),
    key("provision", "notes", "", "\"Rack 4\"", "Note to store with it."),
    key("provision", "renewable", "", "true", "Ask for a renewable license. Needs a right of the API key."),
    key("provision", "transferable", "", "false", "Ask for a transferable license. Needs a right of the API key."),
    key(
        "netifyd",
        "config-file",
        "\"/etc/netifyd/netifyd.conf\"",
        "",
        "netifyd's configuration. Its paths of PID file, control socket, serial.uuid, agent.uuid and status.json hold where the keys here are not set, if only root can write the file and the directories above. license.path does not follow it.",
    ),
    key(
        "reload",
        "method",
        "\"auto\"",
        "",
        "\"systemd\", \"procd\", \"socket\", \"signal\", \"command\", \"none\", or \"auto\": what fits the running system.",
    ),
    key("reload", "service", "\"netifyd\"", "", "Name of the service and of the executable."),
    key(
        "reload",
        "pid-file",
        "\"/var/run/netifyd/netifyd.pid\"",
        "",
        "netifyd's PID file, for \"signal\". Read each time.",
    ),
    key(
        "reload",
        "socket",
        "\"/var/run/netifyd/netifyd.sock\"",
        "",
        "netifyd's control socket, for \"socket\" and for confirmation.",
    ),
    key(
        "reload",
        "command",
        "",
        "[\"/usr/sbin/service\", \"netifyd\", \"reload\"]",
        "Program for \"command\"; no shell. LICENSE_SERIAL and LICENSE_PATH are in its environment.",
    ),
    key(
        "reload",
        "timeout",
        "\"60s\"",
        "",
        "Longest time for a reload and its confirmation, at least \"5s\". A netifyd with its control socket answers as soon as the reload is over; without one it is watched for three seconds.",
    ),
    key(
        "clock",
        "trust",
        "\"auto\"",
        "",
        "\"auto\": doubt the clock when there is evidence against it. \"always\": it is known to be right.",
    ),
    key(
        "hooks",
        "on-change",
        "",
        "[\"/usr/local/bin/on-license-change\"]",
        "Program to run when the state changes: the status as JSON on its standard input, ten seconds at most.",
    ),
    key(
        "status",
        "file",
        "\"/run/netify-licensed/status.json\"",
        "",
        "Status as JSON. By default in $RUNTIME_DIRECTORY.",
    ),
    key(
        "status",
        "socket",
        "\"/run/netify-licensed/control.sock\"",
        "",
        "Control socket. By default in $RUNTIME_DIRECTORY.",
    ),
    key(
        "status",
        "metrics-textfile",
        "",
        "\"/var/lib/prometheus/node-exporter/netify-licensed.prom\"",
        "Metrics for the textfile collector of Prometheus' node_exporter. The directory has to be there.",
    ),
    key("log", "level", "\"info\"", "", "\"error\", \"warn\", \"info\", \"debug\" or \"trace\"."),
    key(
        "log",
        "format",
        "\"auto\"",
        "",
        "\"journald\", \"text\", \"json\", or \"auto\": journald when the journal is connected, else text.",
    ),
];

/// The commented sample configuration: every key, with its meaning and its default or an example.
#[must_use]
pub fn sample() -> String {
    let header = "# netify-licensed configuration. TOML; every key is optional and shown with its default, or commented out with\n\
         # an example. `netify-licensed config check` finds mistakes, `netify-licensed config show` prints what is in force.\n";
    document(header, |key| {
        // Paths below the runtime directory follow $RUNTIME_DIRECTORY only while they are not set.
        let follows_environment = key.section == "status";
        match (key.default, follows_environment) {
            ("", _) => format!("# {} = {}", key.name, key.example),
            (default, true) => format!("# {} = {default}", key.name),
            (default, false) => format!("{} = {default}", key.name),
        }
    })
}

/// Every key with its meaning, and below that what `line` says of it.
pub(super) fn document(header: &str, line: impl Fn(&Key) -> String) -> String {
    let mut text = header.to_owned();
    for (section, about) in SECTIONS {
        text.push_str(&format!("\n# {about}\n[{section}]\n"));
        for key in KEYS.iter().filter(|key| key.section == section) {
            for line in wrap(key.doc, 110) {
                text.push_str(&format!("# {line}\n"));
            }
            text.push_str(&line(key));
            text.push('\n');
        }
    }
    text
}

/// Breaks a text into lines of at most `width` characters.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::config::{Config, parse};

    #[test]
    fn the_sample_is_the_defaults() {
        assert_eq!(parse(&sample(), "sample"), Ok(Config::default()));
    }

    #[test]
    fn every_line_of_the_sample_loads() {
        let setting =
            |line: &str| line.split_once(" = ").is_some_and(|(name, _)| KEYS.iter().any(|key| key.name == name));
        let mut section = String::new();
        let mut seen = 0;
        for line in sample().lines() {
            if line.starts_with('[') {
                line.clone_into(&mut section);
            }
            let bare = line.strip_prefix("# ").unwrap_or(line);
            if !setting(bare) {
                continue;
            }
            seen += 1;
            let text = format!("{section}\n{bare}\n");
            let error = parse(&text, "line").err().map(|error| error.message).unwrap_or_default();
            assert!(error.is_empty() || error.contains("belong together"), "{text}: {error}");
        }
        assert_eq!(seen, KEYS.len());
    }

    #[test]
    fn the_table_and_the_structure_agree() {
        let mut full = String::new();
        for (section, _) in SECTIONS {
            full.push_str(&format!("[{section}]\n"));
            let mut keys: Vec<&Key> = KEYS.iter().filter(|key| key.section == section).collect();
            keys.retain(|key| !matches!(key.name, "duid-file" | "duid-command" | "bearer-token-file"));
            for key in keys {
                let value = if key.default.is_empty() || key.default == "[]" { key.example } else { key.default };
                let value = if value.is_empty() { "[\"x\"]" } else { value };
                full.push_str(&format!("{} = {value}\n", key.name));
            }
        }
        let rendered = crate::core::config::render(&parse(&full, "full").expect("valid"));
        let set = rendered.lines().filter(|line| !line.starts_with('#'));
        let names = set.filter_map(|line| line.split_once(" = ")).count();
        assert_eq!(names, KEYS.len() - 3, "a key of the structure is not in the table, or the reverse:\n{rendered}");
    }
}
