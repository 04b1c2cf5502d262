//! The way to a file, gone in descriptors from the root on: what is judged is what is opened, replaced or removed, even
//! where another user owns a directory on the way and swaps things meanwhile.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use crate::edge::file::open;
use crate::edge::reason;

/// Symbolic links that are followed at most.
const MAX_LINKS: usize = 16;
/// Rights of directories that are created on the way to a file.
const NEW_DIRECTORY: u32 = 0o755;

/// What is opened without any right on it, and never by a link.
const HELD: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// A name in a directory that is held open: where a path leads.
#[derive(Debug)]
pub(in crate::edge) struct Place {
    directory: OwnedFd,
    /// Directories that do not exist yet, between that one and the file.
    missing: Vec<OsString>,
    name: OsString,
    /// Without links, for messages.
    path: PathBuf,
}

impl Place {
    /// The path without links, for messages.
    pub(in crate::edge) fn path(&self) -> &Path {
        &self.path
    }

    /// The directory of the file. One that is missing on the way is an error.
    pub(in crate::edge) fn directory(&self) -> io::Result<BorrowedFd<'_>> {
        if self.missing.is_empty() { Ok(self.directory.as_fd()) } else { Err(Errno::NOENT.into()) }
    }

    /// The file's name there.
    pub(in crate::edge) fn name(&self) -> &OsStr {
        &self.name
    }

    /// What is there, without following a link; [`None`] when nothing is.
    pub(in crate::edge) fn look(&self) -> io::Result<Option<Stat>> {
        if !self.missing.is_empty() {
            return Ok(None);
        }
        match rustix::fs::statat(&self.directory, &self.name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Opens the file to read it; a link that stands there by now is refused.
    pub(in crate::edge) fn open(&self) -> io::Result<(File, Metadata)> {
        open::open_at(self.directory()?, &self.name)
    }

    /// Creates the directories that are missing.
    pub(in crate::edge) fn create_directories(&mut self) -> io::Result<()> {
        for name in std::mem::take(&mut self.missing) {
            match rustix::fs::mkdirat(&self.directory, &name, Mode::from_raw_mode(NEW_DIRECTORY)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
            self.directory = rustix::fs::openat(&self.directory, &name, HELD | OFlags::DIRECTORY, Mode::empty())?;
        }
        Ok(())
    }

    /// Removes the file. False when there was none.
    pub(in crate::edge) fn remove(&self) -> io::Result<bool> {
        if !self.missing.is_empty() {
            return Ok(false);
        }
        match rustix::fs::unlinkat(&self.directory, &self.name, AtFlags::empty()) {
            Ok(()) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// Where a path leads, to act there; what is missing keeps the name that it would be created under.
///
/// Once a link is met, whoever can write to any directory on the way decides which file it is. So then only root and the
/// own user may be able to. The error is one sentence with the path and a remedy; `setting` names it in the configuration.
pub(in crate::edge) fn resolve(path: &Path, setting: &str) -> Result<Place, String> {
    let way = follow(path).map_err(|lost| format!("{}: {}", path.display(), lost.clause(setting)))?;
    way.judge_links().map_err(|why| format!("{} {why}, or set {setting} to the file itself", path.display()))?;
    way.place().ok_or_else(|| format!("{}: not the path of a file; correct {setting}", path.display()))
}

/// Opens a file that may lie in another user's directory: by a link only where nobody else could have made it.
pub(in crate::edge) fn open_through_own_links(path: &Path) -> io::Result<(File, Metadata)> {
    let way = follow(path).map_err(Lost::into_error)?;
    way.judge_links().map_err(|why| io::Error::other(format!("it {why}")))?;
    way.place().ok_or(Errno::ISDIR)?.open()
}

/// The same of a file whose content is published: one that the directory's owner has by a second name (link(2)) may be a
/// file that this user cannot read.
pub(in crate::edge) fn open_to_publish(path: &Path) -> io::Result<(File, Metadata)> {
    use std::os::unix::fs::MetadataExt;
    let (file, meta) = open_through_own_links(path)?;
    if meta.nlink() > 1 && follow(path).is_ok_and(|way| way.judge().is_err()) {
        return Err(io::Error::other("it has a second name, and its directory is not root's alone; copy it"));
    }
    Ok((file, meta))
}

/// Whether only root and the own user can change what this path leads to, links or none: the file itself is for the
/// caller to judge. The error is a clause with a remedy.
pub(in crate::edge) fn trusted(path: &Path, setting: &str) -> Result<(), String> {
    let way = follow(path).map_err(|lost| lost.clause(setting))?;
    way.judge().map_err(|why| format!("the way to it leads through {why}"))
}

/// Opens the file at the end of a way, and says whether only root and the own user can change where that leads.
pub(in crate::edge) fn open_and_judge(path: &Path) -> io::Result<(File, Metadata, Result<(), String>)> {
    let way = follow(path).map_err(Lost::into_error)?;
    let judgement = way.judge().map_err(|why| format!("the way to it leads through {why}"));
    let (file, meta) = way.place().ok_or(Errno::ISDIR)?.open()?;
    Ok((file, meta, judgement))
}

/// A way to its end.
struct Way {
    /// What was met and is still on the way, from the root on; the last one may be the file.
    held: Vec<(OwnedFd, PathBuf)>,
    /// Names that do not exist.
    missing: Vec<OsString>,
    /// Directories and links on the way, in the order in which they are met.
    elements: Vec<(PathBuf, Stat)>,
    /// What is at its end, unless that is missing or a directory.
    file: Option<Stat>,
    links: usize,
}

impl Way {
    /// Whether only root and the own user can change where it leads; else the element, why, and a remedy.
    fn judge(&self) -> Result<(), String> {
        self.elements.iter().try_for_each(|(element, stat)| guarded(element, stat))
    }

    /// The same where a link was met. A way without one may lead through whoever's directories: the file is theirs to
    /// replace anyway.
    fn judge_links(&self) -> Result<(), String> {
        if self.links == 0 {
            return Ok(());
        }
        self.judge().map_err(|why| format!("leads through {why}"))?;
        // Where everybody may create files, the one who did keeps it.
        let home = self.held.len().checked_sub(2).and_then(|at| self.held.get(at));
        let home = home.and_then(|(_, path)| self.elements.iter().find(|(element, _)| element == path));
        let shared = home.is_some_and(|(_, stat)| is_sticky(stat) && stat.st_mode & 0o022 != 0);
        match (&self.file, self.held.last()) {
            (Some(file), Some((_, path))) if shared && !is_ours(file) => Err(format!(
                "leads to {}, which belongs to another user in a directory where all may write; remove it",
                path.display()
            )),
            _ => Ok(()),
        }
    }

    /// [`None`] for the root directory, which is no file's place.
    fn place(self) -> Option<Place> {
        let Self { mut held, mut missing, .. } = self;
        let (last, mut path) = held.pop()?;
        let Some(name) = missing.pop() else {
            let (directory, _) = held.pop()?;
            let name = path.file_name()?.to_os_string();
            return Some(Place { directory, missing, name, path });
        };
        path.extend(&missing);
        path.push(&name);
        Some(Place { directory: last, missing, name, path })
    }
}

/// Why a way cannot be followed.
enum Lost {
    TooManyLinks,
    Unseen(PathBuf, io::Error),
}

impl Lost {
    fn clause(&self, setting: &str) -> String {
        match self {
            Self::TooManyLinks => {
                format!("more than {MAX_LINKS} symbolic links; set {setting} to the file itself")
            }
            Self::Unseen(element, error) => {
                let remedy = crate::edge::remedy(error).map_or_else(String::new, |remedy| format!("; {remedy}"));
                format!("cannot look at {}: {}{remedy}", element.display(), reason(error))
            }
        }
    }

    fn into_error(self) -> io::Error {
        match self {
            Self::TooManyLinks => io::Error::other(format!("more than {MAX_LINKS} symbolic links")),
            Self::Unseen(_, error) => error,
        }
    }
}

fn follow(path: &Path) -> Result<Way, Lost> {
    let unseen = |path: &Path| {
        let path = path.to_path_buf();
        move |error: Errno| Lost::Unseen(path, error.into())
    };
    let absolute = std::path::absolute(path).map_err(|error| Lost::Unseen(path.to_path_buf(), error))?;
    let root = || {
        let root = Path::new("/");
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::open(root, flags, Mode::empty()).map(|root_fd| (root_fd, root.to_path_buf())).map_err(unseen(root))
    };
    let mut ahead = names(&absolute);
    let mut way = Way { held: vec![root()?], missing: Vec::new(), elements: Vec::new(), file: None, links: 0 };
    while let Some(name) = ahead.pop_front() {
        if name == ".." {
            if way.missing.pop().is_none() && way.held.len() > 1 {
                way.held.pop();
            }
            continue;
        }
        if !way.missing.is_empty() {
            way.missing.push(name);
            continue;
        }
        // There is always the root.
        let Some((directory, place)) = way.held.last() else { return Err(Lost::TooManyLinks) };
        let next = place.join(&name);
        let found = match rustix::fs::openat(directory, &name, HELD, Mode::empty()) {
            Ok(found) => found,
            Err(Errno::NOENT) => {
                way.missing.push(name);
                continue;
            }
            Err(error) => return Err(unseen(&next)(error)),
        };
        let stat = rustix::fs::fstat(&found).map_err(unseen(&next))?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Symlink => {
                if way.links == MAX_LINKS {
                    return Err(Lost::TooManyLinks);
                }
                let target = rustix::fs::readlinkat(&found, "", Vec::new()).map_err(unseen(&next))?;
                let target = PathBuf::from(OsString::from_vec(target.into_bytes()));
                if target.is_absolute() {
                    way.held = vec![root()?];
                }
                ahead = names(&target).into_iter().chain(ahead).collect();
                way.links += 1;
                way.elements.push((next, stat));
                continue;
            }
            FileType::Directory => way.elements.push((next.clone(), stat)),
            _ => way.file = Some(stat),
        }
        way.held.push((found, next));
    }
    Ok(way)
}

/// The names along a path. A leading `/` is left to the caller.
fn names(path: &Path) -> VecDeque<OsString> {
    let name = |component: Component<'_>| match component {
        Component::Normal(name) => Some(name.to_os_string()),
        Component::ParentDir => Some("..".into()),
        Component::Prefix(_) | Component::RootDir | Component::CurDir => None,
    };
    path.components().filter_map(name).collect()
}

fn is_ours(stat: &Stat) -> bool {
    stat.st_uid == 0 || stat.st_uid == rustix::process::geteuid().as_raw()
}

/// A directory (/tmp) that keeps others from moving what is not theirs.
fn is_sticky(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode).is_dir() && stat.st_mode & 0o1000 != 0
}

/// Whether only root and the own user can change where this element leads; else its name, why not, and a remedy.
///
/// No group may write, root's neither: where there is an access control list, the group's rights are those of everybody in
/// that list. And the members of the daemon's own group may have it do all that its socket takes, within root's
/// configuration; they may not choose files.
fn guarded(element: &Path, stat: &Stat) -> Result<(), String> {
    let name = element.display();
    if !is_ours(stat) {
        return Err(format!("{name}, which belongs to another user; give it to root (chown -h root {name})"));
    }
    // A link's own mode means nothing.
    if FileType::from_raw_mode(stat.st_mode).is_symlink() || is_sticky(stat) {
        return Ok(());
    }
    if stat.st_mode & 0o022 != 0 {
        return Err(format!("{name}, which others can write to; remove that right (chmod go-w {name})"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn resolve(path: &Path) -> Result<PathBuf, String> {
        super::resolve(path, "license.path").map(|place| place.path)
    }

    /// A temporary directory of the test's own, without links on the way.
    fn root(name: &str) -> PathBuf {
        let root = std::env::temp_dir()
            .canonicalize()
            .expect("there is one")
            .join(format!("way-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&root);
        std::fs::create_dir_all(root.join("real")).expect("a directory");
        root
    }

    fn open_to_all(directory: &Path) {
        std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o777)).expect("chmod");
    }

    #[test]
    fn a_plain_path_stays_as_it_is_whoever_can_write_there() {
        let root = root("plain");
        open_to_all(&root.join("real"));
        for name in ["real/license.json", "missing/below/license.json", "real/../real/./license.json"] {
            let expected = if name.starts_with("missing") { name } else { "real/license.json" };
            assert_eq!(resolve(&root.join(name)), Ok(root.join(expected)));
        }
        assert!(resolve(Path::new("/")).is_err_and(|error| error.contains("not the path of a file")));
        std::fs::remove_dir_all(root).expect("removed");
    }

    #[test]
    fn links_are_followed_relative_and_absolute_in_the_middle_and_at_the_end() {
        let root = root("links");
        symlink("real", root.join("relative")).expect("a link");
        symlink(root.join("real"), root.join("absolute")).expect("a link");
        symlink("../real/deeper.json", root.join("real/link.json")).expect("a link");
        assert_eq!(resolve(&root.join("relative/license.json")), Ok(root.join("real/license.json")));
        assert_eq!(resolve(&root.join("absolute/license.json")), Ok(root.join("real/license.json")));
        assert_eq!(resolve(&root.join("relative/link.json")), Ok(root.join("real/deeper.json")));
        symlink("loop.json", root.join("loop.json")).expect("a link");
        let error = resolve(&root.join("loop.json")).expect_err("it leads nowhere");
        assert!(error.contains("more than 16 symbolic links"), "{error}");
        std::fs::remove_dir_all(root).expect("removed");
    }

    #[test]
    fn what_another_user_put_where_all_may_write_is_refused() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let root = root("sticky");
        let sticky = root.join("sticky");
        std::fs::create_dir(&sticky).expect("a directory");
        std::fs::set_permissions(&sticky, std::fs::Permissions::from_mode(0o1777)).expect("chmod");
        symlink(sticky.join("license.json"), root.join("link.json")).expect("a link");
        let link = root.join("link.json");
        assert_eq!(resolve(&link), Ok(sticky.join("license.json")), "nothing is there");
        std::fs::write(sticky.join("license.json"), "x").expect("written");
        assert_eq!(resolve(&link), Ok(sticky.join("license.json")), "ours");
        std::os::unix::fs::chown(sticky.join("license.json"), Some(4_241), Some(4_241)).expect("chown");
        assert!(resolve(&link).is_err_and(|error| error.contains("belongs to another user")));
        std::fs::remove_dir_all(root).expect("removed");
    }

    #[test]
    fn no_group_bends_a_way_not_even_root_s() {
        let root = root("group");
        let real = root.join("real");
        // An access control list of another user shows as rights of the group.
        std::fs::set_permissions(&real, std::fs::Permissions::from_mode(0o775)).expect("chmod");
        symlink("real", root.join("link")).expect("a link");
        // A plain path is for the owner of the directory to answer for: netifyd's group may well write there.
        assert!(resolve(&real.join("license.json")).is_ok());
        assert!(resolve(&root.join("link/license.json")).is_err());
        let refusal = trusted(&real.join("vendor.pem"), "trust.keys").expect_err("keys are stricter");
        assert!(refusal.ends_with(&format!("remove that right (chmod go-w {})", real.display())), "{refusal}");
        std::fs::remove_dir_all(root).expect("removed");
    }

    #[test]
    fn a_way_that_others_could_bend_is_refused_before_and_after_the_link() {
        let root = root("bent");
        for place in ["before", "after"] {
            std::fs::create_dir(root.join(place)).expect("a directory");
            open_to_all(&root.join(place));
        }
        symlink(root.join("real"), root.join("before/link")).expect("a link");
        symlink(root.join("after/license.json"), root.join("real/license.json")).expect("a link");
        for (path, element) in [("before/link/other.json", "before"), ("real/license.json", "after")] {
            let error = resolve(&root.join(path)).expect_err("others can bend it");
            let named = root.join(element);
            assert!(error.contains(&format!("leads through {},", named.display())), "{error}");
            assert!(error.contains("chmod go-w"), "{error}");
        }
        std::fs::remove_dir_all(root).expect("removed");
    }

    /// The check of a name and the use of that name leave time between them: a link took 38 of 200 writes elsewhere.
    #[test]
    fn a_directory_that_is_swapped_after_the_judgement_leads_nowhere_else() {
        let root = root("swap");
        std::fs::create_dir(root.join("secret")).expect("a directory");
        for name in ["real", "secret"] {
            std::fs::write(root.join(name).join("license.json"), name).expect("written");
        }
        let place = super::resolve(&root.join("real/license.json"), "license.path").expect("a plain way");
        std::fs::rename(root.join("real"), root.join("moved")).expect("moved");
        symlink("secret", root.join("real")).expect("a link");
        let (file, _) = place.open().expect("the file that was judged");
        assert_eq!(open::rest(file, 10).expect("read"), b"real");
        assert!(place.remove().expect("removed"));
        assert!(root.join("secret/license.json").exists() && !root.join("moved/license.json").exists());

        // The same of the file itself.
        symlink(root.join("secret/license.json"), root.join("moved/license.json")).expect("a link");
        assert!(place.open().is_err(), "a link was put in its place");
        std::fs::remove_dir_all(root).expect("removed");
    }

    /// The owner of netifyd's directory may want to have a file published that this user can read and others cannot.
    #[test]
    fn nothing_is_published_by_another_user_s_link() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let root = root("publish");
        let (secret, foreign) = (root.join("secret"), root.join("real"));
        std::fs::write(&secret, "0123456789").expect("written");
        std::os::unix::fs::chown(&foreign, Some(4_241), Some(4_241)).expect("chown");
        std::fs::write(foreign.join("plain"), "S-1").expect("written");
        symlink(&secret, foreign.join("link")).expect("a link");
        std::fs::hard_link(&secret, foreign.join("hard")).expect("a link");
        assert!(open_to_publish(&foreign.join("plain")).is_ok());
        for (name, why) in [("link", "belongs to another user"), ("hard", "second name")] {
            let error = open_to_publish(&foreign.join(name)).expect_err("not the owner's to publish");
            assert!(error.to_string().contains(why), "{error}");
        }
        std::os::unix::fs::chown(&foreign, Some(0), Some(0)).expect("chown");
        for name in ["link", "hard"] {
            assert!(open_to_publish(&foreign.join(name)).is_ok(), "root's own {name}");
        }
        std::fs::remove_dir_all(root).expect("removed");
    }

    #[test]
    fn missing_directories_are_created_where_they_were_looked_for() {
        let root = root("missing");
        let mut place = super::resolve(&root.join("a/b/license.json"), "license.path").expect("a way");
        assert!(
            place.directory().is_err() && place.look().expect("nothing").is_none() && !place.remove().expect("none")
        );
        place.create_directories().expect("created");
        assert!(place.directory().is_ok() && root.join("a/b").is_dir());
        std::fs::remove_dir_all(root).expect("removed");
    }
}
