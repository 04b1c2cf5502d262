//! The console blocks with commands of ours: those of a scene are run in their order on one gateway.

use std::collections::BTreeMap;
use std::process::Command;

use super::markdown::{Page, pages};
use super::root;
use super::scene::Scene;
use crate::operators::canon::Canon;

/// A command and the lines under it; a whole script has none.
#[derive(Debug)]
struct Shown {
    command: String,
    lines: Vec<String>,
}

/// The commands of a page by scene. What is generated from kept screens is held against them elsewhere.
fn shown(page: &Page) -> BTreeMap<&str, Vec<Shown>> {
    let mut scenes: BTreeMap<&str, Vec<Shown>> = BTreeMap::new();
    for block in page.blocks.iter().filter(|block| !block.is_generated) {
        if block.runs {
            let command = format!("set -e\n{}", block.text);
            scenes.entry(&block.scene).or_default().push(Shown { command, lines: Vec::new() });
        }
        let is_ours = block.language == "console" && block.text.starts_with("$ netify-licensed ");
        for line in block.text.lines().filter(|_| is_ours) {
            let all = scenes.entry(&block.scene).or_default();
            match (line.strip_prefix("$ "), all.last_mut()) {
                (Some(command), _) => all.push(Shown { command: command.to_owned(), lines: Vec::new() }),
                (None, Some(shown)) => shown.lines.push(line.to_owned()),
                (None, None) => panic!("{}: output without a command: {line}", page.name),
            }
        }
    }
    scenes
}

#[test]
fn every_output_is_todays() {
    let update = std::env::var_os("UPDATE").is_some();
    let pages = pages();
    let scenes: Vec<_> =
        pages.iter().flat_map(|page| shown(page).into_iter().map(move |scene| (page, scene))).collect();
    let seen: usize = scenes.iter().map(|(_, (_, all))| all.len()).sum();
    assert!(seen >= 12, "only {seen} outputs were found");
    // Each scene waits for reloads of its own.
    let others = std::thread::scope(|scope| {
        let play = |(page, (name, all))| scope.spawn(move || others(page, name, all));
        let players: Vec<_> = scenes.into_iter().map(play).collect();
        let ends: Vec<_> = players.into_iter().map(|player| player.join().expect("a scene")).collect();
        ends.concat()
    });
    for Other { page, command, now, is_whole } in others {
        assert!(update && is_whole, "{page} shows other words for `{command}`; today it says\n{}", now.join("\n"));
        rewrite(&page, &command, &now);
    }
}

/// Today's lines, where a page has others.
#[derive(Debug, Clone)]
struct Other {
    page: String,
    command: String,
    now: Vec<String>,
    /// Whether the page shows one command, and all of its lines.
    is_whole: bool,
}

/// Runs the commands of a scene.
fn others(page: &Page, name: &str, all: Vec<Shown>) -> Vec<Other> {
    let scene = Scene::set(name);
    let mut others = Vec::new();
    for Shown { command, lines } in all {
        let now = output(&scene, &command);
        let now: Vec<&str> = now.lines().map(str::trim_end).collect();
        if !fits(&lines, &now) {
            let is_whole = !command.contains('\n') && !lines.iter().any(|line| line == "…");
            let now = now.into_iter().map(str::to_owned).collect();
            others.push(Other { page: page.name.clone(), command, now, is_whole });
        }
    }
    others
}

/// What the command says, on the day and with the paths of all examples.
fn output(scene: &Scene, command: &str) -> String {
    scene.settle();
    let output = scene.shell(command).output().expect("sh(1)");
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command}: {text}");
    // What it brought is in the status after it.
    scene.canonical(&Canon::new(&scene.gateway, &scene.status()).screen(&text))
}

/// Whether these are the shown lines, where `…` stands for any number of them.
fn fits(shown: &[String], now: &[&str]) -> bool {
    match shown.split_first() {
        None => now.is_empty(),
        Some((line, rest)) if line == "…" => (0..=now.len()).any(|from| fits(rest, &now[from..])),
        Some((line, rest)) => now.first().is_some_and(|now| is_same(line, now)) && fits(rest, &now[1..]),
    }
}

/// Columns are as wide as this day's dates.
fn is_same(shown: &str, now: &str) -> bool {
    shown.split_whitespace().eq(now.split_whitespace())
}

/// Puts these lines under the command.
fn rewrite(page: &str, command: &str, lines: &[String]) {
    let path = root().join(page);
    let text = std::fs::read_to_string(&path).expect("the page is read");
    let prompt = format!("$ {command}\n");
    let (before, after) = text.split_once(&prompt).expect("the command is shown");
    let end = if after.starts_with("$ ") { Some(0) } else { after.find("```") };
    let end = end.into_iter().chain(after.find("\n$ ").map(|at| at + 1)).min().expect("the block ends");
    let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
    std::fs::write(&path, format!("{before}{prompt}{lines}{}", &after[end..])).expect("the page is written");
}

/// Whatever is recommended does something: it ends well, not with a mistake in its own words.
#[test]
fn every_command_of_ours_runs() {
    let mut commands: Vec<String> = Vec::new();
    for page in pages() {
        let all = page.commands_without_output().filter(|words| words[0] == "netify-licensed" && words.len() > 1);
        commands.extend(all.filter(|words| is_complete(words)).map(|words| words.join(" ")));
    }
    commands.sort();
    commands.dedup();
    assert!(commands.len() > 15, "only {commands:?}");
    let scene = Scene::set("everything");
    scene.prepare_files();
    // What takes the license away comes last.
    commands.sort_by_key(|command| ["retire", "hub delete"].iter().any(|last| command.contains(last)));
    for command in commands {
        scene.settle();
        let output = scene.shell(&command).stdin(scene.license()).output().expect("sh(1)");
        let code = output.status.code();
        let is_monitoring = command.contains(" check --") && matches!(code, Some(0..=2));
        // Given back, there is nothing left to give back.
        let is_second = command.contains("retire --") && code == Some(1);
        assert!(code == Some(0) || is_monitoring || is_second, "{command}: {output:?}");
    }
}

/// No placeholder among its words, and it ends by itself.
fn is_complete(words: &[String]) -> bool {
    let is_placeholder = |word: &String| {
        word.len() > 2 && word.chars().all(|c| c.is_ascii_uppercase()) || word.contains(['…', '$', '<'])
    };
    !words.iter().any(is_placeholder) && words[1] != "run"
}

/// Blocks for a shell are what a shell reads.
#[test]
fn every_script_parses() {
    let mut seen = 0;
    for page in pages() {
        for block in page.blocks.iter().filter(|block| block.language == "sh") {
            seen += 1;
            let output = Command::new("sh").args(["-n", "-c", &block.text]).output().expect("sh(1)");
            assert!(output.status.success(), "{}:{}: {output:?}", page.name, block.line);
        }
    }
    assert!(seen > 5, "only {seen} scripts were found");
}
