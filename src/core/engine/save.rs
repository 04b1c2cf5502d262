//! What is remembered, and when it is worth a write.

use super::{Action, Engine};
use crate::core::floor::Bucket;
use crate::core::memory::{Durable, Volatile};

impl Engine {
    /// Why the state directory cannot be written.
    #[must_use]
    pub fn state_trouble(&self) -> Option<&str> {
        self.state_trouble.as_deref()
    }

    fn stamp(&self, durable: &mut Durable) {
        durable.boot_id.clone_from(&self.boot_id);
        if let Some(now) = self.trusted_now() {
            durable.last_good_time = Some(now);
        }
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
        let mut durable = self.durable.clone();
        // A time stamp or a refilled bucket alone is no reason to touch the flash.
        let comparable =
            |durable: &Durable| Durable { last_good_time: None, automatic: Bucket::default(), ..durable.clone() };
        durable.boot_id.clone_from(&self.boot_id);
        let spent = |durable: &Durable| !durable.automatic.is_full();
        let unchanged = self.saved_durable.as_ref().is_some_and(|saved| {
            comparable(saved) == comparable(&durable)
                && (!spent(&durable) || saved.automatic.covers(&durable.automatic))
        });
        // While writing fails, nothing is known to be on disk, so it is tried again.
        if unchanged && self.state_trouble.is_none() {
            return;
        }
        self.stamp(&mut durable);
        self.durable = durable.clone();
        self.saved_durable = Some(durable.clone());
        self.actions.push(Action::SaveDurable(Box::new(durable)));
    }

    pub(super) fn save_when_quiet(&mut self) {
        let busy = self.attempt.is_some() || self.installing.is_some() || self.reload.running;
        if !busy && !self.file.is_unknown() && !self.reload_is_fresh() {
            self.save_durable();
        }
        self.save_volatile();
    }

    /// Writes the volatile memory now, if it differs from what is in the runtime directory.
    pub(super) fn save_volatile(&mut self) {
        if self.saved_volatile.as_ref() != Some(&self.volatile) {
            let comparable = |v: &Volatile| Volatile { manual: Bucket::default(), ..v.clone() };
            let changed = self.saved_volatile.as_ref().is_none_or(|saved| {
                comparable(saved) != comparable(&self.volatile) || !saved.manual.covers(&self.volatile.manual)
            });
            if changed {
                self.saved_volatile = Some(self.volatile.clone());
                self.actions.push(Action::SaveVolatile(Box::new(self.volatile.clone())));
            }
        }
    }
}
