//! As much of Markdown as these pages use.

use std::path::Path;

/// A page, taken apart.
#[derive(Debug)]
pub(crate) struct Page {
    /// File name.
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
}

/// Reads a page.
pub(crate) fn page(path: &Path) -> Page {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let name = path.file_name().expect("a file").to_string_lossy().into_owned();
    let mut page = Page { name, prose: String::new(), blocks: Vec::new() };
    let mut open: Option<Block> = None;
    for (line, text) in (1..).zip(text.lines()) {
        match (text.strip_prefix("```"), open.take()) {
            (Some(language), None) => open = Some(Block { language: language.to_owned(), text: String::new(), line }),
            (Some(_), Some(block)) => page.blocks.push(block),
            (None, Some(mut block)) => {
                block.text.push_str(text);
                block.text.push('\n');
                open = Some(block);
            }
            (None, None) => {
                page.prose.push_str(text);
                page.prose.push('\n');
            }
        }
    }
    assert!(open.is_none(), "{}: a code block does not end", page.name);
    page
}

impl Page {
    /// The words of every command that is shown: lines of `sh` blocks, prompts of `console` blocks, code in prose.
    pub(crate) fn commands(&self) -> impl Iterator<Item = Vec<String>> {
        let in_blocks = self.blocks.iter().flat_map(|block| {
            block.text.lines().filter_map(|line| match block.language.as_str() {
                "sh" => Some(line),
                "console" => line.strip_prefix("$ "),
                _ => None,
            })
        });
        // Code in prose never spans lines here.
        let in_prose = self.prose.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
        in_blocks.chain(in_prose).flat_map(parts).filter(|words| !words.is_empty())
    }

    /// Targets of `[text](target)`.
    pub(crate) fn links(&self) -> impl Iterator<Item = &str> {
        self.prose.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target)
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

/// The commands of one line: comments go, `&&`, `;` and `|` separate.
fn parts(line: &str) -> Vec<Vec<String>> {
    let line = line.split(" #").next().unwrap_or(line);
    let line = line.replace("&&", ";").replace('|', ";");
    line.split(';').map(|part| part.split_whitespace().map(str::to_owned).collect()).collect()
}
