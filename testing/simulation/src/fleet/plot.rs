//! The report as a picture: renewals a minute over the week, as a small hand-made SVG.

use std::fmt::Write as _;

use netify_licensed::core::time::{DAY, WallTime};

use super::ISSUED;
use super::load::Load;
use super::report::{Pair, Report, mean};
use super::scenario::OUTAGE;

const WIDTH: f64 = 900.0;
const PANEL: f64 = 200.0;
const DAEMON: &str = "#087f5b";
const CRON: &str = "#c92a2a";
const LEFT: f64 = 56.0;
const TOP: f64 = 46.0;
/// Minutes that share a point of the line; the line shows the busiest of them.
const BIN: usize = 15;
/// Days from the issue that are shown.
const DAYS: (f64, f64) = (3.0, 7.5);

/// Draws all scenarios of a report.
#[must_use]
#[allow(clippy::cast_precision_loss)]
pub fn svg(report: &Report) -> String {
    let height = TOP + PANEL * report.pairs.len() as f64 + 30.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n<text x=\"{LEFT}\" y=\"20\" \
         font-size=\"15\">Renewals a minute at the hub, in means of the spread ({:.0}/min), busiest of {BIN} minutes</text>\n\
         <text x=\"{LEFT}\" y=\"38\" fill=\"{DAEMON}\">netify-licensed</text><text x=\"{}\" y=\"38\" fill=\"{CRON}\">cron job, \
         random sleep of 5 hours twice a day</text><text x=\"{}\" y=\"38\" fill=\"#666\">shaded: the hub is down (each client's own \
         worst moment)</text>\n",
        mean(report.devices),
        LEFT + 110.0,
        LEFT + 440.0,
    );
    for (index, pair) in report.pairs.iter().enumerate() {
        panel(&mut svg, pair, TOP + PANEL * index as f64, mean(report.devices));
    }
    for day in 3..=7 {
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">day {day}</text>",
            x(f64::from(day)),
            height - 12.0
        );
    }
    svg.push_str("</svg>\n");
    svg
}

#[allow(clippy::cast_precision_loss)]
fn days(at: WallTime) -> f64 {
    at.since(ISSUED) as f64 / DAY as f64
}

fn x(day: f64) -> f64 {
    LEFT + (day - DAYS.0) / (DAYS.1 - DAYS.0) * (WIDTH - LEFT - 16.0)
}

fn panel(svg: &mut String, pair: &Pair, top: f64, mean: f64) {
    let bottom = top + PANEL - 16.0;
    let highest = [&pair.daemon.0, &pair.cron.0].map(|load| load.renewals.iter().copied().max().unwrap_or(0));
    let scale = (f64::from(highest[0].max(highest[1])) / mean).max(2.0) * 1.05;
    let y = |means: f64| bottom - means / scale * (PANEL - 44.0);
    let _ = writeln!(svg, "<text x=\"{LEFT}\" y=\"{:.1}\" font-weight=\"bold\">{}</text>", top + 16.0, pair.title);
    let worth = |(load, from): &(Load, WallTime)| {
        format!("busiest {:.2}, {} lapsed", f64::from(load.busiest_renewals(*from)) / mean, load.lapsed)
    };
    let _ = writeln!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\"><tspan fill=\"{DAEMON}\">{}</tspan> · <tspan fill=\"{CRON}\">{}</tspan></text>",
        WIDTH - 16.0,
        top + 16.0,
        worth(&pair.daemon),
        worth(&pair.cron)
    );
    for ((_, until), color) in [(&pair.cron, CRON), (&pair.daemon, DAEMON)] {
        if *until > ISSUED {
            let (from, to) = (x(days(until.plus(-OUTAGE))), x(days(*until)));
            let _ = writeln!(
                svg,
                "<rect x=\"{from:.1}\" width=\"{:.1}\" y=\"{:.1}\" height=\"{:.1}\" fill=\"{color}\" opacity=\"0.12\"/>",
                to - from,
                top + 24.0,
                bottom - top - 24.0
            );
        }
    }
    if let Some(limit) = pair.limit {
        let _ = writeln!(
            svg,
            "<line x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"{DAEMON}\" stroke-dasharray=\"2 3\"/><text \
             x=\"{:.1}\" y=\"{:.1}\" fill=\"{DAEMON}\" font-size=\"10\">{limit} allowed</text>",
            WIDTH - 16.0,
            x(3.03),
            y(limit) - 3.0,
            y = y(limit)
        );
    }
    let step = if scale > 5.0 { 2.0 } else { 1.0 };
    let mut mark = 0.0;
    while mark <= scale {
        let _ = writeln!(
            svg,
            "<line x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"#ddd\"/><text x=\"{:.1}\" y=\"{:.1}\" \
             text-anchor=\"end\">{mark}</text>",
            WIDTH - 16.0,
            LEFT - 6.0,
            y(mark) + 4.0,
            y = y(mark)
        );
        mark += step;
    }
    let _ = writeln!(
        svg,
        "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{:.1}\" y2=\"{bottom:.1}\" stroke=\"#888\" stroke-dasharray=\"4 3\"/><text \
         x=\"{:.1}\" y=\"{:.1}\" fill=\"#666\">licenses end</text>",
        top + 24.0,
        x(7.0) + 4.0,
        top + 50.0,
        x = x(7.0)
    );
    for (load, color) in [(&pair.cron.0, CRON), (&pair.daemon.0, DAEMON)] {
        let _ = writeln!(svg, "<polyline fill=\"none\" stroke=\"{color}\" points=\"{}\"/>", points(load, mean, y));
    }
}

#[allow(clippy::cast_precision_loss)]
fn points(load: &Load, mean: f64, y: impl Fn(f64) -> f64) -> String {
    let mut points = String::new();
    for (index, minutes) in load.renewals.chunks(BIN).enumerate() {
        let day = (index * BIN) as f64 / 1_440.0;
        if day >= DAYS.0 && day <= DAYS.1 {
            let busiest = minutes.iter().copied().max().unwrap_or(0);
            let _ = write!(points, "{:.1},{:.1} ", x(day), y(f64::from(busiest) / mean));
        }
    }
    points
}
