//! When a license began to live, where its own `created_at` does not tell.

use super::writer::Origin;
use super::{Action, Engine};
use crate::core::clock::correct::{Present, Stored, correct};
use crate::core::license::verify::Authentic;
use crate::core::state::{ISSUES, Issue};
use crate::core::time::{DAY, Millis, WallTime};

/// The shortest life that hubs are known to give: what is assumed when neither license nor clock tells.
const SHORTEST_LIFE: Millis = 7 * DAY;

/// When a license was issued that nobody dates.
fn assumed_issue(license: &Authentic) -> WallTime {
    license.license().expires_at.plus(-SHORTEST_LIFE)
}

impl Engine {
    /// Remembers when this version of the license began to live. Before an install this happens before the file changes:
    /// afterwards the date of the version before is no longer at hand.
    pub(super) fn remember_issue(&mut self, license: &Authentic, origin: Origin) -> bool {
        let issues = &mut self.cx.durable.issues;
        if let Some(known) = issues.iter().position(|issue| issue.sha256 == license.sha256()) {
            issues[..=known].rotate_right(1);
            return false;
        }
        let cx = &self.cx;
        let fields = license.license();
        // A hub that keeps the first issue's date through renewals: the date tells nothing about this version.
        let others = cx.known_licenses().filter(|known| known.sha256() != license.sha256());
        let stale = others.map(|known| known.license().created_at).any(|created_at| created_at == fields.created_at);
        // By our clock a week might look like hours. One that cannot be right tells nothing either.
        let now = cx.dating_now().filter(|now| *now < fields.expires_at);
        let created = fields.created_at.filter(|_| !stale);
        let at = created.or(now).unwrap_or_else(|| assumed_issue(license)).min(fields.expires_at);
        let guessed = created.is_none() && cx.hub_now().is_none();
        let own_renewal = origin.is_of_attempt();
        // The installed and the last-known-good one stay known, however many are tried and never get onto a full disk.
        let is_in_use = |issue: &Issue| cx.known_licenses().any(|license| license.sha256() == issue.sha256);
        let oldest = cx.durable.issues.iter().rposition(|issue| !is_in_use(issue));
        let issues = &mut self.cx.durable.issues;
        if let (Some(oldest), true) = (oldest, issues.len() >= ISSUES) {
            issues.remove(oldest);
        }
        issues.insert(0, Issue { sha256: license.sha256().to_owned(), at, own_renewal, guessed });
        true
    }

    /// Corrects what a wrong clock wrote into the saved state.
    pub(super) fn correct_stored_times(&mut self) {
        let present = Present { hub: self.cx.hub_now(), own: self.cx.trusted_now() };
        let durable = &mut self.cx.durable;
        for past in [&mut durable.last_good_time, &mut durable.last_success_at].into_iter().flatten() {
            *past = correct(Stored::Past(*past), present);
        }
        let known = [self.cx.file.good(), self.cx.last_good.license.as_ref()];
        for issue in durable.issues.iter_mut().filter(|issue| issue.guessed) {
            let known = known.into_iter().flatten().find(|license| license.sha256() == issue.sha256);
            if let Some(assumed) = known.map(assumed_issue) {
                issue.at = correct(Stored::GuessedIssue { at: issue.at, assumed }, present);
            }
        }
        self.cx.judge_clock();
    }

    pub(super) fn remember_serial(&mut self, license: &Authentic) {
        if let Ok(serial) = license.license().serial.parse() {
            self.cx.durable.serial = Some(serial);
            self.cx.durable.duid = self.cx.duid().map(str::to_owned);
        }
    }

    /// Makes this the last-known-good license.
    pub(super) fn keep(&mut self, license: &Authentic) {
        if self.cx.last_good.bytes.as_deref() == Some(license.bytes()) {
            return;
        }
        self.cx.last_good.bytes = Some(license.bytes().to_vec());
        self.cx.last_good.license = Some(license.clone());
        self.actions.push(Action::Keep(Box::new(license.clone())));
    }
}
