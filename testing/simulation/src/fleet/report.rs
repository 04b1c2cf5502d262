//! The scenarios side by side, in words and numbers.

use std::fmt::Write as _;

use netify_licensed::core::time::{MINUTE, WallTime, relative};

use super::hub::FleetHub;
use super::load::Load;
use super::scenario::{Client, OUTAGE, Scenario, worst_outage};
use super::{EXPIRES, ISSUED, SPREAD};

/// Devices that the worst moment of an outage is looked for with.
const SAMPLE: u64 = 4_000;

/// A scenario with both clients.
#[derive(Debug)]
pub struct Pair {
    /// What happens.
    pub title: String,
    /// netify-licensed: the load, and since when it counts.
    pub daemon: (Load, WallTime),
    /// The cron job.
    pub cron: (Load, WallTime),
    /// The busiest minute that is allowed, in means; none where only lapses count.
    pub limit: Option<f64>,
}

/// All scenarios.
#[derive(Debug)]
pub struct Report {
    /// Devices.
    pub devices: u64,
    /// The scenarios.
    pub pairs: Vec<Pair>,
}

impl Report {
    /// Runs all scenarios with a fleet of this size.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub fn run(devices: u64) -> Self {
        let capacity = ((mean(devices) * 1.2) as u32).max(1);
        let sample = devices.clamp(1, SAMPLE);
        let (daemon_outage, cron_outage) = (worst_outage(Client::Daemon, sample), worst_outage(Client::Cron, sample));
        let run = move |client, outage: Option<WallTime>, capacity, name: &str| {
            let hub = FleetHub::new(outage.map(|from| (from, from.plus(OUTAGE))), capacity);
            (Scenario { client, devices, hub }.run(name), outage.map_or(ISSUED, |from| from.plus(OUTAGE)))
        };
        let pair = |(title, limit, outage, capacity): (&str, Option<f64>, bool, Option<u32>)| Pair {
            title: title.to_owned(),
            cron: run(Client::Cron, outage.then_some(cron_outage), capacity, title),
            daemon: run(Client::Daemon, outage.then_some(daemon_outage), capacity, title),
            limit,
        };
        let scenarios = [
            ("a hub that works", Some(1.25), false, None),
            ("24 hours of outage at the worst moment", Some(3.0), true, None),
            ("429 above 1.2 x the mean", None, false, Some(capacity)),
        ];
        let pairs = std::thread::scope(|scope| {
            let running = scenarios.map(|scenario| scope.spawn(move || pair(scenario)));
            running.map(|pair| pair.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).into()
        });
        Self { devices, pairs }
    }

    /// The report as Markdown.
    #[must_use]
    pub fn text(&self) -> String {
        let mean = mean(self.devices);
        let mut text = String::new();
        let mut line = |words: String| {
            let _ = writeln!(text, "{words}");
        };
        line(format!(
            "{} devices; all licenses issued at {ISSUED}, ending {EXPIRES}. The mean of the spread is {mean:.0} renewals a \
             minute ({} over {} minutes).",
            self.devices,
            self.devices,
            SPREAD / MINUTE
        ));
        line(String::new());
        line("| scenario | client | busiest minute, renewals | in means | allowed | busiest half hour, in means | busiest minute, all requests | without a license for a while |".to_owned());
        line("|---|---|---|---|---|---|---|---|".to_owned());
        for pair in &self.pairs {
            let allowed = pair.limit.map_or("-".to_owned(), |limit| limit.to_string());
            for (client, (load, from), allowed) in
                [("netify-licensed", &pair.daemon, allowed.as_str()), ("cron job", &pair.cron, "")]
            {
                let busiest = load.busiest_renewals(*from);
                line(format!(
                    "| {} | {client} | {busiest} | {:.2} | {allowed} | {:.2} | {} | {} |",
                    pair.title,
                    f64::from(busiest) / mean,
                    load.busiest_half_hour(*from) / mean,
                    load.busiest_requests(*from),
                    load.lapsed
                ));
            }
        }
        line(String::new());
        for pair in &self.pairs {
            let (load, from) = &pair.daemon;
            if *from > ISSUED {
                line(format!(
                    "{}: netify-licensed's ends {} the licenses' end, the cron job's {}.",
                    pair.title,
                    relative(*from, EXPIRES).replace(" ago", " before"),
                    relative(pair.cron.1, EXPIRES).replace(" ago", " before it"),
                ));
            }
            debug_assert_eq!(load.in_time + load.lapsed, self.devices);
        }
        line(format!("All promises kept: {}.", if self.is_kept() { "yes" } else { "NO" }));
        text
    }

    /// Whether the daemon keeps its promises.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        let mean = mean(self.devices);
        self.pairs.iter().all(|pair| {
            let (load, from) = &pair.daemon;
            load.lapsed == 0 && pair.limit.is_none_or(|limit| f64::from(load.busiest_renewals(*from)) <= limit * mean)
        })
    }
}

/// Renewals a minute if the fleet used its spread evenly.
#[must_use]
#[allow(clippy::cast_precision_loss)]
pub fn mean(devices: u64) -> f64 {
    devices as f64 * MINUTE as f64 / SPREAD as f64
}
