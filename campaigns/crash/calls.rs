//! System calls of the program under test, listed and interfered with by strace(1).

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// One system call of a run: its name, and how many of that name came before and including it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) name: String,
    pub(crate) number: usize,
    /// How strace(1) wrote it, for messages.
    pub(crate) text: String,
    /// Whether it is about a file: a path, or a descriptor of one.
    pub(crate) about_file: bool,
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Harm {
    /// The process is killed as it enters the call, which is not carried out.
    Kill,
    /// The call is not carried out and fails with this error.
    Fail(&'static str),
}

/// The errors that storage and rights bring about.
pub(crate) const ERRORS: [&str; 4] = ["ENOSPC", "EIO", "EROFS", "EACCES"];

/// The calls that touch files. Sockets and pipes have other errors, and other tests.
const FILE_CALLS: &str = "access chmod chown close connect fallocate fchmod fchmodat fchown fchownat fdatasync fgetxattr \
    flistxattr flock fsetxattr fstat fsync ftruncate getdents64 lgetxattr linkat llistxattr lseek mkdir mkdirat \
    newfstatat open openat pwrite64 read readlink readlinkat rename renameat renameat2 statx unlink unlinkat utimensat \
    write";

/// The words that stand before the program so that its calls are written to `file`.
pub(crate) fn listing(file: &Path) -> Vec<String> {
    words(file, &["-y", "-s", "96"])
}

/// The words that stand before the program so that `call` comes to harm; `file` tells whether it did.
pub(crate) fn harming(file: &Path, call: &Call, harm: Harm) -> Vec<String> {
    let (name, number) = (&call.name, call.number);
    let harm = match harm {
        Harm::Kill => "signal=KILL".to_owned(),
        Harm::Fail(error) => format!("error={error}"),
    };
    words(file, &["-e", &format!("trace={name}"), "-e", &format!("inject={name}:{harm}:when={number}")])
}

fn words(file: &Path, more: &[&str]) -> Vec<String> {
    // The program alone, not its children: without -f they are left in peace.
    let file = file.to_string_lossy();
    ["strace", "-qq", "-o", &file].iter().chain(more).map(|&word| word.to_owned()).collect()
}

/// Reads what [`listing`] wrote, from the first call that is about a file below `root` to the end.
pub(crate) fn read(file: &Path, root: &Path) -> Vec<Call> {
    let text = fs::read_to_string(file).expect("strace has written its list");
    let root = root.to_string_lossy();
    let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut calls, mut begun) = (Vec::new(), false);
    for line in text.lines() {
        let Some((name, arguments)) = line.split_once('(') else { continue };
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            continue; // A signal or the end.
        }
        let number = numbers.entry(name).or_default();
        *number += 1;
        // The program's own path stands in execve, its first call.
        begun |= name != "execve" && arguments.contains(&*root);
        let path = arguments.contains("</") || arguments.contains("\"/");
        let about_file = path && FILE_CALLS.split_whitespace().any(|call| call == name);
        if begun {
            calls.push(Call { name: name.to_owned(), number: *number, text: line.to_owned(), about_file });
        }
    }
    calls
}

/// Whether a run came as far as the call that was to be harmed; otherwise it ended before, unharmed.
pub(crate) fn was_harmed(file: &Path, harm: Harm) -> bool {
    let text = fs::read_to_string(file).unwrap_or_default();
    match harm {
        // The call never returned.
        Harm::Kill => text.contains("= ?"),
        Harm::Fail(_) => text.contains("(INJECTED)"),
    }
}
