//! Counting what strace(1) saw.

use std::fmt;
use std::path::Path;

/// The calls that change a file system.
pub(crate) const CALLS: &str = "trace=write,writev,pwrite64,rename,renameat,renameat2,fsync,fdatasync,ftruncate,unlink,\
unlinkat,mkdir,mkdirat,fchmod,fchown,utimensat,fsetxattr,link,linkat,fallocate";

/// What was done below one directory.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Tally {
    pub(crate) writes: usize,
    pub(crate) bytes: usize,
    pub(crate) renames: usize,
    pub(crate) syncs: usize,
    /// Owner, mode, dates and attributes of new files, before their fsync; truncations and removals.
    pub(crate) others: usize,
}

impl Tally {
    pub(crate) const HEADER: &str = "writes  bytes  renames  syncs  others";

    /// Counts the successful calls about files below `place`.
    pub(crate) fn below(text: &str, place: &Path) -> Self {
        let mut sum = Self::default();
        for line in text.lines() {
            let Some((head, arguments)) = line.split_once('(') else { continue };
            // The first argument: a descriptor with its path in angle brackets, or a path in quotes.
            let end = if arguments.starts_with('"') { '"' } else { '>' };
            let first = arguments.split(['<', '"']).nth(1).and_then(|rest| rest.split(end).next());
            if !first.is_some_and(|path| Path::new(path).starts_with(place)) {
                continue;
            }
            let result = line.rsplit(" = ").next().and_then(|result| result.split_whitespace().next()?.parse().ok());
            let Some(result) = result.and_then(|result: i64| usize::try_from(result).ok()) else { continue };
            match head.split_whitespace().next_back().unwrap_or_default() {
                "write" | "writev" | "pwrite64" => {
                    sum.writes += 1;
                    sum.bytes += result;
                }
                "rename" | "renameat" | "renameat2" | "link" | "linkat" => sum.renames += 1,
                "fsync" | "fdatasync" => sum.syncs += 1,
                _ => sum.others += 1,
            }
        }
        sum
    }

    pub(crate) fn plus(self, other: &Self) -> Self {
        Self {
            writes: self.writes + other.writes,
            bytes: self.bytes + other.bytes,
            renames: self.renames + other.renames,
            syncs: self.syncs + other.syncs,
            others: self.others + other.others,
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { writes, bytes, renames, syncs, others } = self;
        write!(f, "{writes:6}  {bytes:5}  {renames:7}  {syncs:5}  {others:6}")
    }
}
