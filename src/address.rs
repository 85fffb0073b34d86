//! The client's address: from the connection, or from `X-Forwarded-For` past proxies that are trusted.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// An address as proxies write it, in its [`canonical`] form: bare, with a port, or in brackets. An IPv6 zone is
/// dropped.
#[must_use]
pub fn parse(text: &[u8]) -> Option<IpAddr> {
    let text = text.trim_ascii();
    if let Some(address) = v4(text) {
        return Some(IpAddr::V4(address));
    }
    let bare = if let Some(rest) = text.strip_prefix(b"[") {
        let (inside, port) = split_at(rest, b']')?;
        if !port.is_empty() && !port.strip_prefix(b":").is_some_and(is_port) {
            return None;
        }
        inside
    } else {
        match split_at(text, b':') {
            // One colon is a port's; more are an IPv6 address.
            Some((address, port)) if !port.contains(&b':') => {
                if !is_port(port) {
                    return None;
                }
                address
            }
            _ => text,
        }
    };
    let bare = split_at(bare, b'%').map_or(bare, |(address, _zone)| address);
    let address: IpAddr = std::str::from_utf8(bare).ok()?.parse().ok()?;
    Some(canonical(address))
}

/// The IPv4 address that an IPv6 address stands for: v4-mapped (RFC 4291 §2.5.5.2), or below the well-known
/// prefix of translators, `64:ff9b::/96` (RFC 6052 §2.1). Any other address as it is.
#[must_use]
pub fn canonical(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => match v6.segments() {
            [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
                let bits = u32::from(high) << 16 | u32::from(low);
                IpAddr::V4(Ipv4Addr::from_bits(bits))
            }
            _ => address.to_canonical(),
        },
        IpAddr::V4(_) => address,
    }
}

/// The first address from the right that is not a trusted proxy's.
///
/// `lines` are the values of the header. What does not parse ends the walk there, and the last good address
/// counts: what stands before it may have been written by anybody. When every address is trusted, the
/// leftmost is the client's.
#[must_use]
pub fn forwarded_for<'h>(
    lines: impl DoubleEndedIterator<Item = &'h [u8]>,
    trusted: &[IpNet],
) -> Option<IpAddr> {
    let mut last = None;
    for entry in lines
        .rev()
        .flat_map(|line| line.rsplit(|byte| *byte == b','))
    {
        let Some(address) = parse(entry) else { break };
        last = Some(address);
        if !trusted.iter().any(|network| network.contains(&address)) {
            break;
        }
    }
    last
}

/// The leading bits that count; the others are zero.
#[must_use]
pub fn aggregate(address: IpAddr, v4_prefix: u8, v6_prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let drop = 32_u32.saturating_sub(v4_prefix.into());
            let mask = u32::MAX.checked_shl(drop).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & mask))
        }
        IpAddr::V6(address) => {
            let drop = 128_u32.saturating_sub(v6_prefix.into());
            let mask = u128::MAX.checked_shl(drop).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask))
        }
    }
}

/// An IPv4 address, bare or with a port: what nearly every request has, at a third of what the general way takes.
/// `None` for anything else, which may still be an address.
fn v4(text: &[u8]) -> Option<Ipv4Addr> {
    let mut octets = [0_u8; 4];
    let mut rest = text;
    for (index, octet) in octets.iter_mut().enumerate() {
        if index > 0 {
            rest = rest.strip_prefix(b".")?;
        }
        let mut digits = 0;
        while let [digit @ b'0'..=b'9', after @ ..] = rest {
            // A leading zero is octal to some.
            if digits > 0 && *octet == 0 {
                return None;
            }
            *octet = octet.checked_mul(10)?.checked_add(digit - b'0')?;
            digits += 1;
            rest = after;
        }
        if digits == 0 {
            return None;
        }
    }
    let ends = rest.is_empty() || rest.strip_prefix(b":").is_some_and(is_port);
    ends.then(|| Ipv4Addr::from(octets))
}

/// What stands before and after the first `delimiter`.
fn split_at(text: &[u8], delimiter: u8) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|byte| *byte == delimiter)?;
    let (before, rest) = text.split_at_checked(at)?;
    Some((before, rest.split_first()?.1))
}

/// A port is 16 bits; which one does not matter.
fn is_port(text: &[u8]) -> bool {
    matches!(text.len(), 1..=5) && text.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests;
