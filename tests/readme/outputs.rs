//! The console blocks with commands of ours, run in their order on one gateway.

use crate::canon::Canon;
use crate::gateway::{Gateway, out};
use crate::markdown::page;
use crate::root;

/// A command and the lines under it.
#[derive(Debug)]
struct Shown {
    command: String,
    lines: Vec<String>,
}

fn shown() -> Vec<Shown> {
    let readme = page(&root().join("README.md"));
    let mut all: Vec<Shown> = Vec::new();
    for block in readme.blocks.iter().filter(|block| block.language == "console") {
        for line in block.text.lines() {
            match (line.strip_prefix("$ "), all.last_mut()) {
                (Some(command), _) => all.push(Shown { command: command.to_owned(), lines: Vec::new() }),
                (None, Some(shown)) => shown.lines.push(line.to_owned()),
                (None, None) => panic!("output without a command: {line}"),
            }
        }
    }
    all.retain(|shown| shown.command.starts_with("netify-licensed "));
    all
}

#[test]
fn every_output_is_todays() {
    let mut gateway = Gateway::new();
    gateway.install_fresh();
    gateway.start_netifyd("ok");
    let _daemon = gateway.daemon();
    let update = std::env::var_os("UPDATE").is_some();
    let shown = shown();
    assert!(shown.len() >= 3, "{shown:?}");
    for Shown { command, lines } in shown {
        let status = gateway.wait_for("everything is well", |status| status.healthy && !status.reload.pending);
        let words: Vec<&str> = command.split(' ').skip(1).collect();
        let output = gateway.run(&words);
        assert!(output.status.success(), "{command}: {output:?}");
        // What a renewal brought is in the status after it.
        let after = gateway.published().unwrap_or(status);
        let screen = Canon::new(&gateway, &after).screen(&out(&output));
        let now: Vec<&str> = screen.lines().map(str::trim_end).collect();
        if update && lines != now {
            rewrite(&command, &now);
            continue;
        }
        assert!(lines == now, "README.md shows other words for `{command}`; today it says\n{screen}");
    }
}

/// Puts these lines under the command.
fn rewrite(command: &str, lines: &[&str]) {
    let path = root().join("README.md");
    let text = std::fs::read_to_string(&path).expect("README.md is read");
    let prompt = format!("$ {command}\n");
    let (before, after) = text.split_once(&prompt).expect("the command is shown");
    let end = after.find("```").expect("the block ends");
    let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
    std::fs::write(&path, format!("{before}{prompt}{lines}{}", &after[end..])).expect("README.md is written");
}
