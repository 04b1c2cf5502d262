//! serial.uuid, read as netifyd reads it: a program is run, a file is cut.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use crate::core::config::Command;
use crate::core::netifyd::serial;
use crate::edge::file::{open, path, trusted};
use crate::edge::{process, reason};

/// Longest time for the program.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Largest file in bytes; netifyd reads no further than the serial.
const LONGEST: usize = 4_096;
/// The owner may run it: netifyd asks for this bit.
const IS_PROGRAM: u32 = 0o100;

/// The serial; the error is one clause. The text of a program is never one.
pub async fn read(file: &Path) -> Result<Vec<u8>, String> {
    let about = |why: &str| format!("{}: {why}", file.display());
    let (opened, meta) = path::open_to_publish(file).map_err(|error| about(&reason(&error)))?;
    if meta.mode() & IS_PROGRAM == 0 {
        let content = open::rest(opened, LONGEST).map_err(|error| about(&reason(&error)))?;
        return serial::of_file(&content).map_err(|why| about(&why));
    }
    drop(opened);
    if !process::is_root() {
        return Err(about("it is a program, which only root runs"));
    }
    // Whoever could have written it would be root by this.
    trusted::open(file).map_err(|refused| about(&refused.clause()))?;
    let command = Command::try_from(vec![file.display().to_string()])?;
    let done = process::run(&command, &[], Vec::new(), TIMEOUT).await?;
    if !done.success {
        return Err(done.failure(&file.display().to_string()));
    }
    let (serial, is_cut) = serial::of_output(&done.stdout).map_err(|why| about(&why))?;
    if is_cut {
        let kept = String::from_utf8_lossy(&serial).into_owned();
        tracing::warn!(
            "{}",
            about(&format!("its output is longer than 31 characters; netifyd cuts it there, and so do we: {kept}"))
        );
    }
    Ok(serial)
}
