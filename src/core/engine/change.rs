//! Licenses that would take something away: how long they wait, and who takes them.

use super::context::Context;
use super::{Engine, Level};
use crate::core::accept::pending::PendingChange;
use crate::core::accept::source::Source;
use crate::core::accept::verdict::{Difference, Terms};
use crate::core::license::document::Serial;
use crate::core::license::verify::Authentic;
use crate::core::text::{list, one_line};
use crate::core::time::{BootTime, WallTime};

/// The command that takes a change that waits.
pub(super) const COMMAND: &str = "`netify-licensed renew --accept-changes`";

impl Context {
    /// The source changed, and its first authentic answer has not been seen yet.
    pub(super) fn source_is_new(&self) -> bool {
        self.durable.source.as_ref().is_some_and(|source| source.is_new)
    }

    /// What a candidate is held against: this license, and what the configuration asks for.
    pub(super) fn terms<'a>(&'a self, installed: Option<&'a Authentic>) -> Terms<'a> {
        Terms {
            installed,
            configured: self.config.license.serial.as_ref().map(Serial::as_str),
            asked: None,
            now: self.trusted_now(),
            force: false,
        }
    }

    /// The time by which an offer waits.
    pub(super) fn offer_now(&self) -> WallTime {
        self.best_now().unwrap_or(self.wall_now())
    }

    /// When the change that waits is taken by itself.
    pub(super) fn accept_at(&self) -> Option<WallTime> {
        self.durable.pending_change.as_ref().and_then(|pending| self.accept_at_of(pending))
    }

    fn accept_at_of(&self, pending: &PendingChange) -> Option<WallTime> {
        let installed = self.plan(self.baseline()?);
        pending.accept_at(self.config.renewal.accept_changes_after.millis(), &installed)
    }

    /// The same by the clock that does not step.
    pub(super) fn accept_due(&self) -> Option<BootTime> {
        let at = self.accept_at()?;
        Some(self.boot_now().plus(at.since(self.offer_now()).max(0)))
    }

    /// One sentence about the change that waits: what would be lost, and when it is taken.
    pub(super) fn pending_text(&self) -> Option<String> {
        let pending = self.durable.pending_change.as_ref()?;
        let mut parts = Vec::new();
        if !pending.lost.is_empty() {
            parts.push(format!("it no longer entitles to {}", list(&pending.lost)));
        }
        if !pending.gained.is_empty() {
            parts.push(format!("it newly entitles to {}", list(&pending.gained)));
        }
        parts.push(format!("it ends {}", pending.expires_at));
        let when = match self.accept_at() {
            Some(at) if at <= self.offer_now() => "it is installed by itself with the next attempt".to_owned(),
            Some(at) => format!("it is installed by itself at {at}, by {COMMAND} at once"),
            None => format!("{COMMAND} installs it"),
        };
        let (source, serial) = (self.source(), one_line(&pending.serial));
        Some(format!("{source} has a changed license, {serial}: {}; {when}", parts.join(", ")))
    }
}

impl Engine {
    /// Compares the source of licenses with the stored one. The hub is asked at once where it changed: what the old one
    /// asked for, such as patience, does not bind the new one.
    pub(super) fn mark_source(&mut self) {
        let source = Source::under(&self.cx.config, self.cx.durable.source.as_ref());
        if self.cx.durable.source.as_ref() == Some(&source) {
            return;
        }
        if source.is_new {
            self.note(Level::Info, "the source of licenses has changed, so it is asked now");
            self.cx.durable.pending_change = None;
            self.not_before = None;
            self.cx.volatile.not_before = None;
        }
        self.cx.durable.source = Some(source);
    }

    /// An authentic answer of the source was seen.
    pub(super) fn source_is_known(&mut self) {
        if let Some(source) = &mut self.cx.durable.source {
            source.is_new = false;
        }
    }

    /// Remembers a changed license that was offered. Whether its time has come.
    pub(super) fn offered(&mut self, candidate: &Authentic, difference: &Difference) -> bool {
        let (cx, now) = (&self.cx, self.cx.offer_now());
        let Some(installed) = cx.baseline() else { return true };
        let (fields, ends) = (candidate.license(), installed.license().expires_at);
        let before = cx.durable.pending_change.as_ref();
        let pending = PendingChange::of(fields, difference, ends, before, now);
        let is_news = before.is_none_or(|before| before.offer != pending.offer);
        let is_due = cx.accept_at_of(&pending).is_some_and(|at| at <= now);
        self.cx.durable.pending_change = Some(pending);
        if is_news && !is_due {
            let text = self.cx.pending_text().unwrap_or_default();
            self.note(Level::Warn, text);
        }
        is_due
    }

    /// An authentic, current license was seen that is not the offered one.
    pub(super) fn withdraw_offer(&mut self, seen: &Authentic) {
        if self.cx.durable.pending_change.as_ref().is_some_and(|pending| pending.is_withdrawn_by(seen.license())) {
            self.cx.durable.pending_change = None;
            self.note(Level::Info, format!("{} offers the changed license no longer", self.cx.source()));
        }
    }
}
