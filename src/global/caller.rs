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

/// Whether `upstream` is an address as Kong's host takes it: `host:port`, `[v6]:port`, or `unix:` and a path. At a port
/// or a host that is none it stops the instance. It would take 80 for a port that is missing, but a name without one
/// is rather a cluster of Envoy's.
#[must_use]
pub fn is_address(upstream: &str) -> bool {
    if let Some(path) = upstream.strip_prefix("unix:") {
        return path.starts_with('/');
    }
    let (host, port) = upstream.rsplit_once(':').unwrap_or_default();
    let is_host = match host.strip_prefix('[').and_then(|v6| v6.strip_suffix(']')) {
        Some(v6) => v6.parse::<Ipv6Addr>().is_ok(),
        None => {
            let is_name = |byte| matches!(byte, b'-' | b'.' | b'_') || byte.is_ascii_alphanumeric();
            !host.is_empty() && host.bytes().all(is_name)
        }
    };
    is_host && !port.starts_with('+') && port.parse::<u16>().is_ok_and(|port| port > 0)
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
            "quotas_2.edge-1.svc.:65535",
            "[::1]:80",
            "unix:/a",
        ] {
            assert!(is_address(upstream), "{upstream}");
        }
        for upstream in [
            "",
            ":80",
            "quotas",
            "10.0.0.1",
            "[::1]",
            "outbound|8080||quotas.edge",
            "outbound|8080||quotas.edge:80",
            "quo tas:80",
            "quotas:+80",
            "unix:a",
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
