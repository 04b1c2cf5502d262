//! The file that makes this node the active one of a pair.

use std::io::ErrorKind;
use std::path::Path;

use crate::core::config::AbsolutePath;
use crate::core::engine::ActiveFile;
use crate::edge::reason;

/// Looks whether it exists. Nothing but "not found" is an absence.
#[must_use]
pub fn look(path: Option<&AbsolutePath>) -> ActiveFile {
    let Some(path) = path.map(AbsolutePath::as_path) else { return ActiveFile::Present };
    match std::fs::metadata(path) {
        Ok(_) => ActiveFile::Present,
        Err(error) if error.kind() == ErrorKind::NotFound => ActiveFile::Absent,
        Err(error) => ActiveFile::Unknown(format!("{}: {}", Path::display(path), reason(&error))),
    }
}
