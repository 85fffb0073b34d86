//! Blocks of addresses.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

use super::decode::{Decode, Reader};
use super::error::Path;
use super::json::Node;

/// The addresses of a CIDR block, or a single one. What was written as v4-mapped IPv6 is IPv4, as addresses are
/// when they are compared.
#[derive(Debug)]
pub(super) struct Network(pub IpNet);

impl Decode for Network {
    fn decode(node: &Node, path: &Path<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let net = match node {
            Node::String(text) => network(text),
            _ => None,
        };
        match net {
            Some(net) if net == net.trunc() => Some(Self(unmapped(net))),
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

fn unmapped(net: IpNet) -> IpNet {
    let IpNet::V6(v6) = net else { return net };
    let prefix = v6.prefix_len().checked_sub(96);
    let v4 = v6.network().to_ipv4_mapped().zip(prefix);
    v4.and_then(|(address, prefix)| Ipv4Net::new(address, prefix).ok())
        .map_or(net, IpNet::V4)
}
