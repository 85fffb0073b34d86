//! Quotas that proxies share, kept by a real rate limit service.

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::client::{Connection, get};
use crate::document::Listener;
use crate::proxy::{self, Envoy, Host, until};
use crate::service::Service;

/// What the service keeps: five a day for each tenant.
const LIMITS: &str = "
domain: default
descriptors:
- key: tenant
  rate_limit: {unit: day, requests_per_unit: 5}
";

/// A filter whose quota for each tenant is the service's; another rule of its own for each user.
fn per_tenant(on_error: &str, max_wait: &str) -> Value {
    json!({
        "limiter": { "engine": "envoy_ratelimit", "cluster": "ratelimit", "proxies": 2, "on_error": on_error,
            "timeout": PATIENT, "max_wait": max_wait },
        "rules": [
            {
                "name": "per-tenant",
                "key": [{ "header": "x-tenant", "as": "tenant" }],
                "limits": [{ "requests": 5, "per": "1d" }],
                "global": { "mode": "per_request" },
            },
            {
                "name": "per-user",
                "key": [{ "header": "x-user" }],
                "limits": [{ "requests": 1, "per": "1d" }],
            },
        ],
    })
}

/// A test's request waits as long as it takes: on a slow machine too every answer is in time.
const PATIENT: &str = "60s";

async fn proxy(host: &Host, service: &Service, filter: &Value) -> Envoy {
    host.start(Listener::new(filter).limiter(service.address))
        .await
}

#[tokio::test]
async fn two_proxies_share_one_quota() {
    for host in proxy::everywhere() {
        let service = Service::start(LIMITS).await;
        let filter = per_tenant("deny", PATIENT);
        let (one, two) = (
            proxy(&host, &service, &filter).await,
            proxy(&host, &service, &filter).await,
        );
        let (mut one, mut two) = (one.connect().await, two.connect().await);
        let acme = || get("/").header("x-tenant", "acme");
        assert_eq!(one.statuses(3, acme).await, [200, 200, 200]);
        assert_eq!(two.statuses(3, acme).await, [200, 200, 429]);
        assert_eq!(one.statuses(1, acme).await, [429]);
        let admitted = two.send(get("/").header("x-tenant", "other")).await;
        assert_eq!(admitted.status, 200);
        assert_eq!(admitted.number("x-ratelimit-remaining"), 4);
        let refused = one.send(acme()).await;
        assert_eq!(refused.number("x-ratelimit-remaining"), 0);
        assert!((1..=86_400).contains(&refused.number("retry-after")));
    }
}

#[tokio::test]
async fn what_is_refused_here_costs_the_service_nothing() {
    for host in proxy::everywhere() {
        let service = Service::start(LIMITS).await;
        let envoy = proxy(&host, &service, &per_tenant("deny", PATIENT)).await;
        let mut caller = envoy.connect().await;
        let of =
            |user: &'static str| move || get("/").header("x-tenant", "acme").header("x-user", user);
        assert_eq!(caller.statuses(3, of("ann")).await, [200, 429, 429]);
        // Ann was charged once, so four are left; and whom the service refuses is charged nothing here.
        for user in ["bob", "cy", "di", "ed"] {
            assert_eq!(caller.statuses(1, of(user)).await, [200], "{user}");
        }
        assert_eq!(caller.statuses(1, of("flo")).await, [429]);
        let other = get("/").header("x-tenant", "other").header("x-user", "flo");
        assert_eq!(caller.send(other).await.status, 200);
        envoy.counted("limiter.calls", 7).await;
        envoy.counted("limiter.parked", 7).await;
        assert_eq!(envoy.failed_calls().await, 0);
    }
}

#[tokio::test]
async fn a_crowd_shares_calls_and_gets_exactly_the_quota() {
    for host in proxy::everywhere() {
        let service = Service::start(LIMITS).await;
        let envoy = proxy(&host, &service, &per_tenant("deny", PATIENT)).await;
        let mut crowd = JoinSet::new();
        for _ in 0..40 {
            let mut connection = Connection::http1(envoy.address).await;
            crowd.spawn(async move {
                let answer = connection.send(get("/").header("x-tenant", "acme")).await;
                answer.status
            });
        }
        let statuses = crowd.join_all().await;
        let admitted = statuses.iter().filter(|status| **status == 200).count();
        assert_eq!(admitted, 5, "{statuses:?}");
        assert!(statuses.iter().all(|status| [200, 429].contains(status)));
        envoy.counted("rule.per-tenant.allowed", 5).await;
        assert!(envoy.counter("limiter.calls").await <= 40);
    }
}

/// The service is gone: what holds then is `on_error`.
#[tokio::test]
async fn without_the_service_on_error_decides() {
    for host in proxy::everywhere() {
        for (on_error, expected) in [
            // Half of five, rounded down: there are two proxies.
            ("local", [200, 200, 429, 429]),
            ("allow", [200; 4]),
            ("deny", [503; 4]),
        ] {
            let mut service = Service::start(LIMITS).await;
            let envoy = proxy(&host, &service, &per_tenant(on_error, PATIENT)).await;
            service.kill();
            let mut caller = envoy.connect().await;
            let acme = || get("/").header("x-tenant", "acme");
            assert_eq!(caller.statuses(4, acme).await, expected, "{on_error}");
            envoy.counted("limiter.errors.unreachable", 4).await;
            let uncharged = if on_error == "allow" { 4 } else { 0 };
            envoy.counted("rule.per-tenant.uncharged", uncharged).await;
        }
    }
}

