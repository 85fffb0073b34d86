//! What the entries of a real rate limit service may say besides a number: all of it as Envoy's own filter takes it.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::client::{Answer, get};
use crate::document::Listener;
use crate::proxy::{self, Envoy, Host};
use crate::service::Service;

const LIMITS: &str = "
domain: default
descriptors:
- key: tenant
  rate_limit: {unit: day, requests_per_unit: 10}
- key: tenant
  value: gold
  rate_limit: {unit: month, requests_per_unit: 5000}
- key: tenant
  value: bronze
  rate_limit: {unit: year, requests_per_unit: 2}
- key: tenant
  value: free
  rate_limit: {unlimited: true}
- key: tenant
  value: shadowed
  shadow_mode: true
  rate_limit: {unit: day, requests_per_unit: 400}
- key: tenant
  value: metered
  quota_mode: true
  rate_limit: {unit: day, requests_per_unit: 400}
";

const MODES: [&str; 2] = ["lease", "per_request"];

/// A filter that says 10 a day for every tenant.
fn per_tenant(mode: &str) -> Value {
    json!({
        "limiter": { "engine": "envoy_ratelimit", "cluster": "ratelimit", "proxies": 1, "on_error": "deny",
            "timeout": "60s", "max_wait": "60s" },
        "response": { "headers": ["x-ratelimit", "ietf-draft-11"] },
        "rules": [{
            "name": "per-tenant",
            "key": [{ "header": "x-tenant", "as": "tenant" }],
            "limits": [{ "requests": 10, "per": "1d" }],
            "global": { "mode": mode },
        }],
    })
}

async fn proxy(host: &Host, service: &Service, mode: &str) -> Envoy {
    let listener = Listener::new(&per_tenant(mode));
    host.start(listener.limiter(service.address)).await
}

/// So many requests of a tenant, one after the other; the last one's answer.
async fn all_admitted(envoy: &Envoy, tenant: &str, requests: u64) -> Answer {
    let mut caller = envoy.connect().await;
    for request in 1..requests {
        let answer = caller.send(get("/").header("x-tenant", tenant)).await;
        assert_eq!(answer.status, 200, "{tenant}: {request}");
    }
    let answer = caller.send(get("/").header("x-tenant", tenant)).await;
    assert_eq!(answer.status, 200, "{tenant}: {requests}");
    envoy.counted("rule.per-tenant.allowed", requests).await;
    assert_eq!(envoy.counter("rule.per-tenant.uncharged").await, 0);
    assert_eq!(envoy.counter("rule.per-tenant.errors").await, 0);
    answer
}

/// `SHADOW_MODE` says that the call is within its limits, above statuses that are over; the two modes of an entry say it
/// in the status.
#[tokio::test]
async fn what_the_service_only_watches_is_admitted() {
    const LIMIT: u64 = 400;
    const BEYOND: u64 = 400;
    for host in proxy::everywhere() {
        for (settings, tenant) in [
            (&[("SHADOW_MODE", "true")][..], "any"),
            (&[], "shadowed"),
            (&[], "metered"),
        ] {
            let limits = LIMITS.replace("requests_per_unit: 10}", "requests_per_unit: 400}");
            let service = Service::start_set(&limits, settings).await;
            let envoy = proxy(&host, &service, "per_request").await;
            let last = all_admitted(&envoy, tenant, LIMIT + 9).await;
            assert_eq!(last.number("x-ratelimit-remaining"), 0);
            // Nothing is left for another proxy either, which hears of it twice and takes leases from then on.
            let envoy = proxy(&host, &service, "lease").await;
            let last = all_admitted(&envoy, tenant, BEYOND).await;
            assert_eq!(last.number("x-ratelimit-limit"), LIMIT);
            assert_eq!(last.number("x-ratelimit-remaining"), 0);
            let calls = envoy.counter("limiter.calls").await;
            assert!(calls < BEYOND / 4, "{tenant}: {calls} calls");
        }
    }
}

#[tokio::test]
async fn what_is_unlimited_is_admitted_and_counted() {
    for host in proxy::everywhere() {
        let service = Service::start(LIMITS).await;
        for mode in MODES {
            let envoy = proxy(&host, &service, mode).await;
            let last = all_admitted(&envoy, "free", 60).await;
            for name in ["x-ratelimit-limit", "ratelimit", "ratelimit-policy"] {
                assert_eq!(last.header(name), None, "{name}");
            }
            assert!(!envoy.log().contains("the limiter has"), "{mode}");
        }
    }
}

/// A document says one number, the service another for some values: the service's is what is taken and told.
#[tokio::test]
async fn tiers_are_told_as_the_service_has_them() {
    const MONTH: u64 = 30 * 86_400;
    const YEAR: u64 = 365 * 86_400;
    for host in proxy::everywhere() {
        for mode in MODES {
            let service = Service::start(LIMITS).await;
            let envoy = proxy(&host, &service, mode).await;
            let last = all_admitted(&envoy, "gold", 40).await;
            assert_eq!(last.number("x-ratelimit-limit"), 5_000);
            assert_eq!(last.number("x-ratelimit-remaining"), 4_960);
            assert_eq!(
                last.header("ratelimit-policy"),
                Some(r#""per-tenant";q=5000;w=2592000"#)
            );
            assert_ends(&last, "x-ratelimit-reset", MONTH);
            let mut caller = envoy.connect().await;
            let bronze = || get("/").header("x-tenant", "bronze");
            assert_eq!(caller.statuses(2, bronze).await, [200, 200]);
            let refused = caller.send(bronze()).await;
            assert_eq!(refused.status, 429);
            assert_eq!(refused.number("x-ratelimit-limit"), 2);
            assert_ends(&refused, "retry-after", YEAR);
            assert_ends(&refused, "x-ratelimit-reset", YEAR);
            let silver = caller.send(get("/").header("x-tenant", "silver")).await;
            assert_eq!(silver.number("x-ratelimit-limit"), 10);
            assert_eq!(silver.number("x-ratelimit-remaining"), 9);
        }
    }
}

/// Whether a header tells the seconds until the end of a period of Unix time.
fn assert_ends(answer: &Answer, header: &str, period: u64) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let left = period - now.as_secs() % period;
    let told = answer.number(header);
    assert!(
        (left..=left + 60).contains(&told),
        "{header}: {told}, not {left}"
    );
}
