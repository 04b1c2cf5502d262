//! The status as metrics: Prometheus text format (for `node_exporter`'s textfile collector) and `OpenMetrics` 1.0.

use std::fmt::Write as _;

use crate::core::license::verify::State;
use crate::core::netifyd::NetifydStatus;
use crate::core::report::status::{Rfc3339, Status};
use crate::core::text::clean_lines;

/// Which of the two formats; they differ in the names of counters' families and in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Prometheus,
    OpenMetrics,
}

/// Prometheus text exposition format 0.0.4.
#[must_use]
pub fn prometheus(status: &Status) -> String {
    render(status, Format::Prometheus)
}

/// `OpenMetrics` 1.0.
#[must_use]
pub fn openmetrics(status: &Status) -> String {
    let mut text = render(status, Format::OpenMetrics);
    text.push_str("# EOF\n");
    text
}

struct Page {
    text: String,
    format: Format,
}

impl Page {
    /// Starts a family. The name of a counter's family has no `_total` in `OpenMetrics`.
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let name = if self.format == Format::OpenMetrics { name.trim_end_matches("_total") } else { name };
        let kind = match (self.format, kind) {
            (Format::Prometheus, "info") => "gauge",
            (_, kind) => kind,
        };
        let name = if kind == "info" { name.trim_end_matches("_info") } else { name };
        // Writing into a String cannot fail.
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        self.text.push_str(name);
        for (at, (label, text)) in labels.iter().enumerate() {
            self.text.push(if at == 0 { '{' } else { ',' });
            let escaped = clean_lines(text).replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.text, "{label}=\"{escaped}\"");
        }
        let _ = writeln!(self.text, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl std::fmt::Display) {
        self.family(name, "gauge", help);
        self.sample(name, &[], value);
    }

    fn time(&mut self, name: &str, help: &str, at: Option<Rfc3339>) {
        if let Some(Rfc3339(at)) = at {
            self.gauge(name, help, at.unix());
        }
    }
}

fn render_netifyd(page: &mut Page, netifyd: &NetifydStatus) {
    if let Some(running) = netifyd.running {
        page.gauge("netify_licensed_netifyd_running", "1 while netifyd runs.", u8::from(running));
    }
    if let Some(version) = &netifyd.version {
        page.family("netify_licensed_netifyd_info", "info", "The netifyd on this device.");
        page.sample("netify_licensed_netifyd_info", &[("version", version)], 1);
    }
    if let Some(loaded) = netifyd.license_manager {
        page.gauge(
            "netify_licensed_netifyd_license_manager",
            "1 while netifyd has its license manager loaded, which says nothing about the license.",
            u8::from(loaded),
        );
    }
    if let Some(signatures) = &netifyd.signatures {
        page.family("netify_licensed_netifyd_signatures", "gauge", "Signatures that netifyd has loaded, by kind.");
        let kinds = [("apps", signatures.apps), ("domains", signatures.domains), ("networks", signatures.networks)];
        for (kind, count) in kinds {
            if let Some(count) = count {
                page.sample("netify_licensed_netifyd_signatures", &[("kind", kind)], count);
            }
        }
    }
    if let Some(code) = netifyd.bootstrap.as_ref().and_then(|bootstrap| bootstrap.code) {
        page.gauge(
            "netify_licensed_netifyd_bootstrap_code",
            "Code of the last answer that the vendor's API gave netifyd.",
            code,
        );
    }
}

