//! UCI configuration, mapped to TOML by the router's shell script: the daemon reads exactly what was meant, or the option
//! is refused by name. Nothing is run, and no value becomes a key.

use std::sync::{LazyLock, Mutex, PoisonError};

use netify_licensed::core::config::{KEYS, SECTIONS, parse};
use toml::{Table, Value};

use crate::cursor::Cursor;
use crate::uci_shell::{Mapped, Shell};

static SHELLS: LazyLock<Mutex<Vec<Shell>>> = LazyLock::new(|| Mutex::new(Shell::all()));

/// What values, names and types are made of, next to plain words and raw bytes.
const PIECES: [&str; 52] = [
    "'",
    "\"",
    "\\",
    "\n",
    "\r",
    "\t",
    "\u{1}",
    "\u{7f}",
    "\u{1b}[31m",
    " ",
    "a",
    "=",
    "#",
    "[",
    "]",
    "{",
    "}",
    ",",
    ".",
    "_",
    "-",
    "*",
    "?",
    "~",
    "!",
    "%s",
    "%n",
    "-n",
    "-e",
    "\\c",
    "\\n",
    "\\u0041",
    "\\\n",
    "'''",
    "\"\"\"",
    "$(canary)",
    "`canary`",
    "; canary;",
    "'; canary; '",
    "\"; canary; \"",
    "\ncanary\n",
    "| canary",
    ">executed",
    "${nl_tables}",
    "$nl_table",
    "$1",
    "\"\n[hub]\nurl = \"https://other.example/\"\n",
    "\u{85}",
    "\u{2028}",
    "\u{feff}",
    "\u{202e}",
    "\u{1f600}ü",
];
const WORDS: [&str; 12] =
    ["1", "0", "on", "yes", "disabled", "30", "030", "99999999999999999999", "/x", "5m", "", "auto"];
/// How often a piece stands there. What is slow to quote is rare enough for thousands of cases a minute.
const LONG: [usize; 16] = [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 3, 20, 200];

pub(crate) enum Entry {
    Option(Vec<u8>),
    List(Vec<Vec<u8>>),
}

pub(crate) struct Section {
    pub kind: Vec<u8>,
    pub entries: Vec<(Vec<u8>, Entry)>,
}

pub fn run(data: &[u8]) {
    let mut cursor = Cursor::new(data);
    let choice = cursor.byte();
    let sections: Vec<Section> = (0..=cursor.below(4)).map(|_| section(&mut cursor)).collect();
    check(&sections, usize::from(choice));
}

/// Maps with one of the shells and judges.
pub(crate) fn check(sections: &[Section], shell: usize) {
    let mut shells = SHELLS.lock().unwrap_or_else(PoisonError::into_inner);
    let count = shells.len();
    let mapped = shells[shell % count].map(&export(sections));
    drop(shells);
    judge(&meant(sections), &mapped);
}

// ---- a configuration ----

fn section(cursor: &mut Cursor<'_>) -> Section {
    let (kind, _) = SECTIONS[cursor.below(SECTIONS.len())];
    let kind = match cursor.below(12) {
        0 => b"service".to_vec(),
        1 => word(cursor),
        _ => kind.as_bytes().to_vec(),
    };
    let mut section = Section { kind, entries: Vec::new() };
    for _ in 0..cursor.below(6) {
        let own: Vec<_> = KEYS.iter().filter(|key| key.section.as_bytes() == section.kind).collect();
        let key = (!own.is_empty() && cursor.below(10) > 0).then(|| own[cursor.below(own.len())]);
        let name = match key {
            Some(key) => key.name.replace('-', "_").into_bytes(),
            None if cursor.yes() => b"enabled".to_vec(),
            None => word(cursor),
        };
        let shown = key.map_or("", |key| if key.default.is_empty() { key.example } else { key.default });
        let shown = shown.trim_matches(['"', '[', ']']);
        let as_list = if key.is_some_and(|key| kind_of(key.section, key.name) == Some(Kind::List)) { 200 } else { 20 };
        let entry = if cursor.byte() < as_list {
            Entry::List((0..=cursor.below(3)).map(|_| value(cursor, shown)).collect())
        } else {
            Entry::Option(value(cursor, shown))
        };
        // uci itself makes one of two.
        if section.entries.iter().all(|(other, _)| *other != name) {
            section.entries.push((name, entry));
        }
    }
    section
}

