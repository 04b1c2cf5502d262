//! The control socket's language: JSON lines, version 1. One request a connection, one answer.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::core::engine::{Reply, Request};
use crate::core::report::status::Status;
use crate::core::text::{self, clean_lines, clean_value, one_line};

/// Version of the protocol.
pub const VERSION: u32 = 1;
/// Longest request line in bytes: a license of the greatest size fits.
pub const MAX_LINE: usize = 96 * 1024;

/// What a `retire` is answered that would end with a file that stays.
pub const RETIRE_AS_ROOT: &str = "nothing was done: only root can have the license file removed; run `netify-licensed retire` as root, or with --keep-file";

/// A request line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    v: u32,
    #[serde(flatten)]
    command: Command,
}

/// What can be asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case")]
pub enum Command {
    /// The status document.
    Status,
    /// The status as `OpenMetrics` text.
    Metrics,
    /// Read the configuration again.
    ReloadConfig,
    /// Read the license file again.
    ReRead,
    /// Renew.
    Renew {
        /// Only when due.
        #[serde(default, alias = "if-due")]
        if_due: bool,
        /// Change nothing.
        #[serde(default, alias = "dry-run")]
        dry_run: bool,
        /// Take a license that entitles to less, or to something else. Left out where it is false, so that an older
        /// daemon understands the request.
        #[serde(default, alias = "accept-changes", skip_serializing_if = "std::ops::Not::not")]
        accept_changes: bool,
    },
    /// Install a license.
    Install {
        /// The document in base64, so that its bytes stay what they are.
        license: String,
        /// Allow an older or different serial.
        #[serde(default)]
        force: bool,
    },
    /// Choose this device's id anew.
    Repin,
    /// Create a license for this device.
    Provision,
    /// Give the license back.
    Retire {
        /// Leave the file.
        #[serde(default, alias = "keep-file")]
        keep_file: bool,
    },
}

impl Command {
    /// The request for the engine; the rest is answered by the daemon itself.
    pub fn request(self) -> Result<Option<Request>, String> {
        Ok(Some(match self {
            Self::Status | Self::Metrics | Self::ReloadConfig => return Ok(None),
            Self::ReRead => Request::Reread,
            Self::Repin => Request::Repin,
            Self::Renew { if_due, dry_run, accept_changes } => Request::Renew { if_due, dry_run, accept_changes },
            Self::Install { license, force } => {
                let bytes = STANDARD.decode(&license).map_err(|_| "`license` is not standard base64".to_owned())?;
                Request::Install { bytes, force }
            }
            Self::Provision => Request::Provision,
            Self::Retire { keep_file } => Request::Retire { keep_file },
        }))
    }

    /// The command for a request.
    #[must_use]
    pub fn of(request: &Request) -> Self {
        match request {
            Request::Reread => Self::ReRead,
            Request::Repin => Self::Repin,
            Request::Renew { if_due, dry_run, accept_changes } => {
                Self::Renew { if_due: *if_due, dry_run: *dry_run, accept_changes: *accept_changes }
            }
            Request::Install { bytes, force } => Self::Install { license: STANDARD.encode(bytes), force: *force },
            Request::Provision => Self::Provision,
            Request::Retire { keep_file } => Self::Retire { keep_file: *keep_file },
        }
    }

    /// What it can be given. A client may write them as the command line does, too: `dry-run` for `dry_run`.
    const fn members(&self) -> &'static [&'static str] {
        match self {
            Self::Renew { .. } => &["if_due", "dry_run", "accept_changes"],
            Self::Install { .. } => &["license", "force"],
            Self::Retire { .. } => &["keep_file"],
            Self::Status | Self::Metrics | Self::ReloadConfig | Self::ReRead | Self::Repin | Self::Provision => &[],
        }
    }

    /// The request line, without its newline.
    #[must_use]
    pub fn line(self) -> String {
        serde_json::to_string(&Line { v: VERSION, command: self }).unwrap_or_default()
    }
}

/// Reads a request line.
pub fn parse(line: &[u8]) -> Result<Command, String> {
    let not_one =
        || format!("not a request; write one line of JSON such as {{\"v\":{VERSION},\"command\":\"status\"}}");
    let Ok(Value::Object(mut members)) = serde_json::from_slice(line) else { return Err(not_one()) };
    let version = members.remove("v").as_ref().and_then(Value::as_u64).ok_or_else(not_one)?;
    if version != u64::from(VERSION) {
        return Err(format!("version {version} of the protocol is not spoken here, only {VERSION}"));
    }
    let given: Vec<String> = members.keys().cloned().collect();
    let command: Command = serde_json::from_value(Value::Object(members))
        .map_err(|error| format!("not a request: {}", one_line(&error.to_string())))?;
    // A misspelled `dry_run` must not become a real renewal.
    let known = command.members();
    match given.iter().find(|name| *name != "command" && !known.contains(&name.replace('-', "_").as_str())) {
        None => Ok(command),
        Some(unknown) => {
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            Err(format!("not a request: unknown member `{}`; this command's members: {known}", one_line(unknown)))
        }
    }
}

/// An answer line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// [`VERSION`].
    pub v: u32,
    /// Exit code for the command that asked.
    pub exit: u8,
    /// One or two sentences.
    pub message: String,
    /// For [`Command::Status`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Box<Status>>,
    /// For [`Command::Metrics`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<String>,
}

impl Answer {
    /// An answer in words.
    #[must_use]
    pub fn words(exit: u8, message: impl Into<String>) -> Self {
        Self { v: VERSION, exit, message: message.into(), status: None, metrics: None }
    }

