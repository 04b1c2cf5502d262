//! `NO_PROXY`: which hosts are reached directly, by curl's rules.

use ::core::net::IpAddr;

/// Whether a host is reached without the proxy. Entries are separated by commas or white space: a name stands for itself
/// and what ends with it, an address for itself, `address/bits` for a network, `*` alone for everything. As with curl,
/// `host:port` and `*.name` stand for nothing.
#[must_use]
pub fn covers(list: &str, host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let host = host.strip_suffix('.').unwrap_or(host);
    if list.trim() == "*" {
        return true;
    }
    let address = host.parse::<IpAddr>().ok();
    let mut entries = list.split(|c: char| c == ',' || c.is_ascii_whitespace()).filter(|entry| !entry.is_empty());
    entries.any(|entry| match address {
        Some(address) => covers_address(entry, address),
        None => covers_name(entry, host),
    })
}

fn covers_name(entry: &str, host: &str) -> bool {
    let entry = entry.strip_suffix('.').unwrap_or(entry);
    let entry = entry.strip_prefix('.').unwrap_or(entry);
    if entry.is_empty() || entry.len() > host.len() || !host.is_char_boundary(host.len() - entry.len()) {
        return false;
    }
    let (before, end) = host.split_at(host.len() - entry.len());
    end.eq_ignore_ascii_case(entry) && (before.is_empty() || before.ends_with('.'))
}

fn covers_address(entry: &str, host: IpAddr) -> bool {
    let (network, bits) = entry.split_once('/').map_or((entry, None), |(network, bits)| (network, Some(bits)));
    let Ok(network) = network.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() else { return false };
    let wide = |address: IpAddr| match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()) << 96, 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    };
    let ((network, width), (host, host_width)) = (wide(network), wide(host));
    let bits = bits.map_or(Some(width), |bits| bits.parse::<u32>().ok().filter(|bits| *bits <= width));
    let mask = |bits: u32| u128::MAX.checked_shl(128 - bits).unwrap_or(0);
    width == host_width && bits.is_some_and(|bits| (network ^ host) & mask(bits) == 0)
}

#[cfg(test)]
mod tests {
    use super::covers;

    #[test]
    fn names_stand_for_themselves_and_what_ends_with_them() {
        for (list, host, expected) in [
            ("example.org", "example.org", true),
            ("example.org", "Hub.Example.org", true),
            (".example.org", "example.org", true),
            ("example.org.", "hub.example.org", true),
            ("example.org", "notexample.org", false),
            ("a.example b.example,c.example", "b.example", true),
            ("*", "anything.example", true),
            ("a.example,*", "b.example", false),
            ("*.example.org", "hub.example.org", false),
            ("hub.example.org:443", "hub.example.org", false),
            ("", "hub.example.org", false),
            (" , ", "hub.example.org", false),
            ("e\u{301}", "x", false),
        ] {
            assert_eq!(covers(list, host), expected, "{list} {host}");
        }
    }

    #[test]
    fn addresses_and_networks() {
        for (list, host, expected) in [
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.0/8", "127.9.9.9", true),
            ("127.0.0.0/8", "128.0.0.1", false),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("127.0.0.0/33", "127.0.0.1", false),
            ("::1", "[::1]", true),
            ("[::1]", "::1", true),
            ("2001:db8::/32", "2001:db8:7::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("::/0", "127.0.0.1", false),
            ("127.0.0.1:443", "127.0.0.1", false),
            ("27.0.0.1", "127.0.0.1", false),
        ] {
            assert_eq!(covers(list, host), expected, "{list} {host}");
        }
    }
}
