//! Leases of a quota that proxies share, kept by a real rate limit service.

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::client::{Connection, get};
use crate::document::Listener;
use crate::proxy::{self, Envoy, Host, until};
use crate::service::Service;

/// A thousand a day for each tenant.
const QUOTA: u64 = 1_000;

/// So much of it may be left: who asks for more than there is gets nothing of it, and nobody asks for more than a
/// quarter of its half of what it was last told of.
const LEFT: u64 = QUOTA / 2 / 4;

const LIMITS: &str = "
domain: default
descriptors:
- key: tenant
  rate_limit: {unit: day, requests_per_unit: 1000}
";

/// A filter that takes leases for each tenant; every user has three requests of its own.
fn per_tenant(on_error: &str) -> Value {
    json!({
        "limiter": { "engine": "envoy_ratelimit", "cluster": "ratelimit", "proxies": 2, "on_error": on_error,
            "timeout": "60s", "max_wait": "60s" },
        "rules": [
            {
                "name": "per-tenant",
                "key": [{ "header": "x-tenant", "as": "tenant" }],
                "limits": [{ "requests": QUOTA, "per": "1d" }],
                "global": { "mode": "lease" },
            },
            {
                "name": "per-user",
                "key": [{ "header": "x-user" }],
                "limits": [{ "requests": 3, "per": "1d" }],
            },
        ],
    })
}

async fn proxy(host: &Host, service: &Service, filter: &Value) -> Envoy {
    host.start(Listener::new(filter).limiter(service.address))
        .await
}

/// How many of so many requests are admitted, sent over four connections at once.
async fn admitted(envoys: &[&Envoy], requests: u64, tenant: &'static str) -> u64 {
    let mut load = JoinSet::new();
    let each = usize::try_from(requests / 4).unwrap();
    for envoy in envoys {
        for _ in 0..4 {
            let mut connection = Connection::http1(envoy.address).await;
            load.spawn(async move {
                let acme = || get("/").header("x-tenant", tenant);
                connection.statuses(each, acme).await
            });
        }
    }
    let statuses = load.join_all().await.concat();
    assert!(statuses.iter().all(|status| [200, 429].contains(status)));
    let admitted = statuses.iter().filter(|status| **status == 200).count();
    u64::try_from(admitted).unwrap()
}

#[tokio::test]
async fn two_proxies_spend_one_quota_and_hardly_ask() {
    for host in proxy::everywhere() {
        let service = Service::start(LIMITS).await;
        let filter = per_tenant("deny");
        let (one, two) = (
            proxy(&host, &service, &filter).await,
            proxy(&host, &service, &filter).await,
        );
        let admitted = admitted(&[&one, &two], QUOTA, "acme").await;
        assert!((QUOTA - LEFT..=QUOTA).contains(&admitted), "{admitted}");
        let (mut calls, mut leased) = (0, 0);
        for envoy in [&one, &two] {
            assert!(envoy.was_told_in_time("per-tenant", QUOTA).await);
            calls += envoy.counter("limiter.calls").await;
            leased += envoy.counter("limiter.leased").await;
        }
        assert!(
            (admitted..=QUOTA).contains(&leased),
            "{leased} leased for {admitted}"
        );
        assert!(calls < admitted / 4, "{calls} calls for {admitted}");
        // Whom it is refused to, nobody asks for again.
        let refused = one
            .connect()
            .await
            .send(get("/").header("x-tenant", "acme"))
            .await;
        assert_eq!(refused.status, 429);
        assert_eq!(refused.number("x-ratelimit-limit"), 1_000);
        assert_eq!(refused.number("x-ratelimit-remaining"), 0);
        assert!((1..=86_400).contains(&refused.number("retry-after")));
    }
}

#[tokio::test]
async fn who_is_refused_here_gives_back_what_was_leased() {
    for host in proxy::everywhere() {
        let service = Service::start(LIMITS).await;
        let envoy = proxy(&host, &service, &per_tenant("deny")).await;
        let mut caller = envoy.connect().await;
        let ann = || get("/").header("x-tenant", "acme").header("x-user", "ann");
        let statuses = caller.statuses(50, ann).await;
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 3);
        assert_eq!(admitted(&[&envoy], 2 * QUOTA, "acme").await, QUOTA - 3);
    }
}

/// Also where the document says another number: the service's is what counts.
#[tokio::test]
async fn leases_in_hand_are_spent_after_a_reload() {
    for host in proxy::everywhere() {
        let service = Service::start(LIMITS).await;
        let mut filter = per_tenant("deny");
        let mut envoy = proxy(&host, &service, &filter).await;
        let mut used = admitted(&[&envoy], 400, "acme").await;
        assert_eq!(used, 400);
        filter["response"] = json!({ "headers": [] });
        envoy.reload(&filter).await;
        used += admitted(&[&envoy], 200, "acme").await;
        assert_eq!(used, 600);
        filter["rules"][0]["limits"][0]["requests"] = json!(2_000);
        envoy.reload(&filter).await;
        used += admitted(&[&envoy], 1_000, "acme").await;
        assert!((QUOTA - 2..=QUOTA).contains(&used), "{used}");
    }
}

/// With the service killed, what is leased is spent and then the proxy's share, and nobody waits once the breaker is open.
#[tokio::test]
async fn without_the_service_a_proxy_spends_what_it_has_and_its_share() {
    for host in proxy::everywhere() {
        let mut service = Service::start(LIMITS).await;
        let envoy = proxy(&host, &service, &per_tenant("local")).await;
        assert_eq!(admitted(&[&envoy], 200, "acme").await, 200);
        service.kill();
        let alone = admitted(&[&envoy], 1_200, "acme").await;
        // Of 800 or less that were left, half is this proxy's; what was leased is at most a quarter of a half.
        assert!((1..=400 + 100).contains(&alone), "{alone}");
        until("the breaker to open", async || {
            let line = "the limiter is left alone, for";
            envoy.log().contains(line).then_some(())
        })
        .await;
        envoy.decided("per-tenant", 200 + 1_200).await;
        let parked = envoy.counter("limiter.parked").await;
        let other = admitted(&[&envoy], 600, "other").await;
        assert!((1..=QUOTA / 2).contains(&other), "{other}");
        envoy.counted("limiter.parked", parked).await;
    }
}
