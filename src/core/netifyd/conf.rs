//! netifyd.conf: sections in brackets, `key = value`, comments with `#` or `;`, values that refer to others by `${key}`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The section that is read.
const SECTION: &str = "netifyd";
/// netifyd's own defaults.
const PERSISTENT: &str = "/etc/netifyd";
const VOLATILE: &str = "/var/run/netifyd";
/// Values that may refer to values: a chain, or a circle, of this many is none.
const DEEPEST: usize = 8;
/// Longest value in bytes, with all references filled in.
const LONGEST: usize = 4_096;

/// The settings of netifyd's own section.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conf(BTreeMap<String, String>);

/// Where netifyd's files are, as far as its configuration says so; [`None`] where it does not, or not as an absolute path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Paths {
    /// Its PID file.
    pub pid_file: Option<PathBuf>,
    /// Its control socket.
    pub socket: Option<PathBuf>,
    /// serial.uuid.
    pub serial: Option<PathBuf>,
    /// agent.uuid.
    pub agent: Option<PathBuf>,
    /// status.json.
    pub status: Option<PathBuf>,
    /// The license.
    pub license: Option<PathBuf>,
}

impl Conf {
    /// Reads a configuration. The error is the number of the first line, from 1, that is neither setting, section nor
    /// comment: netifyd itself does not start with such a file.
    pub fn parse(text: &str) -> Result<Self, usize> {
        let mut settings = BTreeMap::new();
        let mut is_ours = false;
        let mut last: Option<String> = None;
        for (number, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            let is_continued = line.starts_with([' ', '\t']);
            let line = line.trim();
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            // An indented line goes on with the value before it; none of ours has several lines.
            if is_continued && let Some(key) = &last {
                settings.remove(key);
                continue;
            }
            if let Some(name) = line.strip_prefix('[') {
                let Some((name, _)) = name.split_once(']') else { return Err(number + 1) };
                is_ours = name.trim().eq_ignore_ascii_case(SECTION);
                last = None;
                continue;
            }
            let Some((key, value)) = line.split_once(['=', ':']) else { return Err(number + 1) };
            let key = key.trim().to_ascii_lowercase();
            // A comment may follow a value, after a blank.
            let value = value.find(" ;").map_or(value, |at| &value[..at]).trim();
            if is_ours {
                last = Some(key.clone());
                settings.insert(key, value.to_owned());
            }
        }
        Ok(Self(settings))
    }

    /// The second file that netifyd reads as well.
    #[must_use]
    pub fn profile(&self) -> PathBuf {
        let directory = self.persistent().join("profiles.d");
        match self.value("profile") {
            Some(name) if name.starts_with('/') => PathBuf::from(name),
            Some(name) if !name.contains('/') && !name.is_empty() => {
                let file = directory.join(&name);
                if Path::new(&name).extension().is_some_and(|end| end == "conf") {
                    file
                } else {
                    directory.join(name + ".conf")
                }
            }
            _ => directory.join("00-default.conf"),
        }
    }

    /// Adds the settings of the profile; its paths of state are not netifyd's.
    #[must_use]
    pub fn with_profile(mut self, profile: &Self) -> Self {
        if let Some(socket) = profile.0.get("path_server_socket") {
            self.0.insert("path_server_socket".to_owned(), socket.clone());
        }
        self
    }

    /// Where the files are.
    #[must_use]
    pub fn paths(&self) -> Paths {
        let set = |key: &str| self.value(key).and_then(absolute);
        let below = |moved: bool, directory: PathBuf, name: &str| moved.then(|| directory.join(name));
        let [persists, is_volatile] = ["path_state_persistent", "path_state_volatile"].map(|key| set(key).is_some());
        let persistent = |name| below(persists, self.persistent(), name);
        let volatile = |name| below(is_volatile, self.volatile(), name);
        let either = |key: &str, or: Option<PathBuf>| if self.0.contains_key(key) { set(key) } else { or };
        Paths {
            pid_file: either("path_pid_file", volatile("netifyd.pid")),
            socket: either("path_server_socket", None),
            serial: either("path_uuid_serial", persistent("serial.uuid")),
            agent: either("path_uuid", persistent("agent.uuid")),
            status: either("path_agent_status", volatile("status.json")),
            license: persistent("license.json"),
        }
    }

    fn persistent(&self) -> PathBuf {
        self.value("path_state_persistent").and_then(absolute).unwrap_or_else(|| PERSISTENT.into())
    }

    fn volatile(&self) -> PathBuf {
        self.value("path_state_volatile").and_then(absolute).unwrap_or_else(|| VOLATILE.into())
    }

    /// A value with its references filled in; [`None`] where there is none, or one of them leads nowhere.
    fn value(&self, key: &str) -> Option<String> {
        self.fill_in(self.0.get(key)?, DEEPEST)
    }

    fn fill_in(&self, text: &str, deepest: usize) -> Option<String> {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once("${") {
            let (name, behind) = behind.split_once('}')?;
            filled.push_str(before);
            let value = match (self.0.get(name), name) {
                (Some(value), _) => self.fill_in(value, deepest.checked_sub(1)?)?,
                (None, "path_state_persistent") => PERSISTENT.to_owned(),
                (None, "path_state_volatile") => VOLATILE.to_owned(),
                // Others are built into netifyd, and not known here.
                (None, _) => return None,
            };
            filled.push_str(&value);
            rest = behind;
            if filled.len() > LONGEST {
                return None;
            }
        }
        filled.push_str(rest);
        (filled.len() <= LONGEST).then_some(filled)
    }
}

