//! Reader threads that turn a pipe into lines.

use std::io::{BufRead, BufReader, Read};
use std::thread;

/// Calls `on_line` with every line of `source` (without its line end), then `on_end` once, on a thread of its own.
pub(crate) fn read_lines(
    source: impl Read + Send + 'static,
    on_line: impl Fn(String) + Send + 'static,
    on_end: impl FnOnce() + Send + 'static,
) {
    thread::spawn(move || {
        let mut source = BufReader::new(source);
        let mut line = Vec::new();
        loop {
            line.clear();
            match source.read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => break,
                Ok(_) => on_line(String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']).to_owned()),
            }
        }
        on_end();
    });
}
