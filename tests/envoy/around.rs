//! Other filters around this one, and what of Envoy's own doing passes it.

use hyper::Method;
use hyper::http::request::Builder;
use serde_json::{Value, json};

use crate::chain::{Chain, router_to};
use crate::client::{Answer, Connection, get, request};
use crate::document::{per_client, weir};
use crate::proxy::{self, Envoy, Host, until};

const ORIGIN: &str = "https://app.example";
const EXPOSED: &str = "retry-after,x-ratelimit-limit,x-ratelimit-remaining,x-ratelimit-reset";

/// So many requests an hour for each address.
fn limiting(requests: u32) -> Value {
    weir(&per_client(&json!([{ "requests": requests, "per": "1h" }])))
}

fn filter(name: &str, kind: &str) -> Value {
    json!({ "name": name, "typed_config": {
        "@type": format!("type.googleapis.com/envoy.extensions.filters.http.{kind}"),
    } })
}

fn everything() -> Value {
    json!([{ "match": { "prefix": "/" }, "direct_response": { "status": 200 } }])
}

/// The `cors` filter has nothing to say of routes without a cluster.
async fn with_cors(host: &Host, cors_is_first: bool, upstream: &Envoy) -> Envoy {
    let mut filters = [filter("cors", "cors.v3.Cors"), limiting(2)];
    if !cors_is_first {
        filters.reverse();
    }
    let policy = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy",
        "allow_origin_string_match": [{ "exact": ORIGIN }],
        "allow_methods": "GET",
        "expose_headers": EXPOSED,
    });
    let chain = Chain::new(filters, json!([router_to("upstream")])).told("cors", policy);
    chain
        .cluster("upstream", upstream.address)
        .start(host)
        .await
}

fn preflight() -> Builder {
    request(Method::OPTIONS, "/")
        .header("origin", ORIGIN)
        .header("access-control-request-method", "GET")
}

fn from_origin() -> Builder {
    get("/").header("origin", ORIGIN)
}

/// A browser shows a script a 429 and its headers only if `cors` saw the request first.
#[tokio::test]
async fn cors_in_front_lets_scripts_read_refusals() {
    let upstream = upstream().await;
    for host in proxy::everywhere() {
        let envoy = with_cors(&host, true, &upstream).await;
        let mut caller = envoy.connect().await;
        for _ in 0..5 {
            let allowed = caller.send(preflight()).await;
            assert_eq!(allowed.header("access-control-allow-origin"), Some(ORIGIN));
        }
        assert_eq!(caller.statuses(2, from_origin).await, [200, 200]);
        let refused = caller.send(from_origin()).await;
        assert_eq!(refused.status, 429);
        assert_eq!(refused.header("access-control-allow-origin"), Some(ORIGIN));
        assert_eq!(
            refused.header("access-control-expose-headers"),
            Some(EXPOSED)
        );
        for exposed in EXPOSED.split(',') {
            assert!(refused.header(exposed).is_some(), "{exposed}");
        }
    }
}

#[tokio::test]
async fn cors_behind_has_preflights_charged_and_refusals_hidden() {
    let upstream = upstream().await;
    for host in proxy::everywhere() {
        let envoy = with_cors(&host, false, &upstream).await;
        let mut caller = envoy.connect().await;
        assert_eq!(caller.statuses(3, preflight).await, [200, 200, 429]);
        let refused = caller.send(from_origin()).await;
        assert_eq!(refused.status, 429);
        assert_eq!(refused.header("access-control-allow-origin"), None);
        assert_eq!(refused.header("access-control-expose-headers"), None);
    }
}

fn grpc_web_call() -> Builder {
    request(Method::POST, "/loans.Loans/Request")
        .header("content-type", "application/grpc-web+proto")
        .header("x-grpc-web", "1")
}

/// What a second call from one address gets, through filters of which one admits one.
async fn second_grpc_web_call(host: &Host, filters: [Value; 2]) -> Answer {
    let envoy = Chain::new(filters, everything()).start(host).await;
    let mut caller = Connection::http1(envoy.address).await;
    caller.send(grpc_web_call()).await;
    caller.send(grpc_web_call()).await
}

fn grpc_web() -> Value {
    filter("grpc_web", "grpc_web.v3.GrpcWeb")
}