fn absolute(text: String) -> Option<PathBuf> {
    (text.starts_with('/') && !text.contains('\0')).then(|| PathBuf::from(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In the vendor's shape.
    const VENDOR: &str = "\u{feff}# Netify Agent\r\n[netifyd]\r\nauto_informatics = no\r\n\r\npath_state_volatile = /run/agent\r\n\
        path_state_persistent=/data/agent ; the flash\r\npath_pid_file = ${path_state_volatile}/agent.pid\r\n\
        ; path_uuid = /x\r\npath_uuid_serial = ${path_state_persistent}/serial.sh\r\n\
        path_license_manager = ${path_plugin_libdir}/libnetify-plm.so\r\n[capture-defaults]\r\nread_timeout = 500\r\n\
        [netify-api]\r\nenable = yes\r\npath_pid_file = /wrong\r\n";

    fn paths(text: &str) -> Paths {
        Conf::parse(text).expect("a configuration").paths()
    }

    #[test]
    fn the_vendors_shape_with_other_paths() {
        let conf = Conf::parse(VENDOR).expect("a configuration");
        assert_eq!(conf.profile(), Path::new("/data/agent/profiles.d/00-default.conf"));
        let profile = Conf::parse("[netifyd]\npath_server_socket = ${path_state_volatile}/agent.sock\nuser = netify\n");
        let found = conf.clone().with_profile(&profile.expect("a profile")).paths();
        let some = |path: &str| Some(PathBuf::from(path));
        assert_eq!(
            found,
            Paths {
                pid_file: some("/run/agent/agent.pid"),
                socket: some("/run/agent/agent.sock"),
                serial: some("/data/agent/serial.sh"),
                agent: some("/data/agent/agent.uuid"),
                status: some("/run/agent/status.json"),
                license: some("/data/agent/license.json"),
            }
        );
        assert_eq!(conf.paths().socket, None, "it stands in the profile");
        assert_eq!(paths("[netifyd]\n# all is as it was\n"), Paths::default());
    }

    #[test]
    fn profiles() {
        let profile = |value: &str| Conf::parse(&format!("[netifyd]\nprofile = {value}\n")).expect("fine").profile();
        assert_eq!(profile("10-tiny"), Path::new("/etc/netifyd/profiles.d/10-tiny.conf"));
        assert_eq!(profile("10-tiny.conf"), Path::new("/etc/netifyd/profiles.d/10-tiny.conf"));
        assert_eq!(profile("${path_state_persistent}/x"), Path::new("/etc/netifyd/x"));
        assert_eq!(profile("../x"), Path::new("/etc/netifyd/profiles.d/00-default.conf"));
    }

    #[test]
    fn what_leads_nowhere_changes_nothing() {
        for value in [
            "relative/x",
            "",
            "${path_plugin_libdir}/x",
            "${nothing}",
            "${path_pid_file}",
            "${open",
            "/a\n  b",
            "/x\0y",
        ] {
            assert_eq!(paths(&format!("[netifyd]\npath_pid_file = {value}\n")).pid_file, None, "{value:?}");
        }
        let circle = "[netifyd]\na = ${b}\nb = ${a}\npath_pid_file = ${a}\n";
        assert_eq!(paths(circle).pid_file, None);
        let wide = format!("[netifyd]\nb0 = {}\n", "x".repeat(100))
            + &(1..7).map(|n| format!("b{n} = {}\n", format!("${{b{}}}", n - 1).repeat(10))).collect::<String>()
            + "path_pid_file = /${b6}\n";
        assert_eq!(paths(&wide).pid_file, None, "ten million bytes");
    }

    #[test]
    fn a_broken_file_has_a_line() {
        assert_eq!(Conf::parse("[netifyd]\n\nno setting\n"), Err(3));
        assert_eq!(Conf::parse("[netifyd\n"), Err(1));
        assert_eq!(Conf::parse("a = 1\n= 2\n"), Ok(Conf::default()), "of no section");
    }

    /// Whatever is in the file, this ends, and names absolute paths only.
    #[test]
    fn any_text_is_survived() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let words = [
            "[",
            "]",
            "netifyd",
            "=",
            ":",
            "\n",
            " ",
            "${",
            "}",
            "path_pid_file",
            "path_state_volatile",
            "/",
            "#",
            ";",
            "\t",
            "a",
            "\u{fffd}",
            "\r",
        ];
        for _ in 0..20_000 {
            let mut text = String::from(if state % 2 == 0 { "[netifyd]\n" } else { "" });
            for _ in 0..24 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                text.push_str(words[usize::try_from(state >> 33).unwrap_or(0) % words.len()]);
            }
            let Ok(conf) = Conf::parse(&text) else { continue };
            let found = conf.paths();
            let all = [found.pid_file, found.socket, found.serial, found.agent, found.status, Some(conf.profile())];
            assert!(all.iter().flatten().all(|path| path.is_absolute()), "{text:?}");
        }
    }
}
