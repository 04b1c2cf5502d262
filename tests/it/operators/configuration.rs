//! `config check`: what it finds before the service is started, and what the daemon waits for instead.

use std::path::Path;

use netify_licensed::core::license::verify::State;
use test_support::Proc;

use super::gateway::{Gateway, PATIENCE, code, err, out};
use super::hardships::{forbid, is_root, powerless};

const CHECK: [&str; 2] = ["config", "check"];

/// The line of the configuration that sets this key.
fn line_of(gateway: &Gateway, name: &str) -> usize {
    let text = std::fs::read_to_string(gateway.config()).expect("a configuration");
    1 + text.lines().position(|line| line.starts_with(&format!("{name} = "))).expect("the key is set")
}

/// What the check says when it refuses: one sentence.
fn refusal(gateway: &Gateway) -> String {
    let output = gateway.run(&CHECK);
    let said = err(&output);
    assert_eq!((code(&output), out(&output), said.lines().count()), (78, String::new(), 1), "{said}");
    said
}

#[test]
fn a_secret_that_is_not_there_is_found_and_waited_for() {
    let mut gateway = Gateway::new();
    gateway.set("reload.method", "none");
    gateway.install_due();
    let path = gateway.path("etc/netify-licensed/api-key");
    std::fs::remove_file(&path).expect("removed");
    let place = format!("config.toml:{}: hub.api-key-file: {}: ", line_of(&gateway, "api-key-file"), path.display());
    let said = refusal(&gateway);
    assert!(said.contains(&place) && said.contains("no such file or directory; write it there, readable"), "{said}");
    let json: serde_json::Value =
        serde_json::from_slice(&gateway.run(&["config", "check", "--json"]).stdout).expect("JSON");
    assert_eq!((json["valid"].as_bool(), json["line"].is_u64()), (Some(false), true), "{json}");

    // The daemon stays, and goes on by itself.
    let _daemon: Proc = gateway.daemon();
    let failed = gateway.wait_for("asked in vain", |status| status.renewal.consecutive_failures > 0);
    assert_eq!(failed.state, State::Valid);
    gateway.write("etc/netify-licensed/api-key", &gateway.hub.api_key());
    gateway.mode("etc/netify-licensed/api-key", 0o600);
    assert_eq!(code(&gateway.run(&CHECK)), 0);
    assert_eq!(code(&gateway.run(&["renew"])), 0);
}

#[test]
fn the_secrets_of_a_relay_are_looked_for_too() {
    let mut gateway = Gateway::new();
    gateway.set("hub.kind", "relay").set("hub.username", "system").set("hub.password-file", "/nowhere/password");
    // The API's key is of no use to a relay.
    gateway.set("hub.api-key-file", "/nowhere/key");
    assert!(refusal(&gateway).contains("hub.password-file: /nowhere/password: cannot read the secret: no such file"));
    gateway.unset("hub.username").unset("hub.password-file").set("hub.bearer-token-file", "/nowhere/token");
    assert!(refusal(&gateway).contains("hub.bearer-token-file: /nowhere/token: cannot read the secret: no such file"));
    gateway.unset("hub.bearer-token-file");
    assert_eq!(code(&gateway.run(&CHECK)), 0);
}

#[test]
fn a_secret_that_no_renewal_could_use_is_refused() {
    let mut gateway = Gateway::new();
    let key = "etc/netify-licensed/api-key";
    gateway.write(key, "one\ntwo\n");
    assert!(refusal(&gateway).contains("api-key: the secret is not one line of "));
    gateway.mode(key, 0o644);
    assert!(refusal(&gateway).contains("api-key: others may read the secret (mode 0644); run: chmod 600 "));
    gateway.set("hub.api-key-file", "/dev/null");
    assert!(refusal(&gateway).contains("/dev/null: cannot read the secret: it is not a regular file"));
    gateway.set("hub.api-key-file", "/etc");
    assert!(refusal(&gateway).contains("/etc: cannot read the secret: is a directory"));
    let relay = gateway.hub.url();
    let password = gateway.path(key).display().to_string();
    gateway.set("hub.kind", "relay").set("hub.url", &relay);
    gateway.set("hub.username", "system").set("hub.password-file", &password);
    assert!(refusal(&gateway).contains("hub.password-file: ") && refusal(&gateway).contains("(mode 0644)"));
    gateway.write(key, "one line");
    gateway.mode(key, 0o600);
    assert_eq!(code(&gateway.run(&CHECK)), 0);
}

