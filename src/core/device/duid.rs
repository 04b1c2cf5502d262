//! Which of a device's identifiers is its DUID.

use std::fmt;
use std::str::FromStr;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::core::text::hex;

/// A place where a device identifier can be found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// `device.duid` of the configuration.
    Configured,
    /// `device.duid-file`.
    File,
    /// `device.duid-command`.
    Command,
    /// `/etc/netifyd/serial.uuid`.
    NetifydSerial,
    /// `/etc/netifyd/agent.uuid`.
    NetifydAgent,
    /// DMI product UUID.
    Dmi,
    /// Serial number of the device tree.
    DeviceTree,
    /// Derived from `/etc/machine-id`; never the id itself.
    MachineId,
    /// Hardware address of an interface.
    Mac(String),
}

impl Source {
    /// Whether the configuration sets it instead of naming places to look at.
    #[must_use]
    pub const fn is_set(&self) -> bool {
        matches!(self, Self::Configured | Self::File | Self::Command)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Configured => "device.duid",
            Self::File => "device.duid-file",
            Self::Command => "device.duid-command",
            Self::NetifydSerial => "netifyd-serial",
            Self::NetifydAgent => "netifyd-agent",
            Self::Dmi => "dmi",
            Self::DeviceTree => "device-tree",
            Self::MachineId => "machine-id",
            Self::Mac(interface) => return write!(f, "mac:{interface}"),
        })
    }
}

impl FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "netifyd-serial" => Self::NetifydSerial,
            "netifyd-agent" => Self::NetifydAgent,
            "dmi" => Self::Dmi,
            "device-tree" => Self::DeviceTree,
            "machine-id" => Self::MachineId,
            _ => match text.strip_prefix("mac:") {
                // dev_valid_name() of the kernel: at most 15 bytes, no slash, not a dot name.
                Some(name)
                    if !name.is_empty() && name.len() < 16 && !name.contains(['/', ' ']) && !name.starts_with('.') =>
                {
                    Self::Mac(name.to_owned())
                }
                _ => {
                    return Err(format!(
                        "`{text}` is no source of a device id; known are netifyd-serial, netifyd-agent, dmi, device-tree, machine-id and mac:IFACE"
                    ));
                }
            },
        })
    }
}

/// What a source holds: its text, or why it has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The source.
    pub source: Source,
    /// Raw content, or one clause why it could not be read.
    pub content: Result<Vec<u8>, String>,
}

/// The judgement of one source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// The source.
    pub source: Source,
    /// The id it gives, or one clause why it gives none.
    pub duid: Result<String, String>,
}

/// Judges all readings, in order; the first usable one wins.
#[must_use]
pub fn judge(readings: &[Reading]) -> Vec<Judged> {
    let judge = |reading: &Reading| {
        let content = reading.content.as_ref().map_err(Clone::clone);
        Judged { source: reading.source.clone(), duid: content.and_then(|content| usable(&reading.source, content)) }
    };
    readings.iter().map(judge).collect()
}

/// The winner of [`judge`].
#[must_use]
pub fn winner(judged: &[Judged]) -> Option<(&str, &Source)> {
    judged.iter().find_map(|entry| Some((entry.duid.as_deref().ok()?, &entry.source)))
}

/// One sentence when no source is usable.
#[must_use]
pub fn none_usable(judged: &[Judged]) -> String {
    let reasons: Vec<String> =
        judged.iter().filter_map(|entry| Some(format!("{}: {}", entry.source, entry.duid.as_ref().err()?))).collect();
    let why = if reasons.is_empty() { "device.sources is empty".to_owned() } else { reasons.join("; ") };
    format!("no source gives a device id ({why}); set device.duid in the configuration")
}

/// Whether two spellings may mean the same device: they differ only in case, dashes, braces, `urn:uuid:` or outer white
/// space. For looking alone: a license is bound to one spelling.
#[must_use]
pub fn is_spelled_alike(a: &str, b: &str) -> bool {
    let plain = |text: &str| {
        let text = text.trim().to_ascii_lowercase();
        let text = text.strip_prefix("urn:uuid:").unwrap_or(&text);
        let text = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or(text);
        text.chars().filter(|c| *c != '-').collect::<String>()
    };
    let (a, b) = (plain(a), plain(b));
    !a.is_empty() && a == b
}

