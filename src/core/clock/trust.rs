//! Whether the wall clock can be believed. Distrust needs evidence: an unsynchronized flag alone is none.

use std::borrow::Cow;

use crate::core::license::verify::CLOCK_TOLERANCE;
use crate::core::time::{DAY, MINUTE, Millis, Now, WallTime, relative, span};

/// No release of this program ran before this day (2026-11-01); builds with `SOURCE_DATE_EPOCH` know better.
const RELEASED: i64 = 1_793_491_200;
/// How far the clock may lie before a known time.
const SLACK: Millis = DAY;
/// Without a real-time clock the first minutes after boot are not believed unless the kernel says synchronized.
const YOUNG: Millis = 10 * MINUTE;

/// What the machine says about its clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Evidence {
    /// The kernel's flag (adjtimex(2), `STA_UNSYNC` clear); `None` when it cannot be read.
    pub kernel_synchronized: Option<bool>,
    /// A time service has left its mark since boot, as systemd-timesyncd does.
    pub timesync_marker: bool,
    /// There is a real-time clock.
    pub has_rtc: bool,
}

/// Times that the present cannot lie before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Known {
    /// Last time that was believed, from the state directory.
    pub last_good: Option<WallTime>,
    /// Issue date of a verified license.
    pub created_at: Option<WallTime>,
}

/// A judgement with its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    /// Whether dates may be judged.
    pub trusted: bool,
    /// Why, in one clause.
    pub why: Cow<'static, str>,
    /// Time until the judgement may change by itself.
    pub review_in: Option<Millis>,
}

/// The build date: `SOURCE_DATE_EPOCH` of the build, else the release date.
#[must_use]
pub fn build_date() -> WallTime {
    let epoch = option_env!("SOURCE_DATE_EPOCH").and_then(|text| text.parse().ok()).unwrap_or(RELEASED);
    WallTime::from_unix(epoch)
}

/// Judges the wall clock. `always` is `clock.trust = "always"`.
#[must_use]
pub fn judge(now: Now, evidence: &Evidence, known: &Known, always: bool) -> Trust {
    let trusted = |why: &'static str| Trust { trusted: true, why: why.into(), review_in: None };
    let doubt = |why: String, review_in| Trust { trusted: false, why: why.into(), review_in };
    if always {
        return trusted("clock.trust is \"always\"");
    }
    if now.wall < build_date() {
        let reason = format!("it says {}, and this program was built on {}", now.wall, build_date().date());
        return doubt(reason, Some(build_date().since(now.wall)));
    }
    if evidence.kernel_synchronized == Some(true) {
        return trusted("the kernel says synchronized");
    }
    if evidence.timesync_marker {
        return trusted("the time service has synchronized it");
    }
    let floors = [(known.last_good, "the last known good time"), (known.created_at, "the license's issue date")];
    for (floor, name) in floors {
        if let Some(floor) = floor.filter(|floor| floor.since(now.wall) > SLACK) {
            let behind = span(floor.since(now.wall));
            let credible_in = floor.since(now.wall) - SLACK;
            return doubt(format!("it is unsynchronized and {behind} behind {name} ({floor})"), Some(credible_in));
        }
    }
    if !evidence.has_rtc && now.boot.0 < YOUNG {
        let up = span(now.boot.0);
        return doubt(
            format!("it is unsynchronized, there is no real-time clock, and the device is up for {up} only"),
            Some(YOUNG - now.boot.0),
        );
    }
    trusted("nothing speaks against it")
}

/// A skew of over five minutes against the hub's clock, positive when this one is ahead, and one clause about it.
#[must_use]
pub fn skew(wall: WallTime, hub: WallTime) -> Option<(Millis, String)> {
    let skew = wall.since(hub);
    (skew.abs() > CLOCK_TOLERANCE).then(|| {
        let side = if skew > 0 { "ahead of" } else { "behind" };
        let text =
            format!("this device's clock is {} {side} the hub's (hub: {hub}, {})", span(skew), relative(hub, wall));
        (skew, text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::time::BootTime;

    const UNSYNCHRONIZED: Evidence =
        Evidence { kernel_synchronized: Some(false), timesync_marker: false, has_rtc: true };

    fn at(wall: WallTime, up_minutes: i64) -> Now {
        Now { wall, boot: BootTime(up_minutes * MINUTE) }
    }

    fn believed(now: Now, evidence: Evidence, known: Known) -> bool {
        judge(now, &evidence, &known, false).trusted
    }

    #[test]
    fn an_unsynchronized_flag_alone_is_no_evidence() {
        let today = build_date().plus(30 * DAY);
        assert!(believed(at(today, 60), UNSYNCHRONIZED, Known::default()));
        assert!(believed(at(today, 1), UNSYNCHRONIZED, Known::default()), "it has a real-time clock");
        assert!(believed(at(today, 60), Evidence { kernel_synchronized: None, ..UNSYNCHRONIZED }, Known::default()));
    }

    #[test]
    fn earlier_than_the_build_date() {
        let synchronized = Evidence { kernel_synchronized: Some(true), ..UNSYNCHRONIZED };
        assert!(!believed(at(WallTime(0), 60), UNSYNCHRONIZED, Known::default()));
        assert!(!believed(at(build_date().plus(-1), 60), synchronized, Known::default()));
        assert!(believed(at(build_date(), 60), synchronized, Known::default()));
        assert!(judge(at(WallTime(0), 0), &UNSYNCHRONIZED, &Known::default(), true).trusted, "always");
    }

    #[test]
    fn behind_a_known_time_by_more_than_a_day_while_unsynchronized() {
        let today = build_date().plus(30 * DAY);
        for known in [
            Known { last_good: Some(today.plus(DAY + 5)), created_at: None },
            Known { last_good: None, created_at: Some(today.plus(DAY + 5)) },
        ] {
            let doubted = judge(at(today, 60), &UNSYNCHRONIZED, &known, false);
            assert_eq!((doubted.trusted, doubted.review_in), (false, Some(5)));
            assert!(believed(at(today.plus(5), 60), UNSYNCHRONIZED, known), "a day behind is no evidence");
            assert!(believed(at(today, 60), Evidence { kernel_synchronized: Some(true), ..UNSYNCHRONIZED }, known));
            assert!(believed(at(today, 60), Evidence { timesync_marker: true, ..UNSYNCHRONIZED }, known));
        }
    }

    #[test]
    fn no_rtc_and_just_booted() {
        let today = build_date().plus(30 * DAY);
        let board = Evidence { has_rtc: false, ..UNSYNCHRONIZED };
        let young = judge(at(today, 4), &board, &Known::default(), false);
        assert_eq!((young.trusted, young.review_in), (false, Some(6 * MINUTE)));
        assert!(believed(at(today, 10), board, Known::default()));
        assert!(believed(at(today, 4), Evidence { kernel_synchronized: Some(true), ..board }, Known::default()));
    }

    #[test]
    fn skew_is_reported_beyond_five_minutes() {
        let hub = build_date();
        assert_eq!(skew(hub.plus(5 * MINUTE), hub), None);
        assert!(skew(hub.plus(6 * MINUTE), hub).is_some_and(|(_, text)| text.contains("6 min ahead of the hub's")));
        assert!(skew(hub.plus(-2 * DAY), hub).is_some_and(|(_, text)| text.contains("2 days behind")));
    }
}
