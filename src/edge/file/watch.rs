//! Watching the license file: inotify on its directory, and a look once a minute that catches what inotify does not.

use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::event::{AccessKind, EventKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc::UnboundedSender;

use crate::edge::file::license::{self, Stamp};

/// The safety net's interval.
pub const POLL: Duration = Duration::from_secs(60);

/// Watches one file, which may come and go with its directory.
#[derive(Debug)]
pub struct Watch {
    file: PathBuf,
    sender: UnboundedSender<()>,
    watcher: Option<RecommendedWatcher>,
    /// The directory that is watched and its identity, so that a new one of the same name is noticed.
    watched: Option<(PathBuf, Option<Stamp>)>,
    seen: Option<Stamp>,
    /// Whether this user could not even look at it.
    hidden: bool,
}

impl Watch {
    /// Starts watching; `sender` is told of every change that may concern the file.
    #[must_use]
    pub fn new(file: &Path, sender: UnboundedSender<()>) -> Self {
        let mut watch = Self {
            file: file.to_path_buf(),
            sender,
            watcher: None,
            watched: None,
            seen: license::stamp(file),
            hidden: license::is_hidden(file),
        };
        watch.arm();
        watch
    }

    /// The file that is watched.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Watches the directory of the file, or the nearest one above that exists.
    pub fn arm(&mut self) {
        let real = std::fs::canonicalize(&self.file).unwrap_or_else(|_| self.file.clone());
        let Some(directory) = real.ancestors().skip(1).find(|path| path.is_dir()).map(Path::to_path_buf) else {
            return;
        };
        let identity = license::stamp(&directory).map(Stamp::identity_only);
        if self.watched == Some((directory.clone(), identity)) && self.watcher.is_some() {
            return;
        }
        let sender = self.sender.clone();
        let name = real.file_name().map(std::ffi::OsStr::to_os_string);
        let home = real.parent().is_some_and(|parent| parent == directory);
        let itself = directory.clone();
        let handler = move |event: notify::Result<notify::Event>| {
            let Ok(event) = event else { return };
            if matches!(
                event.kind,
                EventKind::Access(
                    AccessKind::Open(_) | AccessKind::Read | AccessKind::Close(notify::event::AccessMode::Read)
                )
            ) {
                return;
            }
            // The directory itself may be moved away, and another one take its place.
            let concerns = |path: &PathBuf| !home || path.file_name() == name.as_deref() || *path == itself;
            let ours = event.paths.is_empty() || event.paths.iter().any(concerns);
            let gone = matches!(event.kind, EventKind::Remove(_)) || event.need_rescan();
            if ours || gone {
                // The receiver lives as long as the daemon.
                let _ = sender.send(());
            }
        };
        let mut watcher = notify::recommended_watcher(handler).ok();
        let armed =
            watcher.as_mut().is_some_and(|watcher| watcher.watch(&directory, RecursiveMode::NonRecursive).is_ok());
        self.watcher = watcher.filter(|_| armed);
        self.watched = Some((directory, identity));
    }

    /// Looks after every event, and once a minute for what announces itself by none: whether the file is another one
    /// than last time. What was seen is not what was read: only a look tells, so a change between two looks is never
    /// taken for known.
    pub fn look(&mut self) -> bool {
        self.arm();
        let stamp = license::stamp(&self.file);
        // What this user may not look at is read by the helper, each time.
        let hidden = license::is_hidden(&self.file);
        let changed = stamp != self.seen || hidden || hidden != self.hidden;
        self.hidden = hidden;
        self.seen = stamp;
        changed
    }
}
