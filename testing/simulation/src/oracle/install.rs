//! The license file is whole and genuine, and never replaced by something older or foreign.

use std::sync::Arc;

use super::Oracle;
use crate::license::Doc;
use crate::stage::Stage;

impl Oracle {
    /// The file is about to be replaced.
    pub fn installs(&mut self, stage: &Stage, document: Option<&Arc<Doc>>) {
        self.require(self.installing.is_none(), || "two installs are under way".to_owned());
        self.installing = Some(document.cloned());
        let Some(new) = document else {
            return self.fail("a license is installed that nobody issued".to_owned());
        };
        self.require(new.is_genuine(), || format!("a license is installed that is {:?}", new.flaw));
        self.require(new.serial == stage.device.serial, || {
            format!("somebody else's license {} is installed", new.serial)
        });
        if self.person_forces() {
            return;
        }
        let old = self.view.genuine();
        let later = old.is_none_or(|old| new.expires > old.expires);
        let ends = old.map(|old| old.expires);
        self.require(later, || format!("the license that ends {ends:?} is replaced by one that ends {}", new.expires));
        let best = self
            .kept
            .as_ref()
            .filter(|kept| self.waiting.is_empty() && kept.expires > new.expires)
            .map(|kept| kept.expires);
        self.require(best.is_none(), || {
            format!("the kept license ends {best:?}, and one is installed that ends {}", new.expires)
        });
    }
}
