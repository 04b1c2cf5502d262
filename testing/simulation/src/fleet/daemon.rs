//! A device of the fleet with the real engine, from shortly before its renewal is due until it is done.

use netify_licensed::core::clock::trust::Evidence;
use netify_licensed::core::config::{Config, TrustMode};
use netify_licensed::core::device::duid::{Judged, Source};
use netify_licensed::core::engine::{
    Action, Engine, Event, FileContent, HubRequest, Moment, ReloadOutcome, ReloadReport, Start,
};
use netify_licensed::core::hub::response::{RawAnswer, TransportError};
use netify_licensed::core::license::keys::KeyRing;
use netify_licensed::core::schedule::plan::{Life, plan};
use netify_licensed::core::state::{Durable, Issue, Volatile};
use netify_licensed::core::time::{BootTime, DAY, HOUR, Millis, Now, SECOND, WallTime};

use super::hub::{FleetHub, Treatment};
use super::load::Load;
use super::{EXPIRES, ISSUED, LIFE, Renewed};
use crate::license::{Doc, Draft};
use crate::random::Random;

/// Devices are up for so long when the licenses are issued.
const UP: Millis = 30 * DAY;

/// The device.
#[derive(Debug)]
pub struct FleetDevice {
    engine: Engine,
    random: Random,
    duid: String,
    serial: String,
    file: Vec<u8>,
    now: WallTime,
    /// On its way, with its time of arrival.
    arriving: Vec<(WallTime, Event)>,
    /// The hub's version.
    theirs: Vec<u8>,
    renewed: Renewed,
}

fn names(number: u64) -> (String, String) {
    (format!("fleet-{number:08}"), format!("FLEET-{number:08}"))
}

/// When this device's renewal falls due.
#[must_use]
pub fn due(number: u64) -> WallTime {
    let (duid, serial) = names(number);
    plan(&Life {
        issued: ISSUED,
        expires: EXPIRES,
        renew_before: None,
        own_renewal: true,
        duid: &duid,
        serial: &serial,
    })
    .due
}

fn license(serial: &str, duid: &str, issued: WallTime) -> Vec<u8> {
    let draft = Draft {
        serial,
        duid: Some(duid),
        expires: WallTime::from_unix(issued.plus(LIFE).unix()),
        created: Some(WallTime::from_unix(issued.unix())),
        renewable: None,
        signed: false,
    };
    Doc::issue(&draft, None).bytes.clone()
}

impl FleetDevice {
    /// The device, a second before its renewal is due.
    #[must_use]
    pub fn new(number: u64) -> Self {
        let (duid, serial) = names(number);
        let mut random = Random::new(number);
        let file = license(&serial, &duid, ISSUED);
        let sha256 = Doc::digest(&file);
        let mut config = Config::default();
        config.trust.mode = TrustMode::Transport;
        let durable = Durable {
            boot_id: "boot".to_owned(),
            loaded: Some(sha256.clone()),
            issues: vec![Issue { sha256, at: ISSUED, own_renewal: true, guessed: false }],
            serial: serial.parse().ok(),
            ..Durable::default()
        };
        let now = due(number).plus(-SECOND);
        let start = Start {
            config,
            keys: KeyRing::default(),
            durable,
            memory_lost: false,
            volatile: Volatile::default(),
            kept: Some(file.clone()),
            boot_id: "boot".to_owned(),
            daemon: true,
        };
        let (engine, actions) = Engine::new(start, moment(now, &mut random));
        let theirs = file.clone();
        let mut device = Self { engine, random, duid, serial, file, now, arriving: Vec::new(), theirs, renewed: None };
        let mut nobody = FleetHub::new(None, None);
        device.perform(actions, &mut nobody, &mut Load::default());
        device
    }

    /// When something happens next; [`None`] when it is done, or an hour after its license ended.
    #[must_use]
    pub fn next(&self) -> Option<WallTime> {
        if self.renewed.is_some() || self.now > EXPIRES.plus(HOUR) {
            return None;
        }
        let deadline = self.engine.next_deadline().map(|deadline| self.now.plus(deadline.after));
        self.arriving.iter().map(|(at, _)| *at).chain(deadline).min()
    }

    /// When it got its next license.
    #[must_use]
    pub const fn renewed(&self) -> Renewed {
        self.renewed
    }

    /// Lets the next thing happen.
    pub fn advance(&mut self, hub: &mut FleetHub, load: &mut Load) {
        let Some(at) = self.next() else { return };
        let arrived = self.arriving.iter().position(|(arrives, _)| *arrives <= at);
        let event = arrived.map_or(Event::Tick, |index| self.arriving.remove(index).1);
        self.now = at;
        let actions = self.engine.step(moment(at, &mut self.random), event);
        self.perform(actions, hub, load);
    }

    fn perform(&mut self, actions: Vec<Action>, hub: &mut FleetHub, load: &mut Load) {
        for action in actions {
            let (takes, event) = match action {
                Action::ReadLicense => (1, Event::File(FileContent::Bytes(self.file.clone()))),
                Action::ReadDevice => {
                    (1, Event::Device(vec![Judged { source: Source::Configured, duid: Ok(self.duid.clone()) }]))
                }
                Action::Ask(io, request) => {
                    (self.random.between(50, 500), Event::Answer(io, self.ask(&request, hub, load)))
                }
                Action::Install { license, .. } => {
                    self.file = license.bytes().to_vec();
                    self.renewed = Some(self.now);
                    (5, Event::Installed(Ok(())))
                }
                Action::Reload { .. } => {
                    let report = ReloadReport { method: "signal".to_owned(), outcome: ReloadOutcome::Confirmed };
                    (SECOND, Event::Reloaded(report))
                }
                _ => continue,
            };
            self.arriving.push((self.now.plus(takes), event));
        }
    }

    fn ask(&mut self, request: &HubRequest, hub: &mut FleetHub, load: &mut Load) -> Result<RawAnswer, TransportError> {
        let renews = matches!(request, HubRequest::Renew { .. });
        let treatment = hub.treat(self.now, renews);
        load.count(self.now, renews && treatment == Treatment::Serves);
        match treatment {
            Treatment::Down => {
                Err(TransportError { message: "the hub cannot be reached: time-out".to_owned(), local: false })
            }
            Treatment::Limits(seconds) => {
                Ok(RawAnswer { status: 429, retry_after: Some(seconds.to_string()), ..RawAnswer::default() })
            }
            Treatment::Serves => {
                if renews {
                    self.theirs = license(&self.serial, &self.duid, self.now);
                }
                let mut body = br#"{"status_code":0,"data":"#.to_vec();
                body.extend_from_slice(&self.theirs);
                body.push(b'}');
                Ok(RawAnswer { status: 200, body, ..RawAnswer::default() })
            }
        }
    }
}

fn moment(at: WallTime, random: &mut Random) -> Moment {
    let evidence = Evidence { kernel_synchronized: Some(true), timesync_marker: false, has_rtc: true };
    Moment { now: Now { wall: at, boot: BootTime(at.since(ISSUED) + UP) }, evidence, random: random.unit() }
}
