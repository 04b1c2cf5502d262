//! Which device this is, for the engine: the pin is made by the first license that names the id, and moved by people.

use super::context::Context;
use super::{Action, Engine, Level, RequestId};
use crate::core::device::duid::{self, winner};
use crate::core::device::pin::{Noticed, Pin};
use crate::core::license::verify::Authentic;

impl Context {
    /// This device's id: the pinned one, else that of the first usable source.
    pub(super) fn duid(&self) -> Option<&str> {
        self.durable.identity.duid(self.device.sources())
    }

    /// The same with the source that it comes from.
    pub(super) fn identity(&self) -> Option<(&str, String)> {
        let sources = self.device.sources();
        Some((self.duid()?, self.durable.identity.source(sources)?))
    }

    /// What the moment of a renewal is drawn from.
    pub(super) fn spread_key(&self) -> String {
        let random = || self.durable.identity.spread.map(|spread| format!("{spread:016x}"));
        self.duid().map(str::to_owned).or_else(random).unwrap_or_default()
    }
}

impl Engine {
    /// The device was looked up, or the configuration changed.
    pub(super) fn meet_the_machine(&mut self) {
        let cx = &mut self.cx;
        // An older version knew the device of its last license, and no pin.
        let is_old_state = cx.durable.identity.section.is_none();
        let section = cx.config.device.fingerprint();
        let random = cx.moment.random.to_bits();
        let machine = std::mem::take(&mut cx.machine);
        let noticed = cx.durable.identity.meet(section, machine, random);
        if let (true, Some(duid)) = (is_old_state, cx.durable.duid.clone()) {
            let known = cx.device.sources().iter().find(|entry| entry.duid.as_ref() == Ok(&duid));
            let source = known.map(|entry| entry.source.to_string());
            cx.durable.identity.pin = source.map(|source| Pin { source, duid });
        }
        match noticed {
            Noticed::Nothing => {}
            Noticed::SectionChanged => {
                self.note(Level::Info, "[device] has changed, so this device's id is chosen anew");
            }
            Noticed::CopiedDisk => {
                let text = "machine id and DMI id are those of another machine, so this disk was copied: the device id is chosen anew";
                self.note(Level::Warn, text);
            }
        }
    }

    /// A license was accepted: if it names this device, its id is pinned.
    pub(super) fn pin_by(&mut self, license: &Authentic) {
        if let Some(duid) = license.license().duid.clone() {
            self.pin(&duid);
        }
    }

    pub(super) fn pin(&mut self, duid: &str) {
        if self.cx.durable.identity.pin(duid, self.cx.device.sources()) {
            let source = self.cx.durable.identity.pin.as_ref().map(|pin| pin.source.clone()).unwrap_or_default();
            self.note(Level::Info, format!("device id {duid} from {source} is pinned"));
        }
    }

    /// `duid --repin`.
    pub(super) fn repin(&mut self, id: RequestId) {
        let before = self.cx.duid().map(str::to_owned);
        let sources = self.cx.device.sources();
        let Some((duid, source)) = winner(sources).map(|(duid, source)| (duid.to_owned(), source.to_string())) else {
            let text = format!("{}; the pin stays", duid::none_usable(sources));
            return self.reply(&[id], 1, &text);
        };
        self.cx.durable.identity.pin = Some(Pin { source: source.clone(), duid: duid.clone() });
        let text = match before.filter(|before| *before != duid) {
            Some(before) => format!("device id {duid} from {source} is pinned; it was {before}"),
            None => format!("device id {duid} from {source} is pinned"),
        };
        self.note(Level::Info, text.clone());
        self.judge_again();
        self.try_again_soon();
        self.actions.push(Action::ReadDevice);
        self.reply(&[id], 0, &text);
    }
}
