//! D-Bus messages, as far as systemd's manager is spoken to: strings go out; strings, paths and numbers come in.
//!
//! The D-Bus Specification, "Message Protocol". Written by hand because it is this little: the smallest crate for all of
//! it (rustbus) adds 105 kB to the binary, eleven crates to the tree and a thread that cannot be interrupted.

/// Largest message that is read, in bytes; systemd's are below one thousand.
pub(super) const MAX_MESSAGE: usize = 256 * 1024;
/// The part of a message that says how long the rest is.
pub(super) const FIXED: usize = 16;

/// Message types of the specification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Call,
    Return,
    Error,
    Signal,
    Other,
}

/// A method to call, with strings as arguments.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) destination: &'a str,
    pub(super) path: &'a str,
    pub(super) interface: &'a str,
    pub(super) member: &'a str,
    pub(super) arguments: &'a [&'a str],
}

impl Call<'_> {
    /// The message, little-endian.
    pub(super) fn encode(&self, serial: u32) -> Vec<u8> {
        let mut body = Writer::default();
        for argument in self.arguments {
            body.text(argument);
        }
        let mut message = Writer(vec![b'l', 1, 0, 1]);
        message.number(length(&body.0));
        message.number(serial);
        let mut fields = Writer::default();
        let texts = [(1, "o", self.path), (2, "s", self.interface), (3, "s", self.member), (6, "s", self.destination)];
        for (code, kind, text) in texts {
            fields.field(code, kind);
            fields.text(text);
        }
        if !self.arguments.is_empty() {
            fields.field(8, "g");
            fields.signature(&"s".repeat(self.arguments.len()));
        }
        // The fields begin at a multiple of eight, so their own alignment holds in the message as well.
        message.number(length(&fields.0));
        message.0.extend(fields.0);
        message.align(8);
        message.0.extend(body.0);
        message.0
    }
}

fn length(bytes: &[u8]) -> u32 {
    // What is sent is shorter than a kilobyte.
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}

#[derive(Debug, Default)]
struct Writer(Vec<u8>);

impl Writer {
    fn align(&mut self, to: usize) {
        self.0.resize(self.0.len().next_multiple_of(to), 0);
    }

    fn number(&mut self, number: u32) {
        self.align(4);
        self.0.extend(number.to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.number(length(text.as_bytes()));
        self.0.extend(text.as_bytes());
        self.0.push(0);
    }

    fn signature(&mut self, text: &str) {
        self.0.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
        self.0.extend(text.as_bytes());
        self.0.push(0);
    }

    fn field(&mut self, code: u8, kind: &str) {
        self.align(8);
        self.0.push(code);
        self.signature(kind);
    }
}

/// A message that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) kind: Kind,
    /// The call that it answers.
    pub(super) reply_to: Option<u32>,
    pub(super) sender: String,
    pub(super) member: String,
    pub(super) error: String,
    /// The leading strings, paths and numbers, also from within variants.
    pub(super) values: Vec<Value>,
}

/// A value of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    Number(u32),
}

impl Message {
    /// The text at this place.
    pub(super) fn text(&self, index: usize) -> Option<&str> {
        match self.values.get(index) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// How long the message is that begins so; [`None`] for what is none, or is too long.
    pub(super) fn whole_length(fixed: &[u8; FIXED]) -> Option<usize> {
        let mut reader = Reader::new(fixed)?;
        let (body, _serial, fields) = (reader.number()?, reader.number()?, reader.number()?);
        let head = FIXED.checked_add(usize::try_from(fields).ok()?)?.checked_next_multiple_of(8)?;
        head.checked_add(usize::try_from(body).ok()?).filter(|length| *length <= MAX_MESSAGE)
    }

    /// Reads a whole message; [`None`] for what is none.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes)?;
        let kind = match bytes[1] {
            1 => Kind::Call,
            2 => Kind::Return,
            3 => Kind::Error,
            4 => Kind::Signal,
            _ => Kind::Other,
        };
        let mut message = Self {
            kind,
            reply_to: None,
            sender: String::new(),
            member: String::new(),
            error: String::new(),
            values: Vec::new(),
        };
        let (_body, _serial, fields) = (reader.number()?, reader.number()?, reader.number()?);
        let end = reader.at.checked_add(usize::try_from(fields).ok()?)?;
        let mut signature = String::new();
        while reader.at < end {
            reader.align(8)?;
            let code = reader.byte()?;
            let kind = reader.signature()?;
            match (code, reader.value(&kind)?) {
                (3, Value::Text(text)) => message.member = text,
                (4, Value::Text(text)) => message.error = text,
                (5, Value::Number(number)) => message.reply_to = Some(number),
                (7, Value::Text(text)) => message.sender = text,
                (8, Value::Text(text)) => signature = text,
                _ => {}
            }
        }
        reader.align(8)?;
        for kind in signature.chars() {
            let kind = if kind == 'v' { reader.signature()? } else { kind.to_string() };
            // What follows another type is of no interest.
            let Some(value) = reader.value(&kind) else { break };
            message.values.push(value);
        }
        Some(message)
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    little: bool,
}

impl<'a> Reader<'a> {
    /// Behind the four bytes that tell byte order, type, flags and version.
    fn new(bytes: &'a [u8]) -> Option<Self> {
        match bytes {
            [order @ (b'l' | b'B'), _, _, 1, ..] => Some(Self { bytes, at: 4, little: *order == b'l' }),
            _ => None,
        }
    }

