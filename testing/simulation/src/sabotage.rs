//! Bugs that can be planted between the world and the engine, to see that the oracle finds them.
//!
//! Each is one that renewal daemons really had. They bend what goes into the engine, so no shipped code knows of them.

use netify_licensed::core::engine::{Event, Moment, Start};
use netify_licensed::core::time::{HOUR, SECOND};

use crate::random::Random;

/// A planted bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sabotage {
    /// None.
    None,
    /// The moment of renewal is drawn again and again.
    RedrawnJitter,
    /// An error resets the backoff.
    BackoffReset,
    /// `Retry-After` is not looked at.
    RetryAfterIgnored,
    /// After a crash the daemon believes that netifyd has loaded what is on disk.
    ReloadForgotten,
    /// The spread begins with the boot instead of the license.
    SpreadFromBoot,
}

impl Sabotage {
    /// The bugs.
    pub const BUGS: [Self; 5] =
        [Self::RedrawnJitter, Self::BackoffReset, Self::RetryAfterIgnored, Self::ReloadForgotten, Self::SpreadFromBoot];

    /// Bends what the engine is told.
    #[must_use]
    pub fn bend(self, event: Event) -> Event {
        match (self, event) {
            (Self::RetryAfterIgnored, Event::Answer(io, Ok(mut answer))) => {
                answer.retry_after = None;
                Event::Answer(io, Ok(answer))
            }
            (_, event) => event,
        }
    }

    /// Bends what the engine remembers when it starts.
    pub fn plant(self, start: &mut Start, moment: &Moment, file: Option<&str>, random: &mut Random) {
        match self {
            Self::None | Self::RetryAfterIgnored => {}
            Self::BackoffReset => {
                start.volatile.failures = 0;
                start.volatile.waits = 0;
            }
            Self::ReloadForgotten => {
                if start.durable.boot_id == start.boot_id {
                    start.durable.loaded = file.map(str::to_owned);
                }
            }
            Self::RedrawnJitter => {
                for issue in &mut start.durable.issues {
                    // Another second, another draw; the window hardly moves.
                    issue.at = issue.at.plus(random.between(-HOUR, HOUR) / SECOND * SECOND);
                }
            }
            Self::SpreadFromBoot => {
                for issue in &mut start.durable.issues {
                    issue.at = moment.now.wall;
                }
            }
        }
    }

    /// Whether the daemon has to start often for the bug to do its work.
    #[must_use]
    pub fn meddles_hourly(self) -> bool {
        self == Self::RedrawnJitter
    }
}