fn usable(source: &Source, content: &[u8]) -> Result<String, String> {
    let text = std::str::from_utf8(content).map_err(|_| "not text".to_owned())?;
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
    if text.is_empty() {
        return Err("empty".to_owned());
    }
    if text.len() > 128 || !text.bytes().all(|b| b.is_ascii_graphic()) {
        return Err("not 1 to 128 printable ASCII characters without spaces".to_owned());
    }
    match source {
        Source::NetifydSerial if text == "-" => Err("netifyd's null serial".to_owned()),
        Source::NetifydAgent if text == "00-00-00-00" => Err("netifyd's null id".to_owned()),
        Source::Dmi | Source::DeviceTree if is_junk(text) => {
            Err(format!("{text} is a placeholder shared by many boards"))
        }
        Source::Mac(_) if is_junk(text) => Err("no hardware address".to_owned()),
        Source::MachineId => application_id(text),
        _ => Ok(text.to_owned()),
    }
}

/// Identifiers that boards share, without punctuation, in lower case.
const PLACEHOLDERS: [&str; 12] = [
    "03000200040005000006000700080009",
    "00020003000400050006000700080009",
    "0123456789",
    "123456789",
    "1234567890",
    "0123456789abcdef",
    "00112233445566778899aabbccddeeff",
    "123456781234567812345678123456781234567812345678",
    "12345678123412341234123456789abc",
    "12345678123456781234567812345678",
    "none",
    "notspecified",
];

/// Values that vendors leave in: one digit repeated, a counting pattern, words for "nothing".
fn is_junk(text: &str) -> bool {
    let plain: String = text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let uniform = plain.bytes().all(|b| Some(&b) == plain.as_bytes().first());
    let words = ["tobefilled", "defaultstring", "notapplicable", "systemserial", "serialnumber", "unknown", "invalid"];
    plain.len() < 4
        || uniform
        || PLACEHOLDERS.contains(&plain.as_str())
        || words.iter().any(|word| plain.starts_with(word))
}

