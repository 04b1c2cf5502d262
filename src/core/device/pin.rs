//! The device's one identity: the source that gave it first stays its source, and the value that it gave its value.

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::core::device::duid::{Judged, winner};
use crate::core::text::hex;
use crate::core::text::one_line;

/// What the state holds of the device. Kept in the state directory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Identity {
    /// The pinned source with its value.
    pub pin: Option<Pin>,
    /// Hash of the section `[device]`: who changes it chooses anew.
    pub section: Option<String>,
    /// What the disk was in.
    pub machine: Machine,
    /// Draws the moment of renewals where there is no DUID: random, so that devices that share a license differ.
    pub spread: Option<u64>,
}

/// A source of the DUID, and the value that it gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// As `device.sources` names it.
    pub source: String,
    /// The value.
    pub duid: String,
}

/// The machine around a disk, each id as an HMAC: the ids themselves are confidential (machine-id(5)). [`None`] where one
/// is missing, unreadable, a placeholder, or does not outlive the boot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Machine {
    /// Of `/etc/machine-id`.
    pub machine_id: Option<String>,
    /// Of the DMI product UUID.
    pub dmi: Option<String>,
}

/// The HMAC of an id that is compared and never shown.
#[must_use]
pub fn witness(id: &str) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(id.as_bytes()).ok()?;
    mac.update(b"netify-licensed machine 1");
    Some(hex(&mac.finalize().into_bytes()[..16]))
}

impl Machine {
    /// Whether this is another machine: both ids were usable then and are usable now, and both differ.
    #[must_use]
    pub fn is_other_than(&self, before: &Self) -> bool {
        let differ = |now: &Option<String>, then: &Option<String>| now.is_some() && then.is_some() && now != then;
        differ(&self.machine_id, &before.machine_id) && differ(&self.dmi, &before.dmi)
    }

    /// What is known of the machine by now: an id that cannot be read today is the one of before.
    #[must_use]
    pub fn or(self, before: &Self) -> Self {
        Self {
            machine_id: self.machine_id.or_else(|| before.machine_id.clone()),
            dmi: self.dmi.or_else(|| before.dmi.clone()),
        }
    }
}

/// What became of the identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noticed {
    /// Nothing.
    Nothing,
    /// `[device]` has changed: the pin is gone.
    SectionChanged,
    /// The disk was copied to another machine: pin and spread are made anew.
    CopiedDisk,
}

impl Identity {
    /// Compares what was stored with today's section `[device]`, as its hash, and machine. `random` draws a new spread
    /// where there is none.
    pub fn meet(&mut self, section: String, machine: Machine, random: u64) -> Noticed {
        let mut noticed = Noticed::Nothing;
        // None stored is no change: it may be an older version's state.
        if self.section.as_ref().is_some_and(|stored| *stored != section) {
            noticed = Noticed::SectionChanged;
            self.pin = None;
        }
        self.section = Some(section);
        if machine.is_other_than(&self.machine) {
            noticed = Noticed::CopiedDisk;
            self.pin = None;
            self.spread = None;
            self.machine = machine;
        } else {
            self.machine = machine.or(&self.machine);
        }
        self.spread.get_or_insert(random);
        noticed
    }

    /// The id that judges: the pinned one, else that of the first usable source.
    #[must_use]
    pub fn duid<'a>(&'a self, judged: &'a [Judged]) -> Option<&'a str> {
        self.pin.as_ref().map(|pin| pin.duid.as_str()).or_else(|| winner(judged).map(|(duid, _)| duid))
    }

    /// Where it comes from.
    #[must_use]
    pub fn source(&self, judged: &[Judged]) -> Option<String> {
        self.pin.as_ref().map(|pin| pin.source.clone()).or_else(|| winner(judged).map(|(_, source)| source.to_string()))
    }

    /// Pins the first usable source if it gives this id.
    pub fn pin(&mut self, duid: &str, judged: &[Judged]) -> bool {
        let source = winner(judged).filter(|(winner, _)| *winner == duid).map(|(_, source)| source.to_string());
        match (&self.pin, source) {
            (None, Some(source)) => {
                self.pin = Some(Pin { source, duid: duid.to_owned() });
                true
            }
            _ => false,
        }
    }

