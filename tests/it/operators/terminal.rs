//! Colors: on a terminal only, and not with `NO_COLOR`.

use std::process::{Command, Stdio};

use super::gateway::{Gateway, program};

/// What a program writes to a terminal; `None` without script(1).
fn on_a_terminal(gateway: &Gateway, no_color: Option<&str>) -> Option<String> {
    let line = format!("{} --config {} status", program().display(), gateway.config().display());
    let mut command = Command::new("script");
    gateway.prepare(&mut command);
    command.args(["-qec", &line, "/dev/null"]).stdin(Stdio::null()).env("TERM", "xterm");
    match no_color {
        Some(value) => command.env("NO_COLOR", value),
        None => command.env_remove("NO_COLOR"),
    };
    match command.output() {
        Ok(output) => Some(String::from_utf8_lossy(&output.stdout).into_owned()),
        Err(error) => {
            eprintln!("SKIPPED: script(1) cannot be run here ({error}); it comes with bsdutils or util-linux");
            None
        }
    }
}

#[test]
fn colors_are_for_terminals() {
    let gateway = Gateway::new();
    gateway.install_fresh();
    let piped = super::gateway::out(&gateway.run(&["status"]));
    assert!(piped.starts_with("license        valid\n"), "{piped}");
    let Some(colored) = on_a_terminal(&gateway, None) else { return };
    assert!(colored.starts_with("license        \u{1b}[32mvalid\u{1b}[0m"), "{colored:?}");
    for (value, expected) in [("1", false), ("", true)] {
        let text = on_a_terminal(&gateway, Some(value)).unwrap_or_default();
        assert!(text.contains("valid") && text.contains('\u{1b}') == expected, "NO_COLOR={value:?}: {text:?}");
    }
}

#[test]
fn a_license_cannot_move_the_cursor() {
    let gateway = Gateway::new();
    gateway.install(gateway.spec(-86_400, 86_400 * 6).issued_to("Evil\u{1b}[2J\u{7}\nproblems  none"));
    let text = super::gateway::out(&gateway.run(&["status"]));
    assert!(text.contains("issued to      Evil[2Jproblems  none\n"), "{text:?}");
    assert!(!text.contains(['\u{1b}', '\u{7}']), "{text:?}");

    // Nor turn the line around, end it, or use the other set of controls.
    let name = "Ev\u{202e}il\u{2066}\u{2028}\u{2029}\u{9b}2J\u{85}";
    gateway.install(gateway.spec(-86_400, 86_400 * 6).issued_to(name));
    gateway.hub.add_license(gateway.spec(-86_400, 86_400 * 6).issued_to(name));
    for command in [&["status"][..], &["verify"], &["hub", "list"], &["hub", "view", super::gateway::SERIAL]] {
        let text = super::gateway::out(&gateway.run(command));
        let hostile = text.chars().find(|&c| c != '\n' && c.is_control() || ('\u{2028}'..='\u{2069}').contains(&c));
        assert!(text.contains("Evil2J") && hostile.is_none(), "{command:?}: {text:?}");
    }
}
