//! How much is admitted: to the request, on every worker, over measured time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use hyper::Method;
use serde_json::json;
use tokio::task::JoinSet;

use crate::bucket::{Bucket, Observation};
use crate::client::{Connection, get, request};
use crate::document::{Listener, per_client};
use crate::proxy::{self, Envoy, until};

/// Callers that all send at once, on every worker, get the burst and not one request more.
#[tokio::test]
async fn a_burst_is_exact_to_the_request() {
    for host in proxy::everywhere() {
        let envoy = host
            .start(Listener::new(&per_client(
                &json!([{ "requests": 40, "per": "1d" }]),
            )))
            .await;
        let mut callers = JoinSet::new();
        for mut connection in envoy.connect_all().await {
            callers.spawn(async move { connection.statuses(60, || get("/")).await });
        }
        let statuses = callers.join_all().await.concat();
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 40);
        assert_eq!(
            statuses.iter().filter(|status| **status == 429).count(),
            statuses.len() - 40
        );
    }
}

/// 20 a second, burst 40: until twice the burst is admitted, every answer is the one the bucket must give.
#[tokio::test]
async fn rate_and_burst_hold_over_the_measured_time() {
    let limits = json!([{ "requests": 20, "per": "1s", "burst": 40 }]);
    for host in proxy::everywhere() {
        let envoy = host.start(Listener::new(&per_client(&limits))).await;
        let seen = offer(&envoy, 80).await;
        println!(
            "{} requests, {} admitted",
            seen.len(),
            seen.iter().filter(|one| one.admitted).count()
        );
        Bucket {
            capacity: 40,
            per_second: 20,
        }
        .assert_explains(&seen);
    }
}

/// A caller that waits as long as it is told is admitted, and no more than once.
#[tokio::test]
async fn obeying_retry_after_is_enough() {
    for host in proxy::everywhere() {
        let limits = json!([{ "requests": 1, "per": "2s" }]);
        let envoy = host.start(Listener::new(&per_client(&limits))).await;
        let mut caller = envoy.connect().await;
        let sent = Instant::now();
        assert_eq!(caller.send(get("/")).await.status, 200);
        for _ in 0..2 {
            // A machine that slept through the refill is told nothing; the next request is.
            let refused = until("a refusal", async || {
                Some(caller.send(get("/")).await).filter(|answer| answer.status == 429)
            })
            .await;
            let wait = refused.number("retry-after");
            assert!((1..=2).contains(&wait), "{wait} s");
            tokio::time::sleep(Duration::from_secs(wait)).await;
            assert_eq!(
                caller.send(get("/")).await.status,
                200,
                "after {:?}",
                sent.elapsed()
            );
        }
    }
}

