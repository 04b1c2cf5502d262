//! What proves that netifyd took a reload, and what became of a netifyd that did not survive it.

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::process::Netifyd;
use super::reload::Attempt;
use super::{procd, socket, systemd};
use crate::core::config::{Reload, ReloadMethod};
use crate::core::engine::{ReloadEvidence, ReloadOutcome, ReloadReport};

/// How long netifyd must live on where it cannot answer.
const SURVIVES: Duration = Duration::from_secs(3);
/// How often to look for a netifyd that its supervisor brings back, or that has not taken its signal.
const LOOK: Duration = Duration::from_millis(300);
/// How long a supervisor that cannot be asked may take to bring netifyd back: procd waits for five seconds by default.
const COMEBACK: Duration = Duration::from_secs(10);

/// netifyd before it was asked.
#[derive(Debug)]
pub(super) struct Before {
    pub(super) process: Option<Netifyd>,
    /// It listens on its control socket, so it can answer.
    pub(super) has_socket: bool,
}

/// Waits for the first evidence after a request, or for its end.
pub(super) async fn gather(
    attempt: Attempt<'_>,
    method: ReloadMethod,
    word: &str,
    process: Option<Netifyd>,
    has_socket: bool,
) -> ReloadReport {
    let pid = process.as_ref().map(Netifyd::pid);
    let report = |outcome| ReloadReport { process: pid, ..ReloadReport::new(word, outcome) };
    let confirmed = |evidence| ReloadReport { evidence, ..report(ReloadOutcome::Confirmed) };
    let death = async {
        match &process {
            Some(process) => process.ends().await,
            None => std::future::pending().await,
        }
    };
    let survival = async {
        // A netifyd that can answer shall answer.
        if has_socket {
            std::future::pending::<()>().await;
        }
        survives(attempt, method, process.as_ref()).await
    };
    tokio::select! {
        biased;
        () = death => report(fate(attempt, method, pid).await),
        () = socket::answers(attempt.settings) => confirmed(Some(ReloadEvidence::Answered)),
        survived = survival => match survived {
            Ok(evidence) => confirmed(evidence),
            Err(Some(why)) => report(ReloadOutcome::Failed(why)),
            Err(None) => report(fate(attempt, method, pid).await),
        },
        () = sleep_until(attempt.deadline) => report(no_answer(attempt, process.as_ref())),
    }
}

/// No evidence came in time: it still reloads, or it is stopped or stuck.
pub(super) fn no_answer(attempt: Attempt<'_>, process: Option<&Netifyd>) -> ReloadOutcome {
    let limit = attempt.settings.timeout.duration().as_secs_f32();
    let sign = process.and_then(|process| Some((process.pid(), process.sign()?)));
    ReloadOutcome::StillRunning(match sign {
        Some((pid, sign)) if sign.is_stopped => {
            format!("netifyd (process {pid}) is stopped (kill -CONT {pid} lets it go on)")
        }
        Some((pid, sign)) if sign.has_hup_pending => {
            format!("netifyd (process {pid}) has not taken the signal within reload.timeout ({limit} s)")
        }
        _ => format!("netifyd gave no answer within reload.timeout ({limit} s): it still reloads, or it is stuck"),
    })
}

/// Whether it is there and well three seconds later, and has taken its signal. [`Err`]: it is gone, or why it is not known.
async fn survives(
    attempt: Attempt<'_>,
    method: ReloadMethod,
    process: Option<&Netifyd>,
) -> Result<Option<ReloadEvidence>, Option<String>> {
    sleep(SURVIVES).await;
    loop {
        match method {
            ReloadMethod::Systemd if !systemd::runs(attempt).await.map_err(Some)? => return Err(None),
            ReloadMethod::Procd if !procd::runs(attempt).await.map_err(Some)? => return Err(None),
            _ => {}
        }
        match process.map(Netifyd::sign) {
            Some(Some(sign)) if sign.is_stopped || sign.has_hup_pending => sleep(LOOK).await,
            sign => {
                return Ok(match (method, sign) {
                    (ReloadMethod::Systemd, _) => Some(ReloadEvidence::Job),
                    // Its signal was sent, and is not pending any more.
                    (ReloadMethod::Signal | ReloadMethod::Procd, Some(Some(_))) => Some(ReloadEvidence::Taken),
                    (ReloadMethod::Procd, _) | (_, Some(_)) => Some(ReloadEvidence::Alive),
                    // The word of the operator's program stands alone.
                    (_, None) => None,
                });
            }
        }
    }
}

/// netifyd ended on a reload: whether its supervisor brings it back.
async fn fate(attempt: Attempt<'_>, method: ReloadMethod, pid: Option<i32>) -> ReloadOutcome {
    let who = pid.map_or_else(|| "netifyd".to_owned(), |pid| format!("netifyd (process {pid})"));
    let back = async {
        loop {
            sleep(LOOK).await;
            let next = match method {
                ReloadMethod::Systemd => match systemd::show(attempt).await {
                    // Whatever it was, it will not be started again.
                    Ok(unit) if unit.is_down => return None,
                    Ok(unit) if unit.is_active => Netifyd::of_manager(unit.main_pid).ok(),
                    Ok(_) | Err(_) => None,
                },
                _ => Netifyd::find(attempt.settings).ok(),
            };
            let next = next.filter(|next| Some(next.pid()) != pid && !next.has_ended());
            if let Some(next) = next
                && !next.ends_within(SURVIVES).await
            {
                return Some(next.pid());
            }
        }
    };
    // systemd says itself when there is nothing more to wait for. A little less than all: what comes of this wait has words
    // of its own.
    let left = attempt.left().mul_f32(0.95);
    let limit = if method == ReloadMethod::Systemd { left } else { left.min(COMEBACK) };
    match (timeout(limit, back).await.ok().flatten(), pid) {
        (Some(next), Some(pid)) => ReloadOutcome::Restarted(format!("process {pid} ended and {next} took its place")),
        (Some(next), None) => ReloadOutcome::Restarted(format!("it ended and process {next} took its place")),
        (None, _) => ReloadOutcome::Died(format!("{who} ended on reload and did not come back")),
    }
}

/// The end of a netifyd that had answered or survived; [`None`] when it lives until that moment.
pub(super) async fn later(
    settings: &Reload,
    method: ReloadMethod,
    pid: Option<i32>,
    until: Instant,
) -> Option<ReloadOutcome> {
    let process = pid.map(Netifyd::of_manager);
    match &process {
        // It ended in between.
        Some(Err(rustix::io::Errno::SRCH)) => {}
        Some(Ok(process)) => {
            let left = until.saturating_duration_since(Instant::now());
            if !process.ends_within(left).await {
                return None;
            }
        }
        // Only the service manager knows it.
        Some(Err(_)) | None => {
            sleep_until(until).await;
            let attempt = Attempt { settings, deadline: Instant::now() + COMEBACK };
            let runs = match method {
                ReloadMethod::Systemd => systemd::runs(attempt).await,
                ReloadMethod::Procd => procd::runs(attempt).await,
                _ => Ok(true),
            };
            if runs != Ok(false) {
                return None;
            }
        }
    }
    let attempt = Attempt { settings, deadline: Instant::now() + settings.timeout.duration() };
    Some(fate(attempt, method, pid).await)
}
