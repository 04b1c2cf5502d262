//! Kindness to the hub: few requests in every state, patience where it is asked for, a look before every renewal.

use std::collections::VecDeque;
use std::sync::Arc;

use netify_licensed::core::engine::HubRequest;
use netify_licensed::core::hub::response::{RawAnswer, TransportError};
use netify_licensed::core::license::verify::CLOCK_TOLERANCE;
use netify_licensed::core::report::status::Status;
use netify_licensed::core::time::{BootTime, DAY, HOUR, Millis, SECOND, WallTime, parse_span};

use super::Oracle;
use crate::device::Device;
use crate::license::Doc;
use crate::stage::Stage;

/// Requests of any kind that a device may send in 24 hours, people's own aside.
const REQUESTS_PER_DAY: usize = 300;
/// Automatic renewals in 24 hours.
const RENEWALS_PER_DAY: usize = 12;
/// The same while more than a quarter of the license's life and two days are left, and nothing was answered.
const CALM_REQUESTS_PER_DAY: usize = 90;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Get,
    Renewal,
    ManualRenewal,
    Creation,
}

/// What was asked of the hub.
#[derive(Debug)]
#[allow(clippy::struct_excessive_bools, reason = "independent facts")]
pub(super) struct Requests {
    last_day: VecDeque<(Millis, Kind)>,
    in_flight: bool,
    /// An answer came, and its attempt is not over: the license file is looked at before a license is judged.
    goes_on: bool,
    under_way: bool,
    /// The file was looked at. What is asked for now was decided with it, or begins something new.
    has_looked_at_file: bool,
    /// Last answer was a license, and it was a look.
    looked: bool,
    looking: bool,
    /// The last request was a POST: a GET after it confirms what came of it.
    posted: bool,
    ended_at: Option<BootTime>,
    patience: Option<BootTime>,
    closest: Millis,
    /// Renewals that the memory may have lost.
    forgiven: Vec<Millis>,
    unsaved: bool,
    /// Crashes and boots of the last day: an attempt that dies with the daemon counts for no backoff, and a boot begins
    /// it anew.
    setbacks: Vec<Millis>,
    stepped: bool,
    /// Since when more than enough time is left.
    calm_since: Option<Millis>,
}

impl Requests {
    pub(super) fn new(device: &Device) -> Self {
        Self {
            last_day: VecDeque::new(),
            in_flight: false,
            goes_on: false,
            under_way: false,
            has_looked_at_file: false,
            looked: false,
            looking: false,
            posted: false,
            ended_at: None,
            patience: None,
            closest: (10 * SECOND).min(device.min_retry()),
            forgiven: Vec::new(),
            unsaved: false,
            setbacks: Vec::new(),
            stepped: false,
            calm_since: None,
        }
    }

    pub(super) const fn saved(&mut self, done: bool) {
        self.unsaved = !done;
    }

    pub(super) const fn clock_was_set(&mut self) {
        self.stepped = true;
    }

    /// What is published says whether an attempt is under way.
    pub(super) fn published(&mut self, status: &Status) {
        self.under_way = status.renewal.reason.as_deref() == Some("an attempt is under way");
    }

    pub(super) const fn file_arrives(&mut self) {
        self.has_looked_at_file = true;
    }

    /// The step after something that was awaited is over.
    pub(super) const fn settle(&mut self) {
        self.goes_on &= self.under_way;
        self.has_looked_at_file = false;
    }

    pub(super) fn daemon_is_gone(&mut self, stage: &Stage) {
        self.in_flight = false;
        self.goes_on = false;
        self.looked = false;
        self.ended_at = None;
        if self.unsaved || self.stepped {
            self.forgiven.extend([stage.now; 4]);
        }
        self.unsaved = false;
        // The wait that was written when the attempt began is a shorter one.
        let written = stage.disk.volatile.not_before.as_ref().map_or(0, |at| at.boot);
        self.patience.take_if(|until| until.0 > written);
        self.stepped = false;
    }

    pub(super) fn crashed(&mut self, now: Millis) {
        self.setbacks.push(now);
    }

    pub(super) fn switched_off(&mut self, now: Millis) {
        self.patience = None;
        self.setbacks.push(now);
    }

    fn count(&self, kind: Kind) -> usize {
        self.last_day.iter().filter(|(_, other)| *other == kind).count()
    }
}

impl Oracle {
    pub(super) fn check_request(&mut self, stage: &Stage, request: &HubRequest) {
        let manual = self.person_renews() || !self.waiting.is_empty();
        let kind = match request {
            HubRequest::List | HubRequest::View(_) | HubRequest::Relay => Kind::Get,
            HubRequest::Renew { .. } if manual => Kind::ManualRenewal,
            HubRequest::Renew { .. } => Kind::Renewal,
            HubRequest::Create { .. } => Kind::Creation,
            HubRequest::Delete(_) => return self.fail("nobody asked to delete the license".to_owned()),
        };
        self.require(!self.requests.in_flight, || "two requests are under way".to_owned());
        self.require(stage.device.relay == (*request == HubRequest::Relay), || {
            format!("{request:?} to the wrong kind of hub")
        });
        let boot = stage.clocks().boot;
        let confirms = self.requests.posted && kind == Kind::Get;
        if !self.requests.goes_on || (self.requests.has_looked_at_file && kind == Kind::Get && !confirms) {
            self.requests.looked = false;
            self.begins_attempt(boot, manual);
        }
        if kind != Kind::Get {
            let looked = self.requests.looked;
            self.require(looked || kind == Kind::Creation, || {
                "a renewal without a look at what the hub has".to_owned()
            });
            self.require(stage.device.renewable || kind == Kind::Creation, || {
                "a renewal of a license that is not renewable".to_owned()
            });
        }
        self.requests.in_flight = true;
        self.requests.posted = kind != Kind::Get;
        self.requests.looked = false;
        self.requests.looking = matches!(request, HubRequest::View(_));
        self.counts_request(stage, kind);
    }