/// Redis is gone: the service answers 400, which is no refusal.
#[tokio::test]
async fn a_service_that_fails_does_not_refuse() {
    for host in proxy::everywhere() {
        let mut service = Service::start(LIMITS).await;
        let envoy = proxy(&host, &service, &per_tenant("deny", PATIENT)).await;
        let mut caller = envoy.connect().await;
        let acme = || get("/").header("x-tenant", "acme");
        assert_eq!(caller.statuses(1, acme).await, [200]);
        service.kill_store();
        let answer = caller.send(acme()).await;
        assert_eq!(answer.status, 503);
        assert!(
            answer.json()["type"]
                .as_str()
                .unwrap()
                .ends_with("#temporary-reduced-capacity")
        );
    }
}

/// A service that hangs: nobody waits longer than `max_wait` and a tick, and the quota is asked for again once it
/// goes on.
#[tokio::test]
async fn a_service_that_hangs_holds_nobody_up() {
    for host in proxy::everywhere() {
        let service = Service::start(LIMITS).await;
        let envoy = proxy(&host, &service, &per_tenant("deny", "20ms")).await;
        service.stop().await;
        let mut caller = envoy.connect().await;
        let acme = || get("/").header("x-tenant", "acme");
        assert_eq!(caller.statuses(2, acme).await, [503, 503]);
        envoy.counted("limiter.overdue", 2).await;
        service.go_on();
        // Who is answered too late is charged all the same: each time somebody else.
        let mut tenants = 0..;
        until("the service to be asked again", async || {
            let tenant = format!("tenant-{}", tenants.next()?);
            let answer = caller.send(get("/").header("x-tenant", tenant)).await;
            (answer.status == 200).then_some(())
        })
        .await;
    }
}

/// A store that hangs: what was asked for meanwhile is charged once it goes on, and asked for only once.
#[tokio::test]
async fn what_a_store_that_hangs_charges_late_is_charged_once() {
    for host in proxy::everywhere() {
        let service = Service::start(LIMITS).await;
        let mut envoy = proxy(&host, &service, &per_tenant("deny", "20ms")).await;
        service.stop_store().await;
        let mut caller = envoy.connect().await;
        let acme = || get("/").header("x-tenant", "acme");
        assert_eq!(caller.statuses(2, acme).await, [503, 503]);
        service.go_on();
        until("the calls to be answered", async || {
            let active = envoy.stat("cluster.ratelimit.upstream_rq_active").await;
            (active == 0).then_some(())
        })
        .await;
        envoy.reload(&per_tenant("deny", PATIENT)).await;
        let mut caller = envoy.connect().await;
        assert_eq!(caller.statuses(4, acme).await, [200, 200, 200, 429]);
    }
}

/// Clients that go while they wait leave nothing behind, and take nobody's answer along.
#[tokio::test]
async fn clients_that_go_while_they_wait_take_nobody_along() {
    for host in proxy::everywhere() {
        let service = Service::start(LIMITS).await;
        let envoy = proxy(&host, &service, &per_tenant("deny", PATIENT)).await;
        service.stop().await;
        let mut crowd = JoinSet::new();
        for tenant in 0..20 {
            let mut connection = Connection::http1(envoy.address).await;
            crowd.spawn(async move {
                let tenant = format!("tenant-{tenant}");
                connection.send(get("/").header("x-tenant", tenant)).await;
            });
        }
        envoy.counted("limiter.parked", 20).await;
        crowd.shutdown().await;
        until("the clients to be gone", async || {
            let active = envoy.stat("http.weir.downstream_rq_active").await;
            (active == 0).then_some(())
        })
        .await;
        service.go_on();
        let mut caller = envoy.connect().await;
        let late = || get("/").header("x-tenant", "late");
        assert_eq!(
            caller.statuses(6, late).await,
            [200, 200, 200, 200, 200, 429]
        );
    }
}

/// A service without such a limit would admit anything: it does, and everybody can see it.
#[tokio::test]
async fn what_the_service_has_no_limit_for_passes_and_is_seen() {
    for host in proxy::everywhere() {
        let service = Service::start(LIMITS).await;
        let mut filter = per_tenant("deny", PATIENT);
        filter["rules"][0]["key"][0]["as"] = "tennant".into();
        let envoy = proxy(&host, &service, &filter).await;
        let mut caller = envoy.connect().await;
        let acme = || get("/").header("x-tenant", "acme");
        assert_eq!(caller.statuses(7, acme).await, [200; 7]);
        envoy.counted("rule.per-tenant.uncharged", 7).await;
        assert_eq!(envoy.counter("rule.per-tenant.allowed").await, 0);
        proxy::until("the log to tell of it", async || {
            let line = "the limiter has no limit for what a rule asks";
            envoy.log().contains(line).then_some(())
        })
        .await;
        let twice = get("/").header("x-tenant", "a").header("x-tenant", "a");
        assert_eq!(caller.send(twice).await.status, 403);
    }
}
