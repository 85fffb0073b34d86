//! Quotas that proxies share, kept by a real rate limit service.

use serde_json::{Value, json};

use crate::client::get;
use crate::document::Listener;
use crate::proxy;
use crate::service::Service;

/// What the service keeps: so many an hour for each tenant.
const LIMITS: &str = "
domain: default
descriptors:
- key: tenant
  rate_limit: {unit: hour, requests_per_unit: 5}
";

/// A filter whose quota for each tenant is the service's.
fn per_tenant(on_error: &str) -> Value {
    json!({
        "limiter": { "engine": "envoy_ratelimit", "cluster": "ratelimit", "proxies": 2, "on_error": on_error,
            // A request of a test waits as long as it takes.
            "timeout": "10s", "max_wait": "10s" },
        "rules": [{
            "name": "per-tenant",
            "key": [{ "header": "x-tenant", "as": "tenant" }],
            "limits": [{ "requests": 5, "per": "1h" }],
            "global": { "mode": "per_request" },
        }],
    })
}

#[tokio::test]
async fn two_proxies_share_one_quota() {
    for host in proxy::everywhere() {
        let service = Service::start(LIMITS).await;
        let listener = || Listener::new(&per_tenant("deny")).limiter(service.address);
        let (one, two) = (host.start(listener()).await, host.start(listener()).await);
        let (mut one, mut two) = (one.connect().await, two.connect().await);
        let acme = || get("/").header("x-tenant", "acme");
        assert_eq!(one.statuses(3, acme).await, [200, 200, 200]);
        assert_eq!(two.statuses(3, acme).await, [200, 200, 429]);
        assert_eq!(one.statuses(1, acme).await, [429]);
        let admitted = two.send(get("/").header("x-tenant", "other")).await;
        assert_eq!(admitted.status, 200);
        assert_eq!(admitted.header("x-ratelimit-remaining"), Some("4"));
        let refused = one.send(acme()).await;
        assert_eq!(refused.header("x-ratelimit-remaining"), Some("0"));
        let wait: u32 = refused.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=3_600).contains(&wait), "{wait}");
    }
}
