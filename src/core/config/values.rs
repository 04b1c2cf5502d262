//! Values that check themselves while they are read, so that an error points at its line.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use url::{Host, Url};

use crate::core::device::duid::Source;
use crate::core::time::{Millis, parse_delay, parse_span};

macro_rules! checked_text {
    ($(#[$doc:meta])* $name:ident($inner:ty), $parse:expr, $write:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Deserialize, Serialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name($inner);

        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                let parse: fn(String) -> Result<$inner, String> = $parse;
                parse(text).map(Self)
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                let write: fn(&$inner) -> String = $write;
                write(&value.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&String::from(self.clone()))
            }
        }
    };
}

checked_text!(
    /// An absolute path. What is none is not quoted: it may be a secret that was put in the place of its file.
    AbsolutePath(PathBuf),
    |text| if Path::new(&text).is_absolute() && !text.contains('\0') { Ok(PathBuf::from(text)) } else { Err("not an absolute path; write the path of the file from the root".to_owned()) },
    |path| path.display().to_string()
);

impl AbsolutePath {
    pub(super) fn fixed(path: &'static str) -> Self {
        Self(PathBuf::from(path))
    }

    /// The path.
    #[must_use]
    pub fn as_path(&self) -> &Path {
        &self.0
    }

    /// A copy of the path.
    #[must_use]
    pub fn to_path_buf(&self) -> PathBuf {
        self.0.clone()
    }
}

/// A duration as it was written, with its length in milliseconds.
#[derive(Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span {
    text: String,
    millis: Millis,
}

impl Span {
    pub(super) fn fixed(text: &'static str) -> Self {
        Self { text: text.to_owned(), millis: parse_span(text).unwrap_or(1) }
    }

    /// Length in milliseconds; at least 1.
    #[must_use]
    pub const fn millis(&self) -> Millis {
        self.millis
    }

    /// As the standard library wants it.
    #[must_use]
    pub fn duration(&self) -> std::time::Duration {
        std::time::Duration::from_millis(self.millis.unsigned_abs())
    }
}

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        parse_span(&text).map(|millis| Self { text, millis })
    }
}

impl From<Span> for String {
    fn from(span: Span) -> Self {
        span.text
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A duration that may be zero: nothing is waited for.
#[derive(Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Delay(Span);

impl Delay {
    pub(super) fn fixed(text: &'static str) -> Self {
        Self(Span::fixed(text))
    }

    /// Length in milliseconds.
    #[must_use]
    pub const fn millis(&self) -> Millis {
        self.0.millis
    }
}

impl TryFrom<String> for Delay {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        parse_delay(&text).map(|millis| Self(Span { text, millis }))
    }
}

impl From<Delay> for String {
    fn from(delay: Delay) -> Self {
        delay.0.text
    }
}

impl fmt::Debug for Delay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The hub's base URL or the relay's URL: `https`, `http` to a loopback address, or `unix:/socket` with or without
/// `:/path` behind it; without credentials.
#[derive(Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct HubUrl {
    url: Url,
    socket: Option<PathBuf>,
}

impl TryFrom<String> for HubUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if let Some(place) = text.strip_prefix("unix:") {
            return Self::of_socket(place);
        }
        let url = parse_url(&text)?;
        // First of all: no later message may quote a password.
        if !url.username().is_empty() || url.password().is_some() {
            let mut right = url.clone();
            // A URL with a host can lose both.
            let _ = (right.set_username(""), right.set_password(None));
            return Err(format!(
                "credentials do not belong into the URL; write {}, and set hub.username and hub.password-file",
                quoted(right.as_str())
            ));
        }
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(&url) => {}
            "http" => {
                return Err(format!(
                    "{} would send the API key in the clear; write https:// (plain http:// is accepted for loopback addresses only)",
                    quoted(&text)
                ));
            }
            other => return Err(format!("{} has scheme {other}; write an https:// URL", quoted(&text))),
        }
        if url.fragment().is_some() {
            let mut right = url;
            right.set_fragment(None);
            return Err(format!("a URL with a fragment (#…) cannot be requested; write {}", quoted(right.as_str())));
        }
        Ok(Self { url, socket: None })
    }
}

impl From<HubUrl> for String {
    fn from(hub: HubUrl) -> Self {
        let mut shown = hub.url;
        // A relay's query may hold a token.
        if shown.query().is_some() {
            shown.set_query(Some("REDACTED"));
        }
        if let Some(socket) = hub.socket {
            let path = if shown.path() == "/" { "" } else { ":" };
            let rest = shown.as_str().trim_start_matches("http://localhost");
            return format!("unix:{}{path}{}", socket.display(), if path.is_empty() { "" } else { rest });
        }
        // The last slash of a path is part of what a relay is asked for.
        if shown.path() == "/" { shown.as_str().trim_end_matches('/') } else { shown.as_str() }.to_owned()
    }
}

impl fmt::Debug for HubUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl HubUrl {
    pub(super) fn vendor() -> Self {
        // Proof: the text is a constant, and a test parses it.
        #[allow(clippy::expect_used)]
        Self::try_from("https://hub.netify.ai/api/v2/integrator".to_owned()).expect("a constant URL")
    }

