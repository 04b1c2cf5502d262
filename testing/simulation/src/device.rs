//! What a simulated device is like: drawn once from its seed.

use netify_licensed::core::config::{ClockTrust, Config, HubKind, Span, TrustMode};
use netify_licensed::core::time::{DAY, HOUR, MINUTE, Millis};

use crate::clock::ClockKind;
use crate::random::Random;

/// The lasting properties of a device, its license and its hub.
#[derive(Debug, Clone)]
#[allow(clippy::struct_excessive_bools, reason = "independent quirks, each drawn on its own")]
pub struct Device {
    /// Device id.
    pub duid: String,
    /// Serial of its license.
    pub serial: String,
    /// Life of a license.
    pub term: Millis,
    /// Licenses carry real signatures.
    pub signed: bool,
    /// Licenses name the device.
    pub bound: bool,
    /// Licenses come from a relay.
    pub relay: bool,
    /// Licenses tell when they were issued.
    pub tells_created: bool,
    /// The hub keeps the date of the first issue through renewals.
    pub keeps_created: bool,
    /// The hub ends every license at midnight.
    pub whole_days: bool,
    /// The hub's answers carry `Date`.
    pub tells_date: bool,
    /// The hub may be asked to renew.
    pub renewable: bool,
    /// Certificates are checked against the wall clock.
    pub tls: bool,
    /// There is no license at first, and the daemon may create one.
    pub provision: bool,
    /// There is no license file at first.
    pub begins_empty: bool,
    /// How it keeps time.
    pub clock: ClockKind,
    /// What its clock is off by on a good day.
    pub skew: Millis,
    /// `clock.trust = "always"`.
    pub always_trusts: bool,
    /// How many times rarer faults are than at a device with bad luck: faults that meet are found at those.
    pub luck: Millis,
    /// Average time between reboots.
    pub reboots: Millis,
    /// `renewal.renew-before`, in hours.
    pub renew_before: Option<i64>,
    /// `renewal.min-retry` and `renewal.max-retry` in minutes, where they are not the defaults.
    pub retry: Option<(i64, i64)>,
    /// Probability that the daemon dies between two actions.
    pub dies: f64,
}

impl Device {
    /// Draws a device.
    #[must_use]
    pub fn draw(seed: u64, random: &mut Random) -> Self {
        let term = random.pick(&[7 * DAY, 7 * DAY, 30 * DAY, 30 * DAY, 365 * DAY]);
        let relay = random.chance(0.2);
        let clock = random.pick(&[
            ClockKind::Synchronized,
            ClockKind::Synchronized,
            ClockKind::Timesync,
            ClockKind::NoRtc,
            ClockKind::Flagless,
        ]);
        let tells_created = random.chance(0.7);
        Self {
            duid: format!("duid-{seed:016x}"),
            serial: format!("SIM-{seed:016x}"),
            term,
            signed: random.chance(0.1),
            bound: random.chance(0.6),
            relay,
            tells_created,
            keeps_created: tells_created && random.chance(0.3),
            whole_days: term > 7 * DAY && random.chance(0.3),
            tells_date: random.chance(0.9),
            renewable: relay || random.chance(0.95),
            tls: random.chance(0.8),
            provision: !relay && random.chance(0.1),
            begins_empty: random.chance(0.3),
            clock,
            skew: if random.chance(0.2) { random.between(-2 * HOUR, 2 * HOUR) } else { 0 },
            always_trusts: random.chance(0.05),
            luck: if random.chance(0.3) { 1 } else { 6 },
            reboots: if random.chance(0.05) { DAY } else { 40 * DAY },
            renew_before: random.chance(0.15).then(|| random.between(term / 10, term / 2) / HOUR),
            retry: random.chance(0.15).then(|| (random.magnitude(1, 240), random.between(240, 720))),
            dies: if random.chance(0.3) { 0.02 } else { 0.001 },
        }
    }

    /// The configuration of the daemon on this device.
    #[must_use]
    pub fn config(&self) -> Config {
        let mut config = Config::default();
        config.trust.mode = if self.signed { TrustMode::Signature } else { TrustMode::Transport };
        config.hub.kind = if self.relay { HubKind::Relay } else { HubKind::Api };
        config.clock.trust = if self.always_trusts { ClockTrust::Always } else { ClockTrust::Auto };
        config.renewal.renew_before = self.renew_before.and_then(|hours| Span::try_from(format!("{hours}h")).ok());
        if let Some((min, max)) = self.retry {
            config.renewal.min_retry = Span::try_from(format!("{min}m")).unwrap_or(config.renewal.min_retry);
            config.renewal.max_retry = Span::try_from(format!("{max}m")).unwrap_or(config.renewal.max_retry);
        }
        config.provision.enabled = self.provision;
        config.provision.issued_to = Some("Simulated".to_owned());
        config.provision.entitlements = vec!["netify-proc-aggregator".to_owned()];
        config
    }

    /// `renewal.min-retry`.
    #[must_use]
    pub fn min_retry(&self) -> Millis {
        self.retry.map_or(MINUTE, |(min, _)| min * MINUTE)
    }
}
