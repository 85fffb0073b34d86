//! Replacing the configuration of a proxy that serves.

use serde_json::json;

use crate::client::get;
use crate::document::{Listener, per_client};
use crate::proxy;

/// A bad document is refused whole, with a line for every error, and the old one keeps serving.
#[tokio::test]
async fn a_bad_configuration_is_refused_line_by_line() {
    for host in proxy::everywhere() {
        let good = per_client(&json!([{ "requests": 2, "per": "1h" }]));
        let mut envoy = host.start(Listener::new(&good)).await;
        let mut caller = envoy.connect().await;
        assert_eq!(caller.send(get("/")).await.status, 200);
        let lines = envoy
            .reload_refused(&json!({
                "ruels": [],
                "rules": [{ "name": "a", "key": ["clientip"], "limits": [{ "requests": 1, "per": "0s" }] }],
            }))
            .await;
        for expected in ["ruels: ", "rules[0].key[0]: ", "rules[0].limits[0].per: "] {
            assert_eq!(
                lines
                    .iter()
                    .filter(|line| line.starts_with(expected))
                    .count(),
                1,
                "{expected}: {lines:#?}"
            );
        }
        assert!(
            lines
                .iter()
                .any(|line| line.contains("did you mean \"client_ip\"?")),
            "{lines:#?}"
        );
        assert_eq!(
            caller.send(get("/")).await.status,
            200,
            "the old limit, on the old connection"
        );
        assert_eq!(
            envoy.connect().await.send(get("/")).await.status,
            429,
            "and on a new one"
        );
        envoy
            .reload(&per_client(
                &json!([{ "requests": 2, "per": "1h", "burst": 3 }]),
            ))
            .await;
        assert_eq!(
            envoy.connect().await.send(get("/")).await.status,
            200,
            "and a good one is still taken"
        );
    }
}

/// A reload that changes something else gives nobody a fresh counter.
#[tokio::test]
async fn counters_survive_a_reload() {
    for host in proxy::everywhere() {
        let mut filter = per_client(&json!([{ "requests": 3, "per": "1h" }]));
        let mut envoy = host.start(Listener::new(&filter)).await;
        assert_eq!(
            envoy.connect().await.statuses(2, || get("/")).await,
            [200, 200]
        );
        filter["response"] = json!({ "add_headers": { "x-reload": "1" } });
        envoy.reload(&filter).await;
        assert_eq!(envoy.connect().await.send(get("/")).await.status, 200);
        for caller in &mut envoy.connect_all().await {
            let refused = caller.send(get("/")).await;
            assert_eq!(
                (refused.status, refused.header("x-reload")),
                (429, Some("1"))
            );
        }
    }
}

/// A new limit applies to what has been counted already, at once: a raise ends the wait that the old one told.
#[tokio::test]
async fn a_raised_limit_applies_at_once() {
    for host in proxy::everywhere() {
        let limit =
            |requests: u32| per_client(&json!([{ "requests": requests, "per": "1h", "burst": 4 }]));
        let mut envoy = host.start(Listener::new(&limit(1))).await;
        let mut caller = envoy.connect().await;
        assert_eq!(
            caller.statuses(5, || get("/")).await,
            [200, 200, 200, 200, 429]
        );
        let wait = caller.send(get("/")).await.number("retry-after");
        assert!((3540..=3600).contains(&wait), "{wait} s");

        envoy.reload(&limit(3600)).await;
        let mut caller = envoy.connect().await;
        let answer = caller.send(get("/")).await;
        let wait = if answer.status == 429 {
            answer.number("retry-after")
        } else {
            0
        };
        assert!(wait <= 1, "{wait} s");
    }
}

/// Lowering a limit forgives nothing: not by its rate, not by its burst, not when it is taken back.
#[tokio::test]
async fn a_lowered_limit_applies_at_once() {
    for host in proxy::everywhere() {
        let limit = |requests: u32, burst: u32| {
            per_client(&json!([{ "requests": requests, "per": "1d", "burst": burst }]))
        };
        let mut envoy = host.start(Listener::new(&limit(96, 8))).await;
        let mut caller = envoy.connect().await;
        assert_eq!(caller.statuses(6, || get("/")).await, [200; 6]);

        // Two are left, of eight as of four; one came back in a quarter of an hour, now it takes a day.
        envoy.reload(&limit(1, 4)).await;
        let mut caller = envoy.connect().await;
        assert_eq!(caller.statuses(4, || get("/")).await, [200, 200, 429, 429]);
        let wait = caller.send(get("/")).await.number("retry-after");
        assert!((86_000..=86_400).contains(&wait), "{wait} s");
        envoy.reload(&limit(96, 8)).await;
        let mut caller = envoy.connect().await;
        let wait = caller.send(get("/")).await.number("retry-after");
        assert!((1..=900).contains(&wait), "{wait} s");

        envoy
            .reload(&per_client(&json!([{ "requests": 0, "per": "1d" }])))
            .await;
        for caller in &mut envoy.connect_all().await {
            assert_eq!(caller.send(get("/")).await.status, 429);
        }
    }
}

/// A control plane that holds the document as a `Struct` writes every number as a float.
#[tokio::test]
async fn whole_numbers_may_be_written_as_floats() {
    for host in proxy::everywhere() {
        let filter = per_client(&json!([{ "requests": 1.0, "per": "1h", "burst": 2.0 }]));
        let envoy = host.start(Listener::new(&filter)).await;
        assert_eq!(
            envoy.connect().await.statuses(3, || get("/")).await,
            [200, 200, 429]
        );
    }
}

/// The VM's environment fills in what the document leaves to it.
#[tokio::test]
async fn a_limit_may_come_from_the_environment() {
    for host in proxy::everywhere() {
        let limits = json!([{ "requests": { "env": "WEIR_REQUESTS" }, "per": "1h", "burst": { "env": "UNSET", "default": 2 } }]);
        let envoy = host.start(Listener::new(&per_client(&limits))).await;
        assert_eq!(
            envoy.connect().await.statuses(3, || get("/")).await,
            [200, 200, 429]
        );
    }
}
