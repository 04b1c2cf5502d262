//! The license file as it is seen: adopting what is better, healing what is broken.

use super::install::{Looking, Origin};
use super::{Action, Engine, FileContent, Level, Memory};
use crate::core::accept::verdict::Difference;
use crate::core::license::verify::{Authentic, CLOCK_TOLERANCE, Rejection, State};
use crate::core::state::{ISSUES, Issue};
use crate::core::text::one_line;
use crate::core::time::{BootTime, DAY, HOUR, Millis, SECOND, WallTime, relative};

/// A changed file is read once it has been left alone this long.
const SETTLE: Millis = SECOND;
/// A file that changes all the time is read after this long anyway.
const SETTLE_AT_MOST: Millis = 5 * SECOND;
/// The shortest life that hubs are known to give: what is assumed when neither license nor clock tells.
const SHORTEST_LIFE: Millis = 7 * DAY;
/// More heals than this within an hour mean that somebody else writes the file: then it is only reported.
const HEALS_PER_HOUR: usize = 3;

/// What the license file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum FileView {
    /// Not read yet.
    Unknown,
    /// There is none.
    Missing,
    /// It cannot be read.
    Unreadable(String),
    /// It is no authentic license; its bytes are kept to be judged again with other keys.
    Bad(Rejection, Vec<u8>),
    /// An authentic license.
    Good(Authentic),
}

impl FileView {
    fn of(judged: Result<Authentic, Rejection>, bytes: Vec<u8>) -> Self {
        match judged {
            Ok(license) => Self::Good(license),
            Err(rejection) => Self::Bad(rejection, bytes),
        }
    }

    pub(super) const fn good(&self) -> Option<&Authentic> {
        if let Self::Good(license) = self { Some(license) } else { None }
    }

    /// What lies there, if it could be read.
    fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Bad(_, bytes) => Some(bytes),
            Self::Good(license) => Some(license.bytes()),
            Self::Unknown | Self::Missing | Self::Unreadable(_) => None,
        }
    }

    /// Missing, or nothing that is genuine: the kept copy is better.
    pub(super) const fn is_broken(&self) -> bool {
        matches!(self, Self::Missing | Self::Bad(..))
    }

    pub(super) const fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown)
    }

    pub(super) fn state(&self, now: Option<WallTime>) -> State {
        match self {
            Self::Unknown | Self::Missing => State::Missing,
            Self::Unreadable(_) => State::Unreadable,
            Self::Bad(rejection, _) => rejection.state,
            Self::Good(license) => license.state(now),
        }
    }
}

/// When a license was issued that nobody dates.
fn assumed_issue(license: &Authentic) -> WallTime {
    license.license().expires_at.plus(-SHORTEST_LIFE)
}

impl Engine {
    /// Waits until whoever writes has finished, but not for ever.
    pub(super) fn file_changed(&mut self) {
        let now = self.moment.now.boot;
        let first = self.settle.map_or(now, |(_, first)| first);
        let at = BootTime(now.plus(SETTLE).0.min(first.plus(SETTLE_AT_MOST).0));
        self.settle = Some((at, first));
    }

    pub(super) fn file_read(&mut self, content: FileContent) {
        if !self.device_known {
            return; // It is read again when it can be judged.
        }
        let seen = match content {
            FileContent::Missing => Some(FileView::Missing),
            FileContent::Unreadable(reason) => Some(FileView::Unreadable(reason)),
            FileContent::Bytes(bytes) if self.file.bytes() == Some(&bytes) => None,
            FileContent::Bytes(bytes) => Some(FileView::of(self.check(&bytes), bytes)),
        };
        if self.installing.is_some() {
            return; // Its result says what the file is, and then it is looked at for those who wait.
        }
        let first = self.file.is_unknown();
        if first {
            self.mark_source();
            self.judge_kept();
        }
        if let Some(seen) = seen.filter(|seen| *seen != self.file) {
            self.observe(seen);
        }
        if first && self.memory != Memory::OfThisBoot {
            // After a reboot netifyd started with whatever the file held. Nobody knows that after a loss of memory.
            let is_known = self.memory == Memory::OfAnotherBoot
                && self.volatile.reload_failures == 0
                && self.volatile.reload_pause.is_none();
            self.durable.loaded = self.file.good().map(|license| license.sha256().to_owned()).filter(|_| is_known);
            self.durable.boot_id.clone_from(&self.boot_id);
            self.memory = Memory::OfThisBoot;
        }
        if self.looking.is_empty() {
            return self.heal();
        }
        for looking in std::mem::take(&mut self.looking) {
            if self.installing.is_some() {
                // One after the other: its turn comes when the file has been read again.
                self.looking.push(looking);
                continue;
            }
            match looking {
                Looking::Given { id, bytes, force } => self.install_given(id, &bytes, force),
                Looking::Deleted => self.remove_deleted(),
                Looking::Candidate(data) => {
                    if let Some(attempt) = self.attempt.take() {
                        self.candidate(attempt, &data);
                    }
                }
            }
        }
        if self.installing.is_none() && !matches!(self.file, FileView::Good(_)) {
            // It was read without waiting for whoever may be writing it.
            self.file_changed();
        }
    }

