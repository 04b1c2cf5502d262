//! The way to a file: symbolic links are followed on purpose, and only where nobody else could have bent them.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use super::reason;

/// Symbolic links that are followed at most.
const MAX_LINKS: usize = 16;

/// The file at the end of all symbolic links; what is missing keeps the name that it would be created under.
///
/// Once a link is met, whoever can write to any directory on the way decides which file is replaced. So then only root
/// and the own user may be able to. The error is one sentence with the path and a remedy.
pub fn resolve(path: &Path) -> Result<PathBuf, String> {
    let mut place = PathBuf::from("/");
    let mut ahead = names(path);
    let (mut directories, mut links) = (Vec::new(), Vec::new());
    let mut missing = false;
    while let Some(name) = ahead.pop_front() {
        if name == ".." {
            place.pop();
            continue;
        }
        let next = place.join(name);
        let found = if missing { Ok(None) } else { look(&next) };
        match found.map_err(|error| unseen(path, &next, &error))? {
            None => missing = true,
            Some(meta) if meta.is_symlink() => {
                if links.len() == MAX_LINKS {
                    let path = path.display();
                    return Err(format!(
                        "{path}: more than {MAX_LINKS} symbolic links; set license.path to the file itself"
                    ));
                }
                let target = std::fs::read_link(&next).map_err(|error| unseen(path, &next, &error))?;
                if target.is_absolute() {
                    place = PathBuf::from("/");
                }
                ahead = names(&target).into_iter().chain(ahead).collect();
                links.push((next, meta));
                continue;
            }
            Some(meta) if meta.is_dir() => directories.push((next.clone(), meta)),
            Some(_) => {}
        }
        place = next;
    }
    if !links.is_empty() {
        for (element, meta) in directories.iter().chain(&links) {
            guarded(meta).map_err(|why| {
                let (path, element) = (path.display(), element.display());
                format!("{path} leads through {element}, {why}, or set license.path to the file itself")
            })?;
        }
    }
    Ok(place)
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

fn unseen(path: &Path, element: &Path, error: &io::Error) -> String {
    let remedy = super::remedy(error).unwrap_or("the license there is unchanged");
    format!("{}: cannot look at {}: {}; {remedy}", path.display(), element.display(), reason(error))
}

/// Whether only root and the own user can change where this element leads; else why not, and a remedy.
fn guarded(meta: &Metadata) -> Result<(), &'static str> {
    let own = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    if meta.uid() != 0 && meta.uid() != own.0 {
        return Err("which belongs to another user; give it to root (chown -h root)");
    }
    // A link's own mode means nothing, and a sticky directory (/tmp) keeps others from moving what is not theirs.
    if meta.is_symlink() || meta.mode() & 0o1000 != 0 {
        return Ok(());
    }
    let foreign_group = meta.mode() & 0o020 != 0 && meta.gid() != 0 && meta.gid() != own.1;
    if meta.mode() & 0o002 != 0 || foreign_group {
        return Err("which others can write to; remove that right (chmod go-w)");
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