/// A type or a name, never empty.
fn word(cursor: &mut Cursor<'_>) -> Vec<u8> {
    let mut word = value(cursor, "license device");
    if word.is_empty() {
        word.push(b'x');
    }
    word
}

fn value(cursor: &mut Cursor<'_>, plausible: &str) -> Vec<u8> {
    let mut value = match cursor.below(32) {
        0..12 => plausible.as_bytes().to_vec(),
        12..20 => cursor.one(&WORDS).as_bytes().to_vec(),
        20 => vec![b'x'; cursor.below(64) * 1024],
        _ => Vec::new(),
    };
    let pieces = if value.len() > 1024 { 0 } else { cursor.below(5) };
    for _ in 0..pieces {
        let piece = match cursor.below(5) {
            // The shell knows no NUL.
            0 => vec![cursor.byte().max(1)],
            _ => cursor.one(&PIECES).as_bytes().to_vec(),
        };
        value.extend(piece.repeat(*cursor.one(&LONG)));
    }
    value
}

/// As `uci export` writes it.
fn export(sections: &[Section]) -> Vec<u8> {
    let quoted =
        |text: &[u8]| [b"'", &text.split(|b| *b == b'\'').collect::<Vec<_>>().join(&b"'\\''"[..])[..], b"'"].concat();
    let mut text = Vec::new();
    for section in sections {
        text.extend([b"config ", &quoted(&section.kind)[..], b" 'name'\n"].concat());
        for (name, entry) in &section.entries {
            let (keyword, values) = match entry {
                Entry::Option(value) => ("option", std::slice::from_ref(value)),
                Entry::List(values) => ("list", &values[..]),
            };
            for value in values {
                text.extend([b"\t", keyword.as_bytes(), b" ", &quoted(name), b" ", &quoted(value), b"\n"].concat());
            }
        }
    }
    text
}

// ---- what it means, by the daemon's own table of keys ----

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Text,
    Number,
    Boolean,
    List,
}

fn kind_of(section: &str, name: &str) -> Option<Kind> {
    let key = KEYS.iter().find(|key| key.section == section && key.name == name)?;
    let shown = if key.default.is_empty() { key.example } else { key.default };
    Some(match shown.as_bytes()[0] {
        b'"' => Kind::Text,
        b'[' => Kind::List,
        b't' | b'f' => Kind::Boolean,
        _ => Kind::Number,
    })
}

/// What was meant: values, or what has to be complained about, in order.
struct Meant {
    /// [`None`] when it holds what TOML cannot: a number that is too large, or text that is not UTF-8.
    values: Option<Table>,
    complaints: Vec<String>,
}

fn meant(sections: &[Section]) -> Meant {
    let mut seen: Vec<&[u8]> = Vec::new();
    let mut values = Some(Table::new());
    let mut complaints = Vec::new();
    for Section { kind, entries } in sections {
        let shown = visible(kind);
        let known = SECTIONS.iter().any(|(name, _)| name.as_bytes() == kind);
        if !known && kind != b"service" {
            complaints.push(format!("there is no section of type '{shown}'; known are "));
        } else if seen.contains(&&kind[..]) {
            complaints.push(format!("section '{shown}' is there twice"));
        } else {
            seen.push(kind);
            for (name, entry) in entries {
                match one_meant(&shown, name, entry) {
                    Ok(None) if kind == b"service" => {}
                    Ok(value) => add(&mut values, &shown, &visible(name).replace('_', "-"), value),
                    Err(mut refused) => complaints.append(&mut refused),
                }
            }
        }
    }
    for (name, file) in [("file", "status.json"), ("socket", "control.sock")] {
        let set = values.as_ref().and_then(|values| values.get("status")?.get(name)).is_some();
        if !set {
            let path = format!("/var/run/netify-licensed/{file}");
            add(&mut values, "status", name, Some(Value::String(path)));
        }
    }
    Meant { values, complaints }
}

fn add(values: &mut Option<Table>, section: &str, name: &str, value: Option<Value>) {
    let Some((table, value)) = values.as_mut().zip(value) else {
        *values = None;
        return;
    };
    let section = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
    section.as_table_mut().expect("sections are tables").insert(name.to_owned(), value);
}

