//! What a person reads: one line per event, seconds since the start, who, what.

use std::io::{self, IsTerminal, Write};
use std::time::Instant;

use hub_emulator::LoggedRequest;
use netifyd_standin::Event;

use crate::watch::{Happening, LogLine};

/// Columns of a line.
const WIDTH: usize = 110;
/// Columns before the text.
const INDENT: usize = 18;

/// Who did it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Who {
    Hub,
    Netifyd,
    Daemon,
    /// What status.json says.
    Status,
    /// The sandbox itself, when it interferes.
    You,
}

impl Who {
    const fn name(self) -> &'static str {
        match self {
            Self::Hub => "hub",
            Self::Netifyd => "netifyd",
            Self::Daemon => "daemon",
            Self::Status => "status",
            Self::You => "sandbox",
        }
    }

    const fn color(self) -> &'static str {
        match self {
            Self::Hub => "36",
            Self::Netifyd => "35",
            Self::Daemon | Self::Status => "32",
            Self::You => "33",
        }
    }
}

/// A line of its own.
pub(crate) fn plain(text: &str) {
    // Whoever read our output may have left; the exit code still tells.
    let _ = writeln!(io::stdout(), "{text}");
}

/// The printer.
#[derive(Debug)]
pub(crate) struct Timeline {
    start: Instant,
    paint: bool,
}

impl Timeline {
    pub(crate) fn new() -> Self {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        let terminal = io::stdout().is_terminal();
        Self { start: Instant::now(), paint: terminal && !plain && !dumb }
    }

    /// A new timeline from zero.
    pub(crate) fn restarted(&self) -> Self {
        Self { start: Instant::now(), ..*self }
    }

    fn wrap(&self, code: &str, text: &str) -> String {
        if self.paint { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// The title of an act.
    pub(crate) fn act(&self, title: &str) {
        plain(&format!("\n{}", self.wrap("1", title)));
    }

    /// Somebody did something.
    pub(crate) fn say(&self, who: Who, text: &str) {
        self.line(who, text, None);
    }

    fn line(&self, who: Who, text: &str, color: Option<&str>) {
        let time = format!("{:6.1} s", self.start.elapsed().as_secs_f32());
        let name = format!("{:8}", who.name());
        let mut lines = folded(text, WIDTH - INDENT).into_iter();
        let paint = |line: String| color.map_or_else(|| line.clone(), |color| self.wrap(color, &line));
        let first = lines.next().map(paint).unwrap_or_default();
        plain(&format!("{}  {}{first}", self.wrap("2", &time), self.wrap(who.color(), &name)));
        for line in lines {
            plain(&format!("{:INDENT$}{}", "", paint(line)));
        }
    }

    /// Tells what happened, unless it is of no interest to people.
    pub(crate) fn tell(&self, happening: &Happening) {
        match happening {
            Happening::Asked(request) => self.say(Who::Hub, &answered(request)),
            Happening::Netifyd(event) => {
                if let Some(text) = reported(event) {
                    self.say(Who::Netifyd, &text);
                }
            }
            Happening::Log(LogLine { level, message, .. }) => match level.as_str() {
                "INFO" => self.say(Who::Daemon, message),
                "WARN" => self.line(Who::Daemon, message, Some("33")),
                "ERROR" => self.line(Who::Daemon, message, Some("31")),
                _ => {}
            },
            Happening::Ended | Happening::Stop(_) => {}
        }
    }

    /// Something that was checked and holds.
    pub(crate) fn proof(&self, name: &str, how: &str) {
        const COLUMN: usize = 21;
        let mut lines = folded(how, WIDTH - COLUMN).into_iter();
        let first = lines.next().unwrap_or_default();
        plain(&format!("  {} {name:17}{first}", self.wrap("32", "✓")));
        for line in lines {
            plain(&format!("{:COLUMN$}{line}", ""));
        }
    }

    /// Why the sandbox failed.
    pub(crate) fn failed(&self, why: &str) {
        plain(&format!("\n{} {why}", self.wrap("31", "✗ failed:")));
    }
}

fn answered(request: &LoggedRequest) -> String {
    let path = request.request.path.as_str();
    let short = path.find("/licenses").and_then(|at| path.get(at..)).unwrap_or(path);
    let status = request.status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
    format!("{} {short} → {status}", request.request.method)
}

fn reported(event: &Event) -> Option<String> {
    match event.name.as_str() {
        "started" => Some(format!("starts as process {}", event.pid)),
        "loaded" => {
            let load = event.load()?;
            let why = if load.by == "start" { "" } else { " again" };
            let serial = load.serial.unwrap_or_default();
            Some(format!("reads its license{why}: {serial}, {} bytes, sha256 {}…", load.bytes, load.sha256.get(..8)?))
        }
        "load-failed" => Some(format!("cannot read its license: {}", event.text("error"))),
        "refused" => Some("refuses to reload".to_owned()),
        "ignored" => Some(format!("does not reload ({})", event.text("behavior"))),
        "dying" => Some("dies".to_owned()),
        _ => None,
    }
}

/// Breaks a text into lines of at most `width` characters, at spaces.
fn folded(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_folded_at_spaces() {
        assert_eq!(folded("one two three", 7), ["one two", "three"]);
        assert_eq!(folded("averylongword x", 4), ["averylongword", "x"]);
    }
}
