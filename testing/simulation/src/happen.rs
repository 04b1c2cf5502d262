//! How happenings change the world.

use netify_licensed::core::engine::{Event, Request};
use netify_licensed::core::license::verify::State;
use netify_licensed::core::state::Volatile;
use netify_licensed::core::time::{DAY, HOUR, MINUTE, SECOND};

use crate::happening::{Fault, Happening, Write, edit, notice};
use crate::sabotage::Sabotage;
use crate::stage::Fits;
use crate::world::World;
use crate::{hub, netifyd};

impl World {
    pub(crate) fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Deliver(incarnation, event) => self.delivered(incarnation, event),
            Happening::DaemonStarts => self.daemon_starts(),
            Happening::NetifydStarts => {
                if self.stage.powered {
                    self.stage.netifyd.start(&self.stage.disk.file);
                }
            }
            Happening::Boots => self.boots(),
            Happening::TimeIsSet => {
                if self.stage.powered {
                    self.stage.clock.set_right();
                    self.clock_was_set();
                }
            }
            Happening::Fault(fault) => {
                self.next_fault(fault);
                self.begin(fault);
            }
            Happening::FaultEnds(fault, number) => {
                if self.fault_numbers[fault as usize] == number {
                    self.end(fault);
                }
            }
            Happening::FileNoticed if self.stage.asleep => self.after(MINUTE, Happening::FileNoticed),
            Happening::FileNoticed => {
                self.stage.unnoticed = self.stage.unnoticed.saturating_sub(1);
                self.step(Event::FileChanged);
            }
            Happening::Written(write) => self.write(write),
            Happening::Wakes => {
                self.stage.asleep = false;
                self.say("wakes");
                self.oracle.wakes();
                self.step(Event::Tick);
            }
            Happening::HubIssues => {
                self.stage.hub.issue(&self.stage.device, self.stage.now);
            }
        }
    }

    fn delivered(&mut self, incarnation: u32, event: Event) {
        if incarnation != self.incarnation || self.engine.is_none() {
            return;
        }
        if self.stage.asleep {
            // Nothing arrives during sleep; it is there on waking.
            return self.after(MINUTE, Happening::Deliver(incarnation, event));
        }
        self.oracle.delivers(&self.stage, &event);
        self.polls &= !matches!(event, Event::Poll);
        let failed =
            matches!(&event, Event::Answer(_, answer) if answer.as_ref().map_or(true, |raw| raw.status != 200));
        let event = self.sabotage.bend(event);
        self.step(event);
        self.oracle.delivered();
        if failed && self.sabotage == Sabotage::BackoffReset {
            self.reincarnate();
        }
    }

    fn fault_lasts(&mut self, fault: Fault, span: i64) {
        let number = &mut self.fault_numbers[fault as usize];
        *number += 1;
        let number = *number;
        self.after(span, Happening::FaultEnds(fault, number));
    }

    fn begin(&mut self, fault: Fault) {
        match fault {
            Fault::Hub => {
                let (condition, span) = hub::trouble(&mut self.random);
                self.stage.hub.condition = condition;
                self.fault_lasts(fault, span);
                self.say(&format!("hub: {condition:?} for {} min", span / MINUTE));
            }
            Fault::Reload => {
                let (mood, span) = netifyd::mood(&mut self.random);
                self.stage.netifyd.mood = mood;
                self.stage.netifyd.running &= mood != netifyd::Mood::Stopped;
                self.fault_lasts(fault, span);
                self.say(&format!("netifyd: {mood:?} for {} min", span / MINUTE));
            }
            Fault::NetifydDies => {
                self.stage.netifyd.running = false;
                self.after(2 * SECOND, Happening::NetifydStarts);
                self.say("netifyd dies");
            }
            Fault::Restart => {
                self.stops_cleanly();
                let span = self.random.magnitude(200, HOUR);
                self.after(span, Happening::DaemonStarts);
            }
            Fault::Reboot | Fault::PowerOff => {
                if self.stage.powered {
                    let span = if fault == Fault::Reboot {
                        self.random.between(20 * SECOND, 3 * MINUTE)
                    } else {
                        self.random.magnitude(HOUR, 30 * DAY)
                    };
                    self.switched_off();
                    self.after(span, Happening::Boots);
                }
            }
            Fault::Suspend => {
                if self.stage.powered && !self.stage.asleep {
                    self.stage.asleep = true;
                    let span = self.random.magnitude(HOUR, 6 * DAY);
                    self.after(span, Happening::Wakes);
                    self.say("sleeps");
                }
            }
            Fault::Clock => {
                let span = self.stage.clock.step_wrong(self.stage.now, &mut self.random);
                self.fault_lasts(fault, span);
                self.clock_was_set();
            }
            Fault::Disk => {
                self.stage.disk.full = true;
                let span = self.random.magnitude(MINUTE, 4 * DAY);
                // Two of six fill it to the last byte but some.
                self.stage.disk.fits = match span % 6 {
                    0 => Fits::Memory,
                    1 => Fits::Licenses,
                    _ => Fits::Nothing,
                };
                self.fault_lasts(fault, span);
                self.say("the disk is full");
            }
            Fault::Edit => {
                if self.engine.is_some() {
                    let (write, then) = edit(&mut self.random);
                    self.write(write);
                    if let Some((write, span)) = then {
                        self.after(span, Happening::Written(write));
                    }
                }
            }
            Fault::Fight => {
                self.stage.fight = true;
                self.fault_lasts(fault, 5 * HOUR);
                let period = self.random.magnitude(2 * SECOND, 10 * MINUTE);
                for n in 0..(3 * HOUR / period).min(200) {
                    let write = self.random.pick(&[Write::Delete, Write::Torn, Write::Foreign]);
                    self.after(n * period, Happening::Written(write));
                }
            }
            Fault::Person => self.person(),
            Fault::Operator => {
                if self.stage.hub.current.is_some() {
                    self.stage.hub.issue(&self.stage.device, self.stage.now);
                }
            }
        }
    }

    fn end(&mut self, fault: Fault) {
        match fault {
            Fault::Hub => {
                self.stage.hub.condition = hub::Condition::Good;
                self.say("hub: good");
            }
            Fault::Reload => {
                let stopped = self.stage.netifyd.mood == netifyd::Mood::Stopped;
                self.stage.netifyd.mood = netifyd::Mood::Well;
                if stopped {
                    self.after(SECOND, Happening::NetifydStarts);
                }
                self.say("netifyd: well");
            }
            Fault::Clock if self.stage.powered => {
                self.stage.clock.set_right();
                self.clock_was_set();
            }
            Fault::Disk => {
                self.stage.disk.full = false;
                self.say("the disk has room");
            }
            Fault::Fight => self.stage.fight = false,
            _ => {}
        }
    }

    fn clock_was_set(&mut self) {
        self.say("the clock is set");
        self.oracle.clock_was_set();
        self.step(Event::Tick);
    }

    fn switched_off(&mut self) {
        self.say("is switched off");
        self.crash();
        self.stage.powered = false;
        self.switched_off_at = self.stage.now;
        self.stage.asleep = false;
        self.stage.netifyd.running = false;
        self.stage.disk.volatile = Volatile::default();
        self.oracle.switched_off(self.stage.now);
    }

    fn boots(&mut self) {
        if self.stage.powered {
            return;
        }
        self.stage.powered = true;
        self.boot_number += 1;
        let now = self.stage.now;
        let set_at = self.stage.clock.boot(self.switched_off_at, now, &mut self.random);
        self.after(set_at - now, Happening::TimeIsSet);
        self.oracle.clock_was_set();
        // netifyd starts after the daemon has looked at the file, or a little before: nobody edits it meanwhile.
        let daemon = self.random.between(2 * SECOND, 30 * SECOND);
        let netifyd = self.random.between(2 * SECOND, 60 * SECOND);
        self.after(daemon, Happening::DaemonStarts);
        self.after(netifyd, Happening::NetifydStarts);
        self.say("boots");
    }

    /// Somebody else writes the license file.
    fn write(&mut self, write: Write) {
        if !self.stage.powered || self.stage.asleep || self.engine.is_none() {
            return;
        }
        let stage = &mut self.stage;
        let file = stage.disk.file.clone();
        let half = |doc: &std::sync::Arc<crate::license::Doc>| {
            doc.spoiled(doc.bytes[..doc.bytes.len() / 2].to_vec(), State::Malformed)
        };
        let written = match write {
            Write::Delete => None,
            Write::Torn => file.as_ref().map(half),
            Write::Older => match stage.hub.earlier.len() {
                0 => file,
                n => stage.hub.earlier.get(n.saturating_sub(1 + usize::from(self.random.chance(0.3)))).cloned(),
            },
            Write::Newer if stage.hub.current.is_some() && stage.device.renewable => {
                Some(stage.hub.issue(&stage.device, stage.now))
            }
            Write::Newer => stage.hub.current.clone(),
            Write::Foreign => Some(hub::foreign(&stage.device, stage.now)),
            Write::Restore => stage.disk.kept.clone().or(file),
        };
        stage.disk.file = written;
        stage.unnoticed += 1;
        self.oracle.written_by_somebody();
        self.say(&format!("somebody writes the file: {write:?}"));
        let span = notice(&mut self.random);
        self.after(span, Happening::FileNoticed);
    }

    /// Somebody asks the daemon for something.
    fn person(&mut self) {
        if self.engine.is_none() || self.stage.asleep {
            return;
        }
        let stage = &self.stage;
        let bytes = |doc: &Option<std::sync::Arc<crate::license::Doc>>| {
            doc.as_ref().map(|doc| doc.bytes.clone()).unwrap_or_default()
        };
        let request = match self.random.next() % 10 {
            0..=2 => Request::Renew { if_due: false, dry_run: false, accept_changes: false },
            3 => Request::Renew { if_due: true, dry_run: false, accept_changes: false },
            4 => Request::Renew { if_due: false, dry_run: true, accept_changes: false },
            5 => Request::Reread,
            6 => Request::Install { bytes: bytes(&stage.hub.current), force: false },
            7 => Request::Install { bytes: bytes(&stage.hub.earlier.last().cloned()), force: self.random.chance(0.3) },
            8 => Request::Install {
                bytes: hub::foreign(&stage.device, stage.now).bytes.clone(),
                force: self.random.chance(0.5),
            },
            _ => {
                let config = Box::new(stage.device.config());
                return self.step(Event::Configured(config, crate::license::key_ring()));
            }
        };
        self.next_request += 1;
        let id = self.next_request;
        self.oracle.person_asks(&self.stage, id, &request);
        self.step(Event::Request(id, request));
    }
}
