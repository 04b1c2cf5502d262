//! Just enough gzip (RFC 1952) to send an encoded body: stored blocks, no compression.

/// Wraps bytes as gzip.
pub(crate) fn encode(data: &[u8]) -> Vec<u8> {
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let mut blocks = data.chunks(0xffff).peekable();
    if blocks.peek().is_none() {
        out.extend([1, 0, 0, 0xff, 0xff]);
    }
    while let Some(block) = blocks.next() {
        let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
        out.push(u8::from(blocks.peek().is_none()));
        out.extend(length.to_le_bytes());
        out.extend((!length).to_le_bytes());
        out.extend(block);
    }
    out.extend(crc32(data).to_le_bytes());
    let size = u32::try_from(data.len() % (1 << 32)).unwrap_or(0);
    out.extend(size.to_le_bytes());
    out
}

fn crc32(data: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for &byte in data {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_value_of_crc_32() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn head_block_and_tail() {
        let packed = encode(b"hi");
        assert_eq!(packed[10..17], [1, 2, 0, 0xfd, 0xff, b'h', b'i']);
        assert_eq!(packed[21..], [2, 0, 0, 0]);
        assert_eq!(encode(&vec![0; 70_000]).len(), 10 + 5 + 0xffff + 5 + (70_000 - 0xffff) + 8);
    }
}
