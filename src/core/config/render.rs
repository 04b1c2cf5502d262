//! From TOML text to a checked configuration, and back.

use std::fmt;

use serde::Deserialize;

use crate::core::config::error::{explain, line_of, line_of_key, no_section};
use crate::core::config::keys::document;
use crate::core::config::{Config, HubKind, HubUrl, ReloadMethod, TrustMode};
use crate::core::text::clean;
use crate::core::time::{Millis, SECOND};

/// Shortest `reload.timeout`: netifyd is watched for three seconds, and has to be asked before.
const SHORTEST_RELOAD: Millis = 5 * SECOND;

/// One mistake: which file, which line, what it is, what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The file.
    pub path: String,
    /// Line (from 1) where there is one.
    pub line: Option<usize>,
    /// One sentence.
    pub message: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.path, self.message),
            None => write!(f, "{}: {}", self.path, self.message),
        }
    }
}

impl std::error::Error for ConfigError {}

/// Parses and checks a configuration. `path` is for messages only.
pub fn parse(text: &str, path: &str) -> Result<Config, ConfigError> {
    let fail = |line, message| ConfigError { path: path.to_owned(), line, message };
    let document =
        toml::Deserializer::parse(text).map_err(|e| fail(line_of(text, e.span()), e.message().to_owned()))?;
    if let Some((line, message)) = no_section(text) {
        return Err(fail(line, message));
    }
    let config = Config::deserialize(document).map_err(|error| {
        let (line, message) = explain(error.message(), text, error.span());
        fail(line, message)
    })?;
    if let Some((key, message)) = contradiction(&config) {
        return Err(ConfigError { path: path.to_owned(), line: line_of_key(text, key), message });
    }
    Ok(config)
}

impl ConfigError {
    /// A mistake found later, about a key of this text.
    #[must_use]
    pub fn about(path: &str, text: &str, key: &str, message: String) -> Self {
        Self { path: path.to_owned(), line: line_of_key(text, key), message }
    }
}

/// The effective configuration as TOML, each key with its meaning; passwords in URLs are redacted.
#[must_use]
pub fn render(config: &Config) -> String {
    let values = match toml::Table::try_from(config) {
        Ok(values) => values,
        Err(error) => return format!("# cannot be shown: {error}\n"),
    };
    document("# What is in force. A key that differs from its default names that.\n", |key| {
        let name = key.name;
        let value = values.get(key.section).and_then(|section| section.get(name)).map(toml::Value::to_string);
        let followed = format!("{}.{name}", key.section);
        if let Some(value) = value.as_ref().filter(|_| config.netifyd_files.followed.contains(&followed.as_str())) {
            return format!("# From {}\n{name} = {value}", config.netifyd.config_file.as_path().display());
        }
        if (key.section, name) == ("netifyd", "config-file") {
            return netifyd_files(config, &value.unwrap_or_default());
        }
        match (value, key.default) {
            (None, "") => format!("# {name} is not set."),
            (None, default) => format!("# {name} = {default}"),
            (Some(value), "") => format!("{name} = {value}"),
            (Some(value), default) if value == default => format!("{name} = {value}"),
            (Some(value), default) => format!("# Default: {default}\n{name} = {value}"),
        }
    })
}

/// netifyd's configuration, with where the files are that have no key of their own.
fn netifyd_files(config: &Config, value: &str) -> String {
    let files = &config.netifyd_files;
    let mut text = format!("config-file = {value}");
    if let Some(why) = &files.refused {
        text.push_str(&format!("\n# Not used: {}", clean(why)));
    }
    let from = config.netifyd.config_file.as_path().display();
    for (name, path) in [("serial.uuid", &files.serial), ("agent.uuid", &files.agent), ("status.json", &files.status)] {
        let origin = if files.followed.contains(&name) { format!("from {from}") } else { "built in".to_owned() };
        text.push_str(&format!("\n# {name}: {} ({origin})", clean(&path.display().to_string())));
    }
    text
}

