//! Facts for the whole engine, and what follows from them by themselves. The machines read them; what changes them are the
//! steps of the engine.

use super::event::Moment;
use super::file::FileView;
use crate::core::clock::trust::{self, Known, Trust};
use crate::core::config::{ClockTrust, Config, HubKind, Span, TrustMode};
use crate::core::device::duid::{self, Judged};
use crate::core::license::document::Serial;
use crate::core::license::keys::KeyRing;
use crate::core::license::verify::{Authentic, Rejection, State, Verifier};
use crate::core::schedule::backoff::{Limits, Situation};
use crate::core::schedule::plan::{Life, Lot, Plan};
use crate::core::state::{Durable, Volatile};
use crate::core::time::{BootTime, DAY, Millis, WallTime};

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) config: Config,
    pub(super) keys: KeyRing,
    pub(super) device: Device,
    /// Whether this is the daemon; a command does only what it was asked for.
    pub(super) daemon: bool,
    pub(super) boot_id: String,
    pub(super) moment: Moment,
    pub(super) trust: Trust,
    /// The hub's clock (authenticated by TLS) against the boot clock, when it last told the time.
    pub(super) hub_clock: Option<(WallTime, BootTime)>,
    /// The license file as it was last read.
    pub(super) file: FileView,
    /// It was read in this step: what is decided now is not decided by what the file was.
    pub(super) just_read: bool,
    /// An older license that another writer installed: netifyd is not told of it. Its SHA-256.
    pub(super) not_adopted: Option<String>,
    /// The latest issue date of all licenses whose signature was verified, installed or not.
    pub(super) signed_date: Option<WallTime>,
    pub(super) last_good: LastGood,
    /// Kept over boots.
    pub(super) durable: Durable,
    /// Kept until the next boot.
    pub(super) volatile: Volatile,
    pub(super) lot: Lot,
}

/// What is known of this device's id.
#[derive(Debug)]
pub(super) enum Device {
    /// It was not looked up yet.
    Unread,
    /// What each source says.
    Read(Vec<Judged>),
}

/// The copy of the best license, in the state directory.
#[derive(Debug, Default)]
pub(super) struct LastGood {
    pub(super) bytes: Option<Vec<u8>>,
    /// The license, if the bytes verify today.
    pub(super) license: Option<Authentic>,
}

/// When the license is due, by its dates alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    NoLicense,
    SourceChanged,
    ChangeAccepted,
    /// What lies there is none that can be used.
    Unusable(State),
    ClockDoubted,
    Expired,
    AboutToExpire,
    Window,
}

impl std::fmt::Display for Due {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Unusable(state) => return write!(f, "the installed license is {state}"),
            Self::NoLicense => "there is no license",
            Self::SourceChanged => "the source of licenses has changed",
            Self::ChangeAccepted => "a changed license has waited long enough",
            Self::ClockDoubted => "the clock cannot be believed, so the hub is asked",
            Self::Expired => "the license has expired",
            Self::AboutToExpire => "the license is about to expire",
            Self::Window => "the license is due for renewal",
        })
    }
}

impl Device {
    /// What each source says; nothing before they were asked.
    pub(super) fn sources(&self) -> &[Judged] {
        if let Self::Read(sources) = self { sources } else { &[] }
    }

    pub(super) const fn is_unread(&self) -> bool {
        matches!(self, Self::Unread)
    }
}

impl Context {
    /// A step begins.
    pub(super) fn pass(&mut self, moment: Moment) {
        let elapsed = moment.now.boot.since(self.moment.now.boot);
        self.moment = moment;
        self.durable.automatic.pass(elapsed, moment.now.wall);
        self.volatile.manual.pass(elapsed, moment.now.wall);
        self.volatile.hurries.pass(elapsed, moment.now.wall);
        self.volatile.restores.pass(elapsed, moment.now.wall);
        self.judge_clock();
    }

    pub(super) fn judge_clock(&mut self) {
        let known = Known {
            last_good: self.durable.last_good_time,
            created_at: self
                .known_licenses()
                .filter_map(|license| license.license().created_at)
                .chain(self.signed_date)
                .max(),
        };
        let always = self.config.clock.trust == ClockTrust::Always;
        self.trust = trust::judge(self.moment.now, &self.moment.evidence, &known, always);
    }

    /// What a signed license says of the time is evidence before the license is judged: a clock that is behind would
    /// refuse it as premature.
    pub(super) fn hear_of(&mut self, license: &Authentic) {
        if license.key_id().is_some() && license.license().created_at > self.signed_date {
            self.signed_date = license.license().created_at;
            self.judge_clock();
        }
    }

