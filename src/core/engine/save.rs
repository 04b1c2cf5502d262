//! What is remembered, and when it is worth a write.

use super::event::StateFile;
use super::{Action, Engine};

/// Why a file of the state directory cannot be written.
#[derive(Debug, Default)]
pub(super) struct Unwritten {
    kept: Option<String>,
    memory: Option<String>,
}

impl Unwritten {
    const fn of(&mut self, file: StateFile) -> &mut Option<String> {
        match file {
            StateFile::Kept => &mut self.kept,
            StateFile::Memory => &mut self.memory,
        }
    }
}

impl Engine {
    /// Why this file of the state directory cannot be written.
    #[must_use]
    pub fn state_trouble(&self, file: StateFile) -> Option<&str> {
        match file {
            StateFile::Kept => self.unwritten.kept.as_deref(),
            StateFile::Memory => self.unwritten.memory.as_deref(),
        }
    }

    pub(super) fn wrote(&mut self, file: StateFile, result: Result<(), String>) {
        *self.unwritten.of(file) = result.err();
    }

    /// What could not be written is tried again, once a minute: a full disk must not cost more than that.
    pub(super) fn write_again(&mut self) {
        if self.unwritten.kept.is_some() {
            match self.kept.clone() {
                Some(kept) => self.actions.push(Action::Keep(Box::new(kept))),
                // It was given back: there is nothing left that would have to be written.
                None => self.unwritten.kept = None,
            }
        }
        if self.unwritten.memory.is_some() {
            self.saved_durable = None;
        }
    }

    /// Writes the durable memory now, if it differs from what was last written.
    pub(super) fn save_durable(&mut self) {
        self.durable.boot_id.clone_from(&self.boot_id);
        if self.saved_durable.as_ref().is_some_and(|saved| saved.tells(&self.durable)) {
            return;
        }
        if let Some(now) = self.trusted_now() {
            self.durable.last_good_time = Some(now);
        }
        self.saved_durable = Some(self.durable.clone());
        self.actions.push(Action::SaveDurable(Box::new(self.durable.clone())));
    }

    pub(super) fn save_when_quiet(&mut self) {
        let busy = self.attempt.is_some() || self.installing.is_some() || self.reload.running;
        if !busy && !self.file.is_unknown() {
            self.save_durable();
        }
        self.save_volatile();
    }

    /// Writes the volatile memory now, if it differs from what is in the runtime directory.
    pub(super) fn save_volatile(&mut self) {
        if !self.saved_volatile.as_ref().is_some_and(|saved| saved.tells(&self.volatile)) {
            self.saved_volatile = Some(self.volatile.clone());
            self.actions.push(Action::SaveVolatile(Box::new(self.volatile.clone())));
        }
    }
}
