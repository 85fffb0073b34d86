//! Whose counter a request is charged to.

use hyper::Method;
use hyper::http::request::Builder;
use serde_json::{Value, json};

use crate::client::{get, request};
use crate::document::Listener;
use crate::proxy;

/// Each key part: two requests that agree in it share a counter, whatever else differs; one that differs has its own.
#[tokio::test]
async fn each_key_part_tells_callers_apart() {
    let post = |path| request(Method::POST, path);
    let cases: [(Value, [Builder; 3]); 9] = [
        (
            json!({ "header": "x-tenant" }),
            [
                get("/a").header("X-Tenant", "acme"),
                get("/b").header("x-tenant", "acme"),
                get("/a").header("x-tenant", "Acme"),
            ],
        ),
        (
            json!({ "cookie": "sid" }),
            [
                get("/").header("cookie", "sid=1; theme=dark"),
                get("/").header("cookie", "theme=light; sid=1"),
                get("/").header("cookie", "sid=2; theme=dark"),
            ],
        ),
        (
            json!({ "query": "api_key" }),
            [
                get("/?api_key=k1"),
                get("/?page=2&api_key=k1"),
                get("/?api_key=k2"),
            ],
        ),
        (
            json!({ "path_segment": 1 }),
            [get("/teams/red"), get("/people/red/1"), get("/teams/blue")],
        ),
        (
            json!({ "path_template": "/users/{id}/orders/{order}" }),
            [
                get("/users/1/orders/23"),
                post("/users/1/orders/23?x"),
                get("/users/12/orders/3"),
            ],
        ),
        (json!("method"), [get("/a"), get("/b"), post("/a")]),
        (json!("path"), [get("/a?x"), post("/a?y"), get("/A?x")]),
        (
            json!("host"),
            [
                get("/").header("x-other", "1"),
                get("/a"),
                hyper::Request::builder()
                    .uri("/")
                    .header("host", "other.test"),
            ],
        ),
        (
            json!("route"),
            [get("/orders/1"), get("/orders/2"), get("/")],
        ),
    ];
    let (parts, requests): (Vec<_>, Vec<_>) = cases.into_iter().unzip();
    let mut envoy = proxy::newest()
        .start(Listener::new(&json!({ "enabled": false, "rules": [] })))
        .await;
    for (case, (part, requests)) in parts.into_iter().zip(requests).enumerate() {
        envoy
            .reload(&json!({ "domain": format!("case-{case}"), "rules": [
            { "name": "by-part", "key": [&part], "limits": [{ "requests": 1, "per": "1h" }] },
        ] }))
            .await;
        let mut caller = envoy.connect().await;
        let mut statuses = Vec::new();
        for request in requests {
            statuses.push(caller.send(request).await.status);
        }
        assert_eq!(statuses, [200, 429, 200], "{part}");
    }
}

/// Several parts make one key that cannot be forged by moving a byte from one part to the next.
#[tokio::test]
async fn the_parts_of_a_key_do_not_run_together() {
    let filter = json!({ "rules": [{
        "name": "pairs",
        "key": [{ "header": "x-a" }, { "header": "x-b" }, { "constant": "x" }],
        "limits": [{ "requests": 1, "per": "1h" }],
    }] });
    let pair = |a: &str, b: &str| get("/").header("x-a", a).header("x-b", b);
    for host in proxy::everywhere() {
        let envoy = host.start(Listener::new(&filter)).await;
        let mut caller = envoy.connect().await;
        for (a, b) in [
            ("a", "bc"),
            ("ab", "c"),
            ("bc", "a"),
            ("a:b", "c"),
            ("a", "b:c"),
            ("a,b", "c"),
            ("a", "b,c"),
        ] {
            assert_eq!(
                caller.statuses(2, || pair(a, b)).await,
                [200, 429],
                "{a} {b}"
            );
        }
        let half = || get("/").header("x-a", "a");
        assert_eq!(
            caller.statuses(2, half).await,
            [200, 200],
            "half a key is no key"
        );
    }
}

/// A value that is absent, empty or there twice is missing: nobody chooses a fresh counter by sending two.
#[tokio::test]
async fn a_missing_key_follows_the_rule() {
    let missing: [fn() -> Builder; 3] = [
        || get("/"),
        || get("/").header("x-tenant", ""),
        || {
            get("/")
                .header("x-tenant", "acme")
                .header("x-tenant", "globex")
        },
    ];
    let policies = [
        ("skip", [200, 200, 200]),
        ("shared", [200, 429, 429]),
        ("client_ip", [200, 429, 429]),
        ("deny", [403, 403, 403]),
    ];
    for host in proxy::everywhere() {
        let mut envoy = host
            .start(Listener::new(&json!({ "enabled": false, "rules": [] })))
            .await;
        for (policy, expected) in policies {
            envoy
                .reload(&json!({ "domain": policy, "rules": [{
                "name": "per-tenant",
                "key": [{ "header": "x-tenant" }],
                "on_missing_key": policy,
                "limits": [{ "requests": 1, "per": "1h" }],
            }] }))
                .await;
            let mut caller = envoy.connect().await;
            let present = || get("/").header("x-tenant", "acme");
            assert_eq!(caller.statuses(2, present).await, [200, 429], "{policy}");
            for (request, expected) in missing.iter().zip(expected) {
                let answer = caller.send(request()).await;
                assert_eq!(answer.status, expected, "{policy}");
                if expected == 403 {
                    assert_eq!(
                        answer.header("content-type"),
                        Some("application/problem+json")
                    );
                    assert_eq!(answer.json()["status"], 403);
                }
            }
        }
    }
}
