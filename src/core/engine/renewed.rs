//! After a renewal that the hub confirmed: its answer may be the license already, and a cache or a replica may go on
//! showing the old one.

use super::Engine;
use super::context::Context;
use super::outcome::Outcome;
use crate::core::accept::shape;
use crate::core::license::document::Serial;
use crate::core::license::verify::Authentic;
use crate::core::state::ConfirmedRenewal;
use crate::core::time::{HOUR, MINUTE, Millis};

/// No second POST sooner than this after a confirmed one, nor than a tenth of what was left.
const NO_SECOND_POST: Millis = HOUR;
/// The hub is asked every minute for this long, then ever less often.
const EVERY_MINUTE: Millis = 15 * MINUTE;

impl Context {
    /// Whether the answer of a renew is a license that netifyd reads as it read the installed one: it verifies, and it is
    /// written in the same way.
    pub(super) fn is_license_of_our_shape(&self, data: &[u8]) -> bool {
        let is_shared = |installed: &Authentic| shape::is_shared(installed.bytes(), data);
        self.baseline().is_some_and(is_shared) && self.check(data).is_ok()
    }

    /// The last confirmed renewal of this serial, while it forbids another one, and how long it does so.
    fn shown_late(&self, serial: &str) -> Option<(&ConfirmedRenewal, Millis)> {
        let renewal = self.durable.confirmed_renewal.as_ref()?;
        let age = self.offer_now().since(renewal.at);
        let most = NO_SECOND_POST.min(renewal.left / 10);
        let is_recent = (-MINUTE..most).contains(&age) && renewal.serial.as_ref().map(Serial::as_str) == Some(serial);
        is_recent.then_some((renewal, most - age))
    }
}

impl Engine {
    /// The hub confirmed a renewal.
    pub(super) fn renewal_confirmed(&mut self, serial: &Serial) {
        let serial = Some(serial.clone());
        let before = self.cx.durable.confirmed_renewal.as_ref().filter(|before| before.serial == serial);
        self.cx.durable.confirmed_renewal = Some(ConfirmedRenewal {
            at: self.cx.offer_now(),
            left: self.cx.remaining().unwrap_or_default().max(0),
            times: before.map_or(1, |before| before.times.saturating_add(1)),
            serial,
        });
    }

    /// The hub still shows the license from before a renewal that it confirmed: it is asked again, and not for another
    /// renewal. Twice in a row it is no cache any more, but a hub that does not extend its license.
    pub(super) fn not_visible_yet(&self, theirs: &Authentic) -> Option<Outcome> {
        let (renewal, left) = self.cx.shown_late(&theirs.license().serial)?;
        let ends = theirs.license().expires_at;
        if renewal.times > 1 {
            let text = format!("the hub renewed, but its license still ends {ends}");
            return Some(Outcome::CandidateRefused(text));
        }
        let age = self.cx.offer_now().since(renewal.at);
        Some(Outcome::NotVisibleYet {
            text: format!("the hub renewed, but still shows the license that ends {ends}; a cache may be between"),
            again: if age < EVERY_MINUTE { MINUTE } else { age / 4 }.min(left),
        })
    }
}
