//! Thousands of requests that wait at once. Envoy carries out what a callback decides about each inside the callback of
//! the one before: a module that settles them all at once loses its VM, and every filter in it.

use std::fs;
use std::net::Ipv4Addr;

use hyper::http::request::Builder;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::client::{Connection, get};
use crate::document::Listener;
use crate::impostor::{Conduct, Impostor};
use crate::proxy::{self, Envoy, Host, until};

/// As many as may wait in one worker.
const CROWD: usize = 4_096;

/// How the crowd reaches the proxy.
#[derive(Clone, Copy, Debug)]
enum Over {
    /// A connection each.
    Http1,
    /// One connection, so one worker.
    Http2,
}

const BOTH: [Over; 2] = [Over::Http1, Over::Http2];

/// The oldest and the newest Envoy, where one worker has it all.
fn one_worker() -> impl Iterator<Item = Host> {
    proxy::everywhere().filter(|host| host.workers == 1)
}

/// A filter whose quota for each tenant is the service's.
fn filter(mode: &str, on_error: &str, quota: u64) -> Value {
    json!({
        "limiter": {
            "engine": "envoy_ratelimit", "cluster": "ratelimit", "proxies": 2, "on_error": on_error,
            "timeout": "60s", "max_wait": "60s", "max_parked": CROWD, "cold_keys_per_second": 1_000_000,
            "breaker": { "failures": 1, "open": "60s", "max_open": "60s" },
        },
        "rules": [{
            "name": "per-tenant",
            "key": [{ "header": "x-tenant", "as": "tenant" }],
            "limits": [{ "requests": quota, "per": "1d" }],
            "global": { "mode": mode },
        }],
    })
}

fn request() -> Builder {
    get("/").header("x-tenant", "acme")
}

/// A proxy in which a crowd waits for a service that does not answer.
struct Waiting {
    envoy: Envoy,
    impostor: Impostor,
    crowd: JoinSet<u16>,
}

impl Waiting {
    async fn start(host: &Host, over: Over, filter: &Value, quota: u64) -> Self {
        assert!(
            open_files() > 2 * CROWD,
            "too few: run `ulimit -n 16384` first"
        );
        let impostor = Impostor::start(quota).await;
        impostor.conduct(Conduct::Held);
        let envoy = host
            .start(Listener::new(filter).limiter(impostor.address))
            .await;
        let mut crowd = JoinSet::new();
        match over {
            Over::Http1 => {
                for client in 0..CROWD {
                    let address = address(client);
                    let mut connection = Connection::http1_from(address, envoy.address).await;
                    crowd.spawn(async move { connection.send(request()).await.status });
                }
            }
            Over::Http2 => {
                let connection = Connection::http2(envoy.address).await;
                for _ in 0..CROWD {
                    let mut stream = connection.another_stream();
                    crowd.spawn(async move { stream.send(request()).await.status });
                }
            }
        }
        envoy.counted("limiter.parked", CROWD as u64).await;
        Self {
            envoy,
            impostor,
            crowd,
        }
    }

    /// The statuses of the crowd, by how many got each. No VM has died, and every worker answers.
    async fn end(self, after: u16) -> Vec<(u16, usize)> {
        let mut statuses = self.crowd.join_all().await;
        for connection in &mut self.envoy.connect_all().await {
            assert_eq!(connection.statuses(1, request).await, [after]);
        }
        let log = self.envoy.log();
        assert!(!log.contains("Uncaught"), "{log}");
        statuses.sort_unstable();
        let chunks = statuses.chunk_by(|one, other| one == other);
        chunks.map(|alike| (alike[0], alike.len())).collect()
    }
}

/// The address of a client of its own: thousands of connections from one would leave no port to bind there.
fn address(client: usize) -> Ipv4Addr {
    let [high, low] = u16::try_from(client).unwrap().to_be_bytes();
    Ipv4Addr::new(127, 1, high, low)
}

