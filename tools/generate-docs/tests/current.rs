//! What is generated is what its sources say today, and other programs can read it.

use std::process::Command;

use generate_docs::{docs, outputs};

#[test]
fn everything_is_current() {
    let outputs = outputs().expect("the sources are in order");
    assert!(outputs.len() >= 7, "only {} outputs", outputs.len());
    let stale = outputs.iter().filter(|output| !output.is_current()).map(|output| output.path.display().to_string());
    let stale: Vec<String> = stale.collect();
    assert!(stale.is_empty(), "not current: {}; run: cargo run -p generate-docs", stale.join(", "));
}

/// A program's complaints, if it is installed.
fn complaints(program: &str, arguments: &[&str]) -> Option<String> {
    match Command::new(program).args(arguments).env("LC_ALL", "C.UTF-8").output() {
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
            Some(if output.status.success() && text.trim().is_empty() {
                String::new()
            } else {
                format!("{}: {text}", output.status)
            })
        }
        Err(error) => {
            eprintln!("SKIPPED: {program} cannot be run here ({error}); install it to have this checked");
            None
        }
    }
}

#[test]
fn manual_pages_are_clean() {
    for page in ["netify-licensed.8", "netify-licensed.toml.5"] {
        let path = docs().join("man").join(page);
        let path = path.to_string_lossy();
        for (program, arguments) in
            [("mandoc", ["-T", "lint", "-W", "warning", &path]), ("groff", ["-man", "-ww", "-Tutf8", "-z", &path])]
        {
            if let Some(text) = complaints(program, &arguments) {
                assert_eq!(text, "", "{program} {page}");
            }
        }
    }
}

#[test]
fn shells_can_read_the_completions() {
    for (shell, file, flag) in [
        ("bash", "netify-licensed.bash", "-n"),
        ("zsh", "_netify-licensed", "-n"),
        ("fish", "netify-licensed.fish", "--no-execute"),
    ] {
        let path = docs().join("completions").join(file);
        if let Some(text) = complaints(shell, &[flag, &path.to_string_lossy()]) {
            assert_eq!(text, "", "{file}");
        }
    }
}

#[test]
fn bash_completes_commands_flags_and_values() {
    let script = docs().join("completions/netify-licensed.bash");
    for (words, wanted) in [
        ("netify-licensed st", "status"),
        ("netify-licensed status --fo", "--format"),
        ("netify-licensed status --format o", "openmetrics"),
        ("netify-licensed hub cre", "create"),
    ] {
        let count = words.split(' ').count();
        let program = format!(
            "source '{}'; COMP_WORDS=({words}); COMP_CWORD={}; _netify__licensed netify-licensed \"${{COMP_WORDS[-1]}}\" \"${{COMP_WORDS[-2]}}\"; echo \"${{COMPREPLY[*]}}\"",
            script.display(),
            count - 1
        );
        match Command::new("bash").args(["-c", &program]).output() {
            Ok(output) => assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), wanted, "{words}"),
            Err(error) => return eprintln!("SKIPPED: bash cannot be run here ({error})"),
        }
    }
}
