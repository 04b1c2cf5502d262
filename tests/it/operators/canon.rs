//! A screen as it would be on one certain day on one certain machine, so that it can be kept.

use netify_licensed::core::report::status::Status;
use netify_licensed::core::time::{WallTime, relative};

use super::gateway::Gateway;

/// The day of all screens: 2026-12-01 12:00:00 UTC.
const NOON: WallTime = WallTime::from_unix(1_796_126_400);
/// What happened within this many seconds of the test happened [`RECENT`] ago.
const LATELY: i64 = 120;
const RECENT: i64 = 30;

/// How one test's moments, paths and numbers become those of the kept screens.
pub(crate) struct Canon<'a> {
    gateway: &'a Gateway,
    /// Moments that are drawn at random, with where they shall lie, in seconds from noon.
    drawn: Vec<(WallTime, i64)>,
    numbers: Vec<(String, &'static str)>,
    expires: Option<WallTime>,
}

impl<'a> Canon<'a> {
    /// The status tells which moments and process ids are of this run alone.
    pub(crate) fn new(gateway: &'a Gateway, status: &Status) -> Self {
        let mut drawn = Vec::new();
        let (due, next) = (status.renewal.due_at.map(|at| at.0), status.renewal.next_attempt_at.map(|at| at.0));
        if let Some(due) = due {
            let future = due.unix() > gateway.now;
            drawn.push((due, if future { 2 * 86_400 + 5 * 3_600 } else { -2 * 86_400 - 7 * 3_600 }));
        }
        if let Some(next) = next.filter(|next| Some(*next) != due) {
            let far = next.unix() - gateway.now;
            drawn.push((
                next,
                if far > 5_400 {
                    3 * 3_600
                } else if far > LATELY {
                    15 * 60
                } else {
                    45
                },
            ));
        }
        let mut numbers = Vec::new();
        numbers.extend(status.pid.map(|pid| (format!("process {pid}"), "process 812")));
        numbers.extend(gateway.netifyd.as_ref().map(|netifyd| (format!("process {}", netifyd.pid()), "process 640")));
        Self { gateway, drawn, numbers, expires: status.license.expires_at.map(|at| at.0) }
    }

    /// A screen with that day's dates, the usual paths and addresses.
    pub(crate) fn screen(&self, text: &str) -> String {
        let root = self.gateway.root().display().to_string();
        let mut text = text
            .replace(&format!("{root}/"), "/")
            .replace(&self.gateway.hub.url(), "https://hub.netify.ai/api/v2/integrator");
        for (number, canonical) in &self.numbers {
            text = text.replace(number, canonical);
        }
        text.lines().map(|line| self.line(line) + "\n").collect()
    }

    fn line(&self, line: &str) -> String {
        let mut rest = line;
        let mut done = String::new();
        'next: while let Some(first) = rest.chars().next() {
            for (length, format) in [(23, Form::Human), (20, Form::Rfc3339), (10, Form::Date)] {
                let Some(candidate) = rest.get(..length) else { continue };
                let Some(moved) = self.moved(candidate, format) else { continue };
                done.push_str(&format.write(moved));
                rest = &rest[length..];
                // "(in 3 days)" behind a time says the same once more.
                if let Some((old, behind)) = rest.strip_prefix(" (").and_then(|rest| rest.split_once(')'))
                    && (old.starts_with("in ") || old.ends_with(" ago") || old == "now")
                {
                    done.push_str(&format!(" ({})", relative(moved, NOON)));
                    rest = behind;
                }
                continue 'next;
            }
            // The plugin's words for the same.
            if let (Some(expires), Some(end)) = (self.expires, rest.find([';', '|']))
                && (rest.starts_with("ends in ") || (rest.starts_with("ended ") && rest[..end].contains(" ago")))
            {
                let end = rest[..end].find(" (").unwrap_or(end);
                let behind = rest[..end].trim_end().len();
                let verb = rest.split(' ').next().unwrap_or_default();
                done.push_str(&format!("{verb} {}", relative(self.shifted(expires), NOON)));
                rest = &rest[behind..];
                continue;
            }
            if let Some(behind) = rest.strip_prefix("since_last_success=") {
                done.push_str("since_last_success=30s");
                rest = behind.trim_start_matches(|c: char| c.is_ascii_digit() || c == 's');
                continue;
            }
            done.push(first);
            rest = &rest[first.len_utf8()..];
        }
        done
    }

    fn moved(&self, text: &str, form: Form) -> Option<WallTime> {
        let seen = form.read(text)?;
        if form == Form::Date {
            // Days are counted from the license's end: from now, their number would depend on the time of day.
            let (from, to) = match self.expires {
                Some(expires) => (expires, self.shifted(expires)),
                None => (WallTime::from_unix(self.gateway.now), NOON),
            };
            let days = seen.since(WallTime::from_date(&from.date())?);
            return Some(WallTime::from_date(&to.date())?.plus(days));
        }
        Some(self.shifted(seen))
    }

    fn shifted(&self, seen: WallTime) -> WallTime {
        if let Some((_, seconds)) = self.drawn.iter().find(|(drawn, _)| drawn.unix() == seen.unix()) {
            return NOON.plus(seconds * 1_000);
        }
        let seconds = seen.unix() - self.gateway.now;
        NOON.plus(1_000 * if seconds.abs() < LATELY { -RECENT } else { (seconds + 30).div_euclid(60) * 60 })
    }
}

/// How a moment is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Human,
    Rfc3339,
    Date,
}

impl Form {
    fn read(self, text: &str) -> Option<WallTime> {
        match self {
            Self::Human => WallTime::parse(&format!("{}Z", text.strip_suffix(" UTC")?.replace(' ', "T"))),
            Self::Rfc3339 => text.ends_with('Z').then(|| WallTime::parse(text)).flatten(),
            Self::Date => WallTime::from_date(text),
        }
    }

    fn write(self, at: WallTime) -> String {
        match self {
            Self::Human => at.human(),
            Self::Rfc3339 => at.rfc3339(),
            Self::Date => at.date(),
        }
    }
}