    pub(super) const fn boot_now(&self) -> BootTime {
        self.moment.now.boot
    }

    pub(super) const fn wall_now(&self) -> WallTime {
        self.moment.now.wall
    }

    /// The time, if the clock can be believed.
    pub(super) fn trusted_now(&self) -> Option<WallTime> {
        self.trust.trusted.then_some(self.moment.now.wall)
    }

    /// The best knowledge of the time: the trusted clock, else the hub's.
    pub(super) fn best_now(&self) -> Option<WallTime> {
        self.trusted_now().or_else(|| self.hub_now())
    }

    /// The time by which the hub dates its licenses and counts its days: its own where it tells. Ours may be days or years
    /// ahead and believed.
    pub(super) fn dating_now(&self) -> Option<WallTime> {
        self.hub_now().or_else(|| self.trusted_now())
    }

    /// What the hub's clock says by now, if it ever told.
    pub(super) fn hub_now(&self) -> Option<WallTime> {
        self.hub_clock.map(|(wall, boot)| wall.plus(self.moment.now.boot.since(boot)))
    }

    pub(super) fn duid(&self) -> Option<&str> {
        duid::winner(self.device.sources()).map(|(duid, _)| duid)
    }

    pub(super) fn verifier(&self) -> Verifier {
        Verifier {
            keys: (self.config.trust.mode == TrustMode::Signature).then(|| self.keys.clone()),
            duid: self.duid().map(str::to_owned),
            require_device_binding: self.config.trust.require_device_binding,
        }
    }

    /// Checks a license, unless it is one of those at hand: they are judged again whenever keys or device id change.
    pub(super) fn check(&self, bytes: &[u8]) -> Result<Authentic, Rejection> {
        let known = self.known_licenses().find(|known| known.bytes() == bytes);
        known.map_or_else(|| self.verifier().check(bytes), |known| Ok(known.clone()))
    }

    pub(super) const fn is_relay(&self) -> bool {
        matches!(self.config.hub.kind, HubKind::Relay)
    }