    fn of_socket(place: &str) -> Result<Self, String> {
        let (socket, path) =
            place.split_once(":/").map_or((place, String::new()), |(socket, path)| (socket, path.to_owned()));
        if !socket.starts_with('/') || socket.starts_with("//") || place.contains(['\0', '#']) {
            return Err("wants the absolute path of a socket behind unix:, such as \"unix:/run/relay.sock\" or \"unix:/run/relay.sock:/api/v2\"".to_owned());
        }
        let url = parse_url(&format!("http://localhost/{path}"))?;
        Ok(Self { url, socket: Some(PathBuf::from(socket)) })
    }

    /// The URL; of a socket, the one that its requests carry.
    #[must_use]
    pub const fn as_url(&self) -> &Url {
        &self.url
    }

    /// The socket that stands for a network address.
    #[must_use]
    pub fn socket(&self) -> Option<&Path> {
        self.socket.as_deref()
    }

    /// Whether it is asked over TLS.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// As text, a bare host without its slash; it holds no secret.
    #[must_use]
    pub fn text(&self) -> String {
        String::from(self.clone())
    }
}

/// A forward proxy. Its password is never shown.
#[derive(Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct ProxyUrl(Url);

impl ProxyUrl {
    /// The URL, with its password: for the HTTP client alone.
    #[must_use]
    pub const fn with_secret(&self) -> &Url {
        &self.0
    }
}

impl ProxyUrl {
    /// A proxy as the environment has it: without a scheme it is http, as for curl. The error is what is wrong with it.
    pub fn from_environment(text: &str) -> Result<Self, String> {
        if text.contains("://") { proxy(text) } else { proxy(&format!("http://{text}")) }
    }
}

/// The text may hold a password, so no error quotes it.
fn proxy(text: &str) -> Result<ProxyUrl, String> {
    const WANTED: &str = "write \"http://proxy.example:3128\", or \"http://user:password@proxy.example:3128\" with %23 for #, %2F for / and %40 for @ in the password";
    let url = Url::parse(text).map_err(|_| format!("is not the URL of a proxy; {WANTED}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("is not the URL of an HTTP proxy; {WANTED}"));
    }
    // They always have a host. What stands behind it is the rest of a password with one of these letters.
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err(format!("has more behind its host and port than a proxy can have; {WANTED}"));
    }
    Ok(ProxyUrl(url))
}

impl TryFrom<String> for ProxyUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        proxy(&text).map_err(|wrong| format!("hub.proxy {wrong}"))
    }
}

impl From<ProxyUrl> for String {
    fn from(proxy: ProxyUrl) -> Self {
        let mut url = proxy.0;
        // Some proxies take a token in the place of the user name.
        let user_is_all = url.password().is_none() && !url.username().is_empty();
        let hidden = if user_is_all {
            url.set_username("REDACTED")
        } else if url.password().is_some() {
            url.set_password(Some("REDACTED"))
        } else {
            Ok(())
        };
        if hidden.is_err() { "REDACTED".to_owned() } else { url.into() }
    }
}

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from(self.clone()))
    }
}

fn parse_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("{} is not a URL ({error})", quoted(text)))?;
    if url.has_host() { Ok(url) } else { Err(format!("{} names no host", quoted(text))) }
}

/// A URL in a message. What is no URL may still hold a password, and its query a token.
fn quoted(text: &str) -> String {
    if text.contains('@') {
        return "the value".to_owned();
    }
    match text.split_once(['?', '#']) {
        Some((plain, _)) => format!("`{plain}?…`"),
        None => format!("`{text}`"),
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// A program with its arguments; no shell is involved.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct Command(Vec<String>);

impl Command {
    /// Absolute path of the program.
    #[must_use]
    pub fn program(&self) -> &str {
        self.0.first().map_or("", String::as_str)
    }

    /// Its arguments.
    #[must_use]
    pub fn arguments(&self) -> &[String] {
        self.0.get(1..).unwrap_or_default()
    }
}

impl TryFrom<Vec<String>> for Command {
    type Error = String;

    fn try_from(argv: Vec<String>) -> Result<Self, String> {
        match argv.first() {
            Some(program) if program.starts_with('/') => Ok(Self(argv)),
            _ => Err("a command is a list that begins with the absolute path of a program, such as [\"/usr/bin/thing\", \"arg\"]".to_owned()),
        }
    }
}

impl From<Command> for Vec<String> {
    fn from(command: Command) -> Self {
        command.0
    }
}

checked_text!(
    /// An element of `device.sources`.
    SourceName(Source),
    |text| text.parse(),
    ToString::to_string
);

impl SourceName {
    pub(super) fn defaults() -> Vec<Self> {
        [Source::NetifydSerial, Source::Dmi, Source::DeviceTree, Source::MachineId].map(Self).to_vec()
    }

    /// The source.
    #[must_use]
    pub const fn source(&self) -> &Source {
        &self.0
    }
}
