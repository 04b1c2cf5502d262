//! The system bus: a connection, calls, and the signals that arrive meanwhile.

use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::edge::netifyd::wire::{Call, FIXED, Kind, Message};
use crate::edge::reason;

/// The well-known place of the D-Bus Specification.
const SOCKET: &str = "/run/dbus/system_bus_socket";
/// Longest answer to the authentication, in bytes.
const MAX_ANSWER: usize = 512;
/// Signals that are kept until somebody waits for one.
const MAX_SIGNALS: usize = 256;

/// Why something was not done through the bus.
#[derive(Debug)]
pub(super) enum Error {
    /// There is no bus, or nobody of that name on it: one clause.
    NoBus(String),
    /// One clause.
    Failed(String),
}

impl Error {
    pub(super) const fn is_no_bus(&self) -> bool {
        matches!(self, Self::NoBus(_))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoBus(clause) | Self::Failed(clause) => f.write_str(clause),
        }
    }
}

/// A connection. Dropped, it is closed.
#[derive(Debug)]
pub(super) struct Bus {
    stream: UnixStream,
    serial: u32,
    signals: Vec<Message>,
}

impl Bus {
    /// Connects to the system bus and greets it.
    pub(super) async fn connect() -> Result<Self, Error> {
        let path = socket(std::env::var_os("DBUS_SYSTEM_BUS_ADDRESS"));
        let no_bus = |what: &str| Error::NoBus(format!("the system bus ({}): {what}", path.display()));
        let mut stream = UnixStream::connect(&path).await.map_err(|error| no_bus(&reason(&error)))?;
        authenticate(&mut stream).await.map_err(|error| no_bus(&error))?;
        let mut bus = Self { stream, serial: 0, signals: Vec::new() };
        bus.call_bus("Hello", &[]).await?;
        Ok(bus)
    }

    /// Asks the bus itself.
    pub(super) async fn call_bus(&mut self, member: &str, arguments: &[&str]) -> Result<Message, Error> {
        let (destination, path) = ("org.freedesktop.DBus", "/org/freedesktop/DBus");
        self.call(Call { destination, path, interface: destination, member, arguments }).await
    }

    /// Calls a method and waits for its answer.
    pub(super) async fn call(&mut self, call: Call<'_>) -> Result<Message, Error> {
        self.serial += 1;
        let broken = |error: std::io::Error| Error::Failed(format!("the system bus: {}", reason(&error)));
        self.stream.write_all(&call.encode(self.serial)).await.map_err(broken)?;
        loop {
            let message = self.receive().await?;
            match message.kind {
                Kind::Return if message.reply_to == Some(self.serial) => return Ok(message),
                Kind::Error if message.reply_to == Some(self.serial) => return Err(refusal(call, &message)),
                Kind::Signal if self.signals.len() < MAX_SIGNALS => self.signals.push(message),
                _ => {}
            }
        }
    }

    /// The next signal, those that arrived during calls first.
    pub(super) async fn signal(&mut self) -> Result<Message, Error> {
        if !self.signals.is_empty() {
            return Ok(self.signals.remove(0));
        }
        loop {
            let message = self.receive().await?;
            if message.kind == Kind::Signal {
                return Ok(message);
            }
        }
    }

    async fn receive(&mut self) -> Result<Message, Error> {
        let broken = |error: std::io::Error| Error::Failed(format!("the system bus hung up: {}", reason(&error)));
        let nonsense = || Error::Failed("the system bus sent what is no D-Bus message".to_owned());
        let mut fixed = [0_u8; FIXED];
        self.stream.read_exact(&mut fixed).await.map_err(broken)?;
        let mut message = fixed.to_vec();
        message.resize(Message::whole_length(&fixed).ok_or_else(nonsense)?, 0);
        self.stream.read_exact(&mut message[FIXED..]).await.map_err(broken)?;
        Message::decode(&message).ok_or_else(nonsense)
    }
}

fn refusal(call: Call<'_>, message: &Message) -> Error {
    let words = message.text(0).unwrap_or(&message.error);
    let words: String = words.chars().filter(|c| !c.is_control()).take(300).collect();
    let clause = format!("{}: {words}", call.member);
    match message.error.as_str() {
        "org.freedesktop.DBus.Error.ServiceUnknown"
        | "org.freedesktop.DBus.Error.NameHasNoOwner"
        | "org.freedesktop.DBus.Error.Spawn.ServiceNotFound" => Error::NoBus(clause),
        _ => Error::Failed(clause),
    }
}

/// The first address with a path, as in `unix:path=/run/dbus/system_bus_socket,guid=…`.
fn socket(addresses: Option<OsString>) -> PathBuf {
    let addresses = addresses.unwrap_or_default();
    let mut entries = addresses.as_bytes().split(|&byte| byte == b';');
    let path = entries.find_map(|entry| {
        entry.strip_prefix(b"unix:")?.split(|&byte| byte == b',').find_map(|pair| pair.strip_prefix(b"path="))
    });
    path.map_or_else(|| PathBuf::from(SOCKET), |path| PathBuf::from(OsString::from_vec(unescaped(path))))
}

/// `%41` is `A`.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    let mut rest = text;
    while let Some((&first, behind)) = rest.split_first() {
        let hex = behind.get(..2).filter(|_| first == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        if let Some(byte) = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            plain.push(byte);
            rest = &behind[2..];
        } else {
            plain.push(first);
            rest = behind;
        }
    }
    plain
}

/// Says who we are; the kernel vouches for it (EXTERNAL).
async fn authenticate(stream: &mut UnixStream) -> Result<(), String> {
    let user = rustix::process::geteuid().as_raw().to_string();
    // Each digit in hex: 3 is 33.
    let user = user.chars().fold(String::new(), |text, digit| format!("{text}3{digit}"));
    stream.write_all(format!("\0AUTH EXTERNAL {user}\r\n").as_bytes()).await.map_err(|error| reason(&error))?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n") && answer.len() < MAX_ANSWER {
        // Byte by byte: nothing is taken that belongs to the first message.
        answer.push(stream.read_u8().await.map_err(|error| reason(&error))?);
    }
    if !answer.starts_with(b"OK") {
        return Err("we are not let in".to_owned());
    }
    stream.write_all(b"BEGIN\r\n").await.map_err(|error| reason(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let socket = |text: &str| socket(Some(text.into())).display().to_string();
        assert_eq!(super::socket(None), PathBuf::from(SOCKET));
        assert_eq!(socket(""), SOCKET);
        assert_eq!(socket("unix:path=/a/b"), "/a/b");
        assert_eq!(socket("tcp:host=x;unix:guid=00,path=/with%20space%25"), "/with space%");
        assert_eq!(socket("unix:path=/100%"), "/100%");
        assert_eq!(socket("unix:abstract=x"), SOCKET);
    }
}