/// How many files this process may open, and with it the proxies that it starts.
fn open_files() -> usize {
    let limits = fs::read_to_string("/proc/self/limits").unwrap();
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let soft = line.unwrap().split_whitespace().nth(3).unwrap();
    soft.parse().unwrap_or(usize::MAX)
}

#[tokio::test]
async fn a_crowd_that_is_refused() {
    for host in one_worker() {
        for (over, mode) in BOTH.into_iter().zip(["lease", "per_request"]) {
            println!("{over:?}, {mode}");
            let waiting = Waiting::start(&host, over, &filter(mode, "deny", 10), 10).await;
            waiting.impostor.conduct(Conduct::Honest);
            let granted = waiting.impostor.counter("acme").granted;
            let statuses = waiting.end(429).await;
            let [(200, admitted), (429, refused)] = statuses[..] else {
                // A debit for more than is left burns the rest, and grants nothing.
                assert_eq!(statuses, [(429, CROWD)]);
                continue;
            };
            assert_eq!(admitted + refused, CROWD);
            assert!(admitted <= 10, "{admitted}, granted {granted}");
        }
    }
}

#[tokio::test]
async fn a_crowd_that_is_admitted() {
    const QUOTA: u64 = 1_000_000;
    for host in one_worker() {
        for (over, mode) in BOTH.into_iter().zip(["per_request", "lease"]) {
            println!("{over:?}, {mode}");
            let waiting = Waiting::start(&host, over, &filter(mode, "deny", QUOTA), QUOTA).await;
            waiting.impostor.conduct(Conduct::Honest);
            assert_eq!(waiting.end(200).await, [(200, CROWD)]);
        }
    }
}

/// The limiter is gone: each of them is decided about by `on_error`, and the breaker opens.
#[tokio::test]
async fn a_crowd_whose_limiter_is_gone() {
    const SHARE: usize = 50;
    for host in one_worker() {
        for (over, on_error, expected, after) in [
            (Over::Http1, "deny", vec![(503, CROWD)], 503),
            (Over::Http2, "allow", vec![(200, CROWD)], 200),
            (
                Over::Http2,
                "local",
                vec![(200, SHARE), (429, CROWD - SHARE)],
                429,
            ),
        ] {
            println!("{over:?}, {on_error}");
            let filter = filter("lease", on_error, 2 * SHARE as u64);
            let waiting = Waiting::start(&host, over, &filter, 2 * SHARE as u64).await;
            waiting.impostor.conduct(Conduct::ResetBefore);
            assert_eq!(waiting.end(after).await, expected);
        }
    }
}

/// The configuration that they came under answers them, beside the next one.
#[tokio::test]
async fn a_crowd_that_waits_while_the_configuration_changes() {
    const QUOTA: u64 = 1_000_000;
    for host in one_worker() {
        for over in BOTH {
            println!("{over:?}");
            let before = filter("lease", "deny", QUOTA);
            let mut waiting = Waiting::start(&host, over, &before, QUOTA).await;
            let after = json!({ "rules": [{ "name": "shut", "key": ["client_ip"], "limits": [{ "requests": 0, "per": "1d" }] }] });
            waiting.envoy.reload(&after).await;
            waiting.impostor.conduct(Conduct::Honest);
            assert_eq!(waiting.end(429).await, [(200, CROWD)]);
        }
    }
}

/// Clients that go all at once, streams of one connection among them, and the next ones.
#[tokio::test]
async fn a_crowd_that_goes_before_it_is_answered() {
    const QUOTA: u64 = 1_000_000;
    for host in one_worker() {
        for over in BOTH {
            println!("{over:?}");
            let filter = filter("per_request", "deny", QUOTA);
            let mut waiting = Waiting::start(&host, over, &filter, QUOTA).await;
            waiting.crowd.shutdown().await;
            until("the clients to be gone", async || {
                let under_way = waiting.envoy.stat("http.weir.downstream_rq_active").await;
                (under_way == 0).then_some(())
            })
            .await;
            waiting.impostor.conduct(Conduct::Honest);
            assert_eq!(waiting.end(200).await, []);
        }
    }
}
