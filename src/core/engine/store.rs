//! What is remembered, and when it is worth a write.

use super::event::StateFile;
use super::{Action, Engine};
use crate::core::clock::correct::{Present, Stored, correct};
use crate::core::time::DAY;

/// Why a file of the state directory cannot be written.
#[derive(Debug, Default)]
pub(super) struct Unwritten {
    kept: Option<String>,
    memory: Option<String>,
}

impl Unwritten {
    pub(super) fn of(&self, file: StateFile) -> Option<&str> {
        match file {
            StateFile::Kept => self.kept.as_deref(),
            StateFile::Memory => self.memory.as_deref(),
        }
    }
}

impl Engine {
    /// Why this file of the state directory cannot be written.
    #[must_use]
    pub fn state_trouble(&self, file: StateFile) -> Option<&str> {
        self.unwritten.of(file)
    }

    pub(super) fn wrote(&mut self, file: StateFile, result: Result<(), String>) {
        *match file {
            StateFile::Kept => &mut self.unwritten.kept,
            StateFile::Memory => &mut self.unwritten.memory,
        } = result.err();
    }

    /// What could not be written is tried again, once a minute: a full disk must not cost more than that.
    pub(super) fn write_again(&mut self) {
        if self.unwritten.kept.is_some() {
            match self.cx.last_good.license.clone() {
                Some(last_good) => self.actions.push(Action::Keep(Box::new(last_good))),
                // The license was retired: there is nothing left that would have to be written.
                None => self.unwritten.kept = None,
            }
        }
        if self.unwritten.memory.is_some() {
            self.saved_durable = None;
        }
    }

    /// Writes the durable memory now, if it differs from what was last written.
    pub(super) fn save_durable(&mut self) {
        let cx = &mut self.cx;
        cx.durable.boot_id.clone_from(&cx.boot_id);
        if self.saved_durable.as_ref().is_some_and(|saved| saved.tells(&cx.durable)) {
            return;
        }
        if let Some(now) = cx.trusted_now() {
            // Where the hub refutes our clock, ours would be corrected and written again at each step.
            let present = Present { hub: cx.hub_now(), own: None };
            cx.durable.last_good_time = Some(correct(Stored::Past(now), present));
        }
        self.saved_durable = Some(cx.durable.clone());
        self.actions.push(Action::SaveDurable(Box::new(cx.durable.clone())));
    }

    pub(super) fn save_when_quiet(&mut self) {
        let busy = self.attempt.is_some() || self.writer.is_replacing() || self.reload.is_running();
        if !busy && !self.cx.file.is_unknown() {
            self.save_durable();
        }
        self.save_volatile();
    }

    /// Writes the volatile memory now, if it differs from what is in the runtime directory.
    pub(super) fn save_volatile(&mut self) {
        let volatile = &self.cx.volatile;
        if !self.saved_volatile.as_ref().is_some_and(|saved| saved.tells(volatile)) {
            self.saved_volatile = Some(volatile.clone());
            self.actions.push(Action::SaveVolatile(Box::new(volatile.clone())));
        }
    }

    /// The end of the run: what is still to be written.
    pub fn stop(&mut self) -> Vec<Action> {
        let saved = self.saved_durable.as_ref().and_then(|saved| saved.last_good_time);
        let aged = self.cx.trusted_now().is_some_and(|now| saved.is_none_or(|saved| now.since(saved) > DAY));
        let unwritten = self.state_trouble(StateFile::Memory).is_some();
        if (aged || unwritten) && !self.cx.file.is_unknown() {
            self.saved_durable = None;
        }
        self.save_durable();
        self.save_when_quiet();
        std::mem::take(&mut self.actions)
    }
}