fn render(status: &Status, format: Format) -> String {
    let mut page = Page { text: String::new(), format };
    page.family("netify_licensed_build_info", "info", "Version of the license daemon.");
    page.sample("netify_licensed_build_info", &[("version", &status.version)], 1);
    page.family("netify_licensed_license_state", "gauge", "1 for the state that the license is in, 0 for all others.");
    for state in State::ALL {
        page.sample("netify_licensed_license_state", &[("state", state.word())], u8::from(state == status.state));
    }
    page.gauge(
        "netify_licensed_healthy",
        "1 while the license is usable and nothing needs a person.",
        u8::from(status.healthy),
    );
    let license = &status.license;
    page.time(
        "netify_licensed_license_expiry_timestamp_seconds",
        "When the installed license ends.",
        license.expires_at,
    );
    page.time(
        "netify_licensed_license_issue_timestamp_seconds",
        "When the installed license was issued.",
        license.issued_at,
    );
    if let Some(serial) = &license.serial {
        page.family("netify_licensed_license_info", "info", "The installed license.");
        let key = license.key_id.as_deref().unwrap_or_default();
        page.sample("netify_licensed_license_info", &[("serial", serial), ("key_id", key)], 1);
    }
    let renewal = &status.renewal;
    page.family("netify_licensed_renewal_attempts_total", "counter", "Attempts to renew since boot, by outcome.");
    for (outcome, count) in &renewal.attempts {
        page.sample("netify_licensed_renewal_attempts_total", &[("outcome", outcome.as_str())], count);
    }
    page.gauge(
        "netify_licensed_renewal_consecutive_failures",
        "Failed attempts in a row.",
        renewal.consecutive_failures,
    );
    page.time("netify_licensed_renewal_due_timestamp_seconds", "When the license falls due.", renewal.due_at);
    page.time(
        "netify_licensed_renewal_next_attempt_timestamp_seconds",
        "When the hub is asked next.",
        renewal.next_attempt_at,
    );
    page.time(
        "netify_licensed_renewal_last_success_timestamp_seconds",
        "When a license was last fetched and installed.",
        renewal.last_success_at,
    );
    page.gauge(
        "netify_licensed_reload_pending",
        "1 while netifyd has yet to load the installed license.",
        u8::from(status.reload.pending),
    );
    page.family("netify_licensed_reloads_total", "counter", "Reloads of netifyd since boot, by outcome.");
    for (outcome, count) in &status.reload.reloads {
        page.sample("netify_licensed_reloads_total", &[("outcome", outcome.as_str())], count);
    }
    page.gauge("netify_licensed_standby", "1 while this node is on standby.", u8::from(status.role == "standby"));
    page.gauge(
        "netify_licensed_pending_change",
        "1 while a changed license is offered and waits.",
        u8::from(status.pending_change.is_some()),
    );
    page.time(
        "netify_licensed_pending_change_accept_timestamp_seconds",
        "When the changed license is installed by itself.",
        status.pending_change.as_ref().and_then(|change| change.accept_at),
    );
    render_netifyd(&mut page, &status.netifyd);
    page.gauge(
        "netify_licensed_clock_trusted",
        "1 while the device's clock can be believed.",
        u8::from(status.clock.trusted),
    );
    if let Some(lost) = status.daemon.log_lines_lost {
        page.family(
            "netify_licensed_log_lines_lost_total",
            "counter",
            "Lines of the log that its reader did not take.",
        );
        page.sample("netify_licensed_log_lines_lost_total", &[], lost);
    }
    page.text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::report::check::tests::status;

    #[test]
    fn one_series_per_state_and_times_in_seconds() {
        let text = prometheus(&status(State::Valid));
        assert!(text.contains("netify_licensed_license_state{state=\"valid\"} 1\n"));
        assert_eq!(text.matches("netify_licensed_license_state{").count(), State::ALL.len());
        assert!(text.contains("netify_licensed_license_expiry_timestamp_seconds 1780012800\n"));
        assert!(text.contains("# TYPE netify_licensed_renewal_attempts_total counter\n"));
        assert!(text.contains("# TYPE netify_licensed_build_info gauge\n"));
    }

    #[test]
    fn openmetrics_names_families_its_own_way() {
        let text = openmetrics(&status(State::Expired));
        assert!(text.ends_with("# EOF\n"));
        assert!(text.contains("# TYPE netify_licensed_renewal_attempts counter\n"));
        assert!(text.contains("netify_licensed_renewal_attempts_total{outcome=\"outage\"} 2\n"));
        assert!(text.contains("# TYPE netify_licensed_build info\n"));
    }

    #[test]
    fn without_a_license_none_is_named() {
        let mut none = status(State::Missing);
        none.license = crate::core::report::status::LicenseStatus::none("/l");
        let text = prometheus(&none);
        assert!(text.contains("netify_licensed_license_state{state=\"missing\"} 1\n"));
        assert!(!text.contains("license_info") && !text.contains("license_expiry"), "{text}");
    }

    #[test]
    fn labels_are_escaped() {
        let mut odd = status(State::Valid);
        odd.license.serial = Some("a\"b\\c\nd\u{1b}\u{9b}\u{202e}".to_owned());
        assert!(prometheus(&odd).contains(r#"serial="a\"b\\c\nd""#));
    }
}
