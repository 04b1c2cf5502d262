//! The key appears nowhere: not in output, files, arguments, environments, system calls, core files or idle memory.
//!
//! Every test carries marker secrets and searches for them in all the forms that they take on their way.
#![allow(clippy::disallowed_methods, reason = "tests touch files and start processes")]

mod containers;
mod core_file;
mod guarded;
mod marker;
mod memory;
mod nowhere;
mod traced;
