//! Secrets that can be recognized, and where they are looked for.

use std::fs;
use std::path::Path;

use hub_emulator::{ApiKey, HubEmulator, LicenseSpec, Options, RelayOptions, RelayPath, TlsOptions};

use test_bench::rig::{DUID, Rig, SERIAL};

pub(crate) const KEY: &str = "mArKeR-of-the-api-key-4711";
pub(crate) const USER: &str = "gateway";
pub(crate) const PASSWORD: &str = "mArKeR-of-the-password-4712";
pub(crate) const TOKEN: &str = "mArKeR-of-the-token-4713";

/// Files in which the secrets rightly are.
const HOMES: [&str; 5] = ["api-key", "password", "token", "client.key", "trace.txt"];

/// A hub that knows the marker secrets, with or without TLS.
pub(crate) fn hub(tls: bool) -> HubEmulator {
    let relay = RelayOptions {
        username: USER.to_owned(),
        password: PASSWORD.to_owned(),
        token: TOKEN.to_owned(),
        ..RelayOptions::default()
    };
    let tls = tls.then_some(TlsOptions { client_certificate: true, ..TlsOptions::default() });
    let hub = HubEmulator::start(Options { relay, tls, ..Options::new() }.api_key(ApiKey::new(KEY)));
    hub.add_license(LicenseSpec::new(SERIAL).duid(DUID));
    hub
}

/// The ways to prove who one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Api,
    Basic,
    Bearer,
}

pub(crate) const WAYS: [Way; 3] = [Way::Api, Way::Basic, Way::Bearer];

/// A device that logs all that it can, and proves itself this way.
pub(crate) fn device(hub: &HubEmulator, way: Way) -> Rig {
    let mut rig = match way {
        Way::Api => Rig::api(hub),
        Way::Basic => Rig::relay(hub, hub.relay_url(RelayPath::Enterprise)),
        Way::Bearer => Rig::relay(hub, hub.relay_url(RelayPath::Bearer)),
    };
    match way {
        Way::Api => rig.set_provision(),
        Way::Basic => {
            let file = rig.secret("password", PASSWORD);
            rig.set("hub.username", USER);
            rig.set("hub.password-file", file.display());
        }
        Way::Bearer => {
            let file = rig.secret("token", TOKEN);
            rig.set("hub.bearer-token-file", file.display());
        }
    }
    if let Some(tls) = hub.tls() {
        let (cert, key) =
            (rig.write("client.pem", &tls.client_cert_pem), rig.secret("client.key", &tls.client_key_pem));
        rig.set("hub.client-cert", cert.display());
        rig.set("hub.client-key", key.display());
    }
    rig.set("log.level", "trace");
    rig
}

/// The secrets in every form that they take.
pub(crate) fn needles(rig: &Rig) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut add = |name: &str, bytes: &[u8]| found.push((name.to_owned(), bytes.to_vec()));
    for (name, secret) in [("key", KEY), ("password", PASSWORD), ("token", TOKEN)] {
        add(name, secret.as_bytes());
        add(&format!("{name} in base64"), base64(secret).trim_end_matches('=').as_bytes());
        add(&format!("{name} in hex"), hex(secret).as_bytes());
        add(&format!("{name} in UTF-16"), &secret.bytes().flat_map(|byte| [byte, 0]).collect::<Vec<u8>>());
    }
    add("Basic credentials", base64(&format!("{USER}:{PASSWORD}")).as_bytes());
    let pem = fs::read_to_string(rig.path("client.key")).unwrap_or_default();
    for line in pem.lines().filter(|line| !line.starts_with('-') && line.len() > 20) {
        add("private key", line.as_bytes());
    }
    found
}

fn hex(text: &str) -> String {
    text.bytes().fold(String::new(), |all, byte| format!("{all}{byte:02x}"))
}

/// RFC 4648, for these few strings.
fn base64(text: &str) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    text.as_bytes().chunks(3).fold(String::new(), |mut all, chunk| {
        let bits = chunk.iter().fold(0_u32, |bits, &byte| bits << 8 | u32::from(byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let six = (bits >> (18 - 6 * place)) & 63;
            all.push(if place > chunk.len() { '=' } else { char::from(LETTERS[six as usize]) });
        }
        all
    })
}

pub(crate) fn contains(hay: &[u8], needle: &[u8]) -> bool {
    // The standard library's search for text is built with optimizations, this program is not.
    String::from_utf8_lossy(hay).contains(&*String::from_utf8_lossy(needle))
}

/// Fails if any of the secrets is in these bytes.
#[track_caller]
pub(crate) fn assert_clean(what: &str, bytes: &[u8], needles: &[(String, Vec<u8>)]) {
    let text = String::from_utf8_lossy(bytes);
    for (name, needle) in needles {
        assert!(!text.contains(&*String::from_utf8_lossy(needle)), "{what} holds the {name}: {text}");
    }
}

/// Fails if any file below the device's directory holds a secret, except their homes. Returns how many were read.
#[track_caller]
pub(crate) fn assert_files_clean(rig: &Rig, needles: &[(String, Vec<u8>)]) -> usize {
    fn walk(path: &Path, visit: &mut dyn FnMut(&Path)) {
        for entry in fs::read_dir(path).expect("a directory").flatten() {
            let kind = entry.file_type().expect("a type");
            if kind.is_dir() {
                walk(&entry.path(), visit);
            } else if kind.is_file() {
                visit(&entry.path());
            }
        }
    }
    let mut read = 0;
    walk(rig.dir(), &mut |path| {
        let home = path.parent() == Some(rig.dir()) && HOMES.iter().any(|home| path.ends_with(home));
        if !home {
            read += 1;
            assert_clean(&path.display().to_string(), &fs::read(path).expect("readable"), needles);
        }
    });
    read
}

#[test]
fn the_search_finds_what_it_looks_for() {
    assert_eq!(base64("gateway:x"), "Z2F0ZXdheTp4");
    assert_eq!((base64("a"), base64("ab")), ("YQ==".to_owned(), "YWI=".to_owned()));
    assert!(contains(format!("x{KEY}y").as_bytes(), KEY.as_bytes()) && !contains(b"", KEY.as_bytes()));
    assert_eq!(hex("aZ"), "615a");
}
