//! netifyd's own status.json: what it says, and whether it is this netifyd's word of this minute.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::core::text::one_line;
use crate::core::time::{Millis, WallTime};

/// netifyd writes the file every 15 s, and leaves it behind when it stops.
const OLDEST: Millis = 60_000;
/// A file that began this much before the process did is a predecessor's. The kernel counts in hundredths of a second,
/// netifyd in seconds.
const LEEWAY: Millis = 3_000;

/// netifyd itself; members are null where they are not known. All but the first are from its own status.json, while that is
/// its own and not older than a minute.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NetifydStatus {
    /// Whether it runs.
    pub running: Option<bool>,
    /// Its version.
    pub version: Option<String>,
    /// Whether it has loaded the license manager's library; nothing about the license.
    pub license_manager: Option<bool>,
    /// Its signatures.
    pub signatures: Option<NetifydSignatures>,
    /// What the vendor's API answered it.
    pub bootstrap: Option<NetifydBootstrap>,
}

/// How many signatures netifyd has loaded.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NetifydSignatures {
    /// Their version.
    pub version: Option<String>,
    /// Applications.
    pub apps: Option<u64>,
    /// Domains.
    pub domains: Option<u64>,
    /// Networks.
    pub networks: Option<u64>,
}

/// What the vendor's API answered netifyd.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NetifydBootstrap {
    /// Its code.
    pub code: Option<i64>,
    /// In its words.
    pub message: Option<String>,
}

/// What this status.json says, read at `now` beside a netifyd of this age. The rest of what is known stays unknown where the
/// file is too old, of another process, or none at all.
#[must_use]
pub fn own_words(bytes: &[u8], now: WallTime, age: Option<Millis>) -> NetifydStatus {
    let nothing = NetifydStatus { running: age.map(|_| true), ..NetifydStatus::default() };
    let Ok(json) = serde_json::from_slice::<Value>(bytes) else { return nothing };
    let seconds = |key: &str| json.get(key).and_then(Value::as_i64).filter(|n| (0..=1 << 40).contains(n));
    let (Some(written), Some(uptime)) = (seconds("timestamp"), seconds("uptime")) else { return nothing };
    let written = WallTime::from_unix(written);
    // A clock that was set back makes a file look as if it came from the future.
    if !(-OLDEST..=OLDEST).contains(&now.since(written)) {
        return nothing;
    }
    let began = written.plus(-uptime * 1_000);
    if age.is_some_and(|age| now.plus(-age).since(began) > LEEWAY) {
        return nothing;
    }
    let text = |value: &Value| value.as_str().map(one_line);
    let signatures = json.get("signatures").filter(|value| value.is_object()).map(|value| NetifydSignatures {
        version: value.get("version").and_then(text),
        apps: value.get("apps").and_then(Value::as_u64),
        domains: value.get("domains").and_then(Value::as_u64),
        networks: value.get("networks").and_then(Value::as_u64),
    });
    let bootstrap = json.pointer("/netify_api/bootstrap").filter(|value| value.is_object());
    NetifydStatus {
        version: json.get("agent_version").and_then(text),
        license_manager: json.get("license_manager").and_then(Value::as_bool),
        signatures,
        bootstrap: bootstrap.map(|value| NetifydBootstrap {
            code: value.get("code").and_then(Value::as_i64),
            message: value.get("message").and_then(text),
        }),
        ..nothing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: WallTime = WallTime::from_unix(1_796_051_880);
    /// As netifyd 5.0.7 wrote it, shortened, with what 5.2.8 adds.
    const FILE: &str = r#"{"agent_version":"5.2.8","license_manager":false,"signatures":{"apps":199,"domains":3374,
        "networks":783,"soft_dissectors":26,"transforms":0,"version":"v1"},"timestamp":1796051875,"type":"agent_status",
        "update_interval":15,"uptime":15,"netify_api":{"bootstrap":{"code":7,"message":"no\u001b license","last_update":1}}}"#;

    fn version(file: &str, now: WallTime, age: Option<Millis>) -> Option<String> {
        own_words(file.as_bytes(), now, age).version
    }

    #[test]
    fn what_it_says() {
        let seen = own_words(FILE.as_bytes(), NOW, Some(21_000));
        assert_eq!(
            (seen.running, seen.version.as_deref(), seen.license_manager),
            (Some(true), Some("5.2.8"), Some(false))
        );
        let signatures = seen.signatures.expect("signatures");
        assert_eq!(
            (signatures.version.as_deref(), signatures.apps, signatures.domains),
            (Some("v1"), Some(199), Some(3_374))
        );
        let bootstrap = seen.bootstrap.expect("the vendor's API");
        assert_eq!((bootstrap.code, bootstrap.message.as_deref()), (Some(7), Some("no license")), "cleaned");
        let older = own_words(br#"{"agent_version":"5.0.7","timestamp":1796051875,"uptime":15}"#, NOW, None);
        assert_eq!((older.running, older.version.as_deref(), older.license_manager), (None, Some("5.0.7"), None));
    }

    #[test]
    fn an_old_file_or_another_process_s_says_nothing() {
        assert!(version(FILE, NOW.plus(54_000), Some(75_000)).is_some());
        assert_eq!(version(FILE, NOW.plus(56_000), Some(77_000)), None, "older than a minute");
        assert_eq!(version(FILE, NOW.plus(-70_000), None), None, "from the future");
        assert_eq!(version(FILE, NOW, Some(10_000)), None, "it began before this process did");
        assert!(version(FILE, NOW, Some(18_000)).is_some(), "within what clocks are good for");
        assert!(version(FILE, NOW, Some(500_000)).is_some(), "a restart within the process counts anew");
    }

    #[test]
    fn any_bytes_will_do() {
        let files: [&[u8]; 8] = [
            b"",
            b"{",
            b"[]",
            b"null",
            b"\xff",
            br#"{"timestamp":9e99,"uptime":1}"#,
            br#"{"timestamp":9223372036854775807,"uptime":9223372036854775807}"#,
            br#"{"timestamp":1796051875,"uptime":-1}"#,
        ];
        for file in files {
            let seen = own_words(file, NOW, Some(1_000));
            assert_eq!(seen, NetifydStatus { running: Some(true), ..NetifydStatus::default() });
        }
        let odd = r#"{"timestamp":1796051875,"uptime":1,"agent_version":5,"license_manager":"yes","signatures":[],
            "netify_api":{"bootstrap":7}}"#;
        assert_eq!(own_words(odd.as_bytes(), NOW, None), NetifydStatus::default());
    }
}
