//! The way to a file: symbolic links are followed on purpose, and only where nobody else could have bent them.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use crate::edge::reason;

/// Symbolic links that are followed at most.
const MAX_LINKS: usize = 16;

/// The file at the end of all symbolic links; what is missing keeps the name that it would be created under.
///
/// Once a link is met, whoever can write to any directory on the way decides which file is replaced. So then only root
/// and the own user may be able to. The error is one sentence with the path and a remedy.
pub fn resolve(path: &Path) -> Result<PathBuf, String> {
    let way = follow(path).map_err(|lost| format!("{}: {}", path.display(), lost.clause("license.path")))?;
    if way.links == 0 {
        return Ok(way.end);
    }
    for (element, meta) in &way.elements {
        guarded(element, meta, Group::MayBeRoot)
            .map_err(|why| format!("{} leads through {why}, or set license.path to the file itself", path.display()))?;
    }
    // Where everybody may create files, the one who did keeps it.
    let home = way.elements.iter().find(|(directory, _)| way.end.parent() == Some(directory));
    let shared = home.is_some_and(|(_, meta)| is_sticky(meta) && meta.mode() & 0o022 != 0);
    match way.file {
        Some(file) if shared && !is_ours(&file) => Err(format!(
            "{} leads to {}, which belongs to another user in a directory where all may write; remove it, or set license.path to the file itself",
            path.display(),
            way.end.display()
        )),
        _ => Ok(way.end),
    }
}

/// Whether only root and the own user can change what this path leads to, links or none: the file itself is for the
/// caller to judge. The error is a clause with a remedy.
pub fn trusted(path: &Path) -> Result<(), String> {
    let way = follow(path).map_err(|lost| lost.clause("trust.keys"))?;
    way.elements.iter().try_for_each(|(element, meta)| {
        guarded(element, meta, Group::Nobody).map_err(|why| format!("the way to it leads through {why}"))
    })
}

/// A way to its end.
struct Way {
    end: PathBuf,
    /// What is at its end, unless that is missing or a directory.
    file: Option<Metadata>,
    /// Directories and links on the way, in the order in which they are met.
    elements: Vec<(PathBuf, Metadata)>,
    links: usize,
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
}

fn follow(path: &Path) -> Result<Way, Lost> {
    let mut ahead = names(path);
    let mut way = Way { end: PathBuf::from("/"), file: None, elements: Vec::new(), links: 0 };
    let mut missing = false;
    while let Some(name) = ahead.pop_front() {
        if name == ".." {
            way.end.pop();
            continue;
        }
        let next = way.end.join(name);
        let unseen = |error| Lost::Unseen(next.clone(), error);
        match if missing { None } else { look(&next).map_err(unseen)? } {
            None => missing = true,
            Some(meta) if meta.is_symlink() => {
                if way.links == MAX_LINKS {
                    return Err(Lost::TooManyLinks);
                }
                let target = std::fs::read_link(&next).map_err(unseen)?;
                if target.is_absolute() {
                    way.end = PathBuf::from("/");
                }
                ahead = names(&target).into_iter().chain(ahead).collect();
                way.links += 1;
                way.elements.push((next, meta));
                continue;
            }
            Some(meta) if meta.is_dir() => way.elements.push((next.clone(), meta)),
            Some(meta) => way.file = Some(meta),
        }
        way.end = next;
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

/// What is there, without following a link; [`None`] when nothing is.
pub fn look(path: &Path) -> io::Result<Option<Metadata>> {
    match std::fs::symlink_metadata(path) {
        Ok(meta) => Ok(Some(meta)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whose group may write to a directory on the way.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Group {
    /// Root's, as where root works with a wide umask. Not the daemon's own: its members may have the daemon do all that
    /// its socket takes, within root's configuration; they may not choose the file that it writes.
    MayBeRoot,
    /// Nobody's. Where there is an access control list, the group's rights are those of everybody in that list.
    Nobody,
}

fn is_ours(meta: &Metadata) -> bool {
    meta.uid() == 0 || meta.uid() == rustix::process::geteuid().as_raw()
}

/// A directory (/tmp) that keeps others from moving what is not theirs.
fn is_sticky(meta: &Metadata) -> bool {
    meta.is_dir() && meta.mode() & 0o1000 != 0
}

/// Whether only root and the own user can change where this element leads; else its name, why not, and a remedy.
fn guarded(element: &Path, meta: &Metadata, group: Group) -> Result<(), String> {
    let name = element.display();
    if !is_ours(meta) {
        return Err(format!("{name}, which belongs to another user; give it to root (chown -h root {name})"));
    }
    // A link's own mode means nothing.
    if meta.is_symlink() || is_sticky(meta) {
        return Ok(());
    }
    let by_group = meta.mode() & 0o020 != 0 && (group == Group::Nobody || meta.gid() != 0);
    if meta.mode() & 0o002 != 0 || by_group {
        return Err(format!("{name}, which others can write to; remove that right (chmod go-w {name})"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

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

    fn open(directory: &Path) {
        std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o777)).expect("chmod");
    }

    #[test]
    fn a_plain_path_stays_as_it_is_whoever_can_write_there() {
        let root = root("plain");
        open(&root.join("real"));
        for name in ["real/license.json", "missing/below/license.json", "real/../real/./license.json"] {
            let expected = if name.starts_with("missing") { name } else { "real/license.json" };
            assert_eq!(resolve(&root.join(name)), Ok(root.join(expected)));
        }
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
    fn a_group_bends_no_way_unless_it_is_root_s() {
        let root = root("group");
        let real = root.join("real");
        std::fs::set_permissions(&real, std::fs::Permissions::from_mode(0o775)).expect("chmod");
        symlink("real", root.join("link")).expect("a link");
        // A plain path is for the owner of the directory to answer for: netifyd's group may well write there.
        assert!(resolve(&real.join("license.json")).is_ok());
        let group = std::fs::metadata(&real).expect("a directory").gid();
        assert_eq!(resolve(&root.join("link/license.json")).is_ok(), group == 0);
        let refusal = trusted(&real.join("vendor.pem")).expect_err("keys are stricter");
        assert!(refusal.ends_with(&format!("remove that right (chmod go-w {})", real.display())), "{refusal}");
        std::fs::remove_dir_all(root).expect("removed");
    }

    #[test]
    fn a_way_that_others_could_bend_is_refused_before_and_after_the_link() {
        let root = root("bent");
        for place in ["before", "after"] {
            std::fs::create_dir(root.join(place)).expect("a directory");
            open(&root.join(place));
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
}
