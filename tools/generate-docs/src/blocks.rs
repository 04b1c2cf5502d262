//! Blocks of the documents that are kept by machine, between `<!-- NAME … -->` and `<!-- end -->`.

use std::path::Path;

use netify_licensed::core::license::verify::State;

use crate::states::meaning;
use crate::{dependencies, read};

const END: &str = "<!-- end -->";

/// The document with all its blocks filled anew. The error is one sentence.
pub(crate) fn fill(document: &str, docs: &Path) -> Result<String, String> {
    let mut filled = String::with_capacity(document.len());
    let mut lines = document.lines();
    while let Some(line) = lines.next() {
        filled.push_str(line);
        filled.push('\n');
        let Some(block) = opening(line) else { continue };
        filled.push_str(&content(block, docs)?);
        if !lines.by_ref().any(|line| line == END) {
            return Err(format!("the block `{block}` has no {END}"));
        }
        filled.push_str(END);
        filled.push('\n');
    }
    Ok(filled)
}

/// `screen NAME`, `advice NAME`, `states` or `dependencies` of an opening line; other comments are no blocks.
fn opening(line: &str) -> Option<&str> {
    let block = line.strip_prefix("<!-- ")?.strip_suffix(" -->")?;
    let is_table = matches!(block, "states" | "dependencies");
    (is_table || block.starts_with("screen ") || block.starts_with("advice ")).then_some(block)
}

fn content(block: &str, docs: &Path) -> Result<String, String> {
    let Some((kind, name)) = block.split_once(' ') else {
        return if block == "states" { Ok(states()) } else { dependencies::table(&read(&docs.join("../Cargo.toml"))?) };
    };
    let path = docs.join("screens").join(name).with_extension("txt");
    let screen = read(&path)?;
    let shown = if kind == "advice" {
        advice(&screen).ok_or_else(|| format!("{}: there are no problems", path.display()))?
    } else {
        screen
    };
    Ok(format!("```console\n{shown}```\n"))
}

/// The command, the first row, and what is said below the rows; nothing of the commands that follow.
fn advice(screen: &str) -> Option<String> {
    let first = screen.split("\n\n$ ").next()?;
    let (rows, below) = first.split_once("\n\n")?;
    let mut rows = rows.lines();
    Some(format!("{}\n{}\n…\n\n{}\n", rows.next()?, rows.next()?, below.trim_end()))
}

fn states() -> String {
    let mut table = String::from("| state | what it means | what to do |\n|---|---|---|\n");
    for state in State::ALL {
        let meaning = meaning(state);
        table.push_str(&format!("| `{state}` | {} | {} |\n", meaning.means, meaning.to_do));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_filled_and_the_rest_is_left_alone() {
        let document = "# T\n<!-- a comment -->\n<!-- states -->\nold\n<!-- end -->\ntail\n";
        let filled = fill(document, Path::new("/nowhere")).expect("filled");
        assert!(filled.starts_with("# T\n<!-- a comment -->\n<!-- states -->\n| state |"), "{filled}");
        assert!(filled.ends_with("|\n<!-- end -->\ntail\n") && !filled.contains("old"), "{filled}");
        assert_eq!(fill(&filled, Path::new("/nowhere")).as_deref(), Ok(filled.as_str()));
    }

    #[test]
    fn of_a_screen_the_beginning_and_the_end_are_enough() {
        let screen = "$ x status\nlicense  expired\nfile  /l\n\nProblems\n  - it ended\n\nWhat to do\n  - renew\n\n$ x check\nBAD\n";
        let shown = "$ x status\nlicense  expired\n…\n\nProblems\n  - it ended\n\nWhat to do\n  - renew\n";
        assert_eq!(advice(screen).as_deref(), Some(shown));
        assert_eq!(advice("$ x status\nlicense  valid\n"), None);
    }

    #[test]
    fn a_block_without_an_end_would_swallow_the_document() {
        assert!(fill("<!-- states -->\ntext\n", Path::new("/nowhere")).is_err());
        assert!(fill("<!-- screen no-such -->\n<!-- end -->\n", Path::new("/nowhere")).is_err());
    }
}
