//! As much of Markdown as these pages use.

use std::path::{Path, PathBuf};

use super::root;

/// A page, taken apart.
#[derive(Debug)]
pub(crate) struct Page {
    /// Path below the repository's root.
    pub(crate) name: String,
    /// Everything outside of code blocks.
    pub(crate) prose: String,
    pub(crate) blocks: Vec<Block>,
}

/// A fenced code block.
#[derive(Debug)]
pub(crate) struct Block {
    /// The word behind the fence.
    pub(crate) language: String,
    pub(crate) text: String,
    /// Line of the fence, from 1.
    pub(crate) line: usize,
    /// The last `<!-- scene NAME -->` before it.
    pub(crate) scene: String,
    /// Whether `tools/generate-docs` fills it.
    pub(crate) is_generated: bool,
    /// Whether `<!-- runs -->` stands before it: a script that can be run as it is.
    pub(crate) runs: bool,
}

/// Every page of the repository.
pub(crate) fn pages() -> Vec<Page> {
    let mut found: Vec<PathBuf> = Vec::new();
    for directory in ["", "docs", "packaging", "systemd"] {
        let entries = std::fs::read_dir(root().join(directory)).expect("a directory");
        let paths = entries.map(|entry| entry.expect("an entry").path());
        found.extend(paths.filter(|path| path.extension().is_some_and(|end| end == "md")));
    }
    found.sort();
    found.iter().map(|path| page(path)).collect()
}

/// Reads a page.
pub(crate) fn page(path: &Path) -> Page {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let name = path.strip_prefix(root()).unwrap_or(path).to_string_lossy().into_owned();
    let mut page = Page { name, prose: String::new(), blocks: Vec::new() };
    let mut open: Option<Block> = None;
    let (mut scene, mut is_generated, mut runs) = ("usual".to_owned(), false, false);
    for (line, text) in (1..).zip(text.lines()) {
        match (text.strip_prefix("```"), open.take()) {
            (Some(language), None) => {
                let (language, scene) = (language.to_owned(), scene.clone());
                open = Some(Block { language, text: String::new(), line, scene, is_generated, runs });
                runs = false;
            }
            (Some(_), Some(block)) => page.blocks.push(block),
            (None, Some(mut block)) => {
                block.text.push_str(text);
                block.text.push('\n');
                open = Some(block);
            }
            (None, None) => {
                let comment = text.strip_prefix("<!-- ").and_then(|rest| rest.strip_suffix(" -->"));
                match comment.map(|comment| comment.split_once(' ').unwrap_or((comment, ""))) {
                    Some(("scene", name)) => name.clone_into(&mut scene),
                    Some(("screen" | "advice" | "states", _)) => is_generated = true,
                    Some(("end", _)) => is_generated = false,
                    Some(("runs", _)) => runs = true,
                    _ => {}
                }
                page.prose.push_str(text);
                page.prose.push('\n');
            }
        }
    }
    assert!(open.is_none(), "{}: a code block does not end", page.name);
    assert!(!is_generated, "{}: a generated block does not end", page.name);
    page
}

impl Page {
    /// The words of every command that is shown: lines of blocks, and code in prose.
    pub(crate) fn commands(&self) -> impl Iterator<Item = Vec<String>> {
        let spans = self.spans().map(str::to_owned);
        self.lines("sh").chain(self.lines("console")).chain(spans).flat_map(|line| parts(&line))
    }

    /// The same of blocks alone: whatever stands there is a command.
    pub(crate) fn commands_of_blocks(&self) -> impl Iterator<Item = Vec<String>> {
        self.lines("sh").chain(self.lines("console")).flat_map(|line| parts(&line))
    }

    /// The same without those whose outputs are shown, and without scripts that are run as a whole.
    pub(crate) fn commands_without_output(&self) -> impl Iterator<Item = Vec<String>> {
        let spans = self.spans().map(str::to_owned);
        self.lines("sh").chain(spans).flat_map(|line| parts(&line))
    }

    /// Lines of `sh` blocks, prompts of `console` blocks. A line may go on behind a backslash.
    fn lines(&self, language: &str) -> impl Iterator<Item = String> {
        let blocks = self.blocks.iter().filter(move |block| block.language == language);
        blocks.flat_map(|block| {
            let text = block.text.replace("\\\n", " ");
            let lines = text.lines().filter_map(|line| match block.language.as_str() {
                "console" => line.strip_prefix("$ "),
                _ => Some(line),
            });
            lines.map(str::to_owned).collect::<Vec<_>>()
        })
    }

    /// Code in prose. It never spans lines here.
    pub(crate) fn spans(&self) -> impl Iterator<Item = &str> {
        self.prose.lines().flat_map(|line| line.split('`').skip(1).step_by(2))
    }

    /// Targets of `[text](target)` and of pictures.
    pub(crate) fn links(&self) -> impl Iterator<Item = &str> {
        self.prose.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target)
    }

    /// The file that a link of this page leads to, and the place in it.
    pub(crate) fn target<'a>(&self, link: &'a str) -> (PathBuf, Option<&'a str>) {
        let (file, fragment) = link.split_once('#').map_or((link, None), |(file, fragment)| (file, Some(fragment)));
        let here = root().join(&self.name);
        let directory = here.parent().unwrap_or(root());
        (if file.is_empty() { here.clone() } else { directory.join(file) }, fragment)
    }

    /// What headings can be linked by.
    pub(crate) fn anchors(&self) -> Vec<String> {
        let headings = self.prose.lines().filter(|line| line.starts_with('#'));
        let anchor = |line: &str| {
            let kept = line.trim_start_matches('#').trim().to_lowercase();
            kept.chars()
                .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
                .collect::<String>()
                .replace(' ', "-")
        };
        headings.map(anchor).collect()
    }
}

/// Words of the shell around commands.
const SHELL: [&str; 4] = ["do", "done", "for", "while"];

/// What stands in single quotes is one word to the shell: separators in it are none.
fn without_quotes(line: &str) -> String {
    line.split('\'').step_by(2).collect::<Vec<_>>().join("''")
}

/// The commands of one line: comments and redirections go, `&&`, `;` and `|` separate.
fn parts(line: &str) -> Vec<Vec<String>> {
    let line = line.split(" #").next().unwrap_or(line);
    let line = without_quotes(line).replace("&&", ";").replace('|', ";");
    let words = |part: &str| {
        let words = part.split_whitespace().skip_while(|word| SHELL.contains(word));
        words.take_while(|word| !matches!(*word, "<" | ">")).map(str::to_owned).collect::<Vec<_>>()
    };
    line.split(';').map(words).filter(|words| !words.is_empty()).collect()
}
