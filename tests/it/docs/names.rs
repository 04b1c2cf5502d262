//! Names in the pages are names of something: programs, tests, packages, keys of the configuration, metrics.

use std::collections::BTreeSet;
use std::path::Path;

use netify_licensed::core::config::KEYS;
use netify_licensed::core::report::metrics;
use netify_licensed::core::report::status::{PendingChangeStatus, Rfc3339};
use netify_licensed::core::time::WallTime;

use super::markdown::{Page, pages};
use super::root;
use super::scene::Scene;

/// Programs of the system that the pages may ask a reader to run.
const SYSTEM: &str = "apt cargo chmod chown cp curl date echo install journalctl mkdir nginx openssl podman printf promtool read rm systemctl systemd-run \
                      systemd-sysusers systemd-tmpfiles touch";

#[test]
fn every_program_is_there() {
    let mut seen = 0;
    for page in pages() {
        for words in page.commands_of_blocks() {
            let program = words[0].as_str();
            seen += 1;
            // NAME stands for what a reader will add.
            let script = program.contains('/') && (root().join(program).exists() || program.contains("NAME"));
            let known = program == "netify-licensed" || SYSTEM.split(' ').any(|name| name == program);
            assert!(script || known, "{}: what is {program} in `{}`?", page.name, words.join(" "));
        }
    }
    assert!(seen > 30, "only {seen} commands were found");
}

/// Names of the workspace's packages.
fn packages() -> BTreeSet<String> {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).expect("Cargo.toml is read");
    let members = manifest.lines().find(|line| line.starts_with("members")).expect("members").split('"').skip(1);
    let name = |directory: &str| {
        let manifest = std::fs::read_to_string(root().join(directory).join("Cargo.toml")).expect("a manifest");
        let line = manifest.lines().find(|line| line.starts_with("name = ")).expect("a name");
        line.split('"').nth(1).expect("a name").to_owned()
    };
    members.step_by(2).map(name).chain(["netify-licensed".to_owned()]).collect()
}

#[test]
fn every_test_and_package_of_cargo_is_there() {
    let (packages, mut seen) = (packages(), 0);
    for page in pages() {
        for words in page.commands().filter(|words| words.iter().any(|word| word == "cargo")) {
            // What ends so is a module of tests/it, or one of campaigns.
            for subject in words.iter().filter_map(|word| word.strip_suffix("::")) {
                let module = root().join("tests/it").join(subject);
                let is_there = module.is_dir() || module.with_extension("rs").exists();
                let campaign = root().join("campaigns").join(subject);
                let is_campaign = campaign.exists() || campaign.with_extension("rs").exists();
                assert!(is_there || is_campaign, "{}: there is no `{subject}` in tests/it", page.name);
            }
            for pair in words.windows(2) {
                let (flag, name) = (pair[0].as_str(), pair[1].as_str());
                let is_there = match flag {
                    "--test" => root().join("tests").join(name).join("main.rs").exists(),
                    "-p" => packages.contains(name),
                    _ => continue,
                };
                seen += 1;
                assert!(is_there, "{}: there is no `{name}` in `{}`", page.name, words.join(" "));
            }
        }
    }
    assert!(seen > 10, "only {seen} names were found");
}

#[test]
fn every_key_of_the_configuration_is_one() {
    let mut seen = 0;
    for page in pages() {
        for span in page.spans() {
            let name = span.split(' ').next().unwrap_or_default();
            let Some((section, key)) = name.split_once('.') else { continue };
            let is_file = ["json", "rs", "toml", "txt", "md", "conf"].iter().any(|end| key.ends_with(end));
            let is_of_the_log = name == "license.serial" && span == "license.serial=";
            if is_file || is_of_the_log || !KEYS.iter().any(|known| known.section == section) {
                continue;
            }
            seen += 1;
            let is_one = KEYS.iter().any(|known| known.section == section && known.name == key);
            assert!(is_one, "{}: `{span}` is no key of the configuration", page.name);
        }
    }
    assert!(seen > 15, "only {seen} keys were found");
}

#[test]
fn the_metrics_are_those_of_today() {
    let scene = Scene::set("usual");
    scene.settle();
    assert!(scene.gateway.run(&["renew"]).status.success());
    let mut status = scene.status();
    let some_time = || Rfc3339(WallTime::from_unix(1));
    status.pending_change = Some(PendingChangeStatus {
        serial: "S".to_owned(),
        lost: Vec::new(),
        gained: Vec::new(),
        expires_at: some_time(),
        offered_since: some_time(),
        accept_at: Some(some_time()),
    });
    let text = metrics::prometheus(&status);
    let mut families: BTreeSet<&str> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    // The netifyd of this scene does not write a status.json.
    families.extend([
        "netify_licensed_netifyd_info",
        "netify_licensed_netifyd_license_manager",
        "netify_licensed_netifyd_signatures",
        "netify_licensed_netifyd_bootstrap_code",
    ]);
    let pages = pages();
    let spans = pages.iter().flat_map(Page::spans).filter(|span| span.starts_with("netify_licensed_"));
    let shown: BTreeSet<&str> = spans.collect();
    assert_eq!(shown, families);
}

/// Examples that people copy: what they name is there.
#[test]
fn every_file_of_the_repository_that_is_named_is_there() {
    for page in pages() {
        let places = ["docs/", "src/", "config/", "systemd/", "tests/", "testing/", "campaigns/", "tools/"];
        // NAME stands for what a reader will add.
        let named = |span: &&str| places.iter().any(|place| span.starts_with(place)) && !span.contains("NAME");
        for span in page.spans().filter(named) {
            let file = span.split(' ').next().unwrap_or(span).trim_end_matches('/');
            let (directory, pattern) = file.split_once('*').map_or((file, false), |(directory, _)| (directory, true));
            let path =
                if pattern { Path::new(directory).parent().unwrap_or(Path::new("")) } else { Path::new(directory) };
            assert!(root().join(path).exists(), "{}: there is no {span}", page.name);
        }
    }
}
