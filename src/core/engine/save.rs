//! What is remembered, and when it is worth a write.

use super::{Action, Engine};

impl Engine {
    /// Why the state directory cannot be written.
    #[must_use]
    pub fn state_trouble(&self) -> Option<&str> {
        self.state_trouble.as_deref()
    }

    /// What could not be written meanwhile is written as soon as it can be.
    pub(super) fn state_trouble_changed(&mut self, trouble: Option<String>) {
        let over = self.state_trouble.is_some() && trouble.is_none();
        self.state_trouble = trouble;
        if let (Some(kept), true) = (self.kept.clone(), over) {
            self.actions.push(Action::Keep(Box::new(kept)));
        }
    }

    /// Writes the durable memory now, if it differs from what is on disk.
    pub(super) fn save_durable(&mut self) {
        self.durable.boot_id.clone_from(&self.boot_id);
        // While writing fails, nothing is known to be on disk, so it is tried again.
        if self.state_trouble.is_none() && self.saved_durable.as_ref().is_some_and(|saved| saved.tells(&self.durable)) {
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
