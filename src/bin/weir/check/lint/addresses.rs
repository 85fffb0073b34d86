//! Client addresses: whether a client can choose its own.

use weir::plan::{AddressSource, KeySource, OnMissingKey};

use super::Accepted;
use crate::check::diagnostic::Diagnostic;
use crate::check::tree::Here;

pub(super) fn warnings(of: Accepted<'_>, said: &mut Vec<Diagnostic>) {
    let source = &of.plan.client_ip.source;
    let counts_by_address = of.plan.rules.iter().any(|rule| {
        let mut parts = rule.key.iter();
        rule.on_missing_key == OnMissingKey::ClientIp
            || parts.any(|part| matches!(part.source, KeySource::ClientIp))
    });
    if let Some(manager) = of.plugin.manager.filter(|_| counts_by_address) {
        let message = match source {
            AddressSource::Connection => manager.believes_clients().then_some(BELIEVED),
            AddressSource::ForwardedFor(_) => (!manager.adds_peers()).then_some(HANDED_ON),
        };
        said.extend(message.map(|message| Diagnostic::warning(manager.at(), "", message)));
    }
    if counts_by_address && of.plan.client_ip.v6_prefix > SUBSCRIBER {
        let prefix = of.here.path(&["client_ip", "v6_prefix"]);
        let at = prefix.unwrap_or(of.here).at();
        said.push(Diagnostic::warning(at, "client_ip.v6_prefix", SPLIT));
    }
    let AddressSource::ForwardedFor(networks) = source else {
        return;
    };
    let list = of.here.path(&["client_ip", "trusted_proxies"]);
    let items = list.into_iter().flat_map(Here::items);
    for (place, (network, item)) in networks.iter().zip(items).enumerate() {
        if network.prefix_len() == 0 {
            let path = format!("client_ip.trusted_proxies[{place}]");
            let message = format!("{network} is everybody: a client chooses its address");
            said.push(Diagnostic::warning(item.at(), &path, &message));
        }
    }
}

/// The longest prefix of IPv6 that a subscriber gets: RFC 6177 §2 asks for more than one /64 each.
const SUBSCRIBER: u8 = 64;

const SPLIT: &str = "a subscriber has a /64 or more, and so as many addresses of this length, and counters, as it likes; \
                     set it to 64 or less";

const BELIEVED: &str =
    "use_remote_address is not true: a client chooses its address by sending X-Forwarded-For";

const HANDED_ON: &str = "use_remote_address is not true (or skip_xff_append is): Envoy adds nobody to X-Forwarded-For, \
                         and who connects to it chooses an address";
