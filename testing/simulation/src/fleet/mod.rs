//! A whole fleet whose licenses were issued in the same second: what its renewals do to the hub.

pub mod cron;
pub mod daemon;
pub mod hub;
pub mod load;
pub mod plot;
pub mod report;
pub mod scenario;

use netify_licensed::core::time::{DAY, HOUR, Millis, WallTime};

use crate::world::BEGIN;

/// All licenses were issued then: a Monday at ten in the morning.
pub const ISSUED: WallTime = WallTime(BEGIN + 10 * HOUR);
/// Life of a license.
pub const LIFE: Millis = 7 * DAY;
/// End of all licenses.
pub const EXPIRES: WallTime = WallTime(ISSUED.0 + LIFE);
/// The daemon's renewals begin half of the life before the end.
pub const WINDOW: WallTime = WallTime(EXPIRES.0 - LIFE / 2);
/// They are spread over half of the window.
pub const SPREAD: Millis = LIFE / 4;

/// When a device got its next license, or [`None`] when it had none an hour after the end.
pub type Renewed = Option<WallTime>;
