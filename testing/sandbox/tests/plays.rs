//! The sandbox itself: it ends well, it notices what goes wrong, it leaves nothing behind.

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use test_support::{Proc, Signal, TempDir, temp_dir};

/// The sandbox promises to end within this, once it is built.
const PROMISED: Duration = Duration::from_secs(60);

/// A sandbox whose temporary directory lies in one of ours.
struct Run {
    sandbox: Proc,
    temp: TempDir,
}

impl Run {
    fn start(arguments: &[&str]) -> io::Result<Self> {
        // Building, if it is needed at all, does not count.
        test_support::built("netify-licensed", "netify-licensed")?;
        test_support::built("netifyd-standin", "netifyd")?;
        let temp = temp_dir()?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_sandbox"));
        let sandbox = Proc::spawn(command.args(arguments).env("TMPDIR", temp.path()))?;
        Ok(Self { sandbox, temp })
    }

    /// Waits for the end; whatever it was, nothing may be left.
    fn end(&self) -> io::Result<(Option<i32>, String)> {
        let exit = self.sandbox.wait_exit(PROMISED)?;
        let left: Vec<_> = fs::read_dir(self.temp.path())?.flatten().map(|entry| entry.path()).collect();
        assert!(left.is_empty(), "left behind: {left:?}");
        let running = processes_with(self.temp.path());
        assert!(running.is_empty(), "still running: {running:?}");
        Ok((exit.code(), self.sandbox.output()))
    }
}

/// Command lines that name this directory.
fn processes_with(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").expect("there is a /proc").flatten() {
        // Processes come and go while we look.
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if line.contains(&directory.display().to_string()) {
            found.push(line);
        }
    }
    found
}

#[test]
#[ignore = "half a minute: tests/run sandbox"]
fn it_plays_to_the_end() -> io::Result<()> {
    let run = Run::start(&[])?;
    let (code, output) = run.end()?;
    assert_eq!(code, Some(0), "{output}");
    let proofs: Vec<&str> = output.lines().filter_map(|line| line.strip_prefix("  ✓ ")).collect();
    let wanted =
        ["verified", "due", "renewed", "installed", "reloaded", "outage survived", "tampering healed", "stopped"];
    assert_eq!(proofs.len(), wanted.len(), "{output}");
    assert!(wanted.iter().zip(&proofs).all(|(name, proof)| proof.starts_with(name)), "{output}");
    assert!(!output.contains('\u{1b}'), "colors are for terminals:\n{output}");
    shown_in_readme(&output)
}

/// What README.md shows of a run has to be in this one, in the same order; numbers and hashes may differ.
fn shown_in_readme(output: &str) -> io::Result<()> {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../README.md"))?;
    let block = readme.split_once("$ cargo run -p sandbox\n").and_then(|(_, rest)| rest.split_once("```"));
    let (block, _) = block.expect("README.md shows a run");
    let shown: Vec<&str> = block.lines().filter(|line| !line.is_empty() && *line != "…").collect();
    assert!(shown.len() > 10, "{shown:?}");
    let mut lines = output.lines().map(masked);
    for line in shown {
        assert!(lines.any(|now| now == masked(line)), "README.md shows {line:?}, and this run has not:\n{output}");
    }
    Ok(())
}

/// A line without what differs from run to run.
fn masked(line: &str) -> String {
    let mut masked = String::new();
    for word in line.split_whitespace() {
        masked.push(' ');
        let mut rest = word;
        while let Some(first) = rest.chars().next() {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
            let (run, behind) = rest.split_at(if end == 0 { first.len_utf8() } else { end });
            rest = behind;
            if run.len() >= 8 && run.chars().all(|c| c.is_ascii_hexdigit()) {
                masked.push('#');
                continue;
            }
            for c in run.chars() {
                match c {
                    '0'..='9' if masked.ends_with('0') => {}
                    '0'..='9' => masked.push('0'),
                    other => masked.push(other),
                }
            }
        }
    }
    masked
}

#[test]
fn an_interrupt_leaves_nothing_behind() -> io::Result<()> {
    let run = Run::start(&[])?;
    run.sandbox.wait_for_line(|line| line.contains("valid, signed by key"), PROMISED)?;
    assert!(!processes_with(run.temp.path()).is_empty(), "the check for processes would see them");
    run.sandbox.signal(Signal::INT)?;
    let (code, output) = run.end()?;
    assert_eq!(code, Some(130), "{output}");
    Ok(())
}

#[test]
fn a_daemon_that_does_nothing_is_noticed() -> io::Result<()> {
    let run = Run::start(&["--daemon", "/bin/true"])?;
    let (code, output) = run.end()?;
    assert_eq!(code, Some(1), "{output}");
    assert!(output.contains("the daemon has ended"), "{output}");
    Ok(())
}

#[test]
#[ignore = "17 s: tests/run long"]
fn a_netifyd_that_says_yes_and_does_nothing_is_noticed() -> io::Result<()> {
    let run = Run::start(&["--netifyd", "forget"])?;
    let (code, output) = run.end()?;
    assert_eq!(code, Some(1), "{output}");
    assert!(output.contains("in vain until netifyd has read the renewed license"), "{output}");
    Ok(())
}

#[test]
#[ignore = "half a minute: tests/run long"]
fn kept_open_its_commands_work_as_printed() -> io::Result<()> {
    let run = Run::start(&["--keep"])?;
    run.sandbox.wait_for_line(|line| line.starts_with("Everything lies in"), PROMISED)?;
    let output = run.sandbox.output();
    let commands: Vec<&str> = output.lines().filter_map(|line| line.strip_prefix("  ")).collect();
    let path = commands.iter().find_map(|line| line.strip_prefix("export PATH=")).expect("a PATH is printed");
    let of =
        |program: &str| -> Vec<&str> { commands.iter().copied().filter(|line| line.starts_with(program)).collect() };
    let (own, curl) = (of("netify-licensed "), of("curl "));
    assert!(own.len() >= 5 && curl.len() >= 4, "{output}");
    for line in own {
        // What stands far to the right is an explanation.
        let line = line.split("   ").next().unwrap_or(line);
        let shown = shell(&format!("PATH={path}; {line}"))?;
        // Between outage and renewal `check` may have something to complain about.
        let fine = if line.contains(" check ") { 0..=2 } else { 0..=0 };
        assert!(shown.status.code().is_some_and(|code| fine.contains(&code)), "{line}: {shown:?}");
    }
    if shell("curl --version")?.status.success() {
        for line in curl {
            let shown = shell(&format!("{line} --fail --silent --show-error"))?;
            assert!(shown.status.success(), "{line}: {shown:?}");
        }
    } else {
        eprintln!("SKIPPED: the curl commands were not tried: there is no curl");
    }
    run.sandbox.signal(Signal::INT)?;
    let (code, output) = run.end()?;
    assert_eq!(code, Some(0), "{output}");
    Ok(())
}

fn shell(line: &str) -> io::Result<Output> {
    Command::new("/bin/sh").args(["-c", line]).output()
}