    /// The source of licenses in a sentence.
    pub(super) const fn source(&self) -> &'static str {
        if self.is_relay() { "the relay" } else { "the hub" }
    }

    /// The installed license and the last-known-good one.
    pub(super) fn known_licenses(&self) -> impl Iterator<Item = &Authentic> {
        [self.file.good(), self.last_good.license.as_ref()].into_iter().flatten()
    }

    /// What candidates are held against: the installed license, else the last-known-good one. A license whose time has not
    /// come by the hub's clock either is no baseline; this clock alone may be a slow one.
    pub(super) fn baseline(&self) -> Option<&Authentic> {
        let last_good = self.last_good.license.as_ref();
        match self.file.good() {
            Some(file) if self.is_surely_premature(file) => last_good.filter(|last_good| *last_good != file),
            file => file.or(last_good),
        }
    }

    /// What falls due: the installed license, else the last-known-good one, which also serves until the installed one's
    /// time comes.
    pub(super) fn active(&self) -> Option<&Authentic> {
        let last_good = self.last_good.license.as_ref();
        let serves = |license: &&Authentic| license.state(self.trusted_now()).is_usable();
        match self.file.good() {
            Some(file) if self.is_premature(file) => last_good.filter(serves).or(Some(file)),
            file => file.or(last_good),
        }
    }

    /// The state of what is installed.
    pub(super) fn state(&self) -> State {
        self.file.state(self.trusted_now())
    }

    /// By a clock that is believed, its time has not come.
    pub(super) fn is_premature(&self, license: &Authentic) -> bool {
        license.state(self.trusted_now()) == State::NotYetValid
    }

    /// The same by the hub's clock as well.
    pub(super) fn is_surely_premature(&self, license: &Authentic) -> bool {
        self.is_premature(license) && self.hub_now().is_some_and(|hub| license.state(Some(hub)) == State::NotYetValid)
    }

    pub(super) fn plan(&self, license: &Authentic) -> Plan {
        let issue = self.durable.issue_of(license.sha256());
        let fields = license.license();
        self.lot.plan(&Life {
            issued: issue.map(|issue| issue.at).or(fields.created_at).unwrap_or(self.moment.now.wall),
            expires: fields.expires_at,
            renew_before: self.config.renewal.renew_before.as_ref().map(Span::millis),
            own_renewal: issue.is_some_and(|issue| issue.own_renewal),
            duid: self.duid().unwrap_or_default(),
            serial: &fields.serial,
        })
    }

    /// How long the license lives, for the renewal limit. Our clock alone may be days ahead and believed, so it makes no
    /// life shorter than a day: the license or the hub has to say so.
    pub(super) fn life(&self, license: &Authentic) -> Millis {
        let fields = license.license();
        let begin = self.durable.issue_of(license.sha256()).map(|issue| issue.at).or(fields.created_at);
        let told = begin.map_or(0, |begin| fields.expires_at.since(begin));
        match self.hub_now() {
            Some(now) => told.max(fields.expires_at.since(now)),
            None if begin.is_some() && begin == fields.created_at => told,
            None => told.max(DAY),
        }
    }

    /// When the license is due, by its dates alone.
    pub(super) fn due(&self) -> (BootTime, Due) {
        let now = self.moment.now;
        if self.source_is_new() {
            return (now.boot, Due::SourceChanged);
        }
        let Some(license) = self.active() else {
            let state = self.state();
            let why = if state == State::Missing { Due::NoLicense } else { Due::Unusable(state) };
            return (now.boot, why);
        };
        let Some(wall) = self.best_now() else { return (now.boot, Due::ClockDoubted) };
        let plan = self.plan(license);
        if wall >= plan.expires {
            return (now.boot, Due::Expired);
        }
        let why = if wall >= plan.emergency_from { Due::AboutToExpire } else { Due::Window };
        let due = now.boot.plus(plan.due.since(wall));
        match self.accept_due().filter(|at| *at < due) {
            Some(at) => (at, Due::ChangeAccepted),
            None => (due, why),
        }
    }

    /// The same on the wall clock, for the status.
    pub(super) fn due_at(&self) -> Option<WallTime> {
        self.active().map(|license| self.plan(license).due)
    }

    pub(super) fn is_due_now(&self) -> bool {
        self.active().is_none_or(|license| {
            let due = self.plan(license).due;
            self.best_now().is_none_or(|now| now >= due)
        })
    }

    /// Time to the expiry, as far as it is known.
    pub(super) fn remaining(&self) -> Option<Millis> {
        self.active().and_then(|license| Some(license.license().expires_at.since(self.best_now()?)))
    }

    pub(super) const fn limits(&self) -> Limits {
        Limits { min: self.config.renewal.min_retry.millis(), max: self.config.renewal.max_retry.millis() }
    }

    /// `min-retry`, and less close to the expiry: a long one must not cost the license.
    pub(super) fn shortest_wait(&self) -> Millis {
        let remaining = self.remaining();
        self.limits().delay(&Situation { failures: 1, remaining, retry_after: None, refusal: false, random: 0.0 })
    }

    /// The serial to ask for: the configured one, that of the license, else that of the last license of this device.
    pub(super) fn wanted_serial(&self) -> Option<Serial> {
        let active = || self.active().and_then(|license| license.license().serial.parse().ok());
        self.config.license.serial.clone().or_else(active).or_else(|| self.remembered_serial())
    }

    /// The serial of the license that this device last had.
    pub(super) fn remembered_serial(&self) -> Option<Serial> {
        self.durable.serial.clone().filter(|_| self.durable.duid.as_deref() == self.duid())
    }

    /// Neither a serial nor a device id: there is nothing to ask the hub for.
    pub(super) fn has_nothing_to_ask_for(&self) -> bool {
        let serial =
            self.config.license.serial.is_some() || self.active().is_some() || self.remembered_serial().is_some();
        !serial && self.duid().is_none() && !self.is_relay()
    }

    /// Whether a day has passed since a license was last created by itself.
    pub(super) fn may_create(&self) -> bool {
        let Some(at) = self.durable.provision_tried_at else { return true };
        let now = self.dating_now();
        let since = now.unwrap_or(self.moment.now.wall).since(at);
        // A clock that boots in the past must not make a new day. A date far in the future, by a clock that is right
        // now, was written by one that was not.
        since >= DAY || (since < -DAY && now.is_some())
    }

    /// Whether netifyd has yet to load what is installed.
    pub(super) fn reload_is_owed(&self) -> bool {
        let not_loaded = self.file.good().map(Authentic::sha256).filter(|sha256| {
            self.durable.loaded.as_deref() != Some(*sha256) && self.not_adopted.as_deref() != Some(*sha256)
        });
        self.volatile.unload || not_loaded.is_some()
    }

    /// Failures while little time is left.
    pub(super) fn is_failing_late(&self) -> bool {
        let (Some(license), Some(now)) = (self.file.good(), self.trusted_now()) else { return false };
        self.volatile.failures > 0 && now >= self.plan(license).emergency_from
    }
}
