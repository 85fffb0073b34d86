//! What the host allows of those who wait for the rate limit service.

use std::net::Ipv6Addr;

/// Who asks the service for requests that wait: what the host allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// The root, for all of them together: it resumes any of them, also when their pots have been filled.
    Root,
    /// Each for itself, one debit for each of its limits: the host resumes a stream only by the answer to a call of its
    /// own, and what its client does not wait for is lost. Pots are filled by ticks.
    Stream,
}

/// Whether `upstream` is an address as Kong's host takes it: `host:port`, `[v6]:port`, either without its port, or
/// `unix:` and a path. At a port that is none it stops the instance.
#[must_use]
pub fn is_address(upstream: &str) -> bool {
    if let Some(path) = upstream.strip_prefix("unix:") {
        return !path.is_empty();
    }
    let (is_host, rest) = match upstream.strip_prefix('[') {
        Some(inner) => {
            let (address, rest) = inner.split_once(']').unwrap_or((inner, "]"));
            (address.parse::<Ipv6Addr>().is_ok(), rest)
        }
        None => {
            let end = upstream.find(':').unwrap_or(upstream.len());
            let (host, rest) = upstream.split_at_checked(end).unwrap_or(("", ""));
            (!host.is_empty() && !host.contains(['/', '?']), rest)
        }
    };
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
    is_host && (rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port))
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn an_address_has_a_port_that_is_one() {
        for upstream in [
            "10.0.0.1:8080",
            "quotas:80",
            "quotas",
            "[::1]:80",
            "[::1]",
            "unix:/a",
        ] {
            assert!(is_address(upstream), "{upstream}");
        }
        for upstream in [
            "",
            ":80",
            "quotas:",
            "quotas:0",
            "quotas:65536",
            "quotas:http",
            "unix:",
            "http://quotas:80",
            "2001:db8::5:8080",
            "::1",
            "a:b:80",
            "[::1",
            "[quotas]:80",
            "[::1]80",
            "quotas?:80",
        ] {
            assert!(!is_address(upstream), "{upstream}");
        }
    }
}