/// The value of one option or list, [`None`] if TOML cannot hold it; or the complaints about it, one for each item.
fn one_meant(section: &str, name: &[u8], entry: &Entry) -> Result<Option<Value>, Vec<String>> {
    let shown = visible(name);
    let path = format!("{section}.{shown}");
    let own = std::str::from_utf8(name).ok().filter(|name| !name.contains('-'));
    let kind = own.and_then(|name| kind_of(section, &name.replace('_', "-")));
    let skipped = section == "service" && name == b"enabled";
    let text = |value: &Vec<u8>| String::from_utf8(value.clone()).ok().map(Value::String);
    match (entry, kind) {
        (Entry::Option(_), None) if skipped => Ok(None),
        (Entry::Option(_), None) => Err(vec![format!("section '{section}' has no option '{shown}'")]),
        (Entry::List(items), None) if !skipped => {
            Err(vec![format!("section '{section}' has no list '{shown}'"); items.len()])
        }
        (Entry::List(items), Some(Kind::List)) => Ok(items.iter().map(text).collect::<Option<_>>().map(Value::Array)),
        (Entry::List(items), _) => Err(vec![format!("{path} takes one value"); items.len()]),
        (Entry::Option(value), Some(Kind::Text)) => Ok(text(value)),
        (Entry::Option(value), Some(Kind::List)) => Ok(text(value).map(|value| Value::Array(vec![value]))),
        (Entry::Option(value), Some(Kind::Boolean)) => match &value[..] {
            b"1" | b"on" | b"true" | b"yes" | b"enabled" => Ok(Some(Value::Boolean(true))),
            b"0" | b"off" | b"false" | b"no" | b"disabled" => Ok(Some(Value::Boolean(false))),
            _ => Err(vec![format!("{path} is '{}', neither 1 nor 0", visible(value))]),
        },
        (Entry::Option(value), Some(Kind::Number)) => {
            let whole = value.iter().all(u8::is_ascii_digit) && (value.len() == 1 || !value.starts_with(b"0"));
            match std::str::from_utf8(value) {
                Ok(digits) if whole && !digits.is_empty() => Ok(digits.parse().ok().map(Value::Integer)),
                _ => Err(vec![format!("{path} is '{}', not a whole number", visible(value))]),
            }
        }
    }
}

/// As a complaint shows it: on one line, and harmless to a terminal.
fn visible(text: &[u8]) -> String {
    let shown: Vec<u8> = text.iter().map(|b| if b.is_ascii_control() { b'?' } else { *b }).collect();
    String::from_utf8_lossy(&shown).into_owned()
}

// ---- the verdict ----

fn judge(meant: &Meant, mapped: &Mapped) {
    let errors = String::from_utf8_lossy(&mapped.errors);
    let complaints: Vec<&str> = errors.lines().collect();
    assert_eq!(complaints.len(), meant.complaints.len(), "{complaints:?} instead of {:?}", meant.complaints);
    for (complaint, wanted) in complaints.iter().zip(&meant.complaints) {
        let says = complaint.strip_prefix("/etc/config/netify-licensed: ");
        assert!(says.is_some_and(|says| says.starts_with(wanted)), "{complaint:?} instead of {wanted:?}");
    }
    let Some(text) = &mapped.text else {
        assert!(mapped.code != 0 && !complaints.is_empty(), "nothing written, and nothing said");
        return;
    };
    assert!(mapped.code == 0 && complaints.is_empty(), "written in spite of {complaints:?}");
    let read = std::str::from_utf8(text).ok().and_then(|text| Some((text, text.parse::<Table>().ok()?)));
    let (Some((text, read)), Some(values)) = (read, &meant.values) else {
        // What TOML cannot hold is refused by the daemon, which names the line.
        let refused = std::str::from_utf8(text).map_or(true, |text| parse(text, "").is_err());
        assert!(refused && meant.values.is_none(), "not TOML: {}", String::from_utf8_lossy(text));
        return;
    };
    assert_eq!(&read, values);
    match (parse(text, "mapped"), parse(&values.to_string(), "meant")) {
        (Ok(mapped), Ok(meant)) => assert!(mapped == meant),
        (Err(mapped), Err(meant)) => {
            assert_eq!(mapped.message, meant.message);
            let line = text.lines().nth(mapped.line.expect("a line is named") - 1).unwrap_or_default();
            let named = line.split_once(" = ").map_or(line, |(name, _)| name);
            let is_one = KEYS.iter().any(|key| key.name == named || format!("[{}]", key.section) == named);
            assert!(is_one, "{mapped} points at {line:?}");
        }
        (mapped, meant) => panic!("{mapped:?} instead of {meant:?}"),
    }
}
