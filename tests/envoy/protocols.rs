//! Callers of every protocol, and callers that try to break the filter.

use hyper::Method;
use hyper::header::HeaderValue;
use serde_json::json;

use crate::client::{Connection, get, request};
use crate::document::{Listener, per_client};
use crate::proxy;

#[tokio::test]
async fn http1_and_http2_share_a_counter() {
    for host in proxy::everywhere() {
        let envoy = host
            .start(Listener::new(&per_client(
                &json!([{ "requests": 2, "per": "1h" }]),
            )))
            .await;
        let mut http1 = envoy.connect().await;
        let mut http2 = Connection::http2(envoy.address).await;
        assert_eq!(http1.send(get("/")).await.status, 200);
        assert_eq!(http2.send(get("/")).await.status, 200);
        for refused in [http1.send(get("/")).await, http2.send(get("/")).await] {
            assert_eq!(refused.status, 429);
            assert_eq!(refused.json()["status"], 429);
            // Rounded up from what is left of it; a second passes now and then.
            assert!((1740..=1800).contains(&refused.number("retry-after")));
        }
    }
}

/// A gRPC client reads the status from grpc-status; a plain 429 would reach it as UNAVAILABLE, which it retries.
#[tokio::test]
async fn a_grpc_caller_is_told_resource_exhausted() {
    for host in proxy::everywhere() {
        let envoy = host
            .start(Listener::new(&per_client(
                &json!([{ "requests": 1, "per": "1h" }]),
            )))
            .await;
        let mut caller = Connection::http2(envoy.address).await;
        for content_type in ["application/grpc", "application/grpc+proto"] {
            let call = || {
                request(Method::POST, "/loans.Loans/Request")
                    .header("content-type", content_type)
                    .header("te", "trailers")
            };
            caller.send(call()).await;
            let refused = caller.send(call()).await;
            assert_eq!(
                (refused.status, refused.header("grpc-status")),
                (200, Some("8"))
            );
            assert!(
                refused
                    .header("grpc-message")
                    .is_some_and(|message| message.contains("per-client"))
            );
            assert!(refused.number("retry-after") > 3500);
        }
        // With blanks around it, it is not gRPC to Envoy either, which writes the reply.
        for other in [
            "application/grpcish",
            " application/grpc",
            "application/grpc\t",
        ] {
            let looks_alike = get("/").header("content-type", other);
            let refused = caller.send(looks_alike).await;
            let told = (
                refused.status,
                refused.header("grpc-status"),
                refused.header("content-type"),
            );
            assert_eq!(
                told,
                (429, None, Some("application/problem+json")),
                "{other:?}"
            );
        }
    }
}

/// Bytes that are not UTF-8 are a value like any other, and the VM survives them.
#[tokio::test]
async fn bytes_that_are_not_text_are_a_key() {
    let filter = json!({ "rules": [
        { "name": "per-tenant", "key": [{ "header": "x-tenant" }], "limits": [{ "requests": 1, "per": "1h" }] },
        { "name": "per-page", "key": ["path", { "query": "q" }, { "cookie": "c" }], "limits": [{ "requests": 1, "per": "1h" }] },
    ] });
    for host in proxy::everywhere() {
        let envoy = host.start(Listener::new(&filter)).await;
        let mut caller = envoy.connect().await;
        for expected in [200, 429] {
            for tenant in [&b"\xff\xfe"[..], b"\xff\xff", b"\xc3\x28", b"\xed\xa0\x80"] {
                let tenant = HeaderValue::from_bytes(tenant).unwrap();
                let answer = caller.send(get("/").header("x-tenant", &tenant)).await;
                assert_eq!(answer.status, expected, "{tenant:?}");
            }
            let cookie = HeaderValue::from_bytes(b"c=\xff\xfe").unwrap();
            let answer = caller
                .send(get("/%ff%fe?q=%ff%zz").header("cookie", cookie))
                .await;
            assert_eq!(answer.status, expected);
        }
    }
}

/// Headers of 60 KiB, in one value and in many, are counted like small ones.
#[tokio::test]
async fn large_headers_are_counted_like_small_ones() {
    let filter = json!({
        "client_ip": { "from": "x-forwarded-for", "trusted_proxies": ["127.0.0.0/8"] },
        "rules": [{
            "name": "per-tenant",
            "key": ["client_ip", { "header": "x-tenant" }],
            "limits": [{ "requests": 1, "per": "1h" }],
        }],
    });
    let (long, other) = (
        "a".repeat(60 * 1024),
        format!("{}b", "a".repeat(60 * 1024 - 1)),
    );
    let hops = vec!["127.0.0.9"; 5000].join(",");
    for host in proxy::everywhere() {
        let envoy = host
            .start(
                Listener::new(&filter)
                    .max_request_headers_kib(90)
                    .forwarded_as_sent(),
            )
            .await;
        for mut caller in [
            envoy.connect().await,
            Connection::http2(envoy.address).await,
        ] {
            for tenant in [&long, &other] {
                caller.send(get("/").header("x-tenant", tenant)).await;
                assert_eq!(
                    caller
                        .send(get("/").header("x-tenant", tenant))
                        .await
                        .status,
                    429
                );
            }
            let many = || {
                (0..60).fold(get("/").header("x-tenant", "t"), |to, n| {
                    to.header(format!("x-{n}"), "v".repeat(1000))
                })
            };
            caller.send(many()).await;
            assert_eq!(caller.send(many()).await.status, 429);
            let far = || {
                get("/")
                    .header("x-tenant", "far")
                    .header("x-forwarded-for", format!("192.0.2.7,{hops}"))
            };
            caller.send(far()).await;
            assert_eq!(caller.send(far()).await.status, 429);
        }
    }
}
