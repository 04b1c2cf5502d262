//! The license file as it is seen: what another process wrote there is adopted, or not.

use super::writer::Origin;
use super::{Action, Engine, FileContent, Level, Recalled};
use crate::core::accept::verdict::Difference;
use crate::core::license::verify::{Authentic, Rejection, State};
use crate::core::text::one_line;
use crate::core::time::{WallTime, relative};

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

    /// Missing, or nothing that is genuine: the last-known-good copy is better.
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

impl Engine {
    /// Has the file read, once however many ask for it.
    pub(super) fn read_license(&mut self) {
        if self.reader.ask() {
            self.actions.push(Action::ReadLicense);
        }
    }

    pub(super) fn file_read(&mut self, content: FileContent) {
        self.reader.was_read();
        self.cx.just_read = true;
        if self.cx.device.is_unread() {
            return; // It is read again when it can be judged.
        }
        let seen = match content {
            FileContent::Missing => Some(FileView::Missing),
            FileContent::Unreadable(reason) => Some(FileView::Unreadable(reason)),
            FileContent::Bytes(bytes) if self.cx.file.bytes() == Some(&bytes) => None,
            FileContent::Bytes(bytes) => Some(FileView::of(self.cx.check(&bytes), bytes)),
        };
        if self.writer.is_replacing() {
            return; // Its result says what the file is, and then it is read for the jobs that wait.
        }
        let first = self.cx.file.is_unknown();
        if first {
            self.mark_source();
            self.judge_last_good();
        }
        if let Some(seen) = seen.filter(|seen| *seen != self.cx.file) {
            self.observe(seen);
        }
        if first {
            self.recall_what_is_loaded();
        }
        if self.writer.jobs.is_empty() {
            return self.restore();
        }
        self.judge_jobs();
        if !self.writer.is_replacing() && self.cx.file.good().is_none() {
            // It was read without waiting for a process that may be writing it.
            self.reader.changed(self.cx.boot_now());
        }
    }

    /// After a reboot netifyd started with whatever the file held. Nobody knows that after a loss of the state.
    fn recall_what_is_loaded(&mut self) {
        let (recalled, cx) = (std::mem::replace(&mut self.recalled, Recalled::OfThisBoot), &mut self.cx);
        if recalled == Recalled::OfThisBoot {
            return;
        }
        let is_known = recalled == Recalled::OfAnotherBoot
            && cx.volatile.reload_failures == 0
            && cx.volatile.reload_pause.is_none();
        cx.durable.loaded = cx.file.good().map(|license| license.sha256().to_owned()).filter(|_| is_known);
        cx.durable.boot_id.clone_from(&cx.boot_id);
    }

    /// Judges file and last-known-good copy again: other keys, another device id, another configuration.
    pub(super) fn judge_again(&mut self) {
        self.writer.outdate();
        self.judge_last_good();
        let Some(bytes) = self.cx.file.bytes().map(<[u8]>::to_vec) else { return };
        let seen = FileView::of(self.cx.verifier().check(&bytes), bytes);
        if seen != self.cx.file {
            self.observe(seen);
        }
        self.restore();
    }

    fn judge_last_good(&mut self) {
        let verifier = self.cx.verifier();
        let last_good = &mut self.cx.last_good;
        last_good.license = last_good.bytes.as_ref().and_then(|bytes| verifier.check(bytes).ok());
    }

    fn observe(&mut self, seen: FileView) {
        let before = std::mem::replace(&mut self.cx.file, seen);
        // Its issue date may tell that the clock is behind; then nothing is too early by that clock.
        self.cx.judge_clock();
        self.fit_wait();
        let sha256 = self.cx.file.good().map(Authentic::sha256);
        if sha256 != self.cx.durable.loaded.as_deref() {
            // netifyd may read it before it goes again, and a crash must not hide that it was there.
            self.cx.durable.loaded = None;
        }
        self.reload.file_changed(sha256);
        if let Some(license) = self.cx.file.good().cloned() {
            self.observe_license(&before, &license);
            return;
        }
        if self.cx.file.is_broken() && self.cx.file.bytes() != self.cx.last_good.bytes.as_deref() {
            self.restore_was_undone();
        }
        // Report logs state changes only. Here the bytes changed and the state did not.
        let (was, is) = (before.state(self.cx.trusted_now()), self.cx.state());
        if let (FileView::Bad(rejection, _), true) = (&self.cx.file, was == is) {
            let text = format!("the license file was changed and is still {is}: {}", rejection.reason);
            self.note(Level::Warn, text);
        }
    }

    fn observe_license(&mut self, before: &FileView, license: &Authentic) {
        let cx = &self.cx;
        // One that was not adopted was no baseline while it lay there, and is none now.
        let was = before.good().filter(|was| cx.not_adopted.as_deref() != Some(was.sha256()));
        let known = [was, cx.last_good.license.as_ref()].into_iter().flatten();
        let best = known.max_by_key(|known| known.license().expires_at);
        let (expires, now) = (license.license().expires_at, cx.wall_now());
        let other = best.filter(|best| best.sha256() != license.sha256());
        let older = other.is_some_and(|best| best.license().expires_at > expires);
        let premature = other.is_some_and(|best| cx.is_premature(license) && best.state(cx.trusted_now()).is_usable());
        let lost = other.map(|best| Difference::between(best.license(), license.license()).lost).unwrap_or_default();
        if older || premature {
            self.cx.not_adopted = Some(license.sha256().to_owned());
            self.restore_was_undone();
            self.remember_issue(license, Origin::Given);
            let what = if older { "an older license" } else { "a license that is not valid yet" };
            self.note(Level::Warn, format!("somebody installed {what}, which is left alone: it ends {expires}"));
            return;
        }
        self.cx.not_adopted = None;
        if !before.is_unknown() {
            // What waits was held against another license.
            self.cx.durable.pending_change = None;
        }
        if self.cx.volatile.restored.as_deref() != Some(license.sha256()) {
            self.cx.volatile.restored = None;
        }
        // Another license may have been copied there while the daemon was stopped.
        let retired = &self.cx.durable.retired_file;
        let is_retired = retired.as_deref().is_none_or(|retired| retired == license.sha256());
        self.cx.durable.retired &= before.is_unknown() && is_retired;
        self.remember_serial(license);
        if self.remember_issue(license, Origin::Given) {
            // Before the last-known-good copy changes: with it goes the date of the version before.
            self.save_durable();
        }
        self.keep(license);
        let (serial, when) = (one_line(&license.license().serial), relative(expires, now));
        let verb = if before.is_unknown() { "found" } else { "adopted" };
        let text = format!("license {serial} {verb}, ends {expires} ({when})");
        if before.is_unknown() || lost.is_empty() {
            self.note_license(Level::Info, text);
        } else {
            self.note_license(Level::Warn, format!("{text}; it no longer entitles to {}", lost.join(", ")));
        }
    }

    /// A license that was not adopted because its time had not come is a license like any other once it has.
    pub(super) fn adopt_what_became_valid(&mut self) {
        let Some(license) =
            self.cx.file.good().filter(|license| self.cx.not_adopted.as_deref() == Some(license.sha256()))
        else {
            return;
        };
        let last_good = self.cx.last_good.license.as_ref();
        let later = last_good.is_none_or(|last_good| last_good.license().expires_at < license.license().expires_at);
        if later && self.cx.trust.trusted && !self.cx.is_premature(license) {
            let seen = std::mem::replace(&mut self.cx.file, FileView::Missing);
            self.observe(seen);
        }
    }
}
