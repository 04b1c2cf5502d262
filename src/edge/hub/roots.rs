//! The certificates that the hub's own must lead to: those of `hub.ca-file`, else the system's.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;

use crate::core::config::Hub;
use crate::edge::helper::Item;
use crate::edge::hub::pem;

/// The bundle of each distribution, as OpenSSL's and Go's lists have them.
const BUNDLES: [&str; 8] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/opt/etc/ssl/certs/ca-certificates.crt",
    "/usr/share/ssl/certs/ca-bundle.crt",
];
/// Directories of single certificates, for systems without a bundle.
const DIRECTORIES: [&str; 3] = ["/etc/ssl/certs", "/etc/pki/tls/certs", "/system/etc/security/cacerts"];
/// Most files of a directory that are read.
const MAX_FILES: usize = 2_000;

/// What is trusted.
pub(in crate::edge) struct Roots {
    pub(in crate::edge) store: Arc<RootCertStore>,
    /// Certificates that a person named: one of them may be the server's own.
    pub(in crate::edge) pinned: Vec<CertificateDer<'static>>,
    /// One sentence for each certificate of `hub.ca-file` that cannot be used.
    pub(in crate::edge) broken: Vec<String>,
}

/// What was read when the configuration was checked, until the first attempt takes it.
static CHECKED: Mutex<Option<(Stamp, Roots)>> = Mutex::new(None);

/// Which content of which file.
#[derive(PartialEq)]
struct Stamp(PathBuf, u64, u64, Option<SystemTime>);

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let meta = std::fs::metadata(path).ok()?;
        let (_, inode) = crate::edge::identity(&meta);
        Some(Self(path.to_path_buf(), inode, meta.len(), meta.modified().ok()))
    }
}

/// Reads `hub.ca-file` and keeps it for the first attempt. The sentences are about what is broken in it.
pub(in crate::edge) fn check(hub: &Hub) -> Result<Vec<String>, String> {
    let Some(file) = hub.ca_file.as_ref() else { return Ok(Vec::new()) };
    let stamp = Stamp::of(file.as_path());
    let roots = of_file(file.as_path())?;
    let broken = roots.broken.clone();
    if let (Some(stamp), Ok(mut checked)) = (stamp, CHECKED.lock()) {
        *checked = Some((stamp, roots));
    }
    Ok(broken)
}

/// The certificates for an attempt.
pub(in crate::edge) fn load(hub: &Hub) -> Result<Roots, String> {
    let Some(file) = &hub.ca_file else { return system() };
    let checked = CHECKED.lock().ok().and_then(|mut checked| checked.take());
    match checked {
        Some((stamp, roots)) if Stamp::of(file.as_path()).as_ref() == Some(&stamp) => Ok(roots),
        _ => of_file(file.as_path()),
    }
}

fn of_file(path: &Path) -> Result<Roots, String> {
    let name = format!("hub.ca-file: {}", path.display());
    let mut found = pem::certificates(path, Item::CaFile).map_err(|reason| format!("{name}: {reason}"))?;
    let mut store = RootCertStore::empty();
    let mut usable = Vec::new();
    for certificate in found.good {
        if store.add(certificate.clone()).is_ok() {
            usable.push(certificate);
        } else {
            let number = usable.len() + found.broken.len() + 1;
            found.broken.push(pem::broken(number, "it is no X.509 certificate"));
        }
    }
    let broken: Vec<String> = found.broken.iter().map(|sentence| format!("{name}: {sentence}")).collect();
    if usable.is_empty() {
        let why = if found.broken.is_empty() { String::new() } else { format!(" ({})", found.broken.join("; ")) };
        return Err(format!("{name} holds no certificate{why}; write it there in PEM"));
    }
    Ok(Roots { store: Arc::new(store), pinned: usable, broken })
}

/// `SSL_CERT_FILE` and `SSL_CERT_DIR` as OpenSSL has them, else the first bundle, else the directories.
fn system() -> Result<Roots, String> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let mut store = RootCertStore::empty();
    let (file, directory) = (variable("SSL_CERT_FILE"), variable("SSL_CERT_DIR"));
    let origin = match (&file, &directory) {
        (None, None) => "the system's certificate store",
        (Some(_), None) => "the file that SSL_CERT_FILE names",
        _ => "what SSL_CERT_FILE and SSL_CERT_DIR name",
    };
    if let Some(file) = &file {
        add(&mut store, Path::new(file));
    }
    if let Some(directories) = &directory {
        std::env::split_paths(directories).for_each(|directory| add_directory(&mut store, &directory));
    }
    if file.is_none() && directory.is_none() {
        for bundle in BUNDLES {
            if store.is_empty() {
                add(&mut store, Path::new(bundle));
            }
        }
        for directory in DIRECTORIES {
            if store.is_empty() {
                add_directory(&mut store, Path::new(directory));
            }
        }
    }
    if store.is_empty() {
        return Err(format!("{origin} holds no certificate; install ca-certificates or set hub.ca-file"));
    }
    Ok(Roots { store: Arc::new(store), pinned: Vec::new(), broken: Vec::new() })
}

fn add(store: &mut RootCertStore, path: &Path) {
    // The system's files are not ours to complain about: what cannot be read of them is not trusted.
    if let Ok(found) = pem::of_the_system(path) {
        store.add_parsable_certificates(found.good);
    }
}

fn add_directory(store: &mut RootCertStore, directory: &Path) {
    let Ok(mut names) = crate::edge::entries(directory) else { return };
    // A certificate stands there under its name and under its hash; the hashes are complete (openssl-rehash(1)).
    if names.iter().any(is_hash) {
        names.retain(is_hash);
    }
    names.iter().take(MAX_FILES).for_each(|name| add(store, &directory.join(name)));
}

/// Eight hexadecimal digits, a dot and a number.
fn is_hash(name: &std::ffi::OsString) -> bool {
    let parts = name.to_str().and_then(|name| name.split_once('.'));
    parts.is_some_and(|(hash, number)| {
        hash.len() == 8
            && hash.bytes().all(|b| b.is_ascii_hexdigit())
            && !number.is_empty()
            && number.bytes().all(|b| b.is_ascii_digit())
    })
}
