//! Dates as the Licensing API and HTTP write them, and the emulator's own, possibly wrong, clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::fmt::rfc2822::DateTimePrinter;
use jiff::tz::TimeZone;

/// Seconds of one day.
pub const DAY: i64 = 86_400;

/// The system clock in milliseconds since 1970.
fn system_millis() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// The system clock in seconds since 1970.
pub(crate) fn system_now() -> i64 {
    system_millis().div_euclid(1000)
}

/// The emulator's clock: the system's, plus an offset that tests use to make the hub disagree with the device.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct HubClock {
    /// Seconds added to the system clock.
    pub(crate) offset: i64,
}

impl HubClock {
    pub(crate) fn millis(self) -> i64 {
        system_millis().saturating_add(self.offset.saturating_mul(1000))
    }

    pub(crate) fn now(self) -> i64 {
        self.millis().div_euclid(1000)
    }
}

fn timestamp(unix: i64) -> Timestamp {
    Timestamp::from_second(unix).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn utc_date(unix: i64) -> Date {
    TimeZone::UTC.to_datetime(timestamp(unix)).date()
}

/// `2026-05-29 00:00:00`, UTC, as the license members `expire_at.date` and `created_at.date` show it.
#[must_use]
pub fn date_time(unix: i64) -> String {
    TimeZone::UTC.to_datetime(timestamp(unix)).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// `2026-05-29`, UTC.
#[must_use]
pub fn date(unix: i64) -> String {
    utc_date(unix).to_string()
}

/// The first midnight (UTC) that is not before `unix`.
///
/// `not_valid_after` is a date that careful readers take as 00:00 of that day, so an entitlement that must last as
/// long as its license needs the day after, unless the license ends at midnight sharp.
#[must_use]
pub fn midnight_not_before(unix: i64) -> i64 {
    let start = midnight(unix);
    if start == unix { start } else { start.saturating_add(DAY) }
}

/// The midnight (UTC) that began the day of `unix`.
#[must_use]
pub fn midnight(unix: i64) -> i64 {
    unix.saturating_sub(unix.rem_euclid(DAY))
}

/// Reads `YYYY-MM-DD` and nothing else; the answer is that day's 00:00 UTC in Unix seconds.
#[must_use]
pub fn parse_date(text: &str) -> Option<i64> {
    let shape = text.len() == 10
        && text.bytes().enumerate().all(|(i, b)| if i == 4 || i == 7 { b == b'-' } else { b.is_ascii_digit() });
    if !shape {
        return None;
    }
    let date: Date = text.parse().ok()?;
    let zoned = TimeZone::UTC.to_timestamp(date.to_datetime(jiff::civil::Time::midnight())).ok()?;
    Some(zoned.as_second())
}

/// An HTTP date (RFC 9110, section 5.6.7), such as `Fri, 29 May 2026 00:00:00 GMT`.
#[must_use]
pub fn http_date(unix: i64) -> String {
    DateTimePrinter::new().timestamp_to_rfc9110_string(&timestamp(unix)).unwrap_or_default()
}

/// Whole seconds of a lifetime, rounded up: a license date has no fraction.
pub(crate) fn ceil_seconds(span: Duration) -> i64 {
    let whole = i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
    if span.subsec_nanos() > 0 { whole.saturating_add(1) } else { whole }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_as_the_vendor_writes_them() {
        assert_eq!(date_time(1_780_012_800), "2026-05-29 00:00:00");
        assert_eq!(date_time(1_774_830_914), "2026-03-30 00:35:14");
        assert_eq!(http_date(1_780_012_800), "Fri, 29 May 2026 00:00:00 GMT");
    }

    #[test]
    fn only_the_documented_date_shape_is_read() {
        assert_eq!(parse_date("2026-05-29"), Some(1_780_012_800));
        for wrong in ["2026-5-29", "2026-02-30", "29-05-2026", "2026-05-29T00:00", "2026/05/29", "", "+002026-05"] {
            assert_eq!(parse_date(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn entitlements_never_end_before_their_license() {
        assert_eq!(midnight_not_before(1_780_012_800), 1_780_012_800);
        assert_eq!(midnight_not_before(1_780_012_801), 1_780_012_800 + DAY);
        assert_eq!(midnight_not_before(1_780_012_799), 1_780_012_800);
    }

    #[test]
    fn fractions_of_a_second_count_up() {
        assert_eq!(ceil_seconds(Duration::from_millis(1500)), 2);
        assert_eq!(ceil_seconds(Duration::from_secs(10)), 10);
    }
}
