//! The license file and the file systems that it stands on.

mod filesystems;
mod license_file;
