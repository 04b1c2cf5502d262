//! All moments at which the engine wants to be stepped although nothing happens, in one table.

use super::file::FileView;
use super::{Deadline, Engine};
use crate::core::license::verify::CLOCK_TOLERANCE;
use crate::core::time::Millis;

impl Engine {
    /// When to step again although nothing happens. Always in the future.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Deadline> {
        let now = self.moment.now;
        let mut next: Option<Deadline> = None;
        let mut consider = |after: Millis, why: &'static str| {
            let after = after.max(1);
            if next.as_ref().is_none_or(|deadline| after < deadline.after) {
                next = Some(Deadline { after, why });
            }
        };
        if let Some((at, _)) = self.settle {
            consider(at.since(now.boot), "the license file settles");
        }
        if let Some(after) = self.trust.review_in {
            consider(after, "the clock is judged again");
        }
        if let (Some(at), true) = (self.reload.next_at, self.reload_may_start()) {
            consider(at.since(now.boot), "netifyd's reload is tried again");
        }
        if self.may_begin()
            && let Some((at, _)) = self.next_attempt()
        {
            consider(at.since(now.boot), "the next attempt to renew");
        }
        if let (FileView::Good(license), true) = (&self.file, self.trust.trusted) {
            let created = license.license().created_at.map(|at| at.plus(-CLOCK_TOLERANCE));
            let plan = self.plan(license);
            for at in [Some(license.license().expires_at), created, Some(plan.emergency_from)].into_iter().flatten() {
                if at > now.wall {
                    consider(at.since(now.wall), "the license changes its state");
                }
            }
        }
        next
    }
}
