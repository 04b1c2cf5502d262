//! Watching files with inotify(7): the license, and what the daemon is found by. What the kernel cannot tell is found by
//! looking: [`Watch::look`].

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::edge::file::license::{self, Stamp};
use crate::edge::reason;

/// Symbolic links that are followed at most, as path resolution of the kernel does.
const MAX_LINKS: usize = 40;
/// Whatever may change the content of a file in the directory, or which file it is.
const CONTENT: WatchFlags = WatchFlags::MODIFY.union(WatchFlags::CLOSE_WRITE).union(WatchFlags::ATTRIB).union(NAMES);
/// Whatever may change what a name in the directory stands for.
const NAMES: WatchFlags =
    WatchFlags::CREATE.union(WatchFlags::DELETE).union(WatchFlags::MOVED_FROM).union(WatchFlags::MOVED_TO).union(MOVES);
/// Whatever may put another directory in the place of this one. What else happens in it wakes nobody up.
const MOVES: WatchFlags = WatchFlags::DELETE_SELF.union(WatchFlags::MOVE_SELF);
/// Whatever makes a file of ours disappear; our own renames of a new file to its name do not.
const LOSS: WatchFlags =
    WatchFlags::DELETE.union(WatchFlags::MOVED_FROM).union(WatchFlags::DELETE_SELF).union(WatchFlags::MOVE_SELF);

/// What the kernel told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Something that may concern the license file.
    License,
    /// A file that the daemon is found by may be gone.
    Runtime,
}

/// Watches one license file, which may come and go with its directories, and files of the daemon's own.
#[derive(Debug)]
pub struct Watch {
    file: PathBuf,
    own: Vec<PathBuf>,
    seen: Option<Stamp>,
    kernel: Result<Kernel, String>,
    /// Whether this user could not even look at it.
    hidden: bool,
}

impl Watch {
    /// Starts watching. Needs an event loop.
    #[must_use]
    pub fn new(file: &Path, own: Vec<PathBuf>) -> Self {
        let kernel = Kernel::new(file, &own);
        Self { file: file.to_path_buf(), own, seen: license::stamp(file), hidden: license::is_hidden(file), kernel }
    }

    /// The license file.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Why the kernel does not tell of changes: one sentence.
    #[must_use]
    pub fn trouble(&self) -> Option<&str> {
        self.kernel.as_ref().err().map(String::as_str)
    }

    /// Waits until the kernel tells of a change; for ever where it cannot.
    pub async fn changed(&mut self) -> Change {
        let told = match &mut self.kernel {
            Ok(kernel) => kernel.changed().await,
            Err(_) => std::future::pending().await,
        };
        told.unwrap_or_else(|error| {
            self.kernel = Err(trouble(&error, &self.file));
            Change::License
        })
    }

    /// Looks after every event, and regularly for what announces itself by none: whether the file is another one than
    /// last time. What was seen is not what was read: only a look tells, so a change between two looks is never taken for
    /// known. Directories that came, went or moved are watched anew.
    pub fn look(&mut self) -> bool {
        match &mut self.kernel {
            Ok(kernel) => {
                if let Err(error) = kernel.arm(&self.file, &self.own) {
                    self.kernel = Err(error);
                }
            }
            Err(_) => self.kernel = Kernel::new(&self.file, &self.own),
        }
        let stamp = license::stamp(&self.file);
        // What this user may not look at is read by the helper, each time.
        let hidden = license::is_hidden(&self.file);
        let changed = stamp != self.seen || hidden || hidden != self.hidden;
        self.hidden = hidden;
        self.seen = stamp;
        changed
    }
}

/// A directory with the names in it that matter.
type Watched = (BTreeSet<OsString>, Change);

/// The kernel's side: directories by the number of their watch.
#[derive(Debug)]
struct Kernel {
    events: AsyncFd<OwnedFd>,
    watched: BTreeMap<i32, Watched>,
    /// Of this mount namespace; poll(2) tells when it changes (`proc_pid_mountinfo(5)`).
    mounts: Option<AsyncFd<OwnedFd>>,
}

impl Kernel {
    fn new(file: &Path, own: &[PathBuf]) -> Result<Self, String> {
        let failed = |error: std::io::Error| trouble(&error, file);
        let events =
            inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).map_err(|error| failed(error.into()))?;
        let events = crate::edge::readable(events).map_err(failed)?;
        let mounts = File::open("/proc/self/mountinfo").map(OwnedFd::from);
        let mounts = mounts.and_then(|mounts| crate::edge::watched(mounts, Interest::PRIORITY)).ok();
        let mut kernel = Self { events, watched: BTreeMap::new(), mounts };
        kernel.arm(file, own)?;
        Ok(kernel)
    }

    /// Watches every directory on the way to the files. A directory that is watched already keeps its watch.
    fn arm(&mut self, file: &Path, own: &[PathBuf]) -> Result<(), String> {
        let mut watched: BTreeMap<i32, Watched> = BTreeMap::new();
        let own = own.iter().filter_map(|path| {
            let (directory, name) = (path.parent()?.to_path_buf(), path.file_name()?.to_os_string());
            Some(Entry { directory, name, is: Is::Own })
        });
        for Entry { directory, name, is } in entries_on_the_way(file).into_iter().chain(own) {
            let (watch, flags, change) = match is {
                Is::Directory => (directory.join(&name), MOVES, Change::License),
                Is::Link => (directory, NAMES, Change::License),
                Is::Last => (directory, CONTENT, Change::License),
                Is::Own => (directory, LOSS, Change::Runtime),
            };
            let flags = flags | WatchFlags::ONLYDIR | WatchFlags::MASK_ADD;
            match inotify::add_watch(self.events.get_ref(), &watch, flags) {
                Ok(number) => {
                    watched.entry(number).or_insert_with(|| (BTreeSet::new(), change)).0.insert(name);
                }
                Err(error) if is == Is::Last => return Err(trouble(&error.into(), &watch)),
                // What lies above may be closed to this user, and what is its own may be gone for a moment.
                Err(_) => {}
            }
        }
        for number in self.watched.keys().filter(|number| !watched.contains_key(number)) {
            // The kernel has removed it if its directory is gone.
            let _ = inotify::remove_watch(self.events.get_ref(), *number);
        }
        self.watched = watched;
        Ok(())
    }

    async fn changed(&mut self) -> std::io::Result<Change> {
        let mounts = async {
            match &self.mounts {
                // The state is cleared at once: the next change of the mounts is the next event.
                Some(mounts) => mounts.ready(Interest::PRIORITY).await.map(|mut ready| ready.clear_ready()),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            told = told(&self.events, &self.watched) => told,
            told = mounts => told.map(|()| Change::License),
        }
    }
}

