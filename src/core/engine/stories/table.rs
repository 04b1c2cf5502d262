//! Every state that waits, with what ends it: an event of something slow, or a timer.

use super::timers::{Io, Waiting};
use super::*;

/// A daemon whose license is not due, and that netifyd has loaded.
fn quiet() -> Story {
    let mut story = Story::daemon(TRANSPORT, FileContent::Bytes(license("S-1", 0, 7)));
    story.reloaded_if_asked();
    story
}

/// A daemon whose netifyd has yet to load the license.
fn not_loaded() -> Story {
    keeping(TRANSPORT, true, FileContent::Bytes(license("S-1", 0, 7)))
}

/// What ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Io(Io),
    Time(Why),
}

impl End {
    /// All that there are. Without a default arm: a new one does not compile until it stands in the table below.
    const fn is_in_the_table(self) -> bool {
        match self {
            Self::Io(
                Io::ReadLicense | Io::ReadDevice | Io::Hub | Io::Install | Io::Remove | Io::Probe | Io::Reload,
            )
            | Self::Time(
                Why::FileSettles
                | Why::ClockReview
                | Why::AttemptDue
                | Why::RestoreRefill
                | Why::RestoreRetry
                | Why::ReloadRetry
                | Why::RequestExpires
                | Why::StateTurns,
            ) => true,
        }
    }
}

fn ends(story: &Story) -> Vec<End> {
    let end = |waiting| match waiting {
        Waiting::ForIo(io) => End::Io(io),
        Waiting::Until(_, why) => End::Time(why),
    };
    story.engine.waiting().into_iter().map(end).collect()
}

#[test]
fn every_state_that_waits_has_an_end() {
    use End::{Io as ByEvent, Time};
    let mut table: Vec<(&str, Story, End)> = Vec::new();
    let mut row = |state, story, end| table.push((state, story, end));

    row("start", Story::begin(TRANSPORT, true, None, Durable::default()), ByEvent(Io::ReadDevice));
    let mut story = Story::begin(TRANSPORT, true, None, Durable::default());
    let actions = story
        .engine
        .step(story.moment, Event::Device(vec![Judged { source: Source::Dmi, duid: Ok("D-1".to_owned()) }]));
    story.absorb(actions);
    row("the file is read", story, ByEvent(Io::ReadLicense));
    let mut story = quiet();
    story.step(Event::FileChanged);
    row("the file changes", story, Time(Why::FileSettles));
    row("nothing is due", quiet(), Time(Why::AttemptDue));
    row("the license will end", quiet(), Time(Why::StateTurns));
    row("the hub is asked", due(), ByEvent(Io::Hub));

    let mut story = due();
    let id = story.renew();
    row("a person waits for the hub", story, Time(Why::RequestExpires));
    let mut story = due();
    story.away();
    row("the hub is away", story, Time(Why::AttemptDue));
    let mut story = due();
    story.limited(600);
    row("the hub asks for time", story, Time(Why::AttemptDue));
    let mut story = due();
    story.data(&view("S-1"), &license("S-1", 0, 9));
    row("a license is written", story, ByEvent(Io::Install));
    let mut story = due();
    story.data(&view("S-1"), &license("S-1", 0, 9));
    story.install = None;
    story.step(Event::Installed(Err("full".to_owned())));
    row("a license could not be written", story, Time(Why::AttemptDue));

    let mut story = quiet();
    story.request(Request::Retire { keep_file: false });
    story.data(&HubRequest::Delete("S-1".parse().expect("a serial")), b"null");
    row("a license is removed", story, ByEvent(Io::Remove));

    row("netifyd is reloaded", not_loaded(), ByEvent(Io::Reload));
    let mut story = not_loaded();
    story.reloaded(ReloadOutcome::Failed("no answer".to_owned()));
    row("a reload failed", story, Time(Why::ReloadRetry));
    let mut story = not_loaded();
    story.reloaded(ReloadOutcome::NotRunning("no process".to_owned()));
    row("netifyd is off", story, Time(Why::ReloadRetry));

    let failed = || {
        let mut story = keeping(TRANSPORT, true, FileContent::Missing);
        story.install = None;
        story.step(Event::Installed(Err("full".to_owned())));
        story
    };
    row("a restore failed", failed(), Time(Why::RestoreRetry));
    let mut story = failed();
    story.pass(30_000);
    row("it is looked whether there is room", story, ByEvent(Io::Probe));
    let mut story = keeping(TRANSPORT, true, FileContent::Bytes(license("S-1", 0, 7)));
    story.reloaded_if_asked();
    for _ in 0..3 {
        story.step(Event::File(FileContent::Missing));
        story.written(&license("S-1", 0, 7));
        story.reloaded_if_asked();
    }
    story.step(Event::File(FileContent::Missing));
    row("restores are undone", story, Time(Why::RestoreRefill));

    let mut story = quiet();
    story.moment.now.wall = WallTime::from_unix(0);
    story.step(Event::Tick);
    row("the clock cannot be believed", story, Time(Why::ClockReview));

    let mut seen = Vec::new();
    for (state, story, end) in &table {
        assert!(ends(story).contains(end), "{state}: {:?}", ends(story));
        assert!(end.is_in_the_table());
        // What ends by a timer wakes the engine in time.
        if matches!(end, Time(_)) {
            assert!(story.engine.next_deadline().is_some(), "{state}");
        }
        seen.push(*end);
    }
    for io in [Io::ReadLicense, Io::ReadDevice, Io::Hub, Io::Install, Io::Remove, Io::Probe, Io::Reload] {
        assert!(seen.contains(&ByEvent(io)), "{io:?}");
    }
    for why in [
        Why::FileSettles,
        Why::ClockReview,
        Why::AttemptDue,
        Why::RestoreRefill,
        Why::RestoreRetry,
        Why::ReloadRetry,
        Why::RequestExpires,
        Why::StateTurns,
    ] {
        assert!(seen.contains(&Time(why)), "{why:?}");
    }
    let _ = id;
}

/// A daemon never sleeps without an end: whatever state it is in, something wakes it, or its license needs nothing.
#[test]
fn what_waits_for_nothing_needs_nothing() {
    let mut story = quiet();
    let id = story.request(Request::Retire { keep_file: false });
    story.data(&HubRequest::Delete("S-1".parse().expect("a serial")), b"null");
    story.file = FileContent::Missing;
    story.step(Event::Removed(Ok(())));
    story.reloaded_if_asked();
    story.replied(id, 0, "the license was deleted at the hub");
    assert_eq!(ends(&story), [], "it was retired");
}
