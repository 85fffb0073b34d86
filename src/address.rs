//! The client's address: from the connection, or from `X-Forwarded-For` past proxies that are trusted.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use crate::plan::ClientIp;

/// An address as proxies write it: bare, with a port, or in brackets; an IPv6 zone is dropped and an
/// IPv4-mapped address is IPv4.
#[must_use]
pub fn parse(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?.trim_matches([' ', '\t']);
    let bare = if let Some(rest) = text.strip_prefix('[') {
        let (inside, port) = rest.split_once(']')?;
        if !port.is_empty() && !port.strip_prefix(':').is_some_and(is_port) {
            return None;
        }
        inside
    } else {
        match text.split_once(':') {
            // One colon is a port's; more are an IPv6 address.
            Some((address, port)) if !port.contains(':') => {
                if !is_port(port) {
                    return None;
                }
                address
            }
            _ => text,
        }
    };
    let bare = bare
        .split_once('%')
        .map_or(bare, |(address, _zone)| address);
    bare.parse::<IpAddr>()
        .ok()
        .map(|address| address.to_canonical())
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
pub fn aggregate(address: IpAddr, policy: &ClientIp) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let drop = 32_u32.saturating_sub(policy.v4_prefix.into());
            let mask = u32::MAX.checked_shl(drop).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & mask))
        }
        IpAddr::V6(address) => {
            let drop = 128_u32.saturating_sub(policy.v6_prefix.into());
            let mask = u128::MAX.checked_shl(drop).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask))
        }
    }
}

fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok()
}
