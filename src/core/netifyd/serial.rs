//! serial.uuid as netifyd reads it: a file of 32 characters, or a program whose output is the serial.

/// Characters of the serial.
pub const LENGTH: usize = 32;

/// The serial that netifyd makes of a plain file; the error is one clause.
pub fn of_file(content: &[u8]) -> Result<Vec<u8>, String> {
    let serial = content.get(..LENGTH).ok_or_else(|| {
        format!("{} bytes, and netifyd reads {LENGTH}: it takes this for no serial, and so do we", content.len())
    })?;
    Ok(plain(serial))
}

/// The serial that netifyd makes of a program's output, and whether it was cut. netifyd reads 32 bytes and puts the end of
/// the text in the place of the last one, so 31 characters are left of a longer output.
pub fn of_output(output: &[u8]) -> Result<(Vec<u8>, bool), String> {
    let read = &output[..output.len().min(LENGTH)];
    let Some((_, serial)) = read.split_last() else { return Err("it printed nothing".to_owned()) };
    let is_cut = output.trim_ascii_end().len() >= LENGTH;
    Ok((plain(serial), is_cut))
}

/// To the first zero, without blanks at the end.
fn plain(bytes: &[u8]) -> Vec<u8> {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    bytes[..end].trim_ascii_end().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: &[u8] = b"4c4c4544-0042-3510-8052-b4c04f4d3733\n";

    #[test]
    fn a_file() {
        assert_eq!(of_file(UUID).as_deref(), Ok(&UUID[..32]));
        let padded = format!("{:<32}", "AI-7B-3C-44");
        assert_eq!(of_file(padded.as_bytes()).as_deref(), Ok(&b"AI-7B-3C-44"[..]));
        for short in [&b""[..], b"-\n", b"AI-7B-3C-44\n", &UUID[..31]] {
            assert!(of_file(short).is_err_and(|why| why.contains("netifyd reads 32")));
        }
    }

    #[test]
    fn a_program() {
        assert_eq!(of_output(UUID), Ok((UUID[..31].to_vec(), true)), "its last character goes, too");
        assert_eq!(of_output(b"ABC-123\n"), Ok((b"ABC-123".to_vec(), false)));
        assert_eq!(of_output(b"ABC-123"), Ok((b"ABC-12".to_vec(), false)), "without a newline netifyd takes a letter");
        assert_eq!(of_output(&[&UUID[..31], b"\n"].concat()), Ok((UUID[..31].to_vec(), false)));
        assert_eq!(of_output(b"A\0B\n"), Ok((b"A".to_vec(), false)));
        assert!(of_output(b"").is_err());
    }
}
