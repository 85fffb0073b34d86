//! What operators see: the access log, statistics, the proxy's log.

use serde_json::{Value, json};

use crate::client::get;
use crate::document::{Listener, per_client};
use crate::proxy::{self, until};

#[tokio::test]
async fn the_access_log_names_rule_and_limit() {
    let filter = json!({ "rules": [
        { "name": "per-client", "key": ["client_ip"], "match": { "path": { "prefix": "/limited" } },
          "limits": [{ "requests": 1, "per": "1h", "name": "hourly" }] },
        { "name": "tenants", "key": [{ "header": "x-tenant" }], "match": { "path": { "exact": "/tenants" } },
          "on_missing_key": "deny", "limits": [{ "requests": 1, "per": "1h" }] },
    ] });
    for host in proxy::everywhere() {
        let envoy = host.start(Listener::new(&filter)).await;
        let mut caller = envoy.connect().await;
        for path in ["/limited", "/limited/again", "/tenants"] {
            caller.send(get(path)).await;
        }
        assert_eq!(
            envoy.access_log("/limited", 1).await,
            ["/limited 200 direct_response -"]
        );
        let refused = "/limited/again 429 weir_limited[per-client.hourly] per-client.hourly";
        assert_eq!(envoy.access_log("/limited/again", 1).await, [refused]);
        let denied = envoy.access_log("/tenants", 1).await;
        assert!(
            denied[0].starts_with("/tenants 403 weir_missing_key[tenants]"),
            "{denied:?}"
        );
    }
}

#[tokio::test]
async fn counters_count_each_rule_and_the_store() {
    for host in proxy::everywhere() {
        let mut filter = per_client(&json!([{ "requests": 2, "per": "1h" }]));
        filter["client_ip"] =
            json!({ "from": "x-forwarded-for", "trusted_proxies": ["127.0.0.0/8"] });
        filter["store"] = json!({ "max_keys": 1024 });
        let envoy = host.start(Listener::new(&filter).forwarded_as_sent()).await;
        let mut caller = envoy.connect().await;
        for client in 0..5 {
            let client = format!("192.0.2.{client}");
            assert_eq!(
                caller
                    .statuses(3, || get("/").header("x-forwarded-for", &client))
                    .await,
                [200, 200, 429]
            );
        }
        let rule = async |what: &str| {
            envoy
                .stat(&format!("wasmcustom.weir.rule.per-client.{what}"))
                .await
        };
        until("the counters, once a second", async || {
            let counted = rule("allowed").await + rule("limited").await;
            (counted == 15).then_some(())
        })
        .await;
        assert_eq!((rule("allowed").await, rule("limited").await), (10, 5));
        assert_eq!((rule("errors").await, rule("uncharged").await), (0, 0));
        for quiet in ["evictions", "evicted_indebted", "corrupt"] {
            assert_eq!(
                envoy.stat(&format!("wasmcustom.weir.store.{quiet}")).await,
                0,
                "{quiet}"
            );
        }
    }
}

/// Every 10 s the filter counts the keys that still owe something.
#[tokio::test]
async fn a_gauge_tells_how_many_keys_are_tracked() {
    let mut filter = per_client(&json!([{ "requests": 2, "per": "1h" }]));
    filter["client_ip"] = json!({ "from": "x-forwarded-for", "trusted_proxies": ["127.0.0.0/8"] });
    filter["store"] = json!({ "max_keys": 1024 });
    let envoy = proxy::newest()
        .start(Listener::new(&filter).forwarded_as_sent())
        .await;
    let mut caller = envoy.connect().await;
    for client in 0..50 {
        caller
            .send(get("/").header("x-forwarded-for", format!("192.0.2.{client}")))
            .await;
    }
    until("the gauge of tracked keys", async || {
        (envoy.stat("wasmcustom.weir.store.entries").await == 50).then_some(())
    })
    .await;
}

/// One line for each refusal, up to the configured number a second, in JSON, without the caller's key in clear.
#[tokio::test]
async fn a_refusal_leaves_one_structured_line() {
    for host in proxy::everywhere() {
        let mut filter = json!({
            "rules": [{ "name": "per-tenant", "key": [{ "header": "x-tenant" }], "limits": [{ "requests": 1, "per": "1h" }] }],
        });
        let mut envoy = host.start(Listener::new(&filter)).await;
        for (keys, shown) in [("hashed", false), ("plain", true), ("none", false)] {
            filter["log"] = json!({ "keys": keys });
            filter["domain"] = keys.into();
            envoy.reload(&filter).await;
            let already = envoy.log().len();
            let mut caller = envoy.connect().await;
            let tenant = || get("/loans").header("x-tenant", "acme-industries");
            assert_eq!(caller.statuses(2, tenant).await, [200, 429]);
            let line = until("the line of the refusal", async || {
                envoy.log()[already..]
                    .lines()
                    .find(|line| line.contains("per-tenant"))
                    .map(str::to_owned)
            })
            .await;
            let fields: Value = serde_json::from_str(&line[line.find('{').unwrap()..]).unwrap();
            assert_eq!(fields["rule"], "per-tenant", "{line}");
            assert_eq!(line.contains("acme-industries"), shown, "{line}");
            assert_eq!(
                envoy.log()[already..].matches("per-tenant").count(),
                1,
                "one line"
            );
        }
    }
}
