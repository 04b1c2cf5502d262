//! The API key and passwords: read for each use, never printed, wiped from memory.

use std::fmt;
use std::fs::Metadata;
use std::io::ErrorKind::PermissionDenied;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::reason;
use crate::core::config::{AbsolutePath, Hub};
use crate::core::hub::redaction::Redaction;
use crate::core::text::BYTE_ORDER_MARK;
use crate::edge::dirs::Places;
use crate::edge::file::trusted;
use crate::edge::file::{open, path};
use crate::edge::helper::{Item, client};
use crate::edge::{credential, service_manager};

/// Longest key, password or token in bytes.
const MAX_LINE: usize = 4_096;
/// Longest private key in bytes.
const MAX_PEM: usize = 64 * 1024;

/// A secret that cannot be printed.
pub struct Secret(Zeroizing<Vec<u8>>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("REDACTED")
    }
}

impl From<&[u8]> for Secret {
    fn from(bytes: &[u8]) -> Self {
        Self(Zeroizing::new(bytes.to_vec()))
    }
}

impl Secret {
    /// The bytes: for a header of a request, nothing else.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

/// The API key, and which file it is from.
pub(in crate::edge) struct ApiKey {
    pub(in crate::edge) secret: Secret,
    pub(in crate::edge) path: PathBuf,
}

/// The API key: the systemd credential first, then the configured file. There is none, and none is missing, where another
/// credential is set: a relay in front adds the key then.
pub(in crate::edge) fn api_key(places: &Places, hub: &Hub) -> Result<Option<ApiKey>, String> {
    let credential = credential::handed_over(places).or_else(|| credential::at_a_shell(places));
    match (credential, &hub.api_key_file) {
        (Some(path), _) => Ok(Some(ApiKey { secret: one_line(places, Item::ApiKey, &path)?, path })),
        (None, Some(path)) => {
            Ok(Some(ApiKey { secret: one_line(places, Item::ApiKey, path.as_path())?, path: path.to_path_buf() }))
        }
        (None, None) if hub.has_other_credential() => Ok(None),
        (None, None) => Err(format!("there is no API key: {}", credential::how_to_give_one())),
    }
}

/// A password from its file: one line of UTF-8 (RFC 7617, section 2.1). Spaces may be part of it.
pub fn password(places: &Places, path: &AbsolutePath) -> Result<Secret, String> {
    let mut bytes = read(places, Item::Password, path.as_path(), MAX_LINE)?;
    for end in [b'\n', b'\r'] {
        if bytes.last() == Some(&end) {
            bytes.pop();
        }
    }
    let is_line = std::str::from_utf8(&bytes).is_ok_and(|text| !text.is_empty() && !text.contains(char::is_control));
    if is_line {
        return Ok(Secret(bytes));
    }
    Err(format!(
        "{}: the password is not one line of 1 to {MAX_LINE} bytes in UTF-8; write it there again",
        path.as_path().display()
    ))
}

/// A token from its file.
pub fn token(places: &Places, path: &AbsolutePath) -> Result<Secret, String> {
    one_line(places, Item::BearerToken, path.as_path())
}

/// Every secret of the hub's settings that can be read, to be taken out of a text.
#[must_use]
pub fn redaction(hub: &Hub, places: &Places) -> Redaction {
    let mut redaction = Redaction::default();
    let found = [
        api_key(places, hub).ok().flatten().map(|key| key.secret),
        hub.password_file.as_ref().and_then(|file| password(places, file).ok()),
        hub.bearer_token_file.as_ref().and_then(|file| token(places, file).ok()),
    ];
    for secret in found.into_iter().flatten() {
        redaction.hide(secret.expose());
    }
    if let Some(password) = hub.proxy.as_ref().and_then(|proxy| proxy.with_secret().password()) {
        redaction.hide(password.as_bytes());
        redaction.hide(&percent_encoding::percent_decode_str(password).collect::<Vec<u8>>());
    }
    for (_, value) in hub.url.as_url().query_pairs() {
        redaction.hide(value.as_bytes());
    }
    redaction
}

/// Whether it may be the daemon's, which runs as somebody else: this user may not read it, it is another one's alone, or
/// the service manager guards it (systemd.exec(5), `LoadCredential=`).
#[must_use]
pub fn is_for_another(path: &Path) -> bool {
    let own = rustix::process::geteuid().as_raw();
    let is_judged = |meta: Metadata| meta.mode() & 0o077 != 0 || [0, own].contains(&meta.uid());
    path.starts_with("/run/credentials")
        || open::open(path).map_or_else(|error| error.kind() == PermissionDenied, |(_, meta)| !is_judged(meta))
}

/// A private key in PEM.
pub fn private_key(places: &Places, path: &AbsolutePath) -> Result<Secret, String> {
    read(places, Item::ClientKey, path.as_path(), MAX_PEM).map(Secret)
}

/// One line of printable ASCII; white space around it is nobody's secret.
fn one_line(places: &Places, item: Item, path: &Path) -> Result<Secret, String> {
    let mut bytes = read(places, item, path, MAX_LINE)?;
    while bytes.last().is_some_and(u8::is_ascii_whitespace) {
        bytes.pop();
    }
    if bytes.is_empty() || !bytes.iter().all(u8::is_ascii_graphic) {
        return Err(format!(
            "{}: the secret is not one line of 1 to {MAX_LINE} printable ASCII characters; write it there again",
            path.display()
        ));
    }
    Ok(Secret(bytes))
}

/// Whether a container engine handed the secret to a group of this process: root's, on a read-only mount, with no right for
/// anybody else. A service of systemd has credentials for that, and its group is shared with those who may ask the daemon.
fn is_for_our_group(path: &Path, meta: &Metadata) -> bool {
    let group = meta.gid();
    let is_ours = rustix::process::getegid().as_raw() == group
        || rustix::process::getgroups().is_ok_and(|groups| groups.iter().any(|own| own.as_raw() == group));
    meta.mode() & 0o037 == 0
        && meta.uid() == 0
        && is_ours
        && !service_manager::is_service()
        && trusted::is_on_read_only_mount(path)
}

fn read(places: &Places, item: Item, path: &Path, longest: usize) -> Result<Zeroizing<Vec<u8>>, String> {
    let name = path.display();
    let failed = |error: &std::io::Error| {
        let remedy = if error.kind() == std::io::ErrorKind::NotFound {
            "; write it there, readable by its owner alone (mode 0600)"
        } else {
            ""
        };
        format!("{name}: cannot read the secret: {}{remedy}", reason(error))
    };
    let (mut file, meta, way) = match (path::open_and_judge(path), &places.helper) {
        (Ok(opened), _) => opened,
        // The daemon's own user may not; its helper may, and judges the file as it would be judged here.
        (Err(error), Some(socket)) if error.kind() == PermissionDenied => {
            let content = client::read(socket, item)?.ok_or_else(|| failed(&error))?;
            return Ok(Zeroizing::new(content));
        }
        (Err(error), _) => return Err(failed(&error)),
    };
    // The service manager guards its credentials with its own rights, whatever the mode shows of them.
    let guarded = !places.credentials.as_ref().is_some_and(|directory| path.starts_with(directory));
    let mode = meta.mode() & 0o7777;
    if guarded && mode & 0o077 != 0 && !is_for_our_group(path, &meta) {
        let remedy = if trusted::is_on_read_only_mount(path) {
            "in a Kubernetes volume set `defaultMode: 0440` and `fsGroup`".to_owned()
        } else {
            format!("run: chmod 600 {name}")
        };
        return Err(format!("{name}: others may read the secret (mode {mode:04o}); {remedy}"));
    }
    let own = rustix::process::geteuid().as_raw();
    if guarded && meta.uid() != 0 && meta.uid() != own {
        return Err(format!("{name}: the secret belongs to another user; run: chown root {name}"));
    }
    if guarded && let Err(why) = way {
        return Err(format!("{name}: {why}"));
    }
    // Never grown: a vector that moves leaves a copy behind. One byte more than allowed tells what is too long.
    let mut bytes = Zeroizing::new(vec![0; longest + 1]);
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read(&mut bytes[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(&error)),
        }
    }
    bytes.truncate(filled);
    if bytes.len() > longest {
        return Err(format!("{name}: the secret is longer than {longest} bytes; is this the right file?"));
    }
    if bytes.starts_with(BYTE_ORDER_MARK) {
        bytes.drain(..BYTE_ORDER_MARK.len());
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_managers_secrets_are_not_judged_from_outside() {
        assert!(is_for_another(Path::new("/run/credentials/netify-licensed.service/password")));
        assert!(!is_for_another(Path::new("/nowhere/password")), "whose should it be?");
    }
}