    /// Judges file and kept copy again: other keys, another device id, another configuration.
    pub(super) fn judge_again(&mut self) {
        if let Some(installing) = &mut self.installing {
            installing.outdated = true;
        }
        self.judge_kept();
        let Some(bytes) = self.file.bytes().map(<[u8]>::to_vec) else { return };
        let seen = FileView::of(self.verifier().check(&bytes), bytes);
        if seen != self.file {
            self.observe(seen);
        }
        self.heal();
    }

    /// Checks a license, unless it is one of those at hand: they are judged again whenever keys or device id change.
    pub(super) fn check(&self, bytes: &[u8]) -> Result<Authentic, Rejection> {
        let known = [self.file.good(), self.kept.as_ref()].into_iter().flatten().find(|known| known.bytes() == bytes);
        known.map_or_else(|| self.verifier().check(bytes), |known| Ok(known.clone()))
    }

    fn judge_kept(&mut self) {
        let verifier = self.verifier();
        self.kept = self.kept_bytes.as_ref().and_then(|bytes| verifier.check(bytes).ok());
    }

    fn observe(&mut self, seen: FileView) {
        let before = std::mem::replace(&mut self.file, seen);
        // Its issue date may tell that the clock is behind; then nothing is too early by that clock.
        self.judge_clock();
        self.fit_wait();
        if self.file.good().map(Authentic::sha256) != self.durable.loaded.as_deref() {
            // netifyd may read it before it goes again, and a crash must not hide that it was there.
            self.durable.loaded = None;
        }
        if self.file.good().map(Authentic::sha256) != self.reload.target.as_deref() {
            // Nor is it known what a reload that is under way finds there.
            self.reload.target = None;
        }
        let Some(license) = self.file.good().cloned() else {
            // A change of the state is told where all of them are; this one would go unseen.
            let (was, is) = (before.state(self.trusted_now()), self.state());
            if let (FileView::Bad(rejection, _), true) = (&self.file, was == is) {
                let text = format!("the license file was changed and is still {is}: {}", rejection.reason);
                self.note(Level::Warn, text);
            }
            return;
        };
        // One that was left alone was no measure while it lay there, and is none now.
        let was = before.good().filter(|was| self.reload.left_alone.as_deref() != Some(was.sha256()));
        let best = [was, self.kept.as_ref()].into_iter().flatten().max_by_key(|known| known.license().expires_at);
        let expires = license.license().expires_at;
        let other = best.filter(|best| best.sha256() != license.sha256());
        let older = other.is_some_and(|best| best.license().expires_at > expires);
        let premature =
            other.is_some_and(|best| self.is_premature(&license) && best.state(self.trusted_now()).is_usable());
        let lost = other.map(|best| Difference::between(best.license(), license.license()).lost).unwrap_or_default();
        if older || premature {
            self.reload.left_alone = Some(license.sha256().to_owned());
            self.remember(&license, Origin::Given);
            let what = if older { "an older license" } else { "a license that is not valid yet" };
            self.note(Level::Warn, format!("somebody installed {what}, which is left alone: it ends {expires}"));
        } else {
            self.reload.left_alone = None;
            if !before.is_unknown() {
                // What waits was held against another license.
                self.durable.pending_change = None;
            }
            self.durable.retired &= before.is_unknown();
            self.remember_serial(&license);
            if self.remember(&license, Origin::Given) {
                // Before the kept copy changes: with it goes the date of the version before.
                self.save_durable();
            }
            self.keep(&license);
            let (serial, when) = (one_line(&license.license().serial), relative(expires, self.moment.now.wall));
            match before {
                FileView::Unknown => self.note(Level::Info, format!("license {serial} found, ends {expires} ({when})")),
                _ if lost.is_empty() => {
                    self.note(Level::Info, format!("license {serial} adopted, ends {expires} ({when})"));
                }
                _ => {
                    let lost = lost.join(", ");
                    let text =
                        format!("license {serial} adopted, ends {expires} ({when}); it no longer entitles to {lost}");
                    self.note(Level::Warn, text);
                }
            }
        }
    }

    /// By a clock that is believed, its time has not come.
    pub(super) fn is_premature(&self, license: &Authentic) -> bool {
        license.state(self.trusted_now()) == State::NotYetValid
    }

    /// The same by the hub's clock as well.
    pub(super) fn is_surely_premature(&self, license: &Authentic) -> bool {
        self.is_premature(license) && self.hub_now().is_some_and(|hub| license.state(Some(hub)) == State::NotYetValid)
    }

    /// A license that was left alone because its time had not come is a license like any other once it has.
    pub(super) fn adopt_what_has_ripened(&mut self) {
        let Some(license) =
            self.file.good().filter(|license| self.reload.left_alone.as_deref() == Some(license.sha256()))
        else {
            return;
        };
        let later = self.kept.as_ref().is_none_or(|kept| kept.license().expires_at < license.license().expires_at);
        if later && self.trust.trusted && !self.is_premature(license) {
            let seen = std::mem::replace(&mut self.file, FileView::Missing);
            self.observe(seen);
        }
    }

