//! Where the service manager looks for the packaged service's API key (systemd.exec(5), `LoadCredential=`).

use std::path::{Path, PathBuf};

use crate::edge::dirs::Places;

/// Where a person puts it.
pub const FILE: &str = "/etc/credstore/netify-licensed.api-key";
/// Its name in the directories.
const NAME: &str = "netify-licensed.api-key";
/// In the order in which systemd looks; the first is what it was itself given.
const PLAIN: [&str; 5] =
    ["/run/credentials/@system", "/etc/credstore", "/run/credstore", "/usr/local/lib/credstore", "/usr/lib/credstore"];
/// Sealed ones: only systemd opens them.
const SEALED: [&str; 3] = ["/etc/credstore.encrypted", "/run/credstore.encrypted", "/usr/lib/credstore.encrypted"];

/// The API key that this process was handed.
#[must_use]
pub fn handed_over(places: &Places) -> Option<PathBuf> {
    places.credentials.as_ref().map(|directory| directory.join("api-key")).filter(|path| path.exists())
}

/// The one that a unit would be handed, for root at a shell.
#[must_use]
pub fn at_a_shell(places: &Places) -> Option<PathBuf> {
    let is_shell = places.credentials.is_none() && rustix::process::geteuid().is_root();
    PLAIN.iter().map(|store| Path::new(store).join(NAME)).find(|path| is_shell && path.exists())
}

/// A sealed one, which only a unit can be handed.
fn sealed() -> Option<PathBuf> {
    SEALED.iter().map(|store| Path::new(store).join(NAME)).find(|path| path.exists())
}

/// Whether this process has one, or the packaged service will. A shell may not be allowed to look; what cannot be seen may be
/// there.
#[must_use]
pub fn may_be_there(places: &Places) -> bool {
    use std::io::ErrorKind::{NotADirectory, NotFound};
    let is_missing = |store: &str| {
        let looked = std::fs::metadata(Path::new(store).join(NAME));
        looked.is_err_and(|error| matches!(error.kind(), NotFound | NotADirectory))
    };
    handed_over(places).is_some() || !PLAIN.iter().chain(&SEALED).all(|store| is_missing(store))
}

/// What to do where there is no API key.
#[must_use]
pub fn how_to_give_one() -> String {
    if let Some(path) = sealed() {
        let path = path.display();
        let words: Vec<_> = std::env::args().skip(1).collect();
        let is_plain = |word: &String| {
            !word.is_empty()
                && word.bytes().all(|letter| letter.is_ascii_alphanumeric() || b"-_=./:@".contains(&letter))
        };
        let command = if words.iter().all(is_plain) { words.join(" ") } else { "COMMAND".to_owned() };
        return format!(
            "{path} is sealed, and only services get it; run: systemd-run --pipe --wait -p LoadCredentialEncrypted=api-key:{path} netify-licensed {command}"
        );
    }
    format!(
        "put it into {FILE}, readable by root alone, and restart the service netify-licensed (systemd hands it over at a start); or into a file that hub.api-key-file names"
    )
}
