//! systemd's manager on the system bus (org.freedesktop.systemd1(5)).

use tokio::time::timeout;

use crate::edge::netifyd::bus::{Bus, Error};
use crate::edge::netifyd::reload::Attempt;
use crate::edge::netifyd::unit::Unit;
use crate::edge::netifyd::wire::{Call, Message, Value};

const MANAGER: &str = "org.freedesktop.systemd1";
const MANAGER_PATH: &str = "/org/freedesktop/systemd1";
const MANAGER_INTERFACE: &str = "org.freedesktop.systemd1.Manager";
/// The end of any job.
const JOB_REMOVED: &str = "type='signal',sender='org.freedesktop.systemd1',path='/org/freedesktop/systemd1',interface='org.freedesktop.systemd1.Manager',member='JobRemoved'";

/// What systemd says about the unit of this name.
pub(super) async fn show(attempt: Attempt<'_>, name: &str) -> Result<Unit, Error> {
    let asked = async {
        let mut bus = Bus::connect().await?;
        // Reads the unit's file where systemd has not done so yet.
        let loaded = manager(&mut bus, "LoadUnit", &[name]).await?;
        let path = loaded.text(0).ok_or_else(|| unclear("LoadUnit"))?;
        let load_state = property(&mut bus, path, "Unit", "LoadState").await?;
        let active_state = property(&mut bus, path, "Unit", "ActiveState").await?;
        let main_pid = property(&mut bus, path, "Service", "MainPID").await?;
        match (load_state, active_state, main_pid) {
            (Value::Text(load), Value::Text(active), Value::Number(pid)) => {
                Ok(Unit::new(&load, &active, i32::try_from(pid).unwrap_or_default()))
            }
            _ => Err(unclear("Get")),
        }
    };
    timeout(attempt.left(), asked).await.unwrap_or_else(|_| Err(attempt_is_over(attempt, "systemd did not answer")))
}

/// Reloads the unit of this name and waits for the job's result.
pub(super) async fn reload(attempt: Attempt<'_>, name: &str) -> Result<(), Error> {
    let asked = async {
        let mut bus = Bus::connect().await?;
        bus.call_bus("AddMatch", &[JOB_REMOVED]).await?;
        // Without a subscriber systemd may keep quiet.
        manager(&mut bus, "Subscribe", &[]).await?;
        let queued = manager(&mut bus, "ReloadUnit", &[name, "replace"]).await?;
        let job = queued.text(0).ok_or_else(|| unclear("ReloadUnit"))?;
        loop {
            let ended = bus.signal().await?;
            // Id, job, unit, result. Only from the one that queued it: anybody may send us signals.
            let ours = ended.member == "JobRemoved" && ended.sender == queued.sender && ended.text(1) == Some(job);
            match ended.text(3) {
                Some("done") if ours => return Ok(()),
                Some(result) if ours => {
                    let clause =
                        format!("systemd's reload job of {name} ended as {result:?}; journalctl -u {name} says why");
                    return Err(Error::Failed(clause));
                }
                _ => {}
            }
        }
    };
    timeout(attempt.left(), asked)
        .await
        .unwrap_or_else(|_| Err(attempt_is_over(attempt, &format!("systemd's reload job of {name} did not end"))))
}

async fn manager(bus: &mut Bus, member: &str, arguments: &[&str]) -> Result<Message, Error> {
    let call = Call { destination: MANAGER, path: MANAGER_PATH, interface: MANAGER_INTERFACE, member, arguments };
    bus.call(call).await
}

async fn property(bus: &mut Bus, path: &str, interface: &str, name: &str) -> Result<Value, Error> {
    let interface = format!("{MANAGER}.{interface}");
    let call = Call {
        destination: MANAGER,
        path,
        interface: "org.freedesktop.DBus.Properties",
        member: "Get",
        arguments: &[&interface, name],
    };
    bus.call(call).await?.values.into_iter().next().ok_or_else(|| unclear(name))
}

fn unclear(what: &str) -> Error {
    Error::Failed(format!("systemd's answer to {what} is not understood"))
}

fn attempt_is_over(attempt: Attempt<'_>, what: &str) -> Error {
    Error::Failed(format!("{what} within reload.timeout ({} s)", attempt.settings.timeout.duration().as_secs_f32()))
}