    /// Puts the kept license back where the file holds none that is genuine.
    fn heal(&mut self) {
        if !self.file.is_broken() || !self.daemon || self.durable.retired || self.installing.is_some() {
            return;
        }
        let Some(kept) = self.kept.clone() else { return };
        let wanted = self.config.license.serial.as_ref();
        if wanted.is_some_and(|wanted| wanted.as_str() != kept.license().serial) {
            return;
        }
        if !self.may_heal() {
            if self.notes.first_time("heals exhausted") {
                self.note(Level::Error, "the license file was put right three times within an hour and is broken again; somebody else writes it, so it is left alone for now");
            }
            return;
        }
        self.volatile.heals.push(self.moment.now.wall);
        self.install(kept, Origin::Healed, Vec::new(), Vec::new());
    }

    pub(super) fn may_heal(&mut self) -> bool {
        let now = self.moment.now.wall;
        self.volatile.heals.retain(|at| (0..HOUR).contains(&now.since(*at)));
        self.volatile.heals.len() < HEALS_PER_HOUR
    }

    /// How long until a broken file may be put right again.
    pub(super) fn heals_wait(&self) -> Millis {
        let now = self.moment.now.wall;
        let recent: Vec<Millis> =
            self.volatile.heals.iter().map(|at| now.since(*at)).filter(|age| (0..HOUR).contains(age)).collect();
        match recent.iter().max() {
            Some(oldest) if recent.len() >= HEALS_PER_HOUR => HOUR - oldest,
            _ => 0,
        }
    }

    /// Remembers what its own `created_at` does not tell: when this version of the license began to live. Before an
    /// install this happens before the file changes: afterwards the date of the version before is no longer at hand.
    pub(super) fn remember(&mut self, license: &Authentic, origin: Origin) -> bool {
        if let Some(known) = self.durable.issues.iter().position(|issue| issue.sha256 == license.sha256()) {
            self.durable.issues[..=known].rotate_right(1);
            return false;
        }
        let fields = license.license();
        // A hub that keeps the first issue's date through renewals: the date tells nothing about this version.
        let known = || [self.file.good(), self.kept.as_ref()].into_iter().flatten();
        let stale =
            known().filter(|k| k.sha256() != license.sha256()).any(|k| k.license().created_at == fields.created_at);
        // By our clock a week might look like hours. One that cannot be right tells nothing either.
        let now = self.dating_now().filter(|now| *now < fields.expires_at);
        let created = fields.created_at.filter(|_| !stale);
        let at = created.or(now).unwrap_or_else(|| assumed_issue(license)).min(fields.expires_at);
        let guessed = created.is_none() && self.hub_now().is_none();
        let own_renewal = origin.is_of_attempt();
        // What lies there and what is kept stay known, however many are tried and never get onto a full disk.
        let is_in_use = |issue: &Issue| known().any(|license| license.sha256() == issue.sha256);
        let oldest = self.durable.issues.iter().rposition(|issue| !is_in_use(issue));
        if let (Some(oldest), true) = (oldest, self.durable.issues.len() >= ISSUES) {
            self.durable.issues.remove(oldest);
        }
        self.durable.issues.insert(0, Issue { sha256: license.sha256().to_owned(), at, own_renewal, guessed });
        true
    }

    /// A date that our clock gave while it was ahead, and believed: a week looked like hours, and its window would open
    /// too late. It lies in the future once the clock is right, and leaves the license less than any hub gives.
    pub(super) fn correct_guesses(&mut self) {
        let Some(now) = self.trusted_now() else { return };
        let is_wrong = |issue: &&mut Issue| issue.guessed && issue.at.since(now) > CLOCK_TOLERANCE;
        for issue in self.durable.issues.iter_mut().filter(is_wrong) {
            let known = [self.file.good(), self.kept.as_ref()].into_iter().flatten();
            let license = known.into_iter().find(|known| known.sha256() == issue.sha256);
            if let Some(assumed) = license.map(assumed_issue).filter(|assumed| issue.at.since(*assumed) > DAY) {
                issue.at = assumed.min(now);
            }
        }
    }

    pub(super) fn remember_serial(&mut self, license: &Authentic) {
        if let Ok(serial) = license.license().serial.parse() {
            self.durable.serial = Some(serial);
            self.durable.duid = self.duid().map(str::to_owned);
        }
    }

    /// Keeps a copy of the best license that is known.
    pub(super) fn keep(&mut self, license: &Authentic) {
        if self.kept_bytes.as_deref() == Some(license.bytes()) {
            return;
        }
        self.kept_bytes = Some(license.bytes().to_vec());
        self.kept = Some(license.clone());
        self.actions.push(Action::Keep(Box::new(license.clone())));
    }
}
