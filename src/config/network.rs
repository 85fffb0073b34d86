//! Blocks of addresses.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

use super::decode::{Decode, Reader};
use super::error::Path;
use super::json::Node;
use crate::address::canonical;

/// The addresses of a CIDR block, or a single one. A block of IPv6 addresses that stand for IPv4 addresses is one of
/// IPv4, since addresses are compared in their canonical form.
#[derive(Debug)]
pub(super) struct Network(pub IpNet);

impl Decode for Network {
    fn decode(node: &Node, path: &Path<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let net = match node {
            Node::String(text) => network(text),
            _ => None,
        };
        match net {
            Some(net) if net == net.trunc() => Some(Self(comparable(net))),
            Some(_) => reader.unexpected(
                path,
                node,
                "no bits beyond the prefix, as in \"10.0.0.0/8\"",
            ),
            None => reader.unexpected(path, node, "an address or a CIDR block"),
        }
    }
}

fn network(text: &str) -> Option<IpNet> {
    let Some((address, prefix)) = text.split_once('/') else {
        return Some(IpNet::from(text.parse::<IpAddr>().ok()?));
    };
    let is_number = prefix.bytes().all(|byte| byte.is_ascii_digit());
    let prefix = prefix.parse().ok().filter(|_| is_number)?;
    IpNet::new(address.parse().ok()?, prefix).ok()
}

fn comparable(net: IpNet) -> IpNet {
    match (canonical(net.network()), net.prefix_len().checked_sub(96)) {
        (IpAddr::V4(address), Some(prefix)) => Ipv4Net::new(address, prefix).map_or(net, IpNet::V4),
        _ => net,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_block_of_addresses_that_stand_for_ipv4_is_one_of_ipv4() {
        for (written, compared) in [
            ("192.0.2.0/24", "192.0.2.0/24"),
            ("::ffff:192.0.2.0/120", "192.0.2.0/24"),
            ("64:ff9b::192.0.2.0/120", "192.0.2.0/24"),
            ("64:ff9b::c000:207", "192.0.2.7/32"),
            ("64:ff9b::/96", "0.0.0.0/0"),
            ("64:ff9b::/95", "64:ff9b::/95"),
            ("64:ff9b:1::/48", "64:ff9b:1::/48"),
            ("2001:db8::/32", "2001:db8::/32"),
        ] {
            let net = network(written).map(comparable).unwrap();
            assert_eq!(net.to_string(), compared, "{written}");
        }
    }
}