    /// Reads an answer line. The daemon may be taken over, and root reads what it says on a terminal: so all of its text
    /// is cleaned here, whatever member it stands in.
    #[must_use]
    pub fn read(line: &[u8]) -> Option<Self> {
        let mut members = serde_json::from_slice::<Value>(line).ok()?;
        let lines = |members: &Value, name: &str| members.get(name)?.as_str().map(clean_lines);
        let (message, metrics) = (lines(&members, "message"), lines(&members, "metrics"));
        clean_value(&mut members);
        let answer: Self = serde_json::from_value(members).ok()?;
        // These two have lines.
        Some(Self { message: message.unwrap_or_default(), metrics, ..answer })
    }

    /// The answer line, with its newline.
    #[must_use]
    pub fn line(&self) -> String {
        let mut line = text::json(self);
        line.push('\n');
        line
    }
}

impl From<Reply> for Answer {
    fn from(reply: Reply) -> Self {
        Self::words(reply.exit, reply.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_survive_the_wire() {
        for request in [
            Request::Reread,
            Request::Renew { if_due: true, dry_run: false, accept_changes: false },
            Request::Install { bytes: b"{\"a\": 1}\n\xff".to_vec(), force: true },
            Request::Provision,
            Request::Retire { keep_file: true },
        ] {
            let line = Command::of(&request).line();
            assert_eq!(parse(line.as_bytes()).and_then(Command::request), Ok(Some(request)), "{line}");
        }
        assert_eq!(parse(br#"{"v":1,"command":"status"}"#), Ok(Command::Status));
        assert_eq!(
            parse(br#"{"v":1,"command":"renew","if_due":true}"#),
            Ok(Command::Renew { if_due: true, dry_run: false, accept_changes: false })
        );
    }

    #[test]
    fn answers_are_one_line() {
        let line = Answer::words(3, "two\nlines").line();
        assert_eq!(line, "{\"v\":1,\"exit\":3,\"message\":\"two\\nlines\"}\n");
    }

    #[test]
    fn no_member_of_an_answer_acts_on_a_terminal() {
        let hostile = "a\u{1b}[2J\u{9b}\u{202e}\r\nb";
        let mut status = crate::core::report::check::tests::status(crate::core::license::verify::State::Valid);
        for text in [&mut status.version, &mut status.reload.method, &mut status.clock.why, &mut status.hub.url] {
            hostile.clone_into(text);
        }
        status.renewal.reason = Some(hostile.to_owned());
        status.device.source = Some(hostile.to_owned());
        let sent =
            Answer { status: Some(Box::new(status)), metrics: Some(hostile.to_owned()), ..Answer::words(1, hostile) };
        let read = Answer::read(serde_json::to_string(&sent).expect("JSON").as_bytes()).expect("an answer");
        assert_eq!((read.message.as_str(), read.metrics.as_deref()), ("a[2J\nb", Some("a[2J\nb")));
        let status = read.status.expect("a status");
        for text in [status.version, status.reload.method, status.clock.why, status.hub.url] {
            assert_eq!(text, "a[2Jb");
        }
        assert_eq!((status.renewal.reason.as_deref(), status.device.source.as_deref()), (Some("a[2Jb"), Some("a[2Jb")));
        assert_eq!(Answer::read(b"[]"), None);
    }

    #[test]
    fn members_may_be_written_as_on_the_command_line() {
        let renew = Command::Renew { if_due: true, dry_run: true, accept_changes: false };
        assert_eq!(parse(br#"{"v":1,"command":"renew","if-due":true,"dry-run":true}"#), Ok(renew));
        let retire = Command::Retire { keep_file: true };
        assert_eq!(parse(br#"{"v":1,"command":"retire","keep-file":true}"#), Ok(retire));
    }

    #[test]
    fn nothing_that_was_asked_for_is_left_out() {
        for (line, unknown) in [
            (r#"{"v":1,"command":"renew","dry_rum":true}"#, "dry_rum"),
            (r#"{"v":1,"command":"renew","dryrun":true}"#, "dryrun"),
            (r#"{"v":1,"command":"renew","force":true}"#, "force"),
            (r#"{"v":1,"command":"install","license":"e30=","Force":true}"#, "Force"),
            (r#"{"v":1,"command":"retire","keep_files":true}"#, "keep_files"),
            (r#"{"v":1,"command":"provision","dry_run":true}"#, "dry_run"),
            (r#"{"v":1,"command":"status","\u001b[31m":0}"#, "[31m"),
        ] {
            let refusal = parse(line.as_bytes()).expect_err("refused");
            assert!(refusal.contains(&format!("unknown member `{unknown}`; this command's members: ")), "{refusal}");
        }
        // Both spellings at once could contradict each other.
        let twice = parse(br#"{"v":1,"command":"renew","dry_run":true,"dry-run":false}"#).expect_err("refused");
        assert!(twice.contains("duplicate"), "{twice}");
    }

    #[test]
    fn nonsense_is_refused_in_words() {
        for (line, expected) in [
            (&b""[..], "one line of JSON"),
            (b"[]", "one line of JSON"),
            (b"[1]", "not a request"),
            (br#"{"v":2,"command":"status"}"#, "version 2"),
            (br#"{"v":1}"#, "not a request"),
            (br#"{"v":1,"command":"rm"}"#, "not a request"),
            (b"\xff\xfe", "one line of JSON"),
        ] {
            let refusal = parse(line).expect_err("refused");
            assert!(refusal.contains(expected), "{refusal}");
        }
        let bad = Command::Install { license: "!".to_owned(), force: false };
        assert!(bad.request().is_err());
    }

    #[test]
    fn the_largest_license_fits() {
        let bytes = vec![b'x'; crate::core::license::json::MAX_BYTES];
        assert!(Command::of(&Request::Install { bytes, force: true }).line().len() < MAX_LINE);
    }
}