    /// What a person should know: the pinned source shows another value, or another source would win today. One sentence.
    #[must_use]
    pub fn disagreement(&self, judged: &[Judged]) -> Option<String> {
        let Pin { source, duid } = self.pin.as_ref()?;
        let remedy =
            "`netify-licensed duid --repin` chooses anew, and licenses of the old id are no longer this device's";
        let own = judged.iter().find(|entry| entry.source.to_string() == *source);
        if let Some(now) = own.and_then(|entry| entry.duid.as_deref().ok()).filter(|now| now != duid) {
            let (duid, now) = (one_line(duid), one_line(now));
            return Some(format!("{source} gave the device id {duid} and now gives {now}; {duid} stays; {remedy}"));
        }
        let (other, name) = winner(judged).filter(|(other, name)| other != duid && name.to_string() != *source)?;
        let (duid, other) = (one_line(duid), one_line(other));
        Some(format!("{name} now gives the device id {other}; {duid} from {source} stays; {remedy}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::device::duid::Source;

    fn judged(serial: Result<&str, &str>, machine: Result<&str, &str>) -> Vec<Judged> {
        let entry =
            |source, duid: Result<&str, &str>| Judged { source, duid: duid.map(str::to_owned).map_err(str::to_owned) };
        vec![entry(Source::NetifydSerial, serial), entry(Source::MachineId, machine)]
    }

    fn section() -> String {
        "section".to_owned()
    }

    fn machine(machine_id: Option<&str>, dmi: Option<&str>) -> Machine {
        Machine { machine_id: machine_id.and_then(witness), dmi: dmi.and_then(witness) }
    }

    #[test]
    fn the_first_source_stays() {
        let mut identity = Identity::default();
        assert_eq!(identity.meet(section(), Machine::default(), 7), Noticed::Nothing);
        let first = judged(Err("not found"), Ok("M"));
        assert_eq!(identity.duid(&first), Some("M"), "before there is a pin");
        assert!(!identity.pin("other", &first), "a license of another id pins nothing");
        assert!(identity.pin("M", &first) && !identity.pin("M", &first));
        assert_eq!(identity.disagreement(&first), None);
        // netifyd's first-boot script writes its file later.
        let later = judged(Ok("S"), Ok("M"));
        assert_eq!((identity.duid(&later), identity.source(&later).as_deref()), (Some("M"), Some("machine-id")));
        let said = identity.disagreement(&later).expect("reported");
        assert!(said.starts_with("netifyd-serial now gives the device id S; M from machine-id stays; "), "{said}");
        // Unreadable later, and another value.
        let gone = judged(Err("not found"), Err("not found"));
        assert_eq!((identity.duid(&gone), identity.disagreement(&gone)), (Some("M"), None));
        let moved = judged(Err("not found"), Ok("N"));
        assert_eq!(identity.duid(&moved), Some("M"));
        let said = identity.disagreement(&moved).expect("reported");
        assert!(
            said.starts_with("machine-id gave the device id M and now gives N; ") && said.contains("--repin"),
            "{said}"
        );
        // Read and written.
        let text = serde_json::to_string(&identity).expect("JSON");
        assert_eq!(serde_json::from_str::<Identity>(&text).expect("read"), identity);
    }

    #[test]
    fn a_person_moves_it_by_the_section() {
        let mut identity = Identity::default();
        identity.meet(section(), Machine::default(), 7);
        identity.pin("M", &judged(Err("x"), Ok("M")));
        assert_eq!(identity.meet("other".to_owned(), Machine::default(), 8), Noticed::SectionChanged);
        assert_eq!((&identity.pin, identity.spread), (&None, Some(7)));
        assert_eq!(identity.meet("other".to_owned(), Machine::default(), 8), Noticed::Nothing);
    }

    #[test]
    fn a_copied_disk_is_another_device() {
        let pinned = |before: &Machine| {
            let mut identity = Identity::default();
            identity.meet(section(), before.clone(), 7);
            identity.pin("M", &judged(Err("x"), Ok("M")));
            identity
        };
        let before = machine(Some("a"), Some("b"));
        for (now, copied) in [
            (machine(Some("a"), Some("b")), false),
            (machine(Some("x"), Some("b")), false),
            (machine(Some("a"), Some("y")), false),
            (machine(None, Some("y")), false),
            (machine(Some("x"), None), false),
            (machine(Some("x"), Some("y")), true),
        ] {
            let mut identity = pinned(&before);
            let noticed = identity.meet(section(), now.clone(), 8);
            assert_eq!(noticed == Noticed::CopiedDisk, copied, "{now:?}");
            assert_eq!((identity.pin.is_none(), identity.spread == Some(8)), (copied, copied));
        }
        // What was missing then tells nothing, and what is missing now is remembered.
        let mut identity = pinned(&machine(None, Some("b")));
        assert_eq!(identity.meet(section(), machine(Some("x"), Some("y")), 8), Noticed::Nothing);
        let mut identity = pinned(&before);
        identity.meet(section(), machine(None, None), 8);
        assert_eq!(identity.meet(section(), machine(Some("x"), Some("y")), 8), Noticed::CopiedDisk);
    }

    #[test]
    fn no_id_can_be_read_from_its_witness() {
        let id = "0123456789abcdef0123456789abcde0";
        let seen = witness(id).expect("a witness");
        assert!(seen.len() == 32 && seen != id && Some(&seen) == witness(id).as_ref() && witness("x") != witness("y"));
    }
}
