//! What was logged already: a failure is logged once, then counted, then again when its reason changes and daily.

use super::{Action, Engine, Level};
use crate::core::license::verify::State;
use crate::core::report::status::Status;
use crate::core::state::word::Word;
use crate::core::time::{DAY, WallTime};

#[derive(Debug, Default)]
pub(super) struct Log {
    failures: Vec<Failure>,
    said: Vec<(String, WallTime)>,
    state: Option<State>,
    trusted: Option<bool>,
    /// A line of this step names the license and its end: that its state is good says no more.
    pub(super) license_was_named: bool,
}

/// What fails. Each has its own count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Attempt(Word),
    Install,
    Restore,
    Reload,
}

#[derive(Debug)]
struct Failure {
    kind: Kind,
    text: String,
    logged_at: WallTime,
    silent: u32,
}

impl Log {
    /// Whether this was not said for a day, nor since the last success.
    pub(super) fn first_time(&mut self, what: &str, now: WallTime) -> bool {
        self.said.retain(|(_, at)| (0..DAY).contains(&now.since(*at)));
        let is_news = self.said.len() < 64 && !self.said.iter().any(|(said, _)| said == what);
        if is_news {
            self.said.push((what.to_owned(), now));
        }
        is_news
    }

    pub(super) fn forget(&mut self) {
        self.failures.clear();
        self.said.clear();
    }

    /// An attempt that fails in another way is news, and so is the way back.
    pub(super) fn forget_attempts_but(&mut self, word: Word) {
        self.failures.retain(|known| !matches!(known.kind, Kind::Attempt(other) if other != word));
    }

    /// What is over is news when it happens again.
    pub(super) fn forget_failure(&mut self, kind: Kind) {
        self.failures.retain(|known| known.kind != kind);
    }
}

/// The reason, without what is new in it each time: a supervised netifyd fails under another process id, and a hub counts
/// its answers. Short numbers, such as an HTTP status, are part of the reason.
fn reason_of(text: &str) -> String {
    const SHORT: usize = 5;
    let mut parts = text.split("(process ");
    let first = parts.next().unwrap_or_default().to_owned();
    let text = parts.fold(first, |text, part| text + part.trim_start_matches(|c: char| c.is_ascii_digit()));
    let is_id = |word: &str| word.len() > SHORT && word.bytes().any(|byte| byte.is_ascii_digit());
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
    words.filter(|word| !is_id(word)).collect::<Vec<_>>().join(" ")
}

impl Engine {
    pub(super) fn note(&mut self, level: Level, text: impl Into<String>) {
        self.actions.push(Action::Note(level, text.into()));
    }

    /// A line that names the license and its end.
    pub(super) fn note_license(&mut self, level: Level, text: String) {
        self.log.license_was_named = true;
        self.note(level, text);
    }

    pub(super) fn note_failure(&mut self, level: Level, kind: Kind, text: String) {
        let now = self.cx.wall_now();
        let known = self.log.failures.iter_mut().find(|known| known.kind == kind);
        if let Some(failure) = known.filter(|failure| {
            reason_of(&failure.text) == reason_of(&text) && (0..DAY).contains(&now.since(failure.logged_at))
        }) {
            failure.silent += 1;
            return self.note(Level::Debug, text);
        }
        let silent = self.log.failures.iter().find(|known| known.kind == kind).map_or(0, |failure| failure.silent);
        self.log.forget_failure(kind);
        self.log.failures.push(Failure { kind, text: text.clone(), logged_at: now, silent: 0 });
        self.note(level, if silent > 0 { format!("{text} ({silent} more like the last one before)") } else { text });
    }

    /// One line for one change of the license's state or of the trust in the clock.
    pub(super) fn note_change(&mut self, status: &Status) {
        let (state, clock) = (status.state, &status.clock);
        let before = self.log.trusted.replace(clock.trusted);
        let clock_line = match (clock.trusted, before) {
            (false, None | Some(true)) => Some((Level::Warn, format!("the clock cannot be believed: {}", clock.why))),
            (true, Some(false)) => Some((Level::Info, format!("the clock can be believed: {}", clock.why))),
            _ => None,
        };
        let is_news = self.log.state.replace(state) != Some(state);
        let was_named = self.log.license_was_named;
        if let Some((level, text)) = clock_line
            && !(is_news && state == State::ClockUntrusted)
        {
            self.note(level, text);
        }
        match state {
            _ if !is_news => {}
            State::Valid if was_named => {}
            State::Valid => self.note(Level::Info, format!("license state is {state}")),
            State::Unchecked => {
                self.note(
                    Level::Info,
                    format!("license state is {state}: nobody checks its signature (trust.mode = \"transport\")"),
                );
            }
            _ => {
                let why = status.problems.first().map(|problem| format!(": {problem}")).unwrap_or_default();
                self.note(Level::Warn, format!("license state is {state}{why}"));
            }
        }
    }
}