/// Each window of Unix time, told apart by the reset that its answers name, admits its limit exactly.
#[tokio::test]
async fn fixed_windows_reset_on_time() {
    for host in proxy::everywhere() {
        let mut filter =
            per_client(&json!([{ "requests": 3, "per": "1s", "algorithm": "fixed_window" }]));
        filter["response"] = json!({ "reset": "epoch" });
        let envoy = host.start(Listener::new(&filter)).await;
        let mut caller = envoy.connect().await;
        let mut windows: Vec<(u64, Vec<u16>)> = Vec::new();
        until("three windows", async || {
            let answer = caller.send(get("/")).await;
            let reset = answer.number("x-ratelimit-reset");
            match windows.last_mut() {
                Some((window, statuses)) if *window == reset => statuses.push(answer.status),
                _ => windows.push((reset, vec![answer.status])),
            }
            (windows.len() == 3).then_some(())
        })
        .await;
        for (reset, statuses) in windows {
            let (admitted, refused) = statuses.split_at(statuses.len().min(3));
            assert!(
                admitted.iter().all(|status| *status == 200),
                "window to {reset}: {admitted:?}"
            );
            assert!(
                refused.iter().all(|status| *status == 429),
                "window to {reset}: {refused:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_sliding_window_admits_its_limit() {
    for host in proxy::everywhere() {
        let limits = json!([{ "requests": 3, "per": "1h", "algorithm": "sliding_window" }]);
        let envoy = host.start(Listener::new(&per_client(&limits))).await;
        let mut caller = envoy.connect().await;
        assert_eq!(
            caller.statuses(5, || get("/")).await,
            [200, 200, 200, 429, 429]
        );
    }
}

/// The strictest limit decides, and a request it refuses costs the others nothing.
#[tokio::test]
async fn several_limits_are_charged_together_or_not_at_all() {
    let filter = json!({
        "rules": [
            { "name": "per-client", "key": ["client_ip"], "limits": [
                { "requests": 100, "per": "1d", "name": "daily" },
                { "requests": 4, "per": "1h", "algorithm": "sliding_window", "name": "hourly" },
            ] },
            { "name": "per-tenant", "key": [{ "header": "x-tenant" }], "limits": [{ "requests": 2, "per": "1h" }] },
        ],
        "response": { "headers": ["ietf-draft-11"] },
    });
    for host in proxy::everywhere() {
        let envoy = host.start(Listener::new(&filter)).await;
        let mut caller = envoy.connect().await;
        let acme = || get("/").header("x-tenant", "acme");
        assert_eq!(caller.statuses(5, acme).await, [200, 200, 429, 429, 429]);
        let answer = caller.send(get("/").header("x-tenant", "globex")).await;
        assert_eq!(answer.status, 200);
        let remaining = answer.header("ratelimit").unwrap();
        for expected in [
            "\"per-client.daily\";r=97",
            "\"per-client.hourly\";r=1",
            "\"per-tenant\";r=1",
        ] {
            assert!(remaining.contains(expected), "{expected} in {remaining}");
        }
    }
}

#[tokio::test]
async fn a_limit_of_nothing_refuses_for_ever() {
    for host in proxy::everywhere() {
        let envoy = host
            .start(Listener::new(&per_client(
                &json!([{ "requests": 0, "per": "1s" }]),
            )))
            .await;
        let answer = envoy.connect().await.send(get("/")).await;
        assert_eq!((answer.status, answer.header("retry-after")), (429, None));
    }
}

#[tokio::test]
async fn a_rule_limits_only_what_it_matches() {
    let filter = json!({ "rules": [{
        "name": "orders",
        "match": { "path": { "glob": "/orders/*" }, "methods": ["POST"] },
        "limits": [{ "requests": 1, "per": "1h" }],
    }] });
    for host in proxy::everywhere() {
        let envoy = host.start(Listener::new(&filter)).await;
        let mut caller = envoy.connect().await;
        assert_eq!(
            caller
                .statuses(2, || request(Method::POST, "/orders/7?x=1"))
                .await,
            [200, 429]
        );
        for elsewhere in [
            get("/orders/7"),
            request(Method::POST, "/orders/7/items"),
            request(Method::POST, "/"),
        ] {
            let answer = caller.send(elsewhere).await;
            assert_eq!(
                (answer.status, answer.header("x-ratelimit-limit")),
                (200, None)
            );
        }
    }
}

#[tokio::test]
async fn the_kill_switch_lets_everything_through_untouched() {
    for host in proxy::everywhere() {
        let mut filter = per_client(&json!([{ "requests": 1, "per": "1h" }]));
        filter["enabled"] = false.into();
        let mut envoy = host.start(Listener::new(&filter)).await;
        for caller in &mut envoy.connect_all().await {
            let answer = caller.send(get("/")).await;
            assert_eq!(
                (answer.status, answer.header("x-ratelimit-limit")),
                (200, None)
            );
        }
        filter["enabled"] = true.into();
        envoy.reload(&filter).await;
        assert_eq!(
            envoy.connect().await.statuses(2, || get("/")).await,
            [200, 429]
        );
    }
}

/// Every worker's callers send, each a request every 10 ms, until so many have been admitted.
async fn offer(envoy: &Envoy, admitted: usize) -> Vec<Observation> {
    let so_far = Arc::new(AtomicUsize::new(0));
    let mut callers = JoinSet::new();
    for connection in envoy.connect_all().await {
        let so_far = Arc::clone(&so_far);
        callers.spawn(async move { observe(connection, &so_far, admitted).await });
    }
    callers.join_all().await.into_iter().flatten().collect()
}

async fn observe(
    mut connection: Connection,
    so_far: &AtomicUsize,
    enough: usize,
) -> Vec<Observation> {
    let mut pace = tokio::time::interval(Duration::from_millis(10));
    let mut seen = Vec::new();
    while so_far.load(Relaxed) < enough {
        pace.tick().await;
        let sent = Instant::now();
        let admitted = connection.send(get("/")).await.status == 200;
        so_far.fetch_add(usize::from(admitted), Relaxed);
        seen.push(Observation {
            sent,
            answered: Instant::now(),
            admitted,
        });
    }
    seen
}