/// As is one of Envoy's own filter: `grpc_web` makes a gRPC status of the HTTP status alone.
#[tokio::test]
async fn behind_grpc_web_a_refusal_is_unavailable() {
    let own = json!({ "name": "local_ratelimit", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
        "stat_prefix": "own",
        "token_bucket": { "max_tokens": 1, "tokens_per_fill": 1, "fill_interval": "3600s" },
        "filter_enabled": { "default_value": { "numerator": 100 } },
        "filter_enforced": { "default_value": { "numerator": 100 } },
    } });
    for host in proxy::everywhere() {
        let refused = second_grpc_web_call(&host, [grpc_web(), limiting(1)]).await;
        let by_envoy = second_grpc_web_call(&host, [grpc_web(), own.clone()]).await;
        for answer in [&refused, &by_envoy] {
            let found = (answer.status, answer.header("grpc-status"));
            assert_eq!(found, (429, Some("14")));
            assert!(answer.bytes().is_empty());
        }
        // Of Weir the client is still told when to come back.
        assert!(refused.number("retry-after") > 3500);
    }
}

#[tokio::test]
async fn before_grpc_web_a_refusal_is_plain_http() {
    for host in proxy::everywhere() {
        let refused = second_grpc_web_call(&host, [limiting(1), grpc_web()]).await;
        let found = (refused.status, refused.header("grpc-status"));
        assert_eq!(found, (429, None));
        assert_eq!(refused.json()["status"], 429);
    }
}

/// An upstream that sends clients on, fails, or has what they ask for.
async fn upstream() -> Envoy {
    let routes = json!([
        { "match": { "path": "/first" }, "redirect": { "path_redirect": "/second", "response_code": "FOUND" } },
        { "match": { "path": "/second" }, "redirect": { "path_redirect": "/third", "response_code": "FOUND" } },
        { "match": { "path": "/failing" }, "direct_response": { "status": 503 } },
        { "match": { "prefix": "/" }, "direct_response": { "status": 200 } },
    ]);
    Chain::new([], routes).start(&proxy::newest()).await
}

#[tokio::test]
async fn an_internal_redirect_is_charged_for_each_hop() {
    let upstream = upstream().await;
    for host in proxy::everywhere() {
        let mut route = router_to("upstream");
        route["route"]["internal_redirect_policy"] = json!({ "max_internal_redirects": 5 });
        let chain = Chain::new([limiting(10)], json!([route]));
        let envoy = chain
            .cluster("upstream", upstream.address)
            .start(&host)
            .await;
        let mut caller = envoy.connect().await;
        let answer = caller.send(get("/first")).await;
        assert_eq!(
            (answer.status, answer.number("x-ratelimit-remaining")),
            (200, 7)
        );
        envoy.counted("rule.per-client.allowed", 3).await;
        let answer = caller.send(get("/third")).await;
        assert_eq!(
            (answer.status, answer.number("x-ratelimit-remaining")),
            (200, 6)
        );
        // The client sees the refusal of a hop, not the redirect.
        let answer = loop {
            let answer = caller.send(get("/first")).await;
            if answer.status != 200 {
                break answer;
            }
        };
        assert_eq!((answer.status, answer.header("location")), (429, None));
    }
}

#[tokio::test]
async fn a_retry_and_a_shadow_are_charged_once() {
    let upstream = upstream().await;
    for host in proxy::everywhere() {
        let mut route = router_to("upstream");
        route["route"]["retry_policy"] = json!({ "retry_on": "5xx", "num_retries": 3,
            "retry_back_off": { "base_interval": "0.001s", "max_interval": "0.002s" } });
        route["route"]["request_mirror_policies"] = json!([{ "cluster": "shadow" }]);
        let chain = Chain::new([limiting(10)], json!([route]));
        let chain = chain.cluster("upstream", upstream.address);
        let envoy = chain.cluster("shadow", upstream.address).start(&host).await;
        let answer = envoy.connect().await.send(get("/failing")).await;
        assert_eq!(
            (answer.status, answer.number("x-ratelimit-remaining")),
            (503, 9)
        );
        assert_eq!(envoy.stat("cluster.upstream.upstream_rq_retry").await, 3);
        until("the shadow", async || {
            let sent = envoy.stat("cluster.shadow.upstream_rq_total").await;
            (sent == 1).then_some(())
        })
        .await;
        envoy.counted("rule.per-client.allowed", 1).await;
    }
}

/// Whatever a route configuration does with a request, the filter has charged it.
#[tokio::test]
async fn redirects_and_direct_responses_and_missing_routes_are_charged() {
    for host in proxy::everywhere() {
        let routes = json!([
            { "match": { "path": "/old" }, "redirect": { "path_redirect": "/new" } },
            { "match": { "path": "/new" }, "direct_response": { "status": 200 } },
        ]);
        let envoy = Chain::new([limiting(3)], routes).start(&host).await;
        let mut caller = envoy.connect().await;
        for (path, status, remaining) in [("/old", 301, 2), ("/new", 200, 1), ("/none", 404, 0)] {
            let answer = caller.send(get(path)).await;
            let found = (answer.status, answer.number("x-ratelimit-remaining"));
            assert_eq!(found, (status, remaining), "{path}");
        }
        assert_eq!(caller.send(get("/none")).await.status, 429);
    }
}