/// Waits for an event that concerns one of the names.
async fn told(events: &AsyncFd<OwnedFd>, watched: &BTreeMap<i32, Watched>) -> std::io::Result<Change> {
    loop {
        let mut ready = events.readable().await?;
        let mut buffer = [MaybeUninit::uninit(); 4_096];
        let mut reader = Reader::new(events.get_ref(), &mut buffer);
        let mut change = None;
        loop {
            match reader.next() {
                Ok(event) => {
                    let name = event.file_name().map(|name| OsStr::from_bytes(name.to_bytes()));
                    change = match (watched.get(&event.wd()), change) {
                        // One of the license is the more urgent one.
                        (_, Some(Change::License)) => change,
                        // Events were lost.
                        _ if event.events().contains(ReadFlags::QUEUE_OVERFLOW) => Some(Change::License),
                        (Some((names, of)), _) if name.is_none_or(|name| names.contains(name)) => Some(*of),
                        _ => change,
                    };
                }
                Err(Errno::AGAIN) => break ready.clear_ready(),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if let Some(change) = change {
            return Ok(change);
        }
    }
}

/// A name in a directory.
#[derive(Debug)]
struct Entry {
    directory: PathBuf,
    name: OsString,
    is: Is,
}

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Is {
    Directory,
    Link,
    /// The file, or what is missing.
    Last,
    /// A file of the daemon's own.
    Own,
}

/// Every name that decides where the path leads: its components, and those of links on the way.
fn entries_on_the_way(path: &Path) -> Vec<Entry> {
    let parts = |path: &Path| -> Vec<OsString> {
        let named = path.components().filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir));
        named.map(|part| part.as_os_str().to_os_string()).collect()
    };
    let (mut entries, mut here, mut links) = (Vec::new(), PathBuf::from("/"), 0);
    let mut rest: VecDeque<OsString> = parts(path).into();
    while let Some(name) = rest.pop_front() {
        if name == ".." {
            here.pop();
            continue;
        }
        let next = here.join(&name);
        let found = std::fs::symlink_metadata(&next);
        let is = match &found {
            Ok(meta) if meta.is_symlink() => Is::Link,
            Ok(meta) if meta.is_dir() && !rest.is_empty() => Is::Directory,
            _ => Is::Last,
        };
        entries.push(Entry { directory: here.clone(), name, is });
        match found {
            Ok(meta) if meta.is_symlink() && links < MAX_LINKS => {
                links += 1;
                let Ok(target) = std::fs::read_link(&next) else { break };
                if target.is_absolute() {
                    here = PathBuf::from("/");
                }
                for part in parts(&target).into_iter().rev() {
                    rest.push_front(part);
                }
            }
            Ok(_) => here = next,
            Err(_) => break,
        }
    }
    entries
}

fn trouble(error: &std::io::Error, path: &Path) -> String {
    let why = match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::MFILE) => "this user has no inotify instance left (fs.inotify.max_user_instances)".to_owned(),
        Some(Errno::NOSPC) => "this user has no inotify watch left (fs.inotify.max_user_watches)".to_owned(),
        Some(Errno::NOSYS) => "this kernel has no inotify".to_owned(),
        _ => format!("{} cannot be watched: {}", path.display(), reason(error)),
    };
    format!("{why}; the license file is looked at every 5 seconds instead")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_link_on_the_way_counts() {
        let directory = test_support::temp_dir().expect("a directory");
        let root = directory.path().canonicalize().expect("a path");
        std::fs::create_dir(root.join("real")).expect("created");
        std::os::unix::fs::symlink("real", root.join("dir")).expect("a link");
        std::os::unix::fs::symlink("second", root.join("real/first")).expect("a link");
        std::os::unix::fs::symlink(root.join("real/file"), root.join("real/second")).expect("a link");
        let way = entries_on_the_way(&root.join("dir/first"));
        let below: Vec<_> = way
            .iter()
            .filter_map(|entry| Some(entry.directory.strip_prefix(&root).ok()?.join(&entry.name)))
            .map(|path| path.display().to_string())
            .collect();
        assert_eq!(below, ["dir", "real", "real/first", "real/second", "real", "real/file"]);
        std::os::unix::fs::symlink("loop", root.join("loop")).expect("a link");
        assert!(entries_on_the_way(&root.join("loop")).len() > MAX_LINKS);
    }
}