    fn align(&mut self, to: usize) -> Option<()> {
        self.at = self.at.checked_next_multiple_of(to)?;
        (self.at <= self.bytes.len()).then_some(())
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let taken = self.bytes.get(self.at..self.at.checked_add(length)?)?;
        self.at += length;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn number(&mut self) -> Option<u32> {
        self.align(4)?;
        let bytes = self.take(4)?.try_into().ok()?;
        Some(if self.little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    }

    /// Text of this length with the zero that ends it.
    fn text(&mut self, length: usize) -> Option<String> {
        let text = std::str::from_utf8(self.take(length)?).ok()?.to_owned();
        (self.byte()? == 0).then_some(text)
    }

    fn signature(&mut self) -> Option<String> {
        let length = self.byte()?;
        self.text(usize::from(length))
    }

    fn value(&mut self, kind: &str) -> Option<Value> {
        match kind {
            "s" | "o" => {
                let length = self.number()?;
                self.text(usize::try_from(length).ok()?).map(Value::Text)
            }
            "g" => self.signature().map(Value::Text),
            "u" => self.number().map(Value::Number),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELLO: Call<'static> = Call {
        destination: "org.freedesktop.DBus",
        path: "/org/freedesktop/DBus",
        interface: "org.freedesktop.DBus",
        member: "Hello",
        arguments: &[],
    };

    fn whole_length(message: &[u8]) -> Option<usize> {
        Message::whole_length(message.first_chunk()?)
    }

    #[test]
    fn the_first_message_is_the_one_that_every_client_sends() {
        // As libdbus writes it, but for the order of the fields.
        let message = HELLO.encode(1);
        assert_eq!(&message[..16], b"l\x01\x00\x01\0\0\0\0\x01\0\0\0\x6d\0\0\0");
        assert_eq!(&message[16..46], b"\x01\x01o\0\x15\0\0\0/org/freedesktop/DBus\0");
        assert_eq!((message.len(), whole_length(&message)), (128, Some(128)));
    }

    #[test]
    fn what_was_written_is_read() {
        let call = Call { member: "ReloadUnit", arguments: &["netifyd.service", "replace"], ..HELLO };
        let bytes = call.encode(7);
        assert_eq!(whole_length(&bytes), Some(bytes.len()));
        let message = Message::decode(&bytes).expect("a message");
        assert_eq!((message.kind, message.member.as_str()), (Kind::Call, "ReloadUnit"));
        assert_eq!(
            (message.text(0), message.text(1), message.text(2)),
            (Some("netifyd.service"), Some("replace"), None)
        );
    }

    /// An answer as a big-endian service sends it: a variant with a number.
    const BIG: &[u8] = b"B\x02\x01\x01\0\0\0\x08\0\0\0\x09\0\0\0\x1f\
        \x05\x01u\0\0\0\0\x03\x07\x01s\0\0\0\0\x04:1.0\0\0\0\0\x08\x01g\0\x01v\0\0\
        \x01u\0\0\0\0\x04\xd2";

    #[test]
    fn both_byte_orders_and_variants() {
        assert_eq!(whole_length(BIG), Some(BIG.len()));
        let message = Message::decode(BIG).expect("a message");
        assert_eq!((message.kind, message.reply_to, message.sender.as_str()), (Kind::Return, Some(3), ":1.0"));
        assert_eq!(message.values, [Value::Number(1234)]);
    }

    #[test]
    fn no_bytes_do_harm() {
        let good = Call { arguments: &["netifyd.service"], ..HELLO }.encode(1);
        for message in [&good[..], BIG] {
            let body = if message == BIG { 8 } else { 20 };
            for at in 0..message.len() {
                assert!(at >= message.len() - body || Message::decode(&message[..at]).is_none(), "cut at {at}");
                for byte in [0, 1, 0x7f, 0x80, 0xff] {
                    let mut bad = message.to_vec();
                    bad[at] = byte;
                    // Any result is right; a panic or an endless loop is not.
                    let _ = (Message::decode(&bad), whole_length(&bad));
                }
            }
        }
        assert!(Message::decode(&good).is_some_and(|message| message.text(0) == Some("netifyd.service")));
        let mut endless = good;
        endless[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(whole_length(&endless), None);
    }
}