    fn begins_attempt(&mut self, boot: BootTime, manual: bool) {
        if manual {
            return;
        }
        if let Some(until) = self.requests.patience.take_if(|until| *until <= boot || boot.0 < 0) {
            let _ = until;
        }
        if let Some(until) = self.requests.patience {
            self.fail(format!(
                "the hub asked for patience, and it is asked again {} s too early",
                until.since(boot) / SECOND
            ));
        }
        let gap = self.requests.ended_at.map(|ended| boot.since(ended));
        let closest = self.requests.closest;
        self.require(gap.is_none_or(|gap| gap >= closest), || {
            format!("the next attempt came {} ms after the last", gap.unwrap_or(0))
        });
    }

    fn counts_request(&mut self, stage: &Stage, kind: Kind) {
        let requests = &mut self.requests;
        let day_ago = stage.now - DAY;
        requests.last_day.push_back((stage.now, kind));
        while requests.last_day.front().is_some_and(|(at, _)| *at <= day_ago) {
            requests.last_day.pop_front();
        }
        requests.forgiven.retain(|at| *at > day_ago);
        requests.setbacks.retain(|at| *at > day_ago);
        let forgiven = requests.forgiven.len();
        let allowed = REQUESTS_PER_DAY + 3 * requests.setbacks.len();
        let (all, renewals) = (requests.last_day.len(), requests.count(Kind::Renewal));
        let hour_ago = stage.now - HOUR;
        let manual =
            requests.last_day.iter().filter(|(at, kind)| *at > hour_ago && *kind == Kind::ManualRenewal).count();
        let creations = requests.count(Kind::Creation);
        self.busiest = (self.busiest.0.max(all), self.busiest.1.max(renewals));
        self.require(all <= allowed, || format!("{all} requests in 24 hours"));
        self.require(renewals <= RENEWALS_PER_DAY + forgiven, || format!("{renewals} automatic renewals in 24 hours"));
        self.require(manual <= 20 + forgiven, || format!("{manual} manual renewals in an hour"));
        self.require(creations <= 1 + forgiven + usize::from(self.requests.stepped), || {
            format!("{creations} creations in 24 hours")
        });
        self.check_calm(stage);
    }

    /// Far from the expiry a hub that is down sees few of us.
    fn check_calm(&mut self, stage: &Stage) {
        let wall = stage.clocks().wall;
        let far = self.reference().is_some_and(|doc| doc.expires.since(wall) > 2 * DAY) && stage.clock.is_right();
        let since = match (far, self.requests.calm_since) {
            (true, None) => stage.now,
            (true, Some(since)) => since,
            (false, _) => {
                self.requests.calm_since = None;
                return;
            }
        };
        self.requests.calm_since = Some(since);
        let all = self.requests.last_day.len();
        let calm = stage.now - since > DAY;
        let allowed = CALM_REQUESTS_PER_DAY + 3 * self.requests.setbacks.len();
        self.require(!calm || all <= allowed, || format!("{all} requests in 24 hours although days are left"));
    }

    /// An answer arrives: the attempt may go on, and patience may be asked for.
    pub(super) fn answer(&mut self, stage: &Stage, answer: &Result<RawAnswer, TransportError>) {
        let now = stage.clocks();
        // A device that knows no time does not know either how much patience it can afford.
        let knows = stage.clock.is_right() && (stage.device.tells_date || self.clock_is_credible(stage, now));
        // By its own clock or by the hub's date, whichever leaves less: both may be believed.
        let hub = if stage.device.tells_date { WallTime(stage.now) } else { now.wall };
        // Until the time of a license has come by the device's own clock, the kept one serves, and that may end sooner.
        let early = |doc: &&Arc<Doc>| doc.created.is_some_and(|created| created.since(now.wall) > CLOCK_TOLERANCE);
        let kept = self.kept.as_ref().filter(|_| self.reference().as_ref().is_some_and(early));
        let remaining = kept.or(self.reference()).map(|doc| doc.expires.since(now.wall.max(hub))).filter(|_| knows);
        let requests = &mut self.requests;
        requests.in_flight = false;
        requests.goes_on = true;
        requests.ended_at = Some(now.boot);
        requests.looked = requests.looking && answer.as_ref().is_ok_and(|raw| raw.status == 200);
        let Ok(raw) = answer else { return };
        if let (429 | 503, Some(text)) = (raw.status, &raw.retry_after) {
            let asked = match parse_span(&format!("{text}s")) {
                Ok(span) => Some(span),
                Err(_) => WallTime::parse(text).map(|date| date.since(hub)),
            };
            // Within reason: a day, an eighth of what is left before the expiry.
            let reason = remaining.map_or(SECOND, |remaining| (remaining / 8).max(10 * SECOND)).min(DAY);
            let wait = asked.unwrap_or(0).min(reason) - 2 * SECOND;
            requests.patience = Some(now.boot.plus(wait.max(0)));
        }
    }
}