/// An id for this application alone, as machine-id(5) asks for: HMAC-SHA256 keyed by the machine id, shaped as a
/// version 4 UUID.
fn application_id(machine_id: &str) -> Result<String, String> {
    if machine_id.len() != 32 || !machine_id.bytes().all(|b| b.is_ascii_hexdigit()) || is_junk(machine_id) {
        return Err("not an initialized machine id".to_owned());
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(machine_id.to_ascii_lowercase().as_bytes())
        .map_err(|_| "not an initialized machine id".to_owned())?;
    mac.update(b"netify-licensed device id 1");
    let digest = mac.finalize().into_bytes();
    let mut id: Vec<u8> = digest[..16].to_vec();
    id[6] = id[6] & 0x0f | 0x40;
    id[8] = id[8] & 0x3f | 0x80;
    let text = hex(&id);
    Ok([&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]].join("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[allow(clippy::needless_pass_by_value, reason = "reads better in tables")]
    fn one(source: Source, content: &str) -> Result<String, String> {
        usable(&source, content.as_bytes())
    }

    #[test]
    fn spellings_of_one_device_are_recognized() {
        let duid = "4c4c4544-0042-3510-8052-b4c04f4d3733";
        for spelling in [
            duid.to_uppercase(),
            duid.replace('-', ""),
            format!("{{{duid}}}"),
            format!("urn:uuid:{duid}"),
            format!("URN:UUID:{{{}}}", duid.to_uppercase()),
            format!(" {duid}\n"),
        ] {
            assert!(is_spelled_alike(duid, &spelling), "{spelling}");
        }
        for other in ["", "-", "{}", "4c4c4544-0042-3510-8052-b4c04f4d3734", "x4c4c4544-0042-3510-8052-b4c04f4d3733"] {
            assert!(!is_spelled_alike(duid, other), "{other}");
        }
        assert!(!is_spelled_alike("", "") && !is_spelled_alike("--", "-"));
    }

    #[test]
    fn first_usable_wins() {
        let readings = [
            Reading { source: Source::NetifydSerial, content: Ok(b"-\n".to_vec()) },
            Reading { source: Source::Dmi, content: Err("/sys/class/dmi/id/product_uuid: not found".to_owned()) },
            Reading { source: Source::DeviceTree, content: Ok(b"100000003d1d2e3f\0".to_vec()) },
            Reading { source: Source::MachineId, content: Ok(b"0123456789abcdef0123456789abcde0\n".to_vec()) },
        ];
        let judged = judge(&readings);
        assert_eq!(winner(&judged), Some(("100000003d1d2e3f", &Source::DeviceTree)));
        assert_eq!([Source::Command, Source::Dmi].map(|source| source.is_set()), [true, false]);
        assert!(none_usable(&[]).contains(" (device.sources is empty); "));
        assert!(none_usable(&judge(&readings[..2])).contains("netifyd-serial: netifyd's null serial; dmi: /sys"));
    }

    #[test]
    fn junk_is_refused() {
        for junk in [
            "00000000-0000-0000-0000-000000000000",
            "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF",
            "03000200-0400-0500-0006-000700080009",
            "00020003-0004-0005-0006-000700080009",
            "To be filled by O.E.M.",
            "Default string",
            "0123456789",
            "12345678-1234-5678-1234-567812345678",
            "None",
        ] {
            assert!(one(Source::Dmi, junk).is_err(), "{junk}");
        }
        for short in ["n/a", "-", "...."] {
            assert!(one(Source::DeviceTree, short).is_err(), "{short}");
        }
        assert_eq!(one(Source::NetifydSerial, "AI-7B-3C-44\n").as_deref(), Ok("AI-7B-3C-44"));
        assert_eq!(one(Source::NetifydAgent, "7B-3C-44-1D").as_deref(), Ok("7B-3C-44-1D"));
        assert!(one(Source::Dmi, "4c4c4544-0042-3510-8052-b4c04f4d3733\n").is_ok());
        assert!(one(Source::Dmi, "A-1B2").is_ok() && one(Source::Dmi, "A-1B").is_err());
        assert!(one(Source::Mac("eth0".to_owned()), "00:00:00:00:00:00").is_err());
        assert_eq!(one(Source::Mac("eth0".to_owned()), "52:54:00:12:34:56\n").as_deref(), Ok("52:54:00:12:34:56"));
        assert!(one(Source::NetifydAgent, "00-00-00-00").is_err());
        assert!(one(Source::File, "").is_err());
        assert!(one(Source::File, "a b").is_err());
        assert!(one(Source::File, &"x".repeat(128)).is_ok());
        assert!(one(Source::File, &"x".repeat(129)).is_err());
        assert!(usable(&Source::File, b"\xff").is_err());
    }

    #[test]
    fn the_machine_id_never_leaves_the_device() {
        let raw = "b642b4217b34b1e8d3bd915fc65c4452";
        let derived = one(Source::MachineId, raw).expect("derived");
        assert_eq!(derived.len(), 36);
        // As Python's hmac and hashlib have it; devices that were licensed by it keep it.
        let known = one(Source::MachineId, "0123456789abcdef0123456789abcde0");
        assert_eq!(known.as_deref(), Ok("0cf136f3-8073-413b-9266-7cc618ecc711"));
        assert!(!derived.replace('-', "").contains(&raw[..8]));
        assert_eq!(derived, one(Source::MachineId, &raw.to_uppercase()).expect("derived"), "stable");
        assert_ne!(derived, one(Source::MachineId, "b642b4217b34b1e8d3bd915fc65c4453").expect("derived"));
        let no_hex = "b642b4217b34b1e8d3bd915fc65c445z";
        for bad in ["uninitialized", "", "b642", "00000000000000000000000000000000", no_hex] {
            assert!(one(Source::MachineId, bad).is_err());
        }
    }

    #[test]
    fn sources_have_names() {
        for name in ["netifyd-serial", "netifyd-agent", "dmi", "device-tree", "machine-id", "mac:eth0"] {
            assert_eq!(name.parse::<Source>().map(|s| s.to_string()).as_deref(), Ok(name));
        }
        for bad in ["", "mac:", "mac:../x", "DMI", "mac:a/b", "mac:.x", "mac:a b", "mac:abcdefghijklmnop"] {
            assert!(bad.parse::<Source>().is_err(), "{bad}");
        }
    }
}
