//! The simulated netifyd: what it has loaded, and how it takes a reload.

use std::sync::Arc;

use netify_licensed::core::engine::{ReloadOutcome, ReloadReport};
use netify_licensed::core::time::{DAY, HOUR, MINUTE, Millis, SECOND};

use crate::license::Doc;
use crate::random::Random;

/// What the license file holds; `None` when there is none.
pub type File = Option<Arc<Doc>>;

/// How it takes a reload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// It reloads.
    Well,
    /// The reload cannot be asked for.
    Refusing,
    /// It reads the file, but nobody learns of it.
    Silent,
    /// It exits, and its supervisor starts it again.
    Dying,
    /// It is stopped.
    Stopped,
}

/// netifyd.
#[derive(Debug)]
pub struct Netifyd {
    /// How it takes a reload.
    pub mood: Mood,
    /// The process is there.
    pub running: bool,
    /// What it read last.
    pub loaded: File,
}

impl Netifyd {
    /// A running one that has read `file`.
    #[must_use]
    pub const fn new(file: File) -> Self {
        Self { mood: Mood::Well, running: true, loaded: file }
    }

    /// It starts, unless somebody keeps it stopped.
    pub fn start(&mut self, file: &File) {
        if self.mood != Mood::Stopped {
            self.running = true;
            self.loaded.clone_from(file);
        }
    }

    /// A reload; returns the report and how long it takes.
    pub fn reload(&mut self, file: &File, random: &mut Random) -> (ReloadReport, Millis) {
        let (outcome, takes) = if self.running {
            match self.mood {
                Mood::Well | Mood::Stopped => {
                    self.loaded.clone_from(file);
                    (ReloadOutcome::Confirmed, random.between(SECOND, 5 * SECOND))
                }
                Mood::Silent => {
                    self.loaded.clone_from(file);
                    (ReloadOutcome::Failed("no confirmation".to_owned()), 30 * SECOND)
                }
                Mood::Refusing => (ReloadOutcome::Failed("refused".to_owned()), random.between(100, SECOND)),
                Mood::Dying => {
                    self.loaded.clone_from(file);
                    (
                        ReloadOutcome::Restarted("it died and came back".to_owned()),
                        random.between(2 * SECOND, 8 * SECOND),
                    )
                }
            }
        } else {
            (ReloadOutcome::NotRunning("netifyd is not running".to_owned()), random.between(10, 200))
        };
        (ReloadReport::new("signal", outcome), takes)
    }
}

/// Draws a mood, and for how long it lasts.
pub fn mood(random: &mut Random) -> (Mood, Millis) {
    let mood = random.pick(&[Mood::Refusing, Mood::Refusing, Mood::Silent, Mood::Dying, Mood::Stopped]);
    let longest = if random.chance(0.05) { 3 * DAY } else { 2 * HOUR };
    (mood, random.magnitude(5 * MINUTE, longest))
}