/// Checks that need more than one key.
fn contradiction(config: &Config) -> Option<(&'static str, String)> {
    let device = &config.device;
    let given = [device.duid.is_some(), device.duid_file.is_some(), device.duid_command.is_some()];
    let hub = &config.hub;
    let say = |key, message: &str| Some((key, message.to_owned()));
    if given.iter().filter(|given| **given).count() > 1 {
        return say("device.duid", "device.duid, duid-file and duid-command exclude each other; keep one of them");
    }
    if device
        .duid
        .as_ref()
        .is_some_and(|duid| duid.is_empty() || duid.len() > 128 || !duid.bytes().all(|b| b.is_ascii_graphic()))
    {
        return say("device.duid", "device.duid wants 1 to 128 printable ASCII characters without spaces");
    }
    if config.trust.mode == TrustMode::Signature && config.trust.keys.is_empty() {
        return say(
            "trust.keys",
            "trust.keys is empty, and trust.mode is \"signature\"; name the file or the directory with the vendor's public key, or set trust.mode = \"transport\"",
        );
    }
    if config.renewal.min_retry.millis() > config.renewal.max_retry.millis() {
        return say("renewal.min-retry", "renewal.min-retry is longer than renewal.max-retry; make it shorter");
    }
    if config.renewal.term_days == Some(0) {
        return say("renewal.term-days", "renewal.term-days wants a number of days from 1");
    }
    if config.provision.term_days == Some(0) {
        return say("provision.term-days", "provision.term-days wants a number of days from 1");
    }
    if config.reload.method == ReloadMethod::Command && config.reload.command.is_none() {
        return say(
            "reload.method",
            "reload.method is \"command\", and reload.command is not set; write the program and its arguments there",
        );
    }
    if config.reload.timeout.millis() < SHORTEST_RELOAD {
        return say(
            "reload.timeout",
            "reload.timeout is too short to see whether netifyd survives its reload; write at least \"5s\"",
        );
    }
    let service = &config.reload.service;
    let name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'@' | b':' | b'\\');
    if service.is_empty() || service.starts_with(['-', '.']) || !service.bytes().all(name) {
        return say(
            "reload.service",
            "reload.service is not the name of a service; write it without a path, such as \"netifyd\"",
        );
    }
    if hub.client_cert.is_some() != hub.client_key.is_some() {
        return say("hub.client-cert", "hub.client-cert and hub.client-key belong together; set both or neither");
    }
    if hub.username.is_some() != hub.password_file.is_some() {
        return say("hub.username", "hub.username and hub.password-file belong together; set both or neither");
    }
    if hub.username.as_ref().is_some_and(|user| user.contains(':')) {
        return say(
            "hub.username",
            "hub.username cannot hold a colon (RFC 7617); everything after it would become the password",
        );
    }
    if hub.username.is_some() && hub.bearer_token_file.is_some() {
        return say(
            "hub.bearer-token-file",
            "hub.username and hub.bearer-token-file exclude each other; keep one of them",
        );
    }
    if hub.kind == HubKind::Api && hub.url.as_url().query().is_some() {
        return say("hub.url", "hub.url is a base to which paths are added, so it cannot have a query (?…)");
    }
    if let Some(base) =
        hub.url.text().trim_end_matches('/').strip_suffix("/licenses").filter(|_| hub.kind == HubKind::Api)
    {
        return say("hub.url", &format!("hub.url is a base to which /licenses is added; write \"{base}\""));
    }
    if config.provision.enabled && hub.kind == HubKind::Relay {
        return say(
            "provision.enabled",
            "a relay cannot create licenses; set provision.enabled = false or hub.kind = \"api\"",
        );
    }
    if hub.kind == HubKind::Relay && hub.url == HubUrl::vendor() {
        return say("hub.kind", "hub.kind is \"relay\", and hub.url is the API's; write the relay's URL there");
    }
    let wants = &config.provision;
    let is_blank = |name: &String| name.trim().is_empty();
    let says_what = !wants.issued_to.as_ref().is_none_or(is_blank) && !wants.entitlements.is_empty();
    if wants.enabled && (!says_what || wants.entitlements.iter().any(is_blank)) {
        return say("provision.enabled", "provision.enabled needs provision.issued-to and provision.entitlements");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn error(text: &str) -> String {
        parse(text, "c.toml").err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn mistakes_have_a_line_and_a_remedy() {
        assert_eq!(error("[trust]\nmdoe = \"x\"\n"), "c.toml:2: unknown key `mdoe` in [trust]; did you mean `mode`?");
        assert!(error("[renewal]\nrneewbefor = \"3d\"\n").ends_with("did you mean `renew-before`?"));
        assert!(
            error("[hub]\nproxy = \"socks://x\"\n")
                .starts_with("c.toml:2: hub.proxy is not the URL of an HTTP proxy; write \"http://")
        );
        assert_eq!(
            error("[renewal]\nrenew-befor = \"3d\"\n"),
            "c.toml:2: unknown key `renew-befor` in [renewal]; did you mean `renew-before`?"
        );
        assert_eq!(error("\n[renewl]\n"), "c.toml:2: unknown key `renewl`; did you mean `renewal`?");
        assert_eq!(
            error("[renewal]\npid-file = \"/x\"\n"),
            "c.toml:2: unknown key `pid-file` in [renewal]; it belongs to [reload]"
        );
        assert!(error("[hub]\nzzzzzzzzzzzz = 1\n").contains("known are kind, url"));
        assert!(
            error("[hub]\nurl = \"http://hub.example/\"\n")
                .starts_with("c.toml:2: hub.url: `http://hub.example/` would send the API key in the clear")
        );
        assert!(error("[hub]\nurl = \"ftp://hub.example/\"\n").contains("scheme ftp"));
        assert!(error("[hub]\nurl = \"https://u:p@hub.example/\"\n").contains(
            "credentials do not belong into the URL; write `https://hub.example/`, and set hub.username and"
        ));
        assert!(
            error("[hub]\nurl = \"https://hub.example/x#frag\"\n")
                .ends_with("requested; write `https://hub.example/x`")
        );
        for end in ["licenses", "licenses/"] {
            assert_eq!(
                error(&format!("[hub]\nurl = \"https://hub.example/api/v2/{end}\"\n")),
                "c.toml:2: hub.url is a base to which /licenses is added; write \"https://hub.example/api/v2\""
            );
            assert_eq!(error(&format!("[hub]\nkind = \"relay\"\nurl = \"https://hub.example/{end}\"\n")), "");
        }
        for (url, shown) in [
            ("unix:/run/relay.sock", "unix:/run/relay.sock"),
            ("unix:/run/relay.sock:/api/v2", "unix:/run/relay.sock:/api/v2"),
            ("unix:/run/relay.sock:/l?token=x", "unix:/run/relay.sock:/l?REDACTED"),
        ] {
            let kind = if url.contains('?') { "relay" } else { "api" };
            let config = parse(&format!("[hub]\nkind = \"{kind}\"\nurl = \"{url}\"\n"), "c.toml").expect("a URL");
            assert_eq!(config.hub.url.text(), shown);
        }
        for url in ["unix:relay.sock", "unix:", "unix://host/x#y"] {
            assert!(error(&format!("[hub]\nurl = \"{url}\"\n")).contains("absolute path of a socket behind unix:"));
        }
        for (proxy, shown) in
            [("http://token@p:1", "http://REDACTED@p:1/"), ("http://u:pw@p:1", "http://u:REDACTED@p:1/")]
        {
            let config = parse(&format!("[hub]\nproxy = \"{proxy}\"\n"), "c.toml").expect("a proxy");
            assert!(render(&config).contains(shown));
        }
        for proxy in ["http://u:1#geheim@p:3128", "http://u:1/geheim@p:3128", "http://u:ge#heim@p:3128", "p:3128"] {
            let sentence = error(&format!("[hub]\nproxy = \"{proxy}\"\n"));
            assert!(sentence.contains("%23 for #") && !sentence.contains("heim"), "{sentence}");
        }
        for url in [
            "https://u:geheim@hub.example/",
            "http://u:geheim@hub.example/",
            "ftp://u:geheim@h/",
            "https://u:geheim@h:x/",
            "u:geheim@h",
        ] {
            let sentence = error(&format!("[hub]\nurl = \"{url}\"\n"));
            assert!(sentence.starts_with("c.toml:2: ") && !sentence.contains("geheim"), "{sentence}");
        }
        for url in ["http://relay.example/x?token=geheim", "ftp://h/#geheim", "https://h:x/?geheim", "x?geheim"] {
            let sentence = error(&format!("[hub]\nurl = \"{url}\"\n"));
            assert!(sentence.starts_with("c.toml:2: ") && !sentence.contains("geheim"), "{sentence}");
        }
        for key in ["api-key-file", "password-file", "bearer-token-file", "client-key"] {
            for value in ["\"geheim-123\"", "geheim-123", "\"geheim", "[\"geheim\"]"] {
                let sentence = error(&format!("[hub]\n{key} = {value}\n"));
                assert!(sentence.starts_with("c.toml:2: ") && !sentence.contains("geheim"), "{sentence}");
            }
        }
        assert!(error("[renewal]\nmin-retry = \"soon\"\n").contains("`soon` is not a duration"));
        assert!(error("[renewal]\nmin-retry = \"7h\"\n").starts_with("c.toml:2: renewal.min-retry is longer"));
        assert!(error("[license]\npath = \"license.json\"\n").contains("not an absolute path"));
        assert!(error("[license]\nserial = \"../x\"\n").contains("not a serial number"));
        assert!(
            error("[device]\nduid = \"a\"\nduid-file = \"/b\"\n")
                .starts_with("c.toml:2: device.duid, duid-file and duid-command")
        );
        assert!(
            error("[hub]\nkind = \"relay\"\n")
                .starts_with("c.toml:2: hub.kind is \"relay\", and hub.url is the API's;")
        );
        assert!(error("[device]\nsources = [\"dmi\", \"bios\"]\n").contains("`bios` is no source"));
        assert!(error("[reload]\nmethod = \"command\"\n").starts_with("c.toml:2: reload.method is"));
        assert!(error("[reload]\ntimeout = \"4999ms\"\n").starts_with("c.toml:2: reload.timeout is too short"));
        assert_eq!(error("[reload]\ntimeout = \"5s\"\n"), "");
        assert!(error("[reload]\ncommand = [\"thing\"]\n").contains("absolute path of a program"));
        assert!(error("[reload]\nservice = \"../x\"\n").contains("not the name of a service"));
        assert!(
            error("[hub]\nkind = \"relay\"\n[provision]\nenabled = true\n")
                .starts_with("c.toml:4: a relay cannot create")
        );
        for given in ["", "issued-to = \"\"\nentitlements = [\"x\"]", "issued-to = \"A\"\nentitlements = [\" \"]"] {
            assert!(
                error(&format!("[provision]\nenabled = true\n{given}\n"))
                    .starts_with("c.toml:2: provision.enabled needs provision.issued-to and provision.entitlements")
            );
        }
        assert!(error("[hub]\nusername = \"x\"\n").contains("belong together"));
        assert!(
            error("[hub]\nusername = \"x:y\"\npassword-file = \"/p\"\n")
                .starts_with("c.toml:2: hub.username cannot hold a colon")
        );
        assert!(error("a = [\n").starts_with("c.toml:"));
        assert!(error("x = 1\n").starts_with("c.toml:1: unknown key `x`"));
        assert_eq!(
            error("[hub]\nkind = \"api\"\nurll = \"x\"\n"),
            "c.toml:3: unknown key `urll` in [hub]; did you mean `url`?"
        );
        assert!(
            error("[hub]\nproxy = \"secret\"\n").contains("is not the URL of a proxy")
                && !error("[hub]\nproxy = \"secret\"\n").contains("secret")
        );
    }

    #[test]
    fn a_value_of_another_type_is_told_what_is_wanted() {
        for (text, sentence) in [
            ("[renewal]\n\nmin-retry = 5\n", "c.toml:3: renewal.min-retry wants a text in quotes, such as \"1m\""),
            ("[trust]\nmode = \"maybe\"\n", "c.toml:2: trust.mode wants `signature` or `transport`, not `maybe`"),
            ("[trust]\nmode = 1\n", "c.toml:2: trust.mode wants a text in quotes, such as \"signature\""),
            (
                "[renewal]\nterm-days = 70000\n",
                "c.toml:2: renewal.term-days wants a whole number from 1 to 65535, such as 30",
            ),
            (
                "[provision]\nterm-days = -3\n",
                "c.toml:2: provision.term-days wants a whole number from 1 to 65535, such as 30",
            ),
            (
                "[trust]\nkeys = \"/x\"\n",
                "c.toml:2: trust.keys wants a list of texts in quotes, such as [\"/etc/netify-licensed/keys.d\"]",
            ),
            (
                "[provision]\n\nentitlements = [\n  1,\n]\n",
                "c.toml:4: provision.entitlements wants a list of texts in quotes, such as [\"netify-proc-aggregator\"]",
            ),
            ("provision.enabled = \"no\"\n", "c.toml:1: provision.enabled wants true or false, such as false"),
            ("[license]\n[license.path]\n", "c.toml:2: license.path wants a text in quotes, such as \"/etc/netifyd"),
            ("[hub]\n[[hub.url]]\n", "c.toml:2: hub.url wants a text in quotes, such as \"https://hub.netify.ai"),
            ("[license]\npath = \"license.json\"\n", "c.toml:2: license.path: not an absolute path; write"),
            ("\nhub = 3\n", "c.toml:2: `hub` is a section: write [hub] once, in a line of its own, and its keys below"),
            ("hub = []\n", "c.toml:1: `hub` is a section: write [hub] once"),
            ("\n[[hub]]\nurl = \"x\"\n", "c.toml:2: `hub` is a section: write [hub] once"),
            ("x = 1\n[[hub]]\n", "c.toml:2: `hub` is a section"),
            ("[trust]\nkeys = []\n", "c.toml:2: trust.keys is empty, and trust.mode is \"signature\"; name the file"),
            ("[hub.x]\n", "c.toml:1: unknown key `x` in [hub]; known are kind, url"),
            ("hub.x = 1\n", "c.toml:1: unknown key `x` in [hub]; known are kind, url"),
        ] {
            let said = error(text);
            assert!(said.starts_with(sentence), "{text}: {said}");
        }
        assert_eq!(error("[trust]\nmode = \"transport\"\nkeys = []\n"), "");
    }

    #[test]
    fn values_that_make_no_sense_together_are_told_with_their_line() {
        let long = "x".repeat(129);
        for duid in ["", "a b", "\u{fc}", &long] {
            let sentence = error(&format!("[device]\nduid = \"{duid}\"\n"));
            assert!(sentence.starts_with("c.toml:2: device.duid wants 1 to 128 printable"), "{sentence}");
        }
        assert_eq!(error(&format!("[device]\nduid = \"{}\"\n", &long[1..])), "");
        assert_eq!(error("[renewal]\nmin-retry = \"5m\"\nmax-retry = \"5m\"\n"), "");
        for section in ["renewal", "provision"] {
            let sentence = error(&format!("[{section}]\nterm-days = 0\n"));
            assert!(sentence.contains(&format!("{section}.term-days wants a number of days from 1")), "{sentence}");
        }
        for service in ["", "-x", ".x", "a b", "a/b"] {
            assert!(error(&format!("[reload]\nservice = \"{service}\"\n")).contains("not the name of a service"));
        }
        assert_eq!(error("[reload]\nservice = \"my_netifyd-2@eth0.1:x\"\n"), "");
        assert_eq!(error("[renewal]\naccept-changes-after = \"0s\"\n"), "");
        assert!(error("[renewal]\naccept-changes-after = \"-1h\"\n").contains("is not a duration"));
        assert!(error("[renewal]\nactive-file = \"ha/active\"\n").contains("not an absolute path"));
        assert_eq!(error("[reload]\nmethod = \"command\"\ncommand = [\"/bin/true\"]\n"), "");
        let basic = "[hub]\nusername = \"x\"\npassword-file = \"/p\"\n";
        assert_eq!(error(basic), "");
        assert!(
            error(&format!("{basic}bearer-token-file = \"/t\"\n")).starts_with("c.toml:4: hub.username and hub.bearer")
        );
        assert!(error("[hub]\nclient-cert = \"/c\"\n").contains("client-cert and hub.client-key belong together"));
        assert!(error("[hub]\nurl = \"https://hub.example/?a=b\"\n").contains("cannot have a query"));
        assert!(error("[hub]\nurl = \"https://hub.example/#a\"\n").contains("a URL with a fragment"));
        assert!(error("[hub]\nurl = \"https://:geheim@hub.example/\"\n").contains("credentials do not belong"));
        assert!(error("[license]\npath = \"/a\\u0000b\"\n").contains("not an absolute path"));
        let enabled = "[provision]\nenabled = true\nissued-to = \"x\"\n";
        assert!(error(enabled).contains("needs provision.issued-to and provision.entitlements"));
        assert_eq!(error(&format!("{enabled}entitlements = [\"a\"]\n")), "");
    }

    #[test]
    fn values_arrive_as_they_were_written() {
        let text = "[status]\nfile = \"/s/status\"\nsocket = \"/s/socket\"\n[hub]\ntimeout = \"90s\"\n\
                    [hooks]\non-change = [\"/bin/x\", \"a b\", \"\"]\n";
        let config = parse(text, "c.toml").expect("valid");
        let run = std::path::Path::new("/r");
        assert_eq!(
            [config.status_file(run), config.control_socket(run)],
            ["/s/status", "/s/socket"].map(PathBuf::from)
        );
        let usual = Config::default();
        assert_eq!(
            [usual.status_file(run), usual.control_socket(run)],
            ["/r/status.json", "/r/control.sock"].map(PathBuf::from)
        );
        assert_eq!(config.hub.timeout.duration(), std::time::Duration::from_secs(90));
        let hook = config.hooks.on_change.expect("a hook");
        assert_eq!((hook.program(), hook.arguments()), ("/bin/x", &["a b".to_owned(), String::new()][..]));
        assert_eq!(Vec::from(hook), ["/bin/x", "a b", ""]);
    }

    #[test]
    fn no_file_is_two_files() {
        let mixed_up = |text: &str| {
            let config = parse(text, "c.toml").expect("valid");
            let found = config.mixed_up_files(std::path::Path::new("/run/x"));
            found.map_or_else(String::new, |(key, message)| format!("{key} | {message}"))
        };
        assert_eq!(
            mixed_up("[status]\nfile = \"/etc/netifyd/license.json\"\n"),
            "status.file | status.file and license.path are the same file, /etc/netifyd/license.json; give each its own"
        );
        for (text, key) in [
            ("[license]\npath = \"/run/x/status.json\"\n", "status.file"),
            ("[license]\npath = \"/run/x/control.sock\"\n", "status.socket"),
            ("[status]\nsocket = \"/run/x/../../run//x/./status.json\"\n", "status.socket"),
            ("[status]\nmetrics-textfile = \"/../etc/netifyd/license.json\"\n", "status.metrics-textfile"),
            ("[status]\nmetrics-textfile = \"/m\"\nsocket = \"/m\"\n", "status.metrics-textfile"),
            ("[license]\npath = \"/\"\n", "license.path"),
            ("[license]\npath = \"/l/\"\n", "license.path"),
            ("[license]\npath = \"/l/.\"\n", "license.path"),
            ("[license]\npath = \"/l/..\"\n", "license.path"),
            ("[status]\nfile = \"/l/\"\n", "status.file"),
        ] {
            let said = mixed_up(text);
            assert_eq!(said.split_once(" | ").map(|(key, _)| key), Some(key), "{text}: {said}");
        }
        assert_eq!(
            mixed_up("[license]\npath = \"/l/\"\n").split(" | ").nth(1),
            Some("license.path: /l/ names a directory; write the path of a file")
        );
        for fine in ["", "[license]\npath = \"/run/x/license.json\"\n", "[status]\nmetrics-textfile = \"/m/..x\"\n"] {
            assert_eq!(mixed_up(fine), "", "{fine}");
        }
    }

    #[test]
    fn an_empty_file_is_the_defaults() {
        assert_eq!(parse("", "c.toml"), Ok(Config::default()));
    }

    #[test]
    fn loopback_http_is_accepted() {
        for url in ["http://127.0.0.1:8080/x", "http://[::1]:1/", "http://localhost/", "http://127.9.9.9"] {
            assert_eq!(error(&format!("[hub]\nurl = \"{url}\"\n")), "");
        }
        for url in ["http://127.0.0.1.example/", "http://localhost.example/", "http://10.0.0.1/"] {
            assert_ne!(error(&format!("[hub]\nurl = \"{url}\"\n")), "");
        }
    }

    #[test]
    fn what_is_shown_can_be_loaded_and_holds_no_password() {
        let text = "[hub]\nproxy = \"http://user:geheim@proxy:3128\"\n[renewal]\nrenew-before = \"3d\"\n";
        assert!(!render(&Config::default()).contains("# Default:"));
        let patient = render(&parse("[hub]\ntimeout = \"90s\"\n", "c").expect("valid"));
        assert_eq!(patient.matches("# Default:").count(), 1, "{patient}");
        let shown = render(&parse(text, "c").expect("valid"));
        assert!(
            !shown.contains("geheim") && shown.contains("REDACTED") && shown.contains("renew-before = \"3d\""),
            "{shown}"
        );
        assert!(parse(&shown, "shown").is_ok(), "{shown}");
        let relay = "[hub]\nkind = \"relay\"\nurl = \"https://relay.example/license?token=geheim\"\n";
        let relay = parse(relay, "c").expect("valid");
        assert_eq!(relay.hub.url.as_url().query(), Some("token=geheim"));
        assert!(!render(&relay).contains("geheim") && !format!("{relay:?}").contains("geheim"), "{relay:?}");
        for path in ["", "/", "/license", "/license/"] {
            let relay = format!("[hub]\nkind = \"relay\"\nurl = \"https://relay.example{path}\"\n");
            let relay = parse(&relay, "c").expect("valid");
            assert_eq!(parse(&render(&relay), "shown"), Ok(relay), "{path}");
        }
        let defaults = render(&Config::default());
        assert_eq!(parse(&defaults, "shown"), Ok(Config::default()), "{defaults}");
    }
}
