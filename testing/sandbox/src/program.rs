//! The program on stage: the real daemon, as Cargo builds it.

use std::path::{Path, PathBuf};

use crate::story::End;
use crate::timeline::Timeline;

/// The given program, or this checkout's, built if need be.
pub(crate) fn find(given: Option<&Path>, timeline: &Timeline) -> Result<PathBuf, End> {
    if let Some(path) = given {
        // Started from other directories later on.
        return path.canonicalize().map_err(|error| End::Failed(format!("{}: {error}", path.display())));
    }
    timeline.progress("building netify-licensed and a stand-in for netifyd (the first time this takes a minute) …");
    let built = test_support::built("netify-licensed", "netify-licensed");
    let built = built.and_then(|path| test_support::built("netifyd-standin", "netifyd").map(|_| path));
    timeline.progress_done();
    Ok(built?)
}
