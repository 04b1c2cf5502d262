//! Reading the license as netifyd does: shared lock, whole file, valid JSON.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// More than any license has; what is larger is refused instead of read.
const MAX_BYTES: u64 = 1024 * 1024;

/// What was loaded.
#[derive(Debug, Clone)]
pub(crate) struct Loaded {
    serial: Option<String>,
    expires: Option<i64>,
    sha256: String,
    bytes: usize,
}

impl Loaded {
    /// The members of a `loaded` event and of the `status` reply.
    pub(crate) fn to_json(&self) -> Value {
        json!({ "serial": self.serial, "expires": self.expires, "sha256": self.sha256, "bytes": self.bytes })
    }
}

/// Reads the license at `path`; waits while another process holds an exclusive lock on it. The error is a sentence.
pub(crate) fn load(path: &Path) -> Result<Loaded, String> {
    let bytes = read_locked(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(format!("{} is larger than {MAX_BYTES} bytes", path.display()));
    }
    let value: Value =
        serde_json::from_slice(&bytes).map_err(|error| format!("{} is not JSON: {error}", path.display()))?;
    let Some(license) = value.as_object() else {
        return Err(format!("{} is not a JSON object", path.display()));
    };
    let expiry = license.get("expire_at");
    let expires = expiry.and_then(|date| date.get("unix").or_else(|| date.get("unix_time")));
    Ok(Loaded {
        serial: license.get("serial").and_then(Value::as_str).map(str::to_owned),
        expires: expires.and_then(Value::as_i64),
        sha256: hex(&Sha256::digest(&bytes)),
        bytes: bytes.len(),
    })
}

fn read_locked(path: &Path) -> std::io::Result<Vec<u8>> {
    let file = File::open(path)?;
    // flock(2); released when the file is closed.
    file.lock_shared()?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loaded(text: &str) -> Result<Value, String> {
        let dir = test_support::temp_dir().unwrap();
        let path = dir.path().join("license.json");
        std::fs::write(&path, text).unwrap();
        load(&path).map(|loaded| loaded.to_json())
    }

    #[test]
    fn both_spellings_of_the_expiry_are_read() {
        for member in ["unix", "unix_time"] {
            let value = loaded(&format!(r#"{{"serial":"s","expire_at":{{"{member}":5}}}}"#)).unwrap();
            assert_eq!((value["expires"].as_i64(), value["serial"].as_str()), (Some(5), Some("s")));
        }
    }

    #[test]
    fn any_json_object_will_do() {
        let value = loaded("{}").unwrap();
        assert!(value["serial"].is_null() && value["expires"].is_null());
        assert_eq!(value["sha256"], "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
    }

    #[test]
    fn anything_else_is_an_error() {
        for text in ["", "{", "[]", "<html>", "{\"a\":1}x"] {
            assert!(loaded(text).is_err(), "{text:?}");
        }
        assert!(loaded(&format!("[{}]", " ".repeat(1 << 20))).unwrap_err().contains("larger"));
    }
}