#[test]
fn a_secret_for_the_daemon_alone_is_not_judged_by_others() {
    let gateway = Gateway::new();
    let key = "etc/netify-licensed/api-key";
    gateway.write(key, "one\ntwo\n");
    forbid(&gateway, key);
    let output = powerless(&gateway, &CHECK).output().expect("it runs");
    assert_eq!((code(&output), err(&output)), (0, String::new()));
    if is_root() {
        std::os::unix::fs::chown(gateway.path(key), Some(65_534), None).expect("given away");
        assert_eq!(code(&gateway.run(&CHECK)), 0, "the daemon may be that user");
        gateway.mode(key, 0o640);
        assert!(refusal(&gateway).contains("others may read the secret (mode 0640)"));
    }
}

#[test]
fn no_api_key_at_all() {
    let mut gateway = Gateway::new();
    gateway.unset("hub.api-key-file");
    if Path::new("/etc/credstore/netify-licensed.api-key").exists() {
        eprintln!("SKIPPED: this machine has an API key of its own");
        return;
    }
    let words = "there is no API key: put it into /etc/credstore/netify-licensed.api-key, readable by root alone";
    if Path::new("/run/systemd/system").is_dir() {
        // A drop-in of the unit may provide it: no reason not to start the service.
        let output = gateway.run(&CHECK);
        assert_eq!(code(&output), 0);
        assert!(err(&output).starts_with(&format!("netify-licensed: warning: {words}")), "{output:?}");
        let json = out(&gateway.run(&["config", "check", "--json"]));
        assert!(json.contains(words), "{json}");
    } else {
        let said = refusal(&gateway);
        assert!(said.contains("config.toml:") && said.contains(words), "{said}");
    }
    gateway.write("api-key", "x");
    let mut command = gateway.command(&CHECK);
    let output = command.env("CREDENTIALS_DIRECTORY", gateway.root()).output().expect("it runs");
    assert_eq!((code(&output), err(&output)), (0, String::new()));
}

#[test]
fn a_letter_in_another_encoding_has_a_line() {
    let gateway = Gateway::new();
    std::fs::write(gateway.config(), b"[provision]\n# all is well\nissued-to = \"Montr\xe9al\"\n").expect("written");
    assert!(refusal(&gateway).contains("config.toml:3: not UTF-8; write the file in that encoding"));
}

#[test]
fn a_mistyped_directory_for_metrics_is_not_created() {
    let mut gateway = Gateway::new();
    gateway.set("reload.method", "none");
    gateway.install_fresh();
    let file = gateway.path("lib/nod-exporter/netify-licensed.prom");
    gateway.set("status.metrics-textfile", &file.display().to_string());
    let output = gateway.run(&CHECK);
    let line = line_of(&gateway, "metrics-textfile");
    let said =
        format!("config.toml:{line}: there is no directory {}, so no", gateway.path("lib/nod-exporter").display());
    assert!(code(&output) == 0 && err(&output).contains("warning: ") && err(&output).contains(&said), "{output:?}");
    let daemon = gateway.daemon();
    let complaint = |line: &str| line.contains("the metrics cannot be published: cannot open the directory of ");
    daemon.wait_for_line(complaint, PATIENCE).expect("it complains");
    assert!(!gateway.path("lib").exists());

    std::fs::create_dir_all(gateway.path("lib/nod-exporter")).expect("created");
    assert_eq!(err(&gateway.run(&CHECK)), "");
    assert_eq!(code(&gateway.run(&["renew"])), 0);
    gateway.wait_for("renewed", |status| status.renewal.last_success_at.is_some());
    assert!(test_support::wait_until(|| file.exists(), PATIENCE, "the metrics").is_ok());
}

#[test]
fn the_status_never_replaces_the_license() {
    let mut gateway = Gateway::new();
    gateway.install_fresh();
    let license = gateway.license_path();
    let before = std::fs::read(&license).expect("a license");
    gateway.set("status.file", &gateway.path("etc/netifyd/../netifyd/license.json").display().to_string());
    let words = format!("config.toml:{}: status.file and license.path are the same file, ", line_of(&gateway, "file"));
    assert!(refusal(&gateway).contains(&words));
    let output = gateway.run(&["run"]);
    assert!(code(&output) == 78 && err(&output).contains(&words), "{output:?}");
    assert_eq!(std::fs::read(&license).expect("a license"), before);

    let status = gateway.path("run/netify-licensed/status.json").display().to_string();
    gateway.unset("status.file").set("license.path", &status);
    assert!(refusal(&gateway).contains("config.toml: status.file and license.path are the same file"));
    let directory = gateway.path("etc/netifyd/").display().to_string();
    gateway.set("license.path", &directory);
    assert!(refusal(&gateway).contains("names a directory; write the path of a file"));
}
