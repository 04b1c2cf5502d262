//! The program on stage: the real daemon, as Cargo builds it.

use std::path::{Path, PathBuf};

use crate::story::End;

/// The given program, or this checkout's, built if need be.
pub(crate) fn find(given: Option<&Path>) -> Result<PathBuf, End> {
    if let Some(path) = given {
        // Started from other directories later on.
        return path.canonicalize().map_err(|error| End::Failed(format!("{}: {error}", path.display())));
    }
    // All their parts are compiled already, for the sandbox itself: what is left is to link two programs, some seconds.
    let built = test_support::built_visibly("netify-licensed", "netify-licensed")?;
    test_support::built_visibly("netifyd-standin", "netifyd")?;
    Ok(built)
}
