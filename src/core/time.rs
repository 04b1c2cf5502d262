//! Points and spans of time, as plain milliseconds. Nothing here reads a clock.

use std::fmt;

use jiff::civil::DateTime;
use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};
use serde::{Deserialize, Serialize};

/// Where Unix time begins.
const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);
/// The last second of the calendar.
const LAST: DateTime = DateTime::constant(9999, 12, 31, 23, 59, 59, 0);

/// A span in milliseconds.
pub type Millis = i64;

/// One second in milliseconds.
pub const SECOND: Millis = 1_000;
/// One minute in milliseconds.
pub const MINUTE: Millis = 60 * SECOND;
/// One hour in milliseconds.
pub const HOUR: Millis = 60 * MINUTE;
/// One day of 24 hours in milliseconds.
pub const DAY: Millis = 24 * HOUR;

/// Wall-clock time (`CLOCK_REALTIME`): milliseconds since the Unix epoch. It may step in either direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WallTime(pub Millis);

/// Time since boot (`CLOCK_BOOTTIME`): milliseconds, never steps, goes on during suspend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BootTime(pub Millis);

/// Both clocks, sampled together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// What the wall clock says.
    pub wall: WallTime,
    /// How long the machine is up.
    pub boot: BootTime,
}

impl WallTime {
    /// From seconds since the Unix epoch.
    #[must_use]
    pub const fn from_unix(seconds: i64) -> Self {
        Self(seconds.saturating_mul(SECOND))
    }

    /// Whole seconds since the Unix epoch.
    #[must_use]
    pub const fn unix(self) -> i64 {
        self.0.div_euclid(SECOND)
    }

    /// This time plus a span.
    #[must_use]
    pub const fn plus(self, span: Millis) -> Self {
        Self(self.0.saturating_add(span))
    }

    /// How much later this is than `earlier`; negative when it is earlier.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Millis {
        self.0.saturating_sub(earlier.0)
    }

    /// RFC 3339 in UTC, whole seconds: `2026-05-29T00:00:00Z`.
    #[must_use]
    pub fn rfc3339(self) -> String {
        // The library's time stamps end a day before the calendar does, and licenses that never end say 9999-12-31.
        let at = EPOCH.checked_add(SignedDuration::from_secs(self.unix()));
        format!("{}Z", at.unwrap_or(if self.0 < 0 { DateTime::MIN } else { LAST }))
    }

    /// For people: `2026-05-29 00:00:00 UTC`.
    #[must_use]
    pub fn human(self) -> String {
        self.rfc3339().replace('T', " ").replace('Z', " UTC")
    }

    /// Reads an RFC 3339 time, or the date of an HTTP header (RFC 9110, section 5.6.7, with both obsolete forms).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(timestamp) = text.parse::<Timestamp>() {
            return Some(Self(timestamp.as_millisecond()));
        }
        if let Some(at) = text.strip_suffix('Z').and_then(|text| text.parse::<DateTime>().ok()) {
            return Some(Self::from_civil(at));
        }
        if let Ok(timestamp) = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text) {
            return Some(Self(timestamp.as_millisecond()));
        }
        Self::parse_obsolete(text)
    }

    /// `Sunday, 06-Nov-94 08:49:37 GMT` (RFC 850) and `Sun Nov  6 08:49:37 1994` (asctime).
    fn parse_obsolete(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.split([' ', ',', '-']).filter(|word| !word.is_empty()).collect();
        let ([_, day, month, year, time, "GMT"] | [_, month, day, time, year]) = words[..] else { return None };
        // Two digits mean the near past or future: this program is younger than 2000.
        let year = if year.len() == 2 { format!("20{year}") } else { year.to_owned() };
        let modern = format!("{day} {month} {year} {time} +0000");
        let timestamp = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(&modern).ok()?;
        Some(Self(timestamp.as_millisecond()))
    }

    /// Midnight UTC at the start of the day `YYYY-MM-DD`; what follows the date is not looked at.
    #[must_use]
    pub fn from_date(text: &str) -> Option<Self> {
        let date: jiff::civil::Date = text.get(..10)?.parse().ok()?;
        Some(Self::from_civil(date.at(0, 0, 0, 0)))
    }

    fn from_civil(at: DateTime) -> Self {
        Self::from_unix(at.duration_since(EPOCH).as_secs())
    }

    /// The UTC day as `YYYY-MM-DD`.
    #[must_use]
    pub fn date(self) -> String {
        self.rfc3339().chars().take(10).collect()
    }
}

impl BootTime {
    /// This time plus a span.
    #[must_use]
    pub const fn plus(self, span: Millis) -> Self {
        Self(self.0.saturating_add(span))
    }

    /// How much later this is than `earlier`; negative when it is earlier.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Millis {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for WallTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.human())
    }
}

/// A span in the two largest units that matter: `3 days 4 h`, `12 min`, `45 s`.
#[must_use]
pub fn span(millis: Millis) -> String {
    let seconds = millis.unsigned_abs() / 1_000;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    let plural = if days == 1 { "" } else { "s" };
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) if minutes < 5 && !seconds.is_multiple_of(60) => format!("{minutes} min {} s", seconds % 60),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, 0) => format!("{hours} h"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, 0, _) => format!("{days} day{plural}"),
        (days, hours, _) if days < 10 => format!("{days} day{plural} {hours} h"),
        (days, _, _) => format!("{days} day{plural}"),
    }
}

