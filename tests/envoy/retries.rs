//! An Envoy in front of the one with the filter, and what it repeats.

use hyper::Method;
use serde_json::{Value, json};

use crate::chain::{Chain, router_to};
use crate::client::{Answer, Connection, get, request};
use crate::document::{Listener, per_client};
use crate::proxy::{self, Envoy, Host};

/// How often the Envoy in front repeats a request at most.
const RETRIES: u64 = 3;

/// An Envoy that repeats what was refused, in front of one whose filter refuses a client's second request.
struct Row {
    front: Envoy,
    inner: Envoy,
}

impl Row {
    async fn start(host: &Host, response: &Value, retry_on: &str) -> Self {
        let mut filter = per_client(&json!([{ "requests": 1, "per": "1h" }]));
        filter["response"] = response.clone();
        let demanding = json!({
            "name": "demands-a-key",
            "match": { "path": { "prefix": "/keyed" } },
            "key": [{ "header": "x-api-key" }],
            "on_missing_key": "deny",
            "limits": "unlimited",
        });
        filter["rules"].as_array_mut().unwrap().push(demanding);
        let inner = host.start(Listener::new(&filter)).await;
        let mut route = router_to("inner");
        route["route"]["retry_policy"] = json!({
            "retry_on": retry_on,
            "num_retries": RETRIES,
            "retriable_status_codes": [403, 429],
            "retry_back_off": { "base_interval": "0.001s", "max_interval": "0.002s" },
        });
        let chain = Chain::new([], json!([route]));
        let front = chain.cluster("inner", inner.address).start(host).await;
        Self { front, inner }
    }

    /// What is answered to a request, and how often the Envoy in front repeated it.
    async fn send(
        &self,
        caller: &mut Connection,
        request: hyper::http::request::Builder,
    ) -> (Answer, u64) {
        let name = "cluster.inner.upstream_rq_retry";
        let before = self.front.stat(name).await;
        let answer = caller.send(request).await;
        (answer, self.front.stat(name).await - before)
    }
}

const ALL: &str = "5xx,retriable-4xx,retriable-status-codes";

/// A refusal of a limit comes back at once, in one request to the inner Envoy.
#[tokio::test]
async fn an_envoy_in_front_does_not_repeat_what_a_limit_refused() {
    for host in proxy::everywhere() {
        for status in [429, 503] {
            let row = Row::start(&host, &json!({ "status": status }), ALL).await;
            let mut caller = row.front.connect().await;
            assert_eq!(row.send(&mut caller, get("/")).await.0.status, 200);
            for refusals in 1..=3 {
                let (answer, retries) = row.send(&mut caller, get("/")).await;
                assert_eq!((u64::from(answer.status), retries), (status, 0));
                assert_eq!(answer.header("x-envoy-ratelimited"), Some("true"));
                row.inner.counted("rule.per-client.limited", refusals).await;
            }
            // Who lacks a key has not come too often.
            let (answer, retries) = row.send(&mut caller, get("/keyed")).await;
            assert_eq!((answer.status, retries), (403, RETRIES));
            assert_eq!(answer.header("x-envoy-ratelimited"), None);
        }
    }
}

/// Without the header each refusal makes as many more as the Envoy in front may repeat.
#[tokio::test]
async fn without_the_header_it_does() {
    for host in proxy::everywhere() {
        let row = Row::start(&host, &json!({ "envoy_ratelimited": false }), ALL).await;
        let mut caller = row.front.connect().await;
        assert_eq!(row.send(&mut caller, get("/")).await.0.status, 200);
        for refusals in 1..=3 {
            let (answer, retries) = row.send(&mut caller, get("/")).await;
            assert_eq!((answer.status, retries), (429, RETRIES));
            assert_eq!(answer.header("x-envoy-ratelimited"), None);
            let limited = refusals * (1 + RETRIES);
            row.inner.counted("rule.per-client.limited", limited).await;
        }
    }
}

/// A gRPC call that a limit refused is not repeated either, though its status may be.
#[tokio::test]
async fn nor_does_it_repeat_a_grpc_call() {
    for host in proxy::everywhere() {
        for (says, expected) in [(true, 0), (false, RETRIES)] {
            let response = json!({ "envoy_ratelimited": says });
            let row = Row::start(&host, &response, "resource-exhausted").await;
            let mut caller = Connection::http2(row.front.address).await;
            caller.send(get("/")).await;
            let call = request(Method::POST, "/loans.Loans/Request")
                .header("content-type", "application/grpc")
                .header("te", "trailers");
            let (answer, retries) = row.send(&mut caller, call).await;
            assert_eq!(
                (answer.header("grpc-status"), retries),
                (Some("8"), expected)
            );
        }
    }
}
