//! The crash campaign: the real binary is killed at every system call of an install and of a renewal, and every call
//! that touches a file is failed with every error that storage and rights bring about.
//!
//! `CAMPAIGN=full` tries every point; without it a fixed sample of them.
#![allow(clippy::disallowed_methods, reason = "the tests touch files and start programs")]

mod calls;
mod scenario;

use std::sync::Mutex;
use std::time::Instant;

use calls::{Call, ERRORS, Harm};
use scenario::{Scenario, Work};
use test_bench::is_full;

/// Points that are tried at the same time, in each test.
const WORKERS: usize = 2;

/// A call and what becomes of it.
type Point = (Call, Harm);

fn campaign(work: Work, wanted: impl Fn(usize, &Call, Harm) -> bool) {
    if !test_bench::device::has("strace", "the crash campaign") {
        return;
    }
    let began = Instant::now();
    let calls = list(work);
    let kills = calls.iter().map(|call| (call.clone(), Harm::Kill));
    let files = calls.iter().filter(|call| call.about_file);
    let fails = files.flat_map(|call| ERRORS.map(|error| (call.clone(), Harm::Fail(error))));
    let all: Vec<Point> = kills.chain(fails).collect();
    let chosen: Vec<&Point> =
        all.iter().enumerate().filter(|(n, (call, harm))| wanted(*n, call, *harm)).map(|(_, point)| point).collect();
    let queue = Mutex::new(chosen.iter());
    let (failures, reached) = (Mutex::new(Vec::new()), Mutex::new(0));
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                let scenario = Scenario::new(work);
                loop {
                    let Some((call, harm)) = queue.lock().expect("the queue").next() else { return };
                    match attempt(&scenario, call, *harm) {
                        Ok(harmed) => *reached.lock().expect("the count") += usize::from(harmed),
                        Err(complaint) => {
                            let text =
                                format!("{harm:?} at {} #{}: {complaint}\n    {}", call.name, call.number, call.text);
                            failures.lock().expect("the failures").push(text);
                        }
                    }
                }
            });
        }
    });
    let (failures, reached) = (failures.into_inner().expect("the failures"), reached.into_inner().expect("the count"));
    println!(
        "{work:?}: {} calls, {} about files; {} of {} points tried, {reached} reached, in {:.0} s",
        calls.len(),
        calls.iter().filter(|call| call.about_file).count(),
        chosen.len(),
        all.len(),
        began.elapsed().as_secs_f32(),
    );
    assert!(failures.is_empty(), "{} points failed:\n{}", failures.len(), failures.join("\n"));
    assert!(reached * 100 >= chosen.len() * 95, "only {reached} of {} points were reached", chosen.len());
}

/// The calls of an undisturbed run.
fn list(work: Work) -> Vec<Call> {
    let scenario = Scenario::new(work);
    scenario.reset();
    let file = scenario.device.path("calls");
    let (code, output) = scenario.act(&calls::listing(&file));
    assert_eq!(code, if work == Work::Refused { 3 } else { 0 }, "{output}");
    scenario.judge(code, &output).and_then(|()| scenario.recover()).expect("an undisturbed run");
    calls::read(&file, scenario.device.path("").as_path())
}

/// Tries one point; whether the run came as far as that.
fn attempt(scenario: &Scenario, call: &Call, harm: Harm) -> Result<bool, String> {
    let began = Instant::now();
    scenario.reset();
    let file = scenario.device.path("harm");
    let (code, output) = scenario.act(&calls::harming(&file, call, harm));
    let harmed = calls::was_harmed(&file, harm);
    let said = |complaint| format!("{complaint}; it ended with {code}: {}", output.trim());
    scenario.judge(code, &output).map_err(said)?;
    scenario.recover().map_err(said)?;
    scenario::ensure(began.elapsed() < scenario::LONGEST, || "it took too long".to_owned())?;
    Ok(harmed)
}

#[test]
fn install() {
    campaign(Work::Install, |n, _, _| is_full() || n % 12 == 0);
}

#[test]
fn first_install() {
    campaign(Work::FirstInstall, |n, _, _| is_full() || n % 12 == 0);
}

#[test]
fn refused_install() {
    campaign(Work::Refused, |n, _, harm| is_full() || (harm != Harm::Kill && n % 8 == 0));
}

#[test]
fn renew() {
    campaign(Work::Renew, |n, _, _| is_full() || n % 24 == 0);
}