/// A point relative to another: `in 3 days 4 h`, `12 min ago`, `now`.
#[must_use]
pub fn relative(to: WallTime, now: WallTime) -> String {
    match to.since(now) {
        delta if delta.abs() < SECOND => "now".to_owned(),
        delta if delta > 0 => format!("in {}", span(delta)),
        delta => format!("{} ago", span(delta)),
    }
}

/// Reads a positive duration such as `30s`, `5m`, `6h`, `3d`, `1w`, `1h 30m`. A day has 24 hours; months and years
/// have no fixed length and are refused.
pub fn parse_span(text: &str) -> Result<Millis, String> {
    let refuse =
        || format!("`{text}` is not a duration; write a number and a unit, such as \"30s\", \"5m\", \"6h\" or \"3d\"");
    let span: Span = text.parse().map_err(|_| refuse())?;
    let duration: SignedDuration = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| refuse())?;
    let millis = Millis::try_from(duration.as_millis()).map_err(|_| refuse())?;
    if millis <= 0 { Err(refuse()) } else { Ok(millis) }
}

/// As [`parse_span`]; zero, such as `0s`, is a duration too.
pub fn parse_delay(text: &str) -> Result<Millis, String> {
    let is_zero = text.parse::<Span>().is_ok_and(|span| span.is_zero());
    if is_zero { Ok(0) } else { parse_span(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_day_of_the_calendar_is_a_date() {
        let last = WallTime::from_date("9999-12-31").expect("a date");
        assert_eq!((last.unix(), last.date().as_str()), (253_402_214_400, "9999-12-31"));
        assert_eq!((last.rfc3339().as_str(), WallTime::parse(&last.rfc3339())), ("9999-12-31T00:00:00Z", Some(last)));
        assert_eq!(WallTime(i64::MAX).rfc3339(), "9999-12-31T23:59:59Z");
        assert!(WallTime(i64::MIN).rfc3339().starts_with('-'));
        assert_eq!(WallTime::from_unix(-1).rfc3339(), "1969-12-31T23:59:59Z");
    }

    #[test]
    fn reads_and_writes_times() {
        let t = WallTime::from_unix(1_780_012_800);
        assert_eq!(t.rfc3339(), "2026-05-29T00:00:00Z");
        assert_eq!(t.human(), "2026-05-29 00:00:00 UTC");
        assert_eq!(WallTime::parse("Fri, 29 May 2026 00:00:00 GMT"), Some(t));
        assert_eq!(WallTime::parse("2026-05-29T00:00:00Z"), Some(t));
        assert_eq!(WallTime::parse("Friday, 29-May-26 00:00:00 GMT"), Some(t));
        assert_eq!(WallTime::parse("Fri May 29 00:00:00 2026"), Some(t));
        assert_eq!(WallTime::parse("Sun Nov  6 08:49:37 1994"), Some(WallTime::from_unix(784_111_777)));
        assert_eq!(WallTime::parse("Friday, 29-May-26 00:00:00"), None);
        assert_eq!(WallTime::from_date("2026-05-29"), Some(t));
        assert_eq!(WallTime::from_date("2026-05-29 12:13:14"), Some(t));
        assert_eq!(WallTime::from_date("soon"), None);
        assert_eq!(WallTime::from_date("2026-02-30"), None);
        assert_eq!(t.date(), "2026-05-29");
    }

    #[test]
    fn out_of_range_times_are_clamped_not_fatal() {
        assert!(WallTime(i64::MAX).rfc3339().starts_with("9999"));
        assert!(WallTime(i64::MIN).rfc3339().starts_with("-009999"));
    }

    #[test]
    fn durations() {
        assert_eq!(parse_span("10s"), Ok(10 * SECOND));
        assert_eq!(parse_span("3d"), Ok(3 * DAY));
        assert_eq!(parse_span("1h 30m"), Ok(90 * MINUTE));
        assert_eq!(parse_span("500ms"), Ok(500));
        for bad in ["", "0s", "-1s", "3", "1mo", "soon", "1y"] {
            assert!(parse_span(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn spans_for_people() {
        assert_eq!(span(45 * SECOND), "45 s");
        assert_eq!(span(90 * SECOND), "1 min 30 s");
        assert_eq!(span(2 * MINUTE), "2 min");
        assert_eq!(span(5 * MINUTE + 30 * SECOND), "5 min");
        assert_eq!(span(12 * MINUTE), "12 min");
        assert_eq!(span(3 * HOUR), "3 h");
        assert_eq!(span(DAY + 4 * HOUR), "1 day 4 h");
        assert_eq!(span(9 * DAY + 4 * HOUR), "9 days 4 h");
        assert_eq!(span(10 * DAY + 4 * HOUR), "10 days");
        let now = WallTime::from_unix(1_000_000);
        assert_eq!(relative(now.plus(2 * DAY), now), "in 2 days");
        assert_eq!(relative(now.plus(-90 * SECOND), now), "1 min 30 s ago");
        assert_eq!(relative(now, now), "now");
        assert_eq!(relative(now.plus(SECOND), now), "in 1 s");
        assert_eq!(relative(now.plus(1 - SECOND), now), "now");
    }
}
