//! Windows that end under load.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;
use tokio::task::JoinSet;

use crate::client::{Connection, get};
use crate::document::Listener;
use crate::modes;
use crate::proxy::until;
use crate::service::Service;

/// What the service grants in a second of the clock.
const QUOTA: u64 = 20;

const LIMITS: &str = "
domain: default
descriptors:
- key: tenant
  rate_limit: {unit: second, requests_per_unit: 20}
";

/// Callers of each proxy.
const CALLERS: usize = 4;

/// An admitted request. The service judged it some time between the two, which are since 1970.
struct Admitted {
    sent: Duration,
    answered: Duration,
}

/// Two proxies under a load of many times the quota, over several ends of a window.
#[tokio::test]
async fn no_window_admits_more_than_its_quota() {
    for (host, mode) in modes::everywhere() {
        let service = Service::start(LIMITS).await;
        let filter = json!({
            "limiter": { "engine": "envoy_ratelimit", "cluster": "ratelimit", "proxies": 2, "on_error": "deny",
                "timeout": "60s", "max_wait": "60s" },
            "rules": [{
                "name": "per-tenant",
                "key": [{ "header": "x-tenant", "as": "tenant" }],
                "limits": [{ "requests": QUOTA, "per": "1s" }],
                "global": { "mode": mode },
            }],
        });
        let seen = Arc::new(Mutex::new(Vec::new()));
        let mut callers = JoinSet::new();
        let listener = Listener::new(&filter).limiter(service.address);
        let proxies = [
            host.start(listener.clone()).await,
            host.start(listener).await,
        ];
        for envoy in &proxies {
            for _ in 0..CALLERS {
                callers.spawn(call(envoy.connect().await, Arc::clone(&seen)));
            }
        }
        until("five windows to admit", async || {
            let seen = seen.lock().unwrap();
            let windows: BTreeSet<u64> = seen.iter().map(Admitted::window).collect();
            (windows.len() >= 5).then_some(())
        })
        .await;
        callers.shutdown().await;
        assert_no_more_than_the_quota(&seen.lock().unwrap());
    }
}

/// Sends one request after the other, for ever. Who is refused comes back a little later.
async fn call(mut connection: Connection, seen: Arc<Mutex<Vec<Admitted>>>) {
    loop {
        let sent = now();
        let answer = connection.send(get("/").header("x-tenant", "acme")).await;
        let answered = now();
        match answer.status {
            200 => seen.lock().unwrap().push(Admitted { sent, answered }),
            429 => tokio::time::sleep(Duration::from_millis(2)).await,
            status => panic!("{status}"),
        }
    }
}

impl Admitted {
    /// The last window that it can have been judged in.
    fn window(&self) -> u64 {
        self.answered.as_secs()
    }
}

/// Of no span of windows more is admitted than they hold together, by the requests that were certainly judged in it.
fn assert_no_more_than_the_quota(seen: &[Admitted]) {
    let windows: BTreeSet<u64> = seen.iter().map(Admitted::window).collect();
    for first in &windows {
        for last in windows.range(first..) {
            let within = |one: &&Admitted| one.sent.as_secs() >= *first && one.window() <= *last;
            let admitted = seen.iter().filter(within).count() as u64;
            let quota = QUOTA * (last - first + 1);
            assert!(admitted <= quota, "{admitted} of {quota}");
        }
    }
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}
