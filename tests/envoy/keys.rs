//! Whose counter a request is charged to.

use hyper::Method;
use hyper::header::HeaderValue;
use hyper::http::request::Builder;
use serde_json::{Value, json};

use crate::client::{Connection, get, request};
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

/// Over HTTP/2 Envoy hands on the blanks and tabs around a value; over HTTP/1.1 it takes them away. The scheme of
/// credentials is compared without case.
#[tokio::test]
async fn a_key_is_one_however_it_is_spelled() {
    let rule = |name: &str, part: Value| {
        json!({
            "name": name,
            "match": { "path": { "exact": format!("/{name}") } },
            "key": [part],
            "on_missing_key": "deny",
            "limits": [{ "requests": 1, "per": "1h" }],
        })
    };
    let filter = json!({ "rules": [
        rule("tenant", json!({ "header": "x-tenant" })),
        rule("session", json!({ "cookie": "sid" })),
        rule("token", json!({ "header": "authorization" })),
        rule("query", json!({ "query": "k" })),
    ] });
    let with = |path: &str, name: &str, value: &str| {
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        get(path).header(name, value)
    };
    let same = [
        (
            "/tenant",
            "x-tenant",
            ["acme", " acme", "acme\t", "\t acme \t "],
        ),
        (
            "/session",
            "cookie",
            ["sid=1", " sid=1\t", "sid= 1", "a=2; sid=\" 1\""],
        ),
        (
            "/token",
            "authorization",
            ["Bearer x", "bearer x ", "\tBEARER  x", "bEARER\tx"],
        ),
    ];
    let missing = [
        ("/tenant", "x-tenant", " \t"),
        ("/session", "cookie", "sid=\t"),
        ("/token", "authorization", "\t "),
        ("/query?k=+%09", "x-tenant", "acme"),
    ];
    for host in proxy::everywhere() {
        let envoy = host.start(Listener::new(&filter)).await;
        for mut caller in [
            Connection::http2(envoy.address).await,
            envoy.connect().await,
        ] {
            for (path, name, values) in same {
                for value in values {
                    caller.send(with(path, name, value)).await;
                    let again = caller.send(with(path, name, values[0])).await;
                    assert_eq!(again.status, 429, "{name}: {value:?}");
                    let again = caller.send(with(path, name, value)).await;
                    assert_eq!(again.status, 429, "{name}: {value:?}");
                }
            }
            for (path, name, value) in missing {
                let answer = caller.send(with(path, name, value)).await;
                assert_eq!(answer.status, 403, "{path} {name}: {value:?}");
            }
        }
        for (rule, admitted) in [("tenant", 1), ("session", 1), ("token", 1)] {
            envoy
                .counted(&format!("rule.{rule}.allowed"), admitted)
                .await;
        }
    }
}

/// Which repeated headers a filter sees as one is Envoy's choice; the page says which.
#[tokio::test]
async fn headers_that_envoy_joins_are_those_of_the_page() {
    let page = include_str!("../../docs/keys.md");
    let (_, list) = page.split_once("Envoy joins repeated values").unwrap();
    let (list, _) = list.split_once("\n\n").unwrap();
    let joined: Vec<&str> = list.split('`').skip(1).step_by(2).collect();
    let others = [
        "proxy-authorization",
        "x-api-key",
        "x-tenant",
        "x-auth-token",
        "x-real-ip",
        "x-client-ip",
        "x-amzn-trace-id",
        "x-forwarded-client-cert",
        "accept-language",
        "forwarded",
        "from",
        "traceparent",
        "cf-connecting-ip",
    ];
    let names = || joined.iter().chain(&others);
    let rules = names().map(|name| {
        json!({
            "name": name,
            "match": { "path": { "exact": format!("/{name}") } },
            "key": [{ "header": name }],
            "on_missing_key": "deny",
            "limits": [{ "requests": 0, "per": "1h" }],
        })
    });
    let filter = json!({ "rules": rules.collect::<Vec<_>>() });
    for host in proxy::everywhere() {
        let envoy = host.start(Listener::new(&filter)).await;
        for mut caller in [
            Connection::http2(envoy.address).await,
            envoy.connect().await,
        ] {
            for name in names() {
                // Joined they could be one value of credentials.
                let (one, other) = if name.contains("authorization") {
                    ("a b=1", "c=2")
                } else {
                    ("1", "2")
                };
                let twice = get(&format!("/{name}"))
                    .header(*name, one)
                    .header(*name, other);
                let answer = caller.send(twice).await;
                let expected = if joined.contains(name) { 429 } else { 403 };
                assert_eq!(answer.status, expected, "{name}");
            }
            let twice = get("/authorization")
                .header("authorization", "Bearer one")
                .header("authorization", "Bearer two");
            assert_eq!(caller.send(twice).await.status, 403);
        }
    }
}

/// The same values under another name are other keys.
#[tokio::test]
async fn a_key_by_another_name_starts_anew() {
    let by = |part: Value| json!({ "rules": [{ "name": "r", "key": [part], "limits": [{ "requests": 1, "per": "1h" }] }] });
    let request = || {
        get("/?x-team=acme")
            .header("x-tenant", "acme")
            .header("x-team", "acme")
            .header("cookie", "x-team=acme; x-tenant=acme")
    };
    let mut envoy = proxy::newest()
        .start(Listener::new(&by(json!({ "header": "x-tenant" }))))
        .await;
    assert_eq!(envoy.connect().await.statuses(2, request).await, [200, 429]);
    for part in [
        json!({ "header": "x-team" }),
        json!({ "cookie": "x-team" }),
        json!({ "cookie": "x-tenant" }),
        json!({ "query": "x-team" }),
    ] {
        envoy.reload(&by(part.clone())).await;
        let statuses = envoy.connect().await.statuses(2, request).await;
        assert_eq!(statuses, [200, 429], "{part}");
    }
    envoy
        .reload(&by(json!({ "header": "x-tenant", "as": "tenant" })))
        .await;
    let statuses = envoy.connect().await.statuses(1, request).await;
    assert_eq!(
        statuses,
        [429],
        "what a part is called elsewhere changes nothing"
    );
}
