//! Whoever wants to harm the daemon through its socket costs it next to nothing, and holds up nobody.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hub_emulator::{Endpoint, Fault, FaultRule, HubEmulator};
use test_support::Proc;

use super::{device, offer};
use test_bench::rig::{PATIENCE, Rig};

/// Hostile requests.
const REQUESTS: usize = 20_000;
/// Clients that are hostile at the same time.
const WORKERS: usize = 4;
/// Connections that say nothing: more than the daemon listens to, as many as a usual backlog takes.
const SILENT: usize = 1_000;
/// How long the hub takes for an answer.
const SLOW: Duration = Duration::from_millis(400);
/// What the daemon may have taken from the system at most, in kB. Tests run it unoptimized.
const MEMORY: u64 = 48 * 1024;

/// One hostile request. All errors are what the daemon does about it.
fn harm(socket: &Path, number: usize) -> std::io::Result<()> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let deep = || [b"[".repeat(90 * 1024), b"\n".to_vec()].concat();
    match number % 8 {
        // No newline, and gone.
        0 => return stream.write_all(br#"{"v":1,"command":"renew"#),
        // Not even a word.
        1 => return stream.shutdown(Shutdown::Both),
        2 => stream.write_all(b"\x00\xff\xfe\x80garbage\n")?,
        3 => stream.write_all(&deep())?,
        4 => stream.write_all(br#"{"v":18446744073709551616,"command":["status"]}"#)?,
        5 => stream.write_all(b"\n\n\n\n")?,
        6 => stream.write_all(br#"{"v":1,"command":"install","license":"!!!!","force":1e999}"#)?,
        // 10 MiB without an end, once in a while: each costs the client more than the daemon.
        _ if number % 160 == 7 => {
            let chunk = vec![b'x'; 1 << 20];
            for _ in 0..10 {
                stream.write_all(&chunk)?;
            }
        }
        // Asks, and does not take the answer.
        _ => return stream.write_all(b"{\"v\":1,\"command\":\"status\"}\n"),
    }
    stream.shutdown(Shutdown::Write)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let text = String::from_utf8_lossy(&answer);
    assert!(text.contains("\"exit\":2"), "request {number} was answered with {text}");
    Ok(())
}

/// Most memory that the process ever had, in kB.
fn peak(daemon: &Proc) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.pid().as_raw_pid())).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// Renews to a new license from a hub that takes its time; how long that took.
fn renewal(hub: &HubEmulator, rig: &Rig, number: u32) -> Duration {
    offer(hub, number);
    hub.rule(FaultRule::once(Endpoint::Any, Fault::delay(SLOW)));
    let began = Instant::now();
    let outcome = rig.run(&["renew"]);
    let took = began.elapsed();
    outcome.expect(0);
    assert!(outcome.out.contains("installed, ends"), "{outcome:?}");
    took
}

fn median(times: &[Duration]) -> Duration {
    let mut times = times.to_vec();
    times.sort_unstable();
    times[times.len() / 2]
}

#[test]
fn twenty_thousand_hostile_requests() {
    let (hub, rig) = device();
    let daemon = rig.daemon();
    let socket = rig.path("run/control.sock");
    let quiet: Vec<Duration> = (1..=3).map(|number| renewal(&hub, &rig, number)).collect();
    let before = peak(&daemon);
    let (next, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (mut stormy, mut number) = (Vec::new(), 3);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS)
            .map(|_| {
                scope.spawn(|| {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= REQUESTS {
                            return;
                        }
                        let done = harm(&socket, number);
                        // The daemon hangs up, or lets go of whoever is slow while others queue.
                        let usual = [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset, ErrorKind::NotConnected];
                        assert!(done.as_ref().err().is_none_or(|error| usual.contains(&error.kind())), "{done:?}");
                    }
                })
            })
            .collect();
        while !over.load(Ordering::Relaxed) {
            number += 1;
            stormy.push(renewal(&hub, &rig, number));
            over.store(workers.iter().all(std::thread::ScopedJoinHandle::is_finished), Ordering::Relaxed);
        }
    });
    let after = peak(&daemon);
    println!(
        "renewals: {quiet:?} in quiet, {stormy:?} among {REQUESTS} hostile requests; {before} kB, then {after} kB"
    );
    // The attackers take their share of this machine's processors, too; whoever waits for them to end waits longer.
    let allowed = median(&quiet) * 3 + Duration::from_secs(5);
    assert!(median(&stormy) < allowed, "{:?} is more than {allowed:?}", median(&stormy));
    assert!(after < before.max(MEMORY), "{before} kB grew to {after} kB");
    assert!(daemon.is_running());
}

#[test]
fn a_thousand_silent_connections() {
    let (hub, rig) = device();
    let daemon = rig.daemon();
    let socket = rig.path("run/control.sock");
    let quiet = renewal(&hub, &rig, 1);
    let before = peak(&daemon);
    // They stay for as long as they are let; each one begins a request.
    let connect = || {
        let mut stream = UnixStream::connect(&socket)?;
        stream.write_all(b"{\"v\":1,")?;
        Ok::<_, std::io::Error>(stream)
    };
    let mut silent: Vec<UnixStream> = (0..SILENT).filter_map(|_| connect().ok()).collect();
    assert!(silent.len() > SILENT / 2, "only {} connections", silent.len());
    let stormy = renewal(&hub, &rig, 2);
    rig.run(&["status"]).expect(0);
    println!("a renewal: {quiet:?} in quiet, {stormy:?} behind {} silent connections", silent.len());
    assert!(stormy < quiet * 2 + Duration::from_secs(2), "{stormy:?}, and {quiet:?} in quiet");
    let after = peak(&daemon);
    assert!(after < before.max(MEMORY), "{before} kB grew to {after} kB");
    // All of them are let go in the end.
    for stream in &mut silent {
        stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
        let mut answer = Vec::new();
        let end = stream.read_to_end(&mut answer);
        assert!(
            answer.is_empty() && end.as_ref().err().is_none_or(|error| error.kind() == ErrorKind::ConnectionReset),
            "{end:?}"
        );
    }
}

/// Many who are in order, at once: every one gets its answer.
#[test]
fn many_honest_clients() {
    let (_hub, rig) = device();
    let _daemon = rig.daemon();
    let socket = rig.path("run/control.sock");
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let answer = super::ask(&socket, r#"{"v":1,"command":"status"}"#).expect("an answer");
                    assert_eq!(answer["status"]["state"], "valid", "{answer}");
                }
            });
        }
    });
}
